/*
 * Brings events to the journal. Owns the journal's writer and its timers: what was appended in one turn of the loop is
 * committed by one fdatasync shortly after, so that a burst costs one. It must not be called from the gate's threads.
 */
#include "daemon/recorder.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-event.h>

#include "audit/journald.h"
#include "base/clock.h"
#include "base/log.h"
#include "daemon/refusals.h"
#include "policy/policy.h"

enum {
    COMMIT_DELAY_US = 20 * 1000,
    RETRY_DELAY_US = 1000 * 1000,
    MAINTAIN_US = 60 * 1000 * 1000,
};

struct recorder {
    struct recorder_options options;
    struct journal *journal;
    sd_event_source *commit, *maintain;
    char policy_name[AUDIT_ID_MAX];
    uint64_t policy_version;
    struct journal_limits limits; /* as set last */
    bool low, failing, full;
    int lost; /* -errno: why something that was added since the last sync is not in the journal, or not all of it */
};

static void on_recorded(void *context, const struct audit_event *e, uint64_t seq)
{
    const struct recorder *r = context;

    if (r->options.journald)
        journald_send(NULL, e, seq); /* a mirror: the journal is the record */
}

/* Space and retention are looked at after delay_us at the latest. */
static void plan_maintain(struct recorder *r, uint64_t delay_us)
{
    uint64_t planned = 0, at_us = clock_boottime_us() + delay_us;

    if (!r->maintain || (sd_event_source_get_time(r->maintain, &planned) >= 0 && planned <= at_us))
        return;
    (void)sd_event_source_set_time(r->maintain, at_us);
}

static void check_state(struct recorder *r)
{
    bool low = journal_state(r->journal) == JOURNAL_LOW;

    if (low != r->low)
        log_warning(low ? "journal.full" : "journal.recovered", "sequence=%lu", journal_sequence(r->journal));
    r->low = low;
    if (r->full == (low || r->failing))
        return;
    r->full = low || r->failing;
    if (r->full)
        plan_maintain(r, RETRY_DELAY_US);
    r->options.on_full(r->options.context, r->full);
}

/* A disk that fails is to the gate what a full one is: what cannot be recorded is not allowed where policy says so. */
static void note_result(struct recorder *r, int result)
{
    bool failing = result < 0;

    if (failing && !r->failing)
        log_error("journal.write-failed", "error=%s", strerrorname_np(-result));
    else if (!failing && r->failing)
        log_warning("journal.written-again", "sequence=%lu", journal_sequence(r->journal));
    r->failing = failing;
    check_state(r);
}

static void plan_commit(struct recorder *r, uint64_t at_us)
{
    uint64_t planned = 0;
    int enabled = SD_EVENT_OFF;

    (void)sd_event_source_get_enabled(r->commit, &enabled);
    (void)sd_event_source_get_time(r->commit, &planned);
    if (enabled != SD_EVENT_OFF && planned <= at_us)
        return;
    (void)sd_event_source_set_time(r->commit, at_us);
    (void)sd_event_source_set_enabled(r->commit, SD_EVENT_ONESHOT);
}

static int commit(struct recorder *r)
{
    int result = journal_commit(r->journal, clock_wall_us(), clock_boottime_us());

    note_result(r, result);
    return result;
}

static int on_commit(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct recorder *r = userdata;
    uint64_t next;

    (void)source;
    (void)usec;
    if (commit(r) != JOURNAL_OK) {
        plan_commit(r, clock_boottime_us() + RETRY_DELAY_US);
        return 0;
    }
    next = journal_next_us(r->journal);
    if (next != UINT64_MAX)
        plan_commit(r, next);
    return 0;
}

