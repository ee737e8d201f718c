/*
 * The administrator's way back in: for a while, or for a boot, input devices and hubs are permitted whatever the policy says.
 * Nothing else opens. Every use is an alarm in the journal.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/files.h"
#include "daemon/daemon.h"
#include "daemon/recorder.h"
#include "daemon/rulebook.h"
#include "device/usb.h"

#define BOOT_WORD "kuraban.emergency"

enum {
    COMMAND_LINE_MAX = 64 * 1024
};

bool emergency_has_word(const char *command_line)
{
    static const char separators[] = " \t\n";
    const size_t length = strlen(BOOT_WORD);
    const char *at = command_line;

    while (*(at += strspn(at, separators))) {
        size_t n = strcspn(at, separators);

        if (n == 2 && strncmp(at, "--", n) == 0)
            return false; /* what follows is for init */
        if (n == length && strncmp(at, BOOT_WORD, n) == 0)
            return true;
        at += n;
    }
    return false;
}

static void record(struct daemon *d, const char *what, const char *reason)
{
    struct audit_event e;

    audit_event_init(&e, AUDIT_EMERGENCY);
    e.alarm = true;
    (void)snprintf(e.message, sizeof(e.message), "%s%s%s", what, reason ? ": " : "", reason ? reason : "");
    recorder_add(d->recorder, &e);
}

void emergency_read_boot(struct daemon *d)
{
    _cleanup_free_ char *line = NULL;

    if (files_read_text_at(d->proc_fd, "cmdline", COMMAND_LINE_MAX, &line) < 0)
        return;
    d->emergency_boot = emergency_has_word(line);
    if (d->emergency_boot)
        record(d, "input devices are permitted for this boot", BOOT_WORD);
}

bool emergency_is_on(const struct daemon *d)
{
    /* Without any policy the people at the machine still need their keyboard (H9). */
    return d->emergency_boot || d->emergency_until_us != 0 || rulebook_source(d->rulebook) == RULEBOOK_NONE;
}

void emergency_apply(struct daemon *d)
{
    if (d->usb)
        usb_manager_set_emergency(d->usb, emergency_is_on(d), clock_wall_us());
    daemon_changed(d);
}

int emergency_begin(struct daemon *d, uint32_t seconds, const char *reason, uint32_t uid)
{
    struct audit_event e;

    audit_event_init(&e, AUDIT_EMERGENCY);
    e.alarm = true;
    e.has_uid = true;
    e.uid = uid;
    (void)snprintf(e.message, sizeof(e.message), "input devices are permitted for %u s: %.150s", seconds, reason);
    recorder_add(d->recorder, &e);
    /* On disk before anything opens. */
    if (recorder_sync(d->recorder) < 0)
        return -ENOSPC;
    d->emergency_until_us = clock_boottime_us() + (uint64_t)seconds * 1000000;
    emergency_apply(d);
    return 0;
}

void emergency_tick(struct daemon *d)
{
    if (d->emergency_until_us == 0 || clock_boottime_us() < d->emergency_until_us)
        return;
    d->emergency_until_us = 0;
    record(d, "the emergency has ended", NULL);
    emergency_apply(d);
}
