/*
 * kuraban policy explain: for a device, a medium or a file, there or made up, which rule decides and why the earlier ones do
 * not. Works on the policy file, without a daemon. Owns: which facts are meant by the options. Must not: decide (decide/), say
 * it (explain_text.c).
 */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/evaluate.h"
#include "cli/explain.h"
#include "cli/explain_facts.h"
#include "cli/explain_text.h"
#include "cli/i18n.h"
#include "cli/names.h"
#include "cli/policy_file.h"
#include "json/whole.h"

const struct cli_option cli_policy_explain_options[] = {
    [EXPLAIN_DEVICE] = {"device", "ID", N_("a device or medium of “kuraban devices” (1-2, sdb1), or VENDOR:PRODUCT")},
    [EXPLAIN_SERIAL] = {"serial", "TEXT", N_("of a device that need not be there: its serial number")},
    [EXPLAIN_INTERFACE] = {"interface", "CC:SS:PP", N_("its interfaces; several with commas, or more than once")},
    [EXPLAIN_NAME] = {"name", "TEXT", N_("its product name")},
    [EXPLAIN_PORT] = {"port", "PORT", N_("where it is plugged in: 1-2.4")},
    [EXPLAIN_CONNECT_TYPE] = {"connect-type", "TYPE", N_("hardwired, hotplug")},
    [EXPLAIN_HASH] = {"hash", "HEX", N_("its identity hash")},
    [EXPLAIN_PARENT_HASH] = {"parent-hash", "HEX", N_("the identity hash of its hub")},
    [EXPLAIN_BUS] = {"bus", "BUS",
                     N_("a medium that need not be there: mmc, optical, firewire, thunderbolt, loop, other")},
    [EXPLAIN_NODE] = {"node", "NODE", N_("of a medium: its device node")},
    [EXPLAIN_FILESYSTEM] = {"filesystem", "TYPE", N_("its filesystem, as blkid names it")},
    [EXPLAIN_LABEL] = {"label", "TEXT", N_("its label")},
    [EXPLAIN_UUID] = {"uuid", "TEXT", N_("its UUID")},
    [EXPLAIN_CAPACITY] = {"capacity", "SIZE", N_("its size: 64G")},
    [EXPLAIN_LUKS] = {"luks", NULL, N_("it lies inside a LUKS container")},
    [EXPLAIN_PATH] = {"path", "FILE", N_("a file of a store, of a medium, or of a mounted filesystem")},
    [EXPLAIN_PROGRAM] = {"program", "EXE", N_("the program that opens it")},
    [EXPLAIN_WRITE] = {"write", NULL, N_("it is opened for writing")},
    [EXPLAIN_EXECUTE] = {"execute", NULL, N_("it is executed")},
    [EXPLAIN_EXPORT] = {"export", NULL, N_("it is taken out to the device or medium, codes and approvals given")},
    [EXPLAIN_SIZE] = {"size", "SIZE", N_("of a file that is not there: 10M")},
    [EXPLAIN_UNLOCKED] = {"unlocked", NULL, N_("the person has unlocked the device and its medium")},
    [EXPLAIN_USER] = {"user", "USER", N_("the person, instead of you")},
    [EXPLAIN_GROUPS] = {"groups", "NAMES", N_("the person's groups, with commas; names are not looked up then")},
    [EXPLAIN_AT] = {"at", "TIME", N_("the moment, instead of now (2026-11-23T10:00:00+09:00)")},
    [EXPLAIN_POLICY] = {"policy", "FILE", N_("this policy file instead of the configured one")},
    {0},
};
_Static_assert((int)EXPLAIN_OPTION_COUNT_ <= (int)CLI_OPTIONS_MAX, "cli_arguments has room for them");

/* The person by the name service, or by the names given alone; then the policy's names are taken the same way. */
static enum cli_exit find_person(struct cli *c, const struct cli_arguments *a, struct names *names,
                                 struct explain_person *ret)
{
    const char *user = a->values[EXPLAIN_USER], *given = a->values[EXPLAIN_GROUPS];
    const char *groups[EXPLAIN_GROUPS_MAX];
    char *copy, *rest, *word;
    size_t n = 0;
    int r;

