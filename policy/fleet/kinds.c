/*
 * Owns: which keys each statement has, and what must hold between them.
 * Must not: read JSON or verify a signature itself.
 */
#include <stddef.h>
#include <string.h>

#include "policy/fleet/internal.h"

static const char *const order_kinds[] = {"report", "end-grants", NULL};
static const char *const sources[] = {"file", "last-good", "signed", NULL};
static const char *const statuses[] = {"applied", "failed", NULL};

#define FIELD(key_, kind_, member_)                                                                                    \
    {                                                                                                                  \
        .key = (key_), .kind = FLEET_FIELD_##kind_, .at = offsetof(struct fleet_statement, member_)                    \
    }
#define FORMAT(format_)                                                                                                \
    {                                                                                                                  \
        .key = "format", .kind = FLEET_FIELD_FORMAT, .format = (format_)                                               \
    }
#define NULLABLE(key_, kind_, member_)                                                                                 \
    {                                                                                                                  \
        .key = (key_), .kind = FLEET_FIELD_##kind_, .nullable = true, .at = offsetof(struct fleet_statement, member_)  \
    }
#define CHOICE(key_, choices_, member_)                                                                                \
    {                                                                                                                  \
        .key = (key_), .kind = FLEET_FIELD_CHOICE, .choices = (choices_),                                              \
        .at = offsetof(struct fleet_statement, member_)                                                                \
    }
#define OBJECT(key_, fields_)                                                                                          \
    {                                                                                                                  \
        .key = (key_), .kind = FLEET_FIELD_OBJECT, .fields = (fields_), .n = ELEMENTS(fields_)                         \
    }
#define NULLABLE_OBJECT(key_, fields_, present_)                                                                       \
    {                                                                                                                  \
        .key = (key_), .kind = FLEET_FIELD_OBJECT, .nullable = true, .fields = (fields_), .n = ELEMENTS(fields_),      \
        .present = offsetof(struct fleet_statement, present_)                                                          \
    }

static const struct fleet_field membership[] = {
    FORMAT("kuraban-membership"),
    FIELD("organization", TEXT, membership.organization),
    FIELD("terminal", TERMINAL, membership.terminal),
    FIELD("journal", KEY, membership.journal),
    FIELD("wire", WIRE, membership.wire),
    FIELD("groups", GROUPS, membership.groups),
    FIELD("serial", NUMBER, membership.serial),
    FIELD("issued", TIME, membership.issued_us),
};

static const struct fleet_field ack[] = {
    FORMAT("kuraban-ack"),
    FIELD("organization", TEXT, ack.organization),
    FIELD("terminal", TERMINAL, ack.terminal),
    FIELD("sequence", NUMBER, ack.sequence),
    FIELD("hash", DIGEST, ack.hash),
    FIELD("issued", TIME, ack.issued_us),
};

static const struct fleet_field order[] = {
    FORMAT("kuraban-order"),
    FIELD("organization", TEXT, order.organization),
    FIELD("terminal", TERMINAL, order.terminal),
    FIELD("id", ID128, order.id),
    CHOICE("kind", order_kinds, order.kind),
    FIELD("issued", TIME, order.issued_us),
    FIELD("expires", TIME, order.expires_us),
};

static const struct fleet_field report_versions[] = {
    FIELD("agent", TEXT, report.versions.agent),
    FIELD("kernel", TEXT, report.versions.kernel),
    FIELD("system", TEXT, report.versions.system),
};
static const struct fleet_field report_policy[] = {
    FIELD("version", NUMBER, report.policy.version),
    FIELD("sha256", DIGEST, report.policy.sha256),
    FIELD("name", TEXT, report.policy.name),
    CHOICE("source", sources, report.policy.source),
};
static const struct fleet_field report_head[] = {
    FIELD("group", TEXT, report.head.group),
    FIELD("version", NUMBER, report.head.version),
};
static const struct fleet_field report_outcome[] = {
    FIELD("bundle", DIGEST, report.outcome.bundle),
    CHOICE("status", statuses, report.outcome.status),
    NULLABLE("reason", TEXT, report.outcome.reason),
};
static const struct fleet_field report_journal[] = {
    FIELD("sequence", NUMBER, report.journal.sequence),
    FIELD("hash", DIGEST, report.journal.hash),
};
static const struct fleet_field report[] = {
    FORMAT("kuraban-report"),
    NULLABLE("organization", TEXT, report.organization),
    FIELD("terminal", TERMINAL, report.terminal),
    FIELD("sequence", NUMBER, report.sequence),
    FIELD("issued", TIME, report.issued_us),
    FIELD("boot", ID128, report.boot),
    OBJECT("versions", report_versions),
    NULLABLE_OBJECT("policy", report_policy, report.has_policy),
    NULLABLE_OBJECT("head", report_head, report.has_head),
    NULLABLE_OBJECT("outcome", report_outcome, report.has_outcome),
    OBJECT("journal", report_journal),
    NULLABLE("membership", NUMBER, report.membership),
};

