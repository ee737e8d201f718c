/*
 * The verbs of the second factor but for logins. Owns: who may ask for what: a person for themselves, root for all, and what policy leaves to
 * root. Must not: verify or keep anything (mfa/), or let a code or a secret out of a buffer that is wiped.
 */
#include "daemon/control_mfa.h"

#include <errno.h>
#include <jansson.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "daemon/answers.h"
#include "daemon/daemon.h"
#include "daemon/factor.h"
#include "daemon/names.h"
#include "daemon/rulebook.h"
#include "policy/policy.h"

enum {
    BASE32_TEXT_MAX = 256, /* with blanks and padding */
    CODE_REFUSED = 255,    /* instead of an error: an outcome follows */
    NO_UID = 0xffffffff,
};

void control_wipe_text(char **text)
{
    if (*text)
        OPENSSL_cleanse(*text, strlen(*text));
    free(*text);
}

/* Whom the peer speaks of. False: not theirs to speak of. */
static bool find_uid(const struct ctl_call *call, uint32_t asked, uid_t *ret)
{
    uid_t uid = asked == CONTROL_MFA_SELF ? call->peer->uid : asked;

    if (uid == NO_UID || (uid != call->peer->uid && call->peer->uid != 0))
        return false;
    *ret = uid;
    return true;
}

/* The request's last field: whom it means, CONTROL_MFA_SELF: the peer. */
static enum ctl_code read_whom(const struct ctl_call *call, uint32_t *ret_asked, uid_t *ret)
{
    if (buf_get_u32(call->fields, ret_asked) < 0 || buf_get_end(call->fields) < 0)
        return CTL_CODE_INVALID;
    return find_uid(call, *ret_asked, ret) ? CTL_CODE_OK : CTL_CODE_DENIED;
}

/* Whose code, and the code, which the caller wipes. */
static enum ctl_code read_code(const struct ctl_call *call, uid_t *ret, char **ret_code)
{
    uint32_t asked = 0;

    if (buf_get_u32(call->fields, &asked) < 0 || buf_get_string(call->fields, MFA_CODE_MAX, ret_code) < 0 ||
        buf_get_end(call->fields) < 0)
        return CTL_CODE_INVALID;
    return find_uid(call, asked, ret) ? CTL_CODE_OK : CTL_CODE_DENIED;
}

bool control_may_enrol(const struct daemon *d)
{
    enum policy_enrol enrol = rulebook_policy(d->rulebook)->mfa.enrol;

    return enrol == POLICY_ENROL_SELF || enrol == POLICY_ENROL_FIRST_LOGIN;
}

const char *control_issuer(const struct daemon *d)
{
    const char *organization = rulebook_policy(d->rulebook)->organization;
    bool usable = organization && organization[0] && strlen(organization) <= MFA_NAME_MAX &&
                  text_is_printable_utf8(organization) && !strchr(organization, ':');

    return usable ? organization : "kuraban";
}

/* Is it the name of this uid? What the name service does not answer root may know. */
static bool is_name_of(const struct ctl_call *call, const char *name, uid_t uid)
{
    uid_t found = NO_UID;
    int r = names_of_machine.user(names_of_machine.context, name, &found);

    return r == 0 ? found == uid : r != -ENOENT && call->peer->uid == 0;
}

static int get_settings(struct buf_reader *r, struct totp_settings *ret)
{
    uint8_t algorithm = 0, digits = 0;
    uint16_t period = 0;
    int e = buf_get_u8(r, &algorithm);

    if (e >= 0)
        e = buf_get_u8(r, &digits);
    if (e >= 0)
        e = buf_get_u16(r, &period);
    if (e < 0)
        return e;
    *ret = (struct totp_settings){(enum totp_algorithm)algorithm, digits, period};
    if (algorithm == 0 && digits == 0 && period == 0)
        *ret = totp_default;
    return 0;
}

/* --- answers by fields --- */

int control_add_recovery(struct buf *reply, const struct mfa_recovery *r)
{
    int e = buf_add_u8(reply, MFA_RECOVERY_COUNT);

    for (int i = 0; e >= 0 && i < MFA_RECOVERY_COUNT; i++)
        e = buf_add_string(reply, r->codes[i]);
    return e;
}

