/*
 * The verbs that make kuraband do something: sync, rescan, reload, emergency, purge. Root only; the daemon decides that. What
 * they did is in the journal.
 */
#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/ask.h"
#include "cli/cli.h"
#include "cli/i18n.h"
#include "cli/value.h"
#include "ctl/protocol.h"

enum {
    EMERGENCY_SECONDS,
    EMERGENCY_REASON,
    EMERGENCY_SECONDS_MAX = 86400,
    EMERGENCY_REASON_MAX = 256,
};

enum {
    PURGE_YES
};

const struct cli_option cli_emergency_options[] = {
    [EMERGENCY_SECONDS] = {"seconds", "N", N_("how long, 1 to 86400")},
    [EMERGENCY_REASON] = {"reason", "TEXT", N_("why; goes to the journal")},
    {0},
};

const struct cli_option cli_purge_options[] = {
    [PURGE_YES] = {"yes", NULL, N_("do not ask")},
    {0},
};

static enum cli_exit do_request(struct cli *c, uint16_t request, const struct buf *fields, cli_text *text)
{
    json_t *answer = NULL;
    enum cli_exit code = ask(c, request, fields, &answer);

    if (code != CLI_OK)
        return code;
    cli_show(c, answer, text);
    json_decref(answer);
    return CLI_OK;
}

static void text_sync(struct cli *c, const json_t *answer)
{
    (void)fprintf(c->out, _("The journal is on disk up to record %" PRIi64 "."), value_number(answer, "sequence"));
    (void)fputc('\n', c->out);
}

static void text_rescan(struct cli *c, const json_t *answer)
{
    (void)answer;
    (void)fprintf(c->out, "%s\n", _("Devices and mounts were looked at again."));
}

static void text_reload(struct cli *c, const json_t *answer)
{
    const json_t *policy = json_object_get(answer, "policy");

    (void)fprintf(c->out, _("In force: %s, version %" PRIi64 "."), cli_safe(c, value_string(policy, "name")),
                  value_number(policy, "version"));
    (void)fputc('\n', c->out);
}

static void text_emergency(struct cli *c, const json_t *answer)
{
    (void)answer;
    (void)fprintf(c->out, "%s\n", _("Keyboards and mice are permitted for now. This is in the journal."));
}

static void text_purge(struct cli *c, const json_t *answer)
{
    (void)answer;
    (void)fprintf(c->out, "%s\n", _("The kernel's settings are put back. Nothing is guarded any more."));
}

enum cli_exit cli_sync(struct cli *c, const struct cli_arguments *a)
{
    (void)a;
    return do_request(c, CTL_SYNC, NULL, text_sync);
}

enum cli_exit cli_rescan(struct cli *c, const struct cli_arguments *a)
{
    (void)a;
    return do_request(c, CTL_RESCAN, NULL, text_rescan);
}

enum cli_exit cli_reload(struct cli *c, const struct cli_arguments *a)
{
    (void)a;
    return do_request(c, CTL_RELOAD, NULL, text_reload);
}

enum cli_exit cli_emergency(struct cli *c, const struct cli_arguments *a)
{
    const char *reason = a->values[EMERGENCY_REASON];
    uint64_t seconds = 0;
    struct buf fields;
    enum cli_exit code;

    if (!a->values[EMERGENCY_SECONDS] ||
        text_to_u64(a->values[EMERGENCY_SECONDS], EMERGENCY_SECONDS_MAX, &seconds) < 0 || seconds == 0)
        return cli_usage(c, _("--seconds is needed, a number from 1 to %d"), EMERGENCY_SECONDS_MAX);
    if (!reason || !*reason || strlen(reason) > EMERGENCY_REASON_MAX)
        return cli_usage(c, _("--reason is needed, at most %d bytes"), EMERGENCY_REASON_MAX);
    buf_init(&fields, 2 * sizeof(uint32_t) + EMERGENCY_REASON_MAX);
    if (buf_add_u32(&fields, (uint32_t)seconds) == 0 && buf_add_string(&fields, reason) == 0) {
        code = do_request(c, CTL_EMERGENCY, &fields, text_emergency);
    } else {
        cli_error(c, "%s", strerror(ENOMEM));
        code = CLI_FAILED;
    }
    buf_done(&fields);
    return code;
}

/* A script must say --yes; a person is asked. */
static enum cli_exit confirm_purge(struct cli *c)
{
    char line[16] = "";

    if (!isatty(STDIN_FILENO))
        return cli_usage(c, _("purge ends the protection; without a terminal it needs --yes"));
    (void)fputs(_("This ends the protection of this terminal. Type “yes” to go on: "), c->err);
    (void)fflush(c->err);
    if (!fgets(line, sizeof(line), stdin) || strcmp(line, "yes\n") != 0) {
        cli_error(c, _("nothing was changed"));
        return CLI_NO;
    }
    return CLI_OK;
}

enum cli_exit cli_purge(struct cli *c, const struct cli_arguments *a)
{
    enum cli_exit code = a->values[PURGE_YES] ? CLI_OK : confirm_purge(c);

    return code == CLI_OK ? do_request(c, CTL_PURGE, NULL, text_purge) : code;
}
