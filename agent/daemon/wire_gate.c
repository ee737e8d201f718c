/*
 * The gate in the daemon: takes over the fanotify groups, keeps a keeper alive, runs the self-test, brings the gate's events to
 * the journal. Owns the holder and the gate.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <string.h>
#include <sys/epoll.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "config/config.h"
#include "daemon/daemon.h"
#include "daemon/recorder.h"
#include "daemon/rulebook.h"
#include "gate/gate.h"

#define KEEPER_NAME "kuraban-keeper"

enum {
    SELF_TEST_DEADLINE_MS = 5000,
    EVENTS_PER_TURN = 512,   /* then other sources of the loop get their turn */
    EVENTS_PER_DRAIN = 8192, /* more than the gate's ring holds */
    REST_US = 10 * 1000,     /* half of the recorder's delay; the ring holds 4096, so 400 000 decisions a second */
};

int wire_gate_open(struct daemon *d)
{
    static char keeper[PATH_MAX]; /* the holder keeps the pointer */
    struct holder_options options = {.run_fd = d->run_fd, .program = keeper};
    int r;

    daemon_find_program(KEEPER_NAME, keeper);
    switch (d->config->keeper) {
    case CONFIG_ON:
        options.mode = HOLDER_ON;
        break;
    case CONFIG_AUTO:
        options.mode = HOLDER_AUTO;
        break;
    case CONFIG_OFF:
        options.mode = HOLDER_OFF;
        break;
    }
    r = holder_open(&options, &d->holder);
    if (r == -EBUSY)
        log_error("start.failed", "part=holder run=%s error=EBUSY: another kuraband runs here",
                  d->config->run_directory);
    else if (r < 0)
        log_error("start.failed", "part=holder keeper=%s error=%s", keeper, strerrorname_np(-r));
    return r;
}

void wire_gate_record_takeover(struct daemon *d)
{
    struct audit_event e;

    if (!d->holder.inherited)
        return;
    audit_event_init(&e, AUDIT_DAEMON_TAKEOVER);
    (void)snprintf(e.message, sizeof(e.message), "kept by %s", d->holder.in_fd_store ? "systemd" : "the keeper");
    recorder_add(d->recorder, &e);
    if (d->holder.swept == 0 && d->holder.refused == 0)
        return;
    audit_event_init(&e, AUDIT_GATE_SWEPT);
    e.has_verdict = true;
    audit_set(e.reason, sizeof(e.reason), verdict_reason_name(REASON_TAKEOVER));
    audit_set(e.rule, sizeof(e.rule), "default");
    e.count = d->holder.swept + d->holder.refused;
    (void)snprintf(e.message, sizeof(e.message), "opens that waited were refused: %u at takeover, %lu by the keeper",
                   d->holder.swept, (unsigned long)d->holder.refused);
    recorder_add(d->recorder, &e);
}

static int on_rested(sd_event_source *timer, uint64_t usec, void *userdata)
{
    (void)timer;
    (void)usec;
    return sd_event_source_set_enabled(userdata, SD_EVENT_ON);
}

/* One decision after a while is taken at once. In a storm the loop would otherwise wake for each of them and take the processor from
 * the program that waits for the next: 3.8 context switches for an open in a store, 2.6 with the rest. Where no timer can be had
 * nothing rests. */
static int rest(struct daemon *d, sd_event_source *source)
{
    uint64_t until = clock_boottime_us() + REST_US;
    int r;

    if (d->gate_rest) {
        r = sd_event_source_set_time(d->gate_rest, until);
        if (r >= 0)
            r = sd_event_source_set_enabled(d->gate_rest, SD_EVENT_ONESHOT);
    } else {
        r = sd_event_add_time(d->loop, &d->gate_rest, CLOCK_BOOTTIME, until, 1, on_rested, source);
    }
    return r < 0 ? 0 : sd_event_source_set_enabled(source, SD_EVENT_OFF);
}

static int on_gate_events(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    struct daemon *d = userdata;
    struct audit_event e;
    int taken = 0;

    (void)fd;
    (void)events;
    for (; taken < EVENTS_PER_TURN && gate_next_event(d->gate, &e) > 0; taken++)
        recorder_add(d->recorder, &e);
    return taken < EVENTS_PER_TURN ? rest(d, source) : 0;
}

/* No more than the ring can hold: who opens files without end must not keep us here. */
void wire_gate_drain(struct daemon *d)
{
    struct audit_event e;

    for (int i = 0; i < EVENTS_PER_DRAIN && gate_next_event(d->gate, &e) > 0; i++)
        recorder_add(d->recorder, &e);
}

static int watch_keeper(struct daemon *d);

