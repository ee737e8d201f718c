/*
 * Owns: the shape of a record on disk, and the table of actions.
 * Must not: write files, keep a chain, or put anything into a record that the event does not hold.
 */
#include "audit/record.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "json/whole.h"

struct action_shape {
    const char *name, *category, *type;
    bool essential; /* rare and an administrator's: recorded even when only the reserve is left */
    bool failure;   /* outcome when the event carries no verdict */
};

/* Categories and types are those of the Elastic Common Schema 8. */
static const struct action_shape shapes[AUDIT_ACTION_COUNT_] = {
    [AUDIT_NONE] = {"none", "host", "info", false, true},
    [AUDIT_DAEMON_STARTED] = {"daemon-started", "process", "start", true, false},
    [AUDIT_DAEMON_STOPPED] = {"daemon-stopped", "process", "end", true, false},
    [AUDIT_DAEMON_TAKEOVER] = {"daemon-takeover", "process", "start", true, false},
    [AUDIT_POLICY_LOADED] = {"policy-loaded", "configuration", "change", true, false},
    [AUDIT_POLICY_REJECTED] = {"policy-rejected", "configuration", "error", true, true},
    [AUDIT_POLICY_EXPIRED] = {"policy-expired", "configuration", "info", true, true},
    [AUDIT_DEVICE_APPEARED] = {"device-appeared", "host", "start", false, false},
    [AUDIT_DEVICE_DECIDED] = {"device-decided", "host", "access", false, false},
    [AUDIT_DEVICE_CHANGED] = {"device-changed", "host", "change", false, false},
    [AUDIT_DEVICE_REMOVED] = {"device-removed", "host", "end", false, false},
    [AUDIT_DEVICE_FAILED] = {"device-failed", "host", "error", true, true},
    [AUDIT_MEDIUM_DECIDED] = {"medium-decided", "host", "access", false, false},
    [AUDIT_MEDIUM_REMOVED] = {"medium-removed", "host", "end", false, false},
    [AUDIT_MEDIUM_REASSERTED] = {"medium-reasserted", "host", "change", true, true},
    [AUDIT_MOUNT_DECIDED] = {"mount-decided", "host", "access", false, false},
    [AUDIT_FILE_OPEN] = {"file-open", "file", "access", false, false},
    [AUDIT_GATE_MARKED] = {"gate-marked", "file", "info", false, false},
    [AUDIT_GATE_UNMARKED] = {"gate-unmarked", "file", "info", false, false},
    [AUDIT_GATE_OVERFLOW] = {"gate-overflow", "file", "error", true, true},
    [AUDIT_GATE_LOST_MARK] = {"gate-lost-mark", "file", "error", true, true},
    [AUDIT_GATE_SELF_TEST] = {"gate-self-test", "file", "info", false, false},
    [AUDIT_GATE_SWEPT] = {"gate-swept", "file", "access", true, false},
    [AUDIT_USB_EVENTS_LOST] = {"usb-events-lost", "host", "error", true, true},
    [AUDIT_JOURNAL_FULL] = {"journal-full", "host", "error", true, true},
    [AUDIT_JOURNAL_RECOVERED] = {"journal-recovered", "host", "info", true, false},
    [AUDIT_JOURNAL_RELEASED] = {"journal-released", "file", "deletion", true, false},
    [AUDIT_JOURNAL_TORN] = {"journal-torn", "file", "error", true, true},
    [AUDIT_JOURNAL_CHECKPOINT] = {"journal-checkpoint", "file", "info", true, false},
    [AUDIT_JOURNAL_TRUNCATED] = {"journal-truncated", "file", "error", true, true},
    [AUDIT_JOURNAL_KEY] = {"journal-key", "configuration", "creation", true, false},
    [AUDIT_EMERGENCY] = {"emergency", "configuration", "change", true, false},
    [AUDIT_COMMAND] = {"command", "configuration", "change", true, false},
    [AUDIT_CLOCK_JUMP] = {"clock-jump", "host", "change", true, false},
    [AUDIT_POLICY_APPLIED] = {"policy-applied", "configuration", "change", true, false},
    [AUDIT_POLICY_REFUSED] = {"policy-refused", "configuration", "error", true, true},
    [AUDIT_ROOT_INSTALLED] = {"root-installed", "configuration", "creation", true, false},
    [AUDIT_ROOT_REMOVED] = {"root-removed", "configuration", "deletion", true, false},
    [AUDIT_TRUST_DAMAGED] = {"trust-damaged", "configuration", "error", true, true},
    [AUDIT_GRANT_GIVEN] = {"grant-given", "iam", "start", true, false},
    [AUDIT_GRANT_REFUSED] = {"grant-refused", "iam", "info", true, true},
    [AUDIT_GRANT_ENDED] = {"grant-ended", "iam", "end", true, false},
    [AUDIT_EXPORT_STARTED] = {"export-started", "file", "start", true, false},
    [AUDIT_EXPORT_FILE] = {"export-file", "file", "access", true, false},
    [AUDIT_EXPORT_FINISHED] = {"export-finished", "file", "end", true, false},
    [AUDIT_EXPORT_FAILED] = {"export-failed", "file", "error", true, true},
    [AUDIT_MFA_VERIFIED] = {"mfa-verified", "authentication", "start", true, false},
    [AUDIT_MFA_REFUSED] = {"mfa-refused", "authentication", "start", true, true},
    [AUDIT_MFA_ENROLLED] = {"mfa-enrolled", "iam", "creation", true, false},
    [AUDIT_MFA_CHANGED] = {"mfa-changed", "iam", "change", true, false},
    [AUDIT_FLEET_MEMBERSHIP] = {"fleet-membership", "configuration", "change", true, false},
    [AUDIT_FLEET_ORDER] = {"fleet-order", "configuration", "change", true, false},
    [AUDIT_FLEET_REFUSED] = {"fleet-refused", "configuration", "error", true, true},
};