    if (!given) {
        if (explain_find_person(user, ret) == 0)
            return CLI_OK;
        return cli_usage(c, _("there is no user “%s”"), cli_safe(c, user));
    }
    copy = strdup(given);
    for (rest = copy; rest && n < EXPLAIN_GROUPS_MAX && (word = strsep(&rest, ","));)
        if (*word)
            groups[n++] = word;
    r = copy ? names_person(names, user, groups, n, ret) : -ENOMEM;
    free(copy);
    if (r == 0)
        return CLI_OK;
    cli_error(c, "%s", strerror(-r));
    return CLI_FAILED;
}

static void add_extras(json_t **answer, const struct explain_facts *f, const struct policy *policy)
{
    const struct decide_open_facts *open = &f->facts.open;

    if (f->device[0])
        whole_set(answer, "device", json_string(f->device));
    if (f->facts.has_open && open->kind == DECIDE_OBJECT_STORE)
        whole_set(answer, "store", json_string(policy->stores[open->store].id));
    if (f->facts.has_export && f->facts.export.store >= 0)
        whole_set(answer, "store", json_string(policy->stores[f->facts.export.store].id));
    whole_set(answer, "by_name", json_boolean(f->by_name));
    whole_set(answer, "person", json_string(f->facts.person));
}

/* The last step is the answer; `steps` has them all. */
static json_t *describe(const struct policy *policy, const char *file, const struct explain_facts *f)
{
    struct evaluate_steps steps;
    json_t *all = json_array(), *answer;

    evaluate(policy, &f->facts, &steps);
    for (size_t i = 0; i < steps.n; i++)
        whole_add(&all, evaluate_describe(policy, file, &f->facts, &steps, i));
    answer = steps.n > 0 ? json_copy(json_array_get(all, steps.n - 1))
                         : json_pack("{s:b, s:s}", "guarded", 0, "object", "file");
    if (answer) {
        add_extras(&answer, f, policy);
        whole_set(&answer, "steps", json_incref(all));
    }
    json_decref(all);
    return answer;
}

static enum cli_exit explain(struct cli *c, const struct cli_arguments *a, struct policy *policy, const char *file,
                             const struct explain_person *who, const struct decide_time *now)
{
    struct explain_facts f = {0};
    enum cli_exit code = explain_facts_gather(c, a, policy, who, now, &f);
    json_t *answer;

    if (code == CLI_OK) {
        answer = describe(policy, file, &f);
        if (answer) {
            cli_show(c, answer, explain_text);
            json_decref(answer);
        } else {
            cli_error(c, _("the answer could not be put together"));
            code = CLI_FAILED;
        }
    }
    explain_facts_done(&f);
    return code;
}

enum cli_exit cli_policy_explain(struct cli *c, const struct cli_arguments *a)
{
    struct explain_person who = {0};
    struct names names = {0};
    struct policy_names ops = names_ops(&names);
    struct policy *policy = NULL;
    const char *file = "";
    struct decide_time now;
    int64_t wall_us = clock_wall_us();
    enum cli_exit code = explain_facts_usage(c, a);

    if (code != CLI_OK)
        return code;
    if (a->values[EXPLAIN_AT] && clock_parse_rfc3339(a->values[EXPLAIN_AT], &wall_us) < 0)
        return cli_usage(c, _("--at: “%s” is no time"), cli_safe(c, a->values[EXPLAIN_AT]));
    decide_time_local(wall_us, &now);
    code = find_person(c, a, &names, &who);
    if (code == CLI_OK)
        code =
            policy_file_load_as(c, a->values[EXPLAIN_POLICY], a->values[EXPLAIN_GROUPS] ? &ops : NULL, &policy, &file);
    if (code == CLI_OK)
        code = explain(c, a, policy, file, &who, &now);
    (void)policy_unref(policy);
    explain_person_done(&who);
    names_done(&names);
    return code;
}
