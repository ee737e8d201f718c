/*
 * The verbs of the courier. Owns: that what it brings is judged, kept, carried out and recorded in this order, and what it is given of the journal.
 * Must not: take a descriptor from it (giving that up could be made to wait for ever), or record an acknowledgement: each record wants another.
 */
#include "daemon/control_fleet.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "ctl/sealed.h"
#include "daemon/answers.h"
#include "daemon/control_trust.h"
#include "daemon/daemon.h"
#include "daemon/fleet.h"
#include "daemon/peer.h"
#include "daemon/recorder.h"
#include "daemon/rulebook.h"
#include "daemon/unlock.h"
#include "policy/trust/write.h"

enum {
    RECORD_MAX = 256 * 1024, /* bytes of one answer */
    PIECE_MAX = 48 * 1024,   /* of a bundle, in one request */
    SAY_MAX = 256,
};

static enum ctl_code code_of(json_t *answer, json_t **ret)
{
    *ret = answer;
    return answer ? CTL_CODE_OK : CTL_CODE_FAILED;
}

static enum ctl_code fail(json_t **ret, const char *reason, const char *text, const char *complaint)
{
    *ret = json_pack("{s:s, s:s, s:o}", "message", text, "reason", reason, "complaint", answer_foreign_text(complaint));
    return CTL_CODE_FAILED;
}

/* --- what it asks --- */

enum ctl_code control_on_fleet_hello(void *context, const struct ctl_call *call, json_t **ret)
{
    struct daemon *d = context;
    uint8_t up = 0;

    if (buf_get_u8(call->fields, &up) < 0 || buf_get_end(call->fields) < 0 || up > 1)
        return CTL_CODE_INVALID;
    /* It was up until now in either case. */
    if (up || d->fleet->link_up)
        d->fleet->contact_us = clock_wall_us();
    d->fleet->link_up = up;
    return code_of(answer_fleet_hello(d), ret);
}

enum ctl_code control_on_fleet_watch(void *context, const struct ctl_call *call, json_t **ret)
{
    if (buf_get_end(call->fields) < 0)
        return CTL_CODE_INVALID;
    return code_of(answer_fleet_hello(context), ret);
}

enum ctl_code control_on_fleet_record(void *context, const struct ctl_call *call, json_t **ret)
{
    struct daemon *d = context;
    struct journal_piece p = {0};
    uint64_t from = 0;
    int fd, r;

    if (buf_get_u64(call->fields, &from) < 0 || buf_get_end(call->fields) < 0 || from == 0)
        return CTL_CODE_INVALID;
    r = journal_cut(d->fleet->journal, &d->fleet->sending, from, recorder_sequence(d->recorder), RECORD_MAX, &p);
    if (r == JOURNAL_CUT_E_NONE)
        return code_of(json_pack("{s:n, s:n, s:I}", "first", "last", "size", (json_int_t)0), ret);
    if (r < 0)
        return fail(ret, "unreadable", "the journal cannot be read", strerrordesc_np(-r));
    fd = sealed_make(p.lines, p.size);
    free(p.lines);
    if (fd < 0)
        return fail(ret, "unreadable", "the journal cannot be handed over", strerrordesc_np(-fd));
    *call->ret_fd = fd;
    return code_of(json_pack("{s:I, s:I, s:I}", "first", (json_int_t)p.first, "last", (json_int_t)p.last, "size",
                             (json_int_t)p.size),
                   ret);
}

enum ctl_code control_on_fleet_report(void *context, const struct ctl_call *call, json_t **ret)
{
    struct daemon *d = context;
    _cleanup_free_ uint8_t *report = NULL;
    uint64_t wanted = d->fleet->report_wanted;
    size_t size = 0;
    int r;

    if (buf_get_end(call->fields) < 0)
        return CTL_CODE_INVALID;
    r = fleet_report(d, &report, &size);
    if (r < 0)
        return fail(ret, "unavailable", "no report can be made", strerrordesc_np(-r));
    return code_of(json_pack("{s:s%, s:I}", "report", (const char *)report, size, "wanted", (json_int_t)wanted), ret);
}

/* --- statements --- */

