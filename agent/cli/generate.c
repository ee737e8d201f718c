/*
 * Owns: handing the devices of this machine to the policy's generator. Must not: write YAML or judge a device.
 */
#include "cli/generate.h"

#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "cli/i18n.h"
#include "policy/generate.h"

/* The devices with all their interfaces in one block behind them. */
struct listed {
    struct policy_generate_device *devices;
    struct policy_interface *interfaces;
};

static int make_room(const struct present *present, struct listed *ret)
{
    size_t n = present_count(present), total = 0, more = 0;

    for (size_t i = 0; i < n; i++) {
        (void)usb_device_interfaces(present_at(present, i), &more);
        total += more;
    }
    ret->devices = calloc(n > 0 ? n : 1, sizeof(*ret->devices));
    ret->interfaces = calloc(total > 0 ? total : 1, sizeof(*ret->interfaces));
    return ret->devices && ret->interfaces ? 0 : -ENOMEM;
}

static void fill(const struct present *present, const struct listed *to)
{
    struct policy_interface *at = to->interfaces;

    for (size_t i = 0; i < present_count(present); i++) {
        const struct usb_device *d = present_at(present, i);
        size_t n = 0;
        const struct decide_interface *interfaces = usb_device_interfaces(d, &n);

        to->devices[i] = (struct policy_generate_device){.vendor = usb_device_vendor(d),
                                                         .product = usb_device_product(d),
                                                         .serial = usb_device_serial(d),
                                                         .name = usb_device_name(d),
                                                         .hash = usb_device_hash(d),
                                                         .connect_type = usb_device_connect_type(d),
                                                         .port = usb_device_port(d),
                                                         .interfaces = at,
                                                         .n_interfaces = n,
                                                         .carries_system = present_carries_system(present, d)};
        for (size_t k = 0; k < n; k++)
            *at++ = (struct policy_interface){
                .class_ = interfaces[k].class_, .subclass = interfaces[k].subclass, .protocol = interfaces[k].protocol};
    }
}

int generate_policy(const struct present *present, struct buf *ret_yaml)
{
    static const struct policy_generate_options options = {.organization = "example",
                                                           .name = "generated",
                                                           .zone = POLICY_ZONE_MYNUMBER,
                                                           .mode = POLICY_MONITOR,
                                                           .translate = i18n_translate};
    struct listed listed = {0};
    int r = make_room(present, &listed);

    if (r == 0) {
        fill(present, &listed);
        r = policy_generate(&options, listed.devices, present_count(present), ret_yaml);
    }
    free(listed.devices);
    free(listed.interfaces);
    return r;
}
