/* kuraban-hub terminals: what was let in. */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>

#include "cli/i18n.h"
#include "cli/table.h"
#include "cli/value.h"
#include "hub/cli/hub.h"
#include "hub/store/terminals.h"

static int add(void *context, const struct hub_terminal *t, const char *const *groups)
{
    json_t *names = json_array(), *item;

    for (; names && *groups; groups++)
        if (json_array_append_new(names, json_string(*groups)) < 0)
            return -ENOMEM;
    item = json_pack("{s:s, s:s, s:s*, s:o, s:o, s:o}", "id", t->id, "name", t->name, "serial",
                     *t->serial ? t->serial : NULL, "groups", names, "enrolled", hub_json_time(t->enrolled_us),
                     "revoked", hub_json_time(t->revoked_us));
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

    table_add(t, (const char *[]){_("TERMINAL"), _("ID"), _("GROUPS"), _("ENROLLED"), _("REVOKED")});
    json_array_foreach(answer, i, item)
    {
        char enrolled[VALUE_TIME_SIZE], revoked[VALUE_TIME_SIZE], groups[512];

        join_groups(json_object_get(item, "groups"), groups, sizeof(groups));
        table_add(t, (const char *[]){value_string(item, "name"), value_string(item, "id"), groups,
                                      value_time(value_string(item, "enrolled"), enrolled),
                                      json_is_null(json_object_get(item, "revoked"))
                                          ? ""
                                          : value_time(value_string(item, "revoked"), revoked)});
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
