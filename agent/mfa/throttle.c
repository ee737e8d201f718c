/*
 * Owns: waits, locks and the rollback of the clock.
 * Must not: keep anything; the counts are the store's.
 */
#include "mfa/throttle.h"

enum {
    SECOND_US = 1000000,
    MINUTE_US = 60 * SECOND_US,
    WAIT_MAX_S = 3600,
    WAIT_STEPS_MAX = 12, /* 2^12 s is more than WAIT_MAX_S */
};

static uint32_t round_up(uint64_t us, uint64_t unit)
{
    uint64_t n = (us + unit - 1) / unit;

    return n > UINT32_MAX ? UINT32_MAX : (uint32_t)n;
}

/* Since the last failure. Within one boot nobody can make it more by setting the clock. */
static uint64_t elapsed_us(const struct throttle *t, const struct mfa_now *now)
{
    if (t->same_boot)
        return now->boottime_us > t->failed_boottime_us ? now->boottime_us - t->failed_boottime_us : 0;
    return now->wall_us > t->failed_wall_us ? (uint64_t)now->wall_us - (uint64_t)t->failed_wall_us : 0;
}

static unsigned failures_allowed(const struct mfa_limits *l)
{
    return l->failures == 0 ? 1 : l->failures > MFA_FAILURES_LIMIT ? MFA_FAILURES_LIMIT : l->failures;
}

static uint64_t wait_us(const struct mfa_limits *l, unsigned failures)
{
    uint64_t seconds;

    if (!l->delay || failures == 0)
        return 0;
    seconds = failures > WAIT_STEPS_MAX ? WAIT_MAX_S : UINT64_C(1) << (failures - 1);
    return (seconds > WAIT_MAX_S ? WAIT_MAX_S : seconds) * SECOND_US;
}

static enum mfa_outcome still(enum mfa_outcome outcome, uint64_t until_us, uint64_t elapsed, uint32_t *ret_number)
{
    if (elapsed >= until_us)
        return MFA_NEEDED;
    *ret_number = round_up(until_us - elapsed, SECOND_US);
    return outcome;
}

enum mfa_outcome throttle_ask(const struct mfa_limits *l, const struct throttle *t, const struct mfa_now *now,
                              uint32_t *ret_number)
{
    /* A code of the step before is right as long as the window says, so that much the clock may go back. */
    int64_t slack_us = (int64_t)(l->window > 0 ? l->window : 1) * (int64_t)t->period * SECOND_US;
    uint64_t elapsed = elapsed_us(t, now);
    enum mfa_outcome outcome = MFA_NEEDED;

    *ret_number = 0;
    if (t->failures >= MFA_FAILURES_LIMIT)
        return MFA_LOCKED;
    if (t->failures >= failures_allowed(l)) {
        if (l->lock_us <= 0)
            return MFA_LOCKED;
        outcome = still(MFA_LOCKED, (uint64_t)l->lock_us, elapsed, ret_number);
    }
    if (outcome != MFA_NEEDED)
        return outcome;
    if (now->wall_us < t->seen_us - slack_us) {
        *ret_number = round_up((uint64_t)t->seen_us - (uint64_t)now->wall_us, MINUTE_US);
        return MFA_ROLLBACK;
    }
    /* A lock that is over was the wait. */
    if (t->failures >= failures_allowed(l))
        return MFA_NEEDED;
    return still(MFA_WAIT, wait_us(l, t->failures), elapsed, ret_number);
}
