/*
 * What policy says of one open on a medium or in a store. What is not known is refused, and in monitor mode recorded as it
 * would have been.
 */
#include "base/text.h"
#include "decide/match.h"

struct opinion {
    const char *rule;
    bool monitor, depends; /* depends: on who asks or when */
    enum verdict_reason reason;
};

static enum verdict_reason rule_conditions(const struct policy_who *who, const struct policy_when *when,
                                           int64_t until_us, const struct decide_open_facts *facts)
{
    return match_conditions(who, when, until_us, &facts->subject.person, 1, &facts->now);
}

static bool consult_usb_rules(const struct policy *p, const char *id, const struct decide_open_facts *facts,
                              struct opinion *ret)
{
    const struct policy_usb_rule *r = policy_find_usb_rule(p, id);

    if (!r)
        return false;
    *ret = (struct opinion){.rule = r->id,
                            .monitor = r->monitor,
                            .depends = match_depends(&r->who, &r->when, r->until_us) || r->unlock.needed,
                            .reason = rule_conditions(&r->who, &r->when, r->until_us, facts)};
    return true;
}

static bool consult_media_rules(const struct policy *p, const char *id, const struct decide_open_facts *facts,
                                struct opinion *ret)
{
    const struct policy_medium_rule *r = policy_find_medium_rule(p, id);

    if (!r)
        return false;
    *ret = (struct opinion){.rule = r->id,
                            .monitor = r->monitor,
                            .depends = match_depends(&r->who, &r->when, r->until_us) || r->unlock.needed,
                            .reason = rule_conditions(&r->who, &r->when, r->until_us, facts)};
    return true;
}

bool verdict_is_for(const struct verdict *v, uid_t uid)
{
    for (size_t i = 0; i < v->n_holders; i++)
        if (v->holders[i] != uid)
            return false;
    return true;
}

/* Unlocked for somebody else is locked. */
static enum verdict_reason holder_reason(const struct decide_open_facts *facts, enum verdict_reason of_rule)
{
    bool locked = of_rule == REASON_RULE && !verdict_is_for(facts->medium, facts->subject.person.uid);

    return locked ? REASON_LOCKED : of_rule;
}

/* Nothing is written to media, nothing executed from those that do not say so, whoever may read. */
static enum verdict_reason medium_reason(const struct decide_open_facts *facts, enum verdict_reason of_rule)
{
    if (facts->write)
        return REASON_WRITE;
    return of_rule == REASON_RULE && facts->execute && !facts->medium->exec ? REASON_EXECUTE : of_rule;
}

/* The rules that let the medium in also say who may read it, and when: they are asked again for each opener. A rule that is no
 * longer in the policy lets nobody in. */
static void consult_medium_rules(const struct policy *p, const struct verdict *medium,
                                 const struct decide_open_facts *facts, struct opinion *ret)
{
    struct opinion second;

    if (!consult_usb_rules(p, medium->rule, facts, ret) && !consult_media_rules(p, medium->rule, facts, ret))
        *ret = (struct opinion){.rule = medium->rule,
                                .reason = text_starts(medium->rule, "media.") ? REASON_RULE : REASON_UNKNOWN};
    if (!medium->medium_rule[0])
        return;
    if (!consult_media_rules(p, medium->medium_rule, facts, &second)) {
        ret->reason = REASON_UNKNOWN;
        return;
    }
    ret->depends = ret->depends || second.depends;
    /* A rule that only records does not lift what the other one refuses. */
    if (second.monitor != ret->monitor && medium_reason(facts, REASON_RULE) != REASON_RULE) {
        if (ret->monitor)
            *ret = (struct opinion){.rule = second.rule, .depends = ret->depends, .reason = REASON_RULE};
        return;
    }
    if (ret->reason == REASON_RULE && second.reason != REASON_RULE)
        *ret =
            (struct opinion){.rule = second.rule, .monitor = second.monitor, .depends = true, .reason = second.reason};
}

