/*
 * kuraband's life: the order in which parts come up and go down, the timers, and what goes to every part when policy or people
 * change. Owns struct daemon. Each part's own wiring is in wire_*.c.
 *
 * Order at start: what a dead daemon left is denied before anything opens a descriptor; the journal is there before anything is
 * decided; the gate answers before media are looked at; ready is told last, after the self-test.
 */
#include "daemon/daemon.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/log.h"
#include "config/config.h"
#include "ctl/server.h"
#include "daemon/answers.h"
#include "daemon/exports.h"
#include "daemon/factor.h"
#include "daemon/fleet.h"
#include "daemon/kuraband.h"
#include "daemon/notices.h"
#include "daemon/recorder.h"
#include "daemon/refusals.h"
#include "daemon/rulebook.h"
#include "daemon/sessions.h"
#include "daemon/unlock.h"
#include "device/block.h"
#include "device/usb.h"
#include "gate/gate.h"
#include "policy/policy.h"

#include <jansson.h>

enum {
    TICK_US = 2 * 1000 * 1000,
    TICKS_PER_MINUTE = 30,
    SELF_TEST_AGAIN_US = 5 * 1000 * 1000,
    CLOCK_JUMP_US = 60 * 1000 * 1000,
};

void event_set_verdict(struct audit_event *e, const struct verdict *v)
{
    e->has_verdict = true;
    e->allowed = v->kind == VERDICT_ALLOW;
    e->would_refuse = v->kind != v->ruled;
    audit_set(e->reason, sizeof(e->reason), verdict_reason_name(v->reason));
    audit_set(e->rule, sizeof(e->rule), v->rule ? v->rule : "default");
}

static void record(struct daemon *d, enum audit_action action, bool alarm, const char *message)
{
    struct audit_event e;

    audit_event_init(&e, action);
    e.alarm = alarm;
    if (message)
        audit_set(e.message, sizeof(e.message), message);
    recorder_add(d->recorder, &e);
}

void daemon_changed(struct daemon *d)
{
    d->watchers_dirty = true;
}

static int on_turn_end(sd_event_source *source, void *userdata)
{
    struct daemon *d = userdata;
    json_t *answer;

    (void)source;
    if (d->media_dirty) {
        d->media_dirty = false;
        wire_media_tick(d);
    }
    if (d->watchers_dirty)
        exports_tick(d);
    if (!d->watchers_dirty || !d->control)
        return 0;
    d->watchers_dirty = false;
    if (!ctl_server_has_watchers(d->control, CTL_WATCH, NULL))
        return 0;
    answer = answer_devices(d);
    if (answer)
        ctl_server_publish(d->control, CTL_WATCH, NULL, answer);
    json_decref(answer);
    return 0;
}

/* --- policy and people --- */

void daemon_apply_policy(struct daemon *d)
{
    struct policy *p = rulebook_policy(d->rulebook);
    int64_t now = clock_wall_us();

    exports_end_by_policy(d);
    recorder_set_policy(d->recorder, p);
    factor_apply_policy(d);
    unlock_revalidate(d, false);
    /* USB before media, which ask which rule authorized their device; the gate before media, which give it their verdicts. */
    if (d->usb)
        usb_manager_set_policy(d->usb, p, now);
    if (d->gate && gate_set_policy(d->gate, p) < 0)
        log_error("gate.policy", "error=could-not-be-applied");
    if (d->gate)
        wire_gate_probe_overlay(d);
    if (d->block)
        (void)block_manager_set_policy(d->block, p, now);
    wire_media_tell_gate(d);
    unlock_revalidate(d, true);
    daemon_changed(d);
}

void daemon_apply_people(struct daemon *d)
{
    size_t n = 0;
    const struct decide_person *people = sessions_people(d->sessions, &n);
    int64_t now = clock_wall_us();

    if (d->usb)
        (void)usb_manager_set_persons(d->usb, people, n, now);
    if (d->block)
        (void)block_manager_set_persons(d->block, people, n, now);
    unlock_revalidate(d, true);
}

/* Who logs in may be of a directory that was not there when the policy was read. */
static void on_people_changed(void *context)
{
    struct daemon *d = context;

    if (rulebook_resolve_again(d->rulebook) > 0) {
        record(d, AUDIT_POLICY_LOADED, false, "names of people or groups were found anew");
        daemon_apply_policy(d);
    }
    daemon_apply_people(d);
}

