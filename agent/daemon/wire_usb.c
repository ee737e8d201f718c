/*
 * USB in the daemon: uevents go into the USB manager, its reports into the journal. Owns the manager and the sysfs ops. Events
 * come from the kernel, not from udevd: deciding must not wait for udevd's rules.
 */
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "config/config.h"
#include "daemon/daemon.h"
#include "daemon/recorder.h"
#include "daemon/rulebook.h"
#include "daemon/sessions.h"
#include "daemon/unlock.h"
#include "device/block.h"
#include "device/usb.h"

void wire_usb_fill(struct audit_event *e, const struct usb_device *u)
{
    audit_set(e->device_id, sizeof(e->device_id), usb_device_id(u));
    audit_set(e->device_bus, sizeof(e->device_bus), "usb");
    (void)snprintf(e->device_vendor, sizeof(e->device_vendor), "%04x", usb_device_vendor(u));
    (void)snprintf(e->device_product, sizeof(e->device_product), "%04x", usb_device_product(u));
    audit_set(e->device_serial, sizeof(e->device_serial), usb_device_serial(u));
    audit_set(e->device_name, sizeof(e->device_name), usb_device_name(u));
    audit_set(e->device_hash, sizeof(e->device_hash), usb_device_hash(u));
    audit_set(e->device_port, sizeof(e->device_port), usb_device_port(u));
}

static void on_report(void *context, enum audit_action action, const struct usb_device *device, const struct verdict *v,
                      const char *message)
{
    struct daemon *d = context;
    struct audit_event e;

    audit_event_init(&e, action);
    if (device)
        wire_usb_fill(&e, device);
    if (v)
        event_set_verdict(&e, v);
    if (message)
        audit_set(e.message, sizeof(e.message), message);
    e.alarm = action == AUDIT_DEVICE_CHANGED || action == AUDIT_DEVICE_FAILED;
    recorder_add(d->recorder, &e);
    if (device && action == AUDIT_DEVICE_REMOVED)
        unlock_device_left(d, usb_device_id(device));
    d->media_dirty = d->media_dirty || action == AUDIT_DEVICE_DECIDED || action == AUDIT_DEVICE_CHANGED;
    daemon_changed(d);
}

static bool on_granted(void *context, const struct usb_device *device, const char *rule)
{
    return unlock_of_usb(context, device, rule) != NULL;
}

static void on_uevent(struct daemon *d, const struct udev_event *e)
{
    (void)usb_manager_event(d->usb, e->sysname, clock_wall_us());
}

static void on_lost(struct daemon *d)
{
    (void)usb_manager_events_lost(d->usb, clock_wall_us());
}

int wire_usb_start(struct daemon *d)
{
    struct usb_manager_options options = {
        .state_directory = d->state_fd,
        .callbacks = {.context = d, .report = on_report, .granted = on_granted},
        .policy = rulebook_policy(d->rulebook),
        .patience_us = DAEMON_PATIENCE_US,
    };
    const struct decide_person *people;
    size_t n = 0;
    int r;

    if (d->config->usb == CONFIG_OFF)
        return 0;
    r = usb_sysfs_new(d->sys_fd, &d->usb_sysfs);
    if (r < 0)
        return r;
    options.kern = usb_sysfs_ops(d->usb_sysfs);
    r = usb_manager_new(&options, &d->usb);
    if (r < 0)
        return r;
    usb_manager_set_emergency(d->usb, emergency_is_on(d), clock_wall_us());
    people = sessions_people(d->sessions, &n);
    /* Before devices are decided: one whose rule names people must not be taken away and given back at each start. */
    (void)usb_manager_set_persons(d->usb, people, n, clock_wall_us());
    d->usb_events = (struct uevents){.subsystem = "usb", .event = on_uevent, .lost = on_lost};
    r = uevents_open(&d->usb_events, d, UDEV_STAGE_KERNEL);
    if (r < 0)
        return r;
    r = usb_manager_start(d->usb, clock_wall_us());
    if (r == USB_MANAGER_E_NO_BUS)
        log_notice("usb.no-bus", "devices=0");
    if (r < 0)
        log_error("usb.bus", "error=%d", -r); /* an alarm by now; the rest has to be guarded all the same */
    return 0;
}

void wire_usb_stop(struct daemon *d)
{
    d->usb = usb_manager_free(d->usb);
    uevents_close(&d->usb_events);
    d->usb_sysfs = usb_sysfs_free(d->usb_sysfs);
}