static const struct action_shape *shape_of(enum audit_action action)
{
    if ((unsigned int)action >= AUDIT_ACTION_COUNT_ || !shapes[action].name)
        return &shapes[AUDIT_NONE];
    return &shapes[action];
}

const char *audit_action_name(enum audit_action action)
{
    return shape_of(action)->name;
}

enum audit_action audit_action_from_name(const char *name)
{
    for (unsigned int i = 0; i < AUDIT_ACTION_COUNT_; i++)
        if (shapes[i].name && text_equal(shapes[i].name, name))
            return (enum audit_action)i;
    return AUDIT_NONE;
}

bool record_is_essential(const struct audit_event *e)
{
    return e->alarm || (e->has_verdict && (!e->allowed || e->would_refuse)) || shape_of(e->action)->essential;
}

/* The adders below collect failure in *r, so that a record is either whole or not made. */
static void put(json_t *object, const char *key, json_t *value, int *r)
{
    if (*r >= 0 && (!value || json_object_set_new(object, key, value) < 0))
        *r = -ENOMEM;
    else if (*r < 0)
        json_decref(value);
}

/* Foreign text; an empty one is left out. */
static void put_text(json_t *object, const char *key, const char *value, size_t size, int *r)
{
    _cleanup_free_ char *printable = NULL;

    if (*r < 0 || value[0] == 0)
        return;
    printable = text_make_printable(value, strnlen(value, size));
    put(object, key, printable ? json_string(printable) : NULL, r);
}

#define PUT_FIELD(object, key, e, field, r) put_text(object, key, (e)->field, sizeof((e)->field), r)

static void put_number(json_t *object, const char *key, uint64_t value, int *r)
{
    /* JSON integers of jansson are signed; what does not fit would change its value silently. */
    put(object, key, json_integer(value > INT64_MAX ? INT64_MAX : (json_int_t)value), r);
}

