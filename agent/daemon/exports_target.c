/*
 * The medium of an export, as it is now. Owns: that it is the one that was asked for, and that who asks may have it at this moment. Must not:
 * remember an answer: a grant ends, a person leaves and a stick is exchanged while an export runs.
 */
#include <string.h>

#include "base/clock.h"
#include "daemon/daemon.h"
#include "daemon/exports_internal.h"
#include "daemon/recorder.h"
#include "daemon/rulebook.h"
#include "device/block.h"

/* Its rules let it in for somebody who is there; whether they mean this person is asked as it is for who opens a file on it. */
enum verdict_reason exports_target_reason(const struct daemon *d, const struct medium *m,
                                          const struct decide_person *person)
{
    const struct policy *p = rulebook_policy(d->rulebook);
    struct decide_open_facts f = {.kind = DECIDE_OBJECT_MEDIUM,
                                  .medium = &m->verdict,
                                  .medium_bus = exit_bus_name(m->bus),
                                  .subject = {.program = -1, .person = *person},
                                  .journal_full = recorder_is_full(d->recorder)};
    struct verdict v;

    if (m->verdict.kind != VERDICT_ALLOW)
        return m->verdict.reason;
    if (m->verdict.allow != POLICY_EXPORT)
        return REASON_TARGET;
    decide_time_local(clock_wall_us(), &f.now);
    decide_time_not_before(&f.now, p->not_before_us);
    decide_open(p, &f, &v);
    return v.kind == VERDICT_ALLOW ? REASON_RULE : v.reason;
}

/* By its id: the next stick in the same place has the same device number. */
const char *exports_target_refused(const struct exporting *x)
{
    const struct medium *m = x->daemon->block ? block_manager_find(x->daemon->block, x->device) : NULL;
    enum verdict_reason reason;

    if (!m || strcmp(m->id, x->medium_id) != 0)
        return "removed";
    reason = exports_target_reason(x->daemon, m, &x->person);
    if (reason != REASON_RULE)
        return verdict_reason_name(reason);
    return strcmp(m->rule, x->target) == 0 ? NULL : verdict_reason_name(REASON_TARGET);
}
