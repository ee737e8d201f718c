/*
 * kuraban policy explain: for a device that is plugged in, or for a program and a file, which rule decides and why the earlier
 * ones do not. Works on the policy file, without a daemon.
 */
#include <inttypes.h>
#include <jansson.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "cli/cli.h"
#include "cli/explain.h"
#include "cli/i18n.h"
#include "cli/policy_file.h"
#include "cli/present.h"
#include "cli/table.h"
#include "cli/value.h"
#include "cli/why_words.h"
#include "decide/decide.h"

enum {
    OPTION_DEVICE,
    OPTION_PATH,
    OPTION_PROGRAM,
    OPTION_USER,
    OPTION_AT,
    OPTION_POLICY,
    OPTION_WRITE,
    OPTION_EXECUTE,
};

const struct cli_option cli_policy_explain_options[] = {
    [OPTION_DEVICE] = {"device", "ID", N_("a device of “kuraban devices”, or its name in sysfs (1-2)")},
    [OPTION_PATH] = {"path", "FILE", N_("a file of a store")},
    [OPTION_PROGRAM] = {"program", "EXE", N_("the program that opens it")},
    [OPTION_USER] = {"user", "USER", N_("the person, instead of you")},
    [OPTION_AT] = {"at", "TIME", N_("the moment, instead of now (2026-11-23T10:00:00+09:00)")},
    [OPTION_POLICY] = {"policy", "FILE", N_("this policy file instead of the configured one")},
    [OPTION_WRITE] = {"write", NULL, N_("it is opened for writing")},
    [OPTION_EXECUTE] = {"execute", NULL, N_("it is executed")},
    {0},
};

static const char *mismatch_words(enum decide_mismatch m)
{
    static const char *const words[] = {
        [MISMATCH_NONE] = N_("matches, but an earlier rule decides"),
        [MISMATCH_DEVICE] = N_("other vendor or product"),
        [MISMATCH_SERIAL] = N_("other serial number"),
        [MISMATCH_NAME] = N_("other name"),
        [MISMATCH_HASH] = N_("other identity"),
        [MISMATCH_PARENT_HASH] = N_("on another hub"),
        [MISMATCH_USBGUARD_HASH] = N_("other USBGuard hash"),
        [MISMATCH_USBGUARD_PARENT_HASH] = N_("on a hub with another USBGuard hash"),
        [MISMATCH_PORT] = N_("on another port"),
        [MISMATCH_CONNECT_TYPE] = N_("other kind of port"),
        [MISMATCH_INTERFACES] = N_("other interfaces"),
        [MISMATCH_BUS] = N_("other bus"),
        [MISMATCH_PATH] = N_("other device node"),
        [MISMATCH_FILESYSTEM] = N_("other filesystem"),
        [MISMATCH_LABEL] = N_("other label"),
        [MISMATCH_UUID] = N_("other UUID"),
        [MISMATCH_CAPACITY] = N_("too large"),
        [MISMATCH_WHO] = N_("refuses other people"),
        [MISMATCH_WHEN] = N_("refuses at other hours"),
        [MISMATCH_EXPIRED] = N_("has ended"),
    };

    return (unsigned)m < ELEMENTS(words) && words[m] ? _(words[m]) : "";
}

static const char *allow_name(enum policy_allow allow)
{
    static const char *const names[] = {
        [POLICY_REFUSE] = "refuse", [POLICY_READ] = "read", [POLICY_USE] = "use", [POLICY_EXPORT] = "export"};

    return (unsigned)allow < ELEMENTS(names) ? names[allow] : "refuse";
}

static json_t *describe_rules(const struct policy *policy, const struct decide_usb_facts *facts,
                              const struct verdict *v)
{
    json_t *rules = json_array();

    for (size_t i = 0; i < policy->n_usb; i++) {
        const struct policy_usb_rule *rule = &policy->usb[i];
        enum decide_mismatch m = decide_usb_mismatch(policy, i, facts);

        (void)json_array_append_new(rules, json_pack("{s:s, s:i, s:b, s:s}", "id", rule->id, "line", (int)rule->at.line,
                                                     "decides", text_equal(rule->id, v->rule), "mismatch",
                                                     decide_mismatch_name(m)));
    }
    return rules;
}

static json_t *describe_verdict(const struct verdict *v)
{
    return json_pack("{s:b, s:s, s:s, s:s, s:s, s:b}", "guarded", 1, "verdict", verdict_kind_name(v->kind), "granted",
                     allow_name(v->allow), "rule", v->rule ? v->rule : "default", "reason",
                     verdict_reason_name(v->reason), "would_refuse", v->kind != v->ruled);
}

static void tell_rules(struct cli *c, const json_t *rules)
{
    struct table *t = table_new(3);
    const json_t *rule;
    size_t i;

    json_array_foreach(rules, i, rule)
    {
        const char *name = value_string(rule, "mismatch");
        enum decide_mismatch m = MISMATCH_NONE;
        char line[32];

        while (m + 1 < MISMATCH_COUNT_ && !text_equal(decide_mismatch_name(m), name))
            m++;
        (void)snprintf(line, sizeof(line), _("line %" PRIi64), value_number(rule, "line"));
        table_add(t, (const char *[]){line, value_string(rule, "id"),
                                      value_bool(rule, "decides") ? _("decides") : mismatch_words(m)});
        if (value_bool(rule, "decides"))
            break; /* later rules are not looked at */
    }
    table_print(t, c->out, 2);
    (void)table_free(t);
}

