/* Owns: what the checks of doctor mean to people. Names come from the daemon and from doctor_checks.c. */
#include <fnmatch.h>
#include <stddef.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/doctor_checks.h"
#include "cli/i18n.h"

struct check_words {
    const char *check; /* as fnmatch(3) pattern: a store's id stands in the middle */
    const char *good, *bad;
    bool said; /* the words say all that the detail says */
};

static const struct check_words words[] = {
    {"daemon.reachable", N_("kuraband answers"), N_("kuraband does not answer: start it, everything new stays refused"),
     false},
    {"daemon.enforcing", N_("the policy is enforced"), N_("the policy is NOT enforced"), false},
    {"daemon.checks", N_("what only kuraband knows: gate, stores, media, USB, journal"),
     N_("kuraband did not tell its own checks"), false},
    {"gate.self-test", N_("the kernel refuses what it is told to refuse"),
     N_("the kernel did NOT refuse the test file"), true},
    {"gate.enforcing", N_("the gate enforces everywhere"), N_("the gate does not enforce everywhere it should"), true},
    {"gate.overload", N_("no open was refused for too many waiting"), N_("opens were refused because too many waited"),
     true},
    {"policy.present", N_("there is a policy"), N_("there is no policy: everything but input devices is refused"),
     true},
    {"policy.file", N_("the policy file is the one in force"), N_("the policy file is not the one in force"), false},
    {"policy.trust", N_("what was signed is whole"),
     N_("what was signed is damaged: nothing is permitted until it is put back"), false},
    {"policy.signed", N_("a signed policy is in force"),
     N_("only signed policies are accepted, and none was applied yet"), true},
    {"policy.scope", N_("the policy is meant for this terminal"),
     N_("the policy in force is not meant for this terminal: see terminal in kuraband(8)"), true},
    {"head.expired", N_("the head has not expired"),
     N_("the head has expired; the policy it selected is still enforced"), true},
    {"head.expires-soon", N_("the head does not end soon"), N_("the head ends soon, and no newer one has come"), true},
    {"root.expired", N_("the root has not expired"),
     N_("the root has expired: nothing new is accepted before a newer root is applied"), true},
    {"root.expires-soon", N_("the root does not end soon"),
     N_("the root ends within 30 days: sign a newer one in time"), true},
    {"policy.kept", N_("the policy in force is kept for the next start"),
     N_("the policy in force could not be kept for the next start"), false},
    {"policy.mode", N_("mode enforce"), N_("monitor mode: nothing is refused"), true},
    {"policy.expired", N_("the policy has not expired"), N_("the policy has expired; it is still enforced"), true},
    {"policy.expires-soon", N_("the policy does not end soon"), N_("the policy ends within 30 days"), true},
    {"policy.readable", N_("the policy file can be read"), N_("the policy file cannot be read"), false},
    {"policy.valid", N_("the policy file has no errors"), N_("the policy file has errors and would be refused"), false},
    {"policy.input", N_("the keyboards and mice present are permitted"),
     N_("a keyboard or mouse that is present would be refused: people may be locked out"), false},
    {"policy.system", N_("the USB disk this machine runs from is permitted"),
     N_("what this machine runs from would be refused, or is permitted at times only: the system loses its disk"),
     false},
    {"policy.usb-readable", N_("the USB devices can be read"), N_("the USB devices cannot be read"), false},
    {"gate.keeper", N_("the gate stays closed when kuraband dies"),
     N_("nobody holds the gate for kuraband: if it dies, protected files can be opened"), true},
    {"overlay", N_("no way leads round the stores by an overlay mount"),
     N_("protected files can be read through an overlay mount: keep the overlay driver out"), true},
    {"store.*.filesystem", N_("the store has its own filesystem"),
     N_("the store shares its filesystem: each of its directories is watched singly; its own filesystem is better"),
     true},
    {"store.*.program", N_("the program of the store is there"), N_("the program of the store is missing or unsafe"),
     false},
    {"store.*", N_("the store is guarded"), N_("the store is not guarded"), false},
    {"usb.on", N_("USB devices are guarded"), N_("USB devices are not guarded, by configuration"), true},
    {"usb.hubs", N_("every root hub waits for a decision"), N_("a root hub still authorizes by default"), true},
    {"media.on", N_("all media are guarded"), N_("media are not all guarded: configuration or monitor mode"), true},
    {"media.seen", N_("it is known which media there are"),
     N_("it cannot be read which media there are: all are refused"), true},
    {"media.reasserted", N_("nobody made a medium writable"),
     N_("somebody made a medium writable; it was made read-only again"), true},
    {"emergency", N_("no emergency is on"), N_("keyboards and mice are permitted without a rule"), true},
    {"journal.space", N_("there is space for the journal"),
     N_("the disk is full: only refusals are recorded, from the reserve"), true},
    {"journal.written", N_("the journal can be written"), N_("the journal cannot be written"), false},
    {"journal.unrecorded", N_("everything could be recorded"), N_("decisions could not be recorded for want of space"),
     true},
    {"export.ledger", N_("what was taken out can be looked up"),
     N_("what was taken out cannot be looked up: nothing can be exported"), true},
    {"mfa.store", N_("one-time codes can be verified"),
     N_("one-time codes cannot be verified: nobody gets in who needs one"), false},
    {"mfa.store.state", N_("the store of second factors is whole, and its space is reserved"),
     N_("the store of second factors needs a look"), false},
    {"fleet.state", N_("what is stored of the centre is whole"),
     N_("what is stored of the centre is damaged: put it back, or enrol this terminal again"), false},
    {"fleet.contact", N_("the centre was reached within a day"),
     N_("the centre was not reached for a day: records are kept until it is"), true},
    {"mfa.administrator", N_("an administrator has a second factor"),
     N_("logins ask for a code, and no administrator has a second factor"), true},
    {"kernel.user-namespaces", N_("users cannot make their own namespaces"),
     N_("users can make their own namespaces: there a program can pass for one that a store permits"), false},
    {"kernel.fanotify", N_("the kernel has permission events"),
     N_("the kernel cannot ask before a file is opened (CONFIG_FANOTIFY_ACCESS_PERMISSIONS)"), false},
    {"package.unit", N_("kuraband is started at boot"), N_("kuraband is not started at boot"), false},
};

const char *doctor_words(const char *check, bool ok, bool *ret_said)
{
    for (size_t i = 0; i < ELEMENTS(words); i++)
        if (fnmatch(words[i].check, check, 0) == 0) {
            *ret_said = words[i].said;
            return _(ok ? words[i].good : words[i].bad);
        }
    *ret_said = false;
    return "";
}

const char *doctor_todo(const char *check)
{
    static const struct {
        const char *check, *todo;
    } todos[] = {
        {"policy.trust",
         N_("put trust.json back from a backup, or at the console: kuraban policy root remove --reason TEXT")},
        {"policy.signed", N_("kuraban policy apply BUNDLE")},
        {"mfa.store",
         N_("a key that is sealed: systemctl status kuraban-key; else put mfa.db and its key back from a backup, or make "
            "room on the disk; docs/MFA.md")},
        {"export.ledger",
         N_("put export.db back from a backup, or move it out of the state directory: what was taken out today counts anew then")},
        {"mfa.administrator", N_("kuraban mfa enrol, as an administrator, before the next login")},
    };

    for (size_t i = 0; i < ELEMENTS(todos); i++)
        if (text_equal(todos[i].check, check))
            return _(todos[i].todo);
    return "";
}
