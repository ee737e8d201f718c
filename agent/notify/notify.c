/*
 * kuraban-notify, wired: what kuraband tells goes to the board, what the board shows to the desk. Owns the loop and its timer. Must not: decide
 * anything, or hold up a login: whatever fails ends this program and nothing else.
 */
#include "notify/notify.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "base/clock.h"
#include "cage/cage.h"
#include "cli/i18n.h"
#include "ctl/feed.h"
#include "ctl/protocol.h"
#include "notify/board.h"
#include "notify/desk.h"
#include "notify/session.h"

enum {
    ACCURACY_US = 100 * 1000
};

struct notify {
    sd_event *loop;
    sd_event_source *timer;
    struct board *board;
    struct desk *desk;
    struct feed *feed;
    struct session *session;
};

static void on_show(void *context, unsigned place, const struct note *note, int fresh)
{
    const struct notify *n = context;

    desk_show(n->desk, place, note, fresh);
}

static void on_close(void *context, unsigned place)
{
    const struct notify *n = context;

    desk_close(n->desk, place);
}

static void plan(const struct notify *n)
{
    uint64_t at = board_next_us(n->board);

    if (at != UINT64_MAX)
        (void)sd_event_source_set_time(n->timer, at);
    (void)sd_event_source_set_enabled(n->timer, at == UINT64_MAX ? SD_EVENT_OFF : SD_EVENT_ONESHOT);
}

static void on_notice(void *context, const struct json_t *notice)
{
    struct notify *n = context;

    board_take(n->board, notice, clock_boottime_us());
    plan(n);
}

static int on_timer(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct notify *n = userdata;

    (void)source;
    (void)usec;
    board_tick(n->board, clock_boottime_us());
    plan(n);
    return 0;
}

static void on_over(void *context)
{
    const struct notify *n = context;

    (void)sd_event_exit(n->loop, NOTIFY_OVER);
}

static void complain(const char *what, int error)
{
    (void)fprintf(stderr, "kuraban-notify: %s: %s\n", what, strerror(-error));
}

static int start_loop(struct notify *n)
{
    sigset_t mask;
    int r = sd_event_default(&n->loop);

    (void)sigemptyset(&mask);
    (void)sigaddset(&mask, SIGTERM);
    (void)sigaddset(&mask, SIGINT);
    if (sigprocmask(SIG_BLOCK, &mask, NULL) < 0)
        return -errno;
    if (r >= 0)
        r = sd_event_add_signal(n->loop, NULL, SIGTERM, NULL, NULL);
    if (r >= 0)
        r = sd_event_add_signal(n->loop, NULL, SIGINT, NULL, NULL);
    if (r >= 0)
        r = sd_event_add_time(n->loop, &n->timer, CLOCK_BOOTTIME, UINT64_MAX, ACCURACY_US, on_timer, n);
    return r < 0 ? r : sd_event_source_set_enabled(n->timer, SD_EVENT_OFF);
}

static int start_desk(struct notify *n)
{
    const struct desk_options options = {.loop = n->loop, .over = on_over, .context = n};
    int r = desk_new(&options, &n->desk);

    if (r < 0)
        complain(_("there is no session bus to show notifications through"), r);
    return r;
}

static int start_rest(struct notify *n, const char *run_directory)
{
    const struct board_ops ops = {.show = on_show, .close = on_close, .context = n};
    const struct feed_options options = {
        .request = CTL_NOTICES, .loop = n->loop, .run_directory = run_directory, .notice = on_notice, .context = n};
    int r = board_new(&ops, geteuid(), &n->board);

    if (r >= 0)
        r = session_new(n->loop, on_over, n, &n->session);
    if (r >= 0)
        r = cage_enter(CAGE_LOCAL);
    if (r >= 0)
        r = feed_new(&options, &n->feed);
    if (r < 0)
        complain(_("cannot start"), r);
    return r;
}

int notify_run(const char *run_directory)
{
    struct notify n = {0};
    int r = start_loop(&n);

    if (r < 0)
        complain(_("cannot start"), r);
    if (r >= 0)
        r = start_desk(&n);
    if (r >= 0)
        r = start_rest(&n, run_directory);
    if (r >= 0)
        r = sd_event_loop(n.loop);
    (void)feed_free(n.feed);
    (void)session_free(n.session);
    (void)desk_free(n.desk);
    (void)board_free(n.board);
    sd_event_source_disable_unref(n.timer);
    sd_event_unref(n.loop);
    return r;
}
