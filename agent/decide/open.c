/*
 * What policy says of one open on a medium or in a store. What is not known is refused, and in monitor mode recorded as it
 * would have been.
 */
#include <limits.h>

#include "base/text.h"
#include "decide/match.h"

struct opinion {
    const char *rule;
    bool monitor, exec, depends; /* depends: on who asks or when */
    enum verdict_reason reason;
};

static enum verdict_reason rule_conditions(const struct policy_who *who, const struct policy_when *when,
                                           int64_t until_us, const struct decide_open_facts *facts)
{
    return match_conditions(who, when, until_us, &facts->subject.person, 1, &facts->now);
}

/* The rule that let the medium in also says who may read it, and when: it is asked again for each opener. */
static void consult_medium_rule(const struct policy *p, const char *id, const struct decide_open_facts *facts,
                                struct opinion *ret)
{
    for (size_t i = 0; i < p->n_usb; i++) {
        const struct policy_usb_rule *r = &p->usb[i];

        if (!text_equal(r->id, id))
            continue;
        ret->rule = r->id;
        ret->monitor = r->monitor;
        ret->depends = r->who.restricted || r->when.restricted || r->until_us != 0;
        ret->reason = rule_conditions(&r->who, &r->when, r->until_us, facts);
        return;
    }
    for (size_t i = 0; i < p->media.n_rules; i++) {
        const struct policy_medium_rule *r = &p->media.rules[i];

        if (!text_equal(r->id, id))
            continue;
        ret->rule = r->id;
        ret->monitor = r->monitor;
        ret->exec = r->exec;
        ret->depends = r->who.restricted || r->when.restricted || r->until_us != 0;
        ret->reason = rule_conditions(&r->who, &r->when, r->until_us, facts);
        return;
    }
    ret->reason = REASON_RULE; /* a class default: no conditions */
}

static void open_medium(const struct policy *p, const struct decide_open_facts *facts, struct verdict *ret)
{
    struct opinion o = {.rule = "default", .reason = REASON_UNKNOWN};
    const struct verdict *medium = facts->medium;

    if (!medium || !medium->rule) {
        verdict_set(ret, p, false, "default", POLICY_REFUSE, REASON_UNKNOWN);
        return;
    }
    o.rule = medium->rule;
    consult_medium_rule(p, medium->rule, facts, &o);
    if (medium->ruled != VERDICT_ALLOW) {
        /* Not by the reason: "the rule says so" is one of a refusal as well. */
        verdict_set(ret, p, o.monitor, o.rule, POLICY_REFUSE, medium->reason);
        return;
    }
    if (facts->write)
        o.reason = REASON_WRITE;
    else if (o.reason == REASON_RULE && facts->execute && !o.exec && !p->media.exec)
        o.reason = REASON_EXECUTE;
    verdict_set(ret, p, o.monitor, o.rule, o.reason == REASON_RULE ? POLICY_READ : POLICY_REFUSE, o.reason);
    ret->cacheable = ret->ruled == VERDICT_ALLOW && !o.depends && !facts->execute;
}

static enum verdict_reason store_reason(const struct policy_store *s, const struct decide_open_facts *facts)
{
    const struct decide_subject *who = &facts->subject;
    const struct policy_program *program;
    enum verdict_reason reason;

    if (!who->exe_known)
        return REASON_UNKNOWN;
    if (who->program < 0 || (size_t)who->program >= s->n_programs)
        return REASON_PROGRAM;
    program = &s->programs[who->program];
    if (program->has_sha256 &&
        (who->hash_state != DECIDE_HASH_KNOWN || digest_equal(&program->sha256, &who->sha256) != 1))
        return REASON_HASH;
    reason = rule_conditions(&s->who, &s->when, 0, facts);
    return reason;
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
    if (facts->journal_full && ret->ruled == VERDICT_ALLOW && p->audit.when_full == POLICY_FULL_REFUSE_ALL) {
        bool monitor = ret->kind == VERDICT_ALLOW && p->mode == POLICY_MONITOR;

        verdict_set(ret, p, monitor, ret->rule, POLICY_REFUSE, REASON_JOURNAL);
    }
}
