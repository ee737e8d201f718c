/* Owns: canned answers with the permissions of the protocol. WHY obeys its fields, RELOAD fails as it does for a bad file. */
#include "fake/ctl_answers.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-event.h>

static const char *situation; /* NULL: the ordinary one */

void ctl_answers_in(const char *name)
{
    situation = name;
}

static enum ctl_code answer_file(const char *name, json_t **ret_answer)
{
    char path[512];

    (void)snprintf(path, sizeof(path), "%s/cli/answers/%s%s%s.json", KURABAN_TEST_DATA, name, situation ? "-" : "",
                   situation ? situation : "");
    *ret_answer = json_load_file(path, 0, NULL);
    return *ret_answer ? CTL_CODE_OK : CTL_CODE_FAILED;
}

static enum ctl_code without_fields(const struct ctl_call *call, const char *name, json_t **ret_answer)
{
    return buf_get_end(call->fields) < 0 ? CTL_CODE_INVALID : answer_file(name, ret_answer);
}

static enum ctl_code on_status(void *context, const struct ctl_call *call, json_t **ret_answer)
{
    (void)context;
    return without_fields(call, "status", ret_answer);
}

static enum ctl_code on_devices(void *context, const struct ctl_call *call, json_t **ret_answer)
{
    (void)context;
    return without_fields(call, "devices", ret_answer);
}

static enum ctl_code on_why(void *context, const struct ctl_call *call, json_t **ret_answer)
{
    uint32_t uid = 0, count = 0;
    enum ctl_code code;

    (void)context;
    if (buf_get_u32(call->fields, &uid) < 0 || buf_get_u32(call->fields, &count) < 0 || buf_get_end(call->fields) < 0 ||
        count < 1 || count > 32)
        return CTL_CODE_INVALID;
    if (uid != UINT32_MAX && uid != call->peer->uid && call->peer->uid != 0)
        return CTL_CODE_DENIED;
    code = answer_file("why", ret_answer);
    while (code == CTL_CODE_OK && json_array_size(*ret_answer) > count)
        (void)json_array_remove(*ret_answer, json_array_size(*ret_answer) - 1);
    return code;
}

static enum ctl_code on_policy(void *context, const struct ctl_call *call, json_t **ret_answer)
{
    (void)context;
    return without_fields(call, "policy", ret_answer);
}

static enum ctl_code on_reload(void *context, const struct ctl_call *call, json_t **ret_answer)
{
    (void)context;
    (void)call;
    *ret_answer = json_pack("{s:s, s:[{s:s, s:i, s:i, s:s}]}", "message", "the policy file was refused", "findings",
                            "severity", "error", "line", 3, "column", 7, "message", "unknown key");
    return CTL_CODE_FAILED;
}

static enum ctl_code on_doctor(void *context, const struct ctl_call *call, json_t **ret_answer)
{
    (void)context;
    return without_fields(call, "doctor", ret_answer);
}

static enum ctl_code on_sync(void *context, const struct ctl_call *call, json_t **ret_answer)
{
    (void)context;
    *ret_answer = json_pack("{s:i}", "sequence", 812);
    return buf_get_end(call->fields) < 0 ? CTL_CODE_INVALID : CTL_CODE_OK;
}

static enum ctl_code on_done(void *context, const struct ctl_call *call, json_t **ret_answer)
{
    (void)context;
    *ret_answer = json_pack("{s:s}", "message", "done");
    return buf_get_end(call->fields) < 0 ? CTL_CODE_INVALID : CTL_CODE_OK;
}

static enum ctl_code on_emergency(void *context, const struct ctl_call *call, json_t **ret_answer)
{
    uint32_t seconds = 0;
    char *reason = NULL;
    bool good = buf_get_u32(call->fields, &seconds) >= 0 && buf_get_string(call->fields, 256, &reason) >= 0 &&
                buf_get_end(call->fields) >= 0 && seconds == 60 && strcmp(reason, "keyboard broken") == 0;

    (void)context;
    free(reason);
    *ret_answer = json_pack("{s:s}", "message", "done");
    return good ? CTL_CODE_OK : CTL_CODE_INVALID;
}

/* Ends as the daemon does. */
static enum ctl_code on_purge(void *context, const struct ctl_call *call, json_t **ret_answer)
{
    enum ctl_code code = on_done(context, call, ret_answer);

    (void)sd_event_exit(context, 0);
    return code;
}

/* --- the second factor --- */

static enum ctl_code on_mfa_list(void *context, const struct ctl_call *call, json_t **ret_answer)
{
    uint32_t uid = 0;

    (void)context;
    if (buf_get_u32(call->fields, &uid) < 0 || uid != UINT32_MAX)
        return CTL_CODE_INVALID;
    return without_fields(call, "mfa-list", ret_answer);
}

static enum ctl_code on_mfa_status(void *context, const struct ctl_call *call, json_t **ret_answer)
{
    (void)context;
    return without_fields(call, "mfa-status", ret_answer);
}

/* Nobody has one here. */
static enum ctl_code on_mfa_remove(void *context, const struct ctl_call *call, json_t **ret_answer)
{
    (void)context;
    (void)call;
    *ret_answer = json_pack("{s:s, s:s}", "message", "no such credential", "reason", "unknown");
    return CTL_CODE_FAILED;
}

static enum ctl_code on_mfa_lift(void *context, const struct ctl_call *call, json_t **ret_answer)
{
    uint32_t uid = 1;

    (void)context;
    *ret_answer = json_pack("{s:s}", "message", "lifted");
    return buf_get_u32(call->fields, &uid) < 0 || uid != 0 || buf_get_end(call->fields) < 0 ? CTL_CODE_INVALID
                                                                                            : CTL_CODE_OK;
}

