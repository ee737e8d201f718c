/*
 * The verbs of grants: who may have one. Everything that needs no code is asked first, so that nobody gives a code in vain; then the
 * codes (codes.c). Must not change devices: unlock.c does.
 */
#include "daemon/control_grant.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "daemon/answers.h"
#include "daemon/codes.h"
#include "daemon/daemon.h"
#include "daemon/peer.h"
#include "daemon/recorder.h"
#include "daemon/rulebook.h"
#include "daemon/sessions.h"
#include "daemon/unlock.h"
#include "decide/match.h"
#include "device/block.h"
#include "device/usb.h"
#include "json/whole.h"

enum {
    DEVICE_MAX = GRANT_DEVICE_SIZE - 1,
};

/* --- the request --- */

struct unlock_fields {
    char *device, *reason;
    uint32_t seconds;
    struct codes codes;
};

static void fields_done(struct unlock_fields *f)
{
    codes_done(&f->codes);
    free(f->device);
    free(f->reason);
}

/* 0 or -EBADMSG: also for what no grant could ever have. */
static int get_fields(struct buf_reader *in, struct unlock_fields *ret)
{
    int r = buf_get_string(in, DEVICE_MAX, &ret->device);

    if (r >= 0)
        r = buf_get_u32(in, &ret->seconds);
    if (r >= 0)
        r = buf_get_string(in, GRANT_REASON_MAX, &ret->reason);
    if (r >= 0)
        r = codes_get(in, &ret->codes);
    if (r >= 0 &&
        (ret->reason[0] == '\0' || !text_is_printable_utf8(ret->reason) || !text_is_printable_utf8(ret->device)))
        r = -EBADMSG;
    return r;
}

/* --- refusing --- */

/* One request on its way through the questions. */
struct inquiry {
    struct daemon *d;
    const struct ctl_call *call;
    const struct unlock_fields *fields;
    struct unlock_target target;
    struct codes_people approvers;
    json_t **ret;
};

/* Who types the wrong name is no event; who may not, or cannot show that they may, is one. */
static void record_refusal(const struct inquiry *q, const char *verdict_reason, const char *text)
{
    struct audit_event e;
    char message[AUDIT_TEXT_MAX], who[48] = "";
    size_t used = 0;

    audit_event_init(&e, AUDIT_GRANT_REFUSED);
    peer_fill_event(q->d, q->call->peer, &e);
    e.has_verdict = true;
    unlock_fill_event(q->d, &q->target.device, &e);
    audit_set(e.rule, sizeof(e.rule), q->target.rule);
    audit_set(e.reason, sizeof(e.reason), verdict_reason);
    for (size_t i = 0; i < q->fields->codes.n && used < sizeof(who); i++)
        used += (size_t)snprintf(who + used, sizeof(who) - used, "%s%u", i ? ", " : "; approvers ",
                                 q->fields->codes.approvers[i]);
    (void)snprintf(message, sizeof(message), "%s%s; reason: %.180s", text, who, q->fields->reason);
    audit_set(e.message, sizeof(e.message), message);
    recorder_add(q->d->recorder, &e);
}

/* reason is stable (docs/PROTOCOL.control.md). verdict_reason NULL: not recorded. */
static enum ctl_code refuse(const struct inquiry *q, const char *reason, const char *text, const char *verdict_reason)
{
    *q->ret = json_pack("{s:s, s:s}", "message", text, "reason", reason);
    if (q->target.device.id[0] != '\0') {
        whole_set(q->ret, "device", json_string(q->target.device.id));
        whole_set(q->ret, "rule", json_string(q->target.rule));
    }
    if (verdict_reason)
        record_refusal(q, verdict_reason, text);
    return CTL_CODE_FAILED;
}

static enum ctl_code refuse_outcome(const struct inquiry *q, int outcome)
{
    const struct policy_unlock *u = grant_unlock_of(rulebook_policy(q->d->rulebook), q->target.rule);
    enum ctl_code code;

    switch (outcome) {
    case GRANT_E_APPROVAL:
        code = refuse(q, "approval", "too few other people approve, or one of them twice", "approval");
        whole_set(q->ret, "approvals", json_integer(u ? u->approvals : 0));
        return code;
    case GRANT_E_APPROVER:
        return refuse(q, "approver", "somebody is named who may not approve this, or more people than the rule wants",
                      "approval");
    case GRANT_E_FACTOR:
        return refuse(q, "factor", "the rule wants a factor that cannot be shown here", "factor");
    case GRANT_E_TAKEN:
        return refuse(q, "taken", "somebody else has unlocked it", "locked");
    case GRANT_E_MANY:
    case GRANT_E_FULL:
        return refuse(q, "many", "too much is unlocked at the same time", "limit");
    case UNLOCK_E_JOURNAL:
        return refuse(q, "journal", "the journal could not take it, so nothing was opened", NULL);
    default:
        return refuse(q, "not-locked", "the rule unlocks nothing", NULL);
    }
}

static enum ctl_code refuse_target(const struct inquiry *q, int outcome)
{
    enum ctl_code code;