static uint8_t error_of(int r)
{
    return (uint8_t)(r < 0 ? MFA_E_UNAVAILABLE : r);
}

static enum ctl_code answer_error(const struct ctl_call *call, int r)
{
    return buf_add_u8(call->reply, error_of(r)) < 0 ? CTL_CODE_FAILED : CTL_CODE_OK;
}

/* u8 error, recovery codes when there is none. */
static enum ctl_code answer_recovery(const struct ctl_call *call, int result, const struct mfa_recovery *recovery)
{
    int r = buf_add_u8(call->reply, error_of(result));

    if (r >= 0 && result == 0)
        r = control_add_recovery(call->reply, recovery);
    return r < 0 ? CTL_CODE_FAILED : CTL_CODE_OK;
}

enum ctl_code control_on_mfa_enrol(void *context, const struct ctl_call *call, json_t **ret)
{
    struct daemon *d = context;
    _cleanup_free_ char *name = NULL;
    struct mfa_now now = factor_now();
    struct totp_settings settings;
    struct mfa_offer offer = {0};
    uint32_t asked = 0;
    uid_t uid = 0;
    int r;

    (void)ret;
    if (buf_get_u32(call->fields, &asked) < 0 || buf_get_string(call->fields, MFA_NAME_MAX, &name) < 0 ||
        get_settings(call->fields, &settings) < 0 || buf_get_end(call->fields) < 0)
        return CTL_CODE_INVALID;
    if (!find_uid(call, asked, &uid) || (call->peer->uid != 0 && !control_may_enrol(d)))
        return CTL_CODE_DENIED;
    r = MFA_E_NAME;
    if (is_name_of(call, name, uid))
        r = mfa_enrol_begin(d->mfa, uid, name, control_issuer(d), &settings, &now, &offer);
    if (r != 0)
        return answer_error(call, r);
    r = buf_add_u8(call->reply, 0);
    if (r >= 0)
        r = buf_add_string(call->reply, offer.base32);
    if (r >= 0)
        r = buf_add_string(call->reply, offer.uri);
    mfa_offer_wipe(&offer);
    return r < 0 ? CTL_CODE_FAILED : CTL_CODE_OK;
}

/* u8 error, u32 minutes, u8 ahead [, recovery codes]. */
static enum ctl_code answer_confirmation(const struct ctl_call *call, int result, int minutes,
                                         const struct mfa_recovery *recovery)
{
    int r = buf_add_u8(call->reply, error_of(result));

    if (r >= 0)
        r = buf_add_u32(call->reply, (uint32_t)(minutes < 0 ? -minutes : minutes));
    if (r >= 0)
        r = buf_add_u8(call->reply, minutes > 0);
    if (r >= 0 && result == 0)
        r = control_add_recovery(call->reply, recovery);
    return r < 0 ? CTL_CODE_FAILED : CTL_CODE_OK;
}

enum ctl_code control_on_mfa_confirm(void *context, const struct ctl_call *call, json_t **ret)
{
    struct daemon *d = context;
    _cleanup_(control_wipe_text) char *first = NULL, *second = NULL;
    struct mfa_now now = factor_now();
    struct mfa_recovery recovery = {0};
    enum ctl_code code;
    uint32_t asked = 0;
    int r, minutes = 0;
    uid_t uid = 0;

    (void)ret;
    if (buf_get_u32(call->fields, &asked) < 0 || buf_get_string(call->fields, MFA_CODE_MAX, &first) < 0 ||
        buf_get_string(call->fields, MFA_CODE_MAX, &second) < 0 || buf_get_end(call->fields) < 0)
        return CTL_CODE_INVALID;
    if (!find_uid(call, asked, &uid) || (call->peer->uid != 0 && !control_may_enrol(d)))
        return CTL_CODE_DENIED;
    r = mfa_enrol_confirm(d->mfa, uid, first, second, &now, &recovery, &minutes);
    if (r == 0)
        factor_record_change(d, call->peer, uid, true, "enrolled", NULL);
    code = answer_confirmation(call, r, minutes, &recovery);
    mfa_recovery_wipe(&recovery);
    return code;
}

