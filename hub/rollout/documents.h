#pragma once

#include "hub/store/store.h"
#include "policy/trust/write.h"

/* The signed documents of the store, read and judged as a terminal would. */

struct policy;
struct policy_findings;

/* The chain of root documents; all NULL and 0 where none was added. */
struct rollout_roots {
    struct trust_envelope *envelopes[TRUST_ROOTS_MAX]; /* the oldest first */
    size_t n;
    struct trust_root *newest;
};
/* 0, -EUCLEAN: what is there is none. */
int rollout_roots_read(struct hub_store *s, struct rollout_roots *ret);
void rollout_roots_done(struct rollout_roots *r);

struct rollout_document {
    struct trust_envelope *envelope;
    struct policy *policy;
};
void rollout_document_done(struct rollout_document *d);
/* 1, 0 it is not in the store; -EUCLEAN. */
int rollout_document_read(struct hub_store *s, const struct digest *document, struct rollout_document *ret);

/*
 * A signed policy that a person brings, as a terminal judges it that holds the newest root and no policy yet, is in its scope, and whose
 * clock has come to its begin: TRUST_OK and what was in the file (an envelope or a bundle, of which the policy is taken; a bare document is
 * TRUST_E_UNSIGNED). ret_signers: names, borrowed from roots.
 */
int rollout_document_check(const struct rollout_roots *roots, const uint8_t *bytes, size_t size, int64_t now_us,
                           struct rollout_document *ret, struct trust_votes *ret_votes,
                           struct policy_findings *findings, struct trust_complaint *complaint);
