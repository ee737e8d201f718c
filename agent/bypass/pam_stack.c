/* Owns: assembling a PAM stack from its files, as libpam does. Must not: judge it. */
#include "bypass/pam_stack.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/text.h"

/* In the order libpam looks. */
static const char *const directories[] = {"/etc/pam.d", "/usr/lib/pam.d"};

/* Names of _pam_types.h and pam.conf(5), by value. */
static const char *const returns[PAM_STACK_RETURNS] = {
    "success",
    "open_err",
    "symbol_err",
    "service_err",
    "system_err",
    "buf_err",
    "perm_denied",
    "auth_err",
    "cred_insufficient",
    "authinfo_unavail",
    "user_unknown",
    "maxtries",
    "new_authtok_reqd",
    "acct_expired",
    "session_err",
    "cred_unavail",
    "cred_expired",
    "cred_err",
    "no_module_data",
    "conv_err",
    "authtok_err",
    "authtok_recover_err",
    "authtok_lock_busy",
    "authtok_disable_aging",
    "try_again",
    "ignore",
    "abort",
    "authtok_expired",
    "module_unknown",
    "bad_item",
    "conv_again",
    "incomplete",
};

static const struct {
    const char *name;
    int action;
} action_names[] = {
    {"ignore", PAM_ACTION_IGNORE}, {"ok", PAM_ACTION_OK},   {"done", PAM_ACTION_DONE},
    {"bad", PAM_ACTION_BAD},       {"die", PAM_ACTION_DIE}, {"reset", PAM_ACTION_RESET},
};

struct reading {
    const struct pam_files *files;
    struct pam_stack *stack;
    unsigned includes; /* depth */
    size_t bytes;      /* of all files read, each time anew */
};

enum {
    READING_BYTES_MAX = 4 * TREE_FILE_MAX,
    JUMP_MAX = 1000000, /* past every stack */
};

static void module_done(struct pam_module *m)
{
    free(m->name);
    free(m->arguments);
    free(m->file);
    free(m->text);
}

void pam_stack_done(struct pam_stack *s)
{
    for (size_t i = 0; i < s->n; i++)
        module_done(&s->modules[i]);
    free(s->modules);
    tree_names_done(&s->files);
    *s = (struct pam_stack){0};
}

/* --- lines --- */

/* As _pam_assemble_line() of 1.5.2: a line that begins with '#' is no line, even between the parts of one; elsewhere '#' ends it; a
 * '\' at its end goes on with the next. Into buffer, which is as long as the text. 0 at the end. */
struct assembly {
    const char *rest;
    unsigned next, line;
};

static size_t assemble(struct assembly *a, char *buffer)
{
    size_t used = 0;

    while (*a->rest) {
        const char *start = a->rest + strspn(a->rest, " \t"), *end = strchrnul(start, '\n'), *stop, *comment;
        bool go_on = false;

        if (used == 0)
            a->line = a->next;
        a->next++;
        a->rest = *end ? end + 1 : end;
        if (start == end || *start == '#')
            continue;
        comment = memchr(start, '#', (size_t)(end - start));
        stop = comment ? comment : end;
        while (stop > start && strchr(" \t\r", stop[-1]))
            stop--;
        if (!comment && stop > start && stop[-1] == '\\') {
            go_on = true;
            stop--;
        }
        memcpy(buffer + used, start, (size_t)(stop - start));
        used += (size_t)(stop - start);
        buffer[used++] = ' ';
        if (!go_on)
            break;
    }
    if (used > 0)
        buffer[--used] = '\0';
    return used;
}

/* The next word, or what stands in [brackets] ("\]" is a bracket in them). Changes the line. NULL at the end. */
static char *next_word(char **rest)
{
    char *s = *rest + strspn(*rest, " \t"), *write, *start;

    if (!*s)
        return NULL;
    if (*s != '[') {
        start = s;
        s += strcspn(s, " \t");
        *rest = *s ? s + 1 : s;
        *s = '\0';
        return start;
    }
    start = write = ++s;
    for (; *s && *s != ']'; s++) {
        if (s[0] == '\\' && s[1] == ']')
            s++;
        *write++ = *s;
    }
    *rest = *s ? s + 1 : s;
    *write = '\0';
    return start;
}

/* --- the control field --- */

static void set_default(int actions[static PAM_STACK_RETURNS], int action)
{
    for (size_t i = 0; i < PAM_STACK_RETURNS; i++)
        if (actions[i] == PAM_ACTION_UNSET)
            actions[i] = action;
}

static bool parse_action(const char *s, size_t n, int *ret)
{
    int number = 0;

    for (size_t i = 0; i < ELEMENTS(action_names); i++)
        if (strlen(action_names[i].name) == n && strncmp(s, action_names[i].name, n) == 0) {
            *ret = action_names[i].action;
            return true;
        }
    for (size_t i = 0; i < n; i++) {
        if (s[i] < '0' || s[i] > '9')
            return false;
        number = number > JUMP_MAX ? number : number * 10 + (s[i] - '0');
    }
    *ret = number;
    return number > 0;
}

