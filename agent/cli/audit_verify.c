/* kuraban audit verify: is every record there, unchanged and in its place, up to what the terminal signed last? */
#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "audit/verify.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "cli/audit_dir.h"
#include "cli/cli.h"
#include "cli/i18n.h"
#include "cli/value.h"
#include "json/whole.h"

enum {
    OPTION_DIRECTORY,
    OPTION_KEY,
    OPTION_KNOWN
};

const struct cli_option cli_audit_verify_options[] = {
    [OPTION_DIRECTORY] = {"directory", "DIR", N_("this journal instead of the terminal's own")},
    [OPTION_KEY] = {"key", "FILE", N_("check with this public key (PEM) instead of the terminal's own")},
    [OPTION_KNOWN] = {"known", "SEQ", N_("the journal must reach this record, known from elsewhere")},
    {0},
};

static const char *flaw_words(const char *flaw)
{
    static const struct {
        enum journal_flaw flaw;
        const char *words;
    } words[] = {
        {JOURNAL_FLAW_EMPTY, N_("there are no records at all")},
        {JOURNAL_FLAW_JSON, N_("a line is not a record")},
        {JOURNAL_FLAW_LONG, N_("a line is too long")},
        {JOURNAL_FLAW_TORN, N_("a file ends in the middle of a record")},
        {JOURNAL_FLAW_MISSING, N_("records are missing")},
        {JOURNAL_FLAW_ORDER, N_("records are in the wrong order")},
        {JOURNAL_FLAW_EDITED, N_("a record was changed")},
        {JOURNAL_FLAW_START, N_("the first records are missing")},
        {JOURNAL_FLAW_CHECKPOINT, N_("a checkpoint is not signed by this terminal")},
        {JOURNAL_FLAW_HEAD, N_("the head is missing or not signed by this terminal")},
        {JOURNAL_FLAW_REPLAYED, N_("an old copy was put in place of the journal")},
        {JOURNAL_FLAW_FILE, N_("a file of the journal cannot be opened")},
    };

    for (size_t i = 0; i < ELEMENTS(words); i++)
        if (text_equal(journal_flaw_name(words[i].flaw), flaw))
            return _(words[i].words);
    return flaw;
}

static json_t *describe(const struct journal_verify_result *r)
{
    json_t *answer =
        json_pack("{s:b, s:I, s:I, s:I, s:I, s:I, s:I}", "ok", (int)r->ok, "records", (json_int_t)r->records, "first",
                  (json_int_t)r->first_seq, "last", (json_int_t)r->last_seq, "checkpoints", (json_int_t)r->checkpoints,
                  "head", (json_int_t)r->head_seq, "flaws", (json_int_t)r->flaws);
    json_t *bad = r->ok || r->first_bad == 0 ? json_null() : json_integer((json_int_t)r->first_bad);

    whole_set(&answer, "first_bad", bad);
    whole_set(&answer, "flaw", r->ok ? json_null() : json_string(journal_flaw_name(r->flaw)));
    whole_set(&answer, "file", r->ok ? json_null() : json_string(r->file));
    whole_set(&answer, "line", r->ok || r->line == 0 ? json_null() : json_integer((json_int_t)r->line));
    whole_set(&answer, "why", r->ok ? json_null() : json_string(r->why));
    return answer;
}

static void text_verify(struct cli *c, const json_t *answer)
{
    if (value_bool(answer, "ok")) {
        (void)fprintf(c->out, _("The journal is whole: %" PRIi64 " records, %" PRIi64 " to %" PRIi64 "."),
                      value_number(answer, "records"), value_number(answer, "first"), value_number(answer, "last"));
        (void)fputc('\n', c->out);
        return;
    }
    (void)fprintf(c->out, _("The journal is NOT whole: %s."), flaw_words(value_string(answer, "flaw")));
    (void)fputc('\n', c->out);
    if (value_number(answer, "first_bad") > 0) {
        (void)fprintf(c->out, _("  first at record %" PRIi64), value_number(answer, "first_bad"));
        (void)fputc('\n', c->out);
    }
    (void)fprintf(c->out, "  %s", cli_safe(c, value_string(answer, "file")));
    if (value_number(answer, "line") > 0)
        (void)fprintf(c->out, ":%" PRIi64, value_number(answer, "line"));
    (void)fprintf(c->out, ": %s\n", cli_safe(c, value_string(answer, "why")));
}

enum cli_exit cli_audit_verify(struct cli *c, const struct cli_arguments *a)
{
    struct journal_verify_options options = {0};
    struct journal_verify_result result = {0};
    _cleanup_close_ int directory = -1;
    struct journal_key *key = NULL;
    json_t *answer;
    enum cli_exit code;
    int r;

    if (a->values[OPTION_KNOWN] && text_to_u64(a->values[OPTION_KNOWN], INT64_MAX, &options.known_seq) < 0)
        return cli_usage(c, _("--known is the number of a record"));
    code = audit_dir_open(c, a->values[OPTION_DIRECTORY], &directory);
    if (code == CLI_OK)
        code = audit_dir_key(c, a->values[OPTION_KEY], &key);
    if (code != CLI_OK)
        return code;
    options.key = key;
    r = journal_verify(directory, &options, &result);
    (void)journal_key_free(key);
    if (r < 0) {
        cli_error(c, _("cannot read the journal: %s"), strerror(-r));
        return CLI_FAILED;
    }
    answer = describe(&result);
    cli_show(c, answer, text_verify);
    json_decref(answer);
    return result.ok ? CLI_OK : CLI_NO;
}
