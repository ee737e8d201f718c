/*
 * kuraban-courier, wired: what kuraband tells of its journal goes to the broker, what the broker brings goes to kuraband. Owns the loop, its timers and
 * what waits for kuraband: of each subject the last message, no more. Must not: judge, keep, or wait for the network.
 */
#include "courier/courier.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <systemd/sd-daemon.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "courier/centre.h"
#include "courier/guard.h"
#include "courier/sender.h"
#include "courier/wire.h"
#include "ctl/feed.h"
#include "ctl/protocol.h"

#define SECOND_US UINT64_C(1000000)

enum {
    TICK_S = 2,
    PATIENCE_S = 15,     /* for the stream's answer */
    AGAIN_S = 30,        /* after a refusal: up to this, at random */
    ASK_S = 600,         /* so often everything is asked for, in case a message was lost */
    HELLO_S = 60,        /* while it is up kuraband is told so often */
    CARRY_PAUSE_MS = 20, /* between two things brought: kuraband has more to do */
    SLOTS = WIRE_GROUPS_MAX + 8,
};

/* What the broker brought last of one subject, and kuraband has not been given yet. */
struct slot {
    struct fleet_place place;
    uint8_t *bytes; /* NULL: free */
    size_t size;
};

struct courier {
    struct courier_options options;
    sd_event *loop;
    sd_event_source *tick, *carry;
    struct feed *feed;
    struct guard guard;
    struct guard_hello hello; /* terminal "": not known yet */
    struct centre centre;
    struct wire_key *key;
    struct stat centre_file;
    struct wire *wire;
    bool up, told_up;
    struct sender sender;
    uint64_t reported, report_ticket, report_wanted; /* of HELLO's "report": what the stream has; what is under way */
    uint64_t asked_us, told_us;
    struct slot slots[SLOTS];
};

static uint64_t at_random(uint64_t most_us)
{
    uint32_t random = 0;

    if (getrandom(&random, sizeof(random), 0) != sizeof(random))
        random = UINT32_MAX / 2;
    return SECOND_US + (most_us * random >> 32);
}

/* --- to the broker --- */

static void send_report(struct courier *c)
{
    char subject[FLEET_SUBJECT_SIZE], *report = NULL;
    uint64_t wanted = 0;

    if (!c->up || c->report_ticket != 0 || c->hello.report <= c->reported ||
        fleet_subject_terminal(FLEET_SUBJECT_REPORTS, c->hello.terminal, subject) < 0)
        return;
    if (guard_report(&c->guard, &report, &wanted) == 0) {
        c->report_ticket = ++c->sender.tickets;
        c->report_wanted = wanted;
        if (wire_publish(c->wire, subject, NULL, report, strlen(report), c->report_ticket) < 0)
            c->report_ticket = 0;
    }
    free(report);
}

/* False: there is nothing, or it cannot be had. */
static bool send_batch(struct courier *c, uint64_t from)
{
    char subject[FLEET_SUBJECT_SIZE], id[FLEET_MESSAGE_SIZE];
    uint8_t *lines = NULL;
    uint64_t first = 0, last = 0, ticket;
    size_t size = 0;
    int r = guard_record(&c->guard, from, &lines, &size, &first, &last);

    if (r == 0 && size > 0)
        r = fleet_subject_events(c->hello.terminal, first, subject);
    if (r == 0 && size > 0)
        r = fleet_message_id(c->hello.terminal, first, last, id);
    if (r == 0 && size > 0) {
        ticket = sender_sent(&c->sender, first, last, clock_boottime_us());
        r = wire_publish(c->wire, subject, id, lines, size, ticket);
        if (r < 0)
            sender_answered(&c->sender, ticket, false, clock_boottime_us(), at_random(SECOND_US));
    }
    free(lines);
    return r == 0 && size > 0;
}

static void pump(struct courier *c)
{
    uint64_t from;

    if (!c->up)
        return;
    send_report(c);
    while (sender_wants(&c->sender, clock_boottime_us(), &from))
        if (!send_batch(c, from))
            return;
}

static void on_stored(void *context, uint64_t ticket, bool stored)
{
    struct courier *c = context;

    if (ticket == c->report_ticket) {
        c->report_ticket = 0;
        if (stored)
            c->reported = c->report_wanted;
        return; /* else with the next tick */
    }
    sender_answered(&c->sender, ticket, stored, clock_boottime_us(), at_random(AGAIN_S * SECOND_US));
    pump(c);
}

/* --- to kuraband --- */

static bool same_place(const struct fleet_place *a, const struct fleet_place *b)
{
    return a->subject == b->subject && a->command == b->command && strcmp(a->token, b->token) == 0;
}

static struct slot *slot_for(struct courier *c, const struct fleet_place *place)
{
    struct slot *empty = NULL;

