/*
 * The verbs of the control socket. Each reads its fields to the end, does one thing and returns a code. Who may ask stands in
 * the table; the server enforces it.
 */
#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-event.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "config/config.h"
#include "ctl/server.h"
#include "daemon/answers.h"
#include "daemon/control_enrol.h"
#include "daemon/control_export.h"
#include "daemon/control_fleet.h"
#include "daemon/control_grant.h"
#include "daemon/control_mfa.h"
#include "daemon/control_trust.h"
#include "daemon/daemon.h"
#include "daemon/fleet.h"
#include "daemon/notices.h"
#include "daemon/recorder.h"
#include "daemon/refusals.h"
#include "daemon/rulebook.h"
#include "device/usb.h"
#include "gate/gate.h"
#include "policy/policy.h"
#include "policy/trust/trust.h"

enum {
    WHY_MAX = 32,
    EMERGENCY_SECONDS_MAX = 86400,
    EMERGENCY_REASON_MAX = 256,
};

static enum ctl_code code_of(json_t *answer, json_t **ret)
{
    if (!answer)
        return CTL_CODE_FAILED;
    *ret = answer;
    return CTL_CODE_OK;
}

static enum ctl_code failed(json_t **ret, const char *message)
{
    *ret = json_pack("{s:s}", "message", message);
    return CTL_CODE_FAILED;
}

/* Root changed something, or asked to. */
static void record_command(struct daemon *d, const struct ctl_call *call, const char *what)
{
    struct audit_event e;

    audit_event_init(&e, AUDIT_COMMAND);
    e.has_uid = true;
    e.uid = call->peer->uid;
    e.pid = call->peer->pid;
    audit_set(e.message, sizeof(e.message), what);
    recorder_add(d->recorder, &e);
}

static enum ctl_code on_status(void *context, const struct ctl_call *call, json_t **ret)
{
    if (buf_get_end(call->fields) < 0)
        return CTL_CODE_INVALID;
    return code_of(answer_status(context), ret);
}

static enum ctl_code on_devices(void *context, const struct ctl_call *call, json_t **ret)
{
    if (buf_get_end(call->fields) < 0)
        return CTL_CODE_INVALID;
    return code_of(answer_devices(context), ret);
}

static enum ctl_code on_why(void *context, const struct ctl_call *call, json_t **ret)
{
    struct daemon *d = context;
    uint32_t uid = 0, count = 0;
    bool all;

    if (buf_get_u32(call->fields, &uid) < 0 || buf_get_u32(call->fields, &count) < 0 || buf_get_end(call->fields) < 0 ||
        count == 0 || count > WHY_MAX)
        return CTL_CODE_INVALID;
    all = uid == UINT32_MAX && call->peer->uid == 0;
    if (uid == UINT32_MAX)
        uid = call->peer->uid;
    if (uid != call->peer->uid && call->peer->uid != 0)
        return CTL_CODE_DENIED;
    wire_gate_drain(d); /* who was refused a moment ago asks about just that */
    return code_of(refusals_answer(d->refusals, uid, all, count), ret);
}

static enum ctl_code on_policy(void *context, const struct ctl_call *call, json_t **ret)
{
    struct daemon *d = context;
    json_t *answer;

    if (buf_get_end(call->fields) < 0)
        return CTL_CODE_INVALID;
    if (rulebook_source(d->rulebook) == RULEBOOK_NONE)
        return failed(ret, "no policy rules: everything is refused");
    answer = answer_policy_brief(d);
    if (answer && json_object_set_new(answer, "document", json_string(rulebook_document(d->rulebook))) < 0) {
        json_decref(answer);
        return CTL_CODE_FAILED;
    }
    return code_of(answer, ret);
}

static json_t *refused_words(const struct daemon *d)
{
    char text[640];

    (void)snprintf(text, sizeof(text), "the file was refused; nothing has changed: %s",
                   rulebook_complaint(d->rulebook));
    return answer_foreign_text(text);
}

static enum ctl_code on_reload(void *context, const struct ctl_call *call, json_t **ret)
{
    struct daemon *d = context;
    int r;

