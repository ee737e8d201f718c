/*
 * The verb that begins an export. What needs no code is asked first; then the code of who asks, then those of who approves. Owns the codes
 * while they are here, and wipes them. Must not: run the export (exports.c).
 */
#include "daemon/control_export.h"

#include <errno.h>
#include <jansson.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "daemon/daemon.h"
#include "daemon/exports.h"
#include "daemon/factor.h"
#include "daemon/recorder.h"
#include "daemon/rulebook.h"
#include "daemon/sessions.h"
#include "device/block.h"

/* --- the request --- */

struct fields {
    char *device, *reason;
    uint8_t n;
    uid_t approvers[GRANT_APPROVERS_MAX];
    char *codes[1 + GRANT_APPROVERS_MAX]; /* the first is that of who asks; "": none */
};

struct inquiry {
    struct daemon *d;
    const struct ctl_call *call;
    struct fields fields;
    const struct medium *medium;
    json_t **ret;
};

static void fields_done(struct fields *f)
{
    for (size_t i = 0; i < ELEMENTS(f->codes); i++) {
        if (f->codes[i])
            OPENSSL_cleanse(f->codes[i], strlen(f->codes[i]));
        free(f->codes[i]);
    }
    free(f->device);
    free(f->reason);
}

static int get_approvers(struct buf_reader *in, struct fields *ret)
{
    int r = buf_get_u8(in, &ret->n);

    if (r >= 0 && ret->n > GRANT_APPROVERS_MAX)
        r = -EBADMSG;
    for (size_t i = 0; r >= 0 && i < ret->n; i++) {
        uint32_t uid = 0;

        r = buf_get_u32(in, &uid);
        if (r >= 0)
            r = buf_get_string(in, MFA_CODE_MAX, &ret->codes[1 + i]);
        ret->approvers[i] = uid;
    }
    return r;
}

static int get_fields(struct buf_reader *in, struct fields *ret)
{
    int r = buf_get_string(in, GRANT_DEVICE_SIZE - 1, &ret->device);

    if (r >= 0)
        r = buf_get_string(in, GRANT_REASON_MAX, &ret->reason);
    if (r >= 0)
        r = buf_get_string(in, MFA_CODE_MAX, &ret->codes[0]);
    if (r >= 0)
        r = get_approvers(in, ret);
    if (r >= 0)
        r = buf_get_end(in);
    if (r >= 0 && (ret->device[0] == '\0' || ret->reason[0] == '\0' || !text_is_printable_utf8(ret->reason) ||
                   !text_is_printable_utf8(ret->device)))
        r = -EBADMSG;
    return r;
}

/* --- refusing --- */

static void add(json_t *o, const char *key, json_t *value)
{
    if (o && json_object_set_new(o, key, value) < 0)
        json_decref(value);
}

/* Who may not, or cannot show that they may, is an event; a mistyped name is none (verdict_reason NULL). */
static enum ctl_code refuse(const struct inquiry *q, const char *reason, const char *text, const char *verdict_reason)
{
    struct audit_event e;

    *q->ret = json_pack("{s:s, s:s}", "message", text, "reason", reason);
    if (q->medium)
        add(*q->ret, "device", json_string(q->medium->id));
    if (!verdict_reason || !q->medium)
        return CTL_CODE_FAILED;
    audit_event_init(&e, AUDIT_EXPORT_FAILED);
    wire_media_fill(&e, q->medium);
    e.has_uid = e.has_verdict = true;
    e.uid = q->call->peer->uid;
    e.pid = q->call->peer->pid;
    audit_set(e.rule, sizeof(e.rule), q->medium->rule);
    audit_set(e.reason, sizeof(e.reason), verdict_reason);
    audit_set(e.message, sizeof(e.message), text);
    recorder_add_with(q->d->recorder, &e, "export", json_pack("{s:s}", "reason", q->fields.reason));
    return CTL_CODE_FAILED;
}

