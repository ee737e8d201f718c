/*
 * The verb that begins an export. What needs no code is asked first; then the codes (codes.c) of those whom the rules want. Must not: run the
 * export (exports.c).
 */
#include "daemon/control_export.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/text.h"
#include "daemon/answers.h"
#include "daemon/codes.h"
#include "daemon/daemon.h"
#include "daemon/exports.h"
#include "daemon/peer.h"
#include "daemon/recorder.h"
#include "device/block.h"
#include "json/whole.h"

/* --- the request --- */

struct fields {
    char *device, *reason;
    char *list; /* digest of the files, in hex */
    struct codes codes;
};

struct inquiry {
    struct daemon *d;
    const struct ctl_call *call;
    struct fields fields;
    const struct medium *medium;
    struct decide_person person;
    gid_t *gids; /* of the person */
    struct codes_people approvers;
    struct exports_wanted wanted;
    json_t **ret;
};

static void inquiry_done(struct inquiry *q)
{
    codes_done(&q->fields.codes);
    codes_people_done(&q->approvers);
    free(q->fields.device);
    free(q->fields.reason);
    free(q->fields.list);
    free(q->gids);
}

static int get_fields(struct buf_reader *in, struct fields *ret)
{
    struct digest list;
    int r = buf_get_string(in, GRANT_DEVICE_SIZE - 1, &ret->device);

    if (r >= 0)
        r = buf_get_string(in, GRANT_REASON_MAX, &ret->reason);
    if (r >= 0)
        r = buf_get_string(in, DIGEST_HEX_SIZE - 1, &ret->list);
    if (r >= 0)
        r = codes_get(in, &ret->codes);
    if (r >= 0 && (ret->device[0] == '\0' || ret->reason[0] == '\0' || !text_is_printable_utf8(ret->reason) ||
                   !text_is_printable_utf8(ret->device) || digest_from_hex(ret->list, &list) < 0))
        r = -EBADMSG;
    return r;
}

/* --- refusing --- */

/* Who may not, or cannot show that they may, is an event; a mistyped name is none (verdict_reason NULL). */
static enum ctl_code refuse(const struct inquiry *q, const char *reason, const char *text, const char *verdict_reason)
{
    struct audit_event e;

    *q->ret = json_pack("{s:s, s:s}", "message", text, "reason", reason);
    if (q->medium)
        whole_set(q->ret, "device", json_string(q->medium->id));
    if (!verdict_reason || !q->medium)
        return CTL_CODE_FAILED;
    audit_event_init(&e, AUDIT_EXPORT_FAILED);
    wire_media_fill(&e, q->medium);
    peer_fill_event(q->d, q->call->peer, &e);
    e.has_verdict = true;
    audit_set(e.rule, sizeof(e.rule), q->wanted.rule[0] != '\0' ? q->wanted.rule : q->medium->rule);
    audit_set(e.reason, sizeof(e.reason), verdict_reason);
    audit_set(e.message, sizeof(e.message), text);
    recorder_add_with(q->d->recorder, &e, "export",
                      json_pack("{s:s, s:s}", "reason", q->fields.reason, "list", q->fields.list));
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
    case EXPORTS_E_UNANSWERED:
        return refuse(q, "unanswered", "earlier exports still wait for files that do not answer", NULL);
    case EXPORTS_E_PAUSE:
        return refuse(q, "pause", "too many exports of this person came to nothing within a minute", NULL);
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

/* --- whose codes --- */

static enum ctl_code refuse_by_rule(const struct inquiry *q)
{
    const struct exports_wanted *w = &q->wanted;
    enum ctl_code code;
    size_t n = 0;

    for (size_t i = 0; i < q->fields.codes.n; i++)
        n += w->asked[i];
    if (w->reason == REASON_DEFAULT)
        return refuse(q, "target", "no rule exports to this medium", verdict_reason_name(w->reason));
    if (w->reason != REASON_APPROVAL)
        code = refuse(q, "rule", "no rule permits it to this person now", verdict_reason_name(w->reason));
    else if (n < q->fields.codes.n)
        code = refuse(q, "approver", "somebody is named who may not approve this", "approval");
    else
        code = refuse(q, "approval", "too few other people approve", "approval");
    whole_set(q->ret, "rule", json_string(w->rule));
    whole_set(q->ret, "verdict_reason", json_string(verdict_reason_name(w->reason)));
    whole_set(q->ret, "approvals", json_integer(w->approvals));
    return code;
}

/* The uids of the approvers of whom a code is wanted, or of the others. */
static size_t pick(const struct inquiry *q, bool asked, uid_t ret[static GRANT_APPROVERS_MAX])
{
    size_t n = 0;

    for (size_t i = 0; i < q->fields.codes.n; i++)
        if (q->wanted.asked[i] == asked)
            ret[n++] = q->fields.codes.approvers[i];
    return n;
}

static json_t *people(const struct inquiry *q, bool asked)
{
    uid_t uids[GRANT_APPROVERS_MAX];
    size_t n = pick(q, asked, uids);
    json_t *array = json_array();

    for (size_t i = 0; i < n; i++)
        whole_add(&array, json_integer(uids[i]));
    return array;
}

/* With what the person who gives one has to know: which medium it is. */
static enum ctl_code ask_for_codes(const struct inquiry *q)
{
    enum ctl_code code = refuse(q, "code-needed", "a code is needed", NULL);

