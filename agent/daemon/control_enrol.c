/*
 * The verbs by which a terminal comes to its centre: its request, signed by the journal's key, and what the centre answered. Owns: that a root
 * document is installed only when a person has confirmed just that one, and that nothing is changed when the membership is not good under it.
 * Must not: see the token, or speak with the centre; `kuraban enrol` does.
 */
#include "daemon/control_enrol.h"

#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <unistd.h>

#include "audit/key.h"
#include "base/cleanup.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/text.h"
#include "ctl/sealed.h"
#include "daemon/control_trust.h"
#include "daemon/daemon.h"
#include "daemon/fleet.h"
#include "daemon/peer.h"
#include "daemon/recorder.h"
#include "daemon/rulebook.h"
#include "json/whole.h"
#include "policy/fleet/statement.h"
#include "policy/trust/json.h"

enum {
    SERIAL_FILE_MAX = 256,
    ANSWER_MAX = 2 * 1024 * 1024,
};

static enum ctl_code fail(json_t **ret, const char *reason, const char *message)
{
    *ret = json_pack("{s:s, s:s}", "message", message, "reason", reason);
    return CTL_CODE_FAILED;
}

/* --- the request --- */

/* What vendors leave there when they write nothing: the same on many machines. */
static bool is_no_serial(const char *text)
{
    static const char *const none[] = {"none",
                                       "default string",
                                       "to be filled by o.e.m.",
                                       "system serial number",
                                       "not specified",
                                       "not applicable",
                                       "n/a",
                                       "0",
                                       "123456789",
                                       "unknown"};

    for (size_t i = 0; i < ELEMENTS(none); i++)
        if (strcasecmp(text, none[i]) == 0)
            return true;
    return strspn(text, "0 .-") == strlen(text);
}

/* NULL: the firmware tells none. */
static const char *read_machine(const struct daemon *d, char ret[static FLEET_TEXT_SIZE])
{
    _cleanup_free_ char *text = NULL;
    size_t end;

    if (files_read_text_at(d->sys_fd, "class/dmi/id/product_serial", SERIAL_FILE_MAX, &text) < 0)
        return NULL;
    end = strlen(text);
    while (end > 0 && text[end - 1] == ' ')
        text[--end] = '\0';
    if (is_no_serial(text) || fleet_text(text, ret) < 0)
        return NULL;
    return ret;
}

static int read_host(char ret[static FLEET_TEXT_SIZE])
{
    char name[HOST_NAME_MAX + 1] = "";

    if (gethostname(name, sizeof(name) - 1) < 0)
        return -errno;
    return fleet_text(name, ret);
}

struct request {
    struct digest token, ca;
    char wire[NKEY_PUBLIC_SIZE];
};

static bool read_fields(struct buf_reader *fields, struct request *ret)
{
    _cleanup_free_ char *token = NULL, *ca = NULL, *wire = NULL;
    uint8_t raw[NKEY_RAW_SIZE];

    if (buf_get_string(fields, DIGEST_HEX_SIZE, &token) < 0 || buf_get_string(fields, DIGEST_HEX_SIZE, &ca) < 0 ||
        buf_get_string(fields, NKEY_PUBLIC_SIZE, &wire) < 0 || buf_get_end(fields) < 0 ||
        digest_from_hex(token, &ret->token) < 0 || digest_from_hex(ca, &ret->ca) < 0 ||
        nkey_public_read(wire, strlen(wire), NKEY_USER, raw) < 0)
        return false;
    (void)snprintf(ret->wire, sizeof(ret->wire), "%s", wire);
    return true;
}

/* enum trust_result or -errno. */
static int seal(const struct daemon *d, const struct request *q, json_t **ret, char ret_terminal[static FLEET_ID_SIZE],
                struct trust_complaint *complaint)
{
    char host[FLEET_TEXT_SIZE], machine[FLEET_TEXT_SIZE], version[] = KURABAN_VERSION;
    const struct journal_key *key = recorder_signer(d->recorder);
    struct fleet_statement s = {.kind = FLEET_ENROLMENT};
    _cleanup_free_ uint8_t *envelope = NULL;
    size_t size = 0;
    int r = read_host(host);

