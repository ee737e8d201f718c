/*
 * One USB device: its claims as read from sysfs, kept as printable strings and digests. Owns the held directory of the device.
 * Must not decide or write to sysfs.
 */
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "device/usb_identity.h"
#include "device/usb_internal.h"

/* As the device spells them; the hashes are over these, what is shown is made printable. */
struct raw_claims {
    char *manufacturer, *name, *serial;
    uint8_t *descriptors;
    size_t n_descriptors;
};

static void raw_claims_done(struct raw_claims *c)
{
    free(c->manufacturer);
    free(c->name);
    free(c->serial);
    free(c->descriptors);
}

DEFINE_CLEANUP(struct usb_device *, usb_device_free);

struct usb_device *usb_device_free(struct usb_device *d)
{
    if (!d)
        return NULL;
    usb_node_done(&d->node);
    free(d->manufacturer);
    free(d->name);
    free(d->serial);
    free(d->connect_type);
    free(d->removable);
    free(d);
    return NULL;
}

/* An attribute that is not there is an empty string. */
static int read_optional(const struct usb_ops *kern, const struct usb_node *n, const char *attribute, char **ret)
{
    int r = kern->read(kern->context, n, NULL, attribute, ret);

    if (r != USB_E_ABSENT)
        return r;
    *ret = strdup("");
    return *ret ? 0 : -ENOMEM;
}

int usb_read_number(const struct usb_ops *kern, const struct usb_node *n, const char *interface, const char *attribute,
                    unsigned *ret)
{
    _cleanup_free_ char *text = NULL;
    uint64_t value;
    int r = kern->read(kern->context, n, interface, attribute, &text);

    if (r == 0)
        r = text_to_u64(text, UINT_MAX, &value);
    if (r == 0)
        *ret = (unsigned)value;
    return r;
}

static int read_raw(const struct usb_ops *kern, const struct usb_node *n, struct raw_claims *c)
{
    int r = read_optional(kern, n, "manufacturer", &c->manufacturer);

    if (r == 0)
        r = read_optional(kern, n, "product", &c->name);
    if (r == 0)
        r = read_optional(kern, n, "serial", &c->serial);
    if (r == 0)
        r = kern->read_descriptors(kern->context, n, &c->descriptors, &c->n_descriptors);
    return r == USB_E_ABSENT ? -ENODATA : r;
}

static struct usb_claims claims_of(const struct raw_claims *c)
{
    return (struct usb_claims){
        .manufacturer = c->manufacturer,
        .product_name = c->name,
        .serial = c->serial,
        .descriptors = c->descriptors,
        .n_descriptors = c->n_descriptors,
    };
}

static int set_printable(char **field, const char *raw)
{
    char *copy = text_make_printable(raw, strlen(raw));

    if (!copy)
        return -ENOMEM;
    free(*field);
    *field = copy;
    return 0;
}

static int take_strings(struct usb_device *d, const struct raw_claims *c)
{
    int r = set_printable(&d->manufacturer, c->manufacturer);

    if (r == 0)
        r = set_printable(&d->name, c->name);
    return r == 0 ? set_printable(&d->serial, c->serial) : r;
}

static int take_descriptors(struct usb_device *d, const struct raw_claims *c)
{
    struct usb_descriptors parsed;
    int r = usb_descriptors_parse(c->descriptors, c->n_descriptors, &parsed);

    if (r < 0)
        return r;
    /* What sysfs says of vendor and product, everybody else goes by (udev, lsusb): they must not differ. */
    if (parsed.vendor != d->vendor || parsed.product != d->product)
        return -EBADMSG;
    for (size_t i = 0; i < parsed.n_interfaces; i++) {
        const struct usb_interface_descriptor *from = &parsed.interfaces[i];

        d->interfaces[i] = (struct decide_interface){
            .number = from->number,
            .alternate = from->alternate,
            .class_ = from->class_,
            .subclass = from->subclass,
            .protocol = from->protocol,
        };
        d->configurations[i] = from->configuration;
    }
    d->n_interfaces = parsed.n_interfaces;
    return 0;
}

static int take_hashes(struct usb_device *d, const struct raw_claims *c)
{
    struct usb_claims claims = claims_of(c);
    struct digest identity;
    int r = usb_identity_exact(&claims, &d->exact);

    if (r == 0)
        r = usb_identity(&claims, &identity);
    if (r == 0)
        r = usb_identity_usbguard(&claims, d->vendor, d->product, d->usbguard_hash);
    if (r < 0)
        return r;
    digest_to_hex(&identity, d->hash);
    (void)snprintf(d->id, sizeof(d->id), "%.16s@%s", d->hash, d->node.name);
    return 0;
}

static int read_hex(const struct usb_ops *kern, const struct usb_node *n, const char *attribute, uint16_t *ret)
{
    _cleanup_free_ char *text = NULL;
    uint64_t value;
    int r = kern->read(kern->context, n, NULL, attribute, &text);

    if (r == USB_E_ABSENT)
        return -ENODATA;
    if (r == 0)
        r = text_hex_to_u64(text, UINT16_MAX, &value);
    if (r == 0)
        *ret = (uint16_t)value;
    return r;
}

static int read_numbers(const struct usb_ops *kern, struct usb_device *d)
{
    int r = read_hex(kern, &d->node, "idVendor", &d->vendor);

    if (r == 0)
        r = read_hex(kern, &d->node, "idProduct", &d->product);
    if (r == 0)
        r = usb_read_number(kern, &d->node, NULL, "busnum", &d->bus_number);
    if (r == 0)
        r = usb_read_number(kern, &d->node, NULL, "devnum", &d->number);
    return r == USB_E_ABSENT ? -ENODATA : r;
}

