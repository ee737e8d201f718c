/*
 * The verbs of what is signed: apply, install a root, remove it. Owns: taking the bytes that came in a sealed memfd, and that each
 * attempt stands in the journal with its reason and who asked. Must not: judge a bundle; that is policy/trust's.
 */
#include "daemon/control_trust.h"

#include <errno.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "ctl/sealed.h"
#include "daemon/answers.h"
#include "daemon/console.h"
#include "daemon/daemon.h"
#include "daemon/peer.h"
#include "daemon/recorder.h"
#include "daemon/rulebook.h"
#include "policy/policy.h"
#include "policy/trust/trust.h"

enum {
    REASON_MAX = 256
};

/* An event about what this peer asked for. */
static void begin_event(const struct daemon *d, const struct ctl_call *call, enum audit_action action,
                        struct audit_event *ret)
{
    audit_event_init(ret, action);
    peer_fill_event(d, call->peer, ret);
}

/* --- refusals --- */

struct refusal {
    const char *reason;    /* stable name */
    const char *text;      /* English */
    const char *complaint; /* "" when there is nothing to add */
};

static struct refusal refusal_of(int result, const struct trust_complaint *complaint)
{
    struct refusal r = {.complaint = complaint->text};

    if (result < 0) {
        r.reason = "not-stored";
        r.text = "it could not be stored";
        r.complaint = strerrordesc_np(-result);
    } else {
        r.reason = trust_result_name((enum trust_result)result);
        r.text = trust_result_text((enum trust_result)result);
    }
    return r;
}

static enum ctl_code refuse(struct daemon *d, const struct ctl_call *call, const struct refusal *why, const char *what,
                            json_t **ret)
{
    char text[640];
    struct audit_event e;

    (void)snprintf(text, sizeof(text), "%s: %s%s%s", what, why->text, *why->complaint ? ": " : "", why->complaint);
    begin_event(d, call, AUDIT_POLICY_REFUSED, &e);
    e.alarm = true;
    audit_set(e.reason, sizeof(e.reason), why->reason);
    audit_set(e.message, sizeof(e.message), text);
    recorder_add(d->recorder, &e);
    *ret = json_pack("{s:o, s:s, s:o, s:o}", "message", answer_foreign_text(text), "reason", why->reason, "complaint",
                     answer_foreign_text(why->complaint), "findings", rulebook_findings(d->rulebook));
    return CTL_CODE_FAILED;
}

/* The bytes the peer passed. 0; else the refusal was answered and its code stands in *ret_code. */
static int take_bytes(struct daemon *d, const struct ctl_call *call, const char *what, uint8_t **ret, size_t *ret_size,
                      enum ctl_code *ret_code, json_t **ret_answer)
{
    static const struct trust_complaint none = {0};
    struct refusal why;
    int r = sealed_read(call->fd, TRUST_BUNDLE_MAX, ret, ret_size);

    if (r == 0)
        return 0;
    why = refusal_of(TRUST_E_TOO_LONG, &none);
    if (r == SEALED_E_NOT_SEALED)
        why = (struct refusal){"not-sealed", "what was passed is no sealed memfd", ""};
    else if (r < 0)
        why = (struct refusal){"unreadable", "what was passed cannot be read", strerrordesc_np(-r)};
    *ret_code = refuse(d, call, &why, what, ret_answer);
    return -EINVAL;
}

/* Nothing is judged by what cannot be read, and nothing is put over it: versions would begin anew. */
static const struct refusal *refusal_of_damage(const struct daemon *d)
{
    static struct refusal damaged = {.reason = "damaged",
                                     .text = "what this terminal stored of the signed documents is missing or changed"};
    const struct trusted *t = rulebook_trusted(d->rulebook);

    damaged.complaint = trusted_complaint(t);
    return trusted_condition(t) == TRUSTED_DAMAGED ? &damaged : NULL;
}

/* --- apply --- */