    for (size_t i = 0; i < SLOTS; i++) {
        if (c->slots[i].bytes && same_place(&c->slots[i].place, place))
            return &c->slots[i];
        if (!c->slots[i].bytes && !empty)
            empty = &c->slots[i];
    }
    return empty;
}

static void plan_carry(struct courier *c, uint64_t in_us)
{
    int enabled = SD_EVENT_OFF;

    (void)sd_event_source_get_enabled(c->carry, &enabled);
    if (enabled != SD_EVENT_OFF)
        return;
    (void)sd_event_source_set_time(c->carry, clock_boottime_us() + in_us);
    (void)sd_event_source_set_enabled(c->carry, SD_EVENT_ONESHOT);
}

static void on_message(void *context, const struct fleet_place *place, const uint8_t *bytes, size_t size)
{
    struct courier *c = context;
    struct slot *s = slot_for(c, place);
    uint8_t *copy = s ? malloc(size + 1) : NULL;

    /* Not ours: the broker lets nobody hear that. It is asked for again when there was no room. */
    if (!copy || (place->subject != FLEET_SUBJECT_POLICY && strcmp(place->terminal, c->hello.terminal) != 0)) {
        free(copy);
        return;
    }
    memcpy(copy, bytes, size);
    copy[size] = 0;
    free(s->bytes);
    *s = (struct slot){.place = *place, .bytes = copy, .size = size};
    plan_carry(c, 0);
}

/* Memberships first: they say which policies are ours. */
static struct slot *next_slot(struct courier *c)
{
    struct slot *any = NULL;

    for (size_t i = 0; i < SLOTS; i++) {
        if (!c->slots[i].bytes)
            continue;
        if (c->slots[i].place.command == FLEET_COMMAND_MEMBERSHIP)
            return &c->slots[i];
        if (!any)
            any = &c->slots[i];
    }
    return any;
}

static int on_carry(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct courier *c = userdata;
    struct slot *s = next_slot(c);
    bool bundle;
    int r;

    (void)source, (void)usec;
    if (!s)
        return 0;
    bundle = s->place.subject == FLEET_SUBJECT_POLICY || s->place.command == FLEET_COMMAND_BUNDLE;
    r = bundle ? guard_bundle(&c->guard, s->bytes, s->size) : guard_statement(&c->guard, s->bytes, s->size);
    if (r < 0) { /* kuraband is not there: once more, unless something newer comes */
        plan_carry(c, TICK_S * SECOND_US);
        return 0;
    }
    free(s->bytes);
    *s = (struct slot){0};
    plan_carry(c, CARRY_PAUSE_MS * 1000);
    return 0;
}

/* --- the connection --- */

static void tell_link(struct courier *c)
{
    struct guard_hello hello;

    if (guard_hello(&c->guard, c->up, &hello) < 0)
        return;
    c->told_up = c->up;
    c->told_us = clock_boottime_us();
}

static void on_changed(void *context, bool up)
{
    struct courier *c = context;

    log_notice(up ? "link.up" : "link.down", "terminal=%s", c->hello.terminal);
    c->up = up;
    tell_link(c);
    if (!up)
        return;
    sender_restart(&c->sender);
    c->reported = c->report_ticket = 0;
    c->asked_us = clock_boottime_us();
    (void)wire_ask(c->wire);
    pump(c);
}

static void close_wire(struct courier *c)
{
    c->wire = wire_free(c->wire);
    c->up = false;
}

static int read_centre(struct courier *c)
{
    struct trust_complaint complaint = {0};
    int r;

    centre_done(&c->centre);
    c->key = wire_key_free(c->key);
    r = centre_read(c->options.folder, &c->centre, &complaint);
    if (r == 0)
        r = centre_key_read(c->options.folder, &c->key);
    if (r != 0 && r != -ENOENT)
        log_warning("centre.unreadable", "error=%s",
                    r < 0 ? strerrorname_np(-r) : trust_result_name((enum trust_result)r));
    return r;
}

/* As soon as both are known: who we are, and where the centre is. */
static void open_wire(struct courier *c)
{
    const char *groups[WIRE_GROUPS_MAX];
    struct wire_options o = {.loop = c->loop,
                             .terminal = c->hello.terminal,
                             .groups = groups,
                             .n_groups = c->hello.n_groups,
                             .wait_max_s = c->options.wait_max_s,
                             .changed = on_changed,
                             .message = on_message,
                             .stored = on_stored,
                             .context = c};

    if (c->wire || !c->hello.enrolled || c->hello.terminal[0] == '\0' || read_centre(c) != 0)
        return;
    for (size_t i = 0; i < c->hello.n_groups; i++)
        groups[i] = c->hello.groups[i];
    o.urls = (const char *const *)c->centre.urls;
    o.jwt = c->centre.jwt;
    o.ca = c->centre.ca;
    o.key = c->key;
    if (fstatat(c->options.folder, "centre.json", &c->centre_file, AT_SYMLINK_NOFOLLOW) < 0 ||
        wire_new(&o, &c->wire) < 0)
        log_warning("wire.failed", "terminal=%s", c->hello.terminal);
}

