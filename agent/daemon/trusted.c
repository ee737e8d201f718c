/*
 * Owns: trust.json and its marker in the state directory, and the order in which they are written. Must not: decide what may be
 * stored; that is policy/trust's.
 *
 * Install writes trust.json, then the marker; remove takes the marker away, then trust.json. So at no moment there is a marker alone,
 * which would refuse everything, and a trust.json without its marker is an installed root all the same.
 */
#include "daemon/trusted.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/files.h"
#include "base/log.h"
#include "policy/trust/trust.h"

#define STATE "trust.json"
#define MARKER "trust.installed"

enum {
    STATE_MAX = 4 * TRUST_BUNDLE_MAX
};

struct trusted {
    int directory;
    enum trusted_condition condition;
    struct trust_state *state;
    char complaint[384];
};

static void damage(struct trusted *t, const char *why)
{
    t->condition = TRUSTED_DAMAGED;
    (void)snprintf(t->complaint, sizeof(t->complaint), "%s: %.300s", STATE, why);
}

/* What cannot be looked up is taken for there. */
static bool is_marked(int directory)
{
    struct stat st;

    return fstatat(directory, MARKER, &st, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT;
}

static int mark(struct trusted *t)
{
    return files_write_atomic_at(t->directory, MARKER, "", 0, 0600);
}

static int read_state(struct trusted *t)
{
    _cleanup_free_ uint8_t *bytes = NULL;
    struct trust_complaint complaint = {0};
    size_t size = 0;
    bool marked = is_marked(t->directory);
    int r = files_read_at(t->directory, STATE, STATE_MAX, &bytes, &size);

    if (r == -ENOMEM)
        return r;
    if (r == -ENOENT && !marked) {
        t->condition = TRUSTED_NONE;
        return 0;
    }
    if (r < 0) {
        damage(t, strerrordesc_np(-r));
        return 0;
    }
    r = trust_state_read(bytes, size, &t->state, &complaint);
    if (r == -ENOMEM)
        return r;
    if (r != 0) {
        damage(t, complaint.text[0] ? complaint.text
                  : r < 0           ? strerrordesc_np(-r)
                                    : trust_result_text((enum trust_result)r));
        return 0;
    }
    t->condition = TRUSTED_GOOD;
    /* The power went between the two steps of an install or a removal: it counts as installed. */
    if (!marked && mark(t) < 0)
        log_error("trust.marker", "error=could-not-be-written");
    return 0;
}

int trusted_open(int state_directory, struct trusted **ret)
{
    struct trusted *t = calloc(1, sizeof(*t));
    int r;

    if (!t)
        return -ENOMEM;
    t->directory = state_directory;
    if (files_remove_temporaries_at(state_directory) < 0)
        log_error("trust.temporaries", "error=could-not-be-removed");
    r = read_state(t);
    if (r < 0) {
        (void)trusted_free(t);
        return r;
    }
    *ret = t;
    return 0;
}

struct trusted *trusted_free(struct trusted *t)
{
    if (!t)
        return NULL;
    (void)trust_state_free(t->state);
    free(t);
    return NULL;
}

enum trusted_condition trusted_condition(const struct trusted *t)
{
    return t->condition;
}

const struct trust_state *trusted_state(const struct trusted *t)
{
    return t->state;
}

const char *trusted_complaint(const struct trusted *t)
{
    return t->complaint;
}

int trusted_store(struct trusted *t, struct trust_state *next)
{
    _cleanup_free_ uint8_t *bytes = NULL;
    size_t size = 0;
    int r = trust_state_write(next, &bytes, &size);

    if (r >= 0)
        r = files_write_atomic_at(t->directory, STATE, bytes, size, 0600);
    if (r < 0)
        return r;
    (void)trust_state_free(t->state);
    t->state = next;
    t->condition = TRUSTED_GOOD;
    t->complaint[0] = '\0';
    return 0;
}

static int unlink_durably(int directory, const char *name)
{
    if (unlinkat(directory, name, 0) < 0 && errno != ENOENT)
        return -errno;
    return fsync(directory) < 0 ? -errno : 0;
}

static int remove_files(int directory)
{
    int r = unlink_durably(directory, MARKER);

    return r < 0 ? r : unlink_durably(directory, STATE);
}

int trusted_install(struct trusted *t, struct trust_state *first)
{
    _cleanup_free_ uint8_t *bytes = NULL;
    size_t size = 0;
    int r = trust_state_write(first, &bytes, &size);

    if (r >= 0)
        r = files_write_atomic_at(t->directory, STATE, bytes, size, 0600);
    if (r >= 0)
        r = mark(t);
    if (r < 0) {
        (void)remove_files(t->directory); /* what was said to have failed shall not be there after the next start */
        return r;
    }
    t->state = first;
    t->condition = TRUSTED_GOOD;
    return 0;
}

int trusted_remove(struct trusted *t)
{
    int r = remove_files(t->directory);

    if (r < 0)
        return r;
    t->state = trust_state_free(t->state);
    t->condition = TRUSTED_NONE;
    t->complaint[0] = '\0';
    return 0;
}