static const struct fleet_field enrolment[] = {
    FORMAT("kuraban-enrolment"),
    FIELD("token", DIGEST, enrolment.token),
    FIELD("ca", DIGEST, enrolment.ca),
    FIELD("host", TEXT, enrolment.host),
    NULLABLE("machine", TEXT, enrolment.machine),
    FIELD("agent", TEXT, enrolment.agent),
    FIELD("journal", KEY, enrolment.journal),
    FIELD("wire", WIRE, enrolment.wire),
    FIELD("issued", TIME, enrolment.issued_us),
    FIELD("nonce", ID128, enrolment.nonce),
};

/*
 * The wire's key signs what the broker asks it to (its nonce), and lies with the courier. Were it the journal's as well, either of them
 * could speak for kuraband.
 */
static int check_keys(const uint8_t journal[static TRUST_PUBLIC_SIZE], const char *wire,
                      struct trust_complaint *complaint)
{
    uint8_t raw[NKEY_RAW_SIZE];

    if (nkey_public_read(wire, strlen(wire), NKEY_USER, raw) < 0 || memcmp(raw, journal, sizeof(raw)) == 0)
        return trust_refuse(complaint, TRUST_E_MALFORMED, N_("one key for the journal and for the wire"));
    return TRUST_OK;
}

static int check_membership(const struct fleet_statement *s, struct trust_complaint *complaint)
{
    char id[FLEET_ID_SIZE];
    int r = fleet_terminal_id(s->membership.journal, id);

    if (r < 0)
        return r;
    if (strcmp(id, s->membership.terminal) != 0)
        return trust_refuse(complaint, TRUST_E_MALFORMED, N_("'%s' is not the id of the journal's key; %s is"),
                            s->membership.terminal, id);
    return check_keys(s->membership.journal, s->membership.wire, complaint);
}

static int check_order(const struct fleet_statement *s, struct trust_complaint *complaint)
{
    int64_t lasts_us = s->order.expires_us - s->order.issued_us;

    if (lasts_us <= 0 || lasts_us > FLEET_ORDER_SECONDS_MAX * INT64_C(1000000))
        return trust_refuse(complaint, TRUST_E_MALFORMED, N_("an order must end after it begins, within %d hours"),
                            FLEET_ORDER_SECONDS_MAX / 3600);
    return TRUST_OK;
}

static int check_report(const struct fleet_statement *s, struct trust_complaint *complaint)
{
    const struct fleet_report *r = &s->report;

    if (r->has_outcome && (r->outcome.status == FLEET_STATUS_FAILED) != (r->outcome.reason != NULL))
        return trust_refuse(complaint, TRUST_E_MALFORMED, N_("a failure has a reason, and nothing else has one"));
    return TRUST_OK;
}

static int check_enrolment(const struct fleet_statement *s, struct trust_complaint *complaint)
{
    return check_keys(s->enrolment.journal, s->enrolment.wire, complaint);
}

static const struct fleet_schema schemas[FLEET_KIND_COUNT_] = {
    [FLEET_MEMBERSHIP] = {TRUST_TYPE_MEMBERSHIP, "membership", membership, ELEMENTS(membership), check_membership},
    [FLEET_ACK] = {TRUST_TYPE_ACK, "ack", ack, ELEMENTS(ack), NULL},
    [FLEET_ORDER] = {TRUST_TYPE_ORDER, "order", order, ELEMENTS(order), check_order},
    [FLEET_REPORT] = {TRUST_TYPE_REPORT, "report", report, ELEMENTS(report), check_report},
    [FLEET_ENROLMENT] = {TRUST_TYPE_ENROLMENT, "enrolment", enrolment, ELEMENTS(enrolment), check_enrolment},
};

const struct fleet_schema *fleet_schema_of(enum fleet_kind kind)
{
    return (unsigned)kind < FLEET_KIND_COUNT_ && schemas[kind].type ? &schemas[kind] : NULL;
}

const char *fleet_kind_type(enum fleet_kind kind)
{
    const struct fleet_schema *schema = fleet_schema_of(kind);

    return schema ? schema->type : NULL;
}