static int on_maintain(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct recorder *r = userdata;

    (void)usec;
    note_result(r, journal_maintain(r->journal, clock_wall_us(), clock_boottime_us()));
    (void)sd_event_source_set_time(source, clock_boottime_us() + (r->full ? RETRY_DELAY_US : MAINTAIN_US));
    return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static int add_timers(struct recorder *r)
{
    int e = sd_event_add_time(r->options.loop, &r->commit, CLOCK_BOOTTIME, UINT64_MAX, 1000, on_commit, r);

    if (e >= 0)
        e = sd_event_source_set_enabled(r->commit, SD_EVENT_OFF);
    if (e >= 0)
        e = sd_event_add_time(r->options.loop, &r->maintain, CLOCK_BOOTTIME, clock_boottime_us() + MAINTAIN_US, 0,
                              on_maintain, r);
    return e;
}

int recorder_new(const struct recorder_options *options, struct recorder **ret)
{
    struct recorder *r = calloc(1, sizeof(*r));
    struct journal_options journal = {0};
    int e;

    if (!r)
        return -ENOMEM;
    r->options = *options;
    journal.wall_us = clock_wall_us();
    journal.boottime_us = clock_boottime_us();
    journal.recorded = on_recorded;
    journal.recorded_context = r;
    journal.ops = options->ops;
    e = journal_open(options->state_directory, &journal, &r->journal);
    if (e >= 0)
        e = add_timers(r);
    if (e < 0) {
        (void)recorder_free(r);
        return e;
    }
    check_state(r);
    plan_commit(r, clock_boottime_us() + COMMIT_DELAY_US);
    *ret = r;
    return 0;
}

struct recorder *recorder_free(struct recorder *r)
{
    int e;

    if (!r)
        return NULL;
    sd_event_source_disable_unref(r->commit);
    sd_event_source_disable_unref(r->maintain);
    if (r->journal) {
        e = journal_close(r->journal, clock_wall_us(), clock_boottime_us());
        if (e != 0)
            log_error("journal.close-failed", "error=%d", e);
    }
    free(r);
    return NULL;
}

static void set_limits(struct recorder *r, const struct journal_limits *limits)
{
    r->limits = *limits;
    journal_set_limits(r->journal, limits);
}

void recorder_set_policy(struct recorder *r, struct policy *p)
{
    const struct journal_limits limits = {
        .segment_size = p->audit.segment_size,
        .total_size = p->audit.total_size,
        .keep_days = p->audit.keep_days,
        .when_full = p->audit.when_full == POLICY_FULL_REFUSE_ALL    ? JOURNAL_FULL_REFUSE_ALL
                     : p->audit.when_full == POLICY_FULL_DROP_OLDEST ? JOURNAL_FULL_DROP_OLDEST
                                                                     : JOURNAL_FULL_REFUSE_EXPORT,
        .hold_from_seq = r->limits.hold_from_seq,
    };

    audit_set(r->policy_name, sizeof(r->policy_name), p->name);
    r->policy_version = p->version;
    set_limits(r, &limits);
    plan_maintain(r, 0);
}

void recorder_hold(struct recorder *r, uint64_t from)
{
    struct journal_limits limits = r->limits;

    if (limits.hold_from_seq == from)
        return;
    limits.hold_from_seq = from;
    set_limits(r, &limits);
    if (r->full)
        plan_maintain(r, 0);
}

void recorder_add(struct recorder *r, struct audit_event *e)
{
    recorder_add_with(r, e, "", json_null());
}

void recorder_add_trust(struct recorder *r, struct audit_event *e, json_t *trust)
{
    recorder_add_with(r, e, "trust", trust);
}

/* What memory ran out for is not left out as if it had never been. */
static void note_incomplete(struct recorder *r, struct audit_event *e)
{
    char message[sizeof(e->message)];

    (void)snprintf(message, sizeof(message), "memory ran out: not all of this is recorded: %.200s", e->message);
    audit_set(e->message, sizeof(e->message), message);
    e->alarm = true;
    r->lost = -ENOMEM;
}

void recorder_add_with(struct recorder *r, struct audit_event *e, const char *name, json_t *value)
{
    int result;

    if (e->policy_name[0] == '\0') {
        audit_set(e->policy_name, sizeof(e->policy_name), r->policy_name);
        e->policy_version = r->policy_version;
    }
    if (!value)
        note_incomplete(r, e);
    refusals_remember(r->options.refusals, e);
    if (r->options.on_event)
        r->options.on_event(r->options.context, e);
    result = json_is_object(value) ? journal_append_with(r->journal, e, name, value) : journal_append(r->journal, e);
    json_decref(value);
    if (result < 0) {
        r->lost = result;
        log_error("journal.append-failed", "action=%s error=%s", audit_action_name(e->action),
                  strerrorname_np(-result));
    }
    check_state(r);
    /* While nothing can be written, the retry that is planned is soon enough. */
    plan_commit(r, clock_boottime_us() + (r->full ? RETRY_DELAY_US : COMMIT_DELAY_US));
}

int recorder_sync(struct recorder *r)
{
    int lost = r->lost, result = commit(r);

    r->lost = 0;
    if (lost < 0)
        return lost;
    return result == JOURNAL_E_FULL ? -ENOSPC : result;
}

const struct journal_key *recorder_signer(const struct recorder *r)
{
    return journal_signer(r->journal);
}

uint64_t recorder_sequence(const struct recorder *r)
{
    return journal_durable_sequence(r->journal);
}

uint64_t recorder_durable(const struct recorder *r, struct digest *ret)
{
    return journal_durable(r->journal, ret);
}

uint64_t recorder_pending(const struct recorder *r)
{
    return journal_sequence(r->journal) - journal_durable_sequence(r->journal);
}

bool recorder_is_low(const struct recorder *r)
{
    return r->low;
}

bool recorder_is_failing(const struct recorder *r)
{
    return r->failing;
}

bool recorder_is_full(const struct recorder *r)
{
    return r->full;
}

const char *recorder_state_name(const struct recorder *r)
{
    return r->failing ? "failing" : r->low ? "low" : "normal";
}

uint64_t recorder_unrecorded(const struct recorder *r)
{
    return journal_unrecorded(r->journal);
}
