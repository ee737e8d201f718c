/* Owns: the table of kuraban-hub's verbs; kuraban-hub(8) and the completion follow it. */
#include "cli/i18n.h"
#include "hub/cli/hub.h"

static const struct cli_verb verbs[] = {
    {"init", "", 0, 0, N_("make a centre: keys, certificates, the broker's configuration"), hub_init_options,
     hub_cli_init},
    {"serve", "", 0, 0, N_("be the centre, until asked to stop"), hub_serve_options, hub_cli_serve},
    {"group create", "NAME", 1, 1, N_("a group of terminals, for which policies are published"), NULL,
     hub_cli_group_create},
    {"group list", "", 0, 0, N_("the groups, and how many terminals are in each"), NULL, hub_cli_group_list},
    {"token create", "", 0, 0, N_("a token that lets one terminal into a group, once"), hub_token_create_options,
     hub_cli_token_create},
    {"token list", "", 0, 0, N_("the tokens, and what became of them"), NULL, hub_cli_token_list},
    {"token revoke", "NUMBER", 1, 1, N_("a token that was not used lets nobody in any more"), NULL,
     hub_cli_token_revoke},
    {"terminals", "", 0, 0, N_("the terminals that were enrolled"), NULL, hub_cli_terminals},
    {"terminals approve", "ID", 1, 1, N_("let in a terminal that waits for it"), NULL, hub_cli_terminals_approve},
    {"terminals revoke", "ID", 1, 1, N_("a terminal is none any more; its key is of no use again"), NULL,
     hub_cli_terminals_revoke},
    {"root add", "FILE", 1, 1, N_("a signed root document, or a newer one, that terminals are handed"), NULL,
     hub_cli_root_add},
    {"root list", "", 0, 0, N_("the root documents that terminals are handed"), NULL, hub_cli_root_list},
    {"events", "", 0, 0, N_("what the terminals recorded"), hub_events_options, hub_cli_events},
    {"alarms", "", 0, 0, N_("what an administrator must look at; exit status 1 when there is something"),
     hub_alarms_options, hub_cli_alarms},
    {"alarm close", "NUMBER", 1, 1, N_("an alarm was looked at"), NULL, hub_cli_alarm_close},
    {"journal", "", 0, 0, N_("what administrators did, and whether that record is whole"), NULL, hub_cli_journal},
    {0},
};

const struct cli_program hub_program = {
    .name = "kuraban-hub",
    .verbs = verbs,
    .place = {"directory", "DIR", N_("where the centre is (/var/lib/kuraban-hub/centre)")},
    .exit_words = N_("Exit status: 0 yes, 1 the answer is no, 2 wrong call, 4 not permitted, 5 failed. "
                     "More: kuraban-hub(8)."),
};
