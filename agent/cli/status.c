/* kuraban status: one look at the guard. Anybody may ask. */
#include <inttypes.h>
#include <jansson.h>

#include "base/text.h"
#include "cli/ask.h"
#include "cli/cli.h"
#include "cli/i18n.h"
#include "cli/table.h"
#include "cli/value.h"
#include "ctl/protocol.h"

static void add(struct table *t, const char *name, const char *value)
{
    table_add(t, (const char *[]){name, value});
}

static const char *source_words(const char *source)
{
    if (text_equal(source, "last-good"))
        return _("the policy file is not what rules; the last good policy stays in force");
    if (text_equal(source, "none"))
        return _("no policy: nothing is permitted");
    return "";
}

static void add_policy(struct table *t, const json_t *policy)
{
    const char *until = value_string(policy, "valid_until");
    char when[VALUE_TIME_SIZE], line[512];

    if (!json_is_object(policy) || text_equal(value_string(policy, "source"), "none")) {
        add(t, _("Policy"), source_words("none"));
        return;
    }
    (void)snprintf(line, sizeof(line), _("%s, version %" PRIi64 " (%s)"), value_string(policy, "name"),
                   value_number(policy, "version"), value_string(policy, "organization"));
    add(t, _("Policy"), line);
    if (*source_words(value_string(policy, "source")))
        add(t, "", source_words(value_string(policy, "source")));
    if (*until) {
        (void)snprintf(line, sizeof(line),
                       value_bool(policy, "expired")        ? _("expired on %s; still enforced")
                       : value_bool(policy, "expires_soon") ? _("valid until %s: a new one is needed soon")
                                                            : _("valid until %s"),
                       value_time(until, when));
        add(t, "", line);
    }
}

static void add_terminal(struct table *t, const json_t *terminal)
{
    const json_t *group, *groups = json_object_get(terminal, "groups");
    char line[512];
    size_t i, n;

    n = (size_t)snprintf(line, sizeof(line), "%s", value_string(terminal, "id"));
    json_array_foreach(groups, i, group) if (n < sizeof(line)) n += (size_t)snprintf(line + n, sizeof(line) - n, "%s%s",
                                                                                     i > 0   ? ", "
                                                                                     : n > 0 ? " ("
                                                                                             : "(",
                                                                                     json_string_value(group));
    if (i > 0 && n < sizeof(line))
        n += (size_t)snprintf(line + n, sizeof(line) - n, ")");
    if (n > 0)
        add(t, _("Terminal"), line);
}

/* Only what somebody should know: who signed, and what is over or nearly so. */
static void add_trust(struct table *t, const json_t *trust)
{
    const json_t *root = json_object_get(trust, "root"), *head = json_object_get(trust, "head"), *signer;
    char line[512], when[VALUE_TIME_SIZE];
    size_t i;

    if (!json_is_object(trust))
        return;
    if (!text_equal(value_string(trust, "state"), "good")) {
        add(t, _("Signed"), _("DAMAGED: what was signed cannot be read; see kuraban doctor"));
        return;
    }
    (void)snprintf(line, sizeof(line), _("only signed policies, root version %" PRIi64), value_number(root, "version"));
    add(t, _("Signed"), line);
    json_array_foreach(json_object_get(trust, "signers"), i, signer)
    {
        (void)snprintf(line, sizeof(line), "%s (%.16s…)", value_string(signer, "name"), value_string(signer, "key"));
        add(t, "", line);
    }
    if (value_bool(root, "expired") || value_bool(root, "expires_soon")) {
        (void)snprintf(line, sizeof(line), value_bool(root, "expired") ? _("ROOT EXPIRED on %s") : _("root ends on %s"),
                       value_time(value_string(root, "expires"), when));
        add(t, "", line);
    }
    if (value_bool(head, "expired") || value_bool(head, "expires_soon")) {
        (void)snprintf(line, sizeof(line), value_bool(head, "expired") ? _("HEAD EXPIRED on %s") : _("head ends on %s"),
                       value_time(value_string(head, "expires"), when));
        add(t, "", line);
    }
}

static const char *journal_words(const char *state)
{
    if (text_equal(state, "low"))
        return _(", SPACE IS LOW");
    return text_equal(state, "failing") ? _(", CANNOT BE WRITTEN") : "";
}

