#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "kern/usb.h"

/*
 * A USB bus in a temporary directory, laid out as sysfs, and ops over it that behave as the kernel does on a write:
 * authorized=1 makes interfaces appear with the bus default, authorized=0 and remove take away, drivers_probe binds an
 * authorized interface. The real kern/usb does all reading and writing below. A file "bound" in an interface stands for a driver.
 */

struct fake_interface {
    uint8_t number, alternate, class_, subclass, protocol;
};

struct fake_device {
    const char *name; /* "1-2"; its parent must be there */
    uint16_t vendor, product;
    const char *manufacturer, *product_name, *serial; /* NULL: no such file */
    const char *connect_type;                         /* NULL: hotplug */
    struct fake_interface interfaces[4];              /* all in configuration 1 */
    size_t n_interfaces;
};

struct fake_usb {  /* one at a time: some getters return a static buffer */
    char root[64]; /* the sysfs root; state/ lies beside it */
    int root_fd, state_fd;
    struct usb_sysfs *sysfs;
    struct usb_ops ops;
    unsigned number; /* last devnum given */

    /* Faults. Calls are counted from 1; call fail_from and the fail_count - 1 after it return fail_with. */
    unsigned calls, fail_from, fail_count;
    int fail_with;
    const char *fail_attribute; /* or: every write of it fails */

    const char *ignore_attribute; /* writes of it succeed and change nothing */

    /* Pulled out before call vanish_from. As in the kernel its attributes go first, and vanish_slowly calls later the rest. */
    const char *vanish;
    unsigned vanish_from, vanish_slowly;

    /* Called after every successful write of an attribute. */
    void (*written)(struct fake_usb *f, const char *name, const char *interface, const char *attribute,
                    const char *value);
    void *hook;

    unsigned writes, probes;
};

/* with_bus: false for a machine without /sys/bus/usb. */
void fake_usb_init(struct fake_usb *f, bool with_bus);
void fake_usb_done(struct fake_usb *f);

void fake_usb_add_root_hub(struct fake_usb *f, const char *name, const char *serial);
/* As the kernel: authorized as the root hub's default says; if so, with its interfaces bound as their default says. */
void fake_usb_plug(struct fake_usb *f, const struct fake_device *d);
/* The kernel's driver of whole devices has it: done by plug, undone by removing "driver". */
void fake_usb_settle(struct fake_usb *f, const char *name);
void fake_usb_unplug(struct fake_usb *f, const char *name); /* and what hangs on it */
void fake_usb_strip(struct fake_usb *f, const char *name);  /* its attributes only */
void fake_usb_remove(struct fake_usb *f, const char *name, const char *attribute);

/* interface may be NULL. get returns "" for a file that is not there. */
void fake_usb_set(struct fake_usb *f, const char *name, const char *interface, const char *attribute,
                  const char *value);
void fake_usb_set_bytes(struct fake_usb *f, const char *name, const char *attribute, const void *bytes, size_t size);
const char *fake_usb_get(struct fake_usb *f, const char *name, const char *interface, const char *attribute);
bool fake_usb_exists(struct fake_usb *f, const char *name);
bool fake_usb_bound(struct fake_usb *f, const char *interface); /* a driver has it */
/* Somebody else, past our ops, with the kernel's effects. */
void fake_usb_write(struct fake_usb *f, const char *name, const char *interface, const char *attribute,
                    const char *value);
/* Where a path of the device would be, "/sys/devices/…". */
void fake_usb_syspath(const char *name, char *ret, size_t size);
size_t fake_usb_descriptors(const struct fake_device *d, uint8_t ret[256]);
