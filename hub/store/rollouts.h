#pragma once

#include "base/digest.h"
#include "hub/store/policies.h"
#include "hub/store/store.h"

/*
 * Rollouts: how a policy comes to a group, how far it is, and which terminals have been sent it. What comes next, hub/rollout says; here it
 * stands, so that a hub that is started again goes on where the last one was. Of each group at most one is alive.
 */

enum {
    HUB_ROLLOUT_PERCENTS_MAX = 8,
    HUB_ROLLOUT_WAIT_MAX_S = 7 * 24 * 60 * 60,
};

/* As hub/rollout/plan.h counts states and reasons. */
struct hub_rollout {
    uint64_t number;
    char group[HUB_NAME_MAX + 1];
    struct digest policy;
    uint64_t policy_version;                         /* read, never written: the policy's */
    char policy_name[HUB_POLICY_NAME_MAX + 1];       /* the same */
    char canary_group[HUB_NAME_MAX + 1];             /* "": none */
    unsigned canaries;                               /* 0: none */
    unsigned percents[HUB_ROLLOUT_PERCENTS_MAX + 1]; /* ended by 0 */
    unsigned halt_failed, halt_silent;
    int64_t wait_us;
    unsigned state, stage, reason;
    int64_t since_us; /* when the stage began */
    bool go_on;       /* a person ended the stage's wait */
    int64_t created_us, ended_us;
};

enum hub_rollout_result {
    HUB_ROLLOUT_OK = 0,
    HUB_ROLLOUT_E_GROUP,  /* there is no such group */
    HUB_ROLLOUT_E_POLICY, /* the policy is not here */
    HUB_ROLLOUT_E_OLDER,  /* the group has, or some of it were sent, another policy of this version or a later one */
    HUB_ROLLOUT_E_RULES,  /* it is the group's policy already */
    HUB_ROLLOUT_E_NONE,   /* the group has none that this could be done to */
};

/* What `rollout start` and `emergency` write: a running one, in the place of one that was alive. enum hub_rollout_result. */
int hub_rollout_add(struct hub_store *s, const struct hub_actor *actor, const struct hub_rollout *rollout,
                    uint64_t *ret_number);
/* What a person says of the one that is alive; `resume` forgives the terminals what they say now,
 * and lets them try again. enum hub_rollout_result. */
int hub_rollout_halt(struct hub_store *s, const struct hub_actor *actor, const char *group);
int hub_rollout_resume(struct hub_store *s, const struct hub_actor *actor, const char *group);
int hub_rollout_continue(struct hub_store *s, const struct hub_actor *actor, const char *group);

/* The newest first, or of one group; a negative answer ends the walk. group NULL: all. alive: only those not published and not replaced. */
int hub_rollout_each(struct hub_store *s, const char *group, bool alive,
                     int (*each)(void *context, const struct hub_rollout *rollout), void *context);

/* --- For who carries it on; in the caller's transaction, but for reading --- */

/* state, stage, reason, since, go_on, ended. With a state that a person sees, a record. */
int hub_rollout_turn(struct hub_store *s, const struct hub_actor *actor, const struct hub_rollout *rollout);
/* The head for those that are sent the policy before the group is, and the digest of the bundle it is in. */
int hub_rollout_set_head(struct hub_store *s, uint64_t number, const struct hub_head *head, const void *envelope,
                         size_t size);
int hub_rollout_set_bundle(struct hub_store *s, uint64_t number, const struct digest *bundle);
/* 1, 0 none yet. */
int hub_rollout_get_head(struct hub_store *s, uint64_t number, struct hub_head *ret, uint8_t **ret_envelope,
                         size_t *ret_size);

struct hub_rollout_terminal {
    char id[HUB_NAME_MAX + 1];
    bool canary;
    int64_t contact_us;        /* 0: never */
    bool applied, failed;      /* what its newest report says of the policy, and of the bundle */
    int64_t sent_us, asked_us; /* 0: not */
    unsigned stage;
    bool reachable, forgiven;
};
/* All that are in the group now and are not revoked, by id. */
int hub_rollout_terminals(struct hub_store *s, const struct hub_rollout *rollout,
                          int (*each)(void *context, const struct hub_rollout_terminal *terminal), void *context);
int hub_rollout_sent(struct hub_store *s, uint64_t number, const char *terminal, unsigned stage, bool reachable,
                     int64_t now_us);
int hub_rollout_asked(struct hub_store *s, uint64_t number, const char *terminal, int64_t now_us);
/* What was written down in the future was so now. */
int hub_rollout_restamp(struct hub_store *s, uint64_t number, int64_t now_us);
/* The highest version of a head ever given to any group. */
int hub_head_highest(struct hub_store *s, uint64_t *ret);
