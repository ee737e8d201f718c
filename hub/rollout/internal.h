#pragma once

#include "hub/rollout/heads.h"
#include "hub/rollout/work.h"
#include "hub/store/policies.h"

/* What the files of hub/rollout share. */

DEFINE_CLEANUP(struct trust_envelope *, trust_envelope_free);

/* Who acts when no person does. */
struct hub_actor rollout_actor(const struct rollout_work *w);
struct rollout_signer rollout_signer(const struct rollout_work *w);
/* Tells the wire; what it refuses is counted. */
void rollout_put(struct rollout_work *w, const char *subject, const void *bytes, size_t size,
                 const struct digest *digest);

/* A list of ids that a walk over the store fills, to be worked on when the walk is over. */
struct rollout_names {
    char (*ids)[HUB_NAME_MAX + 1];
    size_t n, capacity;
};
int rollout_names_add(struct rollout_names *names, const char *id);
void rollout_names_done(struct rollout_names *names);

/* statements.c: memberships and orders: signs what is not signed, and puts what is not known to have arrived. */
int rollout_sign_moves(struct rollout_work *w, struct rollout_names *groups);
int rollout_sign_orders(struct rollout_work *w);
int rollout_put_statements(struct rollout_work *w);

/* groups.c: the head of each group. forced: groups that terminals moved into. */
int rollout_renew_heads(struct rollout_work *w, const struct rollout_names *forced);
int rollout_put_groups(struct rollout_work *w);
/* The group's policy from now on: a head is signed and kept. enum trust_result or -errno. */
int rollout_select(struct rollout_work *w, const char *group, const struct digest *policy);
/* The bundle of the group; 1, 0 it has no policy. */
int rollout_group_bundle(struct rollout_work *w, const char *group, uint8_t **ret, size_t *ret_size);
/* A bundle of this policy and head. 0 or -errno. */
int rollout_bundle_of(struct rollout_work *w, const struct digest *policy, const uint8_t *head, size_t head_size,
                      uint8_t **ret, size_t *ret_size);
/* Is this head signed as the newest root wants it? 1, 0, -errno. */
int rollout_head_counts(const struct rollout_work *w, const uint8_t *head, size_t size);

/* steps.c: rollouts. */
int rollout_step_all(struct rollout_work *w);
