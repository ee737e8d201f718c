/*
 * The verifier's place in the daemon. Owns: that every attempt stands in the journal with whose code it was, what for and what came of it,
 * and that policy's limits hold. Must not: put a code or a secret anywhere.
 */
#include "daemon/factor.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/log.h"
#include "ctl/server.h"
#include "daemon/daemon.h"
#include "daemon/names.h"
#include "daemon/peer.h"
#include "daemon/recorder.h"
#include "daemon/rulebook.h"
#include "policy/policy.h"

enum {
    BOOT_ID_SIZE = 64,
    FAILURES = 10, /* where no policy says more */
    LOCK_US = 15 * 60 * 1000000,
    OTHERS_MAX = 3, /* failures in a row that programs of other people may cause */
};

struct mfa_now factor_now(void)
{
    return (struct mfa_now){.wall_us = clock_wall_us(), .boottime_us = clock_boottime_us()};
}

/* --- the journal --- */

static void begin_event(const struct daemon *d, const struct ctl_peer *peer, uid_t uid, enum audit_action action,
                        struct audit_event *ret)
{
    audit_event_init(ret, action);
    peer_fill_event(d, peer, ret);
    ret->uid = uid; /* whose code it is */
}

static bool lets_in(enum mfa_outcome outcome)
{
    return outcome == MFA_ACCEPTED || outcome == MFA_GRACE;
}

static bool is_counted(enum mfa_outcome outcome)
{
    return outcome == MFA_WRONG || outcome == MFA_USED || outcome == MFA_SKEW;
}

/* The failure after which nothing is looked at any more. */
static bool is_locking(struct daemon *d, uid_t uid, const struct mfa_result *result)
{
    const struct mfa_now now = factor_now();
    struct mfa_result after;

    if (!is_counted(result->outcome))
        return false;
    mfa_ask(d->mfa, uid, &now, &after);
    return after.outcome == MFA_LOCKED;
}

static bool is_of_another(const struct factor_attempt *a)
{
    return a->peer->uid != a->uid && a->peer->uid != 0;
}

/* Who names a colleague as approver sends what is said to be their code. That may cost the colleague a few tries, never their login. */
static unsigned others_share(const struct daemon *d)
{
    const struct policy_mfa *p = &rulebook_policy(d->rulebook)->mfa;
    unsigned half = (p->failures > 0 ? p->failures : FAILURES) / 2;

    return half < OTHERS_MAX ? half : OTHERS_MAX;
}

/* What it was for. Details that change with every request would keep refusals from being folded. */
static void describe(const struct factor_attempt *a, bool accepted, char *ret, size_t size)
{
    const char *about = a->about ? a->about : "", *details = accepted && a->details ? a->details : "";

    (void)snprintf(ret, size, "%s%s%.120s%s%s", a->purpose, *about ? ": " : "", about, *details ? "; " : "", details);
}

/* One that is not looked at costs nothing. What root's programs send (PAM) is of whose login it is. */
static void limit(const struct factor_attempt *a, const struct mfa_result *result, struct audit_event *e)
{
    e->at_will = !lets_in(result->outcome) && !is_counted(result->outcome);
    e->asker = a->peer->uid == 0 ? a->uid : a->peer->uid;
}

void factor_record(struct daemon *d, const struct factor_attempt *a, const struct mfa_result *result)
{
    bool locking = is_locking(d, a->uid, result);
    bool spent = is_of_another(a) && is_counted(result->outcome) && result->failures >= others_share(d);
    struct audit_event e;
    char what[140], sender[32] = "";

    begin_event(d, a->peer, a->uid, lets_in(result->outcome) ? AUDIT_MFA_VERIFIED : AUDIT_MFA_REFUSED, &e);
    e.alarm = locking || spent || result->outcome == MFA_ROLLBACK || result->outcome == MFA_UNAVAILABLE;
    audit_set(e.reason, sizeof(e.reason), mfa_outcome_name(result->outcome));
    if (is_of_another(a))
        (void)snprintf(sender, sizeof(sender), "; sent by user %u", a->peer->uid);
    describe(a, result->outcome == MFA_ACCEPTED, what, sizeof(what));
    (void)snprintf(e.message, sizeof(e.message), "%s%s%s%s%s", what, result->recovery ? "; by a recovery code" : "",
                   locking ? "; locked from now on" : "", sender,
                   spent ? "; no more from others before a right code" : "");
    limit(a, result, &e);
    /* Others are folded when there are many. */
    recorder_add_with(d->recorder, &e, "mfa",
                      result->outcome == MFA_ACCEPTED || locking ? factor_turn(d) : json_null());
}

void factor_record_change(struct daemon *d, const struct ctl_peer *peer, uid_t uid, bool enrolled, const char *what,
                          const char *details)
{
    struct audit_event e;

    begin_event(d, peer, uid, enrolled ? AUDIT_MFA_ENROLLED : AUDIT_MFA_CHANGED, &e);
    (void)snprintf(e.message, sizeof(e.message), "%s by %s%s%.160s", what, peer->uid == 0 ? "root" : "themselves",
                   details && *details ? ": " : "", details ? details : "");
    recorder_add_with(d->recorder, &e, "mfa", factor_turn(d));
}