    s.enrolment.token = q->token;
    s.enrolment.ca = q->ca;
    s.enrolment.host = host;
    s.enrolment.machine = (char *)read_machine(d, machine);
    s.enrolment.agent = version;
    s.enrolment.issued_us = clock_wall_us();
    memcpy(s.enrolment.wire, q->wire, sizeof(s.enrolment.wire));
    if (r >= 0)
        r = journal_key_public(key, s.enrolment.journal);
    if (r >= 0)
        r = fleet_terminal_id(s.enrolment.journal, ret_terminal);
    if (r >= 0 && getrandom(s.enrolment.nonce, sizeof(s.enrolment.nonce), 0) != (ssize_t)sizeof(s.enrolment.nonce))
        r = -EIO;
    if (r == 0)
        r = fleet_statement_seal(&s, journal_key_signer(key), &envelope, &size, complaint);
    return r == 0 ? trust_json_load(envelope, size, FLEET_ENVELOPE_MAX, "enrolment", ret, complaint) : r;
}

enum ctl_code control_on_fleet_enrol(void *context, const struct ctl_call *call, json_t **ret)
{
    struct daemon *d = context;
    struct trust_complaint complaint = {0};
    char terminal[FLEET_ID_SIZE] = "";
    json_t *enrolment = NULL;
    struct request q;
    int r;

    if (!read_fields(call->fields, &q))
        return CTL_CODE_INVALID;
    if (trusted_condition(rulebook_trusted(d->rulebook)) == TRUSTED_DAMAGED)
        return fail(ret, "damaged", "what this terminal stored of the signed documents is missing or changed");
    r = seal(d, &q, &enrolment, terminal, &complaint);
    if (r != 0)
        return fail(ret, "request", r < 0 ? strerrordesc_np(-r) : complaint.text);
    *ret = json_pack("{s:o, s:s, s:b}", "enrolment", enrolment, "terminal", terminal, "root",
                     trusted_condition(rulebook_trusted(d->rulebook)) == TRUSTED_GOOD);
    return *ret ? CTL_CODE_OK : CTL_CODE_FAILED;
}

/* --- the answer --- */

struct joining {
    struct daemon *d;
    const struct ctl_call *call;
    char *wire, *confirmed;
    json_t *document;
    uint8_t *membership, *bundle;
    size_t membership_size, bundle_size;
    struct trust_envelope *newest;
    struct trust_root *root; /* of it */
    struct trust_complaint complaint;
    json_t **answer;
};

static void joining_done(struct joining *j)
{
    free(j->wire);
    free(j->confirmed);
    json_decref(j->document);
    free(j->membership);
    free(j->bundle);
    trust_envelope_free(j->newest);
    trust_root_free(j->root);
}

static enum ctl_code refuse(struct joining *j, const char *reason, const char *text)
{
    struct audit_event e;
    char message[640];

    (void)snprintf(message, sizeof(message), "the centre's answer was refused; nothing has changed: %s%s%s", text,
                   *j->complaint.text ? ": " : "", j->complaint.text);
    audit_event_init(&e, AUDIT_FLEET_REFUSED);
    peer_fill_event(j->d, j->call->peer, &e);
    audit_set(e.reason, sizeof(e.reason), reason);
    audit_set(e.message, sizeof(e.message), message);
    recorder_add(j->d->recorder, &e);
    return fail(j->answer, reason, message);
}

static enum ctl_code refuse_result(struct joining *j, int r)
{
    return r < 0 ? refuse(j, "not-stored", strerrordesc_np(-r))
                 : refuse(j, trust_result_name((enum trust_result)r), trust_result_text((enum trust_result)r));
}

/* The roots as a bundle, which is what a terminal takes newer ones from. */
static int take_roots(struct joining *j, json_t *roots)
{
    _cleanup_json_ json_t *bundle = json_pack("{s:s, s:O}", "format", "kuraban-bundle/1", "roots", roots);
    struct trust_bundle b = {0};
    int r = bundle ? trust_json_write(bundle, &j->bundle, &j->bundle_size) : -ENOMEM;

    if (r == 0)
        r = trust_bundle_parse(j->bundle, j->bundle_size, &b, &j->complaint);
    if (r == 0 && b.n_roots == 0)
        r = TRUST_E_NO_ROOT;
    if (r == 0) {
        j->newest = TAKE_PTR(b.roots[b.n_roots - 1]);
        r = trust_root_parse(j->newest->payload, j->newest->size, &j->root, &j->complaint);
    }
    trust_bundle_done(&b);
    return r;
}

