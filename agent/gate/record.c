/*
 * From a decision to the journal, without ever making a decision wait.
 *
 * Owns: the records in the ring; whoever pops one owns it. Must not: block, lose a decision without counting it. A full ring or no
 * memory folds decisions into two counters, which the main loop gets as one event each.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "gate/internal.h"
#include "policy/policy.h"

struct record *record_new(enum audit_action action)
{
    struct record *r = calloc(1, sizeof(*r));

    if (!r)
        return NULL;
    r->action = action;
    r->wall_us = clock_wall_us();
    r->boottime_us = clock_boottime_us();
    return r;
}

struct record *record_free(struct record *r)
{
    if (!r)
        return NULL;
    (void)view_unref(r->view);
    free(r->program);
    free(r->path);
    free(r->message);
    free(r);
    return NULL;
}

void record_push(struct gate *g, struct record *r)
{
    struct queue_item item = {.pointer = r, .fd = -1};

    if (queue_push(g->records, &item) == 0) {
        gate_wake_main(g);
        return;
    }
    if (r->action == AUDIT_FILE_OPEN)
        atomic_fetch_add(&g->unrecorded[r->verdict.kind == VERDICT_ALLOW], 1);
    gate_fail(g, GATE_FAILURE_RECORD);
    (void)record_free(r);
}

void record_report(struct gate *g, enum audit_action action, bool alarm, const char *path, const char *message,
                   uint64_t count)
{
    struct record *r = record_new(action);

    if (!r) {
        gate_fail(g, GATE_FAILURE_RECORD);
        return;
    }
    r->alarm = alarm;
    r->count = count;
    r->path = path ? strdup(path) : NULL;
    r->message = message ? strdup(message) : NULL;
    record_push(g, r);
}

static void set_object(struct audit_event *e, const struct record *r)
{
    if (r->medium) {
        const struct gate_medium *m = &r->medium->m;

        audit_set(e->device_bus, sizeof(e->device_bus), m->bus);
        audit_set(e->device_id, sizeof(e->device_id), m->device_id);
        audit_set(e->device_vendor, sizeof(e->device_vendor), m->vendor);
        audit_set(e->device_product, sizeof(e->device_product), m->product);
        audit_set(e->device_serial, sizeof(e->device_serial), m->serial);
        audit_set(e->device_name, sizeof(e->device_name), m->name);
        audit_set(e->device_hash, sizeof(e->device_hash), m->hash);
        audit_set(e->device_node, sizeof(e->device_node), m->node);
    }
    if (r->has_store) {
        const struct policy_store *s = &r->view->policy->stores[r->store];

        audit_set(e->store, sizeof(e->store), s->id);
        if (s->class_)
            audit_set(e->store_class, sizeof(e->store_class), s->class_);
    }
    audit_set(e->path, sizeof(e->path), r->path);
    audit_set(e->program, sizeof(e->program), r->program);
}

static void set_asker(struct audit_event *e, const struct asker *a)
{
    e->pid = a->pid;
    e->start_time = a->start_time;
    e->has_uid = a->has_uid;
    e->uid = a->uid;
    e->has_login_uid = a->has_login_uid;
    e->login_uid = a->login_uid;
    e->session = a->session;
    e->program_device = a->exe.st_dev;
    e->program_inode = a->exe.st_ino;
}

static void to_event(const struct record *r, struct audit_event *e)
{
    audit_event_init(e, r->action);
    e->wall_us = r->wall_us;
    e->boottime_us = r->boottime_us;
    e->alarm = r->alarm;
    e->count = r->count;
    if (r->has_verdict) {
        e->has_verdict = true;
        e->allowed = r->verdict.kind == VERDICT_ALLOW;
        e->would_refuse = r->verdict.kind == VERDICT_ALLOW && r->verdict.ruled == VERDICT_DENY;
        audit_set(e->reason, sizeof(e->reason), verdict_reason_name(r->verdict.reason));
        audit_set(e->rule, sizeof(e->rule), r->verdict.rule ? r->verdict.rule : "");
    }
    if (r->view && r->view->policy) {
        audit_set(e->policy_name, sizeof(e->policy_name), r->view->policy->name);
        e->policy_version = r->view->policy->version;
    }
    e->write = r->write;
    e->execute = r->execute;
    set_asker(e, &r->asker);
    set_object(e, r);
    audit_set(e->message, sizeof(e->message), r->message);
}

/* Decisions that found no place in the ring. */
static int take_unrecorded(struct gate *g, struct audit_event *e)
{
    for (int allowed = 0; allowed <= 1; allowed++) {
        uint64_t n = atomic_exchange(&g->unrecorded[allowed], 0);

        if (n == 0)
            continue;
        audit_event_init(e, AUDIT_FILE_OPEN);
        e->has_verdict = true;
        e->allowed = allowed;
        e->alarm = true;
        e->count = n;
        audit_set(e->message, sizeof(e->message), "decisions folded: more came than the journal could take");
        return 1;
    }
    return 0;
}

