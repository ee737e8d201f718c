/* Owns: which PAM services there are, what their modules can answer here, and what of it is a finding. Must not: parse a stack. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "bypass/internal.h"
#include "bypass/pam_walk.h"

static const char *const directories[] = {"/etc/pam.d", "/usr/lib/pam.d"};

static const struct {
    const char *service;
    enum bypass_reason reason;
} excepted[] = {
    {"cron", BYPASS_REASON_JOBS},
    {"crond", BYPASS_REASON_JOBS},
    {"atd", BYPASS_REASON_JOBS},
    {"systemd-user", BYPASS_REASON_JOBS},
    {"lightdm-greeter", BYPASS_REASON_GREETER},
    {"gdm-launch-environment", BYPASS_REASON_GREETER},
    {"sddm-greeter", BYPASS_REASON_GREETER},
    {"lightdm-autologin", BYPASS_REASON_AUTOLOGIN},
    {"gdm-autologin", BYPASS_REASON_AUTOLOGIN},
    {"sddm-autologin", BYPASS_REASON_AUTOLOGIN},
    {"runuser", BYPASS_REASON_ROOT},
    {"runuser-l", BYPASS_REASON_ROOT},
};

struct look {
    const struct tree *tree;
    struct bypass_report *report;
    char *group, *passwd;       /* /etc/group, /etc/passwd; NULL: not there */
    struct tree_names modules;  /* that are installed; none: not known */
    struct tree_names included; /* files that stacks include */
};

/* --- this machine --- */

/* The directories modules are in: /lib/security and one per architecture below /lib and /usr/lib. */
static int find_modules(struct look *l)
{
    static const char *const places[] = {"/usr/lib", "/lib", "/usr/lib64", "/lib64"};

    for (size_t i = 0; i < ELEMENTS(places); i++) {
        struct tree_names folders = {0};
        int r = tree_list(l->tree, places[i], &folders);

        if (r == -E2BIG || r == -ELOOP)
            continue;
        for (size_t k = 0; r == 0 && k <= folders.n && l->modules.n == 0; k++) {
            char path[TREE_PATH_MAX];
            int n = k < folders.n ? snprintf(path, sizeof(path), "%s/%s/security", places[i], folders.names[k])
                                  : snprintf(path, sizeof(path), "%s/security", places[i]);

            /* A directory of this name need not be PAM's; pam_deny.so is in that one. */
            if (n > 0 && (size_t)n < sizeof(path) && tree_list(l->tree, path, &l->modules) == 0) {
                bool found = false;

                for (size_t j = 0; j < l->modules.n; j++)
                    found |= text_equal(l->modules.names[j], "pam_deny.so");
                if (!found)
                    tree_names_done(&l->modules);
            }
        }
        tree_names_done(&folders);
        if (r == -ENOMEM)
            return r;
        if (l->modules.n > 0)
            return 0;
    }
    return 0;
}

static bool is_installed(const struct look *l, const char *name)
{
    for (size_t i = 0; i < l->modules.n; i++)
        if (text_equal(l->modules.names[i], name))
            return true;
    return l->modules.n == 0;
}

/* The colon-separated field number n of a line; length by ret_size. NULL when it has fewer. */
static const char *field(const char *line, size_t n, size_t *ret_size)
{
    for (; n > 0; n--) {
        line += strcspn(line, ":\n");
        if (*line++ != ':')
            return NULL;
    }
    *ret_size = strcspn(line, ":\n");
    return line;
}

/* Has anybody this group as their own? */
static bool is_primary(const char *passwd, const char *gid, size_t size)
{
    for (const char *line = passwd; line && *line; line = strchrnul(line, '\n'), line += *line == '\n') {
        size_t n;
        const char *own = field(line, 3, &n);

        if (own && n == size && strncmp(own, gid, n) == 0)
            return true;
    }
    return false;
}

enum group {
    GROUP_EMPTY,
    GROUP_FILLED,
    GROUP_UNKNOWN /* /etc/group cannot be read */
};

/* Who a directory service puts into the group is not seen. ret_line: where it stands, 0: nowhere. */
static enum group look_group(const struct look *l, const char *name, unsigned *ret_line)
{
    unsigned number = 0;

    *ret_line = 0;
    if (!l->group)
        return GROUP_UNKNOWN;
    for (const char *line = l->group; *line; line = strchrnul(line, '\n'), line += *line == '\n') {
        size_t n, gid_size = 0, members = 0;
        const char *gid = field(line, 2, &gid_size), *list = field(line, 3, &members);

        number++;
        n = strcspn(line, ":\n");
        if (!gid || !list || n != strlen(name) || strncmp(line, name, n) != 0)
            continue;
        *ret_line = number;
        if (members > 0 || is_primary(l->passwd, gid, gid_size))
            return GROUP_FILLED;
    }
    return GROUP_EMPTY;
}

