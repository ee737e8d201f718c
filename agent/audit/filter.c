/*
 * Owns: whether a record is one that a reader asked for.
 * Must not: read files: the centre asks the same of what lies in its database.
 */
#include "audit/filter.h"

#include <inttypes.h>
#include <stdio.h>

#include "audit/record.h"
#include "base/clock.h"
#include "base/text.h"

static bool integer_is(json_t *value, uint64_t wanted)
{
    return json_is_integer(value) && json_integer_value(value) >= 0 && (uint64_t)json_integer_value(value) == wanted;
}

static bool person_matches(uid_t uid, json_t *record)
{
    char text[16];

    (void)snprintf(text, sizeof(text), "%" PRIu32, (uint32_t)uid);
    return text_equal(record_text(record, "user.id"), text) ||
           integer_is(record_member(record, "kuraban.login_uid"), uid);
}

static bool verdict_matches(enum journal_read_verdict wanted, json_t *record)
{
    const char *verdict = record_text(record, "kuraban.verdict");

    switch (wanted) {
    case JOURNAL_READ_ANY:
        return true;
    case JOURNAL_READ_ALLOW:
        return text_equal(verdict, "allow");
    case JOURNAL_READ_DENY:
        return text_equal(verdict, "deny");
    case JOURNAL_READ_WOULD_REFUSE:
        return json_is_true(record_member(record, "kuraban.would_refuse"));
    }
    return false;
}

static bool time_matches(const struct journal_filter *f, json_t *record)
{
    const char *text = record_text(record, "@timestamp");
    int64_t when;

    if (f->from_us == 0 && f->until_us == 0)
        return true;
    if (!text || clock_parse_rfc3339(text, &when) < 0)
        return false;
    return (f->from_us == 0 || when >= f->from_us) && (f->until_us == 0 || when < f->until_us);
}

bool journal_filter_matches(const struct journal_filter *f, json_t *record)
{
    json_t *seq = record_member(record, "kuraban.seq");

    if (f->from_seq > 0 &&
        (!json_is_integer(seq) || json_integer_value(seq) < 0 || (uint64_t)json_integer_value(seq) < f->from_seq))
        return false;
    if (f->action != AUDIT_NONE && !text_equal(record_text(record, "event.action"), audit_action_name(f->action)))
        return false;
    if (f->rule && !text_equal(record_text(record, "rule.id"), f->rule))
        return false;
    if (f->device && !text_equal(record_text(record, "device.id"), f->device) &&
        !text_equal(record_text(record, "device.serial_number"), f->device))
        return false;
    if (f->alarms_only && !text_equal(record_text(record, "event.kind"), "alert"))
        return false;
    return (!f->has_uid || person_matches(f->uid, record)) && verdict_matches(f->verdict, record) &&
           time_matches(f, record);
}
