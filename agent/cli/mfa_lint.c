/* kuraban mfa lint: the ways round the second factor on this machine, with their lines. Must not: change one. */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "bypass/bypass.h"
#include "cli/cli.h"
#include "cli/i18n.h"
#include "cli/lint_words.h"
#include "cli/sshd_ask.h"
#include "cli/value.h"
#include "config/config.h"
#include "ctl/client.h"
#include "ctl/protocol.h"
#include "json/whole.h"
#include "policy/warn.h"

enum {
    OPTION_ROOT,
    WORDS_MAX = 1024,
    DEADLINE_MS = 5000,
};

const struct cli_option cli_mfa_lint_options[] = {
    [OPTION_ROOT] = {"root", "DIR", N_("look at the machine below this directory")},
    {0},
};

/* What it means, with its subject put in. No format of a catalogue is given to printf: a %s is all there may be. */
static void means(const struct bypass_finding *f, char *ret, size_t size)
{
    const char *words = lint_means(f->kind), *at = strstr(words, "%s");

    if (at)
        (void)snprintf(ret, size, "%.*s%s%s", (int)(at - words), words, f->subject, at + strlen("%s"));
    else
        (void)snprintf(ret, size, "%s", words);
}

/* --- policy --- */

/* What policy says of logins; NULL when kuraband does not answer, untold. */
static json_t *ask_policy(struct cli *c)
{
    struct ctl_client client = {.socket = -1};
    uint32_t code = CTL_CODE_FAILED;
    json_t *answer = NULL;

    if (!c->place && access(CONFIG_DEFAULT_PATH, R_OK) < 0)
        return NULL;
    if (cli_config(c) != CLI_OK || ctl_client_open(c->config->run_directory, &client) < 0)
        return NULL;
    if (ctl_client_ask(&client, CTL_MFA_STATUS, NULL, DEADLINE_MS, &code, &answer) < 0)
        answer = NULL;
    ctl_client_close(&client);
    if (code != CTL_CODE_OK) {
        json_decref(answer);
        answer = NULL;
    }
    return answer;
}

static bool has(const json_t *services, const char *service)
{
    const json_t *one;
    size_t i;

    json_array_foreach(services, i, one) if (text_equal(json_string_value(one), service)) return true;
    return json_array_size(services) == 0;
}

static bool answers_once(const char *service)
{
    const char *name;

    for (size_t i = 0; (name = policy_answers_once(i)); i++)
        if (text_equal(name, service))
            return true;
    return false;
}

/* Programs that no one can answer to whom policy asks for a code; login NULL: what policy asks is not known. */
static int look_programs(const json_t *login, struct bypass_report *r)
{
    int code = 0;

    for (size_t i = 0; i < r->n_both && code == 0; i++) {
        const struct bypass_both *b = &r->both[i];

        if (answers_once(b->service) && (!login || has(json_object_get(login, "services"), b->service)))
            code = bypass_report_add(r, BYPASS_NOTE_ONCE, b->file, 0, NULL, b->service);
    }
    return code;
}

/* The module asks kuraband, and kuraband policy: what it leaves out is open, however good the stack is. */
static int look_policy(struct cli *c, struct bypass_report *r)
{
    json_t *status = ask_policy(c);
    const json_t *login = json_object_get(status, "login");
    int code = 0;

    if (!status)
        code = bypass_report_add(r, BYPASS_NOTE_POLICY, "kuraband", 0, NULL, "");
    else if (!json_is_object(login))
        code = bypass_report_add(r, BYPASS_POLICY_NONE, "kuraband", 0, NULL, "");
    for (size_t i = 0; i < r->n_closed && code == 0 && json_is_object(login); i++)
        if (!has(json_object_get(login, "services"), r->closed[i]))
            code = bypass_report_add(r, BYPASS_NOTE_SERVICES, "kuraband", 0, NULL, r->closed[i]);
    if (code == 0 && (!status || json_is_object(login)))
        code = look_programs(login, r);
    json_decref(status);
    return code;
}

/* --- the report --- */

static json_t *finding_json(struct cli *c, const struct bypass_finding *f)
{
    char words[WORDS_MAX];

    means(f, words, sizeof(words));
    return json_pack("{s:s, s:b, s:s, s:I, s:s, s:s, s:s, s:s}", "kind", bypass_kind_name(f->kind), "note",
                     bypass_is_note(f->kind), "file", cli_safe(c, f->file), "line", (json_int_t)f->line, "text",
                     cli_safe(c, f->text), "subject", cli_safe(c, f->subject), "message", cli_safe(c, words), "todo",
                     lint_todo(f->kind));
}

