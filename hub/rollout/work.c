/*
 * Owns: one pass over everything the centre says to terminals about policies, groups and orders.
 * Must not: wait, or say anything that is not in the store.
 */
#include "hub/rollout/work.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hub/rollout/internal.h"

struct hub_actor rollout_actor(const struct rollout_work *w)
{
    return (struct hub_actor){.name = "hub", .now_us = w->now_us};
}

struct rollout_signer rollout_signer(const struct rollout_work *w)
{
    return (struct rollout_signer){.root = w->roots.newest, .key = w->key};
}

void rollout_put(struct rollout_work *w, const char *subject, const void *bytes, size_t size,
                 const struct digest *digest)
{
    w->refused += w->wire->put(w->wire->context, subject, bytes, size, digest) < 0;
}

int rollout_names_add(struct rollout_names *names, const char *id)
{
    if (names->n == names->capacity) {
        size_t capacity = names->capacity ? names->capacity * 2 : 64;
        void *ids = reallocarray(names->ids, capacity, sizeof(*names->ids));

        if (!ids)
            return -ENOMEM;
        names->ids = ids;
        names->capacity = capacity;
    }
    if (strlen(id) >= sizeof(*names->ids))
        return -EUCLEAN;
    memcpy(names->ids[names->n++], id, strlen(id) + 1);
    return 0;
}

void rollout_names_done(struct rollout_names *names)
{
    free(names->ids);
    *names = (struct rollout_names){0};
}

/* The centre's key must be the whole role. */
static int check_key(const struct rollout_work *w)
{
    const struct trust_root *root = w->roots.newest;
    uint8_t public[TRUST_PUBLIC_SIZE];
    struct digest id;
    int r = trust_key_public(w->key, public);

    if (r == TRUST_KEY_OK)
        r = trust_key_id(public, &id);
    if (r != 0)
        return r < 0 ? r : -EIO;
    if (root->roles[TRUST_ROLE_HEAD].threshold != 1)
        return ROLLOUT_WORK_E_KEY;
    for (size_t i = 0; i < root->roles[TRUST_ROLE_HEAD].n; i++)
        if (digest_equal(&root->keys[root->roles[TRUST_ROLE_HEAD].keys[i]].id, &id))
            return ROLLOUT_WORK_OK;
    return ROLLOUT_WORK_E_KEY;
}

static int pass(struct rollout_work *w)
{
    struct rollout_names moved_into = {0};
    int r = rollout_sign_moves(w, &moved_into);

    if (r >= 0)
        r = rollout_renew_heads(w, &moved_into);
    if (r >= 0)
        r = rollout_step_all(w);
    if (r >= 0)
        r = rollout_sign_orders(w);
    if (r >= 0)
        r = rollout_put_statements(w);
    if (r >= 0)
        r = rollout_put_groups(w);
    rollout_names_done(&moved_into);
    return r < 0 ? r : ROLLOUT_WORK_OK;
}

int rollout_work_pass(struct rollout_work *w, int64_t now_us)
{
    int r;

    w->now_us = now_us;
    w->refused = 0;
    r = rollout_roots_read(w->store, &w->roots);
    if (r >= 0)
        r = w->roots.n > 0 ? check_key(w) : ROLLOUT_WORK_E_NO_ROOT;
    if (r == ROLLOUT_WORK_OK)
        r = pass(w);
    rollout_roots_done(&w->roots);
    return r;
}
