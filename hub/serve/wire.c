/*
 * Owns: the hub as a client of the broker: where it is, with which JWT, and that the streams are as they must be before anybody uses them.
 * Must not: read or write what is in the streams.
 *
 * libnats calls back from its own threads: these only count up an eventfd, and the main thread looks how things stand.
 */
#include "hub/serve/wire.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "hub/nats/broker.h"
#include "hub/nats/streams.h"
#include "hub/store/store.h"
#include "link/link.h"

enum {
    ANSWER_MS = 2000,       /* the broker is on this machine or beside it */
    AGAIN_US = 2000 * 1000, /* streams that could not be looked at, or made */
    URL_SIZE = 320,
    PENDING_MAX = 8 * 1024 * 1024,
    JWT_S = 7 * 24 * 60 * 60,
};
#define JWT_NEW_US (UINT64_C(24) * 60 * 60 * 1000000)

struct wire {
    struct wire_settings settings;
    struct link *link;
    int woken;
    sd_event_source *wakes, *again, *renews;
    bool up;
};

/* --- streams --- */

static int ask(natsConnection *connection, const char *verb, const struct stream *stream, const char *body,
               char **ret_request)
{
    natsMsg *answer = NULL;
    char subject[64];
    natsStatus s;
    int r;

    *ret_request = NULL;
    (void)snprintf(subject, sizeof(subject), "$JS.API.STREAM.%s.%s", verb, stream->name);
    s = natsConnection_RequestString(&answer, connection, subject, body, ANSWER_MS);
    if (s != NATS_OK) {
        log_warning("wire.stream", "stream=%s verb=%s status=\"%s\"", stream->name, verb, natsStatus_GetText(s));
        return STREAM_E_REFUSED;
    }
    r = stream_judge(stream, natsMsg_GetData(answer), (size_t)natsMsg_GetDataLength(answer), ret_request);
    if (r == STREAM_E_REFUSED)
        log_warning("wire.stream", "stream=%s verb=%s answer=%.300s", stream->name, verb, natsMsg_GetData(answer));
    natsMsg_Destroy(answer);
    return r;
}

/* What it was missing or had otherwise is told; 0 only when it is as it must be. */
static int see_to(natsConnection *connection, const struct stream *stream)
{
    _cleanup_free_ char *request = NULL, *rest = NULL;
    int r = ask(connection, "INFO", stream, "", &request);

    if (r != STREAM_E_MISSING && r != STREAM_E_OTHER)
        return r;
    if (r == STREAM_E_OTHER)
        log_warning("wire.stream.put-back", "stream=%s", stream->name);
    r = ask(connection, r == STREAM_E_MISSING ? "CREATE" : "UPDATE", stream, request, &rest);
    return r;
}

static int see_to_all(struct wire *w)
{
    int r = STREAM_GOOD;

    for (size_t i = 0; r == STREAM_GOOD && i < STREAM_COUNT; i++)
        r = see_to(link_connection(w->link), &streams[i]);
    return r;
}

/* --- how it stands --- */

static void settle(struct wire *w)
{
    bool up = link_is_up(w->link);

    if (up && see_to_all(w) != STREAM_GOOD) {
        up = false;
        (void)sd_event_source_set_time(w->again, clock_boottime_us() + AGAIN_US);
        (void)sd_event_source_set_enabled(w->again, SD_EVENT_ONESHOT);
    }
    if (up || w->up)
        w->settings.changed(w->settings.context, up);
    if (up != w->up)
        log_notice(up ? "wire.up" : "wire.down", "streams=%d", STREAM_COUNT);
    w->up = up;
}

static void on_link(void *context, bool up)
{
    struct wire *w = context;

    (void)up;
    (void)eventfd_write(w->woken, 1);
}

static int on_woken(sd_event_source *source, int fd, uint32_t events, void *context)
{
    eventfd_t n;

    (void)source, (void)events;
    if (eventfd_read(fd, &n) == 0)
        settle(context);
    return 0;
}

static int on_again(sd_event_source *source, uint64_t usec, void *context)
{
    (void)source, (void)usec;
    settle(context);
    return 0;
}

/* --- the connection --- */

static int make_jwt(const struct wire *w, char **ret)
{
    const struct hub_keys *k = w->settings.keys;
    const struct broker_keys keys = {k->operator, k->account, k->system, k->terminals};
    int64_t now = clock_wall_us() / 1000000;

    return broker_hub_jwt(&keys, wire_key_public(k->hub), now, now + JWT_S, ret);
}

