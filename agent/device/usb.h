#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "audit/audit.h"
#include "decide/decide.h"
#include "kern/usb.h"
#include "policy/policy.h"

/*
 * USB authorization: what is plugged in, what policy says of it, what was written to sysfs. Driven from one thread by events,
 * new policies, new sessions and the clock; tells what it did through one callback.
 *
 * Root hubs are the machine's own and are not decided about. On each, authorized_default and interface_authorized_default
 * become 0, so that a device arrives without a configuration and its interfaces without drivers, whether or not this program
 * lives. (A host controller that appears later has a moment before that; usbcore.authorized_default=0 on the kernel command
 * line closes it. What got in is decided and deauthorized all the same.)
 */

struct usb_manager;
struct usb_device;

/*
 * device is NULL for what concerns a root hub or the bus; v is NULL with it and for APPEARED. Both live until the callback
 * returns. message is English, without values of the device, or NULL. The callback must not call a function that changes the manager.
 *
 *   APPEARED  seen for the first time; before its decision
 *   DECIDED   a decision, or one that became another; v->kind != v->ruled: monitor mode let pass what would be refused,
 *             the device or (REASON_INTERFACES, message) some of its interfaces
 *   CHANGED   alarm: claims changed, somebody else wrote `authorized`, or a second device claims the same identity
 *   FAILED    alarm: a call failed on a device that is there; what it concerns stays or becomes unauthorized
 *   REMOVED   gone from the bus, told once for each APPEARED; a call that failed because of it is not told
 *   AUDIT_USB_EVENTS_LOST from usb_manager_events_lost()
 */
struct usb_manager_callbacks {
    void *context;
    void (*report)(void *context, enum audit_action action, const struct usb_device *device, const struct verdict *v,
                   const char *message);
    /* Is a grant in force for this device under the rule of that id? Asked of rules that permit after an unlocking. Must not change the
     * manager. NULL: there are no grants. */
    bool (*granted)(void *context, const struct usb_device *device, const char *rule);
};

struct usb_manager_options {
    const struct usb_ops *kern; /* borrowed */
    int state_directory;        /* borrowed fd; the previous defaults of the root hubs are kept there */
    struct usb_manager_callbacks callbacks;
    struct policy *policy; /* a reference is taken */
    /* How long one call may wait in all for the kernel to finish taking a device away, when one of its attributes has failed: only a
     * device that stays is an alarm. Calls in a row have a quarter of their time for it at most. 0: one look. */
    int64_t patience_us;
};

/* Positive outcomes. */
enum {
    USB_MANAGER_E_NO_BUS =
        1, /* no /sys/bus/usb on this machine: nothing to guard; devices that come later are handled */
};

/* Touches nothing. 0, -EINVAL or -ENOMEM. */
int usb_manager_new(const struct usb_manager_options *options, struct usb_manager **ret);
/* Leaves the bus as it is: guarded. */
struct usb_manager *usb_manager_free(struct usb_manager *m);

/* Every call that may decide takes the wall clock (microseconds since 1970 UTC). */

/* Guards the root hubs and decides every device that is present. Open the udev source first, so that nothing falls between.
 * 0, USB_MANAGER_E_NO_BUS, or -errno when the bus could not be listed or there was no memory for a device of it (FAILED, once while
 * it lasts; each tick tries again). Failures of single devices are reported, not returned. */
int usb_manager_start(struct usb_manager *m, int64_t now_us);

/* A uevent of subsystem usb, any action: sysname "1-2", "usb1" or "1-2:1.0". What happened is read from sysfs, so late,
 * repeated, reordered events and the echo of our own writes do no harm. 0 or -ENOMEM. */
int usb_manager_event(struct usb_manager *m, const char *sysname, int64_t now_us);
/* ENOBUFS: reports it and rescans. */
int usb_manager_events_lost(struct usb_manager *m, int64_t now_us);
/* Compares the bus with the table: vanished, new, changed, meddled with. Outcomes as usb_manager_start(). */
int usb_manager_rescan(struct usb_manager *m, int64_t now_us);

