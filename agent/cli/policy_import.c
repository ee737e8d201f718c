/*
 * kuraban policy import usbguard FILE: a policy from the rules of USBGuard on standard output, and on standard error what became of
 * every line. No daemon, no root; policy/import_usbguard.c translates.
 */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/cli.h"
#include "cli/i18n.h"
#include "cli/policy_file.h"
#include "json/whole.h"
#include "policy/import_usbguard.h"

enum {
    OPTION_DAEMON_CONF = 0,
    OPTION_ACCOUNT,
};

const struct cli_option cli_policy_import_usbguard_options[] = {
    {"daemon-conf", "FILE", N_("usbguard-daemon.conf, for what happens when no rule matches")},
    {"account", "FILE", N_("write what became of every line there instead of to standard error")},
    {0},
};

struct imported {
    const char *path, *configuration_path;
    uint8_t *rules, *configuration;
    size_t rules_size, configuration_size;
    struct policy_import_account account;
    struct buf document;
    bool valid;
};

static enum cli_exit read_file(struct cli *c, const char *path, uint8_t **ret_bytes, size_t *ret_size)
{
    int r = policy_file_read_up_to(path, POLICY_IMPORT_MAX, ret_bytes, ret_size);

    if (r == 0)
        return CLI_OK;
    cli_error(c, "%s: %s", cli_safe(c, path),
              r == -EINVAL  ? _("this is not a regular file")
              : r == -EFBIG ? _("more than 1 MiB is not read")
                            : strerror(-r));
    return CLI_FAILED;
}

static enum cli_exit translate(struct cli *c, struct imported *i)
{
    const struct policy_import_options options = {.organization = "example",
                                                  .name = "from USBGuard",
                                                  .configuration = i->configuration,
                                                  .configuration_size = i->configuration_size,
                                                  .translate = i18n_translate};
    int r = policy_import_usbguard(&options, i->rules, i->rules_size, &i->account, &i->document);

    i->valid = r == 0;
    if (r >= 0)
        return CLI_OK;
    cli_error(c, "%s: %s", cli_safe(c, i->path),
              r == -EFBIG     ? _("more than 10000 rules are not read")
              : r == -ENOBUFS ? _("the rules are more than one policy of 256 KiB can hold")
                              : strerror(-r));
    return CLI_FAILED;
}

/* --- The account --- */

static const char *outcome_words(enum policy_import_outcome o)
{
    static const char *const words[] = {
        [POLICY_IMPORT_INVALID] = N_("not a rule"),
        [POLICY_IMPORT_LOST] = N_("not wholly carried over"),
        [POLICY_IMPORT_NOTED] = N_("carried over, but note"),
        [POLICY_IMPORT_CARRIED] = N_("carried over"),
    };

    return _(words[o]);
}

static void write_place(struct cli *c, const struct imported *i, const struct policy_import_line *line, FILE *out)
{
    const char *path = line->configuration ? i->configuration_path : i->path;

    if (line->line == 0)
        (void)fprintf(out, "%s: ", cli_safe(c, path));
    else if (line->column == 0)
        (void)fprintf(out, "%s:%u: %s", cli_safe(c, path), line->line, outcome_words(line->outcome));
    else
        (void)fprintf(out, "%s:%u:%u: %s", cli_safe(c, path), line->line, line->column, outcome_words(line->outcome));
    if (line->rule[0])
        (void)fprintf(out, " (%s)", line->rule);
    if (line->line > 0 && line->reasons)
        (void)fputs(": ", out);
}

static void write_line(struct cli *c, const struct imported *i, const struct policy_import_line *line, FILE *out)
{
    const char *between = "";

    write_place(c, i, line, out);
    for (enum policy_import_reason r = 0; r < POLICY_IMPORT_REASON_COUNT_; r++) {
        if ((line->reasons & UINT32_C(1) << r) == 0)
            continue;
        (void)fprintf(out, "%s%s", between, _(policy_import_reason_text(r)));
        between = "; ";
    }
    (void)fputc('\n', out);
}

