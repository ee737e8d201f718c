/*
 * Media and mounts in the daemon: block uevents and changes of the mount table go into the managers, what they report into the
 * journal, what is mounted on media to the gate. Owns both managers and their sources.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/stat.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "config/config.h"
#include "daemon/daemon.h"
#include "daemon/exports.h"
#include "daemon/recorder.h"
#include "daemon/rulebook.h"
#include "daemon/unlock.h"
#include "device/block.h"
#include "device/mount.h"
#include "device/usb.h"
#include "gate/gate.h"

/* udevd's control socket: where it runs, its events come after its rules have set nodes read-only. */
#define UDEVD_CONTROL "/run/udev/control"

void wire_media_fill(struct audit_event *e, const struct medium *m)
{
    audit_set(e->device_id, sizeof(e->device_id), m->id);
    audit_set(e->device_bus, sizeof(e->device_bus), exit_bus_name(m->bus));
    audit_set(e->device_serial, sizeof(e->device_serial), m->serial);
    audit_set(e->device_name, sizeof(e->device_name), m->model);
    audit_set(e->device_node, sizeof(e->device_node), m->node);
}

static void tell_gate(struct daemon *d, const struct medium *m);

static void on_block_report(void *context, enum block_report what, const struct medium *m, const char *message)
{
    static const enum audit_action actions[] = {
        [BLOCK_REPORT_DECIDED] = AUDIT_MEDIUM_DECIDED,       [BLOCK_REPORT_REMOVED] = AUDIT_MEDIUM_REMOVED,
        [BLOCK_REPORT_REASSERTED] = AUDIT_MEDIUM_REASSERTED, [BLOCK_REPORT_FAILED] = AUDIT_DEVICE_FAILED,
        [BLOCK_REPORT_UNREAD] = AUDIT_DEVICE_FAILED,
    };
    struct daemon *d = context;
    struct audit_event e;

    audit_event_init(&e, (size_t)what < ELEMENTS(actions) ? actions[what] : AUDIT_DEVICE_FAILED);
    if (m)
        wire_media_fill(&e, m);
    if (what == BLOCK_REPORT_DECIDED) {
        event_set_verdict(&e, &m->verdict);
        tell_gate(d, m);
    }
    e.alarm = what == BLOCK_REPORT_REASSERTED || what == BLOCK_REPORT_FAILED || what == BLOCK_REPORT_UNREAD;
    d->reasserted += what == BLOCK_REPORT_REASSERTED;
    if (message)
        audit_set(e.message, sizeof(e.message), message);
    recorder_add(d->recorder, &e);
    if (what == BLOCK_REPORT_REMOVED)
        unlock_device_left(d, m->id);
    daemon_changed(d);
}

static void on_mount_report(void *context, enum mount_report what, const struct mount_entry *entry, pid_t pid,
                            const struct medium *m, const struct verdict *v, const char *message)
{
    struct daemon *d = context;
    struct audit_event e;

    if (m && !v)
        exports_note_mount(d, m->device);
    audit_event_init(&e, what == MOUNT_REPORT_READ_ONLY ? AUDIT_MEDIUM_REASSERTED : AUDIT_MOUNT_DECIDED);
    if (m)
        wire_media_fill(&e, m);
    else
        audit_set(e.device_node, sizeof(e.device_node), entry->source);
    audit_set(e.path, sizeof(e.path), entry->point);
    e.pid = pid;
    if (v)
        event_set_verdict(&e, v);
    e.alarm = what == MOUNT_REPORT_READ_ONLY || what == MOUNT_REPORT_FAILED || what == MOUNT_REPORT_UNREAD;
    audit_set(e.message, sizeof(e.message), message ? message : entry->type);
    recorder_add(d->recorder, &e);
    daemon_changed(d);
}

static size_t guarded_index(const struct daemon *d, dev_t device)
{
    size_t i = 0;

    while (i < d->n_guarded && d->guarded[i].device != device)
        i++;
    return i;
}

bool wire_media_is_guarded(const struct daemon *d, uint64_t device)
{
    return guarded_index(d, device) < d->n_guarded;
}

static int remember_guarded(struct daemon *d, dev_t device, dev_t filesystem)
{
    struct guarded *grown;

    size_t i = guarded_index(d, device);

    if (i < d->n_guarded) {
        d->guarded[i].filesystem = filesystem;
        return 0;
    }
    grown = reallocarray(d->guarded, d->n_guarded + 1, sizeof(*grown));
    if (!grown)
        return -ENOMEM;
    d->guarded = grown;
    d->guarded[d->n_guarded++] = (struct guarded){.device = device, .filesystem = filesystem};
    return 0;
}

static void fill_gate_medium(struct gate_medium *g, dev_t device, const struct medium *m)
{
    *g = (struct gate_medium){.device = device, .verdict = m->verdict, .read_only = m->read_only};
    g->verdict.rule = m->rule;
    audit_set(g->bus, sizeof(g->bus), exit_bus_name(m->bus));
    audit_set(g->device_id, sizeof(g->device_id), m->id);
    audit_set(g->serial, sizeof(g->serial), m->serial);
    audit_set(g->name, sizeof(g->name), m->model);
    audit_set(g->node, sizeof(g->node), m->node);
}

