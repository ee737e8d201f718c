/* kuraban-hub terminals move, order: what a person wants of one terminal. */
#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "cli/i18n.h"
#include "cli/value.h"
#include "hub/cli/hub.h"
#include "hub/rollout/documents.h"
#include "hub/store/commands.h"
#include "hub/store/policies.h"
#include "hub/store/reports.h"
#include "json/whole.h"
#include "policy/policy.h"

enum {
    OPTION_GROUP,
};

const struct cli_option hub_terminals_move_options[] = {
    [OPTION_GROUP] = {"group", "GROUP", N_("the group it is in from then on; may come again")},
    {0},
};

static enum cli_exit refused(struct cli *c, int r, const char *terminal)
{
    switch (r) {
    case HUB_COMMAND_E_TERMINAL:
        cli_error(c, _("%s: no such terminal, or it was revoked; “kuraban-hub terminals” has them"),
                  cli_safe(c, terminal));
        return CLI_NO;
    case HUB_COMMAND_E_GROUP:
        cli_error(c, _("a group that does not exist, or was named twice, or more than %d groups"), FLEET_GROUPS_MAX);
        return CLI_NO;
    case HUB_COMMAND_E_SAME:
        cli_error(c, _("%s: it is in these groups already"), cli_safe(c, terminal));
        return CLI_NO;
    default:
        return hub_failed(c, r < 0 ? r : -EUCLEAN);
    }
}

/* --- move --- */

static void show_moved(struct cli *c, const json_t *answer)
{
    const json_t *older = json_object_get(answer, "older"), *group;
    size_t i;

    (void)fprintf(c->out, _("Terminal %s changes its groups as soon as it is reached."),
                  cli_safe(c, value_string(answer, "terminal")));
    (void)fputc('\n', c->out);
    json_array_foreach(older, i, group)
    {
        (void)fprintf(
            c->out,
            _("The policy of the group %s is older than the one that rules there, and is refused there until a "
              "higher version of it is signed."),
            cli_safe(c, json_string_value(group)));
        (void)fputc('\n', c->out);
    }
}

/* 1: its policy is of a lower version than rules at the terminal. */
static int is_older(struct hub_store *store, const char *group, const struct hub_report *report)
{
    _cleanup_free_ uint8_t *envelope = NULL;
    struct rollout_document d = {0};
    struct hub_head head = {0};
    size_t size = 0;
    int r = hub_head_get(store, group, &head, &envelope, &size);

    if (r > 0)
        r = rollout_document_read(store, &head.policy, &d);
    if (r > 0)
        r = d.policy->version < report->policy_version;
    rollout_document_done(&d);
    return r;
}

static enum cli_exit moved(struct cli *c, struct hub_store *store, const char *terminal, const char *const *groups)
{
    struct hub_report report = {0};
    json_t *names = json_array(), *older = json_array(), *answer;
    int r = hub_report_get(store, terminal, &report, NULL, NULL);
    const bool reported = r > 0;

    for (size_t i = 0; r >= 0 && groups[i]; i++) {
        whole_add(&names, json_string(groups[i]));
        r = reported ? is_older(store, groups[i], &report) : 0;
        if (r > 0)
            whole_add(&older, json_string(groups[i]));
    }
    answer = json_pack("{s:s, s:o, s:o}", "terminal", terminal, "groups", names, "older", older);
    if (r < 0 || !answer) {
        json_decref(answer);
        return hub_failed(c, r < 0 ? r : -ENOMEM);
    }
    cli_show(c, answer, show_moved);
    json_decref(answer);
    return CLI_OK;
}

enum cli_exit hub_cli_terminals_move(struct cli *c, const struct cli_arguments *a)
{
    const struct hub_actor actor = hub_actor_of(c);
    const char *groups[FLEET_GROUPS_MAX + 1] = {NULL};
    struct centre centre;
    enum cli_exit code;
    int r;

    if (a->n_given == 0)
        return cli_usage(c, _("--group is needed"));
    if (a->n_given > FLEET_GROUPS_MAX)
        return cli_usage(c, _("at most %d groups"), FLEET_GROUPS_MAX);
    for (size_t i = 0; i < a->n_given; i++)
        groups[i] = a->given[i].value;
    code = hub_open(c, &centre);
    if (code != CLI_OK)
        return code;
    r = hub_terminal_move(centre.store, &actor, a->words[0], groups);
    code = r == HUB_COMMAND_OK ? moved(c, centre.store, a->words[0], groups) : refused(c, r, a->words[0]);
    centre_close(&centre);
    return code;
}

/* --- orders --- */

static void show_ordered(struct cli *c, const json_t *answer)
{
    (void)fprintf(c->out, _("Terminal %s is told as soon as it is reached, until its order's time is over."),
                  cli_safe(c, value_string(answer, "terminal")));
    (void)fputc('\n', c->out);
}

static enum cli_exit order(struct cli *c, const char *terminal, enum fleet_order_kind kind)
{
    const struct hub_actor actor = hub_actor_of(c);
    struct centre centre;
    enum cli_exit code = hub_open(c, &centre);
    json_t *answer;
    int r;

    if (code != CLI_OK)
        return code;
    r = hub_order_add(centre.store, &actor, terminal, kind);
    centre_close(&centre);
    if (r != HUB_COMMAND_OK)
        return refused(c, r, terminal);
    answer = json_pack("{s:s}", "terminal", terminal);
    if (!answer)
        return hub_failed(c, -ENOMEM);
    cli_show(c, answer, show_ordered);
    json_decref(answer);
    return CLI_OK;
}

enum cli_exit hub_cli_order_report(struct cli *c, const struct cli_arguments *a)
{
    return order(c, a->words[0], FLEET_ORDER_REPORT);
}

enum cli_exit hub_cli_order_end_grants(struct cli *c, const struct cli_arguments *a)
{
    return order(c, a->words[0], FLEET_ORDER_END_GRANTS);
}
