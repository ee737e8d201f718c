/*
 * What policy says of a USB device: first match wins, no match refuses. An allowing rule that matches the device but whose
 * conditions (who, when, until, uniqueness) do not hold refuses: a later rule must not permit what an earlier one meant to
 * restrict. A refusing rule whose conditions do not hold says nothing, and the next one is asked.
 */
#include "base/text.h"
#include "decide/match.h"
#include "policy/index.h"

static enum decide_mismatch select_usb(const struct policy_usb_match *m, const struct decide_usb_facts *facts)
{
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
    if (!match_strings(&m->usbguard_hashes, facts->usbguard_hash))
        return MISMATCH_USBGUARD_HASH;
    if (!match_strings(&m->usbguard_parent_hashes, facts->usbguard_parent_hash))
        return MISMATCH_USBGUARD_PARENT_HASH;
    if (!match_strings(&m->ports, facts->port))
        return MISMATCH_PORT;
    if (!match_strings(&m->connect_types, facts->connect_type))
        return MISMATCH_CONNECT_TYPE;
    if (m->has_interfaces && !match_interfaces(&m->interfaces, facts->interfaces, facts->n_interfaces))
        return MISMATCH_INTERFACES;
    return MISMATCH_NONE;
}

/* Which condition of a refusing rule lets the device go on to the next one. */
static enum decide_mismatch refusal_passes(const struct policy_usb_rule *rule, const struct decide_usb_facts *facts)
{
    if (rule->allow != POLICY_REFUSE)
        return MISMATCH_NONE;
    return match_refusal(&rule->who, &rule->when, rule->until_us, facts->persons, facts->n_persons, &facts->now);
}

enum decide_mismatch decide_usb_mismatch(const struct policy *p, size_t i, const struct decide_usb_facts *facts)
{
    const struct policy_usb_rule *rule = &p->usb[i];
    enum decide_mismatch m = select_usb(&rule->match, facts);

    return m != MISMATCH_NONE ? m : refusal_passes(rule, facts);
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

/* May this interface be authorized by a rule that allows? Reading and copying out are what storage is for: a stick that types
 * as well gets its storage and no more. */
static bool permits(const struct policy_usb_rule *rule, const struct decide_interface *i)
{
    if (rule->allow != POLICY_USE && i->class_ != 0x08)
        return false;
    for (size_t k = 0; k < rule->only.n; k++)
        if (match_interface(&rule->only.items[k], i))
            return true;
    return rule->only.n == 0;
}

/* A device that offers nothing of what the rule permits would be authorized for nothing. */
static bool offers_permitted(const struct policy_usb_rule *rule, const struct decide_usb_facts *facts)
{
    for (size_t i = 0; i < facts->n_interfaces; i++)
        if (permits(rule, &facts->interfaces[i]))
            return true;
    return false;
}

static void decide_by_rule(const struct policy *p, const struct policy_usb_rule *rule,
                           const struct decide_usb_facts *facts, struct verdict *ret)
{
    enum verdict_reason reason = REASON_RULE;

    if (rule->allow != POLICY_REFUSE)
        reason =
            match_conditions(&rule->who, &rule->when, rule->until_us, facts->persons, facts->n_persons, &facts->now);
    if (reason == REASON_RULE && rule->allow != POLICY_REFUSE && rule->unique_serial && facts->duplicate)
        reason = REASON_DUPLICATE;
    if (reason == REASON_RULE && rule->allow != POLICY_REFUSE && !offers_permitted(rule, facts))
        reason = REASON_INTERFACES;
    /* Last: who is told "locked" gets in by unlocking. */
    if (reason == REASON_RULE && rule->allow != POLICY_REFUSE)
        reason = match_unlock(&rule->unlock, facts->granted);
    verdict_set(ret, p, rule->monitor, rule->id, reason == REASON_RULE ? rule->allow : POLICY_REFUSE, reason);
}

static const char *text_of(const char *fact)
{
    return fact ? fact : ""; /* as match_strings() sees it */
}

static struct policy_values values_of(const struct decide_usb_facts *facts)
{
    return (struct policy_values){.text = {[POLICY_KEY_HASH] = text_of(facts->hash),
                                           [POLICY_KEY_USBGUARD_HASH] = text_of(facts->usbguard_hash),
                                           [POLICY_KEY_USBGUARD_PARENT_HASH] = text_of(facts->usbguard_parent_hash),
                                           [POLICY_KEY_SERIAL] = text_of(facts->serial),
                                           [POLICY_KEY_NAME] = text_of(facts->name),
                                           [POLICY_KEY_PORT] = text_of(facts->port),
                                           [POLICY_KEY_PARENT_HASH] = text_of(facts->parent_hash)},
                                  .has_device = true,
                                  .vendor = facts->vendor,
                                  .product = facts->product};
}

void decide_usb_candidates(const struct policy *p, const struct decide_usb_facts *facts, struct policy_candidates *ret)
{
    const struct policy_values values = values_of(facts);

    policy_candidates_init(ret, p->usb_index, p->n_usb, &values);
}

static void decide_by_rules(const struct policy *p, const struct decide_usb_facts *facts, struct verdict *ret)
{
    struct policy_candidates c;
    bool depends = false;
    size_t i;

    decide_usb_candidates(p, facts, &c);
    while (policy_candidates_next(&c, &i)) {
        const struct policy_usb_rule *rule = &p->usb[i];

        if (select_usb(&rule->match, facts) != MISMATCH_NONE)
            continue;
        depends = depends || match_depends(&rule->who, &rule->when, rule->until_us) ||
                  (rule->unique_serial && rule->allow != POLICY_REFUSE) || rule->unlock.needed;
        if (refusal_passes(rule, facts) != MISMATCH_NONE)
            continue;
        decide_by_rule(p, rule, facts, ret);
        ret->cacheable = !depends;
        return;
    }
    verdict_set(ret, p, false, "default", POLICY_REFUSE, REASON_DEFAULT);
    ret->cacheable = !depends;
}

void decide_usb(const struct policy *p, const struct decide_usb_facts *facts, struct verdict *ret)
{
    if (facts->n_interfaces == 0) /* not read, or a device that can do nothing */
        verdict_set(ret, p, false, "default", POLICY_REFUSE, REASON_UNKNOWN);
    else
        decide_by_rules(p, facts, ret);
    if (ret->ruled == VERDICT_DENY && facts->emergency && is_input_only(facts))
        verdict_set(ret, p, false, DECIDE_RULE_EMERGENCY, POLICY_USE, REASON_RULE);
}

bool decide_usb_interface(const struct policy *p, const struct verdict *v, const struct decide_interface *i)
{
    const struct policy_usb_rule *rule;

    if (v->kind != VERDICT_ALLOW || !v->rule)
        return false;
    if (v->monitor)
        return true; /* nothing is refused, so the whole device passes */
    if (text_equal(v->rule, DECIDE_RULE_EMERGENCY))
        return is_input_or_hub(i);
    rule = policy_find_usb_rule(p, v->rule);
    return rule && permits(rule, i);
}
