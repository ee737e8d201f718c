/*
 * Owns: a statement from its envelope and back: in which order it is judged, and by which key.
 * Must not: take a kind that was not asked for, or read a payload before its signatures were found good. (An enrolment names the key it is
 * signed by.)
 */
#include "policy/fleet/statement.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "policy/fleet/internal.h"

DEFINE_CLEANUP(struct trust_envelope *, trust_envelope_free);

struct fleet_statement *fleet_statement_free(struct fleet_statement *s)
{
    const struct fleet_schema *schema = s ? fleet_schema_of(s->kind) : NULL;

    if (schema)
        fleet_fields_drop(schema->fields, schema->n, s);
    free(s);
    return NULL;
}

int fleet_statement_parse(enum fleet_kind kind, const uint8_t *payload, size_t size, struct fleet_statement **ret,
                          struct trust_complaint *complaint)
{
    _cleanup_(fleet_statement_freep) struct fleet_statement *s = NULL;
    const struct fleet_schema *schema = fleet_schema_of(kind);
    _cleanup_json_ json_t *j = NULL;
    int r;

    if (!schema)
        return -EINVAL;
    r = trust_json_load(payload, size, TRUST_STATEMENT_MAX, schema->name, &j, complaint);
    if (r != TRUST_OK)
        return r;
    if (json_object_get(j, "format")) /* a later one has other keys */
        r = trust_json_format(json_object_get(j, "format"), schema->fields[0].format, complaint);
    if (r != TRUST_OK)
        return r;
    s = calloc(1, sizeof(*s));
    if (!s)
        return -ENOMEM;
    s->kind = kind;
    r = fleet_fields_read(j, schema->name, schema->fields, schema->n, s, complaint);
    if (r == TRUST_OK && schema->check)
        r = schema->check(s, complaint);
    if (r == TRUST_OK)
        *ret = TAKE_PTR(s);
    return r;
}

int fleet_statement_write(const struct fleet_statement *s, uint8_t **ret, size_t *ret_size,
                          struct trust_complaint *complaint)
{
    _cleanup_(fleet_statement_freep) struct fleet_statement *again = NULL;
    const struct fleet_schema *schema = fleet_schema_of(s->kind);
    _cleanup_json_ json_t *j = json_object();
    _cleanup_free_ uint8_t *bytes = NULL;
    size_t size = 0;
    int r;

    if (!schema)
        return -EINVAL;
    r = j ? fleet_fields_write(schema->fields, schema->n, s, j, complaint) : -ENOMEM;
    if (r == TRUST_OK)
        r = trust_json_write(j, &bytes, &size);
    if (r == TRUST_OK)
        r = fleet_statement_parse(s->kind, bytes, size, &again, complaint);
    if (r != TRUST_OK)
        return r;
    *ret = TAKE_PTR(bytes);
    *ret_size = size;
    return TRUST_OK;
}

/* Is a terminal's statement to be signed with that terminal's key? */
static int check_signer(const struct fleet_statement *s, const EVP_PKEY *key, struct trust_complaint *complaint)
{
    uint8_t public[TRUST_PUBLIC_SIZE];
    char id[FLEET_ID_SIZE];
    bool own = true;
    int r;

    if (s->kind != FLEET_REPORT && s->kind != FLEET_ENROLMENT)
        return TRUST_OK;
    r = trust_key_public(key, public);
    if (r != TRUST_KEY_OK)
        return r < 0 ? r : -EINVAL;
    if (s->kind == FLEET_REPORT) {
        r = fleet_terminal_id(public, id);
        own = r == 0 && strcmp(id, s->report.terminal) == 0;
    } else {
        own = memcmp(public, s->enrolment.journal, sizeof(public)) == 0;
    }
    if (r < 0)
        return r;
    return own ? TRUST_OK : trust_refuse(complaint, TRUST_E_SCOPE, N_("the key is not this terminal's"));
}

int fleet_statement_seal(const struct fleet_statement *s, EVP_PKEY *key, uint8_t **ret, size_t *ret_size,
                         struct trust_complaint *complaint)
{
    _cleanup_(trust_envelope_freep) struct trust_envelope *e = NULL;
    _cleanup_free_ uint8_t *payload = NULL;
    size_t size = 0;
    int r;

    r = fleet_statement_write(s, &payload, &size, complaint);
    if (r == TRUST_OK)
        r = check_signer(s, key, complaint);
    if (r == TRUST_OK)
        r = trust_envelope_new(fleet_kind_type(s->kind), payload, size, &e);
    if (r == TRUST_OK)
        r = trust_envelope_sign(e, key);
    return r == TRUST_OK ? trust_envelope_write(e, ret, ret_size) : r;
}

/* The envelope, no longer than any of them is, of one of these kinds. */
static int read_envelope(const uint8_t *bytes, size_t size, unsigned kinds, struct trust_envelope **ret,
                         enum fleet_kind *ret_kind, struct trust_complaint *complaint)
{
    _cleanup_(trust_envelope_freep) struct trust_envelope *e = NULL;
    int r;

