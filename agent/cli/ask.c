/*
 * Owns: talking to kuraband, and what is told when that fails. Must not: show or interpret an answer.
 */
#include "cli/ask.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "cli/i18n.h"
#include "config/config.h"
#include "ctl/protocol.h"

enum {
    ASK_DEADLINE_MS = 30000
};

enum cli_exit ask_failed(struct cli *c, int error)
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

/* Takes answer. */
static enum cli_exit judge(struct cli *c, uint32_t code, json_t *answer, json_t **ret)
{
    const char *message = json_string_value(json_object_get(answer, "message"));
    enum cli_exit result = CLI_FAILED;

    switch (code) {
    case CTL_CODE_OK:
        *ret = answer;
        return CLI_OK;
    case CTL_CODE_DENIED:
        cli_error(c, _("only the administrator (root) may ask for this"));
        result = CLI_NOT_PERMITTED;
        break;
    case CTL_CODE_INVALID:
        cli_error(c, _("kuraband does not accept these values"));
        result = CLI_USAGE;
        break;
    default:
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
