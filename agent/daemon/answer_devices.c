/*
 * The list of what is plugged in, as JSON: USB devices, media with their mounts, mounts that leave the machine.
 */
#include <jansson.h>
#include <stdio.h>
#include <sys/sysmacros.h>

#include "daemon/answers.h"
#include "daemon/daemon.h"
#include "daemon/rulebook.h"
#include "daemon/unlock.h"
#include "device/block.h"
#include "device/mount.h"
#include "device/usb.h"
#include "json/whole.h"
#include "kern/mount.h"

static const char *allow_name(enum policy_allow allow)
{
    static const char *const names[] = {"refuse", "read", "use", "export"};

    return (unsigned)allow < sizeof(names) / sizeof(names[0]) ? names[allow] : "refuse";
}

/* The members every element has. */
static void add_verdict(json_t **o, const struct verdict *v)
{
    whole_set(o, "verdict", json_string(verdict_kind_name(v->kind)));
    whole_set(o, "granted", json_string(allow_name(v->allow)));
    whole_set(o, "rule", json_string(v->rule ? v->rule : "default"));
    whole_set(o, "reason", json_string(verdict_reason_name(v->reason)));
    whole_set(o, "would_refuse", json_boolean(v->kind != v->ruled));
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
        whole_add(&array, json_string(text));
    }
    return array;
}

static json_t *usb_device_json(const struct daemon *d, const struct usb_device *u)
{
    struct grant_time now = unlock_now();
    char vendor[8], product[8];
    json_t *o;

    (void)snprintf(vendor, sizeof(vendor), "%04x", usb_device_vendor(u));
    (void)snprintf(product, sizeof(product), "%04x", usb_device_product(u));
    o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:s, s:b, s:b, s:b}", "id", usb_device_id(u),
                  "kind", "usb", "bus", "usb", "vendor", vendor, "product", product, "serial", usb_device_serial(u),
                  "name", usb_device_name(u), "hash", usb_device_hash(u), "port", usb_device_port(u), "interfaces",
                  interfaces_of(u), "connect_type", usb_device_connect_type(u), "authorized", usb_device_authorized(u),
                  "present_at_start", usb_device_present_at_start(u), "duplicate", usb_device_duplicate(u));
    add_verdict(&o, usb_device_verdict(u));
    whole_set(&o, "grant", answer_device_grant(unlock_in_force(d, u, NULL), &now));
    return o;
}

/* Where a device is mounted, in our own namespace. */
static json_t *mounts_of(const struct mount_table *mounts, dev_t device)
{
    json_t *array = json_array();

    for (size_t i = 0; i < mounts->n; i++)
        if (makedev(mounts->items[i].major, mounts->items[i].minor) == device)
            whole_add(&array, answer_foreign_text(mounts->items[i].point));
    return array;
}

static json_t *medium_json(const struct daemon *d, const struct medium *m, const struct mount_table *mounts)
{
    struct grant_time now = unlock_now();
    const struct usb_device *parent = d->usb && m->usb[0] ? usb_manager_find_owner(d->usb, m->usb) : NULL;
    json_t *o =
        json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:I, s:s, s:b, s:b, s:o}", "id", m->id,
                  "kind", "medium", "bus", exit_bus_name(m->bus), "vendor", m->vendor, "product", m->model, "serial",
                  m->serial, "name", m->model, "node", m->node, "filesystem", m->filesystem, "label", m->label, "uuid",
                  m->uuid, "size", (json_int_t)m->capacity, "parent", parent ? usb_device_id(parent) : "", "read_only",
                  m->read_only, "guarded", wire_media_is_guarded(d, m->device), "mounts", mounts_of(mounts, m->device));

    add_verdict(&o, &m->verdict);
    whole_set(&o, "grant", answer_device_grant(unlock_in_force(d, parent, m), &now));
    return o;
}

/* A network or FUSE mount that is there, so one that policy lets stay (or is about to lose). */
static json_t *mount_json(const struct daemon *d, const struct mount_entry *e, enum mount_class class_)
{
    struct decide_mount_facts facts = {.type = e->type, .source = e->source};
    struct verdict v = {0};
    char id[32];
    json_t *o;

    facts.kind = class_ == MOUNT_CLASS_FUSE ? DECIDE_MOUNT_FUSE : DECIDE_MOUNT_NETWORK;
    decide_mount(rulebook_policy(d->rulebook), &facts, &v);
    (void)snprintf(id, sizeof(id), "mount:%d", e->id);
    o = json_pack("{s:s, s:s, s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:[o]}", "id", id, "kind", "mount", "bus",
                  class_ == MOUNT_CLASS_FUSE ? "fuse" : "network", "vendor", "", "product", "", "serial", "", "name",
                  "", "filesystem", answer_foreign_text(e->type), "source", answer_foreign_text(e->source), "mounts",
                  answer_foreign_text(e->point));
    add_verdict(&o, &v);
    return o;
}

static void add_usb(const struct daemon *d, json_t **array)
{
    size_t n = d->usb ? usb_manager_count(d->usb) : 0;

    for (size_t i = 0; i < n; i++)
        whole_add(array, usb_device_json(d, usb_manager_get(d->usb, i)));
}

static void add_media(const struct daemon *d, json_t **array, const struct mount_table *mounts)
{
    size_t n = d->block ? block_manager_count(d->block) : 0;

    for (size_t i = 0; i < n; i++)
        whole_add(array, medium_json(d, block_manager_at(d->block, i), mounts));
    for (size_t i = 0; i < mounts->n && d->block && block_manager_filesystems(d->block); i++) {
        enum mount_class class_ = mount_classify(&mounts->items[i], true);

        if (class_ == MOUNT_CLASS_NETWORK || class_ == MOUNT_CLASS_FUSE)
            whole_add(array, mount_json(d, &mounts->items[i], class_));
    }
}

json_t *answer_devices(struct daemon *d)
{
    struct mount_table mounts = {0};
    json_t *array = json_array();

    add_usb(d, &array);
    (void)mount_table_read(d->proc_fd, "self/mountinfo", &mounts); /* unreadable: no mounts are shown */
    add_media(d, &array, &mounts);
    mount_table_done(&mounts);
    return array;
}
