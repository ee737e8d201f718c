/*
 * Root hubs: the two defaults that keep new devices and new interfaces closed, and the file that remembers what they were
 * before us. Owns both. Must not put a default back except on purge: a stopped or dead daemon leaves the bus guarded.
 *
 * The file usb-defaults in the state directory: the line "kuraban-usb-defaults/1", then per root hub
 * "authorized_default interface_authorized_default path". The path is the hub's place below /sys, because bus numbers change
 * between boots. A hub that has a line keeps it: what it reads now may already be ours.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/files.h"
#include "base/text.h"
#include "device/usb_identity.h"
#include "device/usb_internal.h"

#define DEFAULTS_FILE "usb-defaults"
#define DEFAULTS_FORMAT "kuraban-usb-defaults/1\n"
#define DEVICE_DEFAULT "authorized_default"
#define INTERFACE_DEFAULT "interface_authorized_default"

enum {
    DEFAULTS_FILE_MAX = 256 * 1024,
    DEFAULT_DIGITS = 1
};

static struct usb_hub *hub_find(const struct usb_manager *m, const char *name)
{
    for (size_t i = 0; i < m->n_hubs; i++) {
        if (strcmp(m->hubs[i].node.name, name) == 0)
            return &m->hubs[i];
    }
    return NULL;
}

static void hub_drop(struct usb_manager *m, struct usb_hub *hub)
{
    size_t i = (size_t)(hub - m->hubs);

    usb_node_done(&hub->node);
    memmove(hub, hub + 1, (m->n_hubs - i - 1) * sizeof(*hub));
    m->n_hubs--;
}

/* The saved file as text, "" when there is none yet. -EBADMSG when it is not ours to understand. */
static int defaults_read(const struct usb_manager *m, char **ret)
{
    _cleanup_free_ uint8_t *bytes = NULL;
    size_t size;
    int r = files_read_at(m->state_directory, DEFAULTS_FILE, DEFAULTS_FILE_MAX, &bytes, &size);

    if (r == -ENOENT) {
        *ret = strdup("");
        return *ret ? 0 : -ENOMEM;
    }
    if (r < 0)
        return r;
    if (memchr(bytes, 0, size) || !text_starts((const char *)bytes, DEFAULTS_FORMAT) || bytes[size - 1] != '\n')
        return -EBADMSG;
    *ret = (char *)TAKE_PTR(bytes);
    return 0;
}

/* The value is 0, 1 or 2 (include/linux/usb.h, USB_DEVICE_AUTHORIZE_*). */
static bool default_is_valid(const char *value)
{
    return strlen(value) == DEFAULT_DIGITS && value[0] >= '0' && value[0] <= '2';
}

/* 0 and both values of the hub's line, 1 when it has none. */
static int defaults_find(const char *saved, const char *path, char ret_device[2], char ret_interface[2])
{
    size_t n = strlen(path);

    for (const char *line = saved; *line; line += strcspn(line, "\n") + 1) {
        if (strcspn(line, "\n") != n + 4 || line[1] != ' ' || line[3] != ' ' || strncmp(line + 4, path, n) != 0)
            continue;
        (void)snprintf(ret_device, 2, "%c", line[0]);
        (void)snprintf(ret_interface, 2, "%c", line[2]);
        return default_is_valid(ret_device) && default_is_valid(ret_interface) ? 0 : -EBADMSG;
    }
    return 1;
}

static int defaults_append(const struct usb_manager *m, const char *saved, const struct usb_hub *hub)
{
    _cleanup_free_ char *device = NULL, *interface = NULL;
    _cleanup_(buf_done) struct buf b;
    int r;

    buf_init(&b, DEFAULTS_FILE_MAX);
    r = m->kern->read(m->kern->context, &hub->node, NULL, DEVICE_DEFAULT, &device);
    if (r == 0)
        r = m->kern->read(m->kern->context, &hub->node, NULL, INTERFACE_DEFAULT, &interface);
    if (r != 0)
        return r == USB_E_ABSENT ? -ENODATA : r;
    if (!default_is_valid(device) || !default_is_valid(interface))
        return -EBADMSG;
    r = buf_printf(&b, "%s%s %s %s\n", *saved ? saved : DEFAULTS_FORMAT, device, interface, hub->node.path);
    return r < 0 ? r : files_write_atomic_at(m->state_directory, DEFAULTS_FILE, b.data, b.size, 0600);
}

static int defaults_save(const struct usb_manager *m, const struct usb_hub *hub)
{
    _cleanup_free_ char *saved = NULL;
    char device[2], interface[2];
    int r = defaults_read(m, &saved);

    if (r == 0)
        r = defaults_find(saved, hub->node.path, device, interface);
    return r == 1 ? defaults_append(m, saved, hub) : r;
}

