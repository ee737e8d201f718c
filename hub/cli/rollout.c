/* kuraban-hub rollout, emergency: what a person says of a rollout. What comes of it, `kuraban-hub serve` does. */
#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "cli/i18n.h"
#include "cli/value.h"
#include "hub/cli/policy_argument.h"
#include "hub/rollout/heads.h"
#include "hub/rollout/plan.h"
#include "hub/store/groups.h"
#include "hub/store/rollouts.h"
#include "policy/policy.h"

enum {
    OPTION_GROUP,
    OPTION_POLICY,
    OPTION_CANARY,
    OPTION_CANARY_GROUP,
    OPTION_PERCENT,
    OPTION_HALT_FAILED,
    OPTION_HALT_SILENT,
    OPTION_WAIT,
};

enum {
    HALT_FAILED_DEFAULT = 5,
    HALT_SILENT_DEFAULT = 20,
    CANARIES_MAX = 1000,
};

#define SECOND_US INT64_C(1000000)
#define WAIT_DEFAULT_US (600 * SECOND_US)

const struct cli_option hub_rollout_start_options[] = {
    [OPTION_GROUP] = {"group", "GROUP", N_("to these terminals")},
    [OPTION_POLICY] = {"policy", "SHA|VERSION", N_("the signed policy")},
    [OPTION_CANARY] = {"canary", "N", N_("first to this many, those heard last")},
    [OPTION_CANARY_GROUP] = {"canary-group", "GROUP", N_("first to those that are in this group as well")},
    [OPTION_PERCENT] = {"percent", "N,N…", N_("then to this much of the group, step by step")},
    [OPTION_HALT_FAILED] = {"halt-failed", "N%", N_("halt when more than this cannot apply it (5)")},
    [OPTION_HALT_SILENT] = {"halt-silent", "N%", N_("halt when more than this is not heard any more (20)")},
    [OPTION_WAIT] = {"wait", "TIME", N_("how long each step is watched: 30s, 10m, 2h (10m)")},
    {0},
};

const struct cli_option hub_rollout_group_options[] = {
    [OPTION_GROUP] = {"group", "GROUP", N_("whose rollout")},
    {0},
};

enum {
    EMERGENCY_POLICY,
};

const struct cli_option hub_emergency_options[] = {
    [EMERGENCY_POLICY] = {"policy", "SHA|VERSION", N_("the signed policy")},
    {0},
};

/* --- options --- */

static bool take_percent(const char *text, unsigned *ret)
{
    char digits[8];
    size_t length = text ? strlen(text) : 0;
    uint64_t n = 0;

    if (!text)
        return true;
    if (length > 0 && text[length - 1] == '%')
        length--;
    if (length >= sizeof(digits))
        return false;
    memcpy(digits, text, length);
    digits[length] = '\0';
    if (text_to_u64(digits, ROLLOUT_PERCENT_MAX, &n) < 0)
        return false;
    *ret = (unsigned)n;
    return true;
}

static bool take_percents(const char *text, unsigned ret[static HUB_ROLLOUT_PERCENTS_MAX + 1])
{
    _cleanup_free_ char *copy = text ? strdup(text) : NULL;
    char *rest = copy, *word;
    size_t n = 0;

    while (rest && (word = strsep(&rest, ",")))
        if (n == HUB_ROLLOUT_PERCENTS_MAX || !take_percent(word, &ret[n]) || ret[n++] == 0)
            return false;
    return !text || n > 0;
}

static bool take_wait(const char *text, int64_t *ret)
{
    static const struct {
        char unit;
        int64_t seconds;
    } units[] = {{'s', 1}, {'m', 60}, {'h', 3600}};
    char digits[16];
    size_t length = text ? strlen(text) : 0;
    uint64_t n = 0;

    if (!text)
        return true;
    if (length < 2 || length > sizeof(digits))
        return false;
    memcpy(digits, text, length - 1);
    digits[length - 1] = '\0';
    if (text_to_u64(digits, HUB_ROLLOUT_WAIT_MAX_S, &n) < 0 || n == 0)
        return false;
    for (size_t i = 0; i < ELEMENTS(units); i++)
        if (units[i].unit == text[length - 1] && n * (uint64_t)units[i].seconds <= HUB_ROLLOUT_WAIT_MAX_S) {
            *ret = (int64_t)n * units[i].seconds * SECOND_US;
            return true;
        }
    return false;
}