void daemon_rule(struct daemon *d)
{
    daemon_apply_policy(d);
    emergency_apply(d); /* the first policy ends the state without one */
    expiry_watch(d);
    fleet_report_wanted(d);
}

int daemon_reload(struct daemon *d)
{
    int r = rulebook_reload(d->rulebook, clock_wall_us());

    if (r == 0) {
        /* Told first: what is decided anew bears its name. */
        recorder_set_policy(d->recorder, rulebook_policy(d->rulebook));
        record(d, AUDIT_POLICY_LOADED, false, NULL);
        daemon_rule(d);
    } else {
        record(d, AUDIT_POLICY_REJECTED, true, r < 0 ? strerrordesc_np(-r) : rulebook_complaint(d->rulebook));
        daemon_changed(d);
    }
    return r;
}

static void on_event(void *context, const struct audit_event *e)
{
    notices_offer(context, e);
    fleet_recorded(context);
}

static void on_journal_full(void *context, bool full)
{
    struct daemon *d = context;

    if (d->gate)
        gate_set_journal_full(d->gate, full);
}

/* --- timers and signals --- */

/* Wall clock against boottime: a jump moves hours and end dates under the policy's feet. */
static void watch_clock(struct daemon *d)
{
    int64_t offset = clock_wall_us() - (int64_t)clock_boottime_us();
    int64_t jump = offset - d->clock_offset_us;

    if (d->clock_offset_us != 0 && (jump > CLOCK_JUMP_US || jump < -CLOCK_JUMP_US))
        record(d, AUDIT_CLOCK_JUMP, true, jump > 0 ? "the clock was set forward" : "the clock was set back");
    d->clock_offset_us = offset;
}