    if (outcome == UNLOCK_TARGET_NONE)
        return refuse(q, "no-device", "no device or medium of that name is there", NULL);
    if (outcome == UNLOCK_TARGET_MANY)
        return refuse(q, "ambiguous", "more than one is locked: which?", NULL);
    if (q->fields->device[0] != '\0' && q->target.verdict && unlock_in_force(q->d, q->target.usb, q->target.medium))
        return refuse_outcome(q, GRANT_E_TAKEN);
    code = refuse(q, "not-locked", "it is not locked", NULL);
    if (q->target.verdict) {
        whole_set(q->ret, "verdict", json_string(verdict_kind_name(q->target.verdict->kind)));
        whole_set(q->ret, "verdict_reason", json_string(verdict_reason_name(q->target.verdict->reason)));
    }
    return code;
}

/* --- who may --- */

static bool is_here(const struct daemon *d, uid_t uid)
{
    size_t n = 0;
    const struct decide_person *people = sessions_people(d->sessions, &n);

    for (size_t i = 0; i < n; i++)
        if (people[i].uid == uid)
            return true;
    return false;
}

static bool names_people(const struct policy *p, const char *rule)
{
    const struct policy_usb_rule *usb = policy_find_usb_rule(p, rule);
    const struct policy_medium_rule *medium = usb ? NULL : policy_find_medium_rule(p, rule);

    return (usb && usb->who.restricted) || (medium && medium->who.restricted);
}

/* A rule that names people means them at the machine, not over the network. */
static int check_person(const struct inquiry *q, enum ctl_code *ret)
{
    const struct policy *p = rulebook_policy(q->d->rulebook);
    uid_t uid = q->call->peer->uid;
    struct decide_person person = {.uid = uid, .login_uid = uid, .groups_unknown = true};
    _cleanup_free_ gid_t *gids = NULL;
    struct decide_time now;
    enum verdict_reason reason = REASON_UNKNOWN;

    decide_time_local(unlock_now().wall_us, &now);
    decide_time_not_before(&now, p->not_before_us);
    if (sessions_groups_of(uid, &gids, &person.n_gids, &person.groups_unknown) == 0) {
        person.gids = gids;
        reason = grant_permits(p, q->target.rule, &person, &now);
    }
    if (reason != REASON_RULE) {
        *ret = refuse(q, verdict_reason_name(reason), "the rule does not mean this person, or not now",
                      verdict_reason_name(reason));
        return -EPERM;
    }
    if (names_people(p, q->target.rule) && !is_here(q->d, uid)) {
        *ret = refuse(q, "away", "the rule names people, and this person is not at the machine", "who");
        return -EPERM;
    }
    return 0;
}

/* --- codes --- */

static enum ctl_code refuse_code(const struct inquiry *q, uid_t whose, const struct mfa_result *result)
{
    char text[96];
    enum ctl_code code;

    (void)snprintf(text, sizeof(text), "code of user %u: %s", whose, mfa_outcome_name(result->outcome));
    code = refuse(q, "code", text, whose == q->call->peer->uid ? "factor" : "approval");
    codes_describe(q->ret, whose, result);
    return code;
}

static int check_codes(const struct inquiry *q, enum ctl_code *ret)
{
    const struct codes_use use = {
        .daemon = q->d, .peer = q->call->peer, .purpose = "unlock", .about = q->target.device.id};
    struct mfa_result result;
    uid_t whose = 0;
    int r = codes_verify(&q->fields->codes, &use, &whose, &result);

    if (r < 0)
        *ret = refuse_code(q, whose, &result);
    return r;
}

/* What the codes will be for; nothing was tried yet. With what the people who give them have to know: which device it is. */
static enum ctl_code ask_for_codes(const struct inquiry *q)
{
    const struct policy_unlock *u = grant_unlock_of(rulebook_policy(q->d->rulebook), q->target.rule);
    const struct usb_device *usb = q->target.usb;
    const struct medium *m = q->target.medium;
    enum ctl_code code = refuse(q, "code-needed", "a code is needed", NULL);

    whole_set(q->ret, "node", answer_foreign_text(usb ? usb_device_port(usb) : m->node));
    whole_set(q->ret, "name", answer_foreign_text(usb ? usb_device_name(usb) : m->model));
    whole_set(q->ret, "serial", answer_foreign_text(usb ? usb_device_serial(usb) : m->serial));
    whole_set(q->ret, "approvals", json_integer(u->approvals));
    whole_set(q->ret, "seconds", json_integer((u->for_us < GRANT_LONGEST_US ? u->for_us : GRANT_LONGEST_US) / 1000000));
    return code;
}

static enum ctl_code unlock(struct inquiry *q)
{
    struct grant_request r = {.uid = q->call->peer->uid,
                              .purpose = GRANT_USE,
                              .rule = q->target.rule,
                              .approvers = q->approvers.items,
                              .n_approvers = q->fields->codes.n,
                              .reason = q->fields->reason,
                              .for_us = (int64_t)q->fields->seconds * 1000000};
    struct grant_time now = unlock_now();
    enum ctl_code code = CTL_CODE_FAILED;
    struct grant g;
    int outcome = unlock_find_target(q->d, q->fields->device, r.uid, &q->target);

