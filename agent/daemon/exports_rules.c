/*
 * What the rules say of the files of an export. Owns: the facts for it, what counts for the day, and that a rule is asked again for as long as the
 * files have no name on the medium: hours end, and so do rules. Must not: remember an answer.
 */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "daemon/daemon.h"
#include "daemon/exports_internal.h"
#include "daemon/recorder.h"
#include "daemon/rulebook.h"
#include "policy/policy.h"

static const struct policy *policy_of(const struct exporting *x)
{
    return rulebook_policy(x->daemon->rulebook);
}

static void fill_facts(const struct exporting *x, struct decide_export_facts *f)
{
    *f = (struct decide_export_facts){.person = x->person,
                                      .target = x->target,
                                      .store = -1,
                                      .approvers = x->approvers,
                                      .n_approvers = x->n_approvers,
                                      .factors = x->factors,
                                      .journal_full = recorder_is_full(x->daemon->recorder)};
    decide_time_local(clock_wall_us(), &f->now);
    decide_time_not_before(&f->now, policy_of(x)->not_before_us);
}

/* What was taken out under the rule today, and what of this export comes before. */
static int count_used(const struct exporting *x, size_t before, const char *rule, struct decide_export_facts *f)
{
    int r;

    if (before == EXPORTS_UNCOUNTED)
        return 0;
    r = exports_used(x->daemon, x->person.uid, rule, f);
    for (size_t i = 0; i < before && r >= 0; i++)
        if (strcmp(x->files[i].rule, rule) == 0) {
            f->day_files++;
            f->day_bytes += x->files[i].size;
        }
    return r;
}

void exports_decide(const struct exporting *x, size_t before, int store, uint64_t size, struct verdict *ret)
{
    const struct policy_export_rule *rule;
    struct decide_export_facts f;

    fill_facts(x, &f);
    f.store = store;
    f.size = size;
    rule = decide_export_rule(policy_of(x), x->target, store);
    if (rule && count_used(x, before, rule->id, &f) < 0)
        *ret = (struct verdict){.rule = rule->id, .reason = REASON_LIMIT}; /* not known is too much */
    else
        decide_export(policy_of(x), &f, ret);
}

/* What stands in the journal of it is the rule that decided last. */
static void set_verdict(struct exports_file *f, const struct verdict *v)
{
    f->verdict = *v;
    (void)snprintf(f->rule, sizeof(f->rule), "%.64s", v->rule);
    f->verdict.rule = NULL; /* it stands in f, which moves */
}

void exports_judge(const struct exporting *x, struct exports_file *f)
{
    struct verdict v;

    exports_decide(x, x->n_files, f->store, f->size, &v);
    set_verdict(f, &v);
}

int exports_stop_by_rule(struct exporting *x, bool counted)
{
    if (x->phase < EXPORTS_COPIES || x->refused)
        return 0; /* they are being judged, or have been */
    for (size_t i = 0; i < x->n_files; i++) {
        const char *reason;
        struct verdict v;

        exports_decide(x, counted ? i : EXPORTS_UNCOUNTED, x->files[i].store, x->files[i].size, &v);
        if (v.kind == VERDICT_ALLOW)
            continue;
        set_verdict(&x->files[i], &v);
        reason = verdict_reason_name(v.reason);
        exports_record_file(x, &x->files[i], reason);
        exports_stop_by(x, reason, "a file's rule does not permit it any more");
        return 1;
    }
    return 0;
}
