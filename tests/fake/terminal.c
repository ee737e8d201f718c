/*
 * Owns: terminals without a machine.
 * Must not: take anything that kuraband would refuse: the same functions are asked.
 */
#include "fake/terminal.h"

#include <openssl/evp.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "fake/signed.h"
#include "policy/policy.h"

void fake_terminal_begin(struct fake_terminal *t, unsigned i, const uint8_t *root, size_t size, const char *group,
                         int64_t now_us)
{
    uint8_t seed[32] = {'t', (uint8_t)i, (uint8_t)(i >> 8)}, wire[32] = {'w', (uint8_t)i, (uint8_t)(i >> 8)};
    struct trust_complaint complaint = {0};

    *t = (struct fake_terminal){.n_groups = 1, .records = 1};
    t->key = EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, seed, sizeof(seed));
    signed_insist(t->key != NULL, "key");
    signed_insist(trust_key_public(t->key, t->journal) == TRUST_KEY_OK, "public key");
    signed_insist(fleet_terminal_id(t->journal, t->id) == 0, "id");
    nkey_public_write(NKEY_USER, wire, t->wire);
    (void)snprintf(t->groups[0], sizeof(t->groups[0]), "%s", group);
    signed_insist(trust_install_root(root, size, now_us, &t->state, &complaint) == TRUST_OK, complaint.text);
}

void fake_terminal_end(struct fake_terminal *t)
{
    EVP_PKEY_free(t->key);
    (void)trust_state_free(t->state);
    *t = (struct fake_terminal){0};
}

static bool is_behind(const struct fake_terminal *t, const uint8_t *bytes, size_t size)
{
    const struct trust_head *held = trust_state_head(t->state);
    struct trust_bundle bundle = {0};
    struct trust_head *head = NULL;
    bool behind = false;

    if (held && trust_bundle_parse(bytes, size, &bundle, NULL) == TRUST_OK && bundle.head &&
        trust_head_parse(bundle.head->payload, bundle.head->size, &head, NULL) == TRUST_OK)
        behind = head->version < held->version;
    (void)trust_head_free(head);
    trust_bundle_done(&bundle);
    return behind;
}

static int apply(struct fake_terminal *t, const uint8_t *bytes, size_t size, int64_t now_us)
{
    const char *groups[FLEET_GROUPS_MAX];
    struct trust_terminal self = {.id = t->id, .groups = groups, .n_groups = t->n_groups, .now_us = now_us};
    struct trust_state *next = NULL;
    struct policy *policy = NULL;
    int r;

    for (size_t i = 0; i < t->n_groups; i++)
        groups[i] = t->groups[i];
    r = trust_apply(t->state, &self, bytes, size, &next, &policy, NULL, NULL);
    (void)policy_unref(policy);
    if (r == TRUST_OK) {
        (void)trust_state_free(t->state);
        t->state = next;
    }
    return r;
}

int fake_terminal_bundle(struct fake_terminal *t, const uint8_t *bytes, size_t size, int64_t now_us)
{
    int r;

    if (is_behind(t, bytes, size))
        return TRUST_OK;
    r = t->broken ? TRUST_E_POLICY : apply(t, bytes, size, now_us);
    signed_insist(r >= 0 && digest_bytes(bytes, size, &t->bundle) == 0, "apply");
    t->has_outcome = true;
    t->failed = r != TRUST_OK;
    (void)snprintf(t->reason, sizeof(t->reason), "%s", trust_result_name((enum trust_result)r));
    t->records++;
    return r;
}

static void join(struct fake_terminal *t, const struct fleet_membership *m)
{
    if (m->serial <= t->membership)
        return;
    t->membership = m->serial;
    for (t->n_groups = 0; t->n_groups < m->groups.n; t->n_groups++)
        (void)snprintf(t->groups[t->n_groups], sizeof(t->groups[0]), "%s", m->groups.names[t->n_groups]);
    t->records++;
}

int fake_terminal_statement(struct fake_terminal *t, const uint8_t *bytes, size_t size, int64_t now_us,
                            enum fleet_order_kind *ret)
{
    const struct trust_root *root = trust_state_root(t->state);
    struct fleet_self self = {.organization = root->organization};
    struct fleet_statement *s = NULL;
    int r = fleet_open_from_centre(bytes, size, FLEET_KIND(FLEET_MEMBERSHIP) | FLEET_KIND(FLEET_ORDER), root, now_us,
                                   &s, NULL);

    *ret = FLEET_ORDER_NONE;
    if (r != TRUST_OK)
        return r;
    memcpy(self.journal, t->journal, sizeof(self.journal));
    memcpy(self.wire, t->wire, sizeof(self.wire));
    if (s->kind == FLEET_MEMBERSHIP && fleet_membership_is_for(s, &self) == FLEET_OK)
        join(t, &s->membership);
    if (s->kind == FLEET_ORDER && fleet_order_judge(s, root->organization, t->id, now_us) == FLEET_OK)
        *ret = s->order.kind;
    (void)fleet_statement_free(s);
    return TRUST_OK;
}

/* Texts and pointers are borrowed: never to be freed. */
static struct fleet_report say(struct fake_terminal *t, int64_t now_us)
{
    static char version[] = "0.1.0", kernel[] = "6.1.0", name[] = "policy", debian[] = "Debian GNU/Linux 12";
    const struct trust_head *head = trust_state_head(t->state);
    const struct digest *policy = trust_state_policy_sha256(t->state);
    struct fleet_report p = {.organization = trust_state_root(t->state)->organization,
                             .sequence = ++t->reports,
                             .issued_us = now_us,
                             .versions = {version, kernel, debian},
                             .has_policy = policy != NULL,
                             .has_head = head != NULL,
                             .has_outcome = t->has_outcome,
                             .journal = {.sequence = t->records},
                             .membership = t->membership};

    memcpy(p.terminal, t->id, sizeof(p.terminal));
    memset(p.boot, 0xb0, sizeof(p.boot));
    memset(p.journal.hash.bytes, (int)(t->records & 0xff), DIGEST_SIZE);
    if (policy) {
        p.policy.version = trust_state_policy_version(t->state);
        p.policy.sha256 = *policy;
        p.policy.name = name;
        p.policy.source = FLEET_SOURCE_SIGNED;
    }
    if (head) {
        p.head.group = head->group;
        p.head.version = head->version;
    }
    if (t->has_outcome) {
        p.outcome.bundle = t->bundle;
        p.outcome.status = t->failed ? FLEET_STATUS_FAILED : FLEET_STATUS_APPLIED;
        p.outcome.reason = t->failed ? t->reason : NULL;
    }
    return p;
}

void fake_terminal_report(struct fake_terminal *t, int64_t now_us, uint8_t **ret, size_t *ret_size)
{
    const struct fleet_statement s = {.kind = FLEET_REPORT, .report = say(t, now_us)};
    struct trust_complaint complaint = {0};

    signed_insist(fleet_statement_seal(&s, t->key, ret, ret_size, &complaint) == TRUST_OK, complaint.text);
}

uint64_t fake_terminal_version(const struct fake_terminal *t)
{
    return trust_state_policy_version(t->state);
}