/* 0: it was so, 1: it was written and reads back so, -errno. */
static int default_write(const struct usb_manager *m, const struct usb_node *n, const char *attribute,
                         const char *value)
{
    _cleanup_free_ char *is = NULL;
    int r = m->kern->read(m->kern->context, n, NULL, attribute, &is);

    if (r == 0 && strcmp(is, value) == 0)
        return 0;
    r = m->kern->write(m->kern->context, n, NULL, attribute, value);
    free(TAKE_PTR(is));
    if (r == 0)
        r = m->kern->read(m->kern->context, n, NULL, attribute, &is);
    if (r != 0)
        return r == USB_E_ABSENT ? -ENODATA : r;
    return strcmp(is, value) == 0 ? 1 : -EIO;
}

/*
 * A root hub has an interface of its own, "1-0:1.0". The kernel makes it after it has told of the hub, so that with a quick answer
 * our default closes it as well: then no hub driver comes, and nothing on this bus is ever seen, the keyboard neither.
 */
static int open_interface(const struct usb_manager *m, const struct usb_hub *hub, const char *interface)
{
    unsigned authorized = 0;
    int r = usb_read_number(m->kern, &hub->node, interface, "authorized", &authorized);

    if (r != 0 || authorized != 0)
        return r;
    r = m->kern->write(m->kern->context, &hub->node, interface, "authorized", "1");
    return r != 0 ? r : m->kern->probe(m->kern->context, interface);
}

static void open_interfaces(struct usb_manager *m, const struct usb_hub *hub)
{
    _cleanup_(usb_names_done) struct usb_names names = {0};
    int r = m->kern->list_interfaces(m->kern->context, &hub->node, &names);

    for (size_t i = 0; r >= 0 && i < names.n; i++)
        r = open_interface(m, hub, names.items[i]);
    if (r < 0 && !usb_gone(m, &hub->node))
        usb_report(m, AUDIT_DEVICE_FAILED, NULL,
                   "the interface of a root hub could not be opened; its devices are not seen");
}

/* Both are tried, whatever becomes of the first. */
static void guard(struct usb_manager *m, struct usb_hub *hub)
{
    int device = default_write(m, &hub->node, DEVICE_DEFAULT, "0");
    int interface = default_write(m, &hub->node, INTERFACE_DEFAULT, "0");

    if ((device < 0 || interface < 0) && usb_gone(m, &hub->node)) {
        hub_drop(m, hub);
        return;
    }
    if (hub->guarded && (device == 1 || interface == 1))
        usb_report(m, AUDIT_DEVICE_CHANGED, NULL, "somebody else opened the defaults of a root hub; closed again");
    if (device < 0)
        usb_report(m, AUDIT_DEVICE_FAILED, NULL, "a root hub still authorizes new devices by itself");
    if (interface < 0)
        usb_report(m, AUDIT_DEVICE_FAILED, NULL, "a root hub still authorizes new interfaces by itself");
    hub->guarded = device >= 0 && interface >= 0;
    open_interfaces(m, hub);
}

/* Rules that came from USBGuard may name the hub a device hangs on. */
static void identify_for_usbguard(const struct usb_manager *m, struct usb_hub *hub, uint16_t number, const char *serial)
{
    _cleanup_free_ char *vendor = NULL, *name = NULL;
    _cleanup_free_ uint8_t *descriptors = NULL;
    struct usb_claims claims = {.serial = serial};
    uint64_t vendor_number;

    if (m->kern->read(m->kern->context, &hub->node, NULL, "idVendor", &vendor) != 0 ||
        m->kern->read(m->kern->context, &hub->node, NULL, "product", &name) != 0 ||
        m->kern->read_descriptors(m->kern->context, &hub->node, &descriptors, &claims.n_descriptors) != 0 ||
        text_hex_to_u64(vendor, UINT16_MAX, &vendor_number) < 0)
        return;
    claims.product_name = name;
    claims.descriptors = descriptors;
    if (usb_identity_usbguard(&claims, (uint16_t)vendor_number, number, hub->usbguard_hash) < 0)
        hub->usbguard_hash[0] = '\0';
}

static void identify(const struct usb_manager *m, struct usb_hub *hub)
{
    _cleanup_free_ char *product = NULL, *serial = NULL;
    struct digest identity;
    uint64_t number;

    hub->hash[0] = '\0';
    hub->usbguard_hash[0] = '\0';
    if (m->kern->read(m->kern->context, &hub->node, NULL, "idProduct", &product) != 0 ||
        m->kern->read(m->kern->context, &hub->node, NULL, "serial", &serial) != 0 ||
        text_hex_to_u64(product, UINT16_MAX, &number) < 0)
        return;
    if (usb_identity_root_hub((uint16_t)number, serial, &identity) == 0)
        digest_to_hex(&identity, hub->hash);
    identify_for_usbguard(m, hub, (uint16_t)number, serial);
}