/* "user ingroup nopasswdlogin", also with "quiet…": the group, else NULL. */
static const char *only_group(const struct pam_module *m, char *buffer, size_t size)
{
    const char *group = NULL;
    char *rest = NULL, *word;
    unsigned words = 0;

    if (!text_equal(m->name, "pam_succeed_if.so") || strlen(m->arguments) >= size)
        return NULL;
    memcpy(buffer, m->arguments, strlen(m->arguments) + 1);
    for (word = strtok_r(buffer, " ", &rest); word; word = strtok_r(NULL, " ", &rest)) {
        if (text_starts(word, "quiet") || text_equal(word, "use_uid"))
            continue;
        if ((words == 0 && !text_equal(word, "user")) || (words == 1 && !text_equal(word, "ingroup")))
            return NULL;
        group = words == 2 ? word : group;
        words++;
    }
    return words == 3 ? group : NULL;
}

static enum pam_can can_of_group(const struct look *l, const struct pam_module *m)
{
    char buffer[256];
    const char *group = only_group(m, buffer, sizeof(buffer));
    unsigned line;

    return group && look_group(l, group, &line) == GROUP_EMPTY ? PAM_CAN_FAIL : PAM_CAN_ALL;
}

/* pam_rootok.so lets through who is root already. */
static enum pam_can can_of(const struct look *l, const struct pam_module *m)
{
    if (m->elsewhere)
        return PAM_CAN_ALL;
    if (text_equal(m->name, "pam_deny.so") || text_equal(m->name, "pam_rootok.so") || !is_installed(l, m->name))
        return PAM_CAN_FAIL;
    if (text_equal(m->name, "pam_kuraban.so"))
        return PAM_CAN_CODE;
    if (text_equal(m->name, "pam_permit.so"))
        return PAM_CAN_SUCCEED;
    return can_of_group(l, m);
}

/* --- findings --- */

/* A module that passes the code by for a group: say who is in it, or that nobody is yet. */
static int tell_group(const struct look *l, const struct pam_module *m)
{
    char buffer[256];
    const char *group = only_group(m, buffer, sizeof(buffer));
    unsigned line;

    if (!group || m->actions[PAM_STACK_SUCCESS] == PAM_ACTION_OK || m->actions[PAM_STACK_SUCCESS] == PAM_ACTION_IGNORE)
        return 0;
    switch (look_group(l, group, &line)) {
    case GROUP_EMPTY:
        return bypass_report_add(l->report, BYPASS_NOTE_GROUP, m->file, m->line, m->text, group);
    case GROUP_FILLED:
        return bypass_report_add(l->report, BYPASS_PAM_GROUP, "/etc/group", line, NULL, group);
    case GROUP_UNKNOWN:
        break;
    }
    return 0;
}

static int tell_ways(const struct look *l, const char *service, const struct pam_stack *s, const struct pam_ways *ways)
{
    static const enum bypass_kind kinds[] = {
        [PAM_WAY_NONE] = BYPASS_PAM_NONE,
        [PAM_WAY_SUFFICIENT] = BYPASS_PAM_SUFFICIENT,
        [PAM_WAY_JUMP] = BYPASS_PAM_JUMP,
        [PAM_WAY_WEAK] = BYPASS_PAM_WEAK,
    };
    int r = 0;

    for (size_t i = 0; i < ways->n && r == 0; i++) {
        const struct pam_module *m = &s->modules[ways->ways[i].module];
        bool none = ways->ways[i].way == PAM_WAY_NONE;

        r = bypass_report_add(l->report, kinds[ways->ways[i].way], none ? s->files.names[0] : m->file,
                              none ? 0 : m->line, none ? NULL : m->text, service);
    }
    return r;
}

/* Who somebody is, is theirs to find out; all others are let do what they like. */
static bool takes_password(const struct pam_module *m)
{
    static const char *const names[] = {"pam_unix.so",    "pam_sss.so",    "pam_ldap.so",   "pam_krb5.so",
                                        "pam_winbind.so", "pam_userdb.so", "pam_pkcs11.so", "pam_systemd_home.so",
                                        "pam_fprintd.so", "pam_u2f.so"};

    for (size_t i = 0; i < ELEMENTS(names); i++)
        if (text_equal(m->name, names[i]))
            return true;
    return false;
}

