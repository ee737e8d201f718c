#pragma once

#include <openssl/types.h>

#include "base/cleanup.h"
#include "policy/trust/write.h"

/*
 * What the centre says about policies, and all it can say: for which group which signed policy rules, for some days. Pure but for the
 * key: the documents come in as people signed them.
 */

enum {
    ROLLOUT_HEAD_DAYS = 14,      /* a head rules that long */
    ROLLOUT_HEAD_RENEW_DAYS = 7, /* and is renewed when less is left */
};

struct policy;

/* What is signed under and with. Borrowed. */
struct rollout_signer {
    const struct trust_root *root; /* the newest */
    EVP_PKEY *key;                 /* of the role `head` */
};

/*
 * May this policy rule the group now, as far as a terminal of it would ask? enum trust_result: TRUST_E_ROOT_EXPIRED, _ORGANIZATION, _SCOPE
 * when it does not name the group, _EXPIRED, _NOT_YET. Its signatures are not looked at.
 */
int rollout_policy_fits(const struct trust_root *root, const struct policy *policy, const char *group, int64_t now_us,
                        struct trust_complaint *complaint);

struct rollout_made {
    struct trust_envelope *envelope;
    uint64_t version;
    int64_t expires_us;
};

/*
 * A head for the group that selects this policy, which must fit; not beyond the policy's own time nor the root's. enum trust_result:
 * _THRESHOLD when the key alone is not the role. previous: the highest version ever given to any group. Versions of all groups are one
 * row that follows the clock, so that a terminal may change its group, and a centre that was restored from a copy goes on where terminals are.
 */
int rollout_head_make(const struct rollout_signer *signer, const struct policy *policy, const char *group,
                      uint64_t previous, int64_t now_us, struct rollout_made *ret, struct trust_complaint *complaint);
void rollout_made_done(struct rollout_made *m);
/* Is it time for the next one, and would that one last longer? */
bool rollout_head_is_due(const struct trust_root *root, const struct policy *policy, int64_t expires_us,
                         int64_t now_us);

/*
 * kuraban-bundle/1 of the newest roots, a policy and its head. roots: envelopes, the oldest first; of more than TRUST_ROOTS_MAX the newest
 * come in. The same in, the same bytes out. enum trust_result.
 */
int rollout_bundle_make(struct trust_envelope *const *roots, size_t n_roots, struct trust_envelope *policy,
                        struct trust_envelope *head, uint8_t **ret, size_t *ret_size);