static bool take_group(const char *text, char ret[static HUB_NAME_MAX + 1])
{
    if (text && !hub_group_name_is_good(text))
        return false;
    if (text)
        memcpy(ret, text, strlen(text) + 1);
    return true;
}

static enum cli_exit take_options(struct cli *c, const struct cli_arguments *a, struct hub_rollout *o)
{
    const char *const *v = a->values;
    struct rollout_plan plan;
    uint64_t canaries = 0;

    if (!v[OPTION_GROUP] || !v[OPTION_POLICY])
        return cli_usage(c, _("--group and --policy are needed"));
    if (!take_group(v[OPTION_GROUP], o->group) || !take_group(v[OPTION_CANARY_GROUP], o->canary_group))
        return cli_usage(c, _("a group's name is 1 to %d of a-z, 0-9, “-” and “_”"), HUB_NAME_MAX);
    if (v[OPTION_CANARY] && (text_to_u64(v[OPTION_CANARY], CANARIES_MAX, &canaries) < 0 || canaries == 0))
        return cli_usage(c, _("--canary is 1 to %d"), CANARIES_MAX);
    o->canaries = (unsigned)canaries;
    if (!take_percents(v[OPTION_PERCENT], o->percents) ||
        rollout_plan_make(o->canaries, *o->canary_group != '\0', o->percents, &plan) < 0)
        return cli_usage(c, _("--percent is up to %d rising numbers from 1 to 99, such as 10,50"),
                         HUB_ROLLOUT_PERCENTS_MAX);
    if (!take_percent(v[OPTION_HALT_FAILED], &o->halt_failed) || !take_percent(v[OPTION_HALT_SILENT], &o->halt_silent))
        return cli_usage(c, _("--halt-failed and --halt-silent are 0 to 100"));
    if (!take_wait(v[OPTION_WAIT], &o->wait_us))
        return cli_usage(c, _("“%s” is no time such as 30s, 10m or 2h, or more than a week"),
                         cli_safe(c, v[OPTION_WAIT]));
    return CLI_OK;
}

/* --- start --- */

static enum cli_exit refused(struct cli *c, int r, const struct hub_rollout *o)
{
    switch (r) {
    case HUB_ROLLOUT_E_GROUP:
        cli_error(c, _("there is no group %s; “kuraban-hub group create” makes one"), cli_safe(c, o->group));
        return CLI_NO;
    case HUB_ROLLOUT_E_OLDER:
        cli_error(c, _("group %s: terminals have another policy of this version or a later one, and would refuse it"),
                  cli_safe(c, o->group));
        cli_next(c, _("to go back, two people sign the old content with a higher version"));
        return CLI_NO;
    case HUB_ROLLOUT_E_RULES:
        cli_error(c, _("group %s: this is its policy already"), cli_safe(c, o->group));
        return CLI_NO;
    case HUB_ROLLOUT_E_NONE:
        cli_error(c, _("group %s: no rollout that this could be done to; “kuraban-hub rollout status” has them"),
                  cli_safe(c, o->group));
        return CLI_NO;
    default:
        return hub_failed(c, r < 0 ? r : -EUCLEAN);
    }
}

static void show_started(struct cli *c, const json_t *answer)
{
    (void)fprintf(c->out,
                  _("Rollout %lld: policy version %lld to the group %s. “kuraban-hub rollout status” follows it."),
                  (long long)value_number(answer, "rollout"), (long long)value_number(answer, "version"),
                  cli_safe(c, value_string(answer, "group")));
    (void)fputc('\n', c->out);
}

