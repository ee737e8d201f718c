/*
 * The policy that rules. Owns the document's text, the loaded policy, the last findings and the terminal's trusted state (trusted.c);
 * keeps the copy of the last good document in the state directory. The file is opened once, without following a link in its last component, must be regular, root's, and
 * writable by root alone: who can write it rules.
 */
#include "daemon/rulebook_internal.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/files.h"
#include "daemon/answers.h"
#include "daemon/names.h"
#include "json/whole.h"
#include "policy/findings.h"
#include "policy/policy.h"
#include "policy/scope.h"

const char *rulebook_source_name(enum rulebook_source source)
{
    switch (source) {
    case RULEBOOK_FILE:
        return "file";
    case RULEBOOK_LAST_GOOD:
        return "last-good";
    case RULEBOOK_SIGNED:
        return "signed";
    case RULEBOOK_NONE:
        break;
    }
    return "none";
}

/* Rules where no document could be read: nothing is permitted. */
static int rule_nothing(struct rulebook *b)
{
    struct policy *p = calloc(1, sizeof(*p));

    if (!p)
        return -ENOMEM;
    p->refs = 1;
    p->name = strdup("none");
    p->organization = strdup("");
    b->policy = p;
    return p->name && p->organization ? 0 : -ENOMEM;
}

int rulebook_new(const struct rulebook_options *options, struct rulebook **ret)
{
    struct rulebook *b = calloc(1, sizeof(*b));

    if (!b)
        return -ENOMEM;
    b->options = *options;
    rulebook_set_terminal(b, NULL, NULL, 0);
    if (!b->options.names)
        b->options.names = &names_of_machine;
    if (rule_nothing(b) < 0) {
        (void)rulebook_free(b);
        return -ENOMEM;
    }
    *ret = b;
    return 0;
}

void rulebook_set_terminal(struct rulebook *b, const char *terminal, const char *const *groups, size_t n_groups)
{
    b->terminal = terminal ? terminal : b->options.terminal;
    b->groups = terminal ? groups : b->options.groups;
    b->n_groups = terminal ? n_groups : b->options.n_groups;
}

const char *rulebook_terminal(const struct rulebook *b)
{
    return b->terminal;
}

const char *const *rulebook_groups(const struct rulebook *b, size_t *ret_n)
{
    *ret_n = b->n_groups;
    return b->groups;
}

struct rulebook *rulebook_free(struct rulebook *b)
{
    if (!b)
        return NULL;
    (void)policy_unref(b->policy);
    (void)policy_unref(b->before);
    (void)trusted_free(b->trusted);
    policy_findings_done(&b->findings);
    free(b->document);
    free(b);
    return NULL;
}

static void complain(struct rulebook *b, const char *text)
{
    (void)snprintf(b->complaint, sizeof(b->complaint), "%s: %s", b->options.file, text);
}

static void complain_of_findings(struct rulebook *b)
{
    for (size_t i = 0; i < b->findings.n; i++) {
        const struct policy_finding *f = &b->findings.items[i];

        if (f->severity != POLICY_ERROR)
            continue;
        (void)snprintf(b->complaint, sizeof(b->complaint), "%s:%u:%u: %s", b->options.file, f->at.line, f->at.column,
                       f->message);
        return;
    }
}

/* Whoever may write the file may permit anything, so it must be root alone. */
static int check_owner(int fd)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode))
        return -EINVAL;
    return st.st_uid == 0 && !(st.st_mode & 022) ? 0 : -EPERM;
}

static int read_document(int dirfd, const char *name, uint8_t **ret_bytes, size_t *ret_size)
{
    _cleanup_close_ int fd = openat(dirfd, name, O_RDONLY | O_NOFOLLOW | O_NONBLOCK | O_CLOEXEC);
    int r;

    if (fd < 0)
        return -errno;
    r = check_owner(fd);
    if (r < 0)
        return r;
    return files_read_fd(fd, POLICY_DOCUMENT_MAX, ret_bytes, ret_size);
}

int rulebook_load(struct rulebook *b, const uint8_t *bytes, size_t size, struct policy **ret)
{
    struct policy *p = NULL;
    int r = policy_load(b->options.file, bytes, size, &b->findings, &p);

    if (r == 0)
        r = policy_resolve(p, b->options.names, &b->findings);
    if (r == 0) {
        *ret = p;
        return 0;
    }
    (void)policy_unref(p);
    complain_of_findings(b);
    return r < 0 ? r : RULEBOOK_E_REFUSED;
}

void rulebook_forget_findings(struct rulebook *b)
{
    policy_findings_done(&b->findings);
    b->findings = (struct policy_findings){0};
}

void rulebook_rule_by(struct rulebook *b, struct policy *p, uint8_t *bytes, size_t size, enum rulebook_source source)
{
    (void)policy_unref(b->policy);
    free(b->document);
    b->policy = p;
    b->document = bytes;
    b->document_size = size;
    b->source = source;
}

/* May a document that was just read rule here and now? */
static bool is_for_here_and_now(struct rulebook *b, const struct policy *p, int64_t wall_us)
{
    const struct rulebook_options *o = &b->options;
    char from[CLOCK_RFC3339_SIZE];

    if (!policy_is_for(p, b->terminal, b->groups, b->n_groups)) {
        complain(b, "its scope names neither this terminal nor one of its groups (kuraband(8), terminal)");
        return false;
    }
    if (p->valid_from_us <= wall_us)
        return true;
    clock_format_rfc3339(p->valid_from_us, from);
    (void)snprintf(b->complaint, sizeof(b->complaint), "%s: not valid before %s", o->file, from);
    return false;
}

