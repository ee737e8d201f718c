#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "device/usb_descriptor.h"

/*
 * The identity of a USB device: SHA-256 over length-prefixed fields (digest_fields), in this order:
 *
 *   "kuraban-usb-identity/1"   this format
 *   vendor, product, bcdDevice from the device descriptor, two bytes each, little endian
 *   manufacturer, product name, serial   as sysfs gives them, without the trailing newline; absent = empty
 *   stable descriptor bytes    usb_descriptors_stable(): the same stick has one identity on USB 2 and USB 3 ports. A device
 *                              that really shows other interfaces at another speed has two.
 *
 * The prefixes keep "ab"+"c" and "a"+"bc" apart. All of it is the device's claim: an identity tells models and honest devices
 * apart, it proves nothing against one that copies all of it. Parent hash: the identity of the hub it hangs on.
 *
 * A root hub is the kernel's own: its release and manufacturer are the kernel version, so its identity is
 * "kuraban-usb-root-hub/1", product (that is: USB 1.1, 2 or 3), serial (the controller's bus address), and a kernel update
 * keeps the parent hashes of a policy valid. Which hub is a root hub is told by its place in sysfs, never by its claims.
 */

struct usb_claims {
    const char *manufacturer, *product_name, *serial; /* NULL is the empty string */
    const uint8_t *descriptors;
    size_t n_descriptors;
};

/* 0, the errors of usb_descriptors_parse(), -ENOMEM or -EIO. */
int usb_identity(const struct usb_claims *claims, struct digest *ret);
int usb_identity_root_hub(uint16_t product, const char *serial, struct digest *ret);

enum {
    USB_USBGUARD_HASH_SIZE = 45 /* base64 of SHA-256, NUL */
};
/* What USBGuard 1.x calls the hash of a device, so that its rules can be carried over: SHA-256 in base64 over product name,
 * vendor and product in hex as sysfs spells them, serial, and every byte of the descriptors; of a Linux root hub with bcdDevice
 * as zero, because that is the kernel's version. Nothing separates the fields and the manufacturer is not among them: new
 * policies should use usb_identity(). vendor and product must be those of the descriptors. 0, -EBADMSG when there is no
 * device descriptor, -ENOBUFS, -ENOMEM or -EIO. */
int usb_identity_usbguard(const struct usb_claims *claims, uint16_t vendor, uint16_t product,
                          char ret[static USB_USBGUARD_HASH_SIZE]);

/* Every claim and every byte, for noticing any change of a device that is plugged in. Also for what does not parse. */
int usb_identity_exact(const struct usb_claims *claims, struct digest *ret);
