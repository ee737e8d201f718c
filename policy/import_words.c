/*
 * The words of an import: stable names for JSON, sentences for people. Must not decide anything.
 */
#include "base/cleanup.h"
#include "policy/findings.h"
#include "policy/import_usbguard.h"

const char *policy_import_outcome_name(enum policy_import_outcome o)
{
    static const char *const names[] = {
        [POLICY_IMPORT_INVALID] = "invalid",
        [POLICY_IMPORT_LOST] = "lost",
        [POLICY_IMPORT_NOTED] = "noted",
        [POLICY_IMPORT_CARRIED] = "carried",
    };

    return (unsigned)o < ELEMENTS(names) ? names[o] : "invalid";
}

static const struct {
    const char *name, *text;
} reasons[POLICY_IMPORT_REASON_COUNT_] = {
    [POLICY_IMPORT_SYNTAX] = {"syntax", N_("this is no rule; usbguard-daemon does not start with it either")},
    [POLICY_IMPORT_CONFIGURATION] = {"configuration", N_("a value that usbguard-daemon.conf(5) does not know")},
    [POLICY_IMPORT_INSERTED] = {"inserted",
                                N_("USBGuard does not ask these rules about devices that are plugged in, and "
                                   "with them more would be permitted than now")},
    [POLICY_IMPORT_CONDITION] = {"condition", N_("its condition does not exist here: left out, because without it more "
                                                 "would be permitted")},
    [POLICY_IMPORT_CONDITION_PART] = {"condition-part",
                                      N_("part of its condition does not exist here: permits only in the "
                                         "hours in which the rest is enough")},
    [POLICY_IMPORT_CONDITION_WIDE] = {"condition-wide",
                                      N_("its condition does not exist here: refuses as if it held, because "
                                         "otherwise a later rule might permit")},
    [POLICY_IMPORT_TOO_LONG] = {"too-long", N_("a value longer than any device can have does not count")},
    [POLICY_IMPORT_PRESENT] = {"present", N_("devices that are there at the start follow the rules as well")},
    [POLICY_IMPORT_FOLDER_ALLOW] = {"folder-allow",
                                    N_("ImplicitPolicyTarget=allow is left out, because rules in the RuleFolder may "
                                       "block: append them to the rules and take the RuleFolder out")},
    [POLICY_IMPORT_FOLDER] = {"folder", N_("rules in the RuleFolder come behind these and are not read: append them "
                                           "first if there are any")},
    [POLICY_IMPORT_HOURS] = {"hours", N_("hours are local time, as documented; USBGuard 1.1 compares them with UTC")},
    [POLICY_IMPORT_HOURS_END] = {"hours-end", N_("outside its hours this rule refuses; USBGuard asks the next rules")},
    [POLICY_IMPORT_HOURS_LONGEST] = {"hours-longest",
                                     N_("a rule has one stretch of hours: permits in the longest one only, or "
                                        "refuses between the first and the last")},
    [POLICY_IMPORT_EQUALS_STRICT] = {"equals-strict",
                                     N_("each listed interface needs one of its own; USBGuard lets one count "
                                        "for two, so that a foreign one slips in")},
    [POLICY_IMPORT_EQUALS_WIDE] = {"equals-wide",
                                   N_("refuses every device that has all of these interfaces, whatever else it has")},
    [POLICY_IMPORT_MATCH_ALL] = {"match-all", N_("match-all as documented; USBGuard 1.1 does not compare here")},
    [POLICY_IMPORT_CASE] =
        {"case", N_("a device id in capitals, which matches no device in USBGuard 1.1: write it small if it is meant")},
    [POLICY_IMPORT_NEVER] = {"never", N_("matches no device in USBGuard either: left out")},
    [POLICY_IMPORT_ROOT_HUB] = {"root-hub",
                                N_("speaks of a host controller; these are always on and no rule is asked")},
    [POLICY_IMPORT_TARGET] = {"target", N_("USBGuard fails with such a rule and leaves the device blocked: refused")},
    [POLICY_IMPORT_USE] = {"use", N_("'allow: use' of storage means reading: media are never written")},
    [POLICY_IMPORT_UNIQUE] = {"unique",
                              N_("of two devices that claim one serial number, the second is refused; 'unique: "
                                 "ignore' in a rule permits it")},
    [POLICY_IMPORT_IMPLICIT_UNSAID] = {"implicit-unsaid",
                                       N_("what no rule matches is refused, as by USBGuard's default; "
                                          "--daemon-conf reads another ImplicitPolicyTarget")},
    [POLICY_IMPORT_IMPLICIT_BLOCK] = {"implicit-block", N_("what no rule matches is refused")},
    [POLICY_IMPORT_IMPLICIT_REJECT] = {"implicit-reject", N_("what no rule matches is refused and taken off the bus")},
    [POLICY_IMPORT_IMPLICIT_ALLOW] = {"implicit-allow",
                                      N_("what no rule matches is permitted, as ImplicitPolicyTarget says; "
                                         "that guards nothing")},
};

const char *policy_import_reason_name(enum policy_import_reason r)
{
    return (unsigned)r < ELEMENTS(reasons) ? reasons[r].name : "";
}

const char *policy_import_reason_text(enum policy_import_reason r)
{
    return (unsigned)r < ELEMENTS(reasons) ? reasons[r].text : "";
}