    if (outcome != 0)
        return refuse_target(q, outcome);
    r.device = q->target.device;
    if (check_person(q, &code) < 0)
        return code;
    /* The name service is asked of nobody beyond those whom the rule can want. */
    outcome = grant_check_number(rulebook_policy(q->d->rulebook), q->target.rule, r.n_approvers);
    if (outcome != 0)
        return refuse_outcome(q, outcome);
    if (codes_find_people(&q->fields->codes, &q->approvers) < 0)
        return refuse_outcome(q, GRANT_E_APPROVER);
    outcome = grant_check(q->d->grants, rulebook_policy(q->d->rulebook), &r, &now, true);
    if (outcome != 0)
        return refuse_outcome(q, outcome);
    if (!codes_are_of_other_logins(&q->fields->codes, q->d, q->call->peer))
        return refuse(q, "self", "an approver is another person than who is logged in here", "approval");
    if (!codes_are_there(&q->fields->codes, NULL))
        return ask_for_codes(q);
    if (check_codes(q, &code) < 0)
        return code;
    r.factors = POLICY_FACTOR_TOTP;
    outcome = unlock_give(q->d, &r, q->call->peer->pid, &g);
    if (outcome != 0)
        return refuse_outcome(q, outcome);
    now = unlock_now();
    *q->ret = answer_grant(&g, &now, true);
    return *q->ret ? CTL_CODE_OK : CTL_CODE_FAILED;
}

enum ctl_code control_on_unlock(void *context, const struct ctl_call *call, json_t **ret)
{
    struct unlock_fields fields = {0};
    struct inquiry q = {.d = context, .call = call, .fields = &fields, .ret = ret};
    enum ctl_code code = get_fields(call->fields, &fields) < 0 ? CTL_CODE_INVALID : unlock(&q);

    codes_people_done(&q.approvers);
    fields_done(&fields);
    return code;
}

/* --- the others --- */

enum ctl_code control_on_grants(void *context, const struct ctl_call *call, json_t **ret)
{
    if (buf_get_end(call->fields) < 0)
        return CTL_CODE_INVALID;
    *ret = answer_grants(context, call->peer->uid);
    return *ret ? CTL_CODE_OK : CTL_CODE_FAILED;
}

/* Of these grants, the first that this person may end; NULL: none any more. target NULL: whatever it is of. */
static const struct grant *next_to_end(const struct daemon *d, const struct ctl_peer *peer,
                                       const struct unlock_target *target)
{
    for (size_t i = 0; i < grants_count(d->grants); i++) {
        const struct grant *g = grants_at(d->grants, i);

        if ((peer->uid == 0 || g->uid == peer->uid) && (!target || strcmp(g->device.id, target->device.id) == 0))
            return g;
    }
    return NULL;
}

/* An id is as good as the name: what is unlocked may be called by either. */
static bool names_grant(const struct grant *g, const char *device)
{
    const char *at = strrchr(g->device.id, '@');

    return strcmp(g->device.id, device) == 0 || (at && strcmp(at + 1, device) == 0);
}

static void find_to_end(const struct daemon *d, const struct ctl_peer *peer, const char *device,
                        struct unlock_target *ret)
{
    for (size_t i = 0; i < grants_count(d->grants); i++) {
        const struct grant *g = grants_at(d->grants, i);

        if ((peer->uid == 0 || g->uid == peer->uid) && names_grant(g, device)) {
            ret->device = g->device;
            return;
        }
    }
    /* root ends those of others: their holder is who would unlock it anew */
    for (size_t i = 0; i < grants_count(d->grants); i++) {
        uid_t uid = grants_at(d->grants, i)->uid;

        if ((peer->uid == 0 || uid == peer->uid) && unlock_find_target(d, device, uid, ret) == 0)
            return;
    }
    *ret = (struct unlock_target){0};
}

enum ctl_code control_on_unlock_end(void *context, const struct ctl_call *call, json_t **ret)
{
    struct daemon *d = context;
    _cleanup_free_ char *device = NULL;
    struct unlock_target target = {0};
    struct grant_time now = unlock_now();
    const struct grant *g;
    json_t *ended;

    if (buf_get_string(call->fields, DEVICE_MAX, &device) < 0 || buf_get_end(call->fields) < 0)
        return CTL_CODE_INVALID;
    if (device[0] != '\0')
        find_to_end(d, call->peer, device, &target);
    ended = json_array();
    while ((g = next_to_end(d, call->peer, device[0] != '\0' ? &target : NULL))) {
        whole_add(&ended, answer_grant(g, &now, true));
        (void)unlock_end(d, g->id, call->peer->uid);
    }
    if (!ended || json_array_size(ended) > 0) {
        *ret = json_pack("{s:o}", "ended", ended);
        return *ret ? CTL_CODE_OK : CTL_CODE_FAILED;
    }
    json_decref(ended);
    *ret = json_pack("{s:s, s:s}", "message", "nothing is unlocked", "reason", "no-grant");
    return CTL_CODE_FAILED;
}
