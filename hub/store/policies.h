#pragma once

#include "base/digest.h"
#include "hub/store/store.h"

/*
 * Signed policies, and which of them rules each group: the bytes exactly as they were signed. Whoever calls has verified them as a terminal
 * does; what comes out of here is verified by terminals again.
 */

enum {
    HUB_ENVELOPE_MAX = 512 * 1024, /* bytes, as a terminal takes them */
    HUB_POLICY_NAME_MAX = 255,     /* bytes */
};

struct hub_policy {
    struct digest document; /* SHA-256 of the document that was signed: its name everywhere */
    uint64_t version;
    char name[HUB_POLICY_NAME_MAX + 1];
    int64_t added_us;
};

struct hub_head {
    uint64_t version;     /* of the head; only rises */
    struct digest policy; /* the document that it selects */
    int64_t expires_us;
};

enum hub_policy_result {
    HUB_POLICY_OK = 0,
    HUB_POLICY_E_EXISTS,  /* the document is there: nothing was changed */
    HUB_POLICY_E_SIZE,    /* empty, or longer than HUB_ENVELOPE_MAX; a name that is none */
    HUB_POLICY_E_UNKNOWN, /* of a head: the policy it selects is not here */
    HUB_POLICY_E_GROUP,   /* of a head: there is no such group */
    HUB_POLICY_E_OLDER,   /* of a head: the group has this version or a later one */
};

/* enum hub_policy_result. added_us is the actor's. */
int hub_policy_add(struct hub_store *s, const struct hub_actor *actor, const struct hub_policy *policy,
                   const void *envelope, size_t size);
/* 1 and the envelope, the caller's to free(); 0 there is none. */
int hub_policy_get(struct hub_store *s, const struct digest *document, uint8_t **ret, size_t *ret_size);
/* The newest first; a negative answer ends the walk. */
int hub_policy_each(struct hub_store *s, int (*each)(void *context, const struct hub_policy *policy), void *context);

/* enum hub_policy_result. */
int hub_head_set(struct hub_store *s, const struct hub_actor *actor, const char *group, const struct hub_head *head,
                 const void *envelope, size_t size);
/* 1, 0 the group has none. */
int hub_head_get(struct hub_store *s, const char *group, struct hub_head *ret, uint8_t **ret_envelope,
                 size_t *ret_size);
