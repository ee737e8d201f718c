/*
 * libudev's monitor behind four calls. Owns the netlink socket and the size of its buffer. Must not interpret events: what an
 * event means is for device/ to say. A dropped event is an outcome of its own, because only a rescan heals it.
 */
#include "kern/udev.h"

#include <errno.h>
#include <libudev.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/cleanup.h"

struct udev_source {
    struct udev *udev;
    struct udev_monitor *monitor;
};

struct udev_source *udev_source_free(struct udev_source *s)
{
    if (!s)
        return NULL;
    if (s->monitor)
        udev_monitor_unref(s->monitor);
    if (s->udev)
        udev_unref(s->udev);
    free(s);
    return NULL;
}
DEFINE_CLEANUP(struct udev_source *, udev_source_free);

/* libudev returns -errno from most calls and sets errno in the others. */
static int udev_result(int r)
{
    if (r >= 0)
        return 0;
    return r == -1 && errno != 0 ? -errno : r;
}

/* A smaller buffer loses events sooner, and lost events are rescanned: not fatal, whatever is granted. */
static void buffer_enlarge(struct udev_monitor *monitor, int wanted)
{
    for (int size = wanted; size >= UDEV_BUFFER_MIN || size == wanted; size /= 2) {
        if (udev_monitor_set_receive_buffer_size(monitor, size) >= 0)
            return;
    }
}

static int filters_add(struct udev_monitor *monitor, const struct udev_filter *filters, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        int r = udev_result(
            udev_monitor_filter_add_match_subsystem_devtype(monitor, filters[i].subsystem, filters[i].devtype));
        if (r < 0)
            return r;
    }
    return 0;
}

int udev_source_new(enum udev_stage stage, const struct udev_filter *filters, size_t n_filters, int buffer,
                    struct udev_source **ret)
{
    _cleanup_(udev_source_freep) struct udev_source *s = calloc(1, sizeof(*s));
    int r;

    if (!s)
        return -ENOMEM;
    s->udev = udev_new();
    if (!s->udev)
        return -ENOMEM;
    errno = 0;
    s->monitor = udev_monitor_new_from_netlink(s->udev, stage == UDEV_STAGE_KERNEL ? "kernel" : "udev");
    if (!s->monitor)
        return errno != 0 ? -errno : -EIO;
    r = filters_add(s->monitor, filters, n_filters);
    if (r < 0)
        return r;
    buffer_enlarge(s->monitor, buffer > 0 ? buffer : UDEV_BUFFER_WANTED);
    r = udev_result(udev_monitor_enable_receiving(s->monitor));
    if (r < 0)
        return r;
    *ret = TAKE_PTR(s);
    return 0;
}

int udev_source_fd(const struct udev_source *s)
{
    return udev_monitor_get_fd(s->monitor);
}

int udev_source_buffer(const struct udev_source *s)
{
    int size = 0;
    socklen_t length = sizeof(size);

    return getsockopt(udev_source_fd(s), SOL_SOCKET, SO_RCVBUF, &size, &length) < 0 ? 0 : size;
}

int udev_source_receive(struct udev_source *s, struct udev_event *ret)
{
    struct udev_device *device;

    errno = 0;
    device = udev_monitor_receive_device(s->monitor);
    if (!device) {
        switch (errno) {
        case 0: /* an event of another subsystem was read and dropped */
        case EAGAIN:
        case EINTR:
            return UDEV_E_NONE;
        case ENOBUFS:
            return UDEV_E_LOST;
        default:
            return -errno;
        }
    }
    *ret = (struct udev_event){
        .action = udev_device_get_action(device),
        .subsystem = udev_device_get_subsystem(device),
        .devtype = udev_device_get_devtype(device),
        .syspath = udev_device_get_syspath(device),
        .sysname = udev_device_get_sysname(device),
        .devnode = udev_device_get_devnode(device),
        .device = device,
    };
    return 0;
}

void udev_event_done(struct udev_event *e)
{
    if (e->device)
        udev_device_unref(e->device);
    *e = (struct udev_event){0};
}

const char *udev_event_property(const struct udev_event *e, const char *name)
{
    return e->device ? udev_device_get_property_value(e->device, name) : NULL;
}
