/*
 * Tells people what concerns them as it happens. Owns: the folding of refusals on their way to who listens. Must not: tell one person of another,
 * wait for a listener, or pass on each refusal of a program that tries for ever: the journal has them.
 */
#include "daemon/notices.h"

#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <systemd/sd-event.h>

#include "audit/fold.h"
#include "base/clock.h"
#include "daemon/answers.h"
#include "daemon/daemon.h"
#include "daemon/sessions.h"
#include "daemon/unlock.h"
#include "decide/decide.h"
#include "json/whole.h"

enum {
    WINDOW_US = 5 * 1000 * 1000,
    OPENS_PER_WINDOW = 4, /* of one person, told one by one; the rest of the window is one notice with their number */
    KINDS = 32,
    MOUNTS_PER_WINDOW = 8, /* anybody can try to mount without end; told to everybody at the machine */
};

struct notices {
    struct fold *fold;
    struct sd_event_source *timer;
    uint64_t mounts_since_us;
    unsigned mounts;
    bool locked_is_muted;
};

static bool is_heard(const struct daemon *d, const uid_t *only)
{
    return d->notices && d->control && ctl_server_has_watchers(d->control, CTL_NOTICES, only);
}

static void publish(const struct daemon *d, const uid_t *only, json_t *notice)
{
    if (notice)
        ctl_server_publish(d->control, CTL_NOTICES, only, notice);
    json_decref(notice);
}

/* What belongs to no person is for those at the machine; where nobody is known to be there, for all who listen. */
static void publish_here(const struct daemon *d, json_t *notice)
{
    size_t n = 0;
    const struct decide_person *people = sessions_people(d->sessions, &n);

    for (size_t i = 0; i < n; i++)
        publish(d, &people[i].uid, json_incref(notice));
    if (n == 0)
        publish(d, NULL, notice);
    else
        json_decref(notice);
}

/* --- refusals --- */

static bool is_told(const struct notices *n, const struct audit_event *e)
{
    if (!e->has_verdict || e->allowed)
        return false; /* in monitor mode nothing was refused */
    if (n->locked_is_muted && e->action != AUDIT_FILE_OPEN &&
        strcmp(e->reason, verdict_reason_name(REASON_LOCKED)) == 0)
        return false;
    switch (e->action) {
    case AUDIT_FILE_OPEN:
        return e->has_uid;
    case AUDIT_DEVICE_DECIDED:
    case AUDIT_DEVICE_CHANGED:
    case AUDIT_MEDIUM_DECIDED:
    case AUDIT_MOUNT_DECIDED:
        return true;
    default:
        return false; /* who asked kuraban for something has had the answer */
    }
}

static int tell_refusal(void *context, const struct audit_event *e)
{
    const struct daemon *d = context;
    json_t *notice = json_pack("{s:s, s:o}", "notice", "refused", "refusal", answer_refusal(e));

    if (notice && e->has_uid)
        publish(d, &e->uid, notice);
    else if (notice)
        publish_here(d, notice);
    return 0;
}

static void plan(struct notices *n)
{
    uint64_t at = fold_next_us(n->fold);

    if (at != UINT64_MAX)
        (void)sd_event_source_set_time(n->timer, at);
    (void)sd_event_source_set_enabled(n->timer, at == UINT64_MAX ? SD_EVENT_OFF : SD_EVENT_ONESHOT);
}

static int on_window_end(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct daemon *d = userdata;

    (void)source;
    (void)usec;
    (void)fold_expire(d->notices->fold, clock_boottime_us());
    plan(d->notices);
    return 0;
}

static bool is_one_mount_too_many(struct notices *n, const struct audit_event *e, uint64_t now_us)
{
    if (e->action != AUDIT_MOUNT_DECIDED)
        return false;
    if (now_us - n->mounts_since_us >= WINDOW_US) {
        n->mounts_since_us = now_us;
        n->mounts = 0;
    }
    return n->mounts++ >= MOUNTS_PER_WINDOW;
}

