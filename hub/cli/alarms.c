/* kuraban-hub alarms: what an administrator must look at; alarm close: it was looked at. */
#include <errno.h>
#include <jansson.h>

#include "base/text.h"
#include "cli/i18n.h"
#include "cli/table.h"
#include "cli/value.h"
#include "hub/cli/hub.h"
#include "hub/store/alarms.h"

enum {
    OPTION_ALL
};

const struct cli_option hub_alarms_options[] = {
    [OPTION_ALL] = {"all", NULL, N_("those that are over as well")},
    {0},
};

static int add(void *context, const struct hub_alarm *a)
{
    json_t *item = json_pack("{s:I, s:s, s:s*, s:o, s:o, s:I, s:o*, s:o, s:s*}", "number", (json_int_t)a->number,
                             "kind", a->kind, "terminal", *a->terminal ? a->terminal : NULL, "first",
                             hub_json_time(a->first_us), "last", hub_json_time(a->last_us), "count",
                             (json_int_t)a->count, "details", *a->details ? json_loads(a->details, 0, NULL) : NULL,
                             "closed", hub_json_time(a->closed_us), "closed-by", *a->closed_by ? a->closed_by : NULL);

    return json_array_append_new(context, item) < 0 ? -ENOMEM : 0;
}

/* For people; a kind that a later version knows is shown as it is called. */
static const char *kind_words(const char *kind)
{
    static const char *const words[][2] = {
        {"record-gap", N_("records are missing, others came")},
        {"record-fork", N_("another history of its record")},
        {"record-signature", N_("records signed by another key")},
        {"record-damaged", N_("records that are none")},
        {"record-unknown", N_("records of a terminal nobody knows")},
        {"record-revoked", N_("records of a revoked terminal")},
        {"record-missing", N_("the terminal has lost records, and says so")},
        {"record-replaced", N_("records nobody signed, replaced by signed ones")},
        {"record-full", N_("too many records that fit nowhere; no more are kept")},
    };

    for (size_t i = 0; i < ELEMENTS(words); i++)
        if (text_equal(words[i][0], kind))
            return _(words[i][1]);
    return kind;
}

static void show_list(struct cli *c, const json_t *answer)
{
    struct table *t = table_new(6);
    const json_t *item;
    size_t i;

    table_add(t, (const char *[]){_("NUMBER"), _("LAST"), _("TIMES"), _("TERMINAL"), _("WHAT"), _("OVER")});
    json_array_foreach(answer, i, item)
    {
        char number[24], count[24], last[VALUE_TIME_SIZE], closed[VALUE_TIME_SIZE];

        (void)snprintf(number, sizeof(number), "%lld", (long long)value_number(item, "number"));
        (void)snprintf(count, sizeof(count), "%lld", (long long)value_number(item, "count"));
        table_add(t, (const char *[]){number, value_time(value_string(item, "last"), last), count,
                                      value_string(item, "terminal"), kind_words(value_string(item, "kind")),
                                      json_is_null(json_object_get(item, "closed"))
                                          ? ""
                                          : value_time(value_string(item, "closed"), closed)});
    }
    table_print(t, c->out, 0);
    (void)table_free(t);
}

static bool any_is_open(const json_t *items)
{
    const json_t *item;
    size_t i;

    json_array_foreach(items, i, item) if (json_is_null(json_object_get(item, "closed"))) return true;
    return false;
}

enum cli_exit hub_cli_alarms(struct cli *c, const struct cli_arguments *a)
{
    struct centre centre;
    enum cli_exit code = hub_open(c, &centre);
    json_t *items;

    if (code != CLI_OK)
        return code;
    items = json_array();
    code = hub_show_list(c, hub_alarm_each(centre.store, a->values[OPTION_ALL] != NULL, add, items), items, show_list);
    if (code == CLI_OK && any_is_open(items))
        code = CLI_NO;
    json_decref(items);
    centre_close(&centre);
    return code;
}

enum cli_exit hub_cli_alarm_close(struct cli *c, const struct cli_arguments *a)
{
    const struct hub_actor actor = hub_actor_of(c);
    struct centre centre;
    enum cli_exit code;
    uint64_t number = 0;
    int r;

    if (text_to_u64(a->words[0], INT64_MAX, &number) < 0)
        return cli_usage(c, _("“%s” is no number"), cli_safe(c, a->words[0]));
    code = hub_open(c, &centre);
    if (code != CLI_OK)
        return code;
    r = hub_alarm_close(centre.store, &actor, number);
    centre_close(&centre);
    if (r < 0)
        return hub_failed(c, r);
    if (r > 0)
        return CLI_OK;
    cli_error(c, _("there is no open alarm %s"), cli_safe(c, a->words[0]));
    return CLI_NO;
}
