/*
 * Owns: trust.json and its marker in the state directory (base/marked.h). Must not: decide what may be stored; that is policy/trust's.
 */
#include "daemon/trusted.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/files.h"
#include "base/log.h"
#include "base/marked.h"
#include "policy/trust/trust.h"

#define STATE "trust.json"

enum {
    STATE_MAX = 4 * TRUST_BUNDLE_MAX
};

struct trusted {
    struct marked_file file;
    enum trusted_condition condition;
    struct trust_state *state;
    char complaint[384];
};

static void damage(struct trusted *t, const char *why)
{
    t->condition = TRUSTED_DAMAGED;
    (void)snprintf(t->complaint, sizeof(t->complaint), "%s: %.300s", STATE, why);
}

static int read_state(struct trusted *t)
{
    _cleanup_free_ uint8_t *bytes = NULL;
    struct trust_complaint complaint = {0};
    size_t size = 0;
    int r = marked_file_read(&t->file, STATE_MAX, &bytes, &size);

    if (r == -ENOMEM)
        return r;
    if (r == MARKED_FILE_NONE) {
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
    if (marked_file_mark(&t->file) < 0)
        log_error("trust.marker", "error=could-not-be-written");
    return 0;
}

int trusted_open(int state_directory, struct trusted **ret)
{
    struct trusted *t = calloc(1, sizeof(*t));
    int r;

    if (!t)
        return -ENOMEM;
    t->file = (struct marked_file){state_directory, STATE, "trust.installed"};
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
        r = marked_file_store(&t->file, bytes, size);
    if (r < 0)
        return r;
    (void)trust_state_free(t->state);
    t->state = next;
    t->condition = TRUSTED_GOOD;
    t->complaint[0] = '\0';
    return 0;
}

int trusted_install(struct trusted *t, struct trust_state *first)
{
    _cleanup_free_ uint8_t *bytes = NULL;
    size_t size = 0;
    int r = trust_state_write(first, &bytes, &size);

    if (r >= 0)
        r = marked_file_install(&t->file, bytes, size);
    if (r < 0)
        return r;
    t->state = first;
    t->condition = TRUSTED_GOOD;
    return 0;
}

int trusted_remove(struct trusted *t)
{
    int r = marked_file_remove(&t->file);

    if (r < 0)
        return r;
    t->state = trust_state_free(t->state);
    t->condition = TRUSTED_NONE;
    t->complaint[0] = '\0';
    return 0;
}