/* Facts of the machine, not of the device; older kernels and some controllers have none of them. */
static int read_surroundings(const struct usb_ops *kern, struct usb_device *d)
{
    _cleanup_free_ char *connect_type = NULL, *removable = NULL;
    int r = kern->read_port(kern->context, &d->node, "connect_type", &connect_type);

    if (r == 0)
        r = set_printable(&d->connect_type, connect_type);
    if (r < 0)
        return r;
    r = read_optional(kern, &d->node, "removable", &removable);
    return r == 0 ? set_printable(&d->removable, removable) : r;
}

static const char *read_claims(const struct usb_ops *kern, struct usb_device *d)
{
    _cleanup_(raw_claims_done) struct raw_claims raw = {0};

    if (read_numbers(kern, d) < 0)
        return "its numbers could not be read";
    if (read_raw(kern, &d->node, &raw) < 0)
        return "its strings or descriptors could not be read";
    if (take_strings(d, &raw) < 0)
        return "its strings could not be kept";
    if (take_descriptors(d, &raw) < 0)
        return "its descriptors are malformed";
    if (take_hashes(d, &raw) < 0)
        return "its identity could not be computed";
    if (read_surroundings(kern, d) < 0)
        return "its port could not be read";
    return NULL;
}

static bool fields_allocate(struct usb_device *d)
{
    char **fields[] = {&d->manufacturer, &d->name, &d->serial, &d->connect_type, &d->removable};
    bool all = true;

    for (size_t i = 0; i < ELEMENTS(fields); i++) {
        *fields[i] = strdup("");
        all = all && *fields[i];
    }
    return all;
}

int usb_device_new(const struct usb_ops *kern, struct usb_node *node, struct usb_device **ret, const char **ret_problem)
{
    _cleanup_(usb_device_freep) struct usb_device *d = calloc(1, sizeof(*d));
    const char *problem;

    if (!d)
        return -ENOMEM;
    usb_node_init(&d->node);
    if (!fields_allocate(d))
        return -ENOMEM;
    d->node = *node;
    usb_node_init(node);
    (void)snprintf(d->id, sizeof(d->id), "%.16s@%s", "0000000000000000", d->node.name);
    problem = read_claims(kern, d);
    d->readable = !problem;
    if (problem)
        d->n_interfaces = 0;
    *ret_problem = problem;
    *ret = TAKE_PTR(d);
    return 0;
}

/* The kernel takes the strings away while a device leaves, and never otherwise: that is no other claim. */
static bool lost_string(const struct usb_device *d, const struct raw_claims *c)
{
    return (d->manufacturer[0] && !c->manufacturer[0]) || (d->name[0] && !c->name[0]) ||
           (d->serial[0] && !c->serial[0]);
}

int usb_device_compare(const struct usb_ops *kern, const struct usb_device *d)
{
    _cleanup_(raw_claims_done) struct raw_claims raw = {0};
    struct usb_claims claims;
    struct digest exact;
    unsigned number;
    uint16_t vendor, product;
    int r = usb_read_number(kern, &d->node, NULL, "devnum", &number);

    if (r == 0)
        r = read_hex(kern, &d->node, "idVendor", &vendor);
    if (r == 0)
        r = read_hex(kern, &d->node, "idProduct", &product);
    if (r == 0)
        r = read_raw(kern, &d->node, &raw);
    if (r == 0 && lost_string(d, &raw))
        r = -ENODATA;
    if (r == 0) {
        claims = claims_of(&raw);
        r = usb_identity_exact(&claims, &exact);
    }
    if (r != 0)
        return r == USB_E_ABSENT ? -ENODATA : r;
    return number != d->number || vendor != d->vendor || product != d->product || !digest_equal(&exact, &d->exact);
}

const char *usb_device_id(const struct usb_device *d)
{
    return d->id;
}

const char *usb_device_port(const struct usb_device *d)
{
    return d->node.name;
}

const char *usb_device_path(const struct usb_device *d)
{
    return d->node.path;
}

uint16_t usb_device_vendor(const struct usb_device *d)
{
    return d->vendor;
}

uint16_t usb_device_product(const struct usb_device *d)
{
    return d->product;
}

const char *usb_device_serial(const struct usb_device *d)
{
    return d->serial;
}

const char *usb_device_name(const struct usb_device *d)
{
    return d->name;
}

const char *usb_device_manufacturer(const struct usb_device *d)
{
    return d->manufacturer;
}

const char *usb_device_hash(const struct usb_device *d)
{
    return d->hash;
}

const char *usb_device_parent_hash(const struct usb_device *d)
{
    return d->parent_hash;
}

const char *usb_device_connect_type(const struct usb_device *d)
{
    return d->connect_type;
}

const char *usb_device_removable(const struct usb_device *d)
{
    return d->removable;
}

unsigned usb_device_bus_number(const struct usb_device *d)
{
    return d->bus_number;
}

unsigned usb_device_number(const struct usb_device *d)
{
    return d->number;
}

const struct decide_interface *usb_device_interfaces(const struct usb_device *d, size_t *ret_n)
{
    *ret_n = d->n_interfaces;
    return d->interfaces;
}

bool usb_device_interface_authorized(const struct usb_device *d, uint8_t number)
{
    return d->authorized && (d->authorized_interfaces[number / 8] >> (number % 8) & 1);
}

bool usb_device_authorized(const struct usb_device *d)
{
    return d->authorized;
}

bool usb_device_present_at_start(const struct usb_device *d)
{
    return d->present_at_start;
}

bool usb_device_duplicate(const struct usb_device *d)
{
    return d->duplicate;
}

bool usb_device_failed(const struct usb_device *d)
{
    return d->failed || d->tainted || !d->readable;
}

const struct verdict *usb_device_verdict(const struct usb_device *d)
{
    return &d->verdict;
}