    if (size > FLEET_ENVELOPE_MAX)
        return trust_refuse(complaint, TRUST_E_TOO_LONG, N_("%s: %zu bytes; at most %zu are read"), "envelope", size,
                            (size_t)FLEET_ENVELOPE_MAX);
    r = trust_envelope_parse(bytes, size, &e, complaint);
    if (r != TRUST_OK)
        return r;
    for (enum fleet_kind kind = FLEET_NONE + 1; kind < FLEET_KIND_COUNT_; kind++)
        if (kinds & FLEET_KIND(kind) && strcmp(e->type, fleet_kind_type(kind)) == 0) {
            *ret = TAKE_PTR(e);
            *ret_kind = kind;
            return TRUST_OK;
        }
    return trust_refuse(complaint, TRUST_E_PAYLOAD_TYPE, N_("%s: not what is expected here"), e->type);
}

static const char *organization_of(const struct fleet_statement *s)
{
    switch (s->kind) {
    case FLEET_MEMBERSHIP:
        return s->membership.organization;
    case FLEET_ACK:
        return s->ack.organization;
    case FLEET_ORDER:
        return s->order.organization;
    case FLEET_NONE:
    case FLEET_REPORT:
    case FLEET_ENROLMENT:
    case FLEET_KIND_COUNT_:
    default:
        return "";
    }
}

int fleet_open_from_centre(const uint8_t *envelope, size_t size, unsigned kinds, const struct trust_root *root,
                           int64_t now_us, struct fleet_statement **ret, struct trust_complaint *complaint)
{
    _cleanup_(fleet_statement_freep) struct fleet_statement *s = NULL;
    _cleanup_(trust_envelope_freep) struct trust_envelope *e = NULL;
    char until[CLOCK_RFC3339_SIZE];
    enum fleet_kind kind;
    int r;

    r = read_envelope(envelope, size, kinds, &e, &kind, complaint);
    if (r != TRUST_OK)
        return r;
    if (root->expires_us <= now_us) {
        clock_format_rfc3339(root->expires_us, until);
        return trust_refuse(complaint, TRUST_E_ROOT_EXPIRED, "%s", until);
    }
    r = trust_envelope_verify(e, root, TRUST_ROLE_HEAD, NULL, complaint);
    if (r == TRUST_OK)
        r = fleet_statement_parse(kind, e->payload, e->size, &s, complaint);
    if (r != TRUST_OK)
        return r;
    if (strcmp(organization_of(s), root->organization) != 0)
        return trust_refuse(complaint, TRUST_E_ORGANIZATION, "%s", organization_of(s));
    *ret = TAKE_PTR(s);
    return TRUST_OK;
}

int fleet_open_report(const uint8_t *envelope, size_t size, const uint8_t journal[static TRUST_PUBLIC_SIZE],
                      struct fleet_statement **ret, struct trust_complaint *complaint)
{
    _cleanup_(fleet_statement_freep) struct fleet_statement *s = NULL;
    _cleanup_(trust_envelope_freep) struct trust_envelope *e = NULL;
    char id[FLEET_ID_SIZE];
    enum fleet_kind kind;
    int r;

    r = read_envelope(envelope, size, FLEET_KIND(FLEET_REPORT), &e, &kind, complaint);
    if (r == TRUST_OK)
        r = trust_envelope_verify_key(e, TRUST_TYPE_REPORT, journal, complaint);
    if (r == TRUST_OK)
        r = fleet_terminal_id(journal, id);
    if (r == TRUST_OK)
        r = fleet_statement_parse(kind, e->payload, e->size, &s, complaint);
    if (r != TRUST_OK)
        return r;
    if (strcmp(s->report.terminal, id) != 0)
        return trust_refuse(complaint, TRUST_E_SCOPE, N_("the report of '%s', signed by '%s'"), s->report.terminal, id);
    *ret = TAKE_PTR(s);
    return TRUST_OK;
}

int fleet_open_enrolment(const uint8_t *envelope, size_t size, struct fleet_statement **ret,
                         struct trust_complaint *complaint)
{
    _cleanup_(fleet_statement_freep) struct fleet_statement *s = NULL;
    _cleanup_(trust_envelope_freep) struct trust_envelope *e = NULL;
    enum fleet_kind kind;
    int r;

    r = read_envelope(envelope, size, FLEET_KIND(FLEET_ENROLMENT), &e, &kind, complaint);
    if (r == TRUST_OK)
        r = fleet_statement_parse(kind, e->payload, e->size, &s, complaint);
    if (r == TRUST_OK)
        r = trust_envelope_verify_key(e, TRUST_TYPE_ENROLMENT, s->enrolment.journal, complaint);
    if (r == TRUST_OK)
        *ret = TAKE_PTR(s);
    return r;
}