/* Would a terminal of the group take it now? */
static enum cli_exit check_policy(struct cli *c, struct hub_store *store, const struct hub_rollout *o)
{
    struct trust_complaint complaint = {.translate = i18n_translate};
    struct rollout_document d = {0};
    struct rollout_roots roots = {0};
    enum cli_exit code = hub_roots(c, store, &roots);
    int r = code == CLI_OK ? rollout_document_read(store, &o->policy, &d) : 0;

    if (code == CLI_OK && r <= 0)
        code = hub_failed(c, r < 0 ? r : -EUCLEAN);
    if (code == CLI_OK) {
        r = trust_envelope_verify(d.envelope, roots.newest, TRUST_ROLE_POLICY, NULL, &complaint);
        if (r == TRUST_OK)
            r = rollout_policy_fits(roots.newest, d.policy, o->group, clock_wall_us(), &complaint);
        if (r != TRUST_OK)
            code = hub_refused(c, d.policy->name, r, &complaint);
    }
    rollout_document_done(&d);
    rollout_roots_done(&roots);
    return code;
}

static json_t *started(const struct hub_rollout *o, uint64_t number)
{
    return json_pack("{s:I, s:s, s:I}", "rollout", (json_int_t)number, "group", o->group, "version",
                     (json_int_t)o->policy_version);
}

static enum cli_exit start(struct cli *c, struct hub_store *store, const char *policy, struct hub_rollout *o)
{
    const struct hub_actor actor = hub_actor_of(c);
    struct hub_policy found = {0};
    uint64_t number = 0;
    json_t *answer;
    enum cli_exit code = hub_policy_find(c, store, policy, &found);
    int r;

    o->policy = found.document;
    o->policy_version = found.version;
    if (code == CLI_OK)
        code = check_policy(c, store, o);
    if (code != CLI_OK)
        return code;
    r = hub_rollout_add(store, &actor, o, &number);
    if (r != HUB_ROLLOUT_OK)
        return refused(c, r, o);
    answer = started(o, number);
    if (!answer)
        return hub_failed(c, -ENOMEM);
    cli_show(c, answer, show_started);
    json_decref(answer);
    return CLI_OK;
}

enum cli_exit hub_cli_rollout_start(struct cli *c, const struct cli_arguments *a)
{
    struct hub_rollout o = {
        .halt_failed = HALT_FAILED_DEFAULT, .halt_silent = HALT_SILENT_DEFAULT, .wait_us = WAIT_DEFAULT_US};
    struct centre centre;
    enum cli_exit code = take_options(c, a, &o);

    if (code == CLI_OK)
        code = hub_open(c, &centre);
    if (code != CLI_OK)
        return code;
    code = start(c, centre.store, a->values[OPTION_POLICY], &o);
    centre_close(&centre);
    return code;
}

/* --- halt, resume, continue --- */

static void show_halted(struct cli *c, const json_t *answer)
{
    (void)fprintf(c->out, _("Group %s: the rollout is halted; nobody more gets the policy."),
                  cli_safe(c, value_string(answer, "group")));
    (void)fputc('\n', c->out);
}

static void show_resumed(struct cli *c, const json_t *answer)
{
    (void)fprintf(c->out, _("Group %s: the rollout goes on; what its terminals say now does not halt it again."),
                  cli_safe(c, value_string(answer, "group")));
    (void)fputc('\n', c->out);
}

static void show_continued(struct cli *c, const json_t *answer)
{
    (void)fprintf(c->out, _("Group %s: the next step begins now."), cli_safe(c, value_string(answer, "group")));
    (void)fputc('\n', c->out);
}

static enum cli_exit say(struct cli *c, const struct cli_arguments *a,
                         int (*word)(struct hub_store *s, const struct hub_actor *actor, const char *group),
                         cli_text *text)
{
    const struct hub_actor actor = hub_actor_of(c);
    struct hub_rollout o = {0};
    struct centre centre;
    enum cli_exit code;
    json_t *answer;
    int r;

    if (!take_group(a->values[OPTION_GROUP], o.group) || !*o.group)
        return cli_usage(c, _("--group is needed"));
    code = hub_open(c, &centre);
    if (code != CLI_OK)
        return code;
    r = word(centre.store, &actor, o.group);
    centre_close(&centre);
    if (r != HUB_ROLLOUT_OK)
        return refused(c, r, &o);
    answer = json_pack("{s:s}", "group", o.group);
    if (!answer)
        return hub_failed(c, -ENOMEM);
    cli_show(c, answer, text);
    json_decref(answer);
    return CLI_OK;
}

