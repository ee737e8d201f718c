/*
 * Owns: heads, and the bundle they travel in.
 * Must not: choose what a group gets, or make anything that outlasts what people signed.
 */
#include "hub/rollout/heads.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "policy/policy.h"
#include "policy/trust/json.h"

#define DAY_US (INT64_C(24) * 60 * 60 * 1000000)

DEFINE_CLEANUP(struct trust_envelope *, trust_envelope_free);

void rollout_made_done(struct rollout_made *m)
{
    m->envelope = trust_envelope_free(m->envelope);
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

/* Never beyond what people signed. */
static int64_t end_of(const struct trust_root *root, const struct policy *policy, int64_t now_us)
{
    int64_t end = earlier(now_us + ROLLOUT_HEAD_DAYS * DAY_US, root->expires_us);

    if (policy->valid_until_us != 0)
        end = earlier(end, policy->valid_until_us);
    return end / 1000000 * 1000000;
}

bool rollout_head_is_due(const struct trust_root *root, const struct policy *policy, int64_t expires_us, int64_t now_us)
{
    return expires_us - now_us < ROLLOUT_HEAD_RENEW_DAYS * DAY_US && end_of(root, policy, now_us) > expires_us;
}

int rollout_policy_fits(const struct trust_root *root, const struct policy *p, const char *group, int64_t now_us,
                        struct trust_complaint *complaint)
{
    const char *const groups[] = {group};
    const struct trust_terminal somebody = {.groups = groups, .n_groups = 1};

    if (root->expires_us <= now_us)
        return trust_refuse(complaint, TRUST_E_ROOT_EXPIRED, "%s", "");
    if (strcmp(p->organization, root->organization) != 0)
        return trust_refuse(complaint, TRUST_E_ORGANIZATION, "%s", p->organization);
    /* One whose scope names terminals may be for some of the group. */
    if (p->scope_terminals.n == 0 && !trust_policy_in_scope(p, &somebody))
        return trust_refuse(complaint, TRUST_E_SCOPE, "%s", group);
    if (p->valid_until_us != 0 && p->valid_until_us <= now_us)
        return trust_refuse(complaint, TRUST_E_EXPIRED, "%s", "");
    if (p->valid_from_us > now_us)
        return trust_refuse(complaint, TRUST_E_NOT_YET, "%s", "");
    return TRUST_OK;
}

static uint64_t next_version(uint64_t previous, int64_t now_us)
{
    const uint64_t clock = now_us > 0 ? (uint64_t)(now_us / 1000000) : 1;

    return clock > previous ? clock : previous + 1;
}

static int seal(const struct rollout_signer *signer, const struct trust_head *head, struct trust_envelope **ret,
                struct trust_complaint *complaint)
{
    _cleanup_(trust_envelope_freep) struct trust_envelope *e = NULL;
    _cleanup_free_ uint8_t *payload = NULL;
    size_t size = 0;
    int r = trust_head_write(head, &payload, &size, complaint);

    if (r == TRUST_OK)
        r = trust_envelope_new(TRUST_TYPE_HEAD, payload, size, &e);
    if (r == TRUST_OK)
        r = trust_envelope_sign(e, signer->key);
    if (r == TRUST_OK)
        r = trust_envelope_verify(e, signer->root, TRUST_ROLE_HEAD, NULL, complaint);
    if (r == TRUST_OK)
        *ret = TAKE_PTR(e);
    return r;
}

int rollout_head_make(const struct rollout_signer *signer, const struct policy *policy, const char *group,
                      uint64_t previous, int64_t now_us, struct rollout_made *ret, struct trust_complaint *complaint)
{
    _cleanup_free_ char *organization = strdup(policy->organization), *name = strdup(group);
    const int64_t second = now_us / 1000000 * 1000000;
    struct trust_head head = {.organization = organization,
                              .group = name,
                              .version = next_version(previous, now_us),
                              .issued_us = second,
                              .expires_us = end_of(signer->root, policy, second),
                              .policy_version = policy->version,
                              .policy_sha256 = policy->sha256};
    struct trust_envelope *e = NULL;
    int r = organization && name ? rollout_policy_fits(signer->root, policy, group, now_us, complaint) : -ENOMEM;

    if (r != TRUST_OK)
        return r;
    if (head.expires_us <= second)
        return trust_refuse(complaint, TRUST_E_EXPIRED, "%s", "");
    r = seal(signer, &head, &e, complaint);
    if (r == TRUST_OK)
        *ret = (struct rollout_made){.envelope = e, .version = head.version, .expires_us = head.expires_us};
    return r;
}

int rollout_bundle_make(struct trust_envelope *const *roots, size_t n_roots, struct trust_envelope *policy,
                        struct trust_envelope *head, uint8_t **ret, size_t *ret_size)
{
    /* All of it borrowed: never released as a bundle. */
    struct trust_bundle b = {.policy = policy, .head = head};
    size_t first = n_roots > TRUST_ROOTS_MAX ? n_roots - TRUST_ROOTS_MAX : 0;

    for (size_t i = first; i < n_roots; i++)
        b.roots[b.n_roots++] = roots[i];
    return trust_bundle_write(&b, ret, ret_size);
}
