/*
 * MFA-LOGIN: what the PAM module asks. Owns: whether policy asks this person for a code at this service, and the ways in without one: grace,
 * and root at the console in an emergency. Must not: take anything of the payload for an identity; only root's programs name a person.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "ctl/login.h"
#include "daemon/console.h"
#include "daemon/control_mfa.h"
#include "daemon/daemon.h"
#include "daemon/factor.h"
#include "daemon/names.h"
#include "daemon/recorder.h"
#include "daemon/rulebook.h"
#include "daemon/sessions.h"
#include "decide/match.h"
#include "policy/policy.h"

enum {
    ABOUT_SIZE = 160
};

/* The PAM module has the numbers from there. */
_Static_assert((int)CTL_LOGIN_REFUSED == MFA_REFUSED && (int)CTL_LOGIN_ACCEPTED == MFA_ACCEPTED &&
                   (int)CTL_LOGIN_WRONG == MFA_WRONG && (int)CTL_LOGIN_USED == MFA_USED &&
                   (int)CTL_LOGIN_WAIT == MFA_WAIT && (int)CTL_LOGIN_LOCKED == MFA_LOCKED &&
                   (int)CTL_LOGIN_ROLLBACK == MFA_ROLLBACK && (int)CTL_LOGIN_NOT_ENROLLED == MFA_NOT_ENROLLED &&
                   (int)CTL_LOGIN_UNAVAILABLE == MFA_UNAVAILABLE && (int)CTL_LOGIN_NEEDED == MFA_NEEDED &&
                   (int)CTL_LOGIN_NOT_NEEDED == MFA_NOT_NEEDED && (int)CTL_LOGIN_GRACE == MFA_GRACE &&
                   (int)CTL_LOGIN_SKEW == MFA_SKEW && (int)CTL_LOGIN_OUTCOMES_ == MFA_OUTCOME_COUNT_,
               "one numbering");

struct login {
    struct daemon *d;
    const struct ctl_call *call;
    uint8_t step;
    uint32_t uid;
    char *user, *service, *rhost, *tty, *code;
    char about[ABOUT_SIZE];
    uint8_t flags;
    struct mfa_result result;
};

static void login_done(struct login *l)
{
    free(l->user);
    free(l->service);
    free(l->rhost);
    free(l->tty);
    control_wipe_text(&l->code);
}

static int read_fields(struct login *l)
{
    struct buf_reader *r = l->call->fields;

    if (buf_get_u8(r, &l->step) < 0 || buf_get_u32(r, &l->uid) < 0 ||
        buf_get_string(r, CTL_LOGIN_TEXT_MAX, &l->user) < 0 ||
        buf_get_string(r, CTL_LOGIN_SERVICE_MAX, &l->service) < 0 ||
        buf_get_string(r, CTL_LOGIN_TEXT_MAX, &l->rhost) < 0 || buf_get_string(r, CTL_LOGIN_TEXT_MAX, &l->tty) < 0 ||
        buf_get_string(r, CTL_LOGIN_CODE_MAX, &l->code) < 0 || buf_get_end(r) < 0)
        return -EBADMSG;
    if (l->step > CTL_LOGIN_CONFIRM || l->service[0] == '\0' || l->uid == UINT32_MAX)
        return -EBADMSG;
    return 0;
}

/* --- policy --- */

/* Whom the rule means cannot be told: then it means them. */
static bool is_asked(const struct policy_mfa *p, uid_t uid)
{
    _cleanup_free_ gid_t *gids = NULL;
    struct decide_person person = {.uid = uid, .login_uid = uid};

    if (!p->who.restricted)
        return true;
    if (p->who.unasked || sessions_groups_of(uid, &gids, &person.n_gids, &person.groups_unknown) < 0)
        return true;
    person.gids = gids;
    return match_person(&p->who, &person) || (person.groups_unknown && p->who.groups.n > 0);
}

static bool is_ruled(const struct login *l)
{
    return rulebook_source(l->d->rulebook) != RULEBOOK_NONE;
}

/* No policy is in force, so whom it would ask is not known. Nobody is asked where nobody ever was: nothing was signed, nobody is enrolled. */
static bool is_used_here(const struct login *l)
{
    _cleanup_free_ struct mfa_credential *list = NULL;
    const struct mfa_now now = factor_now();
    size_t n = 0;

    if (trusted_condition(rulebook_trusted(l->d->rulebook)) != TRUSTED_NONE)
        return true;
    return mfa_list(l->d->mfa, &now, &list, &n) != 0 || n > 0;
}