static bool set_action(int actions[static PAM_STACK_RETURNS], const char *name, size_t n, int action)
{
    if (n == strlen("default") && strncmp(name, "default", n) == 0) {
        set_default(actions, action);
        return true;
    }
    for (size_t i = 0; i < PAM_STACK_RETURNS; i++)
        if (strlen(returns[i]) == n && strncmp(name, returns[i], n) == 0) {
            actions[i] = action;
            return true;
        }
    return false;
}

/* "success=1 default=ignore"; one mistake, and libpam takes the whole as bad. */
static void parse_pairs(const char *s, int actions[static PAM_STACK_RETURNS])
{
    bool good = true;

    for (s += strspn(s, " \t"); good && *s; s += strspn(s, " \t")) {
        const char *name = s, *value;
        size_t n = strcspn(s, " \t="), length;
        int action = PAM_ACTION_BAD;

        s += n;
        s += strspn(s, " \t");
        good = *s == '=';
        if (!good)
            break;
        value = s + 1 + strspn(s + 1, " \t");
        length = strcspn(value, " \t");
        good = parse_action(value, length, &action) && set_action(actions, name, n, action);
        s = value + length;
    }
    if (!good)
        for (size_t i = 0; i < PAM_STACK_RETURNS; i++)
            actions[i] = PAM_ACTION_BAD;
}

static void parse_control(const char *word, int actions[static PAM_STACK_RETURNS])
{
    static const struct {
        const char *name;
        int success, ignore, others;
    } plain[] = {
        {"required", PAM_ACTION_OK, PAM_ACTION_IGNORE, PAM_ACTION_BAD},
        {"requisite", PAM_ACTION_OK, PAM_ACTION_IGNORE, PAM_ACTION_DIE},
        {"optional", PAM_ACTION_OK, PAM_ACTION_IGNORE, PAM_ACTION_IGNORE},
        {"sufficient", PAM_ACTION_DONE, PAM_ACTION_IGNORE, PAM_ACTION_IGNORE},
    };

    for (size_t i = 0; i < ELEMENTS(plain); i++)
        if (strcasecmp(word, plain[i].name) == 0) {
            actions[PAM_STACK_SUCCESS] = actions[PAM_STACK_NEW_AUTHTOK_REQD] = plain[i].success;
            actions[PAM_STACK_IGNORE] = plain[i].ignore;
            set_default(actions, plain[i].others);
            return;
        }
    parse_pairs(word, actions);
    set_default(actions, PAM_ACTION_BAD);
}

/* --- the stack --- */

/* m is taken, whatever comes of it. */
static int add_module(struct reading *r, struct pam_module *m)
{
    struct pam_stack *s = r->stack;
    struct pam_module *grown;

    if (!m->name || !m->arguments || !m->file || !m->text) {
        module_done(m);
        return -ENOMEM;
    }
    grown = s->n < PAM_STACK_MODULES ? reallocarray(s->modules, s->n + 1, sizeof(*grown)) : NULL;
    if (!grown) {
        module_done(m);
        return s->n < PAM_STACK_MODULES ? -ENOMEM : -E2BIG;
    }
    s->modules = grown;
    grown[s->n++] = *m;
    return 0;
}

struct place {
    const char *file, *text;
    unsigned line, level;
};

/* libpam looks for a name without "/" in its own directory. */
static bool is_elsewhere(const char *path)
{
    return strchr(path, '/') && (strstr(path, "..") || (!text_starts(path, "/lib") && !text_starts(path, "/usr/lib")));
}

static int add(struct reading *r, enum pam_entry entry, const struct place *at, const int *actions, const char *path,
               const char *arguments)
{
    const char *slash = strrchr(path, '/');
    struct pam_module m = {.entry = entry, .level = at->level, .line = at->line, .elsewhere = is_elsewhere(path)};

    for (size_t i = 0; i < PAM_STACK_RETURNS; i++)
        m.actions[i] = actions ? actions[i] : PAM_ACTION_BAD;
    m.name = strdup(slash ? slash + 1 : path);
    m.arguments = strdup(arguments);
    m.file = strdup(at->file);
    m.text = strdup(at->text);
    return add_module(r, &m);
}

static int remember_file(struct pam_stack *s, const char *path)
{
    char **grown = reallocarray(s->files.names, s->files.n + 1, sizeof(*grown));

    if (!grown)
        return -ENOMEM;
    s->files.names = grown;
    grown[s->files.n] = strdup(path);
    if (!grown[s->files.n])
        return -ENOMEM;
    s->files.n++;
    return 0;
}