static void put_true(json_t *object, const char *key, bool value, int *r)
{
    if (value)
        put(object, key, json_true(), r);
}

/* An object that turned out empty is left out. */
static void put_object(json_t *parent, const char *key, json_t *object, int *r)
{
    if (object && json_object_size(object) == 0)
        json_decref(object);
    else
        put(parent, key, object, r);
}

static void put_time(json_t *object, const char *key, int64_t wall_us, int *r)
{
    char text[CLOCK_RFC3339_SIZE];

    clock_format_rfc3339(wall_us, text);
    put(object, key, json_string(text), r);
}

static json_t *make_event(const struct audit_event *e, int *r)
{
    const struct action_shape *shape = shape_of(e->action);
    bool failure = e->has_verdict ? !e->allowed : (shape->failure || e->alarm);
    json_t *event = json_object(), *types = json_array();

    put(event, "kind", json_string(e->alarm ? "alert" : "event"), r);
    put(event, "action", json_string(shape->name), r);
    put(event, "category", json_pack("[s]", shape->category), r);
    if (!types || json_array_append_new(types, json_string(shape->type)) < 0 ||
        (e->has_verdict && json_array_append_new(types, json_string(e->allowed ? "allowed" : "denied")) < 0))
        *r = -ENOMEM;
    put(event, "type", types, r);
    put(event, "outcome", json_string(failure ? "failure" : "success"), r);
    PUT_FIELD(event, "reason", e, reason, r);
    if (e->first_wall_us != 0) {
        put_time(event, "start", e->first_wall_us, r);
        put_time(event, "end", e->wall_us, r);
    }
    return event;
}

static json_t *make_process(const struct audit_event *e, int *r)
{
    json_t *process = json_object();

    if (e->pid > 0)
        put_number(process, "pid", (uint64_t)e->pid, r);
    PUT_FIELD(process, "executable", e, program, r);
    return process;
}

static json_t *make_device(const struct audit_event *e, int *r)
{
    json_t *device = json_object();

    PUT_FIELD(device, "id", e, device_id, r);
    PUT_FIELD(device, "bus", e, device_bus, r);
    PUT_FIELD(device, "vendor_id", e, device_vendor, r);
    PUT_FIELD(device, "product_id", e, device_product, r);
    PUT_FIELD(device, "serial_number", e, device_serial, r);
    PUT_FIELD(device, "name", e, device_name, r);
    PUT_FIELD(device, "hash", e, device_hash, r);
    PUT_FIELD(device, "node", e, device_node, r);
    PUT_FIELD(device, "port", e, device_port, r);
    return device;
}

static void put_subject(json_t *kuraban, const struct audit_event *e, int *r)
{
    if (e->has_login_uid)
        put_number(kuraban, "login_uid", e->login_uid, r);
    if (e->session != 0)
        put_number(kuraban, "session", e->session, r);
    if (e->start_time != 0)
        put_number(kuraban, "start_time", e->start_time, r);
    if (e->program_inode != 0) {
        put_number(kuraban, "program_device", e->program_device, r);
        put_number(kuraban, "program_inode", e->program_inode, r);
    }
}

