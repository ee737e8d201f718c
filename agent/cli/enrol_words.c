/* Owns: what a refusal of the centre means to the person who enrols a terminal. Must not: show a word of the centre's as it came. */
#include <jansson.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/enrol.h"
#include "cli/i18n.h"
#include "cli/value.h"

static const struct {
    const char *error, *words;
} refusals[] = {
    {"token-unknown", N_("the centre does not know this token")},
    {"token-used",
     N_("this token was used already, by another terminal. If that was not you, tell the administrators of the "
        "centre at once: somebody has a copy")},
    {"token-revoked", N_("this token was revoked")},
    {"token-expired", N_("this token is over; the centre makes a new one")},
    {"token-machine", N_("this token is for a machine with another serial number")},
    {"revoked", N_("this terminal was revoked at the centre: a new token does not help, its key must be a new one")},
    {"keys", N_("another terminal has one of these keys: was this disk copied?")},
    {"machine", N_("the centre cannot keep this machine's name or serial number")},
    {"no-root", N_("the centre has no root document yet: kuraban-hub root add")},
    {"root-expired", N_("the centre's root document is over")},
    {"expired", N_("the clock of this machine or of the centre is wrong")},
    {"not-yet", N_("the clock of this machine or of the centre is wrong")},
    {"too-many", N_("too many requests from this address; try again in a minute")},
    {"internal", N_("the centre could not do it; its log says why")},
};

enum cli_exit enrol_refused(struct cli *c, const struct enrol_answer *a)
{
    const char *error = value_string(a->body, "error");

    for (size_t i = 0; i < ELEMENTS(refusals); i++)
        if (text_equal(refusals[i].error, error)) {
            cli_error(c, "%s", _(refusals[i].words));
            return CLI_NO;
        }
    cli_error(c, _("the centre refused (%lld): %s: %s"), (long long)a->status, cli_safe(c, error),
              cli_safe(c, value_string(a->body, "message")));
    return CLI_NO;
}
