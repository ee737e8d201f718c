/*
 * What policy says of taking one file out, and of the factors and approvals that this and an unlocking want. The first rule that names both the target and the source speaks; all else of it is a
 * condition, so that no later rule permits what an earlier one meant to restrict. Codes and approvals are asked last: who is told
 * that one is missing gets through by giving it.
 */
#include "base/text.h"
#include "decide/match.h"

static bool has_name(const struct policy_strings *names, const char *name)
{
    for (size_t i = 0; i < names->n; i++)
        if (text_equal(names->items[i], name))
            return true;
    return false;
}

/* The policy itself must say so, whatever rule the caller names. */
static bool is_target(const struct policy *p, const char *target)
{
    const struct policy_usb_rule *usb = policy_find_usb_rule(p, target);
    const struct policy_medium_rule *medium = policy_find_medium_rule(p, target);

    return usb ? usb->allow == POLICY_EXPORT : medium && medium->allow == POLICY_EXPORT;
}

static bool speaks_of_source(const struct policy *p, const struct policy_export_rule *r, int store)
{
    const struct policy_store *s;

    if (store == -1)
        return r->elsewhere;
    if (store < 0 || (size_t)store >= p->n_stores)
        return false;
    s = &p->stores[store];
    return has_name(&r->from, s->id) || (s->class_ && has_name(&r->classes, s->class_));
}

enum decide_mismatch decide_export_mismatch(const struct policy *p, size_t i, const char *target, int store)
{
    const struct policy_export_rule *r = &p->export[i];

    if (!target || !has_name(&r->to, target))
        return MISMATCH_TO;
    if (speaks_of_source(p, r, store))
        return MISMATCH_NONE;
    return r->classes.n > 0 ? MISMATCH_CLASSES : MISMATCH_FROM;
}

const struct policy_export_rule *decide_export_rule(const struct policy *p, const char *target, int store)
{
    if (!target || !is_target(p, target))
        return NULL;
    for (size_t i = 0; i < p->n_export; i++)
        if (decide_export_mismatch(p, i, target, store) == MISMATCH_NONE)
            return &p->export[i];
    return NULL;
}

/* Why no rule speaks of it. */
static enum verdict_reason no_rule(const struct policy *p, const struct decide_export_facts *facts)
{
    if (!facts->target || !is_target(p, facts->target))
        return REASON_TARGET;
    if (facts->store < -1 || (facts->store >= 0 && (size_t)facts->store >= p->n_stores))
        return REASON_UNKNOWN;
    for (size_t i = 0; i < p->n_export; i++)
        if (has_name(&p->export[i].to, facts->target))
            return REASON_SOURCE;
    return REASON_DEFAULT;
}

static bool is_within_day(const struct policy_export_rule *r, const struct decide_export_facts *facts)
{
    if (r->day_files != 0 && facts->day_files >= r->day_files)
        return false;
    return r->day_bytes == 0 || (facts->day_bytes <= r->day_bytes && facts->size <= r->day_bytes - facts->day_bytes);
}

bool decide_may_approve(const struct policy_who *approvers, const struct decide_person *person)
{
    return match_person(approvers, person);
}

/* Is somebody of the first n this one? */
static bool is_among(const struct decide_person *people, size_t n, uid_t uid)
{
    for (size_t i = 0; i < n; i++)
        if (people[i].uid == uid)
            return true;
    return false;
}

static enum verdict_reason match_factors(uint8_t wanted, unsigned approvals, const struct policy_who *who,
                                         const struct decide_unlock_facts *facts)
{
    size_t n = 0;

    if ((wanted & ~facts->factors) != 0)
        return REASON_FACTOR;
    for (size_t i = 0; i < facts->n_approvers; i++)
        n += facts->approvers[i].uid != facts->person.uid && !is_among(facts->approvers, i, facts->approvers[i].uid) &&
             decide_may_approve(who, &facts->approvers[i]);
    return n < approvals ? REASON_APPROVAL : REASON_RULE;
}

enum verdict_reason decide_unlock(const struct policy_unlock *unlock, const struct decide_unlock_facts *facts)
{
    return match_factors(unlock->factors, unlock->approvals, &unlock->approvers, facts);
}

static enum verdict_reason conditions(const struct policy *p, const struct policy_export_rule *r,
                                      const struct decide_export_facts *facts)
{
    enum verdict_reason reason = match_conditions(&r->who, &r->when, r->until_us, &facts->person, 1, &facts->now);

    if (reason != REASON_RULE)
        return reason;
    if (facts->journal_full && p->audit.when_full != POLICY_FULL_DROP_OLDEST)
        return REASON_JOURNAL;
    if (r->content) /* nothing looks into files yet */
        return REASON_CONTENT;
    if (r->file_max != 0 && facts->size > r->file_max)
        return REASON_SIZE;
    if (!is_within_day(r, facts))
        return REASON_LIMIT;
    return match_factors(r->factors, r->approvals, &r->approvers,
                         &(struct decide_unlock_facts){.person = facts->person,
                                                       .factors = facts->factors,
                                                       .approvers = facts->approvers,
                                                       .n_approvers = facts->n_approvers});
}

void decide_export(const struct policy *p, const struct decide_export_facts *facts, struct verdict *ret)
{
    const struct policy_export_rule *r = decide_export_rule(p, facts->target, facts->store);
    enum verdict_reason reason;

    if (!r) {
        verdict_set(ret, p, false, "default", POLICY_REFUSE, no_rule(p, facts));
        return;
    }
    reason = conditions(p, r, facts);
    verdict_set(ret, p, r->monitor, r->id, reason == REASON_RULE ? POLICY_EXPORT : POLICY_REFUSE, reason);
}