static enum ctl_code refuse_begin(const struct inquiry *q, int outcome)
{
    switch (outcome) {
    case EXPORTS_E_BUSY:
        return refuse(q, "busy", "another export is running", NULL);
    case EXPORTS_E_JOURNAL:
        return refuse(q, "journal", "the journal could not take it, so nothing was begun", NULL);
    case EXPORTS_E_LEDGER:
        return refuse(q, "ledger", "what was taken out today cannot be looked up, so nothing was begun", "limit");
    case EXPORTS_E_FILESYSTEM:
        return refuse(q, "filesystem", "the medium's filesystem is not one that is written to", NULL);
    default:
        return refuse(q, "failed", strerrordesc_np(-outcome), NULL);
    }
}

/* --- the medium --- */

static bool is_called(const struct medium *m, const char *name)
{
    return strcmp(m->id, name) == 0 || strcmp(m->node, name) == 0 || strcmp(m->name, name) == 0 ||
           (m->label[0] != '\0' && strcmp(m->label, name) == 0) ||
           (m->serial[0] != '\0' && strcmp(m->serial, name) == 0) ||
           (m->partition && text_starts(name, "/dev/") && strcmp(m->disk, name + strlen("/dev/")) == 0);
}

static bool is_target(const struct medium *m)
{
    return m->verdict.kind == VERDICT_ALLOW && m->verdict.allow == POLICY_EXPORT;
}

/* Of several with that name (a disk and its partitions share a serial number) the one that may be exported to. */
static int find_medium(struct inquiry *q)
{
    const struct medium *any = NULL;
    size_t n = 0;

    for (size_t i = 0; q->d->block && i < block_manager_count(q->d->block); i++) {
        const struct medium *m = block_manager_at(q->d->block, i);

        if (m->container || !is_called(m, q->fields.device))
            continue;
        any = any ? any : m;
        if (is_target(m)) {
            q->medium = m;
            n++;
        }
    }
    if (n == 0)
        q->medium = any;
    return n > 1 ? -ENOTUNIQ : any ? 0 : -ENOENT;
}

/* --- what is to be shown --- */

struct wanted {
    uint8_t factors;
    unsigned approvals;
    bool any; /* a rule names the target */
};

/* Which files it will be is not known yet: what any rule of the target asks for. Each file is decided by its own rule later. */
static void find_wanted(const struct inquiry *q, struct wanted *ret)
{
    const struct policy *p = rulebook_policy(q->d->rulebook);

    *ret = (struct wanted){0};
    for (size_t i = 0; i < p->n_export; i++) {
        const struct policy_export_rule *r = &p->export[i];

        for (size_t j = 0; j < r->to.n; j++) {
            if (strcmp(r->to.items[j], q->medium->rule) != 0)
                continue;
            ret->any = true;
            ret->factors |= r->factors;
            ret->approvals = r->approvals > ret->approvals ? r->approvals : ret->approvals;
        }
    }
}

static enum ctl_code ask_for_codes(const struct inquiry *q, const struct wanted *w)
{
    enum ctl_code code = refuse(q, "code-needed", "a code is needed", NULL);

    add(*q->ret, "approvals", json_integer(w->approvals));
    return code;
}

static enum ctl_code refuse_code(const struct inquiry *q, uid_t whose, const struct mfa_result *result)
{
    char text[96];
    enum ctl_code code;

    (void)snprintf(text, sizeof(text), "code of user %u: %s", whose, mfa_outcome_name(result->outcome));
    code = refuse(q, "code", text, whose == q->call->peer->uid ? "factor" : "approval");
    add(*q->ret, "whose", json_integer(whose));
    add(*q->ret, "outcome", json_string(mfa_outcome_name(result->outcome)));
    add(*q->ret, "number", json_integer(result->number));
    return code;
}

static bool approvers_are_others(const struct inquiry *q)
{
    for (size_t i = 0; i < q->fields.n; i++) {
        if (q->fields.approvers[i] == q->call->peer->uid)
            return false;
        for (size_t j = 0; j < i; j++)
            if (q->fields.approvers[i] == q->fields.approvers[j])
                return false;
    }
    return true;
}

