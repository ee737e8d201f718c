/*
 * Owns: talking to kuraband, and what is told when that fails. Must not: show or interpret an answer.
 */
#include "cli/ask.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/factor.h"
#include "cli/i18n.h"
#include "config/config.h"
#include "ctl/protocol.h"
#include "ctl/sealed.h"
#include "mfa/mfa.h"
#include "policy/trust/trust.h"

enum {
    ASK_DEADLINE_MS = 30000
};

/* Who keeps the terminal looks for the cause; everybody else calls them. */
static void tell_next(struct cli *c)
{
    cli_next(c, geteuid() == 0 ? N_("“systemctl status kuraband” and “journalctl -u kuraband” say why.")
                               : N_("Call the information policy section."));
}

static enum cli_exit failed(struct cli *c, int error)
{
    switch (-error) {
    case ENOENT:
    case ECONNREFUSED:
        cli_error(c, _("kuraband is not running (nobody listens in %s)"), cli_safe(c, c->config->run_directory));
        return CLI_UNREACHABLE;
    case EPERM:
        cli_error(c, _("somebody other than root listens in %s: this is not kuraband"),
                  cli_safe(c, c->config->run_directory));
        return CLI_UNREACHABLE;
    case EAGAIN:
    case ETIMEDOUT:
        cli_error(c, _("kuraband does not answer"));
        return CLI_UNREACHABLE;
    case ECONNRESET:
    case ENODATA:
    case EPIPE:
        cli_error(c, _("kuraband closed the connection: it is ending, or too many connections are open"));
        return CLI_UNREACHABLE;
    case EACCES:
        cli_error(c, _("you may not connect to kuraband in %s"), cli_safe(c, c->config->run_directory));
        return CLI_NOT_PERMITTED;
    case EBADMSG:
        cli_error(c, _("kuraband answered with something that is not an answer"));
        return CLI_FAILED;
    default:
        cli_error(c, _("cannot ask kuraband: %s"), strerror(-error));
        return CLI_FAILED;
    }
}

enum cli_exit ask_failed(struct cli *c, int error)
{
    enum cli_exit code = failed(c, error);

    tell_next(c);
    return code;
}

static void tell_findings(struct cli *c, const json_t *answer)
{
    const json_t *finding;
    size_t i;

    json_array_foreach(json_object_get(answer, "findings"), i, finding)
    {
        const char *message = json_string_value(json_object_get(finding, "message"));

        (void)fprintf(c->err, "  %" JSON_INTEGER_FORMAT ":%" JSON_INTEGER_FORMAT ": %s\n",
                      json_integer_value(json_object_get(finding, "line")),
                      json_integer_value(json_object_get(finding, "column")), cli_safe(c, message));
    }
}

/* What the `reason` of a refusal means, in the person's language; NULL for one this program does not know. */
static const char *reason_words(const char *reason)
{
    static const struct {
        const char *reason, *words;
    } others[] = {
        {"console", N_("this is done at a console of the machine only: a virtual terminal or a serial line")},
        {"damaged", N_("what is stored here of the signed documents is missing or changed: put trust.json back from a "
                       "backup, or remove the root at the console")},
        {"installed", N_("a root document is installed already: a newer one comes in a bundle")},
        {"journal", N_("the journal could not take it, so nothing was changed")},
        {"root-id", N_("this root document was not confirmed by its fingerprint")},
        {"not-stored", N_("it could not be stored")},
        {"not-sealed", N_("kuraband does not accept these values")},
        {"unreadable", N_("it cannot be read")},
    };

    for (int i = TRUST_OK + 1; i < TRUST_RESULT_COUNT_; i++)
        if (text_equal(reason, trust_result_name((enum trust_result)i)))
            return _(trust_result_text((enum trust_result)i));
    for (size_t i = 0; i < ELEMENTS(others); i++)
        if (text_equal(reason, others[i].reason))
            return _(others[i].words);
    for (uint8_t i = 1; i < MFA_E_COUNT_; i++)
        if (text_equal(reason, mfa_error_name((enum mfa_error)i)))
            return factor_error_words(i);
    return NULL;
}

