/*
 * Owns: what the centre says of a terminal, signed by its online key.
 * Must not: say it of one that waits or was revoked; whoever calls has looked.
 */
#include "hub/enrol/membership.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hub/store/memberships.h"
#include "policy/fleet/statement.h"

DEFINE_CLEANUP(struct trust_envelope *, trust_envelope_free);

/* Texts are borrowed: it is not to be freed. */
static int say(const char *organization, const struct hub_terminal *t, const char *const *groups,
               struct fleet_statement *ret)
{
    struct fleet_membership *m = &ret->membership;

    *ret = (struct fleet_statement){.kind = FLEET_MEMBERSHIP};
    m->organization = (char *)organization;
    if (!fleet_is_terminal_id(t->id, strlen(t->id)))
        return -EUCLEAN;
    memcpy(m->terminal, t->id, sizeof(m->terminal));
    memcpy(m->journal, t->journal_key, sizeof(m->journal));
    memcpy(m->wire, t->wire_key, sizeof(m->wire));
    for (; *groups; groups++) {
        if (m->groups.n == FLEET_GROUPS_MAX)
            return -E2BIG;
        m->groups.names[m->groups.n++] = (char *)*groups;
    }
    return 0;
}

static bool says_the_same(const struct fleet_membership *a, const struct fleet_membership *b)
{
    if (strcmp(a->organization, b->organization) != 0 || strcmp(a->terminal, b->terminal) != 0 ||
        memcmp(a->journal, b->journal, sizeof(a->journal)) != 0 || strcmp(a->wire, b->wire) != 0 ||
        a->groups.n != b->groups.n)
        return false;
    for (size_t i = 0; i < a->groups.n; i++)
        if (strcmp(a->groups.names[i], b->groups.names[i]) != 0)
            return false;
    return true;
}

/* 1 what is kept says the same and is signed by this key, 0 it does not. */
static int is_current(const uint8_t *envelope, size_t size, EVP_PKEY *head, const struct fleet_statement *wanted)
{
    _cleanup_(trust_envelope_freep) struct trust_envelope *e = NULL;
    struct fleet_statement *kept = NULL;
    uint8_t public[TRUST_PUBLIC_SIZE];
    int r = trust_key_public(head, public);

    if (r != 0)
        return r < 0 ? r : -EINVAL;
    r = trust_envelope_parse(envelope, size, &e, NULL);
    if (r == TRUST_OK)
        r = e->n_signatures == 1 ? trust_envelope_check(e, 0, public) : TRUST_E_BAD_SIGNATURE;
    if (r == TRUST_OK)
        r = fleet_statement_parse(FLEET_MEMBERSHIP, e->payload, e->size, &kept, NULL);
    if (r == TRUST_OK)
        r = says_the_same(&kept->membership, &wanted->membership) ? 1 : 0;
    else if (r > 0)
        r = 0;
    (void)fleet_statement_free(kept);
    return r;
}

static int sign(struct hub_store *s, EVP_PKEY *head, const struct fleet_statement *said, uint8_t **ret,
                size_t *ret_size)
{
    _cleanup_free_ uint8_t *envelope = NULL;
    size_t size = 0;
    int r = fleet_statement_seal(said, head, &envelope, &size, NULL);

    if (r != TRUST_OK)
        return r < 0 ? r : -EINVAL;
    r = hub_membership_set(s, said->membership.terminal, said->membership.serial, envelope, size);
    if (r <= 0)
        return r < 0 ? r : -EUCLEAN;
    *ret = TAKE_PTR(envelope);
    *ret_size = size;
    return 0;
}

int hub_membership_of(struct hub_store *s, EVP_PKEY *head, const char *organization, const struct hub_terminal *t,
                      const char *const *groups, int64_t now_us, uint8_t **ret, size_t *ret_size)
{
    _cleanup_free_ uint8_t *kept = NULL;
    struct fleet_statement said;
    uint64_t serial = 0, least = now_us > 0 ? (uint64_t)now_us / 1000000 : 0;
    size_t size = 0;
    int r = say(organization, t, groups, &said);

    if (r >= 0)
        r = hub_membership_get(s, t->id, &serial, &kept, &size);
    if (r > 0)
        r = is_current(kept, size, head, &said);
    if (r < 0)
        return r;
    if (r > 0) {
        *ret = TAKE_PTR(kept);
        *ret_size = size;
        return 0;
    }
    said.membership.serial = serial + 1 > least ? serial + 1 : least;
    said.membership.issued_us = now_us;
    return sign(s, head, &said, ret, ret_size);
}