    whole_set(q->ret, "node", answer_foreign_text(q->medium->node));
    whole_set(q->ret, "name", answer_foreign_text(q->medium->model));
    whole_set(q->ret, "serial", answer_foreign_text(q->medium->serial));
    whole_set(q->ret, "approvals", json_integer(q->wanted.approvals));
    whole_set(q->ret, "asked", people(q, true));
    whole_set(q->ret, "unasked", people(q, false));
    return code;
}

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
    char about[64], list[sizeof("list ") + DIGEST_HEX_SIZE];
    const struct codes_use use = {.daemon = q->d,
                                  .peer = q->call->peer,
                                  .purpose = "export",
                                  .about = about,
                                  .details = list,
                                  .asked = q->wanted.asked};
    struct mfa_result result;
    uid_t whose = 0;
    int r;

    (void)snprintf(about, sizeof(about), "export %.40s", q->medium->id);
    (void)snprintf(list, sizeof(list), "list %s", q->fields.list);
    r = codes_verify(&q->fields.codes, &use, &whose, &result);
    if (r < 0)
        *ret = refuse_code(q, whose, &result);
    return r;
}

/* --- the whole --- */

/* That somebody is there whom the medium's rule means makes nobody else one of them. */
static int check_person(struct inquiry *q, enum ctl_code *ret)
{
    uid_t uid = q->call->peer->uid;
    enum verdict_reason reason = REASON_UNKNOWN;
    gid_t *all;
    size_t n = 0;

    if (ctl_call_groups(q->call, &q->gids, &n) >= 0 && (all = reallocarray(q->gids, n + 1, sizeof(*all)))) {
        q->gids = all;
        all[n] = q->call->peer->gid;
        q->person = (struct decide_person){.uid = uid, .login_uid = uid, .gids = all, .n_gids = n + 1};
        reason = exports_target_reason(q->d, q->medium, &q->person);
    }
    if (reason == REASON_RULE)
        return 0;
    *ret = refuse(q, "target", "the medium's rule does not mean this person, or not now", verdict_reason_name(reason));
    return -EPERM;
}

static enum ctl_code begin(struct inquiry *q)
{
    uid_t asked[GRANT_APPROVERS_MAX], unasked[GRANT_APPROVERS_MAX];
    struct exports_request r = {.medium = q->medium,
                                .uid = q->call->peer->uid,
                                .gid = q->call->peer->gid,
                                .pid = q->call->peer->pid,
                                .peer = q->call->peer,
                                .reason = q->fields.reason,
                                .list = q->fields.list,
                                .factors = q->wanted.own ? POLICY_FACTOR_TOTP : 0,
                                .approvers = asked,
                                .n_approvers = pick(q, true, asked),
                                .unasked = unasked,
                                .n_unasked = pick(q, false, unasked),
                                .ticket = q->call->ticket};
    int e = ctl_call_groups(q->call, &r.gids, &r.n_gids);

    if (e >= 0)
        e = exports_begin(q->d, &r);
    return e == 0 ? CTL_CODE_LATER : refuse_begin(q, e);
}

/* What the rules say of this medium, this person and whom they name. */
static int ask_rules(struct inquiry *q, enum ctl_code *ret)
{
    const struct exports_question question = {
        .medium = q->medium, .person = &q->person, .approvers = q->approvers.items, .n_approvers = q->fields.codes.n};

    /* The name service is asked of nobody where no rule wants an approval. */
    if (exports_want_approvals(q->d, q->medium) && codes_find_people(&q->fields.codes, &q->approvers) < 0) {
        *ret = refuse(q, "approver", "who is named cannot be looked up", "approval");
        return -EPERM;
    }
    exports_ask(q->d, &question, &q->wanted);
    if (q->wanted.reason == REASON_RULE)
        return 0;
    *ret = refuse_by_rule(q);
    return -EPERM;
}

/* Everything that can be known before a code is looked at. */
static int check_all_else(struct inquiry *q, enum ctl_code *ret)
{
    int r = find_medium(q);

    if (r == -ENOENT)
        *ret = refuse(q, "no-device", "no medium of that name is there", NULL);
    else if (r < 0)
        *ret = refuse(q, "ambiguous", "more than one medium has that name: which?", NULL);
    else if (!is_target(q->medium))
        *ret = refuse(q, "target", "nothing is exported to this medium",
                      q->medium->verdict.kind == VERDICT_ALLOW ? verdict_reason_name(REASON_TARGET)
                                                               : verdict_reason_name(q->medium->verdict.reason));
    else if (!verdict_is_for(&q->medium->verdict, q->call->peer->uid))
        *ret = refuse(q, "locked", "somebody else has unlocked this medium", verdict_reason_name(REASON_LOCKED));
    else if (check_person(q, ret) < 0)
        return -EPERM;
    else if (!codes_are_of_others(&q->fields.codes, q->call->peer->uid))
        *ret = refuse(q, "approval", "an approver is another person, and each is named once", "approval");
    else if (!codes_are_of_other_logins(&q->fields.codes, q->d, q->call->peer))
        *ret = refuse(q, "self", "an approver is another person than who is logged in here", "approval");
    else if ((r = exports_check(q->d, q->medium, q->call->peer)) != 0)
        *ret = refuse_begin(q, r);
    else
        return ask_rules(q, ret);
    return -EPERM;
}

static enum ctl_code take_out(struct inquiry *q)
{
    enum ctl_code code = CTL_CODE_FAILED;

    if (check_all_else(q, &code) < 0)
        return code;
    if (q->wanted.own && !codes_are_there(&q->fields.codes, q->wanted.asked))
        return ask_for_codes(q);
    if (q->wanted.own && check_codes(q, &code) < 0)
        return code;
    return begin(q);
}

enum ctl_code control_on_export(void *context, const struct ctl_call *call, json_t **ret)
{
    struct inquiry q = {.d = context, .call = call, .ret = ret};
    enum ctl_code code = get_fields(call->fields, &q.fields) < 0 ? CTL_CODE_INVALID : take_out(&q);

    inquiry_done(&q);
    return code;
}
