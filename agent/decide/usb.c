/*
 * What policy says of a USB device: first match wins, no match refuses. A rule that matches the device but whose conditions
 * (who, when, until, uniqueness) do not hold refuses: a later rule must not permit what an earlier one meant to restrict.
 */
#include "base/text.h"
#include "decide/match.h"

enum decide_mismatch decide_usb_mismatch(const struct policy *p, size_t i, const struct decide_usb_facts *facts)
{
    const struct policy_usb_match *m = &p->usb[i].match;

    if (!match_usb_id(m, facts->vendor, facts->product))
        return MISMATCH_DEVICE;
    if (!match_strings(&m->serials, facts->serial))
        return MISMATCH_SERIAL;
    if (!match_strings(&m->names, facts->name))
        return MISMATCH_NAME;
    if (!match_strings(&m->hashes, facts->hash))
        return MISMATCH_HASH;
    if (!match_strings(&m->parent_hashes, facts->parent_hash))
        return MISMATCH_PARENT_HASH;
    if (!match_strings(&m->ports, facts->port))
        return MISMATCH_PORT;
    if (!match_strings(&m->connect_types, facts->connect_type))
        return MISMATCH_CONNECT_TYPE;
    if (m->has_interfaces && !match_interfaces(&m->interfaces, facts->interfaces, facts->n_interfaces))
        return MISMATCH_INTERFACES;
    return MISMATCH_NONE;
}

static bool is_input_or_hub(const struct decide_interface *i)
{
    return i->class_ == 0x03 || i->class_ == 0x09;
}

static bool is_input_only(const struct decide_usb_facts *facts)
{
    for (size_t i = 0; i < facts->n_interfaces; i++)
        if (!is_input_or_hub(&facts->interfaces[i]))
            return false;
    return facts->n_interfaces > 0;
}

static void decide_by_rules(const struct policy *p, const struct decide_usb_facts *facts, struct verdict *ret)
{
    for (size_t i = 0; i < p->n_usb; i++) {
        const struct policy_usb_rule *rule = &p->usb[i];
        enum policy_allow allow = rule->allow;
        enum verdict_reason reason;

        if (decide_usb_mismatch(p, i, facts) != MISMATCH_NONE)
            continue;
        reason =
            match_conditions(&rule->who, &rule->when, rule->until_us, facts->persons, facts->n_persons, &facts->now);
        if (reason == REASON_RULE && rule->unique_serial && facts->duplicate)
            reason = REASON_DUPLICATE;
        if (reason != REASON_RULE)
            allow = POLICY_REFUSE;
        verdict_set(ret, p, rule->monitor, rule->id, allow, reason);
        return;
    }
    verdict_set(ret, p, false, "default", POLICY_REFUSE, REASON_DEFAULT);
}

void decide_usb(const struct policy *p, const struct decide_usb_facts *facts, struct verdict *ret)
{
    decide_by_rules(p, facts, ret);
    if (ret->ruled == VERDICT_DENY && facts->emergency && is_input_only(facts))
        verdict_set(ret, p, false, DECIDE_RULE_EMERGENCY, POLICY_USE, REASON_RULE);
}

bool decide_usb_interface(const struct policy *p, const struct verdict *v, const struct decide_interface *i)
{
    if (v->kind != VERDICT_ALLOW || !v->rule)
        return false;
    if (v->ruled != VERDICT_ALLOW)
        return true; /* monitor mode lets the whole device pass */
    if (text_equal(v->rule, DECIDE_RULE_EMERGENCY))
        return is_input_or_hub(i);
    for (size_t k = 0; k < p->n_usb; k++) {
        const struct policy_interfaces *only = &p->usb[k].only;

        if (!text_equal(p->usb[k].id, v->rule))
            continue;
        for (size_t n = 0; n < only->n; n++)
            if (match_interface(&only->items[n], i))
                return true;
        return only->n == 0;
    }
    return false;
}