static int read_named(const struct reading *r, const char *name, char **ret_path, char **ret_text)
{
    int code = -ENOENT;

    for (size_t i = 0; i < ELEMENTS(directories) && code == -ENOENT; i++) {
        bool absolute = name[0] == '/';

        free(*ret_path);
        *ret_path = NULL;
        if (asprintf(ret_path, "%s%s%s", absolute ? "" : directories[i], absolute ? "" : "/", name) < 0) {
            *ret_path = NULL;
            return -ENOMEM;
        }
        code = r->files->read(r->files->context, *ret_path, ret_text);
    }
    return code;
}

static int read_line(struct reading *r, struct place *at, bool auth_only, char *line);

/* auth_only: included for one type. ret_missing: no such file, or included too deep, which libpam makes fail. */
static int read_file(struct reading *r, const char *name, bool auth_only, unsigned level, bool *ret_missing)
{
    _cleanup_free_ char *path = NULL, *text = NULL, *line = NULL, *copy = NULL;
    struct assembly a = {.next = 1};
    int code;

    *ret_missing = r->includes >= PAM_STACK_LEVELS;
    if (*ret_missing)
        return 0;
    code = read_named(r, name, &path, &text);
    *ret_missing = code < 0 && code != -ENOMEM;
    if (*ret_missing)
        return r->includes == 0 ? code : 0;
    if (code < 0)
        return code;
    r->bytes += strlen(text);
    line = malloc(strlen(text) + 2);
    copy = malloc(strlen(text) + 2);
    if (!line || !copy)
        return -ENOMEM;
    code = r->bytes > READING_BYTES_MAX ? -E2BIG : remember_file(r->stack, path);
    a.rest = text;
    while (code == 0 && assemble(&a, line) > 0) {
        struct place at = {.file = path, .text = copy, .line = a.line, .level = level};

        memcpy(copy, line, strlen(line) + 1);
        code = read_line(r, &at, auth_only, line);
    }
    return code;
}

static int include(struct reading *r, struct place *at, const char *name, bool auth_only, unsigned level)
{
    bool missing = true;
    int code = 0;

    r->includes++;
    if (name)
        code = read_file(r, name, auth_only, level, &missing);
    r->includes--;
    return code < 0 || !missing ? code : add(r, PAM_ENTRY_BROKEN, at, NULL, "", "");
}

static int read_module(struct reading *r, struct place *at, char *rest, int actions[static PAM_STACK_RETURNS])
{
    char *name = next_word(&rest), *arguments = rest, *write = rest;

    if (!name)
        return add(r, PAM_ENTRY_BROKEN, at, NULL, "", "");
    for (char *word = next_word(&rest); word; word = next_word(&rest)) {
        size_t n = strlen(word);

        if (write != arguments)
            *write++ = ' ';
        memmove(write, word, n);
        write += n;
    }
    return add(r, PAM_ENTRY_MODULE, at, actions, name, write == arguments ? "" : (*write = '\0', arguments));
}

/* line is changed. */
static int read_line(struct reading *r, struct place *at, bool auth_only, char *line)
{
    char *rest = line, *type = next_word(&rest), *control;
    int actions[PAM_STACK_RETURNS];
    bool silent;

    if (!type)
        return 0;
    if (strcmp(type, "@include") == 0)
        return include(r, at, next_word(&rest), auth_only, at->level);
    silent = *type == '-';
    type += silent;
    if (strcasecmp(type, "session") == 0 || strcasecmp(type, "account") == 0 || strcasecmp(type, "password") == 0)
        return 0;
    if (strcasecmp(type, "auth") != 0)
        return add(r, PAM_ENTRY_BROKEN, at, NULL, "", ""); /* an unknown type counts as auth and fails */
    for (size_t i = 0; i < PAM_STACK_RETURNS; i++)
        actions[i] = PAM_ACTION_UNSET;
    control = next_word(&rest);
    if (!control)
        return add(r, PAM_ENTRY_BROKEN, at, NULL, "", "");
    if (strcasecmp(control, "include") == 0)
        return include(r, at, next_word(&rest), true, at->level);
    if (strcasecmp(control, "substack") == 0) {
        int code = add(r, PAM_ENTRY_SUBSTACK, at, NULL, "", "");

        return code < 0 ? code : include(r, at, next_word(&rest), true, at->level + 1);
    }
    parse_control(control, actions);
    return read_module(r, at, rest, actions);
}

int pam_stack_read_from(const struct pam_files *files, const char *service, struct pam_stack *ret)
{
    struct pam_stack stack = {0};
    struct reading r = {.files = files, .stack = &stack};
    bool missing = false;
    int code = read_file(&r, service, false, 0, &missing);

    if (code < 0) {
        pam_stack_done(&stack);
        return code;
    }
    *ret = stack;
    return 0;
}

static int read_in_tree(void *context, const char *path, char **ret)
{
    return tree_read(context, path, ret);
}

int pam_stack_read(const struct tree *t, const char *service, struct pam_stack *ret)
{
    struct tree own = *t;

    return pam_stack_read_from(&(struct pam_files){read_in_tree, &own}, service, ret);
}