static void add_parts(struct table *t, const json_t *status)
{
    const json_t *gate = json_object_get(status, "gate"), *usb = json_object_get(status, "usb"),
                 *media = json_object_get(status, "media"), *journal = json_object_get(status, "journal");
    char line[512];

    (void)snprintf(line, sizeof(line), _("%" PRIi64 " marks, %" PRIi64 " decisions, %" PRIi64 " refused, self-test %s"),
                   value_number(gate, "marks"), value_number(gate, "decisions"), value_number(gate, "refused"),
                   value_bool(json_object_get(gate, "self_test"), "ok") ? _("passed") : _("FAILED"));
    add(t, _("File gate"), line);
    if (text_equal(value_string(usb, "state"), "off"))
        (void)snprintf(line, sizeof(line), "%s", _("off by configuration"));
    else
        (void)snprintf(line, sizeof(line), _("%" PRIi64 " devices, %" PRIi64 " refused"), value_number(usb, "devices"),
                       value_number(usb, "refused"));
    add(t, "USB", line);
    if (text_equal(value_string(media, "state"), "off"))
        (void)snprintf(line, sizeof(line), "%s", _("off by configuration"));
    else
        (void)snprintf(line, sizeof(line),
                       _("%" PRIi64 " present, %" PRIi64 " refused, made read-only again %" PRIi64 " times"),
                       value_number(media, "exits"), value_number(media, "refused"), value_number(media, "reasserted"));
    add(t, _("Media"), line);
    (void)snprintf(line, sizeof(line), _("%" PRIi64 " records%s"), value_number(journal, "sequence"),
                   journal_words(value_string(journal, "state")));
    add(t, _("Journal"), line);
}

/* Nothing at a terminal without a centre. */
static void add_fleet(struct table *t, const json_t *fleet)
{
    const char *link = value_string(fleet, "link"), *contact = value_string(fleet, "contact");
    char line[512], when[VALUE_TIME_SIZE];

    if (!json_is_object(fleet))
        return;
    if (!text_equal(value_string(fleet, "state"), "good")) {
        add(t, _("Centre"), _("DAMAGED: what is stored of the centre cannot be read; see kuraban doctor"));
        return;
    }
    (void)snprintf(line, sizeof(line), _("%s; this terminal is %s"), value_string(fleet, "organization"),
                   value_string(fleet, "terminal"));
    add(t, _("Centre"), line);
    if (text_equal(link, "up"))
        add(t, "", _("connected"));
    else if (*contact) {
        (void)snprintf(line, sizeof(line), _("NOT CONNECTED since %s"), value_time(contact, when));
        add(t, "", line);
    } else {
        add(t, "", text_equal(link, "off") ? _("NOT CONNECTED: kuraban-courier does not run") : _("NOT CONNECTED"));
    }
    (void)snprintf(line, sizeof(line), _("%" PRIi64 " records are not yet acknowledged"),
                   value_number(fleet, "unacknowledged"));
    add(t, "", line);
}

static void text_status(struct cli *c, const json_t *status)
{
    const json_t *emergency = json_object_get(status, "emergency");
    struct table *t = table_new(2);
    char when[VALUE_TIME_SIZE];
    bool monitor = text_equal(value_string(status, "mode"), "monitor");

    add(t, _("Enforcing"), value_bool(status, "enforcing") ? _("yes") : _("NO"));
    add(t, _("Mode"), monitor ? _("monitor: everything is recorded, nothing is refused") : _("enforce"));
    add_terminal(t, json_object_get(status, "terminal"));
    add_policy(t, json_object_get(status, "policy"));
    add_trust(t, json_object_get(status, "trust"));
    add_parts(t, status);
    add_fleet(t, json_object_get(status, "fleet"));
    if (emergency && !json_is_null(emergency))
        add(t, _("EMERGENCY"), _("keyboards and mice are permitted without a rule"));
    add(t, _("Running since"), value_time(value_string(status, "started"), when));
    add(t, _("Version"), value_string(status, "version"));
    table_print(t, c->out, 0);
    (void)table_free(t);
}

enum cli_exit cli_status(struct cli *c, const struct cli_arguments *a)
{
    json_t *answer = NULL;
    enum cli_exit code = ask(c, CTL_STATUS, NULL, &answer);

    (void)a;
    if (code != CLI_OK)
        return code;
    cli_show(c, answer, text_status);
    json_decref(answer);
    return CLI_OK;
}
