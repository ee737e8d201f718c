/* Owns: the bytes that a device of the fake bus says of itself, as in sysfs' "descriptors". */
#include <string.h>

#include "fake/sysfs_usb.h"

size_t fake_usb_descriptors(const struct fake_device *d, uint8_t ret[256])
{
    const uint8_t device[18] = {
        18,
        1,
        0,
        2,
        0,
        0,
        0,
        64,
        (uint8_t)(d->vendor & 0xff),
        (uint8_t)(d->vendor >> 8),
        (uint8_t)(d->product & 0xff),
        (uint8_t)(d->product >> 8),
        0,
        1,
        1,
        2,
        3,
        1,
    };
    size_t total = 9 + 9 * d->n_interfaces, at = sizeof(device) + 9;
    const uint8_t configuration[9] = {9, 2, (uint8_t)total, 0, (uint8_t)d->n_interfaces, 1, 0, 0x80, 50};

    memcpy(ret, device, sizeof(device));
    memcpy(ret + sizeof(device), configuration, sizeof(configuration));
    for (size_t i = 0; i < d->n_interfaces; i++, at += 9) {
        const struct fake_interface *from = &d->interfaces[i];
        const uint8_t interface[9] = {
            9, 4, from->number, from->alternate, 0, from->class_, from->subclass, from->protocol, 0};

        memcpy(ret + at, interface, sizeof(interface));
    }
    return at;
}