    if (buf_get_end(call->fields) < 0)
        return CTL_CODE_INVALID;
    record_command(d, call, "reload");
    r = daemon_reload(d);
    if (r < 0)
        return failed(ret, strerrordesc_np(-r));
    if (r == RULEBOOK_E_UNSIGNED) {
        *ret = json_pack("{s:o, s:s}", "message", refused_words(d), "reason", trust_result_name(TRUST_E_UNSIGNED));
        return CTL_CODE_FAILED;
    }
    if (r == RULEBOOK_E_REFUSED) {
        *ret = json_pack("{s:o, s:o}", "message", refused_words(d), "findings", rulebook_findings(d->rulebook));
        return CTL_CODE_FAILED;
    }
    return code_of(json_pack("{s:s, s:o, s:o}", "message", "the policy rules now", "policy", answer_policy_brief(d),
                             "findings", rulebook_findings(d->rulebook)),
                   ret);
}

static enum ctl_code on_doctor(void *context, const struct ctl_call *call, json_t **ret)
{
    if (buf_get_end(call->fields) < 0)
        return CTL_CODE_INVALID;
    return code_of(answer_doctor(context), ret);
}

static enum ctl_code on_sync(void *context, const struct ctl_call *call, json_t **ret)
{
    struct daemon *d = context;

    if (buf_get_end(call->fields) < 0)
        return CTL_CODE_INVALID;
    wire_gate_drain(d);
    if (recorder_sync(d->recorder) < 0)
        return failed(ret, "the journal could not be written; see kuraban status");
    return code_of(json_pack("{s:I}", "sequence", (json_int_t)recorder_sequence(d->recorder)), ret);
}

static enum ctl_code on_rescan(void *context, const struct ctl_call *call, json_t **ret)
{
    struct daemon *d = context;

    if (buf_get_end(call->fields) < 0)
        return CTL_CODE_INVALID;
    record_command(d, call, "rescan");
    if (d->usb)
        (void)usb_manager_rescan(d->usb, clock_wall_us());
    wire_media_tick(d);
    gate_rescan(d->gate);
    return code_of(json_pack("{s:s}", "message", "looked at everything again"), ret);
}

static enum ctl_code on_emergency(void *context, const struct ctl_call *call, json_t **ret)
{
    struct daemon *d = context;
    _cleanup_free_ char *reason = NULL;
    uint32_t seconds = 0;

    if (buf_get_u32(call->fields, &seconds) < 0 || buf_get_string(call->fields, EMERGENCY_REASON_MAX, &reason) < 0 ||
        buf_get_end(call->fields) < 0 || seconds == 0 || seconds > EMERGENCY_SECONDS_MAX ||
        !text_is_printable_utf8(reason) || reason[0] == '\0')
        return CTL_CODE_INVALID;
    if (emergency_begin(d, seconds, reason, call->peer->uid) < 0)
        return failed(ret, "the journal could not take it, so nothing was opened");
    return code_of(json_pack("{s:s}", "message", "input devices are permitted for a while"), ret);
}

static enum ctl_code on_purge(void *context, const struct ctl_call *call, json_t **ret)
{
    struct daemon *d = context;

    if (buf_get_end(call->fields) < 0)
        return CTL_CODE_INVALID;
    record_command(d, call, "purge: the guard is let go");
    /* Not held up by a full journal: root takes the product off. */
    (void)recorder_sync(d->recorder);
    d->purge = true;
    (void)sd_event_exit(d->loop, 0);
    return code_of(json_pack("{s:s}", "message", "the guard is let go"), ret);
}

