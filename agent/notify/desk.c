/*
 * Owns: the connection to the session bus, and which notification of the server stands for which place. Must not: wait for the server, start it
 * before there is something to show, or hand it a text that it would take for markup.
 */
#include "notify/desk.h"

#include <errno.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-bus.h>
#include <systemd/sd-event.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "notify/board.h"
#include "notify/note.h"

#define OUR_NAME "org.kuraban.Notify"
#define SERVER "org.freedesktop.Notifications"
#define SERVER_PATH "/org/freedesktop/Notifications"
#define BUS "org.freedesktop.DBus"

enum {
    STALE_US = 5 * 60 * 1000 * 1000, /* what nobody could show so long is not shown any more */
    ASK_US = 30 * 1000 * 1000,
};

enum server {
    SERVER_UNKNOWN = 0, /* what it can was not asked yet, or it has gone since */
    SERVER_ASKED,
    SERVER_KNOWN,
};

struct place {
    struct desk *desk;
    uint32_t id; /* the server's; 0: nothing is shown */
    struct note note;
    bool waiting; /* the note was not sent yet */
    bool calling, closing, fresh;
    uint64_t since_us;
};

struct desk {
    struct desk_options options;
    sd_bus *bus;
    sd_bus_slot *calls[BOARD_PLACES], *asked;
    enum server server;
    bool markup;
    struct place places[BOARD_PLACES];
};

static void push(struct desk *d);

/* --- showing --- */

static void call_close(struct desk *d, uint32_t id)
{
    (void)sd_bus_call_method_async(d->bus, NULL, SERVER, SERVER_PATH, SERVER, "CloseNotification", NULL, NULL, "u", id);
}

static int on_notified(sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
    struct place *p = userdata;
    struct desk *d = p->desk;
    uint32_t id = 0;

    (void)error;
    p->calling = false;
    if (sd_bus_message_is_method_error(reply, NULL) || sd_bus_message_read(reply, "u", &id) < 0) {
        log_notice("desk.not-shown", "error=%s",
                   sd_bus_message_get_error(reply) ? sd_bus_message_get_error(reply)->name : "");
        /* A change that came meanwhile goes on waiting; a server that says no is asked again with the next one. */
        p->waiting = !p->closing;
        d->server = SERVER_UNKNOWN;
        return 0;
    }
    p->id = id;
    if (p->closing && !p->waiting) {
        call_close(d, id);
        p->id = 0;
    }
    p->closing = false;
    push(d);
    return 0;
}

static int fill(sd_bus_message *m, const struct place *p, bool markup)
{
    _cleanup_free_ char *escaped = markup ? note_escape(p->note.body) : NULL;
    int r;

    if (markup && !escaped)
        return -ENOMEM;
    r = sd_bus_message_append(m, "susss", "kuraban", p->fresh ? 0 : p->id,
                              p->note.warning ? "dialog-warning" : "dialog-information", p->note.summary,
                              markup ? escaped : p->note.body);
    if (r >= 0)
        r = sd_bus_message_append(m, "as", 0);
    if (r >= 0)
        r = sd_bus_message_append(m, "a{sv}", 2, "urgency", "y", 1, "desktop-entry", "s", "kuraban-notify");
    return r < 0 ? r : sd_bus_message_append(m, "i", p->note.timeout_ms);
}

static void send_note(struct desk *d, struct place *p)
{
    sd_bus_slot **call = &d->calls[p - d->places];
    sd_bus_message *m = NULL;
    int r = sd_bus_message_new_method_call(d->bus, &m, SERVER, SERVER_PATH, SERVER, "Notify");

    *call = sd_bus_slot_unref(*call);
    if (r >= 0)
        r = fill(m, p, d->markup);
    if (r >= 0)
        r = sd_bus_call_async(d->bus, call, m, on_notified, p, ASK_US);
    sd_bus_message_unref(m);
    p->waiting = p->fresh = p->closing = false;
    p->calling = r >= 0;
    if (r < 0)
        log_warning("desk.not-sent", "error=%s", strerrorname_np(-r));
}

/* --- the server --- */

static int on_capabilities(sd_bus_message *reply, void *userdata, sd_bus_error *error)
{
    struct desk *d = userdata;
    const char *word;

    (void)error;
    if (d->server != SERVER_ASKED)
        return 0;
    d->server = SERVER_UNKNOWN;
    if (sd_bus_message_is_method_error(reply, NULL) || sd_bus_message_enter_container(reply, 'a', "s") < 0) {
        log_notice("desk.no-server", "waits=%s", SERVER);
        return 0; /* it is asked again when it comes, or with the next note */
    }
    d->markup = false;
    while (sd_bus_message_read(reply, "s", &word) > 0)
        d->markup = d->markup || text_equal(word, "body-markup");
    d->server = SERVER_KNOWN;
    push(d);
    return 0;
}

static void ask_capabilities(struct desk *d)
{
    d->asked = sd_bus_slot_unref(d->asked);
    if (sd_bus_call_method_async(d->bus, &d->asked, SERVER, SERVER_PATH, SERVER, "GetCapabilities", on_capabilities, d,
                                 NULL) >= 0)
        d->server = SERVER_ASKED;
}

