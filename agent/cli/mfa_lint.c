/* kuraban mfa lint: the ways round the second factor on this machine, with their lines. Must not: change one. */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "bypass/bypass.h"
#include "cli/cli.h"
#include "cli/i18n.h"
#include "cli/lint_words.h"
#include "cli/sshd_ask.h"
#include "cli/value.h"

enum {
    OPTION_ROOT,
    WORDS_MAX = 1024,
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
    json_t *findings = json_array(), *exceptions = json_array();
    bool good = true;

    for (size_t i = 0; i < r->n_findings; i++) {
        good &= bypass_is_note(r->findings[i].kind);
        (void)json_array_append_new(findings, finding_json(c, &r->findings[i]));
    }
    for (size_t i = 0; i < r->n_exceptions; i++)
        (void)json_array_append_new(exceptions,
                                    json_pack("{s:s, s:s, s:s}", "service", cli_safe(c, r->exceptions[i].service),
                                              "reason", bypass_reason_name(r->exceptions[i].reason), "message",
                                              lint_reason(r->exceptions[i].reason)));
    return json_pack("{s:s, s:b, s:I, s:o, s:o}", "root", cli_safe(c, root), "ok", good, "closed",
                     (json_int_t)r->n_services, "findings", findings, "excepted", exceptions);
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
    if (r < 0) {
        cli_error(c, "%s: %s", cli_safe(c, root), strerror(-r));
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
