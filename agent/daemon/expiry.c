/*
 * Owns: what has ended and whether that was told. Must not: stop anything from being enforced.
 */
#include "daemon/expiry.h"

#include "base/clock.h"
#include "daemon/daemon.h"
#include "daemon/recorder.h"
#include "daemon/rulebook.h"
#include "policy/policy.h"
#include "policy/trust/trust.h"

#define DAY_US ((int64_t)86400 * 1000000)

enum {
    WARNING_DAYS = 30
};

static struct expiry ends(int64_t until_us)
{
    return (struct expiry){.until_us = until_us, .soon_us = until_us - WARNING_DAYS * DAY_US};
}

void expiry_read(const struct rulebook *b, struct expiry ret[static EXPIRY_COUNT_])
{
    const struct trust_state *s = trusted_state(rulebook_trusted(b));
    const struct trust_head *head = s ? trust_state_head(s) : NULL;

    ret[EXPIRY_POLICY] = ends(rulebook_policy(b)->valid_until_us);
    ret[EXPIRY_HEAD] = (struct expiry){0};
    if (head)
        ret[EXPIRY_HEAD] = (struct expiry){.until_us = head->expires_us,
                                           .soon_us = head->expires_us - (head->expires_us - head->issued_us) / 4};
    ret[EXPIRY_ROOT] = ends(s ? trust_state_root(s)->expires_us : 0);
}

bool expiry_is_over(const struct expiry *e, int64_t now_us)
{
    return e->until_us != 0 && now_us > e->until_us;
}

bool expiry_is_soon(const struct expiry *e, int64_t now_us)
{
    return e->until_us != 0 && now_us > e->soon_us && !expiry_is_over(e, now_us);
}

bool expiry_is_news(const struct expiry *e, int64_t now_us, int64_t *told_us)
{
    if (!expiry_is_over(e, now_us) || *told_us == e->until_us)
        return false;
    *told_us = e->until_us;
    return true;
}

void expiry_watch(struct daemon *d)
{
    static const char *const words[EXPIRY_COUNT_] = {
        [EXPIRY_POLICY] = "the policy has expired; it is still enforced",
        [EXPIRY_HEAD] = "the head has expired; the policy it selected is still enforced",
        [EXPIRY_ROOT] =
            "the root document has expired; what rules rules on, nothing new is accepted before a newer root",
    };
    int64_t now = rulebook_time(d->rulebook, clock_wall_us());
    struct expiry all[EXPIRY_COUNT_];

    expiry_read(d->rulebook, all);
    for (int i = 0; i < EXPIRY_COUNT_; i++) {
        struct audit_event e;

        if (!expiry_is_news(&all[i], now, &d->expiry_told[i]))
            continue;
        audit_event_init(&e, AUDIT_POLICY_EXPIRED);
        e.alarm = true;
        audit_set(e.message, sizeof(e.message), words[i]);
        recorder_add(d->recorder, &e);
    }
}
