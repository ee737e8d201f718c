/*
 * kuraban policy test: does a policy still decide what its city expects of it? Needs neither root nor a daemon nor the people
 * and devices it speaks of. Owns: reading both files, the account. Must not: decide (cases.c).
 */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/cases.h"
#include "cli/cli.h"
#include "cli/explain_text.h"
#include "cli/i18n.h"
#include "cli/policy_file.h"
#include "cli/value.h"
#include "json/whole.h"
#include "policy/findings.h"

enum {
    OPTION_POLICY
};

const struct cli_option cli_policy_test_options[] = {
    [OPTION_POLICY] = {"policy", "FILE", N_("this policy file instead of the configured one")},
    {0},
};

/* Told once all are decided: the text names files. */
struct run {
    const char *cases_file, *policy_file;
    struct policy_cases *cases;
    struct policy *policy;
    struct names names;
};

static enum cli_exit show_findings(struct cli *c, const struct policy_findings *findings, const char *file,
                                   const uint8_t *bytes, size_t size)
{
    if (c->json) {
        json_t *answer = json_pack("{s:b, s:o}", "ok", 0, "findings", policy_file_findings(findings));

        cli_show(c, answer, NULL);
        json_decref(answer);
    } else {
        policy_findings_print(findings, c->out, cli_safe(c, file), bytes, size);
    }
    return CLI_NO;
}

static enum cli_exit load_cases(struct cli *c, struct run *run)
{
    struct policy_findings findings = {.translate = i18n_translate};
    _cleanup_free_ uint8_t *bytes = NULL;
    enum cli_exit code = CLI_OK;
    size_t size = 0;
    int r = policy_file_read_up_to(run->cases_file, POLICY_CASES_SIZE_MAX, &bytes, &size);

    if (r == 0)
        r = policy_cases_load(bytes, size, &findings, &run->cases);
    if (r > 0) {
        code = show_findings(c, &findings, run->cases_file, bytes, size);
    } else if (r < 0) {
        cli_error(c, "%s: %s", cli_safe(c, run->cases_file),
                  r == -EINVAL ? _("this is not a regular file") : strerror(-r));
        code = CLI_FAILED;
    }
    policy_findings_done(&findings);
    return code;
}

/* Hours and bare dates are those of the terminals, before the policy is read. tzset(3) takes what it does not know for UTC. */
static enum cli_exit set_timezone(struct cli *c, const struct run *run)
{
    const char *directory = getenv("TZDIR"), *name = run->cases->timezone;
    char path[512];

    if (!name)
        return CLI_OK;
    (void)snprintf(path, sizeof(path), "%s/%s", directory && *directory ? directory : "/usr/share/zoneinfo", name);
    if (access(path, R_OK) < 0) {
        cli_error(c, _("%s:%u:%u: this machine does not know the time zone %s"), cli_safe(c, run->cases_file),
                  run->cases->timezone_at.line, run->cases->timezone_at.column, name);
        return CLI_FAILED;
    }
    if (setenv("TZ", name, 1) < 0)
        return CLI_FAILED;
    tzset();
    return CLI_OK;
}

static json_t *decide_all(struct run *run)
{
    json_t *results = json_array();
    size_t failed = 0;

    for (size_t i = 0; i < run->cases->n; i++) {
        json_t *result = cases_decide(&run->cases->items[i], run->policy, run->policy_file, &run->names);

        if (!result) {
            json_decref(results);
            return NULL;
        }
        failed += !value_bool(result, "ok");
        whole_add(&results, result);
    }
    return json_pack("{s:b, s:s, s:s, s:i, s:i, s:o}", "ok", failed == 0, "file", run->cases_file, "policy",
                     run->policy_file, "cases", (int)run->cases->n, "failed", (int)failed, "results", results);
}

static const char *key_words(const char *key)
{
    if (text_equal(key, "verdict"))
        return _("verdict");
    if (text_equal(key, "granted"))
        return _("granted");
    if (text_equal(key, "rule"))
        return _("rule");
    return _("reason");
}

static void tell_failure(struct cli *c, const char *file, const json_t *result)
{
    const json_t *failure, *step;
    size_t i;

    json_array_foreach(json_object_get(result, "failures"), i, failure)
    {
        (void)fprintf(c->out, "%s:%" PRIi64 ":%" PRIi64 ": %s: ", cli_safe(c, file), value_number(failure, "line"),
                      value_number(failure, "column"), cli_safe(c, value_string(result, "name")));
        (void)fprintf(c->out, _("%s: expected %s, decided %s"), key_words(value_string(failure, "key")),
                      cli_safe(c, value_string(failure, "expected")), cli_safe(c, value_string(failure, "decided")));
        (void)fputc('\n', c->out);
    }
    if (json_array_size(json_object_get(result, "steps")) == 0)
        (void)fprintf(c->out, "    %s\n", _("The file is in no store and on no medium: nothing guards it."));
    json_array_foreach(json_object_get(result, "steps"), i, step) explain_text_step(c, step, 4);
}

static void text_test(struct cli *c, const json_t *answer)
{
    int64_t n = value_number(answer, "cases"), failed = value_number(answer, "failed");
    const json_t *result;
    size_t i;

    json_array_foreach(json_object_get(answer, "results"), i, result)
    {
        if (!value_bool(result, "ok"))
            tell_failure(c, value_string(answer, "file"), result);
        cli_forget(c);
    }
    (void)fprintf(c->out, _("%" PRIi64 " cases: %" PRIi64 " as expected, %" PRIi64 " not"), n, n - failed, failed);
    (void)fputc('\n', c->out);
}

static enum cli_exit run_all(struct cli *c, const char *policy_file, struct run *run)
{
    struct policy_names ops = names_ops(&run->names);
    enum cli_exit code = load_cases(c, run);
    json_t *answer;

    if (code == CLI_OK)
        code = set_timezone(c, run);
    if (code == CLI_OK)
        code = policy_file_load_as(c, policy_file, &ops, &run->policy, &run->policy_file);
    if (code != CLI_OK)
        return code;
    answer = decide_all(run);
    if (!answer) {
        cli_error(c, _("the answer could not be put together"));
        return CLI_FAILED;
    }
    cli_show(c, answer, text_test);
    code = value_bool(answer, "ok") ? CLI_OK : CLI_NO;
    json_decref(answer);
    return code;
}

enum cli_exit cli_policy_test(struct cli *c, const struct cli_arguments *a)
{
    struct run run = {.cases_file = a->words[0]};
    enum cli_exit code = run_all(c, a->values[OPTION_POLICY], &run);

    (void)policy_unref(run.policy);
    (void)policy_cases_free(run.cases);
    names_done(&run.names);
    return code;
}
