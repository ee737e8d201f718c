#pragma once

/* Shared by usb_*.c only. */

#include "base/digest.h"
#include "device/usb.h"
#include "device/usb_descriptor.h"
#include "device/usb_identity.h"

enum {
    USB_DEVICES_MAX = 2048, /* more devices than this on all buses: the rest stays unauthorized */
    USB_ID_SIZE = 16 + 1 + USB_NAME_SIZE,
};

struct usb_device {
    struct usb_node node;
    uint64_t sequence; /* order of arrival */
    bool present_at_start;

    /* Claims. readable: all of them were read and parsed; without, the device is refused. */
    bool readable;
    uint16_t vendor, product;
    unsigned bus_number, number;
    char *manufacturer, *name, *serial, *connect_type, *removable; /* printable, never NULL */
    char id[USB_ID_SIZE];
    char hash[DIGEST_HEX_SIZE], parent_hash[DIGEST_HEX_SIZE];
    char usbguard_hash[USB_USBGUARD_HASH_SIZE], usbguard_parent_hash[USB_USBGUARD_HASH_SIZE];
    struct digest exact; /* usb_identity_exact() */
    struct decide_interface interfaces[USB_INTERFACES_MAX];
    uint8_t configurations[USB_INTERFACES_MAX]; /* bConfigurationValue of each */
    size_t n_interfaces;

    /* Decision. */
    struct verdict verdict;
    bool decided;   /* the verdict was reported */
    bool duplicate; /* one that came earlier claims the same identity */
    bool failed;    /* refused until a new policy or until it comes again */
    bool tainted;   /* changed its claims while it was being authorized: refused until it comes again */

    /* What sysfs said last. */
    bool authorized;
    unsigned configuration; /* the one whose interfaces were applied; 0 none */
    uint8_t authorized_interfaces[256 / 8];
};

struct usb_hub {
    struct usb_node node;
    char hash[DIGEST_HEX_SIZE], usbguard_hash[USB_USBGUARD_HASH_SIZE]; /* "" when its claims could not be read */
    bool guarded;                                                      /* both defaults read back as 0 */
};

struct usb_manager {
    const struct usb_ops *kern;
    int state_directory;
    struct usb_manager_callbacks callbacks;
    int64_t patience_us, patience_left_us;
    uint64_t patience_at_us; /* boottime: what was left then */
    struct policy *policy;
    struct decide_person *persons; /* owned, each gids as well */
    size_t n_persons;
    bool emergency;
    struct usb_device **devices; /* in order of arrival */
    size_t n_devices;
    struct usb_hub *hubs;
    size_t n_hubs;
    uint64_t sequence;
    struct decide_time now;
    bool starting;
    bool unread; /* the bus, or a device on it, could not be looked at: told, and tried again at each tick */
};

/* --- usb_device.c --- */

/* Reads everything the device claims. A device always results, unless -ENOMEM; readable tells whether it may be judged, and
 * ret_problem (a literal) why not. Takes the node. */
int usb_device_new(const struct usb_ops *kern, struct usb_node *node, struct usb_device **ret,
                   const char **ret_problem);
struct usb_device *usb_device_free(struct usb_device *d);
/* 0: it claims what it claimed before, 1: something differs, -errno: cannot tell. */
int usb_device_compare(const struct usb_ops *kern, const struct usb_device *d);
/* 0 and a number from a small attribute ("1"), USB_E_ABSENT or -errno. */
int usb_read_number(const struct usb_ops *kern, const struct usb_node *n, const char *interface, const char *attribute,
                    unsigned *ret);

/* --- usb_judge.c --- */

/* Decides from the facts as they are, into d->verdict. Returns 1 when the outcome differs from the one before. */
int usb_judge(const struct usb_manager *m, struct usb_device *d);
/* Refuses for a reason of our own; in monitor mode only ruled says so. */
void usb_judge_unknown(const struct usb_manager *m, struct usb_device *d);
bool usb_judge_interface(const struct usb_manager *m, const struct usb_device *d, unsigned configuration,
                         unsigned number);
bool usb_judge_partly(const struct usb_manager *m, const struct usb_device *d); /* some interface is not permitted */
/* May a driver of that name have an interface of a permitted device? */
bool usb_judge_driver(const struct usb_manager *m, const struct usb_device *d, const char *driver);
/* The interfaces of a permitted device that its rule refuses, "03:01:01, 08:06:50", whether or not it is only to be recorded. How many;
 * what finds no room is left out behind "…". */
size_t usb_judge_refused(const struct usb_manager *m, const struct usb_device *d, char *ret, size_t size);
bool usb_judge_removes(const struct usb_manager *m, const struct usb_device *d);
/* The present device that came earlier and claims the same vendor, product and (non-empty) serial, or NULL. */
struct usb_device *usb_judge_rival(const struct usb_manager *m, const struct usb_device *d);

/* --- usb_apply.c --- */

/* Makes sysfs as d->verdict says; reports and refuses on any failure. */
void usb_apply(struct usb_manager *m, struct usb_device *d);
/* Reads back; puts right and reports what somebody else changed. */
void usb_reassert(struct usb_manager *m, struct usb_device *d);

/* --- usb_hubs.c --- */

void usb_hubs_sync(struct usb_manager *m, const char *name);
void usb_hubs_forget(struct usb_manager *m, const char *name);
void usb_hubs_done(struct usb_manager *m);
const struct usb_hub *usb_hubs_above(const struct usb_manager *m, const struct usb_device *d);

/* --- usb_manager.c --- */

void usb_report(const struct usb_manager *m, enum audit_action action, const struct usb_device *d, const char *message);
/* After a call on it failed: is that because the device has left the bus, or does so within the manager's patience? */
bool usb_gone(struct usb_manager *m, const struct usb_node *n);
/* FAILED, unless it is gone: then its removal is what there is to tell. */
void usb_fail(struct usb_manager *m, const struct usb_device *d, const char *problem);
