#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "policy/policy.h"

/* What is plugged in, as the caller found it. Strings "" when absent; foreign ones may hold anything. */
struct policy_generate_device {
    uint16_t vendor, product;
    const char *serial, *name, *hash, *connect_type, *port;
    const struct policy_interface *interfaces; /* exact ones, no wildcards */
    size_t n_interfaces;
    bool carries_system; /* the machine runs from it, or from what hangs on it */
};

struct policy_generate_options {
    const char *organization, *name;
    enum policy_zone zone;
    enum policy_mode mode;
    const char *(*translate)(const char *message); /* for the comments; NULL: English */
};

/* Appends a policy document that keeps the devices present: keyboards and mice first, hubs, then the others, each with all the
 * interfaces it shows now and no others, and above each a comment that says what it is. What carries the system stays too, a disk to be
 * read: its medium is not guarded (device/exit.h). Other storage is refused; a proposal for it follows as comments. Devices without hash (their
 * descriptors could not be read) are left out. 0, -ENOBUFS or -ENOMEM. */
int policy_generate(const struct policy_generate_options *options, const struct policy_generate_device *devices,
                    size_t n, struct buf *ret);