int rulebook_take(struct rulebook *b, int dirfd, const char *name, enum rulebook_source source, int64_t wall_us)
{
    _cleanup_free_ uint8_t *bytes = NULL;
    struct policy *p = NULL;
    size_t size = 0;
    int r = read_document(dirfd, name, &bytes, &size);

    rulebook_forget_findings(b);
    if (r < 0) {
        complain(b, r == -EPERM ? "must belong to root and be writable by root alone" : strerrordesc_np(-r));
        return r;
    }
    r = rulebook_load(b, bytes, size, &p);
    if (r != 0)
        return r;
    if (wall_us != 0 && !is_for_here_and_now(b, p, wall_us)) {
        (void)policy_unref(p);
        return RULEBOOK_E_REFUSED;
    }
    rulebook_rule_by(b, p, TAKE_PTR(bytes), size, source);
    return 0;
}

int rulebook_keep_copy(struct rulebook *b)
{
    int r = files_write_atomic_at(b->options.state_directory, RULEBOOK_COPY, b->document, b->document_size, 0600);

    b->kept = r >= 0;
    return r;
}

bool rulebook_is_signed_only(const struct rulebook *b)
{
    return trusted_condition(b->trusted) != TRUSTED_NONE;
}

int rulebook_refuse_unsigned(struct rulebook *b)
{
    if (trusted_condition(b->trusted) == TRUSTED_DAMAGED)
        (void)snprintf(b->complaint, sizeof(b->complaint), "what was signed cannot be read (%s)",
                       trusted_complaint(b->trusted));
    else
        complain(
            b,
            "a root is installed, so an unsigned policy does not count: apply a signed bundle (kuraban policy apply)");
    return RULEBOOK_E_UNSIGNED;
}

int rulebook_reload(struct rulebook *b, int64_t wall_us)
{
    int r;

    b->complaint[0] = '\0';
    rulebook_forget_findings(b);
    if (rulebook_is_signed_only(b))
        return rulebook_refuse_unsigned(b);
    r = rulebook_take(b, AT_FDCWD, b->options.file, RULEBOOK_FILE, wall_us);
    if (r != 0) {
        if (b->source == RULEBOOK_FILE)
            b->source = RULEBOOK_LAST_GOOD; /* the file is no longer what rules */
        return r == -ENOMEM ? r : RULEBOOK_E_REFUSED;
    }
    /* When the copy cannot be written the document rules all the same; only a later start with a broken file would miss it. */
    (void)rulebook_keep_copy(b);
    return 0;
}

int rulebook_open(struct rulebook *b, int64_t wall_us)
{
    int r = trusted_open(b->options.state_directory, &b->trusted);

    if (r < 0)
        return r;
    if (rulebook_is_signed_only(b)) {
        r = rulebook_open_signed(b);
        b->before = b->source == RULEBOOK_NONE ? NULL : policy_ref(b->policy);
        return r;
    }
    /* The copy first: a good file replaces it, and what it marked in the life before has to be known (rulebook_before). */
    b->kept = rulebook_take(b, b->options.state_directory, RULEBOOK_COPY, RULEBOOK_LAST_GOOD, 0) == 0;
    if (b->kept)
        b->before = policy_ref(b->policy);
    return rulebook_reload(b, wall_us);
}

int rulebook_resolve_again(struct rulebook *b)
{
    struct policy_findings findings = {0};
    struct policy *p = NULL;
    int r;

    if (b->source == RULEBOOK_NONE)
        return 0;
    r = policy_load(b->options.file, b->document, b->document_size, &findings, &p);
    if (r == 0)
        r = policy_resolve(p, b->options.names, &findings);
    if (r == 0)
        p->not_before_us = b->policy->not_before_us;
    if (r != 0 || policy_same_names(p, b->policy)) {
        policy_findings_done(&findings);
        (void)policy_unref(p);
        return r > 0 ? -EIO : r;
    }
    policy_findings_done(&b->findings);
    b->findings = findings;
    (void)policy_unref(b->policy);
    b->policy = p;
    return 1;
}

struct policy *rulebook_policy(const struct rulebook *b)
{
    return b->policy;
}

struct policy *rulebook_before(const struct rulebook *b)
{
    return b->before;
}

enum rulebook_source rulebook_source(const struct rulebook *b)
{
    return b->source;
}

const char *rulebook_document(const struct rulebook *b)
{
    return b->document ? (const char *)b->document : "";
}

const char *rulebook_complaint(const struct rulebook *b)
{
    return b->complaint;
}

bool rulebook_is_kept(const struct rulebook *b)
{
    return b->kept;
}

json_t *rulebook_findings(const struct rulebook *b)
{
    json_t *array = json_array();

    for (size_t i = 0; array && i < b->findings.n; i++) {
        const struct policy_finding *f = &b->findings.items[i];

        whole_add(&array, json_pack("{s:s, s:I, s:I, s:o}", "severity",
                                    f->severity == POLICY_ERROR ? "error" : "warning", "line", (json_int_t)f->at.line,
                                    "column", (json_int_t)f->at.column, "message", answer_foreign_text(f->message)));
    }
    return array;
}