static bool is_same_place(const struct guard_hello *a, const struct guard_hello *b)
{
    if (strcmp(a->terminal, b->terminal) != 0 || a->enrolled != b->enrolled || a->n_groups != b->n_groups)
        return false;
    for (size_t i = 0; i < a->n_groups; i++)
        if (strcmp(a->groups[i], b->groups[i]) != 0)
            return false;
    return true;
}

/* Another key of the wire, address or JWT. */
static bool has_centre_changed(const struct courier *c)
{
    struct stat st;

    return fstatat(c->options.folder, "centre.json", &st, AT_SYMLINK_NOFOLLOW) == 0 &&
           (st.st_ino != c->centre_file.st_ino || st.st_mtim.tv_sec != c->centre_file.st_mtim.tv_sec ||
            st.st_mtim.tv_nsec != c->centre_file.st_mtim.tv_nsec);
}

static void on_hello(void *context, const struct json_t *notice)
{
    struct courier *c = context;
    struct guard_hello hello;

    if (guard_hello_read(notice, &hello) < 0) {
        log_warning("guard.hello", "error=not-understood");
        return;
    }
    if (!is_same_place(&hello, &c->hello))
        close_wire(c);
    c->hello = hello;
    sender_know(&c->sender, hello.sequence, hello.acknowledged);
    open_wire(c);
    pump(c);
}

static void on_lost(void *context)
{
    struct courier *c = context;

    guard_close(&c->guard);
    c->told_up = false;
    c->reported = 0; /* it counts anew when it has started again */
}

static int on_tick(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct courier *c = userdata;
    uint64_t now = clock_boottime_us();

    (void)usec;
    if (c->wire && has_centre_changed(c))
        close_wire(c);
    open_wire(c);
    if (c->up && sender_is_late(&c->sender, now, PATIENCE_S * SECOND_US))
        sender_answered(&c->sender, c->sender.under_way[0].ticket, false, now, at_random(AGAIN_S * SECOND_US));
    if (c->up && now - c->asked_us > ASK_S * SECOND_US) {
        c->asked_us = now;
        c->report_ticket = 0; /* its answer was lost */
        (void)wire_ask(c->wire);
    }
    if (c->wire && (c->up != c->told_up || (c->up && now - c->told_us > HELLO_S * SECOND_US)))
        tell_link(c);
    pump(c);
    (void)sd_event_source_set_time(source, now + TICK_S * SECOND_US);
    return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static int start(struct courier *c)
{
    const struct feed_options feed = {.loop = c->loop,
                                      .run_directory = c->options.run_directory,
                                      .request = CTL_FLEET_WATCH,
                                      .notice = on_hello,
                                      .lost = on_lost,
                                      .context = c};
    int r = sd_event_add_signal(c->loop, NULL, SIGTERM, NULL, NULL);

    if (r >= 0)
        r = sd_event_add_signal(c->loop, NULL, SIGINT, NULL, NULL);
    if (r >= 0)
        r = sd_event_add_time(c->loop, &c->tick, CLOCK_BOOTTIME, clock_boottime_us() + TICK_S * SECOND_US, 0, on_tick,
                              c);
    if (r >= 0)
        r = sd_event_add_time(c->loop, &c->carry, CLOCK_BOOTTIME, 0, 0, on_carry, c);
    if (r >= 0)
        r = sd_event_source_set_enabled(c->carry, SD_EVENT_OFF);
    return r < 0 ? r : feed_new(&feed, &c->feed);
}

int courier_run(const struct courier_options *options)
{
    struct courier c = {.options = *options, .guard = {options->run_directory, {-1}}};
    sigset_t mask;
    int r;

    /* Before the threads: they inherit it. */
    (void)sigemptyset(&mask);
    (void)sigaddset(&mask, SIGTERM);
    (void)sigaddset(&mask, SIGINT);
    (void)sigprocmask(SIG_BLOCK, &mask, NULL);
    r = sd_event_default(&c.loop);
    if (r >= 0)
        r = start(&c);
    if (r >= 0) {
        (void)sd_notify(0, "READY=1");
        r = sd_event_loop(c.loop);
    }
    (void)feed_free(c.feed);
    close_wire(&c);
    guard_close(&c.guard);
    sd_event_source_disable_unref(c.tick);
    sd_event_source_disable_unref(c.carry);
    for (size_t i = 0; i < SLOTS; i++)
        free(c.slots[i].bytes);
    centre_done(&c.centre);
    c.key = wire_key_free(c.key);
    sd_event_unref(c.loop);
    close_fd(c.options.folder);
    return r;
}