/* Is this person asked for a code here? */
static bool is_needed(const struct login *l)
{
    const struct policy_mfa *p = &rulebook_policy(l->d->rulebook)->mfa;
    bool listed = p->services.n == 0;

    if (!is_ruled(l))
        return is_used_here(l);
    if (!p->login)
        return false;
    for (size_t i = 0; i < p->services.n; i++)
        listed = listed || text_equal(p->services.items[i], l->service);
    return listed && is_asked(p, l->uid);
}

/* --- the steps --- */

static struct factor_attempt attempt_of(const struct login *l)
{
    return (struct factor_attempt){
        .peer = l->call->peer, .uid = l->uid, .purpose = "login", .about = l->about, .code = l->code};
}

static void record(struct login *l)
{
    struct factor_attempt a = attempt_of(l);

    factor_record(l->d, &a, &l->result);
}

/* Of another person who had this uid, or had this name: nobody's code opens for somebody else. */
static bool is_own(const struct login *l)
{
    return l->call->peer->uid != 0 || l->result.record == 0 || text_equal(l->result.name, l->user);
}

static bool is_root_at_console(const struct login *l)
{
    return l->uid == 0 && l->call->peer->uid == 0 && text_equal(l->service, "login") &&
           console_check(l->d->proc_fd, l->call->peer) == 0;
}

/* On a machine that was started with kuraban.emergency, or to bring a policy where none is in force. */
static void let_in_by_emergency(struct login *l, const char *why)
{
    struct audit_event e;

    audit_event_init(&e, AUDIT_EMERGENCY);
    e.alarm = true;
    e.has_uid = true;
    e.uid = l->uid;
    e.pid = l->call->peer->pid;
    (void)snprintf(e.message, sizeof(e.message), "root logs in at the console without a code, %s: %.120s", why,
                   l->about);
    recorder_add(l->d->recorder, &e);
    /* It may be the full disk that has to be put right: the last way in is not closed by it. */
    if (recorder_sync(l->d->recorder) < 0)
        log_error("mfa.emergency", "recorded=no");
    l->result = (struct mfa_result){.outcome = MFA_GRACE};
    l->flags = CTL_LOGIN_EMERGENCY;
}

/* Without an enrolment: grace, then what policy lets the first login do. */
static void ask_grace(struct login *l, const struct mfa_now *now)
{
    const struct policy_mfa *p = &rulebook_policy(l->d->rulebook)->mfa;

    if (!is_ruled(l))
        return;
    if (p->grace_us > 0)
        mfa_grace(l->d->mfa, l->uid, p->grace_us, now, &l->result);
    if (p->enrol == POLICY_ENROL_FIRST_LOGIN &&
        (l->result.outcome == MFA_GRACE || (l->result.outcome == MFA_NOT_ENROLLED && p->grace_us == 0)))
        l->flags |= CTL_LOGIN_ENROL_OPEN;
}

static void ask(struct login *l)
{
    const struct mfa_now now = factor_now();

    if (!is_needed(l)) {
        l->result.outcome = MFA_NOT_NEEDED;
        return;
    }
    if (l->d->emergency_boot && is_root_at_console(l)) {
        let_in_by_emergency(l, "kuraban.emergency");
        return;
    }
    mfa_ask(l->d->mfa, l->uid, &now, &l->result);
    if (!is_own(l))
        l->result.outcome = MFA_REFUSED;
    if (l->result.outcome == MFA_NOT_ENROLLED && !is_ruled(l) && is_root_at_console(l)) {
        let_in_by_emergency(l, "no policy is in force");
        return;
    }
    if (l->result.outcome == MFA_NOT_ENROLLED)
        ask_grace(l, &now);
    if (l->result.outcome == MFA_NEEDED)
        return;
    factor_tick(l->d);
    record(l);
}

static void verify(struct login *l)
{
    const struct mfa_now now = factor_now();
    struct factor_attempt a = attempt_of(l);

    mfa_ask(l->d->mfa, l->uid, &now, &l->result);
    if (is_own(l)) {
        factor_verify(l->d, &a, &l->result);
        return;
    }
    l->result.outcome = MFA_REFUSED;
    record(l);
}

/* Is enrolment at the login open to them? As in step 0. */
static bool may_enrol_here(struct login *l)
{
    const struct mfa_now now = factor_now();
    uid_t found = UINT32_MAX;

    mfa_ask(l->d->mfa, l->uid, &now, &l->result);
    if (l->result.outcome != MFA_NOT_ENROLLED || !is_needed(l))
        return false;
    ask_grace(l, &now);
    if (!(l->flags & CTL_LOGIN_ENROL_OPEN))
        return false;
    return names_of_machine.user(names_of_machine.context, l->user, &found) == 0 && found == l->uid;
}