static void text_explain(struct cli *c, const json_t *answer)
{
    const json_t *rules = json_object_get(answer, "rules");
    bool allowed = text_equal(value_string(answer, "verdict"), "allow");

    if (!value_bool(answer, "guarded")) {
        (void)fprintf(c->out, "%s\n", _("This file is in no store: opening it is not guarded."));
        return;
    }
    (void)fprintf(c->out, _("%s (%s) by rule %s"), value_verdict(value_string(answer, "verdict")),
                  value_granted(value_string(answer, "granted")), cli_safe(c, value_string(answer, "rule")));
    if (value_bool(answer, "would_refuse"))
        (void)fputs(_("; enforcing, it would be refused"), c->out);
    if (!allowed || value_bool(answer, "would_refuse"))
        (void)fprintf(c->out, "\n  %s", _(why_words_of(value_string(answer, "reason"))->reason));
    (void)fputc('\n', c->out);
    tell_rules(c, rules);
}

static enum cli_exit show(struct cli *c, json_t *answer)
{
    if (!answer) {
        cli_error(c, _("the answer could not be put together"));
        return CLI_FAILED;
    }
    cli_show(c, answer, text_explain);
    json_decref(answer);
    return CLI_OK;
}

static enum cli_exit explain_device(struct cli *c, const char *id, struct policy *policy,
                                    const struct explain_person *who, const struct decide_time *now)
{
    struct present *present = NULL;
    const struct usb_device *d;
    struct decide_usb_facts facts;
    struct verdict v = {0};
    json_t *answer;
    enum cli_exit code = present_read(c, policy, &present);

    if (code != CLI_OK)
        return code;
    d = present_find(present, id);
    if (!d) {
        (void)present_free(present);
        cli_error(c, _("no device “%s” is plugged in"), cli_safe(c, id));
        return CLI_FAILED;
    }
    usb_device_facts(d, &facts);
    facts.persons = &who->person;
    facts.n_persons = 1;
    facts.now = *now;
    decide_usb(policy, &facts, &v);
    answer = describe_verdict(&v);
    (void)json_object_set_new(answer, "device", json_string(usb_device_id(d)));
    (void)json_object_set_new(answer, "rules", describe_rules(policy, &facts, &v));
    (void)present_free(present);
    return show(c, answer);
}

static enum cli_exit explain_path(struct cli *c, const struct cli_arguments *a, const struct policy *policy,
                                  const struct explain_person *who, const struct decide_time *now)
{
    struct decide_open_facts facts = {.kind = DECIDE_OBJECT_STORE,
                                      .write = a->values[OPTION_WRITE] != NULL,
                                      .execute = a->values[OPTION_EXECUTE] != NULL,
                                      .now = *now};
    struct verdict v = {0};
    json_t *answer;
    int r = explain_find_store(policy, a->values[OPTION_PATH], &facts.store);

    if (r < 0) {
        cli_error(c, "%s: %s", cli_safe(c, a->values[OPTION_PATH]), strerror(-r));
        return CLI_FAILED;
    }
    if (r == EXPLAIN_E_NO_STORE)
        return show(c, json_pack("{s:b}", "guarded", 0));
    r = explain_subject(&policy->stores[facts.store], a->values[OPTION_PROGRAM], &facts.subject);
    if (r < 0) {
        cli_error(c, "%s: %s", cli_safe(c, a->values[OPTION_PROGRAM]), strerror(-r));
        return CLI_FAILED;
    }
    facts.subject.person = who->person;
    decide_open(policy, &facts, &v);
    answer = describe_verdict(&v);
    (void)json_object_set_new(answer, "store", json_string(policy->stores[facts.store].id));
    return show(c, answer);
}

static enum cli_exit usage(struct cli *c, const struct cli_arguments *a)
{
    bool device = a->values[OPTION_DEVICE], path = a->values[OPTION_PATH], program = a->values[OPTION_PROGRAM];

    if (device == path || path != program)
        return cli_usage(c, _("either --device, or --path with --program"));
    return CLI_OK;
}

enum cli_exit cli_policy_explain(struct cli *c, const struct cli_arguments *a)
{
    struct explain_person who = {0};
    struct policy *policy = NULL;
    struct decide_time now;
    int64_t wall_us = clock_wall_us();
    enum cli_exit code = usage(c, a);

    if (code != CLI_OK)
        return code;
    if (a->values[OPTION_AT] && clock_parse_rfc3339(a->values[OPTION_AT], &wall_us) < 0)
        return cli_usage(c, _("--at: “%s” is no time"), cli_safe(c, a->values[OPTION_AT]));
    if (explain_find_person(a->values[OPTION_USER], &who) < 0)
        return cli_usage(c, _("there is no user “%s”"), cli_safe(c, a->values[OPTION_USER]));
    decide_time_local(wall_us, &now);
    code = policy_file_load(c, a->values[OPTION_POLICY], &policy);
    if (code == CLI_OK)
        code = a->values[OPTION_DEVICE] ? explain_device(c, a->values[OPTION_DEVICE], policy, &who, &now)
                                        : explain_path(c, a, policy, &who, &now);
    (void)policy_unref(policy);
    explain_person_done(&who);
    return code;
}
