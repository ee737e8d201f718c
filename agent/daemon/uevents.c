/*
 * Device events into the daemon's loop. Owns the source, the order, and how long one turn may take: a device that comes again and
 * again must not keep the loop from the journal, the control socket and the watchdog. Must not know what an event means.
 */
#include "daemon/uevents.h"

#include <errno.h>
#include <string.h>
#include <sys/epoll.h>
#include <systemd/sd-event.h>

#include "base/clock.h"
#include "base/log.h"
#include "daemon/daemon.h"

enum {
    TURN_US = 100 * 1000
};

/* What waits longer than a turn comes with the next one: the source stays ready. */
static int on_ready(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    const uint64_t began = clock_boottime_us();
    struct uevents *u = userdata;
    struct udev_event e;
    int r = UDEV_E_NONE;

    (void)source;
    (void)fd;
    (void)events;
    do {
        r = udev_source_receive(u->source, &e);
        if (r < 0 || r == UDEV_E_NONE)
            break;
        if (r == UDEV_E_LOST) {
            u->lost(u->daemon);
            continue;
        }
        if (e.action && e.sysname)
            u->event(u->daemon, &e);
        udev_event_done(&e);
    } while (clock_boottime_us() - began < TURN_US);
    if (r < 0)
        log_error("uevents", "subsystem=%s error=%s", u->subsystem, strerrorname_np(-r));
    return 0;
}

int uevents_open(struct uevents *u, struct daemon *d, enum udev_stage stage)
{
    const struct udev_filter filter = {.subsystem = u->subsystem};
    int r = udev_source_new(stage, &filter, 1, 0, &u->source);

    if (r < 0)
        return r;
    u->daemon = d;
    return sd_event_add_io(d->loop, &d->io[d->n_io++], udev_source_fd(u->source), EPOLLIN, on_ready, u);
}

void uevents_close(struct uevents *u)
{
    u->source = udev_source_free(u->source);
}