static void record_keeper(struct daemon *d, int result)
{
    struct audit_event e;

    audit_event_init(&e, AUDIT_GATE_LOST_MARK);
    e.alarm = true;
    audit_set(e.message, sizeof(e.message),
              result < 0 ? "the keeper died and cannot be started: the guard would not outlive kuraband"
                         : "the keeper died and was started again");
    recorder_add(d->recorder, &e);
    log_warning(result < 0 ? "gate.keeper-lost" : "gate.keeper-renewed", "error=%s",
                result < 0 ? strerrorname_np(-result) : "");
}

/* Without a keeper our own death would open everything. Told once when it fails; tried again at each tick. */
static void renew_keeper(struct daemon *d)
{
    int r = holder_renew(&d->holder);

    gate_set_keeper(d->gate, d->holder.keeper);
    if (r >= 0)
        r = watch_keeper(d);
    if (r >= 0 || !d->keeper_lost)
        record_keeper(d, r);
    d->keeper_lost = r < 0;
}

static int on_keeper_gone(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    struct daemon *d = userdata;

    (void)source;
    (void)fd;
    if (!(events & (EPOLLHUP | EPOLLERR | EPOLLRDHUP)))
        return 0;
    d->keeper_gone = sd_event_source_disable_unref(d->keeper_gone);
    renew_keeper(d);
    return 0;
}

static int watch_keeper(struct daemon *d)
{
    if (d->holder.keeper_socket < 0)
        return 0;
    return sd_event_add_io(d->loop, &d->keeper_gone, d->holder.keeper_socket, EPOLLRDHUP, on_keeper_gone, d);
}

int wire_gate_start(struct daemon *d)
{
    struct gate_options options = {
        .exits = d->holder.exits,
        .stores = d->holder.stores,
        .proc_fd = d->proc_fd,
        .run_fd = d->run_fd,
        .keeper = d->holder.keeper,
        .workers = d->config->workers,
    };
    int r = gate_new(&options, &d->gate);

    if (r < 0)
        return r;
    d->gate_begun = true;
    /* The groups that were kept still have the marks of what ruled then. Only the gate that knows a store takes its marks away;
     * without this, files of a store that is no longer in the policy would be refused to everybody. */
    if (d->holder.inherited && rulebook_before(d->rulebook))
        r = gate_set_policy(d->gate, rulebook_before(d->rulebook));
    if (r >= 0)
        r = gate_set_policy(d->gate, rulebook_policy(d->rulebook));
    if (r < 0)
        return r;
    r = gate_start(d->gate);
    if (r < 0)
        return r;
    gate_set_journal_full(d->gate, recorder_is_full(d->recorder));
    r = sd_event_add_io(d->loop, &d->io[d->n_io++], gate_event_fd(d->gate), EPOLLIN, on_gate_events, d);
    return r < 0 ? r : watch_keeper(d);
}

/* Only where there are stores; it takes a mount namespace, so not at each self-test. */
void wire_gate_probe_overlay(struct daemon *d)
{
    d->overlay_open = false;
    if (rulebook_policy(d->rulebook)->n_stores > 0)
        d->overlay_open = gate_overlay_probe(d->gate, SELF_TEST_DEADLINE_MS) < GATE_OVERLAY_REFUSED;
}

bool wire_gate_self_test(struct daemon *d)
{
    int r = gate_self_test(d->gate, SELF_TEST_DEADLINE_MS);

    /* The page is shared with the test's child until it is written to. "ok = r > 0" was one instruction (setg) that faulted here, and now
     * and then false came out of a test that had passed: it seems that QEMU's TCG loses the comparison over the fault. */
    d->self_test_us = clock_wall_us();
    d->self_test_ok = true;
    if (r > 0)
        return true;
    d->self_test_ok = false;
    log_error("gate.self-test", "result=%d", r);
    return false;
}

void wire_gate_tick(struct daemon *d)
{
    (void)gate_tick(d->gate);
    if (d->keeper_lost)
        renew_keeper(d);
}

void wire_gate_stop(struct daemon *d)
{
    struct audit_event e;

    d->gate_rest = sd_event_source_disable_unref(d->gate_rest);
    if (!d->gate)
        return;
    gate_stop(d->gate);
    /* Nobody adds any more, so all of it. */
    while (d->recorder && gate_next_event(d->gate, &e) > 0)
        recorder_add(d->recorder, &e);
    d->gate = gate_free(d->gate);
}

/* A start that failed before anything was guarded leaves no keeper behind. After that it does: what is guarded stays so (H1). */
void wire_gate_close(struct daemon *d)
{
    d->keeper_gone = sd_event_source_disable_unref(d->keeper_gone);
    if (d->purge || (!d->gate_begun && !d->holder.inherited))
        holder_release(&d->holder);
    else
        holder_close(&d->holder);
}
