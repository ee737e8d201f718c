/*
 * Parser of USB descriptors. Owns nothing but the walk over foreign bytes; allocates nothing. Must not be lenient: the kernel
 * mends broken configurations and carries on, but a device about which we and the kernel might disagree is refused.
 */
#include "device/usb_descriptor.h"

#include <errno.h>
#include <string.h>

enum {
    TYPE_DEVICE = 0x01,
    TYPE_CONFIGURATION = 0x02,
    TYPE_INTERFACE = 0x04,
    TYPE_ENDPOINT = 0x05,
    TYPE_SS_COMPANION = 0x30,
    TYPE_SSP_COMPANION = 0x31,
};

enum {
    DEVICE_SIZE = 18,
    CONFIGURATION_SIZE = 9,
    INTERFACE_SIZE = 9,
    ENDPOINT_SIZE = 7
};

/* Called for each descriptor with its checked length; negative stops the walk. */
struct visitor {
    int (*visit)(void *context, const uint8_t *descriptor, size_t size);
    void *context;
};

static unsigned le16(const uint8_t *p)
{
    return (unsigned)p[0] | (unsigned)p[1] << 8;
}

static size_t least_size(uint8_t type)
{
    switch (type) {
    case TYPE_INTERFACE:
        return INTERFACE_SIZE;
    case TYPE_ENDPOINT:
        return ENDPOINT_SIZE;
    default:
        return 2;
    }
}

/* One configuration of exactly size bytes, header included. */
static int walk_configuration(const uint8_t *bytes, size_t size, const struct visitor *v)
{
    size_t offset = 0;

    while (offset < size) {
        const uint8_t *d = bytes + offset;
        size_t length;
        int r;

        if (size - offset < 2)
            return -EBADMSG;
        length = d[0];
        if (length < least_size(d[1]) || length > size - offset)
            return -EBADMSG;
        /* A second header inside would start a configuration that bNumConfigurations does not count. */
        if (offset > 0 && (d[1] == TYPE_CONFIGURATION || d[1] == TYPE_DEVICE))
            return -EBADMSG;
        r = v->visit(v->context, d, length);
        if (r < 0)
            return r;
        offset += length;
    }
    return 0;
}

static int walk(const uint8_t *bytes, size_t size, const struct visitor *v)
{
    size_t offset = DEVICE_SIZE;
    unsigned n;
    int r;

    if (size < DEVICE_SIZE || bytes[0] != DEVICE_SIZE || bytes[1] != TYPE_DEVICE)
        return -EBADMSG;
    n = bytes[17];
    if (n == 0)
        return -EBADMSG;
    if (n > USB_CONFIGURATIONS_MAX)
        return -E2BIG;
    r = v->visit(v->context, bytes, DEVICE_SIZE);
    for (unsigned i = 0; r >= 0 && i < n; i++) {
        size_t total;

        if (size - offset < CONFIGURATION_SIZE || bytes[offset] < CONFIGURATION_SIZE ||
            bytes[offset + 1] != TYPE_CONFIGURATION)
            return -EBADMSG;
        total = le16(bytes + offset + 2);
        if (total < CONFIGURATION_SIZE || total > size - offset)
            return -EBADMSG;
        r = walk_configuration(bytes + offset, total, v);
        offset += total;
    }
    if (r < 0)
        return r;
    return offset == size ? 0 : -EBADMSG;
}

struct collection {
    struct usb_descriptors found;
    uint8_t configuration;
    uint8_t seen[256 / 8]; /* interface numbers of this configuration */
    unsigned n_seen;
};

static int collect_interface(struct collection *c, const uint8_t *d)
{
    uint8_t number = d[2];
    uint8_t bit = (uint8_t)(1U << (number % 8));

    if (!(c->seen[number / 8] & bit)) {
        if (++c->n_seen > USB_CONFIGURATION_INTERFACES)
            return -E2BIG;
        c->seen[number / 8] |= bit;
    }
    if (c->found.n_interfaces >= USB_INTERFACES_MAX)
        return -E2BIG;
    c->found.interfaces[c->found.n_interfaces++] = (struct usb_interface_descriptor){
        .configuration = c->configuration,
        .number = number,
        .alternate = d[3],
        .class_ = d[5],
        .subclass = d[6],
        .protocol = d[7],
    };
    return 0;
}

static int collect(void *context, const uint8_t *d, size_t size)
{
    struct collection *c = context;

    (void)size;
    switch (d[1]) {
    case TYPE_DEVICE:
        c->found.vendor = (uint16_t)le16(d + 8);
        c->found.product = (uint16_t)le16(d + 10);
        c->found.release = (uint16_t)le16(d + 12);
        c->found.class_ = d[4];
        c->found.subclass = d[5];
        c->found.protocol = d[6];
        c->found.n_configurations = d[17];
        return 0;
    case TYPE_CONFIGURATION:
        c->configuration = d[5];
        c->n_seen = 0;
        memset(c->seen, 0, sizeof(c->seen));
        return 0;
    case TYPE_INTERFACE:
        return collect_interface(c, d);
    default:
        return 0;
    }
}

int usb_descriptors_parse(const uint8_t *bytes, size_t size, struct usb_descriptors *ret)
{
    struct collection c = {0};
    struct visitor v = {.visit = collect, .context = &c};
    int r = walk(bytes, size, &v);

    if (r < 0)
        return r;
    *ret = c.found;
    return 0;
}

static int add_stable(void *context, const uint8_t *d, size_t size)
{
    struct buf *b = context;
    uint8_t copy[UINT8_MAX];

    if (d[1] == TYPE_ENDPOINT || d[1] == TYPE_SS_COMPANION || d[1] == TYPE_SSP_COMPANION)
        return 0;
    memcpy(copy, d, size);
    if (d[1] == TYPE_DEVICE) {
        copy[2] = copy[3] = 0; /* bcdUSB: 2.10 on a USB 2 port, 3.x on another */
        copy[7] = 0;           /* bMaxPacketSize0: bytes or a power of two */
    } else if (d[1] == TYPE_CONFIGURATION) {
        copy[2] = copy[3] = 0; /* wTotalLength: companions count */
        copy[8] = 0;           /* bMaxPower: units of 2 or of 8 mA */
    }
    return buf_add(b, copy, size);
}

int usb_descriptors_stable(const uint8_t *bytes, size_t size, struct buf *b)
{
    struct usb_descriptors parsed;
    struct visitor v = {.visit = add_stable, .context = b};
    int r = usb_descriptors_parse(bytes, size, &parsed); /* nothing is added for what is refused */

    return r < 0 ? r : walk(bytes, size, &v);
}