static int on_tick(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct daemon *d = userdata;

    (void)usec;
    d->ticks++;
    watch_clock(d);
    emergency_tick(d);
    factor_tick(d);
    unlock_tick(d); /* before media: that it is over is recorded before what it does to a medium */
    wire_media_tick(d);
    wire_gate_tick(d);
    expiry_watch(d);
    exports_tick(d);
    fleet_tick(d);
    if (d->ticks % TICKS_PER_MINUTE == 0) {
        if (d->usb)
            usb_manager_tick(d->usb, clock_wall_us());
        unlock_revalidate(d, true);
    }
    (void)sd_event_source_set_time(source, clock_boottime_us() + TICK_US);
    return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static int on_self_test(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct daemon *d = userdata;

    uint64_t next_us = (uint64_t)d->config->self_test_seconds * 1000000;

    (void)usec;
    if (!wire_gate_self_test(d) && next_us > SELF_TEST_AGAIN_US)
        next_us = SELF_TEST_AGAIN_US;
    (void)sd_event_source_set_time(source, clock_boottime_us() + next_us);
    return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static int on_reload_signal(sd_event_source *source, const struct signalfd_siginfo *info, void *userdata)
{
    (void)source;
    (void)info;
    (void)daemon_reload(userdata);
    return 0;
}

/* Before any thread: the kernel gives a signal to whichever thread does not block it, and there the default is the end. */
static int hold_signals(void)
{
    sigset_t mask;

    (void)sigemptyset(&mask);
    (void)sigaddset(&mask, SIGTERM);
    (void)sigaddset(&mask, SIGINT);
    (void)sigaddset(&mask, SIGHUP);
    (void)signal(SIGPIPE, SIG_IGN); /* whoever reads our log may go away */
    return sigprocmask(SIG_BLOCK, &mask, NULL) < 0 ? -errno : 0;
}

static int start_timers(struct daemon *d)
{
    int r = sd_event_add_signal(d->loop, NULL, SIGTERM, NULL, NULL);

    if (r >= 0)
        r = sd_event_add_signal(d->loop, NULL, SIGINT, NULL, NULL);
    if (r >= 0)
        r = sd_event_add_signal(d->loop, NULL, SIGHUP, on_reload_signal, d);
    if (r >= 0)
        r = sd_event_add_post(d->loop, NULL, on_turn_end, d);
    if (r >= 0)
        r = sd_event_add_time(d->loop, &d->tick, CLOCK_BOOTTIME, clock_boottime_us() + TICK_US, 0, on_tick, d);
    if (r >= 0)
        r = sd_event_add_time(d->loop, &d->self_test, CLOCK_BOOTTIME,
                              clock_boottime_us() + (uint64_t)d->config->self_test_seconds * 1000000, 0, on_self_test,
                              d);
    if (r >= 0)
        (void)sd_event_set_watchdog(d->loop, 1);
    return r < 0 ? r : 0;
}

/* --- up and down --- */

static int open_directory(const char *path, mode_t mode)
{
    if (mkdir(path, mode) < 0 && errno != EEXIST)
        return -errno;
    return files_open_directory_at(AT_FDCWD, path, 0, mode);
}

/* Who may write to the run directory answers in our place; who may write to the state directory chooses the last good policy. */
static int check_directory(int fd, const char *path)
{
    struct stat st;

    if (fstat(fd, &st) < 0)
        return -errno;
    if (st.st_uid == 0 && !(st.st_mode & 022))
        return 0;
    log_error("start.unsafe-directory", "path=%s must=belong to root and be writable by root alone", path);
    return -EPERM;
}

static int open_roots(struct daemon *d)
{
    int r;

    d->run_fd = open_directory(d->config->run_directory, 0755);
    d->state_fd = open_directory(d->config->state_directory, 0700);
    d->proc_fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    d->sys_fd = open("/sys", O_PATH | O_DIRECTORY | O_CLOEXEC);
    d->dev_fd = open("/dev", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (d->run_fd < 0 || d->state_fd < 0)
        return d->run_fd < 0 ? d->run_fd : d->state_fd;
    if (d->proc_fd < 0 || d->sys_fd < 0 || d->dev_fd < 0)
        return -errno;
    r = check_directory(d->run_fd, d->config->run_directory);
    return r < 0 ? r : check_directory(d->state_fd, d->config->state_directory);
}

static int start_records(struct daemon *d)
{
    struct recorder_options options = {
        .loop = d->loop,
        .state_directory = d->state_fd,
        .journald = d->config->journald != CONFIG_OFF,
        .on_full = on_journal_full,
        .on_event = on_event,
        .context = d,
    };
    int r = refusals_new(&d->refusals);

    if (r < 0)
        return r;
    options.refusals = d->refusals;
    r = recorder_new(&options, &d->recorder);
    if (r < 0)
        return r;
    record(d, AUDIT_DAEMON_STARTED, false, KURABAN_VERSION);
    return 0;
}

static int open_rulebook(struct daemon *d)
{
    const struct rulebook_options options = {
        .file = d->config->policy,
        .state_directory = d->state_fd,
        .terminal = d->config->terminal_id,
        .groups = (const char *const *)d->config->terminal_groups,
        .n_groups = d->config->n_terminal_groups,
    };
    int r = rulebook_new(&options, &d->rulebook);

    return r < 0 ? r : rulebook_open(d->rulebook, clock_wall_us());
}

static int start_policy(struct daemon *d)
{
    int r = open_rulebook(d);
    bool damaged;

    if (r < 0)
        return r;
    damaged = trusted_condition(rulebook_trusted(d->rulebook)) == TRUSTED_DAMAGED;
    recorder_set_policy(d->recorder, rulebook_policy(d->rulebook));
    if (rulebook_source(d->rulebook) != RULEBOOK_NONE)
        record(d, AUDIT_POLICY_LOADED, false, rulebook_source_name(rulebook_source(d->rulebook)));
    if (r != 0) {
        record(d, damaged ? AUDIT_TRUST_DAMAGED : AUDIT_POLICY_REJECTED, true, rulebook_complaint(d->rulebook));
        log_error("policy.refused", "rules=%s error=%s", rulebook_source_name(rulebook_source(d->rulebook)),
                  rulebook_complaint(d->rulebook));
    }
    expiry_watch(d);
    return 0;
}

static int start_sessions(struct daemon *d)
{
    return sessions_new(d->loop, on_people_changed, d, &d->sessions);
}

static int start_parts(struct daemon *d)
{
    static const struct {
        const char *name;
        int (*start)(struct daemon *d);
    } parts[] = {
        {"records", start_records},   {"policy", start_policy},   {"fleet", fleet_start},
        {"sessions", start_sessions}, {"mfa", factor_start},      {"gate", wire_gate_start},
        {"grants", unlock_start},     {"ledger", exports_open},   {"usb", wire_usb_start},
        {"media", wire_media_start},  {"exports", exports_start}, {"notices", notices_start},
        {"control", control_start},   {"timers", start_timers},
    };

    for (size_t i = 0; i < ELEMENTS(parts); i++) {
        int r = parts[i].start(d);

        if (r < 0) {
            log_error("start.failed", "part=%s error=%s", parts[i].name, strerrorname_np(-r));
            return r;
        }
        if (i == 0) {
            wire_gate_record_takeover(d);
            emergency_read_boot(d);
        }
    }
    return 0;
}

static void record_stop(struct daemon *d)
{
    struct audit_event e;

    audit_event_init(&e, AUDIT_DAEMON_STOPPED);
    audit_set(e.message, sizeof(e.message), d->purge ? "purge" : "");
    recorder_add_with(d->recorder, &e, "mfa", factor_turn(d));
}

static void stop_parts(struct daemon *d)
{
    /* Its name goes while the journal's lock and the keeper still say that nobody else is here. */
    if (d->control) {
        (void)unlinkat(d->run_fd, CTL_SOCKET_NAME, 0);
        (void)unlinkat(d->run_fd, CTL_ROOT_SOCKET_NAME, 0);
    }
    exports_stop(d);
    d->control = ctl_server_free(d->control);
    notices_stop(d);
    unlock_stop(d);
    if (d->purge && d->block)
        (void)block_manager_release(d->block);
    wire_media_stop(d);
    if (d->purge && d->usb)
        (void)usb_manager_purge(d->usb);
    wire_usb_stop(d);
    wire_gate_stop(d);
    if (d->recorder)
        record_stop(d);
    factor_stop(d);
    fleet_stop(d);
    d->sessions = sessions_free(d->sessions);
    d->recorder = recorder_free(d->recorder);
    d->rulebook = rulebook_free(d->rulebook);
    d->refusals = refusals_free(d->refusals);
}

static void daemon_done(struct daemon *d)
{
    /* Before the descriptors they watch are closed. */
    for (size_t i = 0; i < d->n_io; i++)
        sd_event_source_disable_unref(d->io[i]);
    stop_parts(d);
    wire_gate_close(d);
    sd_event_source_disable_unref(d->tick);
    sd_event_source_disable_unref(d->self_test);
    sd_event_unref(d->loop);
    close_fd(d->run_fd);
    close_fd(d->state_fd);
    close_fd(d->proc_fd);
    close_fd(d->sys_fd);
    close_fd(d->dev_fd);
}

static int run(struct daemon *d)
{
    int r = sd_event_default(&d->loop);

    if (r >= 0)
        r = start_parts(d);
    if (r < 0)
        return r;
    daemon_apply_people(d);
    wire_gate_probe_overlay(d);
    if (!wire_gate_self_test(d)) {
        log_error("start.not-enforcing", "see=kuraban-doctor");
        (void)sd_event_source_set_time(d->self_test, clock_boottime_us() + SELF_TEST_AGAIN_US);
    }
    (void)sd_notify(0, "READY=1");
    log_notice("start.ready", "version=%s", KURABAN_VERSION);
    r = sd_event_loop(d->loop);
    (void)sd_notify(0, "STOPPING=1");
    return r;
}

int kuraband_run(struct config *config)
{
    struct daemon d = {
        .config = config,
        .run_fd = -1,
        .state_fd = -1,
        .holder = {.exits = -1, .stores = -1, .keeper_socket = -1},
        .proc_fd = -1,
        .sys_fd = -1,
        .dev_fd = -1,
        .started_us = clock_wall_us(),
    };
    int r = hold_signals();

    if (r >= 0)
        r = open_roots(&d);
    if (r < 0)
        log_error("start.failed", "part=directories run=%s state=%s error=%s", config->run_directory,
                  config->state_directory, strerrorname_np(-r));
    else
        r = wire_gate_open(&d);
    if (r >= 0)
        r = run(&d);
    daemon_done(&d);
    return r;
}