enum cli_exit hub_cli_rollout_halt(struct cli *c, const struct cli_arguments *a)
{
    return say(c, a, hub_rollout_halt, show_halted);
}

enum cli_exit hub_cli_rollout_resume(struct cli *c, const struct cli_arguments *a)
{
    return say(c, a, hub_rollout_resume, show_resumed);
}

enum cli_exit hub_cli_rollout_continue(struct cli *c, const struct cli_arguments *a)
{
    return say(c, a, hub_rollout_continue, show_continued);
}

/* --- emergency --- */

struct emergency {
    char (*groups)[HUB_NAME_MAX + 1];
    size_t n;
};

static int add_group(void *context, const struct hub_group *group)
{
    struct emergency *e = context;
    void *groups = reallocarray(e->groups, e->n + 1, sizeof(*e->groups));

    if (!groups)
        return -ENOMEM;
    e->groups = groups;
    memcpy(e->groups[e->n++], group->name, sizeof(group->name));
    return 0;
}

static void show_emergency(struct cli *c, const json_t *answer)
{
    const json_t *item;
    size_t i;

    json_array_foreach(json_object_get(answer, "started"), i, item) show_started(c, item);
}

/* One group; those that have it already are no failure. */
static enum cli_exit start_at_once(struct cli *c, struct hub_store *store, struct hub_rollout *o, json_t *done)
{
    const struct hub_actor actor = hub_actor_of(c);
    uint64_t number = 0;
    enum cli_exit code = check_policy(c, store, o);
    int r;

    if (code != CLI_OK)
        return code;
    r = hub_rollout_add(store, &actor, o, &number);
    if (r == HUB_ROLLOUT_E_RULES)
        return CLI_OK;
    if (r != HUB_ROLLOUT_OK)
        return refused(c, r, o);
    return json_array_append_new(done, started(o, number)) < 0 ? hub_failed(c, -ENOMEM) : CLI_OK;
}

/* All groups that it can be said to; one that refuses does not hold the others up. */
static enum cli_exit start_everywhere(struct cli *c, struct hub_store *store, const struct hub_policy *p,
                                      const struct emergency *e)
{
    json_t *done = json_array(), *answer;
    enum cli_exit code = CLI_OK;

    for (size_t i = 0; i < e->n; i++) {
        struct hub_rollout o = {.policy = p->document,
                                .policy_version = p->version,
                                .halt_failed = 100,
                                .halt_silent = 100,
                                .wait_us = SECOND_US};
        enum cli_exit one;

        memcpy(o.group, e->groups[i], sizeof(o.group));
        one = start_at_once(c, store, &o, done);
        code = one == CLI_OK ? code : one;
    }
    answer = json_pack("{s:o}", "started", done);
    if (!answer)
        return hub_failed(c, -ENOMEM);
    cli_show(c, answer, show_emergency);
    json_decref(answer);
    return code;
}

enum cli_exit hub_cli_emergency(struct cli *c, const struct cli_arguments *a)
{
    struct emergency e = {0};
    struct hub_policy p = {0};
    struct centre centre;
    enum cli_exit code;
    int r;

    if (!a->values[EMERGENCY_POLICY])
        return cli_usage(c, _("--policy is needed"));
    code = hub_open(c, &centre);
    if (code != CLI_OK)
        return code;
    code = hub_policy_find(c, centre.store, a->values[EMERGENCY_POLICY], &p);
    if (code == CLI_OK) {
        r = hub_group_each(centre.store, add_group, &e);
        code = r < 0 ? hub_failed(c, r) : start_everywhere(c, centre.store, &p, &e);
    }
    free(e.groups);
    centre_close(&centre);
    return code;
}
