/* kuraban-hub group: the groups of terminals. */
#include <errno.h>
#include <jansson.h>

#include "cli/i18n.h"
#include "cli/table.h"
#include "cli/value.h"
#include "hub/cli/hub.h"
#include "hub/store/groups.h"

static void show_created(struct cli *c, const json_t *answer)
{
    (void)fprintf(c->out, _("Group %s is there."), cli_safe(c, value_string(answer, "name")));
    (void)fputc('\n', c->out);
}

static enum cli_exit created(struct cli *c, int r, const char *name)
{
    json_t *answer;

    if (r == HUB_GROUP_E_NAME)
        return cli_usage(c, _("a group's name is 1 to %d of a-z, 0-9, “-” and “_”"), HUB_NAME_MAX);
    if (r == HUB_GROUP_E_EXISTS) {
        cli_error(c, _("the group %s exists already"), cli_safe(c, name));
        return CLI_NO;
    }
    answer = r < 0 ? NULL : json_pack("{s:s}", "name", name);
    if (!answer)
        return hub_failed(c, r < 0 ? r : -ENOMEM);
    cli_show(c, answer, show_created);
    json_decref(answer);
    return CLI_OK;
}

enum cli_exit hub_cli_group_create(struct cli *c, const struct cli_arguments *a)
{
    const struct hub_actor actor = hub_actor_of(c);
    struct centre centre;
    enum cli_exit code = hub_open(c, &centre);

    if (code != CLI_OK)
        return code;
    code = created(c, hub_group_create(centre.store, &actor, a->words[0]), a->words[0]);
    centre_close(&centre);
    return code;
}

static int add(void *context, const struct hub_group *group)
{
    json_t *items = context;

    return json_array_append_new(items, json_pack("{s:s, s:o, s:I}", "name", group->name, "created",
                                                  hub_json_time(group->created_us), "terminals",
                                                  (json_int_t)group->terminals)) < 0
               ? -ENOMEM
               : 0;
}

static void show_list(struct cli *c, const json_t *answer)
{
    struct table *t = table_new(3);
    const json_t *item;
    size_t i;

    table_add(t, (const char *[]){_("GROUP"), _("TERMINALS"), _("CREATED")});
    json_array_foreach(answer, i, item)
    {
        char number[24], when[VALUE_TIME_SIZE];

        (void)snprintf(number, sizeof(number), "%lld", (long long)value_number(item, "terminals"));
        table_add(
            t, (const char *[]){value_string(item, "name"), number, value_time(value_string(item, "created"), when)});
    }
    table_print(t, c->out, 0);
    (void)table_free(t);
}

enum cli_exit hub_cli_group_list(struct cli *c, const struct cli_arguments *a)
{
    struct centre centre;
    enum cli_exit code = hub_open(c, &centre);
    json_t *items;

    (void)a;
    if (code != CLI_OK)
        return code;
    items = json_array();
    code = hub_show_list(c, hub_group_each(centre.store, add, items), items, show_list);
    json_decref(items);
    centre_close(&centre);
    return code;
}
