/*
 * Owns: the words for every reason why an export did not begin or end well, each with what to do next. Must not: ask anybody anything.
 */
#include "cli/export_words.h"

#include <jansson.h>
#include <stdio.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/export_talk.h"
#include "cli/i18n.h"
#include "cli/value.h"
#include "cli/why_words.h"

#define CALL N_("Call the information policy section.")
#define ONCE_MORE N_("Try again. If it fails again, call the information policy section.")
#define ANEW N_("Begin anew.")

static const struct end {
    const char *reason, *words, *next; /* next NULL: the words say it */
    enum cli_exit code;
} ends[] = {
    {"no-device", N_("no medium of that name is there: “kuraban devices” lists them"), NULL, CLI_NO},
    {"ambiguous", N_("more than one medium has that name; give its ID"), N_("“kuraban devices” shows the IDs."),
     CLI_NO},
    {"target", N_("nothing may be exported to this medium"),
     N_("Use a medium lent for take-outs. If you do not know which, ask the information policy section."),
     CLI_NOT_PERMITTED},
    {"taken", N_("somebody else has unlocked it: “kuraban unlock --status”"),
     N_("Ask that person to lock it again, or wait until their time is over."), CLI_NOT_PERMITTED},
    {"approval", N_("too few colleagues approve: --approver USER for each"),
     N_("Ask a person who may approve to come to this terminal, and run it again with “--approver USER”."), CLI_NO},
    {"approver", N_("somebody is named who may not approve this"),
     N_("Ask your section head who approves it, and name that person."), CLI_NOT_PERMITTED},
    {"self", N_("who is logged in here cannot approve as well"),
     N_("Ask another person who may approve to come to this terminal."), CLI_NOT_PERMITTED},
    {"list", N_("these are not the files that the codes were given for: one has changed its size; begin anew"), NULL,
     CLI_FAILED},
    {"busy", N_("the medium is in use, or another export is running; try again when it is free"), NULL, CLI_FAILED},
    {"journal", N_("the journal could not take it, so nothing was given"), CALL, CLI_FAILED},
    {"ledger", N_("what was taken out today could not be counted, so nothing was given"), CALL, CLI_FAILED},
    {"filesystem", N_("the medium's filesystem is not one that is written to, or is damaged"),
     N_("Use another medium lent for take-outs, and bring this one to the information policy section."), CLI_FAILED},
    {"read-only", N_("the medium takes no writing: has it a write-protect switch?"),
     N_("Turn the switch, or use another medium."), CLI_FAILED},
    {"full", N_("the medium has no room for it"), N_("Take fewer files at a time, or use a larger medium."),
     CLI_FAILED},
    {"large", N_("vfat takes no file of 4 GiB or more: take fewer files at a time, or a medium with exfat"), NULL,
     CLI_FAILED},
    {"name", N_("the medium takes no such name beside the others"), N_("Give the file another name."), CLI_FAILED},
    {"no-room", N_("this machine has no room to prepare it"),
     N_("Take fewer files at a time. If it fails again, call the information policy section."), CLI_FAILED},
    {"stalled", N_("a file does not answer; if it is on a network drive, copy it to this machine first"), NULL,
     CLI_FAILED},
    {"hangs", N_("the medium does not answer; nothing more is written to it"),
     N_("Pull it out, and begin anew with another one. Bring this one to the information policy section."), CLI_FAILED},
    {"unanswered", N_("files or media of earlier exports still do not answer"),
     N_("Disconnect the network drive or folder they are on (fusermount3 -u), pull out the medium, and try again. If it "
        "fails again, call the information policy section."),
     CLI_FAILED},
    {"pause", N_("too many of your exports came to nothing within a minute: wait a minute"),
     N_("Look at what stood in their way before you begin anew."), CLI_FAILED},
    {"changed", N_("a file changed while it was read"), N_("Close the programs that have it open, and begin anew."),
     CLI_FAILED},
    {"differs", N_("what was read back from the medium is not what was written: use another one"), NULL, CLI_FAILED},
    {"removed", N_("the medium was taken out"), N_("Plug it in again and begin anew."), CLI_FAILED},
    {"medium", N_("the medium fails, or was taken out"),
     N_("Plug it in again and begin anew. If it fails again, use another one."), CLI_FAILED},
    {"container", N_("the rules want different containers for these files: take them out separately"), NULL,
     CLI_FAILED},
    {"policy", N_("another policy rules now"), ANEW, CLI_FAILED},
    {"cancelled", N_("cancelled"), NULL, CLI_FAILED},
    {"stopped", N_("kuraband stopped it"), ONCE_MORE, CLI_FAILED},
    {"unrecorded", N_("it is on the medium, but kuraband was gone before it was recorded as finished"),
     N_("Call the information policy section before you hand the medium on."), CLI_FAILED},
};