static enum ctl_code on_mfa_reissue(void *context, const struct ctl_call *call, json_t **ret_answer)
{
    static const uint8_t head[] = {0, 2}; /* no error, two codes */

    (void)context;
    (void)ret_answer;
    return buf_add(call->reply, head, sizeof(head)) < 0 || buf_add_string(call->reply, "2abc-defg-hjkm") < 0 ||
                   buf_add_string(call->reply, "nprs-tvwx-yz23") < 0
               ? CTL_CODE_FAILED
               : CTL_CODE_OK;
}

/* --- grants --- */

static enum ctl_code on_grants(void *context, const struct ctl_call *call, json_t **ret_answer)
{
    (void)context;
    return without_fields(call, "grants", ret_answer);
}

/* code, n, n times uid and code: nobody has given one. */
static bool take_no_codes(struct buf_reader *fields)
{
    char *code = NULL, *other = NULL;
    uint32_t uid = 0;
    uint8_t n = 0;
    bool good = buf_get_string(fields, 64, &code) >= 0 && buf_get_u8(fields, &n) >= 0 && code[0] == '\0';

    if (good && n == 1)
        good = buf_get_u32(fields, &uid) >= 0 && buf_get_string(fields, 64, &other) >= 0;
    free(code);
    free(other);
    return good && buf_get_end(fields) >= 0;
}

/* The device's name is the reason why it is refused; everything that could stand beside one stands there. Takes device. */
static enum ctl_code refuse_by_name(bool good, const char *file, char *device, json_t **ret_answer)
{
    if (good && answer_file(file, ret_answer) == CTL_CODE_OK)
        (void)json_object_set_new(*ret_answer, "reason", json_string(device));
    free(device);
    return good ? CTL_CODE_FAILED : CTL_CODE_INVALID;
}

static enum ctl_code on_unlock(void *context, const struct ctl_call *call, json_t **ret_answer)
{
    char *device = NULL, *reason = NULL;
    uint32_t seconds = 0;
    bool good = buf_get_string(call->fields, 127, &device) >= 0 && buf_get_u32(call->fields, &seconds) >= 0 &&
                buf_get_string(call->fields, 200, &reason) >= 0 && take_no_codes(call->fields);

    (void)context;
    free(reason);
    return refuse_by_name(good, "unlock", device, ret_answer);
}

static enum ctl_code on_export(void *context, const struct ctl_call *call, json_t **ret_answer)
{
    char *device = NULL, *reason = NULL, *list = NULL;
    bool good = buf_get_string(call->fields, 127, &device) >= 0 && buf_get_string(call->fields, 200, &reason) >= 0 &&
                buf_get_string(call->fields, 64, &list) >= 0 && strlen(list) == 64 && take_no_codes(call->fields);

    (void)context;
    free(reason);
    free(list);
    return refuse_by_name(good, "export", device, ret_answer);
}

static enum ctl_code on_unlock_end(void *context, const struct ctl_call *call, json_t **ret_answer)
{
    char *device = NULL;
    json_t *grants = NULL;
    enum ctl_code code = CTL_CODE_INVALID;

    (void)context;
    if (buf_get_string(call->fields, 127, &device) >= 0 && buf_get_end(call->fields) >= 0)
        code = answer_file("grants", &grants);
    *ret_answer = device && *device ? json_pack("{s:s, s:s}", "message", "nothing is unlocked", "reason", "no-grant")
                                    : json_pack("{s:O}", "ended", grants);
    if (code == CTL_CODE_OK && device && *device)
        code = CTL_CODE_FAILED;
    json_decref(grants);
    free(device);
    return code;
}

const struct ctl_verb ctl_answers[] = {
    {CTL_STATUS, CTL_PERMIT_ANYBODY, on_status},
    {CTL_DEVICES, CTL_PERMIT_ANYBODY, on_devices},
    {CTL_WATCH, CTL_PERMIT_ANYBODY | CTL_STREAM, on_devices},
    {CTL_WHY, CTL_PERMIT_ANYBODY, on_why},
    {CTL_POLICY, CTL_PERMIT_ROOT, on_policy},
    {CTL_RELOAD, CTL_PERMIT_ROOT, on_reload},
    {CTL_DOCTOR, CTL_PERMIT_ROOT, on_doctor},
    {CTL_SYNC, CTL_PERMIT_ROOT, on_sync},
    {CTL_RESCAN, CTL_PERMIT_ROOT, on_done},
    {CTL_EMERGENCY, CTL_PERMIT_ROOT, on_emergency},
    {CTL_PURGE, CTL_PERMIT_ROOT, on_purge},
    {CTL_UNLOCK, CTL_PERMIT_ANYBODY, on_unlock},
    {CTL_GRANTS, CTL_PERMIT_ANYBODY, on_grants},
    {CTL_UNLOCK_END, CTL_PERMIT_ANYBODY, on_unlock_end},
    {CTL_EXPORT, CTL_PERMIT_ANYBODY, on_export},
    {CTL_MFA_LIST, CTL_PERMIT_ANYBODY, on_mfa_list},
    {CTL_MFA_STATUS, CTL_PERMIT_ANYBODY, on_mfa_status},
    {CTL_MFA_REMOVE, CTL_PERMIT_ROOT, on_mfa_remove},
    {CTL_MFA_LIFT, CTL_PERMIT_ROOT, on_mfa_lift},
    {CTL_MFA_REISSUE, CTL_PERMIT_ANYBODY | CTL_FIELDS, on_mfa_reissue},
};
const size_t n_ctl_answers = sizeof(ctl_answers) / sizeof(ctl_answers[0]);
