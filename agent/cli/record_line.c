/* Owns: a record of a journal for people, in one line. */
#include "cli/record_line.h"

#include <jansson.h>
#include <string.h>

#include "audit/record.h"
#include "base/cleanup.h"
#include "cli/i18n.h"
#include "cli/value.h"

static const char *text_of(json_t *record, const char *path)
{
    const char *s = record_text(record, path);

    return s ? s : "";
}

static const char *first_of(const char *a, const char *b)
{
    return *a ? a : b;
}

static const char *verdict_of(json_t *record)
{
    const char *verdict = text_of(record, "kuraban.verdict");

    if (json_is_true(record_member(record, "kuraban.would_refuse")))
        return _("would be refused");
    return *verdict ? value_verdict(verdict) : "-";
}

/* What it is about: a file, or a device by the name people know. */
static const char *object_of(json_t *record)
{
    const char *device = first_of(text_of(record, "device.name"), text_of(record, "device.node"));

    return first_of(text_of(record, "file.path"), first_of(device, text_of(record, "device.id")));
}

/* Who approved, and what the person said it was for, where the message does not say so: of unlocking and of taking out. */
static void show_purpose(struct cli *c, json_t *record, const char *message)
{
    static const char *const parts[][2] = {
        {"kuraban.grant.approvers", "kuraban.grant.reason"},
        {"kuraban.export.approvers", "kuraban.export.reason"},
    };

    for (size_t i = 0; i < ELEMENTS(parts); i++) {
        const json_t *uid, *approvers = record_member(record, parts[i][0]);
        const char *reason = text_of(record, parts[i][1]);
        size_t n;

        json_array_foreach(approvers, n, uid)
        {
            if (n == 0)
                (void)fprintf(c->out, "  %s", _("approved by"));
            (void)fprintf(c->out, "%cuid=%" JSON_INTEGER_FORMAT, n == 0 ? ' ' : ',', json_integer_value(uid));
        }
        if (*reason && !strstr(message, reason))
            (void)fprintf(c->out, "  %s=%s", _("reason"), cli_safe(c, reason));
    }
}

void record_line_show(struct cli *c, json_t *record)
{
    const char *program = text_of(record, "process.executable"), *user = text_of(record, "user.id");
    const char *rule = text_of(record, "rule.id"), *message = text_of(record, "message");
    json_int_t count = json_integer_value(record_member(record, "kuraban.count"));
    char when[VALUE_TIME_SIZE];

    (void)fprintf(c->out, "%" JSON_INTEGER_FORMAT "  %s  %s  %s",
                  json_integer_value(record_member(record, "kuraban.seq")),
                  value_time(text_of(record, "@timestamp"), when), cli_safe(c, text_of(record, "event.action")),
                  cli_safe(c, verdict_of(record)));
    if (*object_of(record))
        (void)fprintf(c->out, "  %s", cli_safe(c, object_of(record)));
    if (*program)
        (void)fprintf(c->out, "  %s=%s", _("program"), cli_safe(c, program));
    if (*user)
        (void)fprintf(c->out, "  uid=%s", cli_safe(c, user));
    show_purpose(c, record, message);
    if (*rule)
        (void)fprintf(c->out, "  %s=%s", _("rule"), cli_safe(c, rule));
    if (count > 1)
        (void)fprintf(c->out, "  ×%" JSON_INTEGER_FORMAT, count);
    if (*message)
        (void)fprintf(c->out, "  (%s)", cli_safe(c, message));
    (void)fputc('\n', c->out);
    cli_forget(c);
}
