/*
 * What the daemon says of itself, as JSON. Reads the parts, changes nothing.
 */
#include "daemon/answers.h"

#include <jansson.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/digest.h"
#include "base/text.h"
#include "config/config.h"
#include "daemon/daemon.h"
#include "daemon/fleet.h"
#include "daemon/recorder.h"
#include "daemon/rulebook.h"
#include "device/block.h"
#include "device/usb.h"
#include "gate/gate.h"
#include "policy/policy.h"

json_t *answer_time(int64_t wall_us)
{
    char text[CLOCK_RFC3339_SIZE];

    if (wall_us == 0)
        return json_null();
    clock_format_rfc3339(wall_us, text);
    return json_string(text);
}

json_t *answer_foreign_text(const char *text)
{
    _cleanup_free_ char *printable = text_make_printable(text, strlen(text));

    return printable ? json_string(printable) : NULL;
}

json_t *answer_refusal(const struct audit_event *e)
{
    json_t *device = json_null();

    if (e->device_id[0] != '\0')
        device = json_pack("{s:o, s:o, s:o, s:o}", "id", answer_foreign_text(e->device_id), "name",
                           answer_foreign_text(e->device_name), "serial", answer_foreign_text(e->device_serial), "node",
                           answer_foreign_text(e->device_node));
    return json_pack("{s:o, s:s, s:s, s:s, s:{s:s, s:I}, s:o, s:o, s:s, s:o, s:b, s:b, s:I, s:b}", "at",
                     answer_time(e->wall_us), "action", audit_action_name(e->action), "reason", e->reason, "rule",
                     e->rule, "policy", "name", e->policy_name, "version", (json_int_t)e->policy_version, "program",
                     answer_foreign_text(e->program), "path", answer_foreign_text(e->path), "store", e->store, "device",
                     device, "write", e->write, "execute", e->execute, "count", (json_int_t)(e->count ? e->count : 1),
                     "would_refuse", e->would_refuse);
}

json_t *answer_policy_brief(struct daemon *d)
{
    static const char *const zones[] = {"mynumber", "lgwan", "internet"};
    const struct policy *p = rulebook_policy(d->rulebook);
    int64_t now = rulebook_time(d->rulebook, clock_wall_us());
    struct expiry ends[EXPIRY_COUNT_];
    char hex[DIGEST_HEX_SIZE];

    digest_to_hex(&p->sha256, hex);
    expiry_read(d->rulebook, ends);
    return json_pack(
        "{s:s, s:I, s:s, s:s, s:s, s:o, s:b, s:b, s:s}", "name", p->name, "version", (json_int_t)p->version,
        "organization", p->organization, "zone", zones[p->zone], "sha256", hex, "valid_until",
        answer_time(p->valid_until_us), "expired", expiry_is_over(&ends[EXPIRY_POLICY], now), "expires_soon",
        expiry_is_soon(&ends[EXPIRY_POLICY], now), "source", rulebook_source_name(rulebook_source(d->rulebook)));
}

static json_t *gate_answer(struct daemon *d, const struct gate_status *s)
{
    return json_pack(
        "{s:b, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:{s:b, s:o}}", "enforcing", s->enforcing, "marks",
        (json_int_t)s->marks, "store_inodes", (json_int_t)s->store_inodes, "decisions", (json_int_t)s->decisions,
        "allowed", (json_int_t)(s->decisions - s->denied), "refused", (json_int_t)s->denied, "would_refuse",
        (json_int_t)s->would_refuse, "overloads", (json_int_t)s->failures[GATE_FAILURE_OVERLOAD], "overflows",
        (json_int_t)s->failures[GATE_FAILURE_OVERFLOW], "lost_events", (json_int_t)s->failures[GATE_FAILURE_RECORD],
        "self_test", "ok", d->self_test_ok, "at", answer_time(d->self_test_us));
}

static json_t *usb_answer(const struct daemon *d)
{
    size_t refused = 0, n = d->usb ? usb_manager_count(d->usb) : 0;

    if (!d->usb)
        return json_pack("{s:s, s:i, s:i, s:i}", "state", "off", "hubs", 0, "devices", 0, "refused", 0);
    for (size_t i = 0; i < n; i++)
        refused += usb_device_verdict(usb_manager_get(d->usb, i))->kind == VERDICT_DENY;
    return json_pack("{s:s, s:I, s:I, s:I}", "state", usb_manager_guarded(d->usb) ? "on" : "incomplete", "hubs",
                     (json_int_t)usb_manager_hubs(d->usb), "devices", (json_int_t)n, "refused", (json_int_t)refused);
}

static json_t *media_answer(const struct daemon *d)
{
    size_t refused = 0, n = d->block ? block_manager_count(d->block) : 0;

    if (!d->block)
        return json_pack("{s:s, s:i, s:i, s:i}", "state", "off", "exits", 0, "refused", 0, "reasserted", 0);
    for (size_t i = 0; i < n; i++)
        refused += block_manager_at(d->block, i)->verdict.kind == VERDICT_DENY;
    return json_pack("{s:s, s:I, s:I, s:I}", "state", exit_mode_name(block_manager_mode(d->block)), "exits",
                     (json_int_t)n, "refused", (json_int_t)refused, "reasserted", (json_int_t)d->reasserted);
}

static json_t *emergency_answer(const struct daemon *d)
{
    uint64_t now = clock_boottime_us();

    if (!emergency_is_on(d))
        return json_null();
    return json_pack("{s:b, s:I}", "boot", d->emergency_boot, "seconds_left",
                     (json_int_t)(d->emergency_until_us > now ? (d->emergency_until_us - now) / 1000000 : 0));
}

static bool is_enforcing(const struct daemon *d, const struct gate_status *s)
{
    const struct policy *p = rulebook_policy(d->rulebook);

    return rulebook_source(d->rulebook) != RULEBOOK_NONE && p->mode == POLICY_ENFORCE && s->enforcing &&
           d->self_test_ok && (!d->usb || usb_manager_guarded(d->usb));
}

json_t *answer_status(struct daemon *d)
{
    const struct policy *p = rulebook_policy(d->rulebook);
    struct gate_status s = {0};

    gate_get_status(d->gate, &s);
    return json_pack(
        "{s:b, s:s, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o, s:{s:I, s:s, s:I, s:I}, s:o, s:o}", "enforcing",
        is_enforcing(d, &s), "mode", p->mode == POLICY_MONITOR ? "monitor" : "enforce", "version", KURABAN_VERSION,
        "started", answer_time(d->started_us), "terminal", answer_terminal(d), "policy", answer_policy_brief(d),
        "trust", answer_trust(d), "gate", gate_answer(d, &s), "usb", usb_answer(d), "media", media_answer(d), "journal",
        "sequence", (json_int_t)recorder_sequence(d->recorder), "state", recorder_state_name(d->recorder), "pending",
        (json_int_t)recorder_pending(d->recorder), "unrecorded", (json_int_t)recorder_unrecorded(d->recorder),
        "emergency", emergency_answer(d), "fleet", answer_fleet(d));
}