static int take_document(struct joining *j)
{
    const json_t *roots = NULL, *membership = NULL;
    const struct trust_json_field fields[] = {
        {.key = "roots", .type = JSON_ARRAY, .target = &roots},
        {.key = "membership", .type = JSON_OBJECT, .target = &membership},
    };
    _cleanup_free_ uint8_t *bytes = NULL;
    size_t size = 0;
    int r = sealed_read(j->call->fd, ANSWER_MAX, &bytes, &size);

    if (r > 0)
        return TRUST_E_MALFORMED;
    if (r == 0)
        r = trust_json_load(bytes, size, ANSWER_MAX, "answer", &j->document, &j->complaint);
    if (r == 0)
        r = trust_json_fields(j->document, "answer", fields, ELEMENTS(fields), &j->complaint);
    if (r == 0)
        r = trust_json_write(membership, &j->membership, &j->membership_size);
    return r == 0 ? take_roots(j, (json_t *)roots) : r;
}

/* Is the membership good under the newest root? Asked before anything is installed. */
static int check_membership(struct joining *j)
{
    struct fleet_statement *s = NULL;
    int r = fleet_open_from_centre(j->membership, j->membership_size, FLEET_KIND(FLEET_MEMBERSHIP), j->root,
                                   rulebook_time(j->d->rulebook, clock_wall_us()), &s, &j->complaint);

    (void)fleet_statement_free(s);
    return r;
}

static bool is_confirmed(const struct joining *j)
{
    struct digest shown, confirmed;

    return digest_bytes(j->newest->payload, j->newest->size, &shown) == 0 &&
           digest_from_hex(j->confirmed, &confirmed) == 0 && digest_equal(&shown, &confirmed);
}

static int install(struct joining *j)
{
    _cleanup_free_ uint8_t *bytes = NULL;
    size_t size = 0;
    int r = trust_envelope_write(j->newest, &bytes, &size);

    if (r == 0)
        r = rulebook_install(j->d->rulebook, bytes, size, clock_wall_us(), &j->complaint);
    if (r == 0)
        control_trust_installed(j->d, j->call);
    return r;
}

/* The root of the answer rules here afterwards. */
static enum ctl_code bring_root(struct joining *j)
{
    const struct trusted *t = rulebook_trusted(j->d->rulebook);
    int r = 0;

    if (trusted_condition(t) == TRUSTED_DAMAGED)
        return refuse(j, "damaged", "what this terminal stored of the signed documents is missing or changed");
    if (trusted_condition(t) == TRUSTED_NONE) {
        if (!is_confirmed(j))
            return refuse(j, "root-id", "this root document was not confirmed by its fingerprint");
        r = install(j);
    } else if (j->root->version > trust_state_root(trusted_state(t))->version) {
        r = rulebook_apply(j->d->rulebook, j->bundle, j->bundle_size, clock_wall_us(), &j->complaint);
        if (r == 0)
            control_trust_applied(j->d, j->call);
    }
    return r == 0 ? CTL_CODE_OK : refuse_result(j, r);
}

static enum ctl_code join(struct joining *j)
{
    struct member_refusal refusal = {0};
    const struct fleet_membership *m;
    json_t *groups = json_array();
    int r = fleet_join(j->d, j->call->peer, j->wire, j->membership, j->membership_size, &refusal);

    if (r != 0) {
        json_decref(groups);
        j->complaint = refusal.complaint;
        return r < 0 ? refuse_result(j, r) : refuse(j, refusal.reason, refusal.text);
    }
    m = member_membership(j->d->fleet->member);
    for (size_t i = 0; i < m->groups.n; i++)
        whole_add(&groups, json_string(m->groups.names[i]));
    *j->answer = json_pack("{s:s, s:s, s:o}", "message", "this terminal belongs to a centre now", "terminal",
                           m->terminal, "groups", groups);
    return *j->answer ? CTL_CODE_OK : CTL_CODE_FAILED;
}

enum ctl_code control_on_fleet_join(void *context, const struct ctl_call *call, json_t **ret)
{
    _cleanup_(joining_done) struct joining j = {.d = context, .call = call, .answer = ret};
    enum ctl_code code;
    int r;

    if (buf_get_string(call->fields, NKEY_PUBLIC_SIZE, &j.wire) < 0 ||
        buf_get_string(call->fields, DIGEST_HEX_SIZE, &j.confirmed) < 0 || buf_get_end(call->fields) < 0 ||
        strlen(j.wire) != NKEY_PUBLIC_SIZE - 1)
        return CTL_CODE_INVALID;
    r = take_document(&j);
    if (r == 0)
        r = check_membership(&j);
    if (r != 0)
        return refuse_result(&j, r);
    code = bring_root(&j);
    return code == CTL_CODE_OK ? join(&j) : code;
}