static void record_applied(struct daemon *d, const struct ctl_call *call)
{
    const struct policy *p = rulebook_policy(d->rulebook);
    struct audit_event e;
    char text[512];

    begin_event(d, call, AUDIT_POLICY_APPLIED, &e);
    (void)snprintf(text, sizeof(text), "%s: %s, version %llu", p->organization, p->name,
                   (unsigned long long)p->version);
    audit_set(e.message, sizeof(e.message), text);
    recorder_add_trust(d->recorder, &e, answer_trust_record(d->rulebook));
}

static void rule(struct daemon *d, const struct ctl_call *call, bool changed)
{
    /* Told first: what is decided anew bears its name. */
    recorder_set_policy(d->recorder, rulebook_policy(d->rulebook));
    if (changed)
        record_applied(d, call);
    daemon_rule(d);
}

void control_trust_applied(struct daemon *d, const struct ctl_call *call)
{
    rule(d, call, true);
}

const char *control_trust_reason(const struct daemon *d, int result)
{
    static const struct trust_complaint none = {0};

    return refusal_of_damage(d) ? refusal_of_damage(d)->reason : refusal_of(result, &none).reason;
}

enum ctl_code control_trust_refuse(struct daemon *d, const struct ctl_call *call, int result,
                                   const struct trust_complaint *complaint, json_t **ret)
{
    const struct refusal why = refusal_of_damage(d) ? *refusal_of_damage(d) : refusal_of(result, complaint);

    return refuse(d, call, &why, "the bundle was refused; nothing has changed", ret);
}

/* What is stored of what was signed, to be compared: NULL when it cannot be told. */
static uint8_t *stored(const struct daemon *d, size_t *ret_size)
{
    const struct trust_state *s = trusted_state(rulebook_trusted(d->rulebook));
    uint8_t *bytes = NULL;

    return s && trust_state_write(s, &bytes, ret_size) == 0 ? bytes : NULL;
}

int control_trust_apply(struct daemon *d, const struct ctl_call *call, const uint8_t *bytes, size_t size,
                        bool *ret_changed, struct trust_complaint *complaint)
{
    _cleanup_free_ uint8_t *before = NULL, *after = NULL;
    size_t n = 0, m = 0;
    int r;

    if (refusal_of_damage(d))
        return TRUST_E_NO_ROOT;
    before = stored(d, &n);
    r = rulebook_apply(d->rulebook, bytes, size, clock_wall_us(), complaint);
    if (r != 0)
        return r;
    after = stored(d, &m);
    *ret_changed = !before || !after || n != m || memcmp(before, after, n) != 0;
    rule(d, call, *ret_changed);
    return 0;
}

enum ctl_code control_on_apply(void *context, const struct ctl_call *call, json_t **ret)
{
    struct daemon *d = context;
    struct trust_complaint complaint = {0};
    _cleanup_free_ uint8_t *bytes = NULL;
    bool changed = false;
    enum ctl_code code;
    size_t size = 0;
    int r;

    if (buf_get_end(call->fields) < 0)
        return CTL_CODE_INVALID;
    if (take_bytes(d, call, "the bundle was refused; nothing has changed", &bytes, &size, &code, ret) < 0)
        return code;
    r = control_trust_apply(d, call, bytes, size, &changed, &complaint);
    if (r != 0)
        return control_trust_refuse(d, call, r, &complaint, ret);
    if (!changed)
        record_applied(d, call); /* somebody asked for it */
    *ret = json_pack("{s:s, s:o, s:o, s:o}", "message", "the policy rules now", "policy", answer_policy_brief(d),
                     "trust", answer_trust(d), "findings", rulebook_findings(d->rulebook));
    return *ret ? CTL_CODE_OK : CTL_CODE_FAILED;
}

/* --- the root --- */

static enum ctl_code fail(json_t **ret, const char *reason, const char *message)
{
    *ret = json_pack("{s:s, s:s}", "message", message, "reason", reason);
    return CTL_CODE_FAILED;
}