/* A media rule that only records would have refused the medium; the rule of its device let it in and goes on restricting. */
static void open_noted(const struct policy *p, const struct decide_open_facts *facts, struct verdict *ret)
{
    const struct verdict *medium = facts->medium;
    struct opinion o = {.rule = medium->rule, .reason = REASON_UNKNOWN};

    (void)consult_usb_rules(p, medium->medium_rule, facts, &o);
    o.reason = medium_reason(facts, holder_reason(facts, o.reason));
    if (o.reason != REASON_RULE)
        verdict_set(ret, p, o.monitor, o.rule, POLICY_REFUSE, o.reason);
    else
        verdict_set(ret, p, true, medium->rule, POLICY_REFUSE, medium->reason);
}

static void open_medium(const struct policy *p, const struct decide_open_facts *facts, struct verdict *ret)
{
    const struct verdict *medium = facts->medium;
    struct opinion o;

    if (!medium || !medium->rule) {
        verdict_set(ret, p, false, "default", POLICY_REFUSE, REASON_UNKNOWN);
        return;
    }
    if (medium->ruled != VERDICT_ALLOW && medium->kind == VERDICT_ALLOW && !medium->monitor && medium->medium_rule[0]) {
        open_noted(p, facts, ret);
        return;
    }
    consult_medium_rules(p, medium, facts, &o);
    if (medium->ruled != VERDICT_ALLOW) {
        /* Not by the reason: "the rule says so" is one of a refusal as well. */
        verdict_set(ret, p, o.monitor, o.rule, POLICY_REFUSE, medium->reason);
        return;
    }
    o.reason = medium_reason(facts, holder_reason(facts, o.reason));
    verdict_set(ret, p, o.monitor, o.rule, o.reason == REASON_RULE ? POLICY_READ : POLICY_REFUSE, o.reason);
    ret->cacheable = ret->ruled == VERDICT_ALLOW && !o.depends && !facts->execute;
}

static enum verdict_reason store_reason(const struct policy_store *s, const struct decide_open_facts *facts)
{
    const struct decide_subject *who = &facts->subject;
    const struct policy_program *program;

    if (!who->exe_known)
        return REASON_UNKNOWN;
    if (who->program < 0 || (size_t)who->program >= s->n_programs)
        return REASON_PROGRAM;
    program = &s->programs[who->program];
    if (program->has_sha256 &&
        (who->hash_state != DECIDE_HASH_KNOWN || digest_equal(&program->sha256, &who->sha256) != 1))
        return REASON_HASH;
    return rule_conditions(&s->who, &s->when, 0, facts);
}

static void open_store(const struct policy *p, const struct decide_open_facts *facts, struct verdict *ret)
{
    const struct policy_store *s;
    enum verdict_reason reason;

    if (facts->store >= p->n_stores) {
        verdict_set(ret, p, false, "default", POLICY_REFUSE, REASON_UNKNOWN);
        return;
    }
    s = &p->stores[facts->store];
    reason = store_reason(s, facts);
    verdict_set(ret, p, s->monitor, s->id, reason == REASON_RULE ? POLICY_USE : POLICY_REFUSE, reason);
}

void decide_open(const struct policy *p, const struct decide_open_facts *facts, struct verdict *ret)
{
    switch (facts->kind) {
    case DECIDE_OBJECT_MEDIUM:
        open_medium(p, facts, ret);
        break;
    case DECIDE_OBJECT_STORE:
        open_store(p, facts, ret);
        break;
    case DECIDE_OBJECT_UNKNOWN:
    default:
        verdict_set(ret, p, false, "default", POLICY_REFUSE, REASON_UNKNOWN);
        break;
    }
    if (p->audit.when_full != POLICY_FULL_REFUSE_ALL)
        return;
    ret->cacheable = false; /* it depends on the journal */
    if (facts->journal_full && ret->ruled == VERDICT_ALLOW)
        verdict_set(ret, p, ret->monitor, ret->rule, POLICY_REFUSE, REASON_JOURNAL);
}

bool decide_both(struct verdict *all, const struct verdict *one)
{
    bool stricter = one->kind == VERDICT_DENY ? all->kind != VERDICT_DENY
                                              : one->ruled == VERDICT_DENY && all->ruled != VERDICT_DENY;

    if (stricter)
        *all = *one;
    else
        all->cacheable = all->cacheable && one->cacheable;
    return stricter;
}