static json_t *make_kuraban(const struct audit_event *e, const struct record_link *link,
                            const struct record_extra *extra, int *r)
{
    json_t *kuraban = json_object(), *policy = json_object();
    char prev[DIGEST_HEX_SIZE];

    digest_to_hex(&link->prev, prev);
    put_number(kuraban, "seq", link->seq, r);
    put(kuraban, "prev", json_string(prev), r);
    put(kuraban, "boot", json_string(link->boot), r);
    put_number(kuraban, "monotonic_us", e->boottime_us, r);
    PUT_FIELD(policy, "name", e, policy_name, r);
    if (e->policy_name[0] != 0 || e->policy_version != 0)
        put_number(policy, "version", e->policy_version, r);
    put_object(kuraban, "policy", policy, r);
    if (e->has_verdict)
        put(kuraban, "verdict", json_string(e->allowed ? "allow" : "deny"), r);
    put_true(kuraban, "would_refuse", e->would_refuse, r);
    put_true(kuraban, "write", e->write, r);
    put_true(kuraban, "execute", e->execute, r);
    PUT_FIELD(kuraban, "store", e, store, r);
    PUT_FIELD(kuraban, "class", e, store_class, r);
    put_subject(kuraban, e, r);
    put_number(kuraban, "count", e->count > 1 ? e->count : 1, r);
    if (extra)
        put(kuraban, extra->name, json_incref(extra->value), r);
    return kuraban;
}

static int make_record(const struct audit_event *e, const struct record_link *link, const struct record_extra *extra,
                       json_t **ret)
{
    _cleanup_(json_decrefp) json_t *record = json_object();
    json_t *user = json_object(), *file = json_object(), *rule = json_object();
    char uid[16];
    int r = record && user && file && rule ? 0 : -ENOMEM;

    if (e->has_uid) {
        (void)snprintf(uid, sizeof(uid), "%u", e->uid);
        put(user, "id", json_string(uid), &r);
    }
    PUT_FIELD(file, "path", e, path, &r);
    PUT_FIELD(rule, "id", e, rule, &r);
    if (record)
        put_time(record, "@timestamp", e->wall_us, &r);
    put_object(record, "event", make_event(e, &r), &r);
    PUT_FIELD(record, "message", e, message, &r);
    put_object(record, "user", user, &r);
    put_object(record, "process", make_process(e, &r), &r);
    put_object(record, "file", file, &r);
    put_object(record, "device", make_device(e, &r), &r);
    put_object(record, "rule", rule, &r);
    put_object(record, "kuraban", make_kuraban(e, link, extra, &r), &r);
    if (r >= 0)
        *ret = TAKE_PTR(record);
    return r;
}

int record_format(const struct audit_event *e, const struct record_link *link, const struct record_extra *extra,
                  struct buf *line)
{
    _cleanup_(json_decrefp) json_t *record = NULL;
    _cleanup_free_ char *text = NULL;
    size_t size;
    int r;

    r = make_record(e, link, extra, &record);
    if (r < 0)
        return r;
    r = whole_text(record, JSON_COMPACT, &text);
    if (r < 0)
        return r;
    size = strlen(text);
    if (size + 1 > RECORD_LINE_MAX)
        return -EMSGSIZE;
    text[size] = '\n'; /* in place of the NUL: text and newline go in together or not at all */
    return buf_add(line, text, size + 1);
}

json_t *record_parse(const char *line, size_t size)
{
    json_t *record = json_loadb(line, size, JSON_REJECT_DUPLICATES, NULL);

    if (record && !json_is_object(record)) {
        json_decref(record);
        return NULL;
    }
    return record;
}

json_t *record_member(json_t *record, const char *path)
{
    json_t *at = record;

    while (at) {
        const char *dot = strchrnul(path, '.');

        at = json_object_getn(at, path, (size_t)(dot - path));
        if (!*dot)
            return at;
        path = dot + 1;
    }
    return NULL;
}

const char *record_text(json_t *record, const char *path)
{
    return json_string_value(record_member(record, path));
}

int record_place(json_t *record, struct record_place *ret)
{
    const char *prev = record_text(record, "kuraban.prev");
    json_t *seq = record_member(record, "kuraban.seq");
    struct record_place place;

    if (!prev || !json_is_integer(seq) || json_integer_value(seq) <= 0)
        return -EBADMSG;
    if (digest_from_hex(prev, &place.prev) < 0)
        return -EBADMSG;
    place.seq = (uint64_t)json_integer_value(seq);
    *ret = place;
    return 0;
}