static void record(struct daemon *d, const struct ctl_call *call, enum audit_action action, const char *reason,
                   const char *message)
{
    struct audit_event e;

    audit_event_init(&e, action);
    peer_fill_event(d, call->peer, &e);
    e.alarm = action == AUDIT_FLEET_REFUSED;
    audit_set(e.reason, sizeof(e.reason), reason);
    audit_set(e.message, sizeof(e.message), message);
    recorder_add(d->recorder, &e);
}

static void carry_out(struct daemon *d, const struct ctl_call *call, const struct fleet_statement *s)
{
    char text[SAY_MAX];

    switch (s->kind) {
    case FLEET_MEMBERSHIP:
        (void)snprintf(text, sizeof(text), "the centre's membership, serial number %llu, %zu groups",
                       (unsigned long long)s->membership.serial, s->membership.groups.n);
        record(d, call, AUDIT_FLEET_MEMBERSHIP, "", text);
        fleet_report_wanted(d);
        break;
    case FLEET_ORDER:
        if (s->order.kind == FLEET_ORDER_END_GRANTS) {
            (void)snprintf(text, sizeof(text), "by order of the centre %zu temporary permissions end",
                           unlock_end_all(d));
            record(d, call, AUDIT_FLEET_ORDER, "end-grants", text);
        } else {
            record(d, call, AUDIT_FLEET_ORDER, "report", "the centre asks for a report");
        }
        fleet_report_wanted(d);
        break;
    case FLEET_ACK:
        fleet_recorded(d);
        break;
    case FLEET_NONE:
    case FLEET_REPORT:
    case FLEET_ENROLMENT:
    case FLEET_KIND_COUNT_:
    default:
        break;
    }
}

static const char *name_of(const struct fleet_statement *s)
{
    return s->kind == FLEET_MEMBERSHIP ? "membership" : s->kind == FLEET_ACK ? "ack" : "order";
}

static enum ctl_code refuse(struct daemon *d, const struct ctl_call *call, const struct member_refusal *why,
                            json_t **ret)
{
    char text[SAY_MAX];

    (void)snprintf(text, sizeof(text), "something of the centre was refused: %s%s%.150s", why->text,
                   why->complaint.text[0] ? ": " : "", why->complaint.text);
    record(d, call, AUDIT_FLEET_REFUSED, why->reason, text);
    return fail(ret, why->reason, why->text, why->complaint.text);
}

enum ctl_code control_on_fleet_statement(void *context, const struct ctl_call *call, json_t **ret)
{
    struct daemon *d = context;
    _cleanup_(fleet_statement_freep) struct fleet_statement *s = NULL;
    const struct member_view view = fleet_view(d);
    struct member_refusal why = {0};
    _cleanup_free_ char *envelope = NULL;
    size_t size;
    int r, kept;

    if (buf_get_string(call->fields, FLEET_ENVELOPE_MAX, &envelope) < 0 || buf_get_end(call->fields) < 0)
        return CTL_CODE_INVALID;
    size = strlen(envelope);
    r = member_judge(d->fleet->member, &view, (const uint8_t *)envelope, size, &s, &why);
    if (r == MEMBER_E_KNOWN)
        return code_of(json_pack("{s:s}", "result", "known"), ret);
    if (r > 0)
        return refuse(d, call, &why, ret);
    if (r < 0)
        return fail(ret, "unavailable", "it could not be judged", strerrordesc_np(-r));
    kept = member_keep(d->fleet->member, s, (const uint8_t *)envelope, size, view.now_us);
    /* To take away once too often is better than once too seldom. */
    if (kept < 0 && !(s->kind == FLEET_ORDER && s->order.kind == FLEET_ORDER_END_GRANTS))
        return fail(ret, "not-stored", "it could not be stored", strerrordesc_np(-kept));
    fleet_apply(d); /* what is held lies elsewhere now */
    carry_out(d, call, s);
    return code_of(json_pack("{s:s, s:s}", "result", "taken", "kind", name_of(s)), ret);
}

/* --- bundles --- */