/* These ask nobody for anything. What is not known here may have a question of its own. */
static bool asks_nothing(const struct pam_module *m)
{
    static const char *const names[] = {
        "pam_access.so",    "pam_cap.so",       "pam_debug.so",     "pam_deny.so",          "pam_echo.so",
        "pam_env.so",       "pam_exec.so",      "pam_faildelay.so", "pam_faillock.so",      "pam_gdm.so",
        "pam_group.so",     "pam_issue.so",     "pam_keyinit.so",   "pam_gnome_keyring.so", "pam_kwallet5.so",
        "pam_listfile.so",  "pam_localuser.so", "pam_nologin.so",   "pam_permit.so",        "pam_rootok.so",
        "pam_securetty.so", "pam_selinux.so",   "pam_shells.so",    "pam_succeed_if.so",    "pam_tally2.so",
        "pam_time.so",      "pam_usertype.so",  "pam_warn.so",      "pam_wheel.so",         "pam_xauth.so"};

    if (m->elsewhere)
        return false;
    for (size_t i = 0; i < ELEMENTS(names); i++)
        if (text_equal(m->name, names[i]))
            return true;
    return m->entry != PAM_ENTRY_MODULE;
}

/* Does somebody get in for whom no module that is turned down says yes? */
static int walk_denied(const struct pam_stack *s, const enum pam_can *can, bool *ret_opens, bool *ret_asks)
{
    struct pam_ways ways = {0};
    int r = pam_walk(s, can, &ways);

    *ret_opens = ways.opens;
    *ret_asks = ways.asks;
    pam_ways_done(&ways);
    return r;
}

/* Both are to be asked, the password first. Is the code asked though nothing that takes a password said yes? Then anybody who reaches the prompt can use
 * up the tries of others. Is the code enough alone? ret_both: it is not, and a password is asked for. Changes can. */
static int look_order(const struct look *l, const char *service, const struct pam_stack *s, enum pam_can *can,
                      bool *ret_both)
{
    const struct pam_module *code = NULL;
    bool takes = false, open = false, alone = false, early = false, asks = false;
    int r;

    for (size_t i = 0; i < s->n; i++) {
        code = can[i] == PAM_CAN_CODE ? &s->modules[i] : code;
        if (takes_password(&s->modules[i])) {
            can[i] = PAM_CAN_FAIL;
            takes = true;
        }
    }
    if (!code)
        return 0;
    r = walk_denied(s, can, &open, &early);
    for (size_t i = 0; i < s->n; i++)
        if (can[i] == PAM_CAN_CODE)
            can[i] = (enum pam_can)(PAM_CAN_ONLY + PAM_STACK_SUCCESS);
        else if (!asks_nothing(&s->modules[i]))
            can[i] = PAM_CAN_FAIL;
    if (r == 0)
        r = walk_denied(s, can, &alone, &asks);
    if (r == 0 && alone && !open)
        r = bypass_report_add(l->report, BYPASS_PAM_ALONE, code->file, code->line, code->text, service);
    *ret_both = r == 0 && takes && !alone;
    if (r == 0 && takes && early)
        r = bypass_report_add(l->report, BYPASS_NOTE_EARLY, code->file, code->line, code->text, service);
    return r == -E2BIG ? 0 : r; /* told already */
}

static int judge(const struct look *l, const char *service, const struct pam_stack *s)
{
    struct pam_ways ways = {0};
    enum pam_can *can = calloc(s->n, sizeof(*can));
    bool closed, both = false;
    int r = can ? 0 : -ENOMEM;

    for (size_t i = 0; i < s->n && r == 0; i++) {
        can[i] = can_of(l, &s->modules[i]);
        r = tell_group(l, &s->modules[i]);
    }
    if (r == 0)
        r = pam_walk(s, can, &ways);
    closed = r == 0 && ways.n == 0;
    if (r == -E2BIG)
        r = bypass_report_add(l->report, BYPASS_PAM_UNCLEAR, s->files.names[0], 0, NULL, service);
    else if (r == 0 && closed)
        r = report_closed(l->report, service);
    else if (r == 0)
        r = tell_ways(l, service, s, &ways);
    if (r == 0)
        r = look_order(l, service, s, can, &both);
    if (r == 0 && closed && both)
        r = report_both(l->report, service, s->files.names[0]);
    pam_ways_done(&ways);
    free(can);
    return r;
}

static bool is_excepted(const char *service, enum bypass_reason *ret)
{
    for (size_t i = 0; i < ELEMENTS(excepted); i++)
        if (text_equal(service, excepted[i].service)) {
            *ret = excepted[i].reason;
            return true;
        }
    return false;
}