/* All or nothing; but what was given is used up, and what was wrong counts. */
static int check_codes(const struct inquiry *q, enum ctl_code *ret)
{
    char about[AUDIT_ID_MAX];

    (void)snprintf(about, sizeof(about), "export %s", q->medium->id);
    for (size_t i = 0; i < 1U + q->fields.n; i++) {
        struct mfa_result result = {0};
        const struct factor_attempt attempt = {
            .peer = q->call->peer,
            .uid = i == 0 ? q->call->peer->uid : q->fields.approvers[i - 1],
            .purpose = i == 0 ? "export" : "approve",
            .about = about,
            .code = q->fields.codes[i],
        };

        factor_verify(q->d, &attempt, &result);
        if (result.outcome != MFA_ACCEPTED) {
            *ret = refuse_code(q, attempt.uid, &result);
            return -EPERM;
        }
    }
    return 0;
}

/* --- the whole --- */

/* Before a code is looked at. That somebody is there whom the medium's rule means makes nobody else one of them. */
static int check_person(const struct inquiry *q, enum ctl_code *ret)
{
    struct decide_person person = {.uid = q->call->peer->uid, .login_uid = q->call->peer->uid};
    _cleanup_free_ gid_t *gids = NULL;
    enum verdict_reason reason = REASON_UNKNOWN;
    gid_t *all;
    size_t n = 0;

    if (ctl_call_groups(q->call, &gids, &n) >= 0 && (all = reallocarray(gids, n + 1, sizeof(*all)))) {
        gids = all;
        gids[n] = q->call->peer->gid;
        person.gids = gids;
        person.n_gids = n + 1;
        reason = exports_target_reason(q->d, q->medium, &person);
    }
    if (reason == REASON_RULE)
        return 0;
    *ret = refuse(q, "target", "the medium's rule does not mean this person, or not now", verdict_reason_name(reason));
    return -EPERM;
}

static enum ctl_code begin(struct inquiry *q, bool shown)
{
    struct exports_request r = {.medium = q->medium,
                                .uid = q->call->peer->uid,
                                .gid = q->call->peer->gid,
                                .pid = q->call->peer->pid,
                                .reason = q->fields.reason,
                                .factors = shown ? POLICY_FACTOR_TOTP : 0,
                                .approvers = q->fields.approvers,
                                .n_approvers = shown ? q->fields.n : 0,
                                .ticket = q->call->ticket};
    int e = ctl_call_groups(q->call, &r.gids, &r.n_gids);

    if (e >= 0)
        e = exports_begin(q->d, &r);
    return e == 0 ? CTL_CODE_LATER : refuse_begin(q, e);
}

static enum ctl_code take_out(struct inquiry *q)
{
    enum ctl_code code = CTL_CODE_FAILED;
    bool shown = q->fields.codes[0][0] != '\0';
    struct wanted wanted;
    int r = find_medium(q);

    if (r == -ENOENT)
        return refuse(q, "no-device", "no medium of that name is there", NULL);
    if (r < 0)
        return refuse(q, "ambiguous", "more than one medium has that name: which?", NULL);
    if (!is_target(q->medium))
        return refuse(q, "target", "nothing is exported to this medium",
                      q->medium->verdict.kind == VERDICT_ALLOW ? verdict_reason_name(REASON_TARGET)
                                                               : verdict_reason_name(q->medium->verdict.reason));
    if (!verdict_is_for(&q->medium->verdict, q->call->peer->uid))
        return refuse(q, "locked", "somebody else has unlocked this medium", verdict_reason_name(REASON_LOCKED));
    if (check_person(q, &code) < 0)
        return code;
    find_wanted(q, &wanted);
    if (!wanted.any)
        return refuse(q, "target", "no rule exports to this medium", verdict_reason_name(REASON_DEFAULT));
    if (!approvers_are_others(q))
        return refuse(q, "approval", "an approver is another person, and each is named once", "approval");
    if (!shown && (wanted.factors & POLICY_FACTOR_TOTP))
        return ask_for_codes(q, &wanted);
    if (shown && check_codes(q, &code) < 0)
        return code;
    return begin(q, shown);
}

enum ctl_code control_on_export(void *context, const struct ctl_call *call, json_t **ret)
{
    struct inquiry q = {.d = context, .call = call, .ret = ret};
    enum ctl_code code = get_fields(call->fields, &q.fields) < 0 ? CTL_CODE_INVALID : take_out(&q);

    fields_done(&q.fields);
    return code;
}