enum ctl_code control_on_mfa_import(void *context, const struct ctl_call *call, json_t **ret)
{
    struct daemon *d = context;
    _cleanup_free_ char *name = NULL;
    _cleanup_(control_wipe_text) char *base32 = NULL;
    struct mfa_now now = factor_now();
    struct mfa_recovery recovery = {0};
    struct totp_settings settings;
    uint8_t want_recovery = 0;
    enum ctl_code code;
    uint32_t asked = 0;
    uint64_t step = 0;
    uid_t uid = 0;
    int r;

    (void)ret;
    if (buf_get_u32(call->fields, &asked) < 0 || buf_get_string(call->fields, MFA_NAME_MAX, &name) < 0 ||
        buf_get_string(call->fields, BASE32_TEXT_MAX, &base32) < 0 || get_settings(call->fields, &settings) < 0 ||
        buf_get_u64(call->fields, &step) < 0 || buf_get_u8(call->fields, &want_recovery) < 0 ||
        buf_get_end(call->fields) < 0 || want_recovery > 1)
        return CTL_CODE_INVALID;
    if (!find_uid(call, asked, &uid))
        return CTL_CODE_DENIED;
    r = MFA_E_NAME;
    if (is_name_of(call, name, uid))
        r = mfa_import(d->mfa, uid, name, base32, &settings, step, &now, want_recovery ? &recovery : NULL);
    if (r == 0)
        factor_record_change(d, call->peer, uid, true, "enrolled", "imported from another verifier");
    code = want_recovery ? answer_recovery(call, r, &recovery) : answer_error(call, r);
    if (r == 0 && !want_recovery && buf_add_u8(call->reply, 0) < 0)
        code = CTL_CODE_FAILED;
    mfa_recovery_wipe(&recovery);
    return code;
}

enum ctl_code control_on_mfa_reissue(void *context, const struct ctl_call *call, json_t **ret)
{
    struct daemon *d = context;
    _cleanup_(control_wipe_text) char *text = NULL;
    struct mfa_result result = {.outcome = MFA_ACCEPTED};
    struct mfa_recovery recovery = {0};
    uid_t uid = 0;
    enum ctl_code code = read_code(call, &uid, &text);
    int r;

    (void)ret;
    if (code != CTL_CODE_OK)
        return code;
    if (call->peer->uid != 0)
        factor_verify(d, &(struct factor_attempt){.peer = call->peer, .uid = uid, .purpose = "reissue", .code = text},
                      &result);
    if (result.outcome != MFA_ACCEPTED)
        return buf_add_u8(call->reply, CODE_REFUSED) < 0 || buf_add_u8(call->reply, (uint8_t)result.outcome) < 0 ||
                       buf_add_u32(call->reply, result.number) < 0
                   ? CTL_CODE_FAILED
                   : CTL_CODE_OK;
    r = mfa_reissue(d->mfa, uid, &recovery);
    if (r == 0)
        factor_record_change(d, call->peer, uid, false, "new recovery codes", NULL);
    code = answer_recovery(call, r, &recovery);
    mfa_recovery_wipe(&recovery);
    return code;
}

/* --- answers by JSON --- */

enum ctl_code control_on_mfa_verify(void *context, const struct ctl_call *call, json_t **ret)
{
    struct daemon *d = context;
    _cleanup_(control_wipe_text) char *text = NULL;
    struct mfa_result result = {0};
    uid_t uid = 0;
    enum ctl_code code = read_code(call, &uid, &text);

    if (code != CTL_CODE_OK)
        return code;
    factor_verify(d, &(struct factor_attempt){.peer = call->peer, .uid = uid, .purpose = "check", .code = text},
                  &result);
    *ret = json_pack("{s:s, s:I, s:b, s:b, s:I, s:I}", "outcome", mfa_outcome_name(result.outcome), "number",
                     (json_int_t)result.number, "ahead", result.ahead, "recovery", result.recovery, "recovery_left",
                     (json_int_t)result.recovery_left, "failures", (json_int_t)result.failures);
    return *ret ? CTL_CODE_OK : CTL_CODE_FAILED;
}