static const struct ctl_verb verbs[] = {
    {CTL_STATUS, CTL_PERMIT_ANYBODY, on_status},
    {CTL_DEVICES, CTL_PERMIT_ANYBODY, on_devices},
    {CTL_WATCH, CTL_PERMIT_ANYBODY | CTL_STREAM, on_devices},
    {CTL_NOTICES, CTL_PERMIT_ANYBODY | CTL_STREAM | CTL_BRIEF, control_on_notices},
    {CTL_WHY, CTL_PERMIT_ANYBODY, on_why},
    {CTL_POLICY, CTL_PERMIT_ROOT, on_policy},
    {CTL_RELOAD, CTL_PERMIT_ROOT, on_reload},
    {CTL_DOCTOR, CTL_PERMIT_ROOT, on_doctor},
    {CTL_SYNC, CTL_PERMIT_ROOT, on_sync},
    {CTL_RESCAN, CTL_PERMIT_ROOT, on_rescan},
    {CTL_EMERGENCY, CTL_PERMIT_ROOT, on_emergency},
    {CTL_PURGE, CTL_PERMIT_ROOT, on_purge},
    {CTL_APPLY, CTL_PERMIT_ROOT | CTL_FD, control_on_apply},
    {CTL_TRUST_INSTALL, CTL_PERMIT_ROOT | CTL_FD, control_on_trust_install},
    {CTL_TRUST_REMOVE, CTL_PERMIT_ROOT, control_on_trust_remove},
    {CTL_UNLOCK, CTL_PERMIT_ANYBODY, control_on_unlock},
    {CTL_GRANTS, CTL_PERMIT_ANYBODY, control_on_grants},
    {CTL_UNLOCK_END, CTL_PERMIT_ANYBODY, control_on_unlock_end},
    {CTL_EXPORT, CTL_PERMIT_ANYBODY, control_on_export},
    {CTL_MFA_VERIFY, CTL_PERMIT_ANYBODY, control_on_mfa_verify},
    {CTL_MFA_ENROL, CTL_PERMIT_ANYBODY | CTL_FIELDS, control_on_mfa_enrol},
    {CTL_MFA_CONFIRM, CTL_PERMIT_ANYBODY | CTL_FIELDS, control_on_mfa_confirm},
    {CTL_MFA_LIST, CTL_PERMIT_ANYBODY, control_on_mfa_list},
    {CTL_MFA_REMOVE, CTL_PERMIT_ROOT, control_on_mfa_remove},
    {CTL_MFA_LIFT, CTL_PERMIT_ROOT, control_on_mfa_lift},
    {CTL_MFA_REISSUE, CTL_PERMIT_ANYBODY | CTL_FIELDS, control_on_mfa_reissue},
    {CTL_MFA_IMPORT, CTL_PERMIT_ROOT | CTL_FIELDS, control_on_mfa_import},
    {CTL_MFA_STATUS, CTL_PERMIT_ANYBODY, control_on_mfa_status},
    {CTL_MFA_LOGIN, CTL_PERMIT_ANYBODY | CTL_FIELDS, control_on_mfa_login},
    {CTL_MFA_ROTATE, CTL_PERMIT_ROOT, control_on_mfa_rotate},
    {CTL_FLEET_HELLO, CTL_PERMIT_COURIER, control_on_fleet_hello},
    {CTL_FLEET_BUNDLE, CTL_PERMIT_COURIER, control_on_fleet_bundle},
    {CTL_FLEET_STATEMENT, CTL_PERMIT_COURIER, control_on_fleet_statement},
    {CTL_FLEET_RECORD, CTL_PERMIT_COURIER, control_on_fleet_record},
    {CTL_FLEET_REPORT, CTL_PERMIT_COURIER, control_on_fleet_report},
    {CTL_FLEET_WATCH, CTL_PERMIT_COURIER | CTL_STREAM | CTL_BRIEF, control_on_fleet_watch},
    {CTL_FLEET_ENROL, CTL_PERMIT_ROOT, control_on_fleet_enrol},
    {CTL_FLEET_JOIN, CTL_PERMIT_ROOT | CTL_FD, control_on_fleet_join},
};

int control_start(struct daemon *d)
{
    int fd = ctl_listen_at(d->run_fd, d->config->run_directory), r;

    if (fd < 0)
        return fd;
    r = ctl_server_new(d->loop, fd, verbs, ELEMENTS(verbs), d, &d->control);
    if (r < 0)
        return r;
    fleet_find_courier(d);
    fd = ctl_listen_for_root_at(d->run_fd, d->config->run_directory);
    return fd < 0 ? fd : ctl_server_listen_for_root(d->control, fd);
}
