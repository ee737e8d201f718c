/*
 * The sysfs `descriptors` file. What is accepted keeps its own promises: bounds, and an identity that can be computed.
 */
#include "device/usb_descriptor.h"

#include <stdlib.h>

#include "device/usb_identity.h"
#include "fuzz/fuzz.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct usb_claims claims = {.descriptors = data, .n_descriptors = size};
    struct usb_descriptors d;
    struct digest identity;
    struct buf stable;
    int parsed = usb_descriptors_parse(data, size, &d);

    buf_init(&stable, size);
    if (usb_descriptors_stable(data, size, &stable) != parsed || usb_identity(&claims, &identity) != parsed)
        abort(); /* one parser, one opinion */
    if (parsed == 0 && (d.n_interfaces > USB_INTERFACES_MAX || d.n_configurations > USB_CONFIGURATIONS_MAX ||
                        d.n_configurations == 0 || stable.size > size))
        abort();
    buf_done(&stable);
    return 0;
}
