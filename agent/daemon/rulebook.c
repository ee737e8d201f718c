/*
 * The policy that rules. Owns the document's text, the loaded policy and the last findings; keeps the copy of the last good document in
 * the state directory. The file is opened once, without following a link in its last component, must be regular, root's, and
 * writable by root alone: who can write it rules.
 */
#include "daemon/rulebook.h"

#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <jansson.h>
#include <pwd.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/files.h"
#include "daemon/answers.h"
#include "policy/findings.h"
#include "policy/policy.h"

#define LAST_GOOD "policy.last-good.yaml"

enum {
    NAME_BUFFER = 16 * 1024,
    GROUP_BUFFER = 256 * 1024
};

struct rulebook {
    const char *file;
    int state_directory;
    const struct policy_names *names;
    struct policy *policy, *before;
    enum rulebook_source source;
    uint8_t *document;
    size_t document_size;
    struct policy_findings findings;
    char complaint[512];
    bool kept;
};

const char *rulebook_source_name(enum rulebook_source source)
{
    switch (source) {
    case RULEBOOK_FILE:
        return "file";
    case RULEBOOK_LAST_GOOD:
        return "last-good";
    case RULEBOOK_NONE:
        break;
    }
    return "none";
}

static int find_user(void *context, const char *name, uid_t *ret)
{
    char buffer[NAME_BUFFER];
    struct passwd entry, *found = NULL;

    (void)context;
    if (getpwnam_r(name, &entry, buffer, sizeof(buffer), &found) != 0 || !found)
        return -ENOENT;
    *ret = found->pw_uid;
    return 0;
}

static int find_group(void *context, const char *name, gid_t *ret)
{
    _cleanup_free_ char *buffer = malloc(GROUP_BUFFER);
    struct group entry, *found = NULL;

    (void)context;
    if (!buffer || getgrnam_r(name, &entry, buffer, GROUP_BUFFER, &found) != 0 || !found)
        return -ENOENT;
    *ret = found->gr_gid;
    return 0;
}

static const struct policy_names name_service = {.user = find_user, .group = find_group};

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

int rulebook_new(const char *file, int state_directory, const struct policy_names *names, struct rulebook **ret)
{
    struct rulebook *b = calloc(1, sizeof(*b));

    if (!b)
        return -ENOMEM;
    b->file = file;
    b->state_directory = state_directory;
    b->names = names ? names : &name_service;
    if (rule_nothing(b) < 0) {
        (void)rulebook_free(b);
        return -ENOMEM;
    }
    *ret = b;
    return 0;
}

struct rulebook *rulebook_free(struct rulebook *b)
{
    if (!b)
        return NULL;
    (void)policy_unref(b->policy);
    (void)policy_unref(b->before);
    policy_findings_done(&b->findings);
    free(b->document);
    free(b);
    return NULL;
}

static void complain(struct rulebook *b, const char *text)
{
    (void)snprintf(b->complaint, sizeof(b->complaint), "%s: %s", b->file, text);
}

static void complain_of_findings(struct rulebook *b)
{
    for (size_t i = 0; i < b->findings.n; i++) {
        const struct policy_finding *f = &b->findings.items[i];

        if (f->severity != POLICY_ERROR)
            continue;
        (void)snprintf(b->complaint, sizeof(b->complaint), "%s:%u:%u: %s", b->file, f->at.line, f->at.column,
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

/* Reads, checks and resolves; changes the rulebook only when all of it went well. */
/* wall_us 0: valid.from is not asked; what ruled once rules again, also when the clock has lost its battery. */
static int take(struct rulebook *b, int dirfd, const char *name, enum rulebook_source source, int64_t wall_us)
{
    _cleanup_free_ uint8_t *bytes = NULL;
    struct policy *p = NULL;
    size_t size = 0;
    int r = read_document(dirfd, name, &bytes, &size);

    policy_findings_done(&b->findings);
    b->findings = (struct policy_findings){0};
    if (r < 0) {
        complain(b, r == -EPERM ? "must belong to root and be writable by root alone" : strerrordesc_np(-r));
        return r;
    }
    r = policy_load(b->file, bytes, size, &b->findings, &p);
    if (r == 0)
        r = policy_resolve(p, b->names, &b->findings);
    if (r != 0) {
        (void)policy_unref(p);
        complain_of_findings(b);
        return r < 0 ? r : RULEBOOK_E_REFUSED;
    }
    if (wall_us != 0 && p->valid_from_us > wall_us) {
        char from[CLOCK_RFC3339_SIZE];

        clock_format_rfc3339(p->valid_from_us, from);
        (void)snprintf(b->complaint, sizeof(b->complaint), "%s: not valid before %s", b->file, from);
        (void)policy_unref(p);
        return RULEBOOK_E_REFUSED;
    }
    (void)policy_unref(b->policy);
    free(b->document);
    b->policy = p;
    b->document = TAKE_PTR(bytes);
    b->document_size = size;
    b->source = source;
    return 0;
}

int rulebook_reload(struct rulebook *b, int64_t wall_us)
{
    int r;

    b->complaint[0] = '\0';
    r = take(b, AT_FDCWD, b->file, RULEBOOK_FILE, wall_us);
    if (r != 0) {
        if (b->source == RULEBOOK_FILE)
            b->source = RULEBOOK_LAST_GOOD; /* the file is no longer what rules */
        return r == -ENOMEM ? r : RULEBOOK_E_REFUSED;
    }
    /* When the copy cannot be written the document rules all the same; only a later start with a broken file would miss it. */
    b->kept = files_write_atomic_at(b->state_directory, LAST_GOOD, b->document, b->document_size, 0600) >= 0;
    return 0;
}

int rulebook_open(struct rulebook *b, int64_t wall_us)
{
    /* The copy first: a good file replaces it, and what it marked in the life before has to be known (rulebook_before). */
    b->kept = take(b, b->state_directory, LAST_GOOD, RULEBOOK_LAST_GOOD, 0) == 0;
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
    r = policy_load(b->file, b->document, b->document_size, &findings, &p);
    if (r == 0)
        r = policy_resolve(p, b->names, &findings);
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

bool rulebook_is_expired(const struct rulebook *b, int64_t wall_us)
{
    return b->policy->valid_until_us != 0 && wall_us > b->policy->valid_until_us;
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

        (void)json_array_append_new(array, json_pack("{s:s, s:I, s:I, s:o}", "severity",
                                                     f->severity == POLICY_ERROR ? "error" : "warning", "line",
                                                     (json_int_t)f->at.line, "column", (json_int_t)f->at.column,
                                                     "message", answer_foreign_text(f->message)));
    }
    return array;
}
