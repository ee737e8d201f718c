/*
 * kuraban doctor: what is enforcing, what is not, what would lock people out. The daemon's own checks come with its answer;
 * those that only an outsider can make (is it there at all?) are in doctor_checks.c. Exit 1 when one of severity error fails, 6
 * when none does and some could not be made: silence about them would read as health.
 */
#include <jansson.h>
#include <string.h>
#include <unistd.h>

#include "base/text.h"
#include "cli/ask.h"
#include "cli/cli.h"
#include "cli/doctor_checks.h"
#include "cli/i18n.h"
#include "cli/table.h"
#include "cli/value.h"
#include "config/config.h"
#include "ctl/protocol.h"
#include "json/whole.h"

static bool is_skipped(const json_t *check)
{
    return text_equal(value_string(check, "severity"), DOCTOR_SKIPPED);
}

static const char *mark(const json_t *check)
{
    const char *severity = value_string(check, "severity");

    if (value_bool(check, "ok"))
        return _("ok");
    if (is_skipped(check))
        return _("not checked");
    if (text_equal(severity, "error"))
        return _("ERROR");
    return text_equal(severity, "warning") ? _("warning") : _("note");
}

void doctor_text(struct cli *c, const json_t *checks)
{
    struct table *t = table_new(3);
    const json_t *check;
    size_t i;

    json_array_foreach(checks, i, check)
    {
        const char *name = value_string(check, "check");
        bool said = false;
        /* What was not looked at is told by what would be well. */
        const char *words = doctor_words(name, value_bool(check, "ok") || is_skipped(check), &said);
        const char *detail = said ? "" : value_string(check, "detail");

        if (is_skipped(check))
            detail = value_string(check, "detail");
        /* Several stores give the same words; the name tells which. */
        table_add(t, (const char *[]){mark(check), *words ? words : name, *detail ? detail : name});
        if (!value_bool(check, "ok") && !is_skipped(check) && *doctor_todo(name))
            table_add(t, (const char *[]){"", "", doctor_todo(name)});
    }
    table_print(t, c->out, 0);
    (void)table_free(t);
}

static bool has_error(const json_t *checks)
{
    const json_t *check;
    size_t i;

    json_array_foreach(checks, i, check)
        /* What does not say how bad it is counts as bad. */
        if (!value_bool(check, "ok") && !text_equal(value_string(check, "severity"), "warning") &&
            !text_equal(value_string(check, "severity"), "info") && !is_skipped(check)) return true;
    return false;
}

static bool has_skipped(const json_t *checks)
{
    const json_t *check;
    size_t i;

    json_array_foreach(checks, i, check) if (is_skipped(check)) return true;
    return false;
}

/* Errors of the connection become a check instead of a message: that is what doctor is for. */
static int ask_quietly(const struct config *config, uint16_t request, uint32_t *ret_code, json_t **ret)
{
    struct ctl_client client = {.socket = -1};
    int r = ctl_client_open(config->run_directory, &client);

    if (r == 0)
        r = ctl_client_ask(&client, request, NULL, 30000, ret_code, ret);
    ctl_client_close(&client);
    return r;
}

static void add_enforcing(json_t **checks, const json_t *status)
{
    bool monitor = text_equal(value_string(status, "mode"), "monitor");

    doctor_add(checks, "daemon.enforcing", value_bool(status, "enforcing"), "error", monitor ? "mode: monitor" : "");
}

static void add_all(json_t **checks, const json_t *told)
{
    json_t *check;
    size_t i;

    json_array_foreach(told, i, check)
    {
        whole_add(checks, json_incref(check));
    }
}

/* True when kuraband told its own checks. Signed: the policy file does not count here. */
static bool ask_daemon(struct cli *c, json_t **checks, bool *ret_signed)
{
    bool told;

    uint32_t code = CTL_CODE_FAILED;
    json_t *answer = NULL;
    int r = ask_quietly(c->config, CTL_STATUS, &code, &answer);

    doctor_add(checks, "daemon.reachable", r == 0, "error", r < 0 ? strerror(-r) : "");
    if (r < 0)
        return false;
    add_enforcing(checks, answer);
    *ret_signed = json_is_object(json_object_get(answer, "trust"));
    json_decref(answer);
    answer = NULL;
    r = ask_quietly(c->config, CTL_DOCTOR, &code, &answer);
    told = r == 0 && code == CTL_CODE_OK && json_is_array(answer);
    if (told)
        add_all(checks, answer);
    else if (r == 0 && code == CTL_CODE_DENIED)
        doctor_skip(checks, "daemon.checks");
    else
        doctor_add(checks, "daemon.checks", false, "error", r < 0 ? strerror(-r) : "");
    json_decref(answer);
    return told;
}

enum cli_exit cli_doctor(struct cli *c, const struct cli_arguments *a)
{
    enum cli_exit code = cli_config(c);
    bool told, only_signed = false;
    json_t *checks;

    (void)a;
    if (code != CLI_OK)
        return code;
    checks = json_array();
    told = ask_daemon(c, &checks, &only_signed);
    if (!only_signed)
        doctor_check_policy(c, &checks, !told);
    doctor_check_machine(&checks);
    cli_show(c, checks, doctor_text);
    code = has_error(checks) ? CLI_NO : has_skipped(checks) ? CLI_INCOMPLETE : CLI_OK;
    json_decref(checks);
    return code;
}
