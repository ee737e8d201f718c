/*
 * The question before a code is given. Owns: whose codes an export to this medium wants, and that nobody gives one where no rule can permit.
 * Must not: permit anything: each file is decided by its own rule, when it is there.
 */
#include <stdlib.h>
#include <string.h>

#include "audit/audit.h"
#include "base/clock.h"
#include "daemon/daemon.h"
#include "daemon/exports_internal.h"
#include "daemon/recorder.h"
#include "daemon/rulebook.h"
#include "device/block.h"
#include "export/ledger.h"
#include "policy/policy.h"

int exports_used(const struct daemon *d, uid_t uid, const char *rule, struct decide_export_facts *f)
{
    struct ledger_use used;
    int r = ledger_used(d->exports->ledger, uid, rule, ledger_day(clock_wall_us()), &used);

    if (r < 0)
        return r;
    f->day_files = used.files;
    f->day_bytes = used.bytes;
    return 0;
}

/* The first so many whom the rule lets approve; the others would not be counted. */
static void ask_approvers(const struct exports_question *q, const struct policy_export_rule *r,
                          struct exports_wanted *w)
{
    unsigned n = 0;

    for (size_t i = 0; i < q->n_approvers && n < r->approvals; i++)
        if (decide_may_approve(&r->approvers, &q->approvers[i])) {
            w->asked[i] = true;
            n++;
        }
    w->approvals = r->approvals > w->approvals ? r->approvals : w->approvals;
    w->own = w->own || (r->factors & POLICY_FACTOR_TOTP) || n > 0; /* approvers answer to who has shown their own */
}

/* What a rule says about this request is worth more than that another one means other files. */
static bool says_more(enum verdict_reason reason, enum verdict_reason than)
{
    return than == REASON_SOURCE || than == REASON_DEFAULT || reason == REASON_APPROVAL;
}

/* An empty file from this source, with every code that could come. */
static void ask_source(struct daemon *d, const struct exports_question *q, int store, struct exports_wanted *w)
{
    const struct policy *p = rulebook_policy(d->rulebook);
    const struct policy_export_rule *rule = decide_export_rule(p, q->medium->rule, store);
    struct decide_export_facts f = {.person = *q->person,
                                    .target = q->medium->rule,
                                    .store = store,
                                    .approvers = q->approvers,
                                    .n_approvers = q->n_approvers,
                                    .factors = POLICY_FACTOR_TOTP,
                                    .journal_full = recorder_is_full(d->recorder)};
    struct verdict v = {.reason = REASON_LIMIT};

    decide_time_local(clock_wall_us(), &f.now);
    decide_time_not_before(&f.now, p->not_before_us);
    if (!rule || exports_used(d, q->person->uid, rule->id, &f) >= 0)
        decide_export(p, &f, &v);
    if (rule && (v.kind == VERDICT_ALLOW || v.reason == REASON_APPROVAL))
        ask_approvers(q, rule, w);
    if (v.kind == VERDICT_ALLOW) {
        w->reason = REASON_RULE;
    } else if (w->reason != REASON_RULE && says_more(v.reason, w->reason)) {
        w->reason = v.reason;
        audit_set(w->rule, sizeof(w->rule), rule ? rule->id : "default");
    }
}

bool exports_want_approvals(const struct daemon *d, const struct medium *m)
{
    const struct policy *p = rulebook_policy(d->rulebook);

    for (int i = -1; i < (int)p->n_stores; i++) {
        const struct policy_export_rule *r = decide_export_rule(p, m->rule, i);

        if (r && r->approvals > 0)
            return true;
    }
    return false;
}

void exports_ask(struct daemon *d, const struct exports_question *q, struct exports_wanted *ret)
{
    const struct policy *p = rulebook_policy(d->rulebook);

    *ret = (struct exports_wanted){.reason = REASON_DEFAULT};
    for (int i = -1; i < (int)p->n_stores; i++)
        ask_source(d, q, i, ret);
}
