/*
 * Owns: holding a policy against the devices that are plugged in, and against the programs of this machine that let people in, for
 * `policy check --present`. Must not: change anything, or judge by other facts than kuraband: present.c brings those.
 */
#include "cli/check_present.h"

#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "cli/i18n.h"
#include "cli/present.h"
#include "decide/decide.h"
#include "policy/findings.h"
#include "policy/policy.h"
#include "policy/warn.h"

enum {
    CLASS_INPUT = 0x03,
    CLASS_STORAGE = 0x08,
    CLASS_HUB = 0x09,
};

/* Permitted, but not with all its interfaces of that class. */
static bool is_muted(const struct policy *policy, const struct verdict *v, const struct decide_usb_facts *facts,
                     uint8_t class_)
{
    for (size_t i = 0; i < facts->n_interfaces; i++)
        if (facts->interfaces[i].class_ == class_ && !decide_usb_interface(policy, v, &facts->interfaces[i]))
            return true;
    return false;
}

static void judge(const struct policy *policy, const struct usb_device *d, struct decide_usb_facts *ret_facts,
                  struct verdict *ret)
{
    usb_device_facts(d, ret_facts);
    decide_time_local(clock_wall_us(), &ret_facts->now);
    decide_usb(policy, ret_facts, ret);
}

/* Another person or another hour may permit it: that is what such a rule is for. */
static bool is_lost(const struct policy *policy, const struct usb_device *d, struct verdict *ret)
{
    struct decide_usb_facts facts;

    judge(policy, d, &facts, ret);
    if (ret->ruled == VERDICT_ALLOW)
        return present_is_keyboard(d) && is_muted(policy, ret, &facts, CLASS_INPUT);
    return ret->reason != REASON_WHO && ret->reason != REASON_WHEN;
}

enum check_system check_system(const struct policy *policy, const struct usb_device *d, struct verdict *ret)
{
    struct decide_usb_facts facts;

    judge(policy, d, &facts, ret);
    /* Until somebody logs in, nobody is there; and a disk does not wait for the morning. */
    if (ret->ruled != VERDICT_ALLOW)
        return CHECK_SYSTEM_LOST;
    if (is_muted(policy, ret, &facts, CLASS_STORAGE) || is_muted(policy, ret, &facts, CLASS_HUB))
        return CHECK_SYSTEM_LOST;
    return ret->cacheable ? CHECK_SYSTEM_KEPT : CHECK_SYSTEM_AT_TIMES;
}

enum loss {
    LOSS_SYSTEM,
    LOSS_SYSTEM_AT_TIMES,
    LOSS_KEYBOARD,
    LOSS_DEVICE,
};

static void add_hint(enum loss loss, struct policy_findings *findings)
{
    static const char *const hints[] = {
        [LOSS_SYSTEM] = N_("enforced, the system loses its disk; 'kuraban policy generate' writes rules for what is "
                           "present"),
        [LOSS_SYSTEM_AT_TIMES] =
            N_("what the system's disk hangs on must not depend on people, hours, an end date, or on what else claims "
               "its serial number ('unique: ignore')"),
        [LOSS_KEYBOARD] = N_("people who type on it will be locked out; 'kuraban "
                             "policy generate' writes rules for what is present"),
        [LOSS_DEVICE] = NULL,
    };

    if (hints[loss])
        policy_findings_hint(findings, "%s", policy_findings_translate(findings, hints[loss]));
}

static void warn_of(const struct policy *policy, const struct usb_device *d, const struct verdict *v, enum loss loss,
                    struct policy_findings *findings)
{
    const struct policy_usb_rule *rule = policy_find_usb_rule(policy, v->rule);
    struct policy_position at = rule ? rule->at : (struct policy_position){1, 1};

    if (rule)
        policy_findings_add(
            findings, POLICY_WARNING, at,
            loss == LOSS_SYSTEM ? N_("rule '%s' takes away what this machine runs from: %04x:%04x '%s' at port %s")
            : loss == LOSS_SYSTEM_AT_TIMES
                ? N_("rule '%s' does not always keep what this machine runs from: %04x:%04x '%s' at port %s")
            : loss == LOSS_KEYBOARD ? N_("rule '%s' takes away a keyboard that is present: %04x:%04x '%s' at port %s")
                                    : N_("rule '%s' takes away a device that is present: %04x:%04x '%s' at port %s"),
            rule->id, usb_device_vendor(d), usb_device_product(d), usb_device_name(d), usb_device_port(d));
    else
        policy_findings_add(
            findings, POLICY_WARNING, at,
            loss <= LOSS_SYSTEM_AT_TIMES ? N_("no rule keeps what this machine runs from: %04x:%04x '%s' at port %s")
            : loss == LOSS_KEYBOARD      ? N_("no rule keeps a keyboard that is present: %04x:%04x '%s' at port %s")
                                         : N_("no rule keeps a device that is present: %04x:%04x '%s' at port %s"),
            usb_device_vendor(d), usb_device_product(d), usb_device_name(d), usb_device_port(d));
    add_hint(loss, findings);
}

/* The worst first: 0 what the machine runs from, 1 keyboards, 2 the others. */
static unsigned turn_of(const struct present *present, const struct usb_device *d)
{
    return present_carries_system(present, d) ? 0 : present_is_keyboard(d) ? 1 : 2;
}

static void check_device(const struct policy *policy, const struct usb_device *d, unsigned turn,
                         struct policy_findings *findings)
{
    struct verdict v = {0};

    if (turn == 0) {
        enum check_system found = check_system(policy, d, &v);

        if (found != CHECK_SYSTEM_KEPT)
            warn_of(policy, d, &v, found == CHECK_SYSTEM_LOST ? LOSS_SYSTEM : LOSS_SYSTEM_AT_TIMES, findings);
    } else if (is_lost(policy, d, &v)) {
        warn_of(policy, d, &v, turn == 1 ? LOSS_KEYBOARD : LOSS_DEVICE, findings);
    }
}

static bool is_installed(const struct cli *c, const char *service)
{
    static const char *const directories[] = {"/etc/pam.d", "/usr/lib/pam.d"};
    char path[PATH_MAX];

    for (size_t i = 0; i < ELEMENTS(directories); i++) {
        (void)snprintf(path, sizeof(path), "%s%s/%s", c->root ? c->root : "", directories[i], service);
        if (access(path, F_OK) == 0)
            return true;
    }
    return false;
}

/* Those that policy names are warned of on every machine (policy/warn_mfa.c); where it means every service, what is installed here counts. */
static void check_services(const struct cli *c, const struct policy *policy, struct policy_findings *findings)
{
    const char *service;

    if (!policy->mfa.login || policy->mfa.services.n > 0)
        return;
    for (size_t i = 0; (service = policy_answers_once(i)); i++) {
        if (!is_installed(c, service))
            continue;
        policy_findings_add(findings, POLICY_WARNING, policy->mfa.at, POLICY_ANSWERS_ONCE, service);
        policy_findings_hint(findings, POLICY_ANSWERS_ONCE_HINT);
    }
}

enum cli_exit check_present(struct cli *c, struct policy *policy, struct policy_findings *findings)
{
    struct present *present = NULL;
    enum cli_exit code = present_read(c, policy, &present);

    if (code != CLI_OK)
        return code;
    check_services(c, policy, findings);
    for (unsigned turn = 0; turn < 3; turn++)
        for (size_t i = 0; i < present_count(present); i++)
            if (turn_of(present, present_at(present, i)) == turn)
                check_device(policy, present_at(present, i), turn, findings);
    policy_findings_sort(findings);
    (void)present_free(present);
    return CLI_OK;
}