static int enrol(struct login *l, struct buf *more)
{
    const struct mfa_now now = factor_now();
    struct mfa_offer offer = {0};
    int r = MFA_E_NOT_BEGUN;

    if (may_enrol_here(l))
        r = mfa_enrol_begin(l->d->mfa, l->uid, l->user, control_issuer(l->d), NULL, &now, &offer);
    l->result = (struct mfa_result){.outcome = r == 0                   ? MFA_ACCEPTED
                                               : r == MFA_E_UNAVAILABLE ? MFA_UNAVAILABLE
                                                                        : MFA_REFUSED};
    if (r == 0)
        r = buf_add_string(more, offer.base32);
    if (r == 0)
        r = buf_add_string(more, offer.uri);
    mfa_offer_wipe(&offer);
    return r;
}

static enum mfa_outcome outcome_of(int error)
{
    switch (error) {
    case 0:
        return MFA_ACCEPTED;
    case MFA_E_CODES:
        return MFA_WRONG;
    case MFA_E_SKEW:
        return MFA_SKEW;
    case MFA_E_UNAVAILABLE:
        return MFA_UNAVAILABLE;
    default:
        return error < 0 ? MFA_UNAVAILABLE : MFA_REFUSED;
    }
}

static int confirm(struct login *l, struct buf *more)
{
    const struct mfa_now now = factor_now();
    struct mfa_recovery recovery = {0};
    char *second = strchr(l->code, ' ');
    int r = MFA_E_CODES, minutes = 0;

    if (second)
        *second++ = '\0';
    if (!may_enrol_here(l))
        r = MFA_E_NOT_BEGUN;
    else if (second)
        r = mfa_enrol_confirm(l->d->mfa, l->uid, l->code, second, &now, &recovery, &minutes);
    if (second)
        second[-1] = ' '; /* to be wiped as a whole */
    l->result = (struct mfa_result){.outcome = outcome_of(r), .number = (uint32_t)(minutes < 0 ? -minutes : minutes)};
    if (r == 0) {
        factor_record_change(l->d, l->call->peer, l->uid, true, "enrolled at a login", l->about);
        r = control_add_recovery(more, &recovery);
    }
    mfa_recovery_wipe(&recovery);
    record(l);
    return r;
}

/* --- from outside --- */

/* For the journal. What a person's own program says of itself may be another text each time, and names no place that could be believed. */
static void tell_about(struct login *l)
{
    const struct policy_mfa *p = &rulebook_policy(l->d->rulebook)->mfa;
    const char *service = "";

    if (l->call->peer->uid == 0) {
        (void)snprintf(l->about, sizeof(l->about), "%.64s%s%.40s%s%.40s", l->service, l->rhost[0] ? " from " : "",
                       l->rhost, l->tty[0] ? " at " : "", l->tty);
        return;
    }
    for (size_t i = 0; i < p->services.n; i++)
        service = text_equal(p->services.items[i], l->service) ? l->service : service;
    (void)snprintf(l->about, sizeof(l->about), "%s%sa program of their own", service, service[0] ? ", says " : "");
}

static int run(struct login *l, struct buf *more)
{
    int r = 0;

    switch (l->step) {
    case CTL_LOGIN_ASK:
        ask(l);
        break;
    case CTL_LOGIN_VERIFY:
        verify(l);
        break;
    case CTL_LOGIN_ENROL:
        r = enrol(l, more);
        break;
    default:
        r = confirm(l, more);
        break;
    }
    return r < 0 ? r : 0;
}

static enum ctl_code answer(struct login *l)
{
    struct buf *reply = l->call->reply;
    struct buf more;
    int r;

    buf_init(&more, 4096);
    r = run(l, &more);
    if (r >= 0)
        r = buf_add_u8(reply, (uint8_t)l->result.outcome);
    if (r >= 0)
        r = buf_add_u32(reply, l->result.number);
    if (r >= 0)
        r = buf_add_u8(reply, l->flags);
    if (r >= 0)
        r = buf_add(reply, more.data, more.size);
    buf_done(&more);
    return r < 0 ? CTL_CODE_FAILED : CTL_CODE_OK;
}

enum ctl_code control_on_mfa_login(void *context, const struct ctl_call *call, struct json_t **ret)
{
    _cleanup_(login_done) struct login l = {.d = context, .call = call};

    (void)ret;
    if (read_fields(&l) < 0)
        return CTL_CODE_INVALID;
    if (call->peer->uid != 0 && l.uid != call->peer->uid)
        return CTL_CODE_DENIED;
    tell_about(&l);
    return answer(&l);
}
