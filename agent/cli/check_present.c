/*
 * Owns: holding a policy against the devices that are plugged in, for `policy check --present`. Must not: change anything, or judge
 * by other facts than kuraband: present.c brings those.
 */
#include "cli/check_present.h"

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "cli/i18n.h"
#include "cli/present.h"
#include "decide/decide.h"
#include "policy/findings.h"
#include "policy/policy.h"

/* A keyboard that is permitted for something else than typing. */
static bool is_muted(const struct policy *policy, const struct verdict *v, const struct decide_usb_facts *facts)
{
    for (size_t i = 0; i < facts->n_interfaces; i++)
        if (facts->interfaces[i].class_ == 0x03 && !decide_usb_interface(policy, v, &facts->interfaces[i]))
            return true;
    return false;
}

/* Another person or another hour may permit it: that is what such a rule is for. */
static bool is_lost(const struct policy *policy, const struct usb_device *d, struct verdict *ret)
{
    struct decide_usb_facts facts;

    usb_device_facts(d, &facts);
    decide_time_local(clock_wall_us(), &facts.now);
    decide_usb(policy, &facts, ret);
    if (ret->ruled == VERDICT_ALLOW)
        return present_is_keyboard(d) && is_muted(policy, ret, &facts);
    return ret->reason != REASON_WHO && ret->reason != REASON_WHEN;
}

static void warn_of(const struct policy *policy, const struct usb_device *d, const struct verdict *v,
                    struct policy_findings *findings)
{
    const struct policy_usb_rule *rule = policy_find_usb_rule(policy, v->rule);
    struct policy_position at = rule ? rule->at : (struct policy_position){1, 1};
    bool keyboard = present_is_keyboard(d);

    if (rule)
        policy_findings_add(findings, POLICY_WARNING, at,
                            keyboard ? N_("rule '%s' takes away a keyboard that is present: %04x:%04x '%s' at port %s")
                                     : N_("rule '%s' takes away a device that is present: %04x:%04x '%s' at port %s"),
                            rule->id, usb_device_vendor(d), usb_device_product(d), usb_device_name(d),
                            usb_device_port(d));
    else
        policy_findings_add(findings, POLICY_WARNING, at,
                            keyboard ? N_("no rule keeps a keyboard that is present: %04x:%04x '%s' at port %s")
                                     : N_("no rule keeps a device that is present: %04x:%04x '%s' at port %s"),
                            usb_device_vendor(d), usb_device_product(d), usb_device_name(d), usb_device_port(d));
    if (keyboard)
        policy_findings_hint(
            findings, "%s",
            policy_findings_translate(findings, N_("people who type on it will be locked out; 'kuraban "
                                                   "policy generate' writes rules for what is present")));
}

enum cli_exit check_present(struct cli *c, struct policy *policy, struct policy_findings *findings)
{
    struct present *present = NULL;
    enum cli_exit code = present_read(c, policy, &present);

    if (code != CLI_OK)
        return code;
    for (unsigned keyboards = 2; keyboards-- > 0;)
        for (size_t i = 0; i < present_count(present); i++) {
            const struct usb_device *d = present_at(present, i);
            struct verdict v;

            if (present_is_keyboard(d) == (keyboards == 1) && is_lost(policy, d, &v))
                warn_of(policy, d, &v, findings);
        }
    policy_findings_sort(findings);
    (void)present_free(present);
    return CLI_OK;
}
