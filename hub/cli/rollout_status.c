/* kuraban-hub rollout status: what terminals have applied, by their own reports. */
#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "cli/i18n.h"
#include "cli/table.h"
#include "cli/value.h"
#include "hub/cli/hub.h"
#include "hub/rollout/scene.h"
#include "hub/store/reports.h"
#include "json/whole.h"

enum {
    OPTION_GROUP,
    OPTION_ALL,
};

const struct cli_option hub_rollout_status_options[] = {
    [OPTION_GROUP] = {"group", "GROUP", N_("of this group alone")},
    [OPTION_ALL] = {"all", NULL, N_("earlier ones, too")},
    {0},
};

struct showing {
    struct hub_rollout *rollouts;
    size_t n;
    bool all;
};

/* Of each group the newest, unless all are asked for. */
static int collect(void *context, const struct hub_rollout *o)
{
    struct showing *s = context;
    void *rollouts;

    for (size_t i = 0; !s->all && i < s->n; i++)
        if (strcmp(s->rollouts[i].group, o->group) == 0)
            return 0;
    rollouts = reallocarray(s->rollouts, s->n + 1, sizeof(*s->rollouts));
    if (!rollouts)
        return -ENOMEM;
    s->rollouts = rollouts;
    s->rollouts[s->n++] = *o;
    return 0;
}

static json_t *stages_of(const struct rollout_plan *plan)
{
    static const char *const names[] = {[ROLLOUT_STAGE_ALL] = "all",
                                        [ROLLOUT_STAGE_CANARIES] = "canary",
                                        [ROLLOUT_STAGE_CANARY_GROUP] = "canary-group",
                                        [ROLLOUT_STAGE_PERCENT] = "percent"};
    json_t *items = json_array();

    for (size_t i = 0; i < plan->n_stages; i++)
        whole_add(&items,
                  json_pack("{s:s, s:I}", "kind", names[plan->stages[i].kind], "n", (json_int_t)plan->stages[i].n));
    return items;
}

/* Those that did not take it, and why. */
static json_t *failures_of(struct hub_store *store, const struct scene *s)
{
    json_t *items = json_array();

    for (size_t i = 0; i < s->n; i++) {
        struct hub_report report = {0};

        if (s->terminals[i].outcome != ROLLOUT_FAILED || hub_report_get(store, s->rows[i].id, &report, NULL, NULL) <= 0)
            continue;
        whole_add(&items, json_pack("{s:s, s:s, s:o}", "terminal", s->rows[i].id, "reason", report.reason, "heard",
                                    hub_json_time(s->rows[i].contact_us)));
    }
    return items;
}

static json_t *describe(struct hub_store *store, const struct scene *s)
{
    const struct hub_rollout *o = &s->rollout;
    const int64_t now = clock_wall_us();
    const struct rollout_situation situation = scene_situation(s, now, 0);
    const struct rollout_counts sent = rollout_count(&situation, s->plan.n_stages);
    size_t applied = 0, failed = 0;
    char hex[DIGEST_HEX_SIZE];

    for (size_t i = 0; i < s->n; i++) {
        applied += s->terminals[i].outcome == ROLLOUT_APPLIED;
        failed += s->terminals[i].outcome == ROLLOUT_FAILED;
    }
    digest_to_hex(&o->policy, hex);
    return json_pack(
        "{s:I, s:s, s:{s:s, s:I, s:s}, s:s, s:s, s:I, s:o, s:o, s:o, s:o, s:I, s:I, s:I, s:I, s:I, s:o}", "rollout",
        (json_int_t)o->number, "group", o->group, "policy", "sha256", hex, "version", (json_int_t)o->policy_version,
        "name", o->policy_name, "state", rollout_state_name((enum rollout_state)o->state), "reason",
        rollout_reason_name((enum rollout_reason)o->reason), "stage", (json_int_t)o->stage, "stages",
        stages_of(&s->plan), "started", hub_json_time(o->created_us), "since", hub_json_time(o->since_us), "ended",
        hub_json_time(o->ended_us), "terminals", (json_int_t)s->n, "sent",
        (json_int_t)(o->state == ROLLOUT_PUBLISHED ? s->n : sent.terminals), "applied", (json_int_t)applied, "failed",
        (json_int_t)failed, "silent", (json_int_t)sent.silent, "failures", failures_of(store, s));
}