static void write_account(struct cli *c, const struct imported *i, FILE *out)
{
    const size_t *n = i->account.counts;

    for (size_t k = 0; k < i->account.n; k++)
        write_line(c, i, &i->account.lines[k], out);
    (void)fprintf(out, _("%s: %zu carried over, %zu of them with a note; %zu not wholly; %zu not a rule"),
                  cli_safe(c, i->path), n[POLICY_IMPORT_CARRIED] + n[POLICY_IMPORT_NOTED], n[POLICY_IMPORT_NOTED],
                  n[POLICY_IMPORT_LOST], n[POLICY_IMPORT_INVALID]);
    (void)fputc('\n', out);
    if (!i->valid)
        (void)fprintf(out, "%s\n", _("No policy was written: USBGuard does not rule by these files either."));
}

static json_t *line_json(const struct policy_import_line *line)
{
    json_t *reasons = json_array();

    for (enum policy_import_reason r = 0; r < POLICY_IMPORT_REASON_COUNT_; r++)
        if (line->reasons & UINT32_C(1) << r)
            whole_add(&reasons, json_string(policy_import_reason_name(r)));
    return json_pack("{s:s, s:i, s:i, s:s, s:s*, s:o}", "file", line->configuration ? "daemon-conf" : "rules", "line",
                     (int)line->line, "column", (int)line->column, "outcome", policy_import_outcome_name(line->outcome),
                     "rule", line->rule[0] ? line->rule : NULL, "reasons", reasons);
}

static void show_json(struct cli *c, const struct imported *i)
{
    json_t *lines = json_array(), *document = json_null(), *answer;

    for (size_t k = 0; k < i->account.n; k++)
        whole_add(&lines, line_json(&i->account.lines[k]));
    if (i->valid)
        document = json_stringn((const char *)i->document.data, i->document.size);
    answer = json_pack("{s:o, s:o}", "document", document, "lines", lines);
    cli_show(c, answer, NULL);
    json_decref(answer);
}

/* The account first: when it cannot be written, neither is the policy. */
static enum cli_exit show(struct cli *c, const struct imported *i, const char *account_path)
{
    FILE *out = c->err;
    bool failed;

    if (account_path) {
        out = fopen(account_path, "we");
        if (!out) {
            cli_error(c, "%s: %s", cli_safe(c, account_path), strerror(errno));
            return CLI_FAILED;
        }
    }
    if (account_path || !c->json)
        write_account(c, i, out);
    failed = ferror(out) != 0;
    if (account_path && (fclose(out) != 0 || failed)) {
        cli_error(c, _("%s could not be written"), cli_safe(c, account_path));
        return CLI_FAILED;
    }
    if (c->json)
        show_json(c, i);
    else if (i->valid)
        (void)fwrite(i->document.data, 1, i->document.size, c->out);
    return i->account.counts[POLICY_IMPORT_LOST] + i->account.counts[POLICY_IMPORT_INVALID] > 0 ? CLI_NO : CLI_OK;
}

enum cli_exit cli_policy_import_usbguard(struct cli *c, const struct cli_arguments *a)
{
    struct imported i = {.path = a->words[0], .configuration_path = a->values[OPTION_DAEMON_CONF]};
    enum cli_exit code = read_file(c, i.path, &i.rules, &i.rules_size);

    buf_init(&i.document, POLICY_DOCUMENT_MAX);
    if (code == CLI_OK && i.configuration_path)
        code = read_file(c, i.configuration_path, &i.configuration, &i.configuration_size);
    if (code == CLI_OK)
        code = translate(c, &i);
    if (code == CLI_OK)
        code = show(c, &i, a->values[OPTION_ACCOUNT]);
    policy_import_account_done(&i.account);
    buf_done(&i.document);
    free(i.configuration);
    free(i.rules);
    return code;
}
