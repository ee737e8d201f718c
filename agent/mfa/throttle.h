#pragma once

#include "mfa/mfa.h"

/* Is an attempt looked at? Pure. For the files of mfa/ only. */

struct throttle {
    unsigned failures;
    bool same_boot; /* the last failure was in this boot: boottime counts */
    int64_t failed_wall_us;
    uint64_t failed_boottime_us;
    int64_t seen_us; /* latest wall clock of an attempt */
    unsigned period; /* of a step, seconds */
};

/* MFA_NEEDED: yes. MFA_LOCKED, MFA_ROLLBACK, MFA_WAIT: no, with the number that belongs to it. */
enum mfa_outcome throttle_ask(const struct mfa_limits *l, const struct throttle *t, const struct mfa_now *now,
                              uint32_t *ret_number);