void control_trust_installed(struct daemon *d, const struct ctl_call *call)
{
    struct audit_event e;

    begin_event(d, call, AUDIT_ROOT_INSTALLED, &e);
    audit_set(e.message, sizeof(e.message), "from now on only signed policies are accepted");
    recorder_add_trust(d->recorder, &e, answer_trust_record(d->rulebook));
    expiry_watch(d);
    daemon_changed(d);
}

enum ctl_code control_on_trust_install(void *context, const struct ctl_call *call, json_t **ret)
{
    struct daemon *d = context;
    struct trust_complaint complaint = {0};
    _cleanup_free_ uint8_t *bytes = NULL;
    enum ctl_code code;
    size_t size = 0;
    int r;

    if (buf_get_end(call->fields) < 0)
        return CTL_CODE_INVALID;
    if (take_bytes(d, call, "the root was refused; nothing has changed", &bytes, &size, &code, ret) < 0)
        return code;
    if (refusal_of_damage(d))
        return refuse(d, call, refusal_of_damage(d), "the root was refused; nothing has changed", ret);
    r = rulebook_install(d->rulebook, bytes, size, clock_wall_us(), &complaint);
    if (r == -EEXIST)
        return fail(ret, "installed",
                    "a root is installed already: a newer one comes in a bundle, or remove this one at the console");
    if (r != 0) {
        struct refusal why = refusal_of(r, &complaint);

        return refuse(d, call, &why, "the root was refused; nothing has changed", ret);
    }
    control_trust_installed(d, call);
    *ret = json_pack("{s:s, s:o, s:o}", "message", "only signed policies are accepted now", "policy",
                     answer_policy_brief(d), "trust", answer_trust(d));
    return *ret ? CTL_CODE_OK : CTL_CODE_FAILED;
}

static enum ctl_code refuse_from_elsewhere(struct daemon *d, const struct ctl_call *call, json_t **ret)
{
    struct audit_event e;

    begin_event(d, call, AUDIT_COMMAND, &e);
    e.alarm = true;
    audit_set(e.reason, sizeof(e.reason), "console");
    audit_set(e.message, sizeof(e.message), "removing the root was refused: not asked from a console of this machine");
    recorder_add(d->recorder, &e);
    return fail(ret, "console", "this is done at a console of the machine only (a virtual terminal or a serial line)");
}

enum ctl_code control_on_trust_remove(void *context, const struct ctl_call *call, json_t **ret)
{
    struct daemon *d = context;
    _cleanup_free_ char *reason = NULL;
    struct audit_event e;
    int r;

    if (buf_get_string(call->fields, REASON_MAX, &reason) < 0 || buf_get_end(call->fields) < 0 ||
        !text_is_printable_utf8(reason) || reason[0] == '\0')
        return CTL_CODE_INVALID;
    if (trusted_condition(rulebook_trusted(d->rulebook)) == TRUSTED_NONE)
        return fail(ret, "no-root", "no root is installed");
    if (console_check(d->proc_fd, call->peer) != 0)
        return refuse_from_elsewhere(d, call, ret);
    begin_event(d, call, AUDIT_ROOT_REMOVED, &e);
    e.alarm = true;
    audit_set(e.message, sizeof(e.message), reason);
    recorder_add_trust(d->recorder, &e, answer_trust_record(d->rulebook));
    /* On disk before anything opens. */
    if (recorder_sync(d->recorder) < 0)
        return fail(ret, "journal", "the journal could not take it, so nothing was changed");
    r = rulebook_remove(d->rulebook);
    if (r < 0) {
        begin_event(d, call, AUDIT_POLICY_REFUSED, &e);
        audit_set(e.message, sizeof(e.message), "the root could not be removed; it is still installed");
        recorder_add(d->recorder, &e);
        return fail(ret, "not-stored", strerrordesc_np(-r));
    }
    (void)daemon_reload(d);
    *ret =
        json_pack("{s:s, s:o}", "message", "the unsigned policy file counts again", "policy", answer_policy_brief(d));
    return *ret ? CTL_CODE_OK : CTL_CODE_FAILED;
}