static enum cli_exit tell(struct cli *c, const char *reason, const char *detail)
{
    for (size_t i = 0; i < ELEMENTS(ends); i++) {
        if (!text_equal(reason, ends[i].reason))
            continue;
        cli_error(c, "%s", _(ends[i].words));
        cli_next(c, ends[i].next);
        return ends[i].code;
    }
    if (why_words_know(reason)) {
        cli_error(c, _("it is not permitted any more: %s"), _(why_words_of(reason)->reason));
        cli_next(c, why_words_of(reason)->next);
        return CLI_NOT_PERMITTED;
    }
    cli_error(c, _("it could not be done: %s"), cli_safe(c, *detail ? detail : reason));
    cli_next(c, ONCE_MORE);
    return CLI_FAILED;
}

enum cli_exit export_tell_not_begun(struct cli *c, const json_t *answer)
{
    const struct why_words *why = why_words_of(value_string(answer, "verdict_reason"));
    const char *reason = value_string(answer, "reason");

    if (text_equal(reason, "rule")) {
        cli_error(c, _("%s [rule %s]"), _(why->reason), cli_safe(c, value_string(answer, "rule")));
        cli_next(c, why->next);
        return CLI_NOT_PERMITTED;
    }
    return tell(c, text_equal(reason, "locked") ? "taken" : reason, value_string(answer, "message"));
}

enum cli_exit export_tell_end(struct cli *c, const char *reason, const char *detail, bool written)
{
    enum cli_exit code = tell(c, reason, detail);

    if (written) {
        cli_error(c, "%s", _("parts of the files may be on the medium, also if it shows none; they count for today"));
        cli_next(c, N_("Do not hand the medium on before the information policy section has seen it."));
    }
    return code;
}

/* --- files --- */

static const struct why_words *file_words(const char *reason)
{
    static const struct {
        const char *reason;
        struct why_words words;
    } own[] = {
        {"unreadable",
         {N_("It cannot be read with your permissions."),
          N_("Leave the file out, or ask the person it belongs to for a permission to read it.")}},
        {"not-a-file", {N_("It is no regular file."), N_("Leave it out.")}},
        {"moved", {N_("It came into a store while it was read, or you may not read it any more."), ANEW}},
    };

    for (size_t i = 0; i < ELEMENTS(own); i++)
        if (text_equal(reason, own[i].reason))
            return &own[i].words;
    return why_words_of(reason);
}

/* What to do is told once for several in a row. */
enum cli_exit export_tell_files(struct cli *c, const struct export_file *files, size_t n)
{
    const struct why_words *words = NULL;

    cli_error(c, "%s", _("nothing was exported, because of:"));
    for (size_t i = 0; i < n; i++) {
        const struct export_file *f = &files[i];

        if (!f->reason)
            continue;
        if (words && words != file_words(f->reason))
            cli_next(c, words->next);
        words = file_words(f->reason);
        (void)fprintf(c->err, "  %s: %s", cli_safe(c, f->path), _(words->reason));
        if (*f->rule)
            (void)fprintf(c->err, _(" [rule %s]"), cli_safe(c, f->rule));
        (void)fputc('\n', c->err);
    }
    if (words)
        cli_next(c, words->next);
    return CLI_NOT_PERMITTED;
}
