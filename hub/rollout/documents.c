/*
 * Owns: reading signed documents out of the store and out of a person's file.
 * Must not: call one good that a terminal would refuse: trust_apply() is asked, the same that a terminal asks.
 */
#include "hub/rollout/documents.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hub/store/policies.h"
#include "hub/store/roots.h"
#include "policy/findings.h"
#include "policy/policy.h"

DEFINE_CLEANUP(struct trust_state *, trust_state_free);

/* --- roots --- */

void rollout_roots_done(struct rollout_roots *r)
{
    for (size_t i = 0; i < r->n; i++)
        r->envelopes[i] = trust_envelope_free(r->envelopes[i]);
    r->n = 0;
    r->newest = trust_root_free(r->newest);
}

static int add_root(void *context, const struct hub_root *root)
{
    struct rollout_roots *roots = context;

    if (trust_envelope_parse(root->envelope, root->size, &roots->envelopes[roots->n], NULL) != TRUST_OK)
        return -EUCLEAN;
    roots->n++;
    return 0;
}

static void turn_around(struct rollout_roots *r)
{
    for (size_t i = 0; i < r->n / 2; i++) {
        struct trust_envelope *e = r->envelopes[i];

        r->envelopes[i] = r->envelopes[r->n - 1 - i];
        r->envelopes[r->n - 1 - i] = e;
    }
}

int rollout_roots_read(struct hub_store *s, struct rollout_roots *ret)
{
    struct rollout_roots roots = {0};
    int r = hub_root_each(s, TRUST_ROOTS_MAX, add_root, &roots);

    if (r >= 0 && roots.n > 0) {
        turn_around(&roots);
        r = trust_root_parse(roots.envelopes[roots.n - 1]->payload, roots.envelopes[roots.n - 1]->size, &roots.newest,
                             NULL);
        r = r > 0 ? -EUCLEAN : r;
    }
    if (r < 0) {
        rollout_roots_done(&roots);
        return r;
    }
    *ret = roots;
    return 0;
}

/* --- policies --- */

void rollout_document_done(struct rollout_document *d)
{
    d->envelope = trust_envelope_free(d->envelope);
    d->policy = policy_unref(d->policy);
}

int rollout_document_read(struct hub_store *s, const struct digest *document, struct rollout_document *ret)
{
    struct rollout_document d = {0};
    _cleanup_free_ uint8_t *bytes = NULL;
    size_t size = 0;
    int r = hub_policy_get(s, document, &bytes, &size);

    if (r <= 0)
        return r;
    r = trust_envelope_parse(bytes, size, &d.envelope, NULL);
    if (r == TRUST_OK)
        r = policy_load("policy", d.envelope->payload, d.envelope->size, NULL, &d.policy);
    if (r == 0 && !digest_equal(&d.policy->sha256, document))
        r = -EUCLEAN;
    if (r != 0) {
        rollout_document_done(&d);
        return r < 0 ? r : -EUCLEAN;
    }
    *ret = d;
    return 1;
}

static int64_t later(int64_t a, int64_t b)
{
    return a > b ? a : b;
}

/* The question that a terminal would ask, which the policy is for. */
static int ask_as_terminal(const struct rollout_roots *roots, const struct rollout_document *d, int64_t now_us,
                           struct trust_complaint *complaint)
{
    _cleanup_(trust_state_freep) struct trust_state *held = NULL;
    _cleanup_(trust_state_freep) struct trust_state *next = NULL;
    _cleanup_free_ uint8_t *root = NULL, *bytes = NULL;
    const struct policy *p = d->policy;
    const struct trust_terminal terminal = {.id = p->scope_terminals.n > 0 ? p->scope_terminals.items[0] : NULL,
                                            .groups = (const char *const *)p->scope_groups.items,
                                            .n_groups = p->scope_groups.n,
                                            .now_us = later(now_us, p->valid_from_us)};
    struct policy *again = NULL;
    size_t root_size = 0, size = 0;
    int r = trust_envelope_write(roots->envelopes[roots->n - 1], &root, &root_size);

    if (r == TRUST_OK)
        r = trust_install_root(root, root_size, now_us, &held, complaint);
    if (r == TRUST_OK)
        r = trust_envelope_write(d->envelope, &bytes, &size);
    if (r == TRUST_OK)
        r = trust_apply(held, &terminal, bytes, size, &next, &again, NULL, complaint);
    (void)policy_unref(again);
    return r;
}

static int take_policy(const uint8_t *bytes, size_t size, struct trust_envelope **ret,
                       struct trust_complaint *complaint)
{
    struct trust_bundle bundle = {0};
    int r = trust_bundle_parse(bytes, size, &bundle, complaint);

    if (r == TRUST_OK && !bundle.policy)
        r = TRUST_E_PAYLOAD_TYPE;
    if (r == TRUST_OK)
        *ret = TAKE_PTR(bundle.policy);
    trust_bundle_done(&bundle);
    return r;
}

int rollout_document_check(const struct rollout_roots *roots, const uint8_t *bytes, size_t size, int64_t now_us,
                           struct rollout_document *ret, struct trust_votes *ret_votes,
                           struct policy_findings *findings, struct trust_complaint *complaint)
{
    struct rollout_document d = {0};
    struct trust_votes votes = {0};
    int r = roots->n > 0 ? take_policy(bytes, size, &d.envelope, complaint) : TRUST_E_NO_ROOT;

    if (r == TRUST_OK)
        r = trust_envelope_verify(d.envelope, roots->newest, TRUST_ROLE_POLICY, &votes, complaint);
    if (r == TRUST_OK) {
        r = policy_load("policy", d.envelope->payload, d.envelope->size, findings, &d.policy);
        r = r > 0 ? TRUST_E_POLICY : r;
    }
    if (r == TRUST_OK)
        r = ask_as_terminal(roots, &d, now_us, complaint);
    if (r == TRUST_OK) {
        *ret = d;
        *ret_votes = votes;
    } else {
        rollout_document_done(&d);
    }
    return r;
}