/* What others include is no service of its own, unless programs use its name. */
static bool is_fragment(const struct look *l, const char *name)
{
    static const char *const services[] = {"login", "remote",  "su",           "su-l", "sudo",     "sudo-i", "sshd",
                                           "other", "lightdm", "gdm-password", "sddm", "polkit-1", "chfn",   "chsh"};

    for (size_t i = 0; i < ELEMENTS(services); i++)
        if (text_equal(name, services[i]))
            return false;
    for (size_t i = 0; i < l->included.n; i++) {
        const char *slash = strrchr(l->included.names[i], '/');

        if (text_equal(slash ? slash + 1 : l->included.names[i], name))
            return true;
    }
    return text_starts(name, "common-");
}

/* The files of all stacks but each one's own. */
static int note_included(struct look *l, const char *service)
{
    struct pam_stack stack = {0};
    int r = pam_stack_read(l->tree, service, &stack);

    for (size_t i = 1; r == 0 && i < stack.files.n; i++) {
        bool known = false;
        char **grown;

        for (size_t k = 0; k < l->included.n; k++)
            known |= text_equal(l->included.names[k], stack.files.names[i]);
        if (known)
            continue;
        grown = reallocarray(l->included.names, l->included.n + 1, sizeof(*grown));
        if (!grown) {
            r = -ENOMEM;
            break;
        }
        l->included.names = grown;
        grown[l->included.n++] = TAKE_PTR(stack.files.names[i]);
    }
    pam_stack_done(&stack);
    return r == -ENOMEM ? r : 0; /* what cannot be read is told when it is looked at */
}

static int look_service(struct look *l, const char *service)
{
    struct pam_stack stack = {0};
    enum bypass_reason reason;
    int r;

    if (is_fragment(l, service))
        return 0;
    if (is_excepted(service, &reason))
        return report_except(l->report, service, reason);
    r = pam_stack_read(l->tree, service, &stack);
    if (r < 0)
        return r == -ENOMEM ? r : bypass_report_add(l->report, BYPASS_PAM_UNCLEAR, service, 0, strerror(-r), service);
    /* Without a line for auth libpam takes the service "other", which is looked at itself. */
    if (stack.n > 0)
        r = judge(l, service, &stack);
    pam_stack_done(&stack);
    return r;
}

/* What package tools leave beside a file is never a service. */
static bool is_left_over(const char *name)
{
    static const char *const ends[] = {".dpkg-old", ".dpkg-new", ".dpkg-dist", ".dpkg-bak", ".pam-old",
                                       ".rpmsave",  ".rpmnew",   ".ucf-old",   ".ucf-dist", "~"};
    size_t n = strlen(name);

    for (size_t i = 0; i < ELEMENTS(ends); i++)
        if (n > strlen(ends[i]) && text_equal(name + n - strlen(ends[i]), ends[i]))
            return true;
    return false;
}

/* Of this directory, without what the one before has. */
static int each_service(struct look *l, const struct tree_names services[], size_t directory,
                        int (*visit)(struct look *l, const char *service))
{
    int r = 0;

    for (size_t k = 0; k < services[directory].n && r == 0; k++) {
        const char *name = services[directory].names[k];
        bool skip = is_left_over(name);

        for (size_t j = 0; directory > 0 && j < services[0].n; j++)
            skip |= text_equal(services[0].names[j], name);
        if (!skip)
            r = visit(l, name);
    }
    return r;
}

int look_pam(const struct tree *t, struct bypass_report *report)
{
    struct look l = {.tree = t, .report = report};
    struct tree_names services[ELEMENTS(directories)] = {0};
    int r = report_read(report, t, "/etc/group", &l.group);

    if (r == 0)
        r = report_read(report, t, "/etc/passwd", &l.passwd);
    if (r == 0)
        r = find_modules(&l);
    for (size_t i = 0; i < ELEMENTS(directories) && r == 0; i++) {
        r = tree_list(t, directories[i], &services[i]);
        if (r < 0 && r != -ENOMEM)
            r = bypass_report_add(report, BYPASS_UNREADABLE, directories[i], 0, NULL, strerror(-r));
    }
    for (size_t i = 0; i < ELEMENTS(directories) && r == 0; i++)
        r = each_service(&l, services, i, note_included);
    for (size_t i = 0; i < ELEMENTS(directories) && r == 0; i++)
        r = each_service(&l, services, i, look_service);
    for (size_t i = 0; i < ELEMENTS(directories); i++)
        tree_names_done(&services[i]);
    tree_names_done(&l.modules);
    tree_names_done(&l.included);
    free(l.group);
    free(l.passwd);
    return r;
}