/* A reference is taken; every present device is decided again and applied, failed ones are tried again. */
void usb_manager_set_policy(struct usb_manager *m, struct policy *policy, int64_t now_us);
/* People of the active local sessions, copied. -ENOMEM: nobody is there, which refuses more. */
int usb_manager_set_persons(struct usb_manager *m, const struct decide_person *persons, size_t n, int64_t now_us);
/* The administrator's way back in: input devices and hubs are permitted whatever the policy says (decide_usb_facts.emergency). */
void usb_manager_set_emergency(struct usb_manager *m, bool on, int64_t now_us);
/* A grant of the device at this port began or ended: it is decided again. Nothing when it is not there. */
void usb_manager_reconsider(struct usb_manager *m, const char *port, int64_t now_us);
/* Hours and end dates, and a bus that could not be read: call it each minute. */
void usb_manager_tick(struct usb_manager *m, int64_t now_us);

/* Uninstallation only: puts back the saved defaults of the root hubs (a hub that was never saved: 1, the kernel's default) and
 * forgets them. Devices keep their state until they are plugged in again. Needs no start. 0 or the first -errno. */
int usb_manager_purge(struct usb_manager *m);

size_t usb_manager_count(const struct usb_manager *m);
const struct usb_device *usb_manager_get(const struct usb_manager *m,
                                         size_t i); /* in order of arrival; NULL past the end */
const struct usb_device *usb_manager_find(const struct usb_manager *m, const char *port);
/* The device that owns a path below devices/ (with or without "/sys/" or "/"): the path is the device's own, or its own interface
 * is the next step. NULL when that device is not known, also when only a hub above it is. */
const struct usb_device *usb_manager_find_owner(const struct usb_manager *m, const char *syspath);
size_t usb_manager_hubs(const struct usb_manager *m); /* root hubs */
bool usb_manager_guarded(
    const struct usb_manager *m); /* both defaults are 0 on every root hub, as far as was written */

/* --- One device. Strings live as long as the device and are printable; absent ones are "". --- */

const char *usb_device_id(const struct usb_device *d);   /* 16 hex digits of the identity, "@", port */
const char *usb_device_port(const struct usb_device *d); /* "1-2.3", also the kernel's name of the device */
const char *usb_device_path(const struct usb_device *d); /* "devices/pci…/1-2.3" below /sys */
uint16_t usb_device_vendor(const struct usb_device *d);
uint16_t usb_device_product(const struct usb_device *d);
const char *usb_device_serial(const struct usb_device *d);
const char *usb_device_name(const struct usb_device *d);
const char *usb_device_manufacturer(const struct usb_device *d);
const char *usb_device_hash(const struct usb_device *d); /* "" when the claims could not be read */
const char *usb_device_parent_hash(const struct usb_device *d);
const char *usb_device_connect_type(const struct usb_device *d);
const char *usb_device_removable(const struct usb_device *d); /* removable, fixed, unknown */
unsigned usb_device_bus_number(const struct usb_device *d);
unsigned usb_device_number(const struct usb_device *d);
const struct decide_interface *usb_device_interfaces(const struct usb_device *d, size_t *ret_n); /* every alternate */
bool usb_device_interface_authorized(const struct usb_device *d, uint8_t number);
bool usb_device_authorized(const struct usb_device *d); /* as last read or written */
bool usb_device_present_at_start(const struct usb_device *d);
bool usb_device_duplicate(const struct usb_device *d);
bool usb_device_failed(const struct usb_device *d); /* refused because a call failed or its claims changed */
const struct verdict *usb_device_verdict(const struct usb_device *d);
/* What the decision was made from; persons and time are empty. For policy explain and generate. */
void usb_device_facts(const struct usb_device *d, struct decide_usb_facts *ret);
