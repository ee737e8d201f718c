/*
 * Owns: the life of the centre's process: one per centre, its parts in their order, and when they are told that something has changed.
 * Must not: do any part's work.
 */
#include "hub/serve/serve.h"

#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <signal.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/file.h>
#include <systemd/sd-daemon.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "hub/serve/wire.h"
#include "hub/store/journal.h"

enum {
    PARTS_MAX = 16,
    LOOK_US = 250 * 1000, /* whether somebody wrote to hub.db */
};

struct server {
    struct hub_serve given; /* first: what parts hold is this */
    const struct hub_serve_settings *settings;
    struct hub_keys keys;
    char *organization;
    struct wire *wire;
    void *parts[PARTS_MAX];
    size_t n_started;
    int64_t turn;
    uint64_t acts; /* of the administrators' journal, as the parts were told */
    int failing;
    _Atomic int error;
    sd_event_source *looks, *fails;
};

/* --- telling the parts --- */

static void on_wire(void *context, bool up)
{
    struct server *s = context;

    for (size_t i = 0; i < s->n_started; i++)
        if (s->settings->parts[i]->wire_changed)
            s->settings->parts[i]->wire_changed(s->parts[i], up);
}

static void tell_store_changed(struct server *s)
{
    for (size_t i = 0; i < s->n_started; i++)
        if (s->settings->parts[i]->store_changed)
            s->settings->parts[i]->store_changed(s->parts[i]);
}

/* The record of terminals is committed all the time; what the parts want to know stands in the administrators' journal. */
static int look(struct server *s)
{
    uint64_t acts = 0;
    int64_t turn = 0;
    int r = hub_store_turn(s->given.centre->store, &turn);

    if (r < 0 || turn == s->turn)
        return r;
    r = hub_journal_sequence(s->given.centre->store, &acts);
    if (r < 0)
        return r;
    s->turn = turn;
    if (acts != s->acts) {
        s->acts = acts;
        log_info("serve.store-changed", "record=%llu", (unsigned long long)acts);
        tell_store_changed(s);
    }
    return 0;
}

static int on_look(sd_event_source *source, uint64_t usec, void *context)
{
    struct server *s = context;
    int r = look(s);

    (void)usec;
    if (r < 0 && r != -EBUSY) {
        log_error("serve.store", "error=\"%s\"", strerror(-r));
        hub_serve_fail(&s->given, r);
    }
    (void)sd_event_source_set_time(source, clock_boottime_us() + LOOK_US);
    return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

/* --- the end --- */

void hub_serve_fail(const struct hub_serve *serve, int error)
{
    const struct server *s = (const struct server *)serve;
    int none = 0;

    (void)atomic_compare_exchange_strong((_Atomic int *)&s->error, &none, error);
    (void)eventfd_write(s->failing, 1);
}

static int on_fail(sd_event_source *source, int fd, uint32_t events, void *context)
{
    struct server *s = context;

    (void)fd, (void)events;
    return sd_event_exit(sd_event_source_get_event(source), atomic_load(&s->error));
}

static void stop_parts(struct server *s)
{
    while (s->n_started > 0) {
        s->n_started--;
        s->settings->parts[s->n_started]->stop(s->parts[s->n_started]);
    }
}

/* --- the beginning --- */

static int start_parts(struct server *s)
{
    const struct hub_part *const *part = s->settings->parts;
    int r = 0;

    for (; r >= 0 && *part; part++) {
        r = s->n_started < PARTS_MAX ? (*part)->start(&s->given, &s->parts[s->n_started]) : -EINVAL;
        if (r >= 0)
            s->n_started++;
        else
            log_error("serve.part", "part=%s error=\"%s\"", (*part)->name, strerror(-r));
    }
    return r;
}

static int read_keys(struct server *s)
{
    _cleanup_close_ int keys =
        openat(s->given.centre->directory, "keys", O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    int r = keys < 0 ? -errno : hub_keys_read(keys, &s->keys);

    if (r >= 0)
        r = hub_head_read(keys, &s->given.head);
    if (r < 0) {
        log_error("serve.keys", "error=\"%s\"", strerror(-r));
        return HUB_SERVE_E_KEYS;
    }
    s->given.keys = &s->keys;
    return 0;
}

static int prepare(struct server *s)
{
    int r;

    if (flock(s->given.centre->directory, LOCK_EX | LOCK_NB) < 0)
        return errno == EWOULDBLOCK ? HUB_SERVE_E_RUNNING : -errno;
    r = hub_setting_get(s->given.centre->store, "organization", &s->organization);
    if (r <= 0)
        return r < 0 ? r : -EUCLEAN;
    s->given.organization = s->organization;
    r = hub_store_turn(s->given.centre->store, &s->turn);
    if (r >= 0)
        r = hub_journal_sequence(s->given.centre->store, &s->acts);
    return r < 0 ? r : read_keys(s);
}

static int make_loop(struct server *s)
{
    sigset_t signals;
    int r = sd_event_new(&s->given.event);

    (void)sigemptyset(&signals);
    (void)sigaddset(&signals, SIGTERM);
    (void)sigaddset(&signals, SIGINT);
    (void)sigprocmask(SIG_BLOCK, &signals, NULL);
    (void)signal(SIGPIPE, SIG_IGN);
    s->failing = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (r >= 0 && s->failing < 0)
        r = -errno;
    if (r >= 0)
        r = sd_event_add_io(s->given.event, &s->fails, s->failing, EPOLLIN, on_fail, s);
    if (r >= 0)
        r = sd_event_add_signal(s->given.event, NULL, SIGTERM, NULL, NULL);
    if (r >= 0)
        r = sd_event_add_signal(s->given.event, NULL, SIGINT, NULL, NULL);
    if (r >= 0)
        r = sd_event_add_time(s->given.event, &s->looks, CLOCK_BOOTTIME, clock_boottime_us() + LOOK_US, 0, on_look, s);
    if (r >= 0)
        (void)sd_event_set_watchdog(s->given.event, 1);
    return r;
}

/* 0 and above: ended as it should. */
static int live(struct server *s)
{
    const struct wire_settings wire = {.event = s->given.event,
                                       .centre = s->given.centre,
                                       .keys = s->given.keys,
                                       .brokers = s->settings->brokers,
                                       .changed = on_wire,
                                       .context = s};
    int r = wire_open(&wire, &s->wire);

    if (r < 0)
        return r;
    s->given.link = wire_link(s->wire);
    r = start_parts(s);
    if (r >= 0) {
        (void)sd_notify(0, "READY=1");
        log_notice("serve.ready", "parts=%zu", s->n_started);
        r = sd_event_loop(s->given.event);
    }
    (void)sd_notify(0, "STOPPING=1");
    stop_parts(s);
    return r;
}

int hub_serve_run(const struct centre *centre, const struct hub_serve_settings *settings)
{
    struct server s = {.given = {.centre = centre}, .settings = settings, .failing = -1};
    int r = prepare(&s);

    if (r == 0)
        r = make_loop(&s);
    if (r >= 0 && s.given.event)
        r = live(&s);
    s.wire = wire_free(s.wire);
    (void)sd_event_source_disable_unref(s.looks);
    (void)sd_event_source_disable_unref(s.fails);
    (void)sd_event_unref(s.given.event);
    s.failing = close_fd(s.failing);
    EVP_PKEY_free(s.given.head);
    hub_keys_done(&s.keys);
    free(s.organization);
    (void)flock(centre->directory, LOCK_UN);
    return r;
}
