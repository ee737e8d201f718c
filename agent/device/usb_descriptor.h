#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"

/*
 * The sysfs file `descriptors`: the device descriptor followed by every configuration with all that belongs to it
 * (drivers/usb/core/sysfs.c descriptors_read; formats: USB 2.0 chapter 9, USB 3.2 chapter 9). It is the device's own claim
 * and the one complete one before authorization. Strict: what does not add up to the byte is an error, and the caller
 * refuses the device.
 */

enum {
    USB_CONFIGURATIONS_MAX = 8,        /* USB_MAXCONFIG of the kernel */
    USB_CONFIGURATION_INTERFACES = 32, /* USB_MAXINTERFACES: different numbers in one configuration */
    USB_INTERFACES_MAX = 256,          /* interface descriptors in all, alternates included */
};

struct usb_interface_descriptor {
    uint8_t configuration; /* bConfigurationValue it belongs to */
    uint8_t number, alternate;
    uint8_t class_, subclass, protocol;
};

struct usb_descriptors {
    uint16_t vendor, product;
    uint16_t release; /* bcdDevice */
    uint8_t class_, subclass, protocol;
    uint8_t n_configurations;
    size_t n_interfaces;
    struct usb_interface_descriptor interfaces[USB_INTERFACES_MAX]; /* in the order of the file */
};

/* 0, -EBADMSG (malformed) or -E2BIG (past a maximum above). */
int usb_descriptors_parse(const uint8_t *bytes, size_t size, struct usb_descriptors *ret);

/* Appends those bytes that are the same on every port and at every speed: all descriptors, without endpoints (05) and their
 * SuperSpeed companions (30, 31), with bcdUSB and bMaxPacketSize0 of the device and wTotalLength and bMaxPower of the
 * configurations as zero. 0, the errors of usb_descriptors_parse() and of buf_add(). */
int usb_descriptors_stable(const uint8_t *bytes, size_t size, struct buf *b);
