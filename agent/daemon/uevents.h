#pragma once

#include "kern/udev.h"

struct daemon;

/* Device events of one subsystem as a source of the daemon's loop. Embedded; zeroed is closed. */
struct uevents {
    struct udev_source *source;
    struct daemon *daemon;
    const char *subsystem;
    void (*event)(struct daemon *d, const struct udev_event *e); /* with an action and a name */
    void (*lost)(struct daemon *d);                              /* some were dropped: look at everything */
};

/* subsystem, event and lost are set. 0 or -errno. */
int uevents_open(struct uevents *u, struct daemon *d, enum udev_stage stage);
void uevents_close(struct uevents *u);
