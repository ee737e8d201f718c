/* Owns: what the checks of doctor mean to people. Names come from the daemon and from doctor_checks.c. */
#include <stddef.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/doctor_checks.h"
#include "cli/i18n.h"

struct check_words {
    const char *check, *good, *bad;
};

static const struct check_words words[] = {
    {"daemon.reachable", N_("kuraband answers"),
     N_("kuraband does not answer: start it, everything new stays refused")},
    {"daemon.enforcing", N_("the policy is enforced"), N_("the policy is NOT enforced")},
    {"daemon.checks", N_("kuraband was asked"), N_("kuraband did not tell its own checks")},
    {"gate.self-test", N_("the kernel refuses what it is told to refuse"),
     N_("the kernel did NOT refuse the test file")},
    {"policy.readable", N_("the policy file can be read"), N_("the policy file cannot be read")},
    {"policy.valid", N_("the policy file has no errors"), N_("the policy file has errors and would be refused")},
    {"policy.end", N_("the policy does not end soon"), N_("the policy ends within 30 days or has ended")},
    {"policy.input", N_("the keyboards and mice present are permitted"),
     N_("a keyboard or mouse that is present would be refused: people may be locked out")},
    {"policy.usb-readable", N_("the USB devices can be read"), N_("the USB devices cannot be read")},
    {"store.present", N_("the directory of the store exists"), N_("the directory of the store does not exist")},
    {"store.filesystem", N_("the store has its own filesystem"),
     N_("the store shares its filesystem: each of its directories is watched singly; its own filesystem is better")},
    {"kernel.user-namespaces", N_("users cannot make their own namespaces"),
     N_("users can make their own namespaces; kuraban holds, but programs get more of the kernel to attack")},
    {"kernel.fanotify", N_("the kernel has permission events"),
     N_("the kernel cannot ask before a file is opened (CONFIG_FANOTIFY_ACCESS_PERMISSIONS)")},
    {"package.unit", N_("kuraband is started at boot"), N_("kuraband is not started at boot")},
};

const char *doctor_words(const char *check, bool ok)
{
    for (size_t i = 0; i < ELEMENTS(words); i++)
        if (text_equal(words[i].check, check))
            return _(ok ? words[i].good : words[i].bad);
    return "";
}
