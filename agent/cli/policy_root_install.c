/*
 * kuraban policy root install and remove: from when on a terminal accepts only what is signed, and the way back. kuraband verifies;
 * here people see whom they are about to trust.
 */
#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "base/cleanup.h"
#include "cli/ask.h"
#include "cli/cli.h"
#include "cli/i18n.h"
#include "cli/passphrase.h"
#include "cli/trust_file.h"
#include "cli/trust_show.h"
#include "cli/value.h"
#include "ctl/protocol.h"

enum {
    INSTALL_YES
};

const struct cli_option cli_policy_root_install_options[] = {
    [INSTALL_YES] = {"yes", NULL, N_("do not ask")},
    {0},
};

enum {
    REMOVE_REASON,
    REASON_MAX = 256,
};

const struct cli_option cli_policy_root_remove_options[] = {
    [REMOVE_REASON] = {"reason", "TEXT", N_("why; goes to the journal")},
    {0},
};

/* For people, also while the answer will be JSON. */
static void show_root(struct cli *c, const struct root_file *f)
{
    json_t *answer = trust_show_root(f, NULL);
    FILE *out = c->out;

    c->out = c->err;
    trust_text_root(c, answer);
    c->out = out;
    json_decref(answer);
}

static void text_installed(struct cli *c, const json_t *answer)
{
    const json_t *policy = json_object_get(answer, "policy");

    (void)fprintf(c->out, "%s\n",
                  _("From now on only signed policies are accepted. Next: kuraban policy apply BUNDLE."));
    if (strcmp(value_string(policy, "source"), "none") != 0)
        (void)fprintf(c->out, _("Until then %s rules on.\n"), cli_safe(c, value_string(policy, "name")));
}

static enum cli_exit install(struct cli *c, const struct root_file *f)
{
    _cleanup_free_ uint8_t *bytes = NULL;
    json_t *answer = NULL;
    enum cli_exit code;
    size_t size = 0;
    int r = trust_envelope_write(f->envelope, &bytes, &size);

    if (r != 0)
        return trust_file_refused(c, f->path, r, NULL);
    code = ask_with_bytes(c, CTL_TRUST_INSTALL, bytes, size, &answer);
    if (code != CLI_OK)
        return code;
    cli_show(c, answer, text_installed);
    json_decref(answer);
    return CLI_OK;
}

enum cli_exit cli_policy_root_install(struct cli *c, const struct cli_arguments *a)
{
    struct root_file f = {0};
    enum cli_exit code = root_file_read(c, a->words[0], &f);

    if (code != CLI_OK)
        return code;
    show_root(c, &f);
    if (!a->values[INSTALL_YES] &&
        !passphrase_confirm(
            c, _("Compare the key ids with what you were told. From then on nothing unsigned is accepted here. "
                 "Install this root? Type “yes”: ")))
        code = CLI_NO;
    else
        code = install(c, &f);
    root_file_done(&f);
    return code;
}

static void text_removed(struct cli *c, const json_t *answer)
{
    const json_t *policy = json_object_get(answer, "policy");

    (void)fprintf(c->out, "%s\n",
                  _("The root is removed. The policy file counts again, unsigned; this is in the journal."));
    (void)fprintf(c->out, _("In force: %s, version %" PRIi64 "."), cli_safe(c, value_string(policy, "name")),
                  value_number(policy, "version"));
    (void)fputc('\n', c->out);
}

enum cli_exit cli_policy_root_remove(struct cli *c, const struct cli_arguments *a)
{
    const char *reason = a->values[REMOVE_REASON];
    json_t *answer = NULL;
    struct buf fields;
    enum cli_exit code = CLI_FAILED;

    if (!reason || !*reason || strlen(reason) > REASON_MAX)
        return cli_usage(c, _("--reason is needed, at most %d bytes"), REASON_MAX);
    buf_init(&fields, sizeof(uint32_t) + REASON_MAX);
    if (buf_add_string(&fields, reason) == 0)
        code = ask(c, CTL_TRUST_REMOVE, &fields, &answer);
    buf_done(&fields);
    if (code != CLI_OK)
        return code;
    cli_show(c, answer, text_removed);
    json_decref(answer);
    return CLI_OK;
}
