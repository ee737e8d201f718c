/*
 * kuraban why: the last refusals, told to the person they happened to. Anybody may ask for their own. A program that wants to write on a medium is
 * refused by the kernel, since the medium is read-only, and no guard is asked: of that it is told while one is mounted.
 */
#include <errno.h>
#include <jansson.h>
#include <pwd.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/ask.h"
#include "cli/cli.h"
#include "cli/i18n.h"
#include "cli/refusal_words.h"
#include "cli/value.h"
#include "cli/why_words.h"
#include "ctl/protocol.h"

enum {
    OPTION_COUNT,
    OPTION_USER,
    COUNT_MAX = 32,
    UID_OF_PEER = -1,
};

const struct cli_option cli_why_options[] = {
    [OPTION_COUNT] = {"count", "N", N_("this many of the last refusals, 1 to 32")},
    [OPTION_USER] = {"user", "USER", N_("refusals of this person (root)")},
    {0},
};

static void tell_refusal(struct cli *c, const json_t *refusal)
{
    char when[VALUE_TIME_SIZE];

    (void)fprintf(c->out, "%s  ", value_time(value_string(refusal, "at"), when));
    refusal_write(c->out, refusal, &(struct refusal_style){.indent = "  "});
}

static void text_why(struct cli *c, const json_t *refusals)
{
    const json_t *refusal;
    size_t i;

    if (json_array_size(refusals) == 0)
        (void)fprintf(c->out, "%s\n", _("Nothing was refused."));
    json_array_foreach(refusals, i, refusal)
    {
        if (i > 0)
            (void)fputc('\n', c->out);
        tell_refusal(c, refusal);
    }
}

static void tell_medium(struct cli *c, const json_t *medium, const char *mounted)
{
    (void)fprintf(c->out, _("Nothing can be written to %s: media are read only on this terminal."),
                  cli_safe(c, mounted));
    (void)fputs("\n  → ", c->out);
    if (text_equal(value_string(medium, "granted"), "export"))
        (void)fprintf(c->out, _("To take files out, run “kuraban export FILE... --to %s --reason TEXT”."),
                      cli_safe(c, value_string(medium, "node")));
    else
        (void)fputs(_(why_words_at(REASON_WRITE)->next), c->out);
    (void)fputc('\n', c->out);
}

/* Every permitted medium that somebody has mounted. */
static void text_media(struct cli *c, const json_t *devices)
{
    const json_t *device;
    size_t i;

    json_array_foreach(devices, i, device)
    {
        const char *mounted = json_string_value(json_array_get(json_object_get(device, "mounts"), 0));

        if (!mounted || !text_equal(value_string(device, "kind"), "medium") ||
            !text_equal(value_string(device, "verdict"), "allow") || !value_bool(device, "read_only"))
            continue;
        (void)fputc('\n', c->out);
        tell_medium(c, device, mounted);
    }
}

static enum cli_exit user_id(struct cli *c, const char *user, uint32_t *ret)
{
    const struct passwd *entry;
    uint64_t id = 0;

    if (text_to_u64(user, UINT32_MAX - 1, &id) == 0) {
        *ret = (uint32_t)id;
        return CLI_OK;
    }
    entry = getpwnam(user);
    if (!entry)
        return cli_usage(c, _("there is no user “%s”"), cli_safe(c, user));
    *ret = entry->pw_uid;
    return CLI_OK;
}

static enum cli_exit ask_why(struct cli *c, uint32_t uid, uint32_t count)
{
    struct buf fields;
    json_t *answer = NULL;
    enum cli_exit code = CLI_FAILED;

    buf_init(&fields, 2 * sizeof(uint32_t));
    if (buf_add_u32(&fields, uid) == 0 && buf_add_u32(&fields, count) == 0)
        code = ask(c, CTL_WHY, &fields, &answer);
    else
        cli_error(c, "%s", strerror(ENOMEM));
    buf_done(&fields);
    if (code != CLI_OK)
        return code;
    cli_show(c, answer, text_why);
    json_decref(answer);
    return CLI_OK;
}

static enum cli_exit ask_media(struct cli *c)
{
    json_t *answer = NULL;
    enum cli_exit code = ask(c, CTL_DEVICES, NULL, &answer);

    if (code == CLI_OK)
        text_media(c, answer);
    json_decref(answer);
    return code;
}

enum cli_exit cli_why(struct cli *c, const struct cli_arguments *a)
{
    uint32_t uid = (uint32_t)UID_OF_PEER;
    uint64_t count = 1;
    enum cli_exit code = CLI_OK;

    if (a->values[OPTION_COUNT] && (text_to_u64(a->values[OPTION_COUNT], COUNT_MAX, &count) < 0 || count == 0))
        return cli_usage(c, _("--count is a number from 1 to %d"), COUNT_MAX);
    if (a->values[OPTION_USER])
        code = user_id(c, a->values[OPTION_USER], &uid);
    if (code == CLI_OK)
        code = ask_why(c, uid, (uint32_t)count);
    return code == CLI_OK && !c->json && !a->values[OPTION_USER] ? ask_media(c) : code;
}
