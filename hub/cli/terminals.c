/* kuraban-hub terminals: what was let in, and what it has applied by its own word. */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>

#include "base/text.h"
#include "cli/i18n.h"
#include "cli/table.h"
#include "cli/value.h"
#include "hub/cli/hub.h"
#include "hub/store/reports.h"
#include "hub/store/terminals.h"
#include "json/whole.h"

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

/* What it said of itself last: it rules there, whatever was sent. */
static json_t *report_of(const struct hub_report *p)
{
    char hex[DIGEST_HEX_SIZE];
    json_t *policy = json_null();

    digest_to_hex(&p->policy, hex);
    if (p->has_policy)
        policy = json_pack("{s:I, s:s, s:s}", "version", (json_int_t)p->policy_version, "sha256", hex, "name",
                           p->policy_name);
    return json_pack("{s:o, s:s, s:s, s:s, s:I, s:I, s:I, s:s, s:o}", "policy", policy, "status",
                     !p->has_bundle ? ""
                     : p->failed    ? "failed"
                                    : "applied",
                     "reason", p->reason, "head-group", p->head_group, "head-version", (json_int_t)p->head_version,
                     "journal", (json_int_t)p->journal_sequence, "membership", (json_int_t)p->membership, "agent",
                     p->agent, "received", hub_json_time(p->received_us));
}

struct listing {
    struct hub_store *store;
    json_t *items;
};

static int add(void *context, const struct hub_terminal *t, const char *const *groups)
{
    struct listing *l = context;
    struct hub_report report = {0};
    json_t *names = json_array(), *item;
    int64_t contact = 0;
    int r = hub_report_get(l->store, t->id, &report, NULL, NULL), heard = hub_contact_get(l->store, t->id, &contact);

    for (; *groups; groups++)
        whole_add(&names, json_string(*groups));
    item = json_pack("{s:s, s:s, s:s*, s:s, s:o, s:s, s:o, s:o, s:o, s:s*, s:o, s:o}", "id", t->id, "name", t->name,
                     "serial", *t->serial ? t->serial : NULL, "host", t->host, "groups", names, "state", state_of(t),
                     "enrolled", hub_json_time(t->enrolled_us), "approved", hub_json_time(t->approved_us), "revoked",
                     hub_json_time(t->revoked_us), "successor", *t->successor ? t->successor : NULL, "contact",
                     hub_json_time(contact), "report", r > 0 ? report_of(&report) : json_null());
    if (r < 0 || heard < 0) {
        json_decref(item);
        return r < 0 ? r : heard;
    }
    return json_array_append_new(l->items, item) < 0 ? -ENOMEM : 0;
}

static void join_groups(const json_t *groups, char *ret, size_t size)
{
    const json_t *group;
    size_t i, n = 0;

    *ret = '\0';
    json_array_foreach(groups, i, group) if (n < size) n +=
        (size_t)snprintf(ret + n, size - n, "%s%s", i > 0 ? " " : "", json_string_value(group));
}

/* "12", "12, FAILED: rollback", "-": it never said anything. */
static void write_applied(const json_t *report, char *ret, size_t size)
{
    const json_t *policy = json_object_get(report, "policy");
    const bool failed = text_equal(value_string(report, "status"), "failed");
    char version[24] = "-";

    if (json_is_object(policy))
        (void)snprintf(version, sizeof(version), "%lld", (long long)value_number(policy, "version"));
    if (failed)
        (void)snprintf(ret, size, _("%s, FAILED: %s"), version, value_string(report, "reason"));
    else
        (void)snprintf(ret, size, "%s", version);
}

static void show_list(struct cli *c, const json_t *answer)
{
    struct table *t = table_new(6);
    const json_t *item;
    size_t i;

    table_add(t, (const char *[]){_("TERMINAL"), _("ID"), _("GROUPS"), _("APPLIED"), _("HEARD"), _("STATE")});
    json_array_foreach(answer, i, item)
    {
        char heard[VALUE_TIME_SIZE], groups[512], applied[FLEET_TEXT_SIZE + 64];

        join_groups(json_object_get(item, "groups"), groups, sizeof(groups));
        write_applied(json_object_get(item, "report"), applied, sizeof(applied));
        table_add(t, (const char *[]){value_string(item, "name"), value_string(item, "id"), groups, applied,
                                      value_time(value_string(item, "contact"), heard),
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
    code = hub_show_list(c, hub_terminal_each(centre.store, add, &(struct listing){centre.store, items}), items,
                         show_list);
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
