#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * USB devices as sysfs shows them (Documentation/ABI/testing/sysfs-bus-usb, Documentation/usb/authorization.rst).
 * Everything goes through the ops, so that tests can fail or change any single call; usb_sysfs is the real one.
 */

enum {
    USB_E_ABSENT = 1, /* no such device, attribute or bus: an expected outcome, not an error */
};

enum {
    USB_NAME_SIZE = 64,                   /* "1-1.2:1.0" */
    USB_ATTRIBUTE_MAX = 1024,             /* a USB string is at most 126 UTF-16 units = 378 bytes */
    USB_DESCRIPTORS_MAX = 18 + 8 * 65535, /* device descriptor, USB_MAXCONFIG configurations */
    USB_NAMES_MAX = 4096,                 /* more entries than this in one directory: -E2BIG */
};

/* A held sysfs directory. kernfs never gives a removed directory back: while fd is open, every call through it reaches
 * this very device or fails, even when another one has taken the name. */
struct usb_node {
    int fd;                   /* owned; -1 when closed */
    char name[USB_NAME_SIZE]; /* "1-1.2", root hubs "usb1" */
    char *path;               /* owned; below the sysfs root: "devices/pci0000:00/0000:00:14.0/usb1/1-1" */
};

void usb_node_init(struct usb_node *n);
void usb_node_done(struct usb_node *n);

struct usb_names {
    char (*items)[USB_NAME_SIZE]; /* owned */
    size_t n;
};

void usb_names_done(struct usb_names *names);

/* "1-2.3" or "usb1"; nothing else is looked up in sysfs. Return 1 or 0. */
int usb_name_is_device(const char *name);
int usb_name_is_root_hub(const char *name);
/* "1-2.3:1.0" */
int usb_name_is_interface(const char *name);

/* All return 0, USB_E_ABSENT or -errno. interface is a name out of list_interfaces, or NULL for the device itself. */
struct usb_ops {
    void *context;
    /* Devices and root hubs on the bus, a parent always before its children. USB_E_ABSENT: no USB bus on this machine. */
    int (*list)(void *context, struct usb_names *ret);
    /* Resolves the bus entry once, below the root and without following any further link. */
    int (*open)(void *context, const char *name, struct usb_node *ret);
    /* 0: both are the same directory, USB_E_ABSENT: they are not. */
    int (*same)(void *context, const struct usb_node *a, const struct usb_node *b);
    /* One trailing newline is gone; the bytes are the device's own claim and may be anything but NUL. Caller frees. */
    int (*read)(void *context, const struct usb_node *n, const char *interface, const char *attribute, char **ret);
    int (*read_descriptors)(void *context, const struct usb_node *n, uint8_t **ret, size_t *ret_size);
    /* An attribute of the hub's port the device sits on ("connect_type"). */
    int (*read_port)(void *context, const struct usb_node *n, const char *attribute, char **ret);
    /* Interfaces of the active configuration; none while the device is unauthorized. */
    int (*list_interfaces)(void *context, const struct usb_node *n, struct usb_names *ret);
    int (*write)(void *context, const struct usb_node *n, const char *interface, const char *attribute,
                 const char *value);
    /* Name of the driver that has the interface; USB_E_ABSENT: none has. Caller frees. */
    int (*driver)(void *context, const struct usb_node *n, const char *interface, char **ret);
    /* drivers_probe: an interface authorized after it appeared is not bound by itself (authorization.rst). */
    int (*probe)(void *context, const char *interface);
};

/* The ops over a sysfs tree given as a directory fd, which is borrowed and must outlive it. -ENOMEM. */
struct usb_sysfs;
int usb_sysfs_new(int root, struct usb_sysfs **ret);
struct usb_sysfs *usb_sysfs_free(struct usb_sysfs *s);
const struct usb_ops *usb_sysfs_ops(const struct usb_sysfs *s);