/* A refusal that names its reason: the answer is no, and nothing has failed. */
static enum cli_exit tell_refusal(struct cli *c, const char *words, const json_t *answer)
{
    const char *complaint = json_string_value(json_object_get(answer, "complaint"));

    if (complaint && *complaint)
        cli_error(c, _("refused, nothing has changed: %s: %s"), words, cli_safe(c, complaint));
    else
        cli_error(c, _("refused, nothing has changed: %s"), words);
    tell_findings(c, answer);
    if (c->json)
        cli_show(c, answer, NULL);
    return CLI_NO;
}

/* Takes answer. */
static enum cli_exit judge(struct cli *c, uint32_t code, json_t *answer, json_t **ret)
{
    const char *message = json_string_value(json_object_get(answer, "message"));
    const char *reason = json_string_value(json_object_get(answer, "reason"));
    const char *words = reason ? reason_words(reason) : NULL;
    enum cli_exit result = CLI_FAILED;

    switch (code) {
    case CTL_CODE_OK:
        *ret = answer;
        return CLI_OK;
    case CTL_CODE_DENIED:
        cli_error(c, _("only the administrator (root) may ask for this"));
        cli_next(c, N_("Ask your administrator."));
        result = CLI_NOT_PERMITTED;
        break;
    case CTL_CODE_INVALID:
        result = cli_usage(c, "%s", _("kuraband does not accept these values"));
        break;
    default:
        if (words) {
            result = tell_refusal(c, words, answer);
            break;
        }
        cli_error(c, _("kuraband could not do it: %s"), message ? cli_safe(c, message) : _("no reason given"));
        tell_findings(c, answer);
        break;
    }
    json_decref(answer);
    return result;
}

enum cli_exit ask_open(struct cli *c, struct ctl_client *client)
{
    enum cli_exit code = cli_config(c);
    int r;

    if (code != CLI_OK)
        return code;
    r = ctl_client_open(c->config->run_directory, client);
    return r < 0 ? ask_failed(c, r) : CLI_OK;
}

enum cli_exit ask_on(struct cli *c, struct ctl_client *client, uint16_t request, const struct buf *fields, json_t **ret)
{
    uint32_t code = CTL_CODE_FAILED;
    json_t *answer = NULL;
    int r = ctl_client_ask(client, request, fields, ASK_DEADLINE_MS, &code, &answer);

    return r < 0 ? ask_failed(c, r) : judge(c, code, answer, ret);
}

enum cli_exit ask_next(struct cli *c, struct ctl_client *client, json_t **ret)
{
    uint32_t code = CTL_CODE_FAILED;
    json_t *answer = NULL;
    int r = ctl_client_next(client, -1, &code, &answer);

    return r < 0 ? ask_failed(c, r) : judge(c, code, answer, ret);
}

enum cli_exit ask(struct cli *c, uint16_t request, const struct buf *fields, json_t **ret)
{
    struct ctl_client client = {.socket = -1};
    enum cli_exit code = ask_open(c, &client);

    if (code == CLI_OK)
        code = ask_on(c, &client, request, fields, ret);
    ctl_client_close(&client);
    return code;
}

enum cli_exit ask_with_bytes(struct cli *c, uint16_t request, const void *bytes, size_t size, json_t **ret)
{
    return ask_with_both(c, request, NULL, bytes, size, ret);
}

enum cli_exit ask_with_both(struct cli *c, uint16_t request, const struct buf *fields, const void *bytes, size_t size,
                            json_t **ret)
{
    _cleanup_close_ int fd = sealed_make(bytes, size);
    struct ctl_client client = {.socket = -1};
    uint32_t answer_code = CTL_CODE_FAILED;
    json_t *answer = NULL;
    enum cli_exit code;
    int r;

    if (fd < 0)
        return ask_failed(c, fd);
    code = ask_open(c, &client);
    if (code != CLI_OK)
        return code;
    r = ctl_client_ask_fd(&client, request, fields, fd, ASK_DEADLINE_MS, &answer_code, &answer);
    code = r < 0 ? ask_failed(c, r) : judge(c, answer_code, answer, ret);
    ctl_client_close(&client);
    return code;
}