/* Is the head in it, whoever made it, older than the one that is held? Then it is no failure: the newer one came by another way. */
static bool is_older(const struct daemon *d, const uint8_t *bytes, size_t size)
{
    const struct trust_state *s = trusted_state(rulebook_trusted(d->rulebook));
    const struct trust_head *held = s ? trust_state_head(s) : NULL;
    struct trust_bundle b = {0};
    struct trust_head *h = NULL;
    bool older = false;

    if (!held || trust_bundle_parse(bytes, size, &b, NULL) != TRUST_OK)
        return false;
    if (b.head && trust_head_parse(b.head->payload, b.head->size, &h, NULL) == TRUST_OK)
        older = h->version < held->version;
    trust_head_free(h);
    trust_bundle_done(&b);
    return older;
}

static enum ctl_code refuse_bundle(struct daemon *d, const struct ctl_call *call, int r,
                                   const struct trust_complaint *complaint, const struct digest *bundle, json_t **ret)
{
    struct fleet *f = d->fleet;
    const char *reason = control_trust_reason(d, r);
    bool again = f->outcome.any && digest_equal(&f->outcome.bundle, bundle) && strcmp(f->outcome.reason, reason) == 0;

    f->outcome.any = true;
    f->outcome.bundle = *bundle;
    (void)snprintf(f->outcome.reason, sizeof(f->outcome.reason), "%s", reason);
    if (again) /* the same at each connection: told once */
        return fail(ret, reason, "the bundle was refused; nothing has changed", complaint->text);
    fleet_report_wanted(d);
    return control_trust_refuse(d, call, r, complaint, ret);
}

static enum ctl_code take_bundle(struct daemon *d, const struct ctl_call *call, const uint8_t *bytes, size_t size,
                                 json_t **ret)
{
    struct fleet *f = d->fleet;
    struct trust_complaint complaint = {0};
    struct digest bundle;
    bool changed = false;
    int r = digest_bytes(bytes, size, &bundle);

    if (r < 0)
        return fail(ret, "unavailable", "it could not be judged", strerrordesc_np(-r));
    if (f->outcome.any && f->outcome.reason[0] == '\0' && digest_equal(&f->outcome.bundle, &bundle))
        return code_of(json_pack("{s:s}", "result", "known"), ret);
    r = control_trust_apply(d, call, bytes, size, &changed, &complaint);
    if (r == TRUST_E_ROLLBACK && is_older(d, bytes, size))
        return code_of(json_pack("{s:s}", "result", "older"), ret);
    if (r != 0)
        return refuse_bundle(d, call, r, &complaint, &bundle, ret);
    f->outcome.any = true;
    f->outcome.bundle = bundle;
    f->outcome.reason[0] = '\0';
    fleet_report_wanted(d);
    return code_of(json_pack("{s:s}", "result", changed ? "applied" : "known"), ret);
}

/* Piece after piece: size of all of it, where this one belongs, and the piece. One at 0 begins anew. */
enum ctl_code control_on_fleet_bundle(void *context, const struct ctl_call *call, json_t **ret)
{
    struct daemon *d = context;
    struct buf *upload = &d->fleet->upload;
    _cleanup_free_ char *piece = NULL;
    uint32_t size = 0, at = 0;
    enum ctl_code code;

    if (buf_get_u32(call->fields, &size) < 0 || buf_get_u32(call->fields, &at) < 0 ||
        buf_get_string(call->fields, PIECE_MAX, &piece) < 0 || buf_get_end(call->fields) < 0 || piece[0] == '\0' ||
        size > TRUST_BUNDLE_MAX)
        return CTL_CODE_INVALID;
    if (at == 0)
        buf_clear(upload);
    if (at != upload->size || strlen(piece) > size - at || at > size)
        return CTL_CODE_INVALID;
    if (buf_add(upload, piece, strlen(piece)) < 0)
        return fail(ret, "unavailable", "there is no memory", "");
    if (upload->size < size)
        return code_of(json_pack("{s:s, s:I}", "result", "more", "received", (json_int_t)upload->size), ret);
    code = take_bundle(d, call, upload->data, upload->size, ret);
    buf_done(upload);
    buf_init(upload, TRUST_BUNDLE_MAX);
    return code;
}