static bool has_waiting(struct desk *d)
{
    uint64_t now_us = clock_boottime_us();
    bool any = false;

    for (size_t i = 0; i < BOARD_PLACES; i++) {
        struct place *p = &d->places[i];

        if (p->waiting && now_us - p->since_us > STALE_US)
            p->waiting = false;
        any = any || (p->waiting && !p->calling);
    }
    return any;
}

static void push(struct desk *d)
{
    if (!has_waiting(d))
        return;
    if (d->server == SERVER_UNKNOWN)
        ask_capabilities(d);
    for (size_t i = 0; d->server == SERVER_KNOWN && i < BOARD_PLACES; i++)
        if (d->places[i].waiting && !d->places[i].calling)
            send_note(d, &d->places[i]);
}

/* Another server knows nothing of what the one before showed. */
static int on_server_changed(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    struct desk *d = userdata;
    const char *name, *old, *new;

    (void)error;
    if (sd_bus_message_read(m, "sss", &name, &old, &new) < 0)
        return 0;
    for (size_t i = 0; i < BOARD_PLACES; i++)
        d->places[i].id = 0;
    d->server = SERVER_UNKNOWN;
    if (*new)
        push(d);
    return 0;
}

static int on_closed(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    struct desk *d = userdata;
    uint32_t id = 0;

    (void)error;
    if (sd_bus_message_read(m, "uu", &id, NULL) < 0)
        return 0;
    for (size_t i = 0; i < BOARD_PLACES; i++)
        if (d->places[i].id == id)
            d->places[i].id = 0;
    return 0;
}

/* --- the bus --- */

static int on_over(sd_bus_message *m, void *userdata, sd_bus_error *error)
{
    struct desk *d = userdata;

    (void)m;
    (void)error;
    d->options.over(d->options.context);
    return 0;
}

static int listen_to_bus(struct desk *d)
{
    static const struct {
        const char *match;
        sd_bus_message_handler_t handler;
    } signals[] = {
        {"type='signal',sender='" BUS "',interface='" BUS "',member='NameOwnerChanged',arg0='" SERVER "'",
         on_server_changed},
        {"type='signal',sender='" SERVER "',interface='" SERVER "',member='NotificationClosed'", on_closed},
        {"type='signal',sender='" BUS "',interface='" BUS "',member='NameLost',arg0='" OUR_NAME "'", on_over},
        {"type='signal',sender='" BUS ".Local',path='/org/freedesktop/DBus/Local',interface='" BUS
         ".Local',member='Disconnected'",
         on_over},
    };
    int r = 0;

    for (size_t i = 0; i < ELEMENTS(signals) && r >= 0; i++)
        r = sd_bus_add_match(d->bus, NULL, signals[i].match, signals[i].handler, d);
    return r;
}

int desk_new(const struct desk_options *options, struct desk **ret)
{
    struct desk *d = calloc(1, sizeof(*d));
    int r;

    if (!d)
        return -ENOMEM;
    d->options = *options;
    for (size_t i = 0; i < BOARD_PLACES; i++)
        d->places[i].desk = d;
    r = sd_bus_open_user(&d->bus);
    if (r >= 0)
        r = listen_to_bus(d);
    /* The newest is of the session that is used; one that a session left behind goes. */
    if (r >= 0)
        r = sd_bus_request_name(d->bus, OUR_NAME, SD_BUS_NAME_ALLOW_REPLACEMENT | SD_BUS_NAME_REPLACE_EXISTING);
    if (r >= 0)
        r = sd_bus_attach_event(d->bus, options->loop, SD_EVENT_PRIORITY_NORMAL);
    if (r < 0) {
        (void)desk_free(d);
        return r;
    }
    *ret = d;
    return 0;
}

struct desk *desk_free(struct desk *d)
{
    if (!d)
        return NULL;
    for (size_t i = 0; i < BOARD_PLACES; i++) {
        sd_bus_slot_unref(d->calls[i]);
        note_done(&d->places[i].note);
    }
    sd_bus_slot_unref(d->asked);
    sd_bus_flush_close_unref(d->bus);
    free(d);
    return NULL;
}

/* --- */

void desk_show(struct desk *d, unsigned place, const struct note *note, int fresh)
{
    struct place *p = &d->places[place];
    struct note copy = *note;

    copy.summary = text_copy(note->summary, strlen(note->summary));
    copy.body = text_copy(note->body, strlen(note->body));
    if (!copy.summary || !copy.body) {
        note_done(&copy);
        return;
    }
    note_done(&p->note);
    p->note = copy;
    p->fresh = p->fresh || fresh;
    p->waiting = true;
    p->since_us = clock_boottime_us();
    push(d);
}

void desk_close(struct desk *d, unsigned place)
{
    struct place *p = &d->places[place];

    p->waiting = false;
    p->closing = p->calling;
    if (p->id != 0)
        call_close(d, p->id);
    p->id = 0;
}