/* What the reader only counts, because it must not allocate: one event for all since the last time. */
static int take_failures(struct gate *g, struct audit_event *e)
{
    static const struct {
        enum gate_failure failure;
        enum audit_action action;
        enum verdict_reason reason;
        bool alarm, by_reader;
        const char *message;
    } told[] = {
        {GATE_FAILURE_OVERLOAD, AUDIT_FILE_OPEN, REASON_OVERLOAD, true, true, "too many opens in flight"},
        {GATE_FAILURE_SELF, AUDIT_FILE_OPEN, REASON_UNKNOWN, true, true, "the guard itself opened a guarded file"},
        {GATE_FAILURE_DESCRIPTORS, AUDIT_FILE_OPEN, REASON_OVERLOAD, true, false,
         "refused by the kernel: no descriptor for the event"},
        {GATE_FAILURE_OVERFLOW, AUDIT_GATE_OVERFLOW, REASON_UNKNOWN, true, false, "the kernel lost events"},
        {GATE_FAILURE_EVENT, AUDIT_GATE_OVERFLOW, REASON_UNKNOWN, true, false,
         "the group returned bytes that are no event"},
        {GATE_FAILURE_READ, AUDIT_GATE_OVERFLOW, REASON_UNKNOWN, true, false, "the group cannot be read; opens wait"},
    };

    for (size_t i = 0; i < sizeof(told) / sizeof(told[0]); i++) {
        uint64_t n = atomic_load(&g->failures[told[i].failure]);
        uint64_t news = n - g->told[told[i].failure];

        if (news == 0)
            continue;
        g->told[told[i].failure] = n;
        audit_event_init(e, told[i].action);
        e->alarm = told[i].alarm;
        e->count = news;
        e->has_verdict = told[i].action == AUDIT_FILE_OPEN;
        e->allowed = e->would_refuse = e->has_verdict && told[i].by_reader && atomic_load(&g->monitor);
        if (e->has_verdict)
            audit_set(e->reason, sizeof(e->reason), verdict_reason_name(told[i].reason));
        audit_set(e->message, sizeof(e->message), told[i].message);
        return 1;
    }
    return 0;
}

static bool take_record(struct gate *g, struct audit_event *ret)
{
    struct queue_item item;
    struct record *r;

    if (queue_pop(g->records, &item) != 0)
        return false;
    r = item.pointer;
    to_event(r, ret);
    (void)record_free(r);
    return true;
}

int gate_next_event(struct gate *g, struct audit_event *ret)
{
    uint64_t count;

    if (take_record(g, ret) || take_unrecorded(g, ret) || take_failures(g, ret))
        return 1;
    /* Nothing left: from here on a push makes the descriptor readable again; what came before that is looked for once more. */
    (void)!read(g->event_fd, &count, sizeof(count));
    atomic_store(&g->woken, false);
    return take_record(g, ret) || take_unrecorded(g, ret) || take_failures(g, ret);
}