static void offer_refusal(struct daemon *d, const struct audit_event *e)
{
    uint64_t now_us = clock_boottime_us();

    if (is_one_mount_too_many(d->notices, e, now_us))
        return;
    if (fold_offer(d->notices->fold, e, now_us) == FOLD_PASS)
        (void)tell_refusal(d, e);
    plan(d->notices);
}

void notices_offer(struct daemon *d, const struct audit_event *e)
{
    if (!is_heard(d, e->has_uid ? &e->uid : NULL))
        return;
    if (is_told(d->notices, e))
        offer_refusal(d, e);
    else if (e->action == AUDIT_DEVICE_REMOVED || e->action == AUDIT_MEDIUM_REMOVED)
        publish_here(d, json_pack("{s:s, s:o}", "notice", "device-left", "device", answer_foreign_text(e->device_id)));
}

void notices_mute_locked(struct daemon *d, bool muted)
{
    if (d->notices)
        d->notices->locked_is_muted = muted;
}

/* --- grants --- */

/* As its person sees it, with what the device calls itself, where that is known still. */
static json_t *grant_json(const struct daemon *d, const struct grant *g)
{
    struct grant_time now = unlock_now();
    json_t *o = answer_grant(g, &now, true);
    struct audit_event e;

    audit_event_init(&e, AUDIT_NONE);
    unlock_fill_event(d, &g->device, &e);
    whole_set(&o, "name", answer_foreign_text(e.device_name));
    return o;
}

static void tell_grant(struct daemon *d, const char *what, const struct grant *g)
{
    if (is_heard(d, &g->uid))
        publish(d, &g->uid, json_pack("{s:s, s:o}", "notice", what, "grant", grant_json(d, g)));
}

void notices_grant_given(struct daemon *d, const struct grant *g)
{
    tell_grant(d, "grant-given", g);
}

void notices_grant_ends_soon(struct daemon *d, const struct grant *g)
{
    tell_grant(d, "grant-ends-soon", g);
}

void notices_grant_ended(struct daemon *d, const struct grant *g, enum grant_end why, const uid_t *by)
{
    if (!is_heard(d, &g->uid))
        return;
    publish(d, &g->uid,
            json_pack("{s:s, s:o, s:s, s:o}", "notice", "grant-ended", "grant", grant_json(d, g), "ended",
                      grant_end_name(why), "by", by ? json_integer(*by) : json_null()));
}

/* --- */

/* What is unlocked now, for who comes to listen. */
enum ctl_code control_on_notices(void *context, const struct ctl_call *call, json_t **ret)
{
    struct daemon *d = context;
    json_t *grants;

    if (buf_get_end(call->fields) < 0)
        return CTL_CODE_INVALID;
    grants = json_array();
    for (size_t i = 0; i < grants_count(d->grants); i++)
        if (grants_at(d->grants, i)->uid == call->peer->uid)
            whole_add(&grants, grant_json(d, grants_at(d->grants, i)));
    *ret = json_pack("{s:s, s:o}", "notice", "begin", "grants", grants);
    return *ret ? CTL_CODE_OK : CTL_CODE_FAILED;
}

int notices_start(struct daemon *d)
{
    const struct fold_limits limits = {
        .burst = 1, .window_us = WINDOW_US, .entries = KINDS, .refused = OPENS_PER_WINDOW};
    struct notices *n = calloc(1, sizeof(*n));
    int r = n ? 0 : -ENOMEM;

    d->notices = n;
    if (r >= 0)
        r = fold_new(&limits, tell_refusal, d, &n->fold);
    if (r >= 0)
        r = sd_event_add_time(d->loop, &n->timer, CLOCK_BOOTTIME, UINT64_MAX, 0, on_window_end, d);
    if (r >= 0)
        r = sd_event_source_set_enabled(n->timer, SD_EVENT_OFF);
    return r < 0 ? r : 0;
}

void notices_stop(struct daemon *d)
{
    if (!d->notices)
        return;
    (void)fold_free(d->notices->fold);
    sd_event_source_disable_unref(d->notices->timer);
    free(d->notices);
    d->notices = NULL;
}
