/*
 * Owns: the socket to kuraband and when it is tried again. Must not: believe anybody but root there (ctl/client.h), keep kuraband waiting, or try
 * without pause.
 */
#include "ctl/feed.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-event.h>

#include "base/clock.h"
#include "base/log.h"
#include "ctl/client.h"
#include "ctl/protocol.h"

#define SECOND_US UINT64_C(1000000)

enum {
    DEADLINE_MS = 5000, /* for an answer that has begun */
    PAUSE_FIRST_S = 1,
    PAUSE_LONGEST_S = 30,
    STEADY_S = 30, /* a connection that lasted so long was a good one */
};

struct feed {
    struct feed_options options;
    struct ctl_client client;
    struct sd_event_source *io, *again;
    uint64_t since_us;
    uint64_t pause_s;
};

static void connect_again_later(struct feed *f)
{
    uint64_t now_us = clock_boottime_us();

    if (f->since_us != 0 && now_us - f->since_us >= STEADY_S * SECOND_US)
        f->pause_s = PAUSE_FIRST_S;
    f->since_us = 0;
    (void)sd_event_source_set_time(f->again, now_us + f->pause_s * SECOND_US);
    (void)sd_event_source_set_enabled(f->again, SD_EVENT_ONESHOT);
    f->pause_s = f->pause_s * 2 < PAUSE_LONGEST_S ? f->pause_s * 2 : PAUSE_LONGEST_S;
}

static void hang_up(struct feed *f)
{
    f->io = sd_event_source_disable_unref(f->io);
    ctl_client_close(&f->client);
}

static void lose(struct feed *f, int error)
{
    /* Told when a connection ends, not each time that nobody is there. */
    if (f->since_us != 0)
        log_notice("feed.lost", "error=%s", strerrorname_np(-error));
    if (f->since_us != 0 && f->options.lost)
        f->options.lost(f->options.context);
    hang_up(f);
    connect_again_later(f);
}

static int on_readable(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    struct feed *f = userdata;
    uint32_t code = CTL_CODE_FAILED;
    json_t *notice = NULL;
    int r = ctl_client_next(&f->client, DEADLINE_MS, &code, &notice);

    (void)source;
    (void)fd;
    (void)events;
    if (r < 0) {
        lose(f, r);
        return 0;
    }
    if (code == CTL_CODE_OK)
        f->options.notice(f->options.context, notice);
    json_decref(notice);
    return 0;
}

/* Asks; the first answer is handed on like the others. */
static int subscribe(struct feed *f)
{
    uint32_t code = CTL_CODE_FAILED;
    json_t *notice = NULL;
    int r = ctl_client_open(f->options.run_directory, &f->client);

    if (r >= 0)
        r = ctl_client_ask(&f->client, f->options.request, NULL, DEADLINE_MS, &code, &notice);
    if (r >= 0 && code != CTL_CODE_OK)
        r = -EPROTO;
    if (r >= 0)
        r = sd_event_add_io(f->options.loop, &f->io, f->client.socket, EPOLLIN, on_readable, f);
    if (r >= 0) {
        log_info("feed.connected", "run=%s", f->options.run_directory);
        f->since_us = clock_boottime_us();
        f->options.notice(f->options.context, notice);
    }
    json_decref(notice);
    return r;
}

static int on_again(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct feed *f = userdata;
    int r = subscribe(f);

    (void)source;
    (void)usec;
    if (r < 0)
        lose(f, r);
    return 0;
}

int feed_new(const struct feed_options *options, struct feed **ret)
{
    struct feed *f = calloc(1, sizeof(*f));
    int r;

    if (!f)
        return -ENOMEM;
    f->options = *options;
    f->client.socket = -1;
    f->pause_s = PAUSE_FIRST_S;
    /* At once, but from the loop. */
    r = sd_event_add_time(options->loop, &f->again, CLOCK_BOOTTIME, 0, 0, on_again, f);
    if (r < 0) {
        (void)feed_free(f);
        return r;
    }
    *ret = f;
    return 0;
}

struct feed *feed_free(struct feed *f)
{
    if (!f)
        return NULL;
    hang_up(f);
    sd_event_source_disable_unref(f->again);
    free(f);
    return NULL;
}
