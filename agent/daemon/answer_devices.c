/*
 * The list of what is plugged in, as JSON: USB devices, then media with their mounts.
 */
#include <jansson.h>
#include <stdio.h>

#include "daemon/answers.h"
#include "daemon/daemon.h"
#include "device/block.h"
#include "device/usb.h"

static const char *allow_name(enum policy_allow allow)
{
    static const char *const names[] = {"refuse", "read", "use", "export"};

    return (unsigned)allow < sizeof(names) / sizeof(names[0]) ? names[allow] : "refuse";
}

/* The members every element has. */
static int add_verdict(json_t *o, const struct verdict *v)
{
    int r = json_object_set_new(o, "verdict", json_string(verdict_kind_name(v->kind)));

    r |= json_object_set_new(o, "granted", json_string(allow_name(v->allow)));
    r |= json_object_set_new(o, "rule", json_string(v->rule ? v->rule : "default"));
    r |= json_object_set_new(o, "reason", json_string(verdict_reason_name(v->reason)));
    r |= json_object_set_new(o, "would_refuse", json_boolean(v->kind != v->ruled));
    return r;
}

static json_t *interfaces_of(const struct usb_device *u)
{
    json_t *array = json_array();
    size_t n = 0;
    const struct decide_interface *interfaces = usb_device_interfaces(u, &n);

    for (size_t i = 0; i < n; i++) {
        char text[16];

        (void)snprintf(text, sizeof(text), "%02x:%02x:%02x", interfaces[i].class_, interfaces[i].subclass,
                       interfaces[i].protocol);
        (void)json_array_append_new(array, json_string(text));
    }
    return array;
}

static json_t *usb_device_json(const struct usb_device *u)
{
    char vendor[8], product[8];
    json_t *o;

    (void)snprintf(vendor, sizeof(vendor), "%04x", usb_device_vendor(u));
    (void)snprintf(product, sizeof(product), "%04x", usb_device_product(u));
    o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:s, s:b, s:b, s:b}", "id", usb_device_id(u),
                  "kind", "usb", "bus", "usb", "vendor", vendor, "product", product, "serial", usb_device_serial(u),
                  "name", usb_device_name(u), "hash", usb_device_hash(u), "port", usb_device_port(u), "interfaces",
                  interfaces_of(u), "connect_type", usb_device_connect_type(u), "authorized", usb_device_authorized(u),
                  "present_at_start", usb_device_present_at_start(u), "duplicate", usb_device_duplicate(u));
    if (o && add_verdict(o, usb_device_verdict(u)) != 0) {
        json_decref(o);
        return NULL;
    }
    return o;
}

static json_t *medium_json(const struct daemon *d, const struct medium *m)
{
    const struct usb_device *parent = d->usb && m->usb[0] ? usb_manager_find_owner(d->usb, m->usb) : NULL;
    json_t *o =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:s, s:b, s:b}", "id", m->id, "kind",
                  "medium", "bus", exit_bus_name(m->bus), "vendor", m->vendor, "product", m->model, "serial", m->serial,
                  "name", m->model, "node", m->node, "filesystem", m->filesystem, "label", m->label, "uuid", m->uuid,
                  "size", (json_int_t)m->capacity, "parent", parent ? usb_device_id(parent) : "", "read_only",
                  m->read_only, "guarded", wire_media_is_guarded(d, m->device));

    if (o && add_verdict(o, &m->verdict) != 0) {
        json_decref(o);
        return NULL;
    }
    return o;
}

json_t *answer_devices(struct daemon *d)
{
    json_t *array = json_array();
    size_t n = d->usb ? usb_manager_count(d->usb) : 0;
    int r = array ? 0 : -1;

    for (size_t i = 0; i < n && r == 0; i++)
        r = json_array_append_new(array, usb_device_json(usb_manager_get(d->usb, i)));
    n = d->block ? block_manager_count(d->block) : 0;
    for (size_t i = 0; i < n && r == 0; i++)
        r = json_array_append_new(array, medium_json(d, block_manager_at(d->block, i)));
    if (r != 0) {
        json_decref(array);
        return NULL;
    }
    return array;
}
