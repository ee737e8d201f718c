#pragma once

#include "base/buf.h"
#include "policy/trust/json.h"
#include "policy/trust/trust.h"
#include "policy/trust/write.h"

/* What the parts of policy/trust share; for its own .c files only. */

DEFINE_CLEANUP(struct trust_envelope *, trust_envelope_free);
DEFINE_CLEANUP(struct trust_root *, trust_root_free);
DEFINE_CLEANUP(struct trust_head *, trust_head_free);
DEFINE_CLEANUP(struct trust_state *, trust_state_free);

/* --- Keys: key.c --- */

/* 1 good, 0 bad, −ENOMEM, −EIO. */
int trust_key_verify(const uint8_t public[static TRUST_PUBLIC_SIZE],
                     const uint8_t signature[static TRUST_SIGNATURE_SIZE], const uint8_t *message, size_t size);

/* --- Envelopes: envelope.c --- */

int trust_envelope_from_json(const json_t *object, struct trust_envelope **ret, struct trust_complaint *complaint);
int trust_envelope_to_json(const struct trust_envelope *e, json_t **ret);
int trust_envelope_copy(const struct trust_envelope *e, struct trust_envelope **ret);
bool trust_envelope_same_payload(const struct trust_envelope *a, const struct trust_envelope *b);
/* The bytes that are signed: "DSSEv1 29 application/… 5 hello". */
int trust_envelope_pae(const struct trust_envelope *e, struct buf *b);

/* --- The root's rules: root.c --- */

int trust_root_check(const struct trust_root *root, struct trust_complaint *complaint);
int trust_head_check(const struct trust_head *head, struct trust_complaint *complaint);
/* Has the key (an index) the role? */
bool trust_root_has(const struct trust_root *root, enum trust_role role, size_t key);

/* --- The state: state.c --- */

struct trust_state {
    struct trust_envelope *root_envelope, *policy_envelope, *head_envelope;
    struct trust_envelope *policy_root_envelope; /* where the policy was accepted under another root than the current */
    /* What trust_state_judge() made of them: */
    struct trust_root *root, *policy_root;
    struct trust_head *head;
    uint64_t policy_version;
    struct digest policy_sha256;
    struct trust_votes policy_votes;
};
/* Reads and verifies everything in the envelopes of a state that has nothing else yet. policy: the loaded document, or NULL: load it. */
int trust_state_judge(struct trust_state *s, const struct policy *policy, struct trust_complaint *complaint);
/* A state with copies of the envelopes alone, not judged. */
int trust_state_copy(const struct trust_state *s, struct trust_state **ret);
