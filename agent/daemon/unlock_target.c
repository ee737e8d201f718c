/*
 * From the name somebody gives to the device or medium that is to be unlocked. Reads the managers, changes nothing.
 */
#include <stdio.h>
#include <string.h>

#include "audit/audit.h"
#include "base/text.h"
#include "daemon/daemon.h"
#include "daemon/unlock.h"
#include "device/block.h"
#include "device/usb.h"

void unlock_set_usb(const struct usb_device *u, struct grant_device *ret)
{
    *ret = (struct grant_device){0};
    audit_set(ret->id, sizeof(ret->id), usb_device_id(u));
    audit_set(ret->identity, sizeof(ret->identity), usb_device_hash(u));
}

void unlock_fill_event(const struct daemon *d, const struct grant_device *device, struct audit_event *e)
{
    const char *at = strrchr(device->id, '@');
    const struct usb_device *u = d->usb && device->identity[0] != '\0' && at ? usb_manager_find(d->usb, at + 1) : NULL;

    if (u && strcmp(usb_device_id(u), device->id) == 0) {
        wire_usb_fill(e, u);
        return;
    }
    for (size_t i = 0; device->identity[0] == '\0' && d->block && i < block_manager_count(d->block); i++) {
        const struct medium *m = block_manager_at(d->block, i);

        if (strcmp(m->id, device->id) == 0) {
            wire_media_fill(e, m);
            return;
        }
    }
    /* It is gone: its name is what is left. */
    audit_set(e->device_id, sizeof(e->device_id), device->id);
    audit_set(e->device_hash, sizeof(e->device_hash), device->identity);
}

static bool is_usb_called(const struct usb_device *u, const char *name)
{
    const char *serial = usb_device_serial(u);

    return strcmp(usb_device_id(u), name) == 0 || strcmp(usb_device_port(u), name) == 0 ||
           (serial[0] != '\0' && strcmp(serial, name) == 0);
}

static bool is_medium_called(const struct medium *m, const char *name)
{
    const char *kernel = text_starts(name, "/dev/") ? name + strlen("/dev/") : name;

    return strcmp(m->id, name) == 0 || strcmp(m->node, name) == 0 || strcmp(m->name, kernel) == 0 ||
           strcmp(m->disk, kernel) == 0 || (m->serial[0] != '\0' && strcmp(m->serial, name) == 0);
}

/* Of several things that bear the name (a stick, its disk, its partition) the one that is locked is meant; when none is, the one that this
 * person has unlocked, to unlock it anew. */
struct search {
    const struct daemon *d;
    const char *name;
    uid_t uid;
    bool anew; /* look for what is unlocked */
    size_t found, seen;
    struct unlock_target *ret;
};

static void note(struct search *s, const struct unlock_target *t, const struct grant *g)
{
    bool is_it = s->anew ? g && g->uid == s->uid : t->verdict->reason == REASON_LOCKED;
    const char *rule = s->anew && g ? g->rule : t->verdict->rule;

    s->seen++;
    if (is_it && s->found > 0 && strcmp(s->ret->device.id, t->device.id) == 0)
        return; /* by two of its names */
    s->found += is_it;
    if (is_it ? s->found > 1 : s->seen > 1)
        return;
    *s->ret = *t;
    audit_set(s->ret->rule, sizeof(s->ret->rule), rule);
}

static void note_usb(struct search *s, const struct usb_device *u)
{
    struct unlock_target t = {.usb = u, .verdict = usb_device_verdict(u)};

    unlock_set_usb(u, &t.device);
    note(s, &t, unlock_of_usb(s->d, u, t.verdict->rule));
}

static void search_all(struct search *s)
{
    s->found = s->seen = 0;
    for (size_t i = 0; s->d->usb && i < usb_manager_count(s->d->usb); i++) {
        const struct usb_device *u = usb_manager_get(s->d->usb, i);

        if (s->name[0] == '\0' || is_usb_called(u, s->name))
            note_usb(s, u);
    }
    for (size_t i = 0; s->d->block && i < block_manager_count(s->d->block); i++) {
        const struct medium *m = block_manager_at(s->d->block, i);
        const struct usb_device *u = s->d->usb && m->usb[0] ? usb_manager_find_owner(s->d->usb, m->usb) : NULL;
        struct unlock_target t = {.medium = m, .verdict = &m->verdict};

        /* A disk with partitions holds nothing itself; what is mapped follows what it is mapped from. */
        if ((s->name[0] != '\0' && !is_medium_called(m, s->name)) || m->container || m->inside_luks)
            continue;
        audit_set(t.device.id, sizeof(t.device.id), m->id);
        note(s, &t, unlock_in_force(s->d, NULL, m));
        if (u)
            note_usb(s, u);
    }
}

int unlock_find_target(const struct daemon *d, const char *name, uid_t uid, struct unlock_target *ret)
{
    struct search s = {.d = d, .name = name, .uid = uid, .ret = ret};
    size_t seen;

    *ret = (struct unlock_target){0};
    search_all(&s);
    seen = s.seen;
    if (s.found == 0) {
        s.anew = true;
        search_all(&s);
    }
    if (s.found > 0)
        return s.found == 1 ? 0 : UNLOCK_TARGET_MANY;
    return seen > 0 || name[0] == '\0' ? UNLOCK_TARGET_NOT_LOCKED : UNLOCK_TARGET_NONE;
}