static struct usb_hub *hub_add(struct usb_manager *m, struct usb_node *node)
{
    struct usb_hub *grown = reallocarray(m->hubs, m->n_hubs + 1, sizeof(*grown));

    if (!grown)
        return NULL;
    m->hubs = grown;
    m->hubs[m->n_hubs] = (struct usb_hub){.node = *node};
    usb_node_init(node);
    return &m->hubs[m->n_hubs++];
}

static bool hub_is_current(const struct usb_manager *m, const struct usb_hub *hub, const struct usb_node *node)
{
    return m->kern->same(m->kern->context, &hub->node, node) == 0;
}

/* Present hubs are guarded again each time: somebody may have put a default back. */
void usb_hubs_sync(struct usb_manager *m, const char *name)
{
    _cleanup_(usb_node_done) struct usb_node node;
    struct usb_hub *hub = hub_find(m, name);
    int r;

    usb_node_init(&node);
    r = m->kern->open(m->kern->context, name, &node);
    if (r == USB_E_ABSENT) {
        usb_hubs_forget(m, name);
        return;
    }
    if (r == 0 && hub && !hub_is_current(m, hub, &node)) {
        usb_hubs_forget(m, name);
        hub = NULL;
    }
    if (r == 0 && !hub) {
        hub = hub_add(m, &node);
        if (hub) {
            identify(m, hub);
            if (defaults_save(m, hub) < 0 && !usb_gone(m, &hub->node))
                usb_report(m, AUDIT_DEVICE_FAILED, NULL, "the previous defaults of a root hub could not be saved");
        }
    }
    if (!hub) {
        usb_report(m, AUDIT_DEVICE_FAILED, NULL, "a root hub could not be opened");
        return;
    }
    guard(m, hub);
}

void usb_hubs_forget(struct usb_manager *m, const char *name)
{
    struct usb_hub *hub = hub_find(m, name);

    if (hub)
        hub_drop(m, hub);
}

void usb_hubs_done(struct usb_manager *m)
{
    for (size_t i = 0; i < m->n_hubs; i++)
        usb_node_done(&m->hubs[i].node);
    free(m->hubs);
    m->hubs = NULL;
    m->n_hubs = 0;
}

const struct usb_hub *usb_hubs_above(const struct usb_manager *m, const struct usb_device *d)
{
    for (size_t i = 0; i < m->n_hubs; i++) {
        size_t n = strlen(m->hubs[i].node.path);

        if (strncmp(d->node.path, m->hubs[i].node.path, n) == 0 && d->node.path[n] == '/')
            return &m->hubs[i];
    }
    return NULL;
}

size_t usb_manager_hubs(const struct usb_manager *m)
{
    return m->n_hubs;
}

bool usb_manager_guarded(const struct usb_manager *m)
{
    for (size_t i = 0; i < m->n_hubs; i++) {
        if (!m->hubs[i].guarded)
            return false;
    }
    return true;
}

static int put_back(const struct usb_manager *m, const char *saved, const char *name)
{
    _cleanup_(usb_node_done) struct usb_node node;
    char device[2] = "1", interface[2] = "1";
    int r, s;

    usb_node_init(&node);
    r = m->kern->open(m->kern->context, name, &node);
    if (r != 0)
        return r == USB_E_ABSENT ? 0 : r;
    r = defaults_find(saved, node.path, device, interface);
    if (r < 0)
        return r;
    r = default_write(m, &node, DEVICE_DEFAULT, device);
    s = default_write(m, &node, INTERFACE_DEFAULT, interface);
    return r < 0 ? r : s < 0 ? s : 0;
}

int usb_manager_purge(struct usb_manager *m)
{
    _cleanup_(usb_names_done) struct usb_names names = {0};
    _cleanup_free_ char *saved = NULL;
    int first, r;

    r = defaults_read(m, &saved);
    if (r < 0)
        return r;
    first = m->kern->list(m->kern->context, &names);
    for (size_t i = 0; first >= 0 && i < names.n; i++) {
        if (!usb_name_is_root_hub(names.items[i]))
            continue;
        r = put_back(m, saved, names.items[i]);
        if (r < 0)
            return r; /* the file stays: purge can be tried again */
    }
    if (first < 0)
        return first;
    usb_hubs_done(m); /* what is known of them no longer holds */
    return unlinkat(m->state_directory, DEFAULTS_FILE, 0) < 0 && errno != ENOENT ? -errno : 0;
}
