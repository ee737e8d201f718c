/*
 * Owns: which root documents the centre hands out.
 * Must not: hand out one that a terminal would refuse, or under which the centre's own key is nobody's.
 */
#include "hub/enrol/root_chain.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hub/store/roots.h"
#include "policy/trust/json.h"

DEFINE_CLEANUP(struct trust_root *, trust_root_free);

struct chain {
    struct hub_store *store;
    const struct hub_actor *actor;
    struct trust_bundle bundle;
    struct trust_root *newest; /* NULL: none yet */
    struct digest fingerprint; /* of it */
    struct root_chain_added added;
    struct root_chain_refusal *refusal;
};

static int refused(struct chain *c, int r)
{
    if (r <= 0)
        return r;
    c->refusal->result = (enum trust_result)r;
    return ROOT_CHAIN_E_REFUSED;
}

/* --- what is there --- */

struct reading {
    json_t *envelopes; /* NULL: not wanted */
    struct trust_root *newest;
    struct digest fingerprint;
};

static int read_newest(struct reading *reading, const struct hub_root *root)
{
    struct trust_envelope *e = NULL;
    int r = trust_envelope_parse(root->envelope, root->size, &e, NULL);

    if (r == TRUST_OK)
        r = digest_bytes(e->payload, e->size, &reading->fingerprint);
    if (r == TRUST_OK)
        r = trust_root_parse(e->payload, e->size, &reading->newest, NULL);
    trust_envelope_free(e);
    return r > 0 ? -EUCLEAN : r;
}

static int add_read(void *context, const struct hub_root *root)
{
    struct reading *reading = context;
    json_t *j = NULL;
    int r = reading->newest ? 0 : read_newest(reading, root);

    if (r < 0 || !reading->envelopes)
        return r;
    r = trust_json_load(root->envelope, root->size, TRUST_ENVELOPE_MAX, "root", &j, NULL);
    if (r != TRUST_OK)
        return r < 0 ? r : -EUCLEAN;
    return json_array_insert_new(reading->envelopes, 0, j) < 0 ? -ENOMEM : 0;
}

int root_chain_read(struct hub_store *s, json_t **ret_envelopes, struct trust_root **ret_newest)
{
    struct reading reading = {.envelopes = json_array()};
    int r = reading.envelopes ? hub_root_each(s, TRUST_ROOTS_MAX, add_read, &reading) : -ENOMEM;

    if (r >= 0 && reading.newest) {
        *ret_envelopes = reading.envelopes;
        *ret_newest = reading.newest;
        return 1;
    }
    json_decref(reading.envelopes);
    (void)trust_root_free(reading.newest);
    return r < 0 ? r : 0;
}

static int read_present(struct chain *c)
{
    struct reading reading = {0};
    int r = hub_root_each(c->store, 1, add_read, &reading);

    c->newest = reading.newest;
    c->fingerprint = reading.fingerprint;
    return r;
}

/* --- adding --- */

static int judge(struct chain *c, const struct trust_envelope *e, const struct trust_root *root)
{
    if (!c->newest)
        return trust_envelope_verify(e, root, TRUST_ROLE_ROOT, NULL, &c->refusal->complaint);
    return trust_root_follows(c->newest, e, root, &c->refusal->complaint);
}

static int store(struct chain *c, const struct trust_envelope *e, const struct trust_root *root)
{
    _cleanup_free_ uint8_t *bytes = NULL;
    char hex[DIGEST_HEX_SIZE];
    struct hub_root row = {.version = root->version};
    int r = trust_envelope_write(e, &bytes, &row.size);

    if (r != 0)
        return r < 0 ? r : -EINVAL;
    row.envelope = bytes;
    digest_to_hex(&c->fingerprint, hex);
    r = hub_root_add(c->store, c->actor, &row, hex);
    return r < 0 ? r : r > 0 ? 0 : -EUCLEAN;
}

