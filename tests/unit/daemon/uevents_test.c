/* Device events that do not end: the loop comes to its other sources all the same. */
#include "test.h"

#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <systemd/sd-event.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "daemon/daemon.h"
#include "daemon/uevents.h"
#include "kern/udev.h"

enum {
    EVENT_US = 20 * 1000, /* what one event costs: a device that seems to leave is waited for */
    FLOOD = 1000,         /* how many wait: 20 s of them */
    TICKS = 5,
};

/* --- a source without end, in place of kern/udev --- */

struct udev_source {
    int fd;
    unsigned left, n, lost_at;
};

static struct udev_source fake;

int udev_source_new(enum udev_stage stage, const struct udev_filter *filters, size_t n_filters, int buffer,
                    struct udev_source **ret)
{
    (void)stage;
    (void)buffer;
    assert_int_equal(n_filters, 1);
    assert_string_equal(filters[0].subsystem, "usb");
    fake.fd = eventfd(1, EFD_CLOEXEC | EFD_NONBLOCK);
    *ret = &fake;
    return fake.fd < 0 ? -errno : 0;
}

struct udev_source *udev_source_free(struct udev_source *s)
{
    (void)close(s->fd);
    return NULL;
}

int udev_source_fd(const struct udev_source *s)
{
    return s->fd;
}

int udev_source_receive(struct udev_source *s, struct udev_event *ret)
{
    if (s->left == 0)
        return UDEV_E_NONE;
    s->left--;
    if (++s->n == s->lost_at)
        return UDEV_E_LOST;
    *ret = (struct udev_event){.action = "add", .sysname = "1-2"};
    return 0;
}

void udev_event_done(struct udev_event *e)
{
    *e = (struct udev_event){0};
}

/* --- */

static unsigned handled, lost, ticks;

static void on_event(struct daemon *d, const struct udev_event *e)
{
    const struct timespec cost = {.tv_nsec = EVENT_US * 1000};

    (void)d;
    assert_string_equal(e->sysname, "1-2");
    handled++;
    (void)nanosleep(&cost, NULL);
}

static void on_lost(struct daemon *d)
{
    (void)d;
    lost++;
}

static int on_tick(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct daemon *d = userdata;

    (void)usec;
    if (++ticks == TICKS)
        return sd_event_exit(d->loop, 0);
    assert_true(sd_event_source_set_time(source, clock_boottime_us() + 1) >= 0);
    return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

static void a_flood_leaves_turns_to_others(void **state)
{
    struct daemon *d = calloc(1, sizeof(*d));
    struct uevents u = {.subsystem = "usb", .event = on_event, .lost = on_lost};
    sd_event_source *tick = NULL;

    (void)state;
    assert_non_null(d);
    fake = (struct udev_source){.left = FLOOD, .lost_at = 3};
    assert_true(sd_event_new(&d->loop) >= 0);
    assert_int_equal(uevents_open(&u, d, UDEV_STAGE_KERNEL) < 0, 0);
    assert_true(sd_event_add_time(d->loop, &tick, CLOCK_BOOTTIME, 1, 1, on_tick, d) >= 0);
    assert_int_equal(sd_event_loop(d->loop), 0);
    assert_int_equal(ticks, TICKS);
    assert_int_equal(lost, 1);
    assert_true(handled > 0);
    assert_true(handled < FLOOD / 2);
    sd_event_source_unref(tick);
    sd_event_source_disable_unref(d->io[0]);
    uevents_close(&u);
    sd_event_unref(d->loop);
    free(d);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(a_flood_leaves_turns_to_others)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
