/*
 * How often one person may begin what comes to nothing. Owns: the count of it, of the last minute. Must not: hold anybody up whose exports arrive.
 *
 * Each export has a beginning and an end in the journal, which nothing may fold away, and a record of each file that stands in its way.
 */
#include "daemon/daemon.h"
#include "daemon/exports_internal.h"

#include "audit/audit.h"
#include "base/clock.h"

enum {
    FRUITLESS = 20,
    WINDOW_US = 60 * 1000 * 1000,
};

void exports_pace_start(struct daemon *d)
{
    d->exports->fruitless = (struct flood){.limits = {[FLOOD_REQUESTS] = FRUITLESS}, .window_us = WINDOW_US};
}

static void describe(struct audit_event *e, uid_t uid, uid_t login_uid)
{
    audit_event_init(e, AUDIT_EXPORT_FAILED);
    e->has_verdict = true;
    e->has_uid = true;
    e->uid = uid;
    e->has_login_uid = login_uid != UINT32_MAX;
    e->login_uid = login_uid;
}

void exports_pace_note(const struct exporting *x)
{
    struct audit_event e;

    if (x->phase >= EXPORTS_DATA)
        return;
    describe(&e, x->person.uid, x->person.login_uid);
    flood_count(&x->daemon->exports->fruitless, &e, clock_boottime_us());
}

bool exports_pace_is_over(struct daemon *d, uid_t uid, uid_t login_uid)
{
    struct audit_event e;

    describe(&e, uid, login_uid);
    return !flood_is_below(&d->exports->fruitless, &e, clock_boottime_us());
}
