/*
 * Grants in the daemon. Owns the table and its timer: each beginning and end is recorded and then done to the device. Nothing of it is
 * stored, so that a restart ends all. Must not judge requests (control_grant.c) or look for devices (unlock_target.c).
 */
#include "daemon/unlock.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-event.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "daemon/daemon.h"
#include "daemon/notices.h"
#include "daemon/recorder.h"
#include "daemon/rulebook.h"
#include "daemon/sessions.h"
#include "device/block.h"
#include "device/usb.h"

enum {
    ACCURACY_US = 10 * 1000
};

struct grant_time unlock_now(void)
{
    return (struct grant_time){.boottime_us = clock_boottime_us(), .wall_us = clock_wall_us()};
}

/* The timer stands at the next end or warning, or is off. */
static void plan(struct daemon *d)
{
    struct grant_time now = unlock_now();
    uint64_t at = grants_next_deadline(d->grants, &now);

    if (!d->grant_timer)
        return;
    if (at != UINT64_MAX)
        (void)sd_event_source_set_time(d->grant_timer, at);
    (void)sd_event_source_set_enabled(d->grant_timer, at == UINT64_MAX ? SD_EVENT_OFF : SD_EVENT_ONESHOT);
}

/* USB before media, which ask which rule authorized their device. */
static void decide_again(struct daemon *d, const struct grant_device *device)
{
    const char *at = strrchr(device->id, '@');

    notices_mute_locked(d, true);
    if (d->usb && device->identity[0] != '\0' && at)
        usb_manager_reconsider(d->usb, at + 1, clock_wall_us());
    wire_media_tick(d);
    notices_mute_locked(d, false);
    daemon_changed(d);
}

static void begin_event(const struct daemon *d, enum audit_action action, const struct grant *g, struct audit_event *e)
{
    audit_event_init(e, action);
    e->has_uid = true;
    e->uid = g->uid;
    audit_set(e->rule, sizeof(e->rule), g->rule);
    unlock_fill_event(d, &g->device, e);
}

static void record_end(struct daemon *d, const struct grant *g, enum grant_end why, const uid_t *by)
{
    struct audit_event e;

    begin_event(d, AUDIT_GRANT_ENDED, g, &e);
    audit_set(e.reason, sizeof(e.reason), grant_end_name(why));
    recorder_add_with(d->recorder, &e, "grant", answer_grant_record(g, why, by != NULL, by ? *by : 0));
    notices_grant_ended(d, g, why, by);
    daemon_changed(d);
}

static void end(struct daemon *d, const struct grant *g, enum grant_end why, const uid_t *by)
{
    record_end(d, g, why, by);
    decide_again(d, &g->device);
}

void unlock_tick(struct daemon *d)
{
    struct grant_time now = unlock_now();
    struct grant g;

    if (!d->grants || grants_count(d->grants) == 0)
        return;
    while (grant_take_warning(d->grants, &now, &g)) {
        daemon_changed(d); /* who watches sees "ends_soon" */
        notices_grant_ends_soon(d, &g);
    }
    while (grant_take_expired(d->grants, &now, &g))
        end(d, &g, GRANT_END_EXPIRED, NULL);
    plan(d);
}

static int on_deadline(sd_event_source *source, uint64_t usec, void *userdata)
{
    (void)source;
    (void)usec;
    unlock_tick(userdata);
    return 0;
}

int unlock_start(struct daemon *d)
{
    int r = grants_new(&d->grants);

    if (r >= 0)
        r = sd_event_add_time(d->loop, &d->grant_timer, CLOCK_BOOTTIME, UINT64_MAX, ACCURACY_US, on_deadline, d);
    if (r >= 0)
        r = sd_event_source_set_enabled(d->grant_timer, SD_EVENT_OFF);
    return r < 0 ? r : 0;
}

void unlock_stop(struct daemon *d)
{
    struct grant g;

    while (d->grants && grant_take_any(d->grants, &g)) {
        record_end(d, &g, GRANT_END_STOPPED, NULL);
        if (!d->purge)
            decide_again(d, &g.device);
    }
    sd_event_source_disable_unref(d->grant_timer);
    d->grant_timer = NULL;
    d->grants = grants_free(d->grants);
}

/* --- what ends a grant --- */

struct asked {
    const struct daemon *d;
    gid_t *gids;
};

static int person_now(void *context, uid_t uid, struct decide_person *ret)
{
    struct asked *a = context;
    size_t n = 0;
    bool unknown = true;
    int r;

    free(a->gids);
    a->gids = NULL;
    r = sessions_groups_of(uid, &a->gids, &n, &unknown);
    if (r < 0)
        return r;
    *ret =
        (struct decide_person){.uid = uid, .login_uid = uid, .gids = a->gids, .n_gids = n, .groups_unknown = unknown};
    return 0;
}

/* By refusing or by permitting: does the grant's rule still speak of its device? */
static bool still_decides(void *context, const struct grant *g)
{
    const struct asked *a = context;
    const struct daemon *d = a->d;
    const char *at = strrchr(g->device.id, '@');

    if (g->device.identity[0] != '\0') {
        const struct usb_device *u = d->usb && at ? usb_manager_find(d->usb, at + 1) : NULL;

        return u && strcmp(usb_device_verdict(u)->rule, g->rule) == 0;
    }
    for (size_t i = 0; d->block && i < block_manager_count(d->block); i++) {
        const struct medium *m = block_manager_at(d->block, i);

        if (strcmp(m->id, g->device.id) == 0)
            return strcmp(m->rule, g->rule) == 0 || strcmp(m->verdict.medium_rule, g->rule) == 0;
    }
    return false;
}