/* The i-th of what was brought. Older ones before a newer one are a chain for terminals that are further behind. */
static int add_one(struct chain *c, size_t i)
{
    const struct trust_envelope *e = c->bundle.roots[i];
    _cleanup_(trust_root_freep) struct trust_root *root = NULL;
    struct digest fingerprint;
    int r = trust_root_parse(e->payload, e->size, &root, &c->refusal->complaint);

    if (r == TRUST_OK)
        r = digest_bytes(e->payload, e->size, &fingerprint);
    if (r != TRUST_OK)
        return refused(c, r);
    if (c->newest && (digest_equal(&fingerprint, &c->fingerprint) ||
                      (root->version < c->newest->version && i + 1 < c->bundle.n_roots)))
        return ROOT_CHAIN_OK;
    r = judge(c, e, root);
    if (r != TRUST_OK)
        return refused(c, r);
    c->fingerprint = fingerprint;
    r = store(c, e, root);
    if (r < 0)
        return r;
    (void)trust_root_free(c->newest);
    c->newest = TAKE_PTR(root);
    c->added.n++;
    return ROOT_CHAIN_OK;
}

/* Is what the centre signs worth something under it? */
static int check_use(const struct chain *c, const struct digest *head)
{
    const struct trust_root *root = c->newest;
    const size_t n = root->roles[TRUST_ROLE_HEAD].n;

    if (root->roles[TRUST_ROLE_HEAD].threshold != 1)
        return ROOT_CHAIN_E_HEAD;
    for (size_t i = 0; i < n; i++)
        if (digest_equal(&root->keys[root->roles[TRUST_ROLE_HEAD].keys[i]].id, head))
            return ROOT_CHAIN_OK;
    return ROOT_CHAIN_E_HEAD;
}

static int check_organization(struct chain *c)
{
    _cleanup_free_ char *organization = NULL;
    int r = hub_setting_get(c->store, "organization", &organization);

    if (r <= 0)
        return r < 0 ? r : -EUCLEAN;
    return strcmp(organization, c->newest->organization) == 0 ? ROOT_CHAIN_OK : ROOT_CHAIN_E_ORGANIZATION;
}

static int add_all(struct chain *c, const struct digest *head)
{
    int r = read_present(c);

    for (size_t i = 0; r == ROOT_CHAIN_OK && i < c->bundle.n_roots; i++)
        r = add_one(c, i);
    if (r != ROOT_CHAIN_OK)
        return r;
    if (c->added.n == 0)
        return ROOT_CHAIN_E_KNOWN;
    if (c->newest->expires_us <= c->actor->now_us)
        return refused(c, TRUST_E_ROOT_EXPIRED);
    r = check_organization(c);
    return r == ROOT_CHAIN_OK ? check_use(c, head) : r;
}

int root_chain_add(struct hub_store *s, const struct hub_actor *actor, const struct digest *head, const uint8_t *bytes,
                   size_t size, struct root_chain_added *ret, struct root_chain_refusal *refusal)
{
    struct chain c = {.store = s, .actor = actor, .refusal = refusal};
    int r = refused(&c, trust_bundle_parse(bytes, size, &c.bundle, &refusal->complaint));

    if (r == ROOT_CHAIN_OK && c.bundle.n_roots == 0)
        r = refused(&c, TRUST_E_PAYLOAD_TYPE);
    if (r == ROOT_CHAIN_OK)
        r = hub_store_begin(s);
    if (r == ROOT_CHAIN_OK)
        r = hub_store_finish(s, add_all(&c, head));
    if (r == ROOT_CHAIN_OK) {
        c.added.version = c.newest->version;
        c.added.expires_us = c.newest->expires_us;
        c.added.fingerprint = c.fingerprint;
        *ret = c.added;
    }
    trust_bundle_done(&c.bundle);
    (void)trust_root_free(c.newest);
    return r;
}
