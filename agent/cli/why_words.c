/*
 * Owns: the words for every reason of a refusal. They are read at a counter with a citizen waiting: one short sentence of what,
 * one of what to do. Must not: name a rule or a person; the caller adds those.
 */
#include "cli/why_words.h"

#include "base/text.h"
#include "cli/i18n.h"

static const struct why_words words[REASON_COUNT_] = {
    [REASON_DEFAULT] = {N_("No rule of the policy permits it."),
                        N_("If your work needs it, apply to your section head. After approval the information policy "
                           "section registers it.")},
    [REASON_RULE] = {N_("A rule of the policy forbids it."),
                     N_("If your work needs an exception, apply to your section head.")},
    [REASON_WHO] = {N_("It is permitted to other people only."),
                    N_("If you are in charge of this work, apply to your section head.")},
    [REASON_WHEN] = {N_("It is not permitted at this hour or on this day."),
                     N_("Use it within the permitted hours, or apply to your section head.")},
    [REASON_EXPIRED] = {N_("The permission has expired."), N_("Apply to your section head for a renewal.")},
    [REASON_DUPLICATE] = {N_("Another device with the same serial number is plugged in."),
                          N_("Unplug both and bring them to the information policy section: one may be a copy.")},
    [REASON_INTERFACES] = {N_("The device has functions that its permission does not cover."),
                           N_("Do not use it. Bring it to the information policy section.")},
    [REASON_FILESYSTEM] = {N_("The medium is not in a permitted format."),
                           N_("Use a lent medium. If you do not know which, ask the information policy section.")},
    [REASON_ENCRYPTION] = {N_("Only encrypted media are permitted."),
                           N_("Use a lent encrypted medium, or ask the information policy section.")},
    [REASON_CAPACITY] = {N_("The medium is larger than permitted."),
                         N_("Use a lent medium. If you do not know which, ask the information policy section.")},
    [REASON_WRITE] = {N_("Media are read only on this terminal."),
                      N_("To take files out, apply to your section head for a take-out.")},
    [REASON_EXECUTE] = {N_("Programs on media are not run on this terminal."),
                        N_("If your work needs the program, apply to the information policy section.")},
    [REASON_PROGRAM] = {N_("This program may not open protected files."),
                        N_("Open the file with the business system it belongs to.")},
    [REASON_HASH] = {N_("The program is not the one that was permitted: its content has changed."),
                     N_("Stop using it and call the information policy section.")},
    [REASON_UNKNOWN] = {N_("It could not be determined who asked, or for what."),
                        N_("Try again. If it is refused again, call the information policy section.")},
    [REASON_OVERLOAD] =
        {N_("Too many files were being opened at once."),
         N_("Wait a moment and try again. If it is refused again, call the information policy section.")},
    [REASON_JOURNAL] = {N_("There is no space left for the journal, so nothing may happen that could not be recorded."),
                        N_("Call the information policy section.")},
    [REASON_TAKEOVER] = {N_("The guard was being restarted."),
                         N_("Try again. If it is refused again, call the information policy section.")},
    [REASON_LOCKED] = {N_("The device must be unlocked with a code before it can be used."),
                       N_("Run “kuraban unlock DEVICE --reason TEXT” and enter the code that your phone shows. "
                          "“kuraban devices” shows what to write for DEVICE.")},
    [REASON_SOURCE] = {N_("Files from this place may not be taken out to this device."),
                       N_("If your work needs it, apply to your section head for a take-out.")},
    [REASON_TARGET] = {N_("No files may be taken out to this device."),
                       N_("Use a medium lent for take-outs. If you do not know which, ask the information policy "
                          "section.")},
    [REASON_SIZE] = {N_("The file is larger than may be taken out."),
                     N_("Take out only what is needed, or apply to your section head.")},
    [REASON_LIMIT] = {N_("What may be taken out in one day is used up."),
                      N_("Go on tomorrow, or apply to your section head.")},
    [REASON_CONTENT] = {N_("The policy does not let out what is in the file, or it could not be looked into."),
                        N_("Call the information policy section.")},
    [REASON_APPROVAL] = {N_("Other people must approve it with their own codes."),
                         N_("Ask a person who may approve to come to this terminal, and run it again with "
                            "“--approver USER”.")},
    [REASON_FACTOR] = {N_("It needs a code that was not given."),
                       N_("Run it again and enter the code that your phone shows. If you have none yet, run “kuraban "
                          "mfa enrol”.")},
};

const struct why_words *why_words_at(enum verdict_reason reason)
{
    return (unsigned)reason < REASON_COUNT_ ? &words[reason] : &words[REASON_UNKNOWN];
}

static const struct why_words *find(const char *reason_name)
{
    for (unsigned i = 0; i < REASON_COUNT_; i++)
        if (text_equal(verdict_reason_name((enum verdict_reason)i), reason_name))
            return &words[i];
    return NULL;
}

bool why_words_know(const char *reason_name)
{
    return find(reason_name) != NULL;
}

const struct why_words *why_words_of(const char *reason_name)
{
    const struct why_words *found = find(reason_name);

    return found ? found : &words[REASON_UNKNOWN];
}