static int on_guard(void *context, int fd, dev_t device, const struct medium *m)
{
    struct daemon *d = context;
    struct gate_medium g;
    struct stat st;
    int r;

    if (fstat(fd, &st) < 0)
        return -errno;
    fill_gate_medium(&g, st.st_dev, m);
    r = gate_guard_medium(d->gate, fd, &g);
    if (r >= 0)
        r = remember_guarded(d, device, st.st_dev);
    daemon_changed(d);
    return r < 0 ? r : 0;
}

static void on_unguard(void *context, dev_t device)
{
    struct daemon *d = context;
    size_t i = guarded_index(d, device);

    if (i < d->n_guarded) {
        (void)gate_unguard_medium(d->gate, d->guarded[i].filesystem);
        d->guarded[i] = d->guarded[--d->n_guarded];
    }
    daemon_changed(d);
}

static void tell_gate(struct daemon *d, const struct medium *m)
{
    size_t i = guarded_index(d, m->device);
    struct gate_medium g;

    if (i >= d->n_guarded)
        return;
    fill_gate_medium(&g, d->guarded[i].filesystem, m);
    (void)gate_update_medium(d->gate, &g); /* not there: a rule that is gone refuses */
}

void wire_media_tell_gate(struct daemon *d)
{
    for (size_t i = 0; d->block && i < block_manager_count(d->block); i++)
        tell_gate(d, block_manager_at(d->block, i));
}

static const char *usb_rule_of(void *context, const char *syspath)
{
    const struct daemon *d = context;
    const struct usb_device *u = d->usb ? usb_manager_find_owner(d->usb, syspath) : NULL;
    const struct verdict *v = u ? usb_device_verdict(u) : NULL;

    return v && v->kind == VERDICT_ALLOW ? v->rule : NULL;
}

static bool on_granted(void *context, const struct medium *m, bool usb, const char *rule, uid_t *ret_holder)
{
    const struct daemon *d = context;
    const struct usb_device *u = usb && d->usb ? usb_manager_find_owner(d->usb, m->usb) : NULL;
    const struct grant *g = usb ? NULL : unlock_of_medium(d, m, rule);

    if (u)
        g = unlock_of_usb(d, u, rule);
    if (g)
        *ret_holder = g->uid;
    return g != NULL;
}

static void on_uevent(struct daemon *d, const struct udev_event *e)
{
    (void)block_manager_event(d->block, e->action, e->sysname, clock_wall_us());
}

static int on_mounts_changed(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    struct daemon *d = userdata;

    (void)source;
    (void)fd;
    (void)events;
    (void)mount_manager_refresh(d->mounts, clock_wall_us());
    gate_rescan(d->gate); /* a store may have been mounted over or away */
    return 0;
}

static bool on_held(void *context, const struct medium *m)
{
    return exports_holds(context, m->id);
}

static int start_block(struct daemon *d)
{
    struct block_manager_config config = {
        .mode = d->config->media == CONFIG_MEDIA_LISTED ? EXIT_MODE_LISTED : EXIT_MODE_ON,
        .sysfs = d->sys_fd,
        .proc = d->proc_fd,
        .run = d->run_fd,
        .state = d->state_fd,
        .exits = (const char *const *)d->config->exits,
        .n_exits = d->config->n_exits,
        .usb_rule_of = usb_rule_of,
        .granted = on_granted,
        .held = on_held,
        .patience_us = DAEMON_PATIENCE_US,
        .report = on_block_report,
        .context = d,
    };
    bool udevd = access(UDEVD_CONTROL, F_OK) == 0;
    int r;

    d->block_kernel = (struct block_kernel){.sysfs = d->sys_fd, .dev = d->dev_fd};
    block_ops_kernel(&d->block_kernel, &config.ops);
    d->block_events = (struct uevents){.subsystem = "block", .event = on_uevent, .lost = wire_media_tick};
    r = uevents_open(&d->block_events, d, udevd ? UDEV_STAGE_UDEV : UDEV_STAGE_KERNEL);
    if (r < 0)
        return r;
    return block_manager_new(&config, rulebook_policy(d->rulebook), clock_wall_us(), &d->block);
}

static int start_mounts(struct daemon *d)
{
    struct mount_manager_config config = {
        .block = d->block,
        .proc = d->proc_fd,
        .guard = on_guard,
        .unguard = on_unguard,
        .report = on_mount_report,
        .context = d,
    };
    int r;

    d->mount_kernel.proc = d->proc_fd;
    mount_ops_kernel(&d->mount_kernel, &config.ops);
    r = mount_manager_new(&config, clock_wall_us(), &d->mounts);
    if (r < 0)
        return r;
    return sd_event_add_io(d->loop, &d->io[d->n_io++], mount_manager_fd(d->mounts), EPOLLPRI, on_mounts_changed, d);
}

int wire_media_start(struct daemon *d)
{
    int r;

    if (d->config->media == CONFIG_MEDIA_OFF)
        return 0;
    r = start_block(d);
    if (r < 0)
        return r;
    return start_mounts(d);
}

void wire_media_tick(struct daemon *d)
{
    if (d->block)
        (void)block_manager_tick(d->block, clock_wall_us());
    if (d->mounts)
        (void)mount_manager_tick(d->mounts, clock_wall_us());
}

void wire_media_stop(struct daemon *d)
{
    d->mounts = mount_manager_free(d->mounts);
    d->block = block_manager_free(d->block);
    uevents_close(&d->block_events);
    free(d->guarded);
    d->guarded = NULL;
    d->n_guarded = 0;
}
