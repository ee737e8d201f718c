#pragma once

#include <stddef.h>

/*
 * Device events by libudev's monitor (netlink, NETLINK_KOBJECT_UEVENT). The socket is non-blocking; the owner polls
 * udev_source_fd() for input and then calls udev_source_receive() until UDEV_E_NONE.
 */

enum udev_stage {
    UDEV_STAGE_KERNEL, /* as the kernel sends them: first, and without udevd */
    UDEV_STAGE_UDEV,   /* after udevd has run its rules: properties and device nodes are complete */
};

enum {
    UDEV_E_NONE = 1, /* nothing waits */
    UDEV_E_LOST = 2, /* ENOBUFS: the kernel dropped events; the caller rescans sysfs */
};

/* Tried first; halved down to UDEV_BUFFER_MIN while the kernel refuses it (past rmem_max it takes CAP_NET_ADMIN). */
enum {
    UDEV_BUFFER_WANTED = 64 << 20,
    UDEV_BUFFER_MIN = 128 << 10
};

struct udev_filter {
    const char *subsystem;
    const char *devtype; /* NULL: any */
};

struct udev_device;

/* Strings live until udev_event_done(); NULL where the event has none. */
struct udev_event {
    const char *action, *subsystem, *devtype, *syspath, *sysname, *devnode;
    struct udev_device *device; /* owned */
};

struct udev_source;

/* buffer: bytes of receive buffer, 0 for UDEV_BUFFER_WANTED. 0 or -errno; no filter means every subsystem. */
int udev_source_new(enum udev_stage stage, const struct udev_filter *filters, size_t n_filters, int buffer,
                    struct udev_source **ret);
struct udev_source *udev_source_free(struct udev_source *s);
int udev_source_fd(const struct udev_source *s);
/* What the kernel granted, as SO_RCVBUF tells it (twice the payload, socket(7)); 0 when unknown. */
int udev_source_buffer(const struct udev_source *s);

/* 0 and an event, UDEV_E_NONE, UDEV_E_LOST or -errno. */
int udev_source_receive(struct udev_source *s, struct udev_event *ret);
void udev_event_done(struct udev_event *e);
/* A property by name, NULL when the event has none. Lives as long as the event. */
const char *udev_event_property(const struct udev_event *e, const char *name);
