/* kuraban-hub terminals: what was let in. */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>

#include "base/text.h"
#include "cli/i18n.h"
#include "cli/table.h"
#include "cli/value.h"
#include "hub/cli/hub.h"
#include "hub/store/terminals.h"

static const char *state_of(const struct hub_terminal *t)
{
    return t->revoked_us ? "revoked" : *t->successor ? "superseded" : t->approved_us == 0 ? "waits" : "enrolled";
}

static const char *state_words(const char *state)
{
    return text_equal(state, "revoked")      ? _("revoked")
           : text_equal(state, "superseded") ? _("replaced by another")
           : text_equal(state, "waits")      ? _("waits for approval")
                                             : _("enrolled");
}

static int add(void *context, const struct hub_terminal *t, const char *const *groups)
{
    json_t *names = json_array(), *item;

    for (; names && *groups; groups++)
        if (json_array_append_new(names, json_string(*groups)) < 0)
            return -ENOMEM;
    item = json_pack("{s:s, s:s, s:s*, s:s, s:o, s:s, s:o, s:o, s:o, s:s*}", "id", t->id, "name", t->name, "serial",
                     *t->serial ? t->serial : NULL, "host", t->host, "groups", names, "state", state_of(t), "enrolled",
                     hub_json_time(t->enrolled_us), "approved", hub_json_time(t->approved_us), "revoked",
                     hub_json_time(t->revoked_us), "successor", *t->successor ? t->successor : NULL);
    return json_array_append_new(context, item) < 0 ? -ENOMEM : 0;
}

static void join_groups(const json_t *groups, char *ret, size_t size)
{
    const json_t *group;
    size_t i, n = 0;

    *ret = '\0';
    json_array_foreach(groups, i, group) if (n < size) n +=
        (size_t)snprintf(ret + n, size - n, "%s%s", i > 0 ? " " : "", json_string_value(group));
}

static void show_list(struct cli *c, const json_t *answer)
{
    struct table *t = table_new(5);
    const json_t *item;
    size_t i;

    table_add(t, (const char *[]){_("TERMINAL"), _("ID"), _("GROUPS"), _("ENROLLED"), _("STATE")});
    json_array_foreach(answer, i, item)
    {
        char enrolled[VALUE_TIME_SIZE], groups[512];

        join_groups(json_object_get(item, "groups"), groups, sizeof(groups));
        table_add(t, (const char *[]){value_string(item, "name"), value_string(item, "id"), groups,
                                      value_time(value_string(item, "enrolled"), enrolled),
                                      state_words(value_string(item, "state"))});
    }
    table_print(t, c->out, 0);
    (void)table_free(t);
}

enum cli_exit hub_cli_terminals(struct cli *c, const struct cli_arguments *a)
{
    struct centre centre;
    enum cli_exit code = hub_open(c, &centre);
    json_t *items;

    (void)a;
    if (code != CLI_OK)
        return code;
    items = json_array();
    code = hub_show_list(c, hub_terminal_each(centre.store, add, items), items, show_list);
    json_decref(items);
    centre_close(&centre);
    return code;
}

/* --- a person's word --- */

static void show_approved(struct cli *c, const json_t *answer)
{
    (void)fprintf(c->out, _("Terminal %s is let in; it has its answer when it asks next."),
                  cli_safe(c, value_string(answer, "terminal")));
    (void)fputc('\n', c->out);
}

static void show_revoked(struct cli *c, const json_t *answer)
{
    (void)fprintf(c->out, _("Terminal %s is revoked: it gets nothing from this centre any more."),
                  cli_safe(c, value_string(answer, "terminal")));
    (void)fputc('\n', c->out);
}

/* r: what came of it; unknown: when there is no such terminal. */
static enum cli_exit done(struct cli *c, int r, const char *id, const char *unknown, cli_text *text)
{
    json_t *answer;

    if (r == HUB_TERMINAL_E_UNKNOWN) {
        cli_error(c, "%s: %s", cli_safe(c, id), unknown);
        return CLI_NO;
    }
    answer = r < 0 ? NULL : json_pack("{s:s}", "terminal", id);
    if (!answer)
        return hub_failed(c, r < 0 ? r : -ENOMEM);
    cli_show(c, answer, text);
    json_decref(answer);
    return CLI_OK;
}

enum cli_exit hub_cli_terminals_approve(struct cli *c, const struct cli_arguments *a)
{
    const struct hub_actor actor = hub_actor_of(c);
    struct centre centre;
    enum cli_exit code = hub_open(c, &centre);

    if (code != CLI_OK)
        return code;
    code = done(c, hub_terminal_approve(centre.store, &actor, a->words[0]), a->words[0],
                _("no terminal of this id waits; “kuraban-hub terminals” has them"), show_approved);
    centre_close(&centre);
    return code;
}

enum cli_exit hub_cli_terminals_revoke(struct cli *c, const struct cli_arguments *a)
{
    const struct hub_actor actor = hub_actor_of(c);
    struct centre centre;
    enum cli_exit code = hub_open(c, &centre);

    if (code != CLI_OK)
        return code;
    code = done(c, hub_terminal_revoke(centre.store, &actor, a->words[0]), a->words[0],
                _("no terminal of this id, or revoked already; “kuraban-hub terminals” has them"), show_revoked);
    centre_close(&centre);
    return code;
}