/* --- for people --- */

static const char *state_words(const char *state, const char *reason)
{
    if (text_equal(state, "running"))
        return _("running");
    if (text_equal(state, "published"))
        return _("everybody gets it");
    if (text_equal(state, "replaced"))
        return _("replaced by a later one");
    return text_equal(reason, "failed")    ? _("HALTED: too many could not apply it")
           : text_equal(reason, "silent")  ? _("HALTED: too many are not heard any more")
           : text_equal(reason, "expired") ? _("HALTED: the policy's time is over")
           : text_equal(reason, "refused") ? _("HALTED: the root document does not permit it")
                                           : _("halted");
}

static void write_stage(const json_t *item, char *ret, size_t size)
{
    const json_t *stages = json_object_get(item, "stages");
    const json_t *stage = json_array_get(stages, (size_t)value_number(item, "stage"));
    const char *kind = value_string(stage, "kind");
    const int64_t n = value_number(stage, "n");

    if (text_equal(kind, "canary"))
        (void)snprintf(ret, size, _("the first %lld"), (long long)n);
    else if (text_equal(kind, "percent"))
        (void)snprintf(ret, size, "%lld %%", (long long)n);
    else
        (void)snprintf(ret, size, "%s", text_equal(kind, "canary-group") ? _("the canary group") : _("all"));
}

static void add_line(struct table *t, const json_t *item)
{
    static const char *const keys[] = {"terminals", "sent", "applied", "failed", "silent"};
    char numbers[ELEMENTS(keys)][24], version[24], stage[64];

    for (size_t i = 0; i < ELEMENTS(keys); i++)
        (void)snprintf(numbers[i], sizeof(numbers[i]), "%lld", (long long)value_number(item, keys[i]));
    (void)snprintf(version, sizeof(version), "%lld",
                   (long long)value_number(json_object_get(item, "policy"), "version"));
    write_stage(item, stage, sizeof(stage));
    table_add(t, (const char *[]){value_string(item, "group"), version, stage, numbers[0], numbers[1], numbers[2],
                                  numbers[3], numbers[4],
                                  state_words(value_string(item, "state"), value_string(item, "reason"))});
}

static void show_status(struct cli *c, const json_t *answer)
{
    struct table *t = table_new(9);
    const json_t *item, *failure;
    size_t i, k;

    table_add(t, (const char *[]){_("GROUP"), _("POLICY"), _("STEP"), _("TERMINALS"), _("SENT"), _("APPLIED"),
                                  _("FAILED"), _("SILENT"), _("STATE")});
    json_array_foreach(answer, i, item) add_line(t, item);
    table_print(t, c->out, 0);
    (void)table_free(t);
    json_array_foreach(answer, i, item) json_array_foreach(json_object_get(item, "failures"), k, failure)(void)
        fprintf(c->out, "%s %s: %s\n", cli_safe(c, value_string(item, "group")), value_string(failure, "terminal"),
                cli_safe(c, value_string(failure, "reason")));
}

static int add_items(struct hub_store *store, const struct showing *showing, json_t *items)
{
    int r = 0;

    for (size_t i = 0; r >= 0 && i < showing->n; i++) {
        struct scene scene = {.rollout = showing->rollouts[i]};

        r = scene_set(&scene, store);
        if (r >= 0)
            r = json_array_append_new(items, describe(store, &scene)) < 0 ? -ENOMEM : 0;
        scene_done(&scene);
    }
    return r;
}

enum cli_exit hub_cli_rollout_status(struct cli *c, const struct cli_arguments *a)
{
    struct showing showing = {.all = a->values[OPTION_ALL] != NULL};
    struct centre centre;
    enum cli_exit code = hub_open(c, &centre);
    json_t *items;
    int r;

    if (code != CLI_OK)
        return code;
    items = json_array();
    r = hub_rollout_each(centre.store, a->values[OPTION_GROUP], false, collect, &showing);
    if (r >= 0)
        r = add_items(centre.store, &showing, items);
    code = hub_show_list(c, r, items, show_status);
    json_decref(items);
    free(showing.rollouts);
    centre_close(&centre);
    return code;
}
