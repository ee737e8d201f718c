/*
 * Owns: the structured fields of the mirror in the system's journal.
 * Must not: be called from the gate's threads (journald may itself wait for a guarded open), or be relied upon.
 */
#include "audit/journald.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <syslog.h>
#include <systemd/sd-journal.h>

#include "base/cleanup.h"
#include "base/text.h"

__attribute__((format(printf, 3, 4))) static void put(struct journald_entry *entry, int *r, const char *fmt, ...)
{
    char *text = NULL;
    va_list args;
    int n;

    if (*r < 0 || entry->n == JOURNALD_FIELDS_MAX)
        return;
    va_start(args, fmt);
    n = vasprintf(&text, fmt, args);
    va_end(args);
    if (n < 0) {
        *r = -ENOMEM;
        return;
    }
    entry->fields[entry->n++] = (struct iovec){.iov_base = text, .iov_len = (size_t)n};
}

static void put_text(struct journald_entry *entry, int *r, const char *name, const char *value)
{
    _cleanup_free_ char *printable = NULL;

    if (value[0] == 0)
        return;
    printable = text_make_printable(value, strlen(value));
    if (!printable)
        *r = -ENOMEM;
    else
        put(entry, r, "%s=%s", name, printable);
}

static const char *message_id(const struct audit_event *e)
{
    if (e->alarm)
        return JOURNALD_ID_ALARM;
    return e->has_verdict && !e->allowed ? JOURNALD_ID_REFUSED : JOURNALD_ID_RECORDED;
}

static int priority(const struct audit_event *e)
{
    if (e->alarm)
        return LOG_ALERT;
    return e->has_verdict && !e->allowed ? LOG_WARNING : LOG_INFO;
}

/* "file-open refused by rule juki: /srv/juki/a" */
static void put_message(struct journald_entry *entry, int *r, const struct audit_event *e)
{
    const char *object = e->path[0] ? e->path : e->device_id[0] ? e->device_id : e->device_node;
    _cleanup_free_ char *printable = text_make_printable(object, strlen(object));
    _cleanup_free_ char *rule = text_make_printable(e->rule, strlen(e->rule));
    _cleanup_free_ char *message = text_make_printable(e->message, strlen(e->message));
    const char *verdict = !e->has_verdict ? "" : e->allowed ? " allowed" : " refused";

    if (!printable || !rule || !message) {
        *r = -ENOMEM;
        return;
    }
    put(entry, r, "MESSAGE=%s%s%s%s%s%s%s%s", audit_action_name(e->action), verdict, rule[0] ? " by rule " : "", rule,
        printable[0] ? ": " : "", printable, message[0] ? " - " : "", message);
}

int journald_format(const struct audit_event *e, uint64_t seq, struct journald_entry *ret)
{
    struct journald_entry entry = {.n = 0};
    int r = 0;

    put_message(&entry, &r, e);
    put(&entry, &r, "MESSAGE_ID=%s", message_id(e));
    put(&entry, &r, "PRIORITY=%d", priority(e));
    put(&entry, &r, "SYSLOG_IDENTIFIER=kuraban");
    put(&entry, &r, "KURABAN_SEQ=%" PRIu64, seq);
    put(&entry, &r, "KURABAN_ACTION=%s", audit_action_name(e->action));
    if (e->has_verdict)
        put(&entry, &r, "KURABAN_VERDICT=%s", e->allowed ? "allow" : "deny");
    if (e->would_refuse)
        put(&entry, &r, "KURABAN_WOULD_REFUSE=1");
    put_text(&entry, &r, "KURABAN_REASON", e->reason);
    put_text(&entry, &r, "KURABAN_RULE", e->rule);
    put_text(&entry, &r, "KURABAN_POLICY", e->policy_name);
    if (e->policy_name[0])
        put(&entry, &r, "KURABAN_POLICY_VERSION=%" PRIu64, e->policy_version);
    if (e->has_uid)
        put(&entry, &r, "KURABAN_UID=%" PRIu32, (uint32_t)e->uid);
    if (e->has_login_uid)
        put(&entry, &r, "KURABAN_LOGIN_UID=%" PRIu32, (uint32_t)e->login_uid);
    if (e->pid > 0)
        put(&entry, &r, "KURABAN_PID=%d", (int)e->pid);
    put_text(&entry, &r, "KURABAN_PROGRAM", e->program);
    put_text(&entry, &r, "KURABAN_PATH", e->path);
    put_text(&entry, &r, "KURABAN_STORE", e->store);
    put_text(&entry, &r, "KURABAN_DEVICE", e->device_id);
    put_text(&entry, &r, "KURABAN_DEVICE_SERIAL", e->device_serial);
    put_text(&entry, &r, "KURABAN_DEVICE_NODE", e->device_node);
    if (e->count > 1)
        put(&entry, &r, "KURABAN_COUNT=%" PRIu64, e->count);
    if (r < 0) {
        journald_entry_done(&entry);
        return r;
    }
    *ret = entry;
    return 0;
}

void journald_entry_done(struct journald_entry *entry)
{
    for (size_t i = 0; i < entry->n; i++)
        free(entry->fields[i].iov_base);
    entry->n = 0;
}

void journald_send(void *context, const struct audit_event *e, uint64_t seq)
{
    struct journald_entry entry;

    (void)context;
    if (journald_format(e, seq, &entry) < 0)
        return;
    (void)sd_journal_sendv(entry.fields, (int)entry.n);
    journald_entry_done(&entry);
}