/* Good from the next connection on, which the broker sees to when the old one is over. */
static int on_renew(sd_event_source *source, uint64_t usec, void *context)
{
    struct wire *w = context;
    _cleanup_free_ char *jwt = NULL;
    int r = make_jwt(w, &jwt);

    (void)usec;
    if (r >= 0)
        r = link_set_jwt(w->link, jwt);
    if (r < 0)
        log_error("wire.jwt", "error=%d", r);
    (void)sd_event_source_set_time(source, clock_boottime_us() + JWT_NEW_US);
    return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

/* The name that the certificate has for sure: this machine's, where the authority is our own; else what terminals are told. */
static int own_broker(const struct centre *centre, char ret[static URL_SIZE])
{
    _cleanup_free_ char *listen = NULL, *port = NULL, *names = NULL;
    const char *host = "localhost";
    bool any, own = faccessat(centre->directory, "keys/ca.key", F_OK, AT_SYMLINK_NOFOLLOW) == 0;
    int r = hub_setting_get(centre->store, "listen", &listen), n;

    if (r > 0)
        r = hub_setting_get(centre->store, "port", &port);
    if (r > 0)
        r = hub_setting_get(centre->store, "addresses", &names);
    if (r <= 0)
        return r < 0 ? r : -EUCLEAN;
    any = strcmp(listen, "0.0.0.0") == 0 || strcmp(listen, "::") == 0 || strcmp(listen, "127.0.0.1") == 0 ||
          strcmp(listen, "::1") == 0;
    names[strcspn(names, " ")] = '\0';
    if (!own || !any)
        host = names;
    n = snprintf(ret, URL_SIZE, strchr(host, ':') ? "tls://[%s]:%s" : "tls://%s:%s", host, port);
    return n < 0 || n >= URL_SIZE ? -EUCLEAN : 0;
}

static int open_link(struct wire *w)
{
    _cleanup_free_ char *jwt = NULL;
    char own[URL_SIZE], ca[64];
    const char *urls[] = {own, NULL};
    struct link_settings s = {.urls = w->settings.brokers ? w->settings.brokers : urls,
                              .name = "kuraban-hub",
                              .key = w->settings.keys->hub,
                              .ca = ca,
                              .pending_max = PENDING_MAX,
                              .changed = on_link,
                              .context = w};
    int r = w->settings.brokers ? 0 : own_broker(w->settings.centre, own);

    (void)snprintf(ca, sizeof(ca), "/proc/self/fd/%d/tls/ca.pem", w->settings.centre->directory);
    if (r >= 0)
        r = make_jwt(w, &jwt);
    if (r < 0)
        return r;
    s.jwt = jwt;
    return link_open(&s, &w->link);
}

static int add_sources(struct wire *w)
{
    sd_event *event = w->settings.event;
    uint64_t now = clock_boottime_us();
    int r = sd_event_add_io(event, &w->wakes, w->woken, EPOLLIN, on_woken, w);

    if (r >= 0)
        r = sd_event_add_time(event, &w->again, CLOCK_BOOTTIME, now, 0, on_again, w);
    if (r >= 0)
        r = sd_event_source_set_enabled(w->again, SD_EVENT_OFF);
    if (r >= 0)
        r = sd_event_add_time(event, &w->renews, CLOCK_BOOTTIME, now + JWT_NEW_US, 0, on_renew, w);
    return r;
}

int wire_open(const struct wire_settings *settings, struct wire **ret)
{
    _cleanup_(wire_freep) struct wire *w = calloc(1, sizeof(*w));
    int r;

    if (!w)
        return -ENOMEM;
    w->settings = *settings;
    w->woken = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    r = w->woken < 0 ? -errno : add_sources(w);
    if (r >= 0)
        r = open_link(w);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(w);
    return 0;
}

struct link *wire_link(struct wire *w)
{
    return w->link;
}

struct wire *wire_free(struct wire *w)
{
    if (!w)
        return NULL;
    w->link = link_free(w->link);
    (void)sd_event_source_disable_unref(w->wakes);
    (void)sd_event_source_disable_unref(w->again);
    (void)sd_event_source_disable_unref(w->renews);
    w->woken = close_fd(w->woken);
    free(w);
    return NULL;
}