void unlock_revalidate(struct daemon *d, bool decided)
{
    struct asked asked = {.d = d};
    const struct grant_view view = {.context = &asked, .person = person_now, .decides = decided ? still_decides : NULL};
    struct policy *p = rulebook_policy(d->rulebook);
    struct grant_time now = unlock_now();
    struct decide_time calendar;
    enum grant_end why;
    struct grant g;

    if (!d->grants || grants_count(d->grants) == 0)
        return;
    decide_time_local(now.wall_us, &calendar);
    decide_time_not_before(&calendar, p->not_before_us);
    while (grant_take_unpermitted(d->grants, p, &view, &calendar, &now, &g, &why)) {
        record_end(d, &g, why, NULL);
        if (decided)
            decide_again(d, &g.device);
    }
    free(asked.gids);
    plan(d);
}

void unlock_device_left(struct daemon *d, const char *device_id)
{
    struct grant g;

    while (d->grants && grant_take_device(d->grants, device_id, &g))
        record_end(d, &g, GRANT_END_DEVICE, NULL);
}

bool unlock_end(struct daemon *d, uint64_t id, uid_t by)
{
    struct grant g;

    if (!grant_take(d->grants, id, &g))
        return false;
    end(d, &g, GRANT_END_GIVEN_BACK, &by);
    plan(d);
    return true;
}

size_t unlock_end_all(struct daemon *d)
{
    size_t n = 0;
    struct grant g;

    for (; d->grants && grant_take_any(d->grants, &g); n++)
        end(d, &g, GRANT_END_CENTRE, NULL);
    plan(d);
    return n;
}

/* --- what begins one --- */

int unlock_give(struct daemon *d, const struct grant_request *r, pid_t pid, struct grant *ret)
{
    struct grant_time now = unlock_now();
    struct grant g, renewed;
    struct audit_event e;
    int outcome = grant_give(d->grants, rulebook_policy(d->rulebook), r, &now, &g, &renewed);

    if (outcome != 0)
        return outcome;
    if (renewed.id != 0)
        record_end(d, &renewed, GRANT_END_RENEWED, NULL);
    begin_event(d, AUDIT_GRANT_GIVEN, &g, &e);
    e.pid = pid;
    e.has_verdict = e.allowed = true;
    audit_set(e.reason, sizeof(e.reason), "rule");
    recorder_add_with(d->recorder, &e, "grant", answer_grant_record(&g, GRANT_END_NONE, false, 0));
    /* On disk before anything opens. */
    if (recorder_sync(d->recorder) < 0) {
        (void)grant_take(d->grants, g.id, &g);
        end(d, &g, GRANT_END_STOPPED, NULL); /* what it had renewed is over as well */
        plan(d);
        return UNLOCK_E_JOURNAL;
    }
    decide_again(d, &g.device);
    notices_grant_given(d, &g);
    plan(d);
    *ret = g;
    return 0;
}

/* --- what the managers ask --- */

const struct grant *unlock_of_usb(const struct daemon *d, const struct usb_device *u, const char *rule)
{
    struct grant_time now = unlock_now();
    struct grant_device device;

    if (!d->grants || grants_count(d->grants) == 0)
        return NULL;
    unlock_set_usb(u, &device);
    return device.identity[0] != '\0' ? grant_find(d->grants, &device, rule, GRANT_USE, &now) : NULL;
}

/* What is mapped from an encrypted medium is the same thing to the person who unlocked that. */
static bool is_below(const struct medium *below, const struct medium *m)
{
    return m->inside_luks && !below->inside_luks && below != m && strcmp(below->disk, m->disk) == 0;
}

const struct grant *unlock_of_medium(const struct daemon *d, const struct medium *m, const char *rule)
{
    struct grant_time now = unlock_now();
    struct grant_device device = {0};
    const struct grant *g;

    if (!d->grants || grants_count(d->grants) == 0)
        return NULL;
    audit_set(device.id, sizeof(device.id), m->id);
    g = grant_find(d->grants, &device, rule, GRANT_USE, &now);
    for (size_t i = 0; !g && m->inside_luks && d->block && i < block_manager_count(d->block); i++) {
        const struct medium *below = block_manager_at(d->block, i);

        if (!is_below(below, m))
            continue;
        audit_set(device.id, sizeof(device.id), below->id);
        g = grant_find(d->grants, &device, rule, GRANT_USE, &now);
    }
    return g;
}

const struct grant *unlock_in_force(const struct daemon *d, const struct usb_device *u, const struct medium *m)
{
    const struct grant *g = NULL;

    if (m) {
        g = unlock_of_medium(d, m, m->rule);
        if (!g && m->verdict.medium_rule[0] != '\0')
            g = unlock_of_medium(d, m, m->verdict.medium_rule);
    }
    return !g && u ? unlock_of_usb(d, u, usb_device_verdict(u)->rule) : g;
}