static bool is_well(enum mfa_condition c)
{
    return c == MFA_GOOD;
}

void factor_tick(struct daemon *d)
{
    enum mfa_condition condition = d->mfa ? mfa_condition(d->mfa) : MFA_GOOD;
    struct audit_event e;

    if (!d->mfa || condition == d->mfa_told)
        return;
    d->mfa_told = condition;
    audit_event_init(&e, AUDIT_MFA_CHANGED);
    e.alarm = !is_well(condition);
    audit_set(e.reason, sizeof(e.reason), mfa_condition_name(condition));
    audit_set(e.message, sizeof(e.message),
              is_well(condition) ? "the store of second factors can be used again" : mfa_complaint(d->mfa));
    recorder_add(d->recorder, &e);
    if (!is_well(condition))
        log_error("mfa.store", "state=%s error=%s", mfa_condition_name(condition), mfa_complaint(d->mfa));
}

/* --- up, down, policy --- */

int factor_start(struct daemon *d)
{
    _cleanup_free_ char *boot = NULL;
    struct mfa_options options = {.state_directory = d->state_fd, .credentials = getenv("CREDENTIALS_DIRECTORY")};
    int r;

    /* From here on the key of all secrets, and codes, are in this process: it leaves no core file. */
    (void)prctl(PR_SET_DUMPABLE, 0L, 0L, 0L, 0L);
    if (files_read_text_at(d->proc_fd, "sys/kernel/random/boot_id", BOOT_ID_SIZE, &boot) >= 0)
        options.boot_id = boot;
    factor_known_turn(d, &options.known);
    r = mfa_open(&options, &d->mfa);
    if (r < 0)
        return r;
    factor_compare(d, &options.known);
    factor_take_up(d);
    d->mfa_told = MFA_GOOD;
    factor_tick(d);
    factor_apply_policy(d);
    return 0;
}

void factor_stop(struct daemon *d)
{
    d->mfa = mfa_free(d->mfa);
}

void factor_apply_policy(struct daemon *d)
{
    const struct policy_mfa *p = &rulebook_policy(d->rulebook)->mfa;
    struct mfa_limits limits = {.failures = p->failures, .delay = p->delay, .lock_us = p->lock_us, .window = p->window};

    /* No policy rules: its zeros are not meant. */
    if (p->failures == 0)
        limits = (struct mfa_limits){.failures = FAILURES, .delay = true, .lock_us = LOCK_US, .window = 1};
    if (d->mfa)
        mfa_set_limits(d->mfa, &limits);
}

/* Is the account still that of who was enrolled? Somebody who has left approves nothing, nor for who has their number now. */
static enum mfa_outcome find_approver(const char *name, uid_t uid)
{
    uid_t found = UINT32_MAX;
    int r = names_of_machine.user(names_of_machine.context, name, &found);

    if (r == 0 && found == uid)
        return MFA_NEEDED;
    return r == 0 || r == -ENOENT ? MFA_NOT_ENROLLED : MFA_UNAVAILABLE;
}

/* Of another person's code. Tries that others have used up come back when the person gives a right code themselves, at a login or wherever. */
static void ask_approver(struct daemon *d, const struct factor_attempt *a, struct mfa_result *ret)
{
    if (ret->outcome == MFA_NEEDED)
        ret->outcome = find_approver(ret->name, a->uid);
    if (ret->outcome == MFA_NEEDED && is_of_another(a) && ret->failures >= others_share(d)) {
        ret->outcome = MFA_LOCKED;
        ret->number = 0;
    }
}

bool factor_is_looked_at(struct daemon *d, const struct factor_attempt *a, struct mfa_result *ret)
{
    const struct mfa_now now = factor_now();

    *ret = (struct mfa_result){.outcome = MFA_UNAVAILABLE};
    if (!d->mfa)
        return false;
    mfa_ask(d->mfa, a->uid, &now, ret);
    if (a->peer->uid != a->uid && strcmp(a->purpose, "approve") == 0)
        ask_approver(d, a, ret);
    return ret->outcome == MFA_NEEDED;
}

/* What a person sends of themselves the verifier judges alone. */
static bool is_verified(struct daemon *d, const struct factor_attempt *a, struct mfa_result *ret)
{
    return a->peer->uid == a->uid || strcmp(a->purpose, "approve") != 0 || factor_is_looked_at(d, a, ret);
}

void factor_verify(struct daemon *d, const struct factor_attempt *a, struct mfa_result *ret)
{
    const struct mfa_now now = factor_now();

    *ret = (struct mfa_result){.outcome = MFA_UNAVAILABLE};
    if (!d->mfa)
        return;
    if (is_verified(d, a, ret))
        mfa_verify(d->mfa, a->uid, a->code, &now, ret);
    factor_tick(d);
    factor_record(d, a, ret);
}