static enum ctl_code fail(json_t **ret, int r)
{
    static const char *const words[MFA_E_COUNT_] = {
        [MFA_E_UNAVAILABLE] = "the store of second factors cannot be used; see kuraban doctor",
        [MFA_E_UNKNOWN] = "this person has no second factor",
        [MFA_E_SETTINGS] =
            "the key is a systemd credential: put the new one in its place and the old one in mfa-key-old",
    };
    enum mfa_error error = r < 0 ? MFA_E_UNAVAILABLE : (enum mfa_error)r;
    const char *text = words[error] ? words[error] : mfa_error_name(error);

    *ret = json_pack("{s:s, s:s}", "message", text, "reason", mfa_error_name(error));
    return CTL_CODE_FAILED;
}

static enum ctl_code done(json_t **ret, const char *message)
{
    *ret = json_pack("{s:s}", "message", message);
    return *ret ? CTL_CODE_OK : CTL_CODE_FAILED;
}

enum ctl_code control_on_mfa_list(void *context, const struct ctl_call *call, json_t **ret)
{
    struct daemon *d = context;
    _cleanup_free_ struct mfa_credential *list = NULL;
    struct mfa_now now = factor_now();
    uint32_t asked = 0;
    size_t n = 0;
    uid_t uid = 0;
    enum ctl_code code = read_whom(call, &asked, &uid);
    int r;

    if (code != CTL_CODE_OK)
        return code;
    r = mfa_list(d->mfa, &now, &list, &n);
    if (r != 0)
        return fail(ret, r);
    *ret = answer_credentials(list, n, asked == CONTROL_MFA_SELF && call->peer->uid == 0 ? NULL : &uid);
    return *ret ? CTL_CODE_OK : CTL_CODE_FAILED;
}

enum ctl_code control_on_mfa_remove(void *context, const struct ctl_call *call, json_t **ret)
{
    struct daemon *d = context;
    _cleanup_free_ char *reason = NULL;
    uint32_t asked = 0;
    uid_t uid = 0;
    int r;

    if (buf_get_u32(call->fields, &asked) < 0 || buf_get_string(call->fields, CONTROL_MFA_REASON_MAX, &reason) < 0 ||
        buf_get_end(call->fields) < 0 || (reason[0] && !text_is_printable_utf8(reason)))
        return CTL_CODE_INVALID;
    if (!find_uid(call, asked, &uid))
        return CTL_CODE_DENIED;
    r = mfa_remove(d->mfa, uid);
    if (r != 0)
        return fail(ret, r);
    factor_record_change(d, call->peer, uid, false, "removed", reason);
    return done(ret, "the second factor is removed");
}

enum ctl_code control_on_mfa_lift(void *context, const struct ctl_call *call, json_t **ret)
{
    struct daemon *d = context;
    struct mfa_now now = factor_now();
    uint32_t asked = 0;
    uid_t uid = 0;
    enum ctl_code code = read_whom(call, &asked, &uid);
    int r;

    if (code != CTL_CODE_OK)
        return code;
    r = mfa_lift(d->mfa, uid, &now);
    if (r != 0)
        return fail(ret, r);
    factor_record_change(d, call->peer, uid, false, "lock lifted", NULL);
    return done(ret, "codes are looked at again");
}

enum ctl_code control_on_mfa_rotate(void *context, const struct ctl_call *call, json_t **ret)
{
    struct daemon *d = context;
    int r;

    if (buf_get_end(call->fields) < 0)
        return CTL_CODE_INVALID;
    r = mfa_rotate(d->mfa);
    factor_tick(d);
    if (r != 0)
        return fail(ret, r);
    factor_record_change(d, call->peer, call->peer->uid, false, "all secrets put under a new key", NULL);
    return done(ret, "the secrets are under a new key");
}

enum ctl_code control_on_mfa_status(void *context, const struct ctl_call *call, json_t **ret)
{
    if (buf_get_end(call->fields) < 0)
        return CTL_CODE_INVALID;
    *ret = answer_mfa(context, call->peer->uid);
    return *ret ? CTL_CODE_OK : CTL_CODE_FAILED;
}