static json_t *report_json(struct cli *c, const char *root, const struct bypass_report *r)
{
    json_t *findings = json_array(), *exceptions = json_array(), *closed = json_array();
    bool good = true;

    for (size_t i = 0; i < r->n_findings; i++) {
        good &= bypass_is_note(r->findings[i].kind);
        whole_add(&findings, finding_json(c, &r->findings[i]));
    }
    for (size_t i = 0; i < r->n_exceptions; i++)
        whole_add(&exceptions, json_pack("{s:s, s:s, s:s}", "service", cli_safe(c, r->exceptions[i].service), "reason",
                                         bypass_reason_name(r->exceptions[i].reason), "message",
                                         lint_reason(r->exceptions[i].reason)));
    for (size_t i = 0; i < r->n_closed; i++)
        whole_add(&closed, json_string(cli_safe(c, r->closed[i])));
    return json_pack("{s:s, s:b, s:o, s:o, s:o}", "root", cli_safe(c, root), "ok", good, "closed", closed, "findings",
                     findings, "excepted", exceptions);
}

/* "file:line: what it means", the line itself, and what to do, once for several of a kind. */
static void finding_text(struct cli *c, const json_t *f, const json_t *next)
{
    int64_t line = value_number(f, "line");

    (void)fputs(value_string(f, "file"), c->out);
    if (line > 0)
        (void)fprintf(c->out, ":%lld", (long long)line);
    (void)fprintf(c->out, value_bool(f, "note") ? _(": note: %s") : ": %s", value_string(f, "message"));
    (void)fputc('\n', c->out);
    if (*value_string(f, "text"))
        (void)fprintf(c->out, "    | %s\n", value_string(f, "text"));
    if (*value_string(f, "todo") && !text_equal(value_string(f, "kind"), value_string(next, "kind")))
        (void)fprintf(c->out, "    → %s\n", value_string(f, "todo"));
}

static void text(struct cli *c, const json_t *answer)
{
    const json_t *one, *findings = json_object_get(answer, "findings"), *excepted = json_object_get(answer, "excepted");
    size_t i, ways = 0;

    json_array_foreach(findings, i, one)
    {
        finding_text(c, one, json_array_get(findings, i + 1));
        ways += !value_bool(one, "note");
    }
    if (json_array_size(findings) > 0)
        (void)fputc('\n', c->out);
    json_array_foreach(excepted, i, one)
    {
        (void)fprintf(c->out, _("Not looked at: %s (%s)."), value_string(one, "service"), value_string(one, "message"));
        (void)fputc('\n', c->out);
    }
    if (ways > 0)
        (void)fprintf(c->out, ngettext("%zu way round the second factor.", "%zu ways round the second factor.", ways),
                      ways);
    else
        (void)fputs(_("No way round the second factor was found."), c->out);
    (void)fputc('\n', c->out);
}

enum cli_exit cli_mfa_lint(struct cli *c, const struct cli_arguments *a)
{
    const char *root = a->values[OPTION_ROOT] ? a->values[OPTION_ROOT] : "/";
    _cleanup_free_ char *sshd = NULL;
    struct bypass_report report = {0};
    enum cli_exit code = CLI_OK;
    json_t *answer;
    int r;

    /* Another machine's sshd cannot be asked; a failure of ours is told by the report's note. */
    if (!a->values[OPTION_ROOT])
        (void)sshd_ask(&sshd);
    r = bypass_look(root, sshd, &report);
    if (r == 0)
        r = a->values[OPTION_ROOT] ? look_programs(NULL, &report) : look_policy(c, &report);
    if (r < 0) {
        cli_error(c, "%s: %s", cli_safe(c, root), strerror(-r));
        bypass_report_done(&report);
        return r == -EACCES ? CLI_NOT_PERMITTED : CLI_FAILED;
    }
    answer = report_json(c, root, &report);
    cli_show(c, answer, text);
    if (!json_is_true(json_object_get(answer, "ok")))
        code = CLI_NO;
    json_decref(answer);
    bypass_report_done(&report);
    return code;
}
