/* Owns: the words of an explanation. Must not: look at a policy: everything is in the answer. */
#include "cli/explain_text.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/i18n.h"
#include "cli/table.h"
#include "cli/value.h"
#include "cli/why_words.h"
#include "decide/decide.h"

static const char *mismatch_words(const char *name)
{
    static const char *const words[MISMATCH_COUNT_] = {
        [MISMATCH_NONE] = N_("matches, but an earlier rule decides"),
        [MISMATCH_DEVICE] = N_("other vendor or product"),
        [MISMATCH_SERIAL] = N_("other serial number"),
        [MISMATCH_NAME] = N_("other name"),
        [MISMATCH_HASH] = N_("other identity"),
        [MISMATCH_PARENT_HASH] = N_("on another hub"),
        [MISMATCH_USBGUARD_HASH] = N_("other USBGuard hash"),
        [MISMATCH_USBGUARD_PARENT_HASH] = N_("on a hub with another USBGuard hash"),
        [MISMATCH_PORT] = N_("on another port"),
        [MISMATCH_CONNECT_TYPE] = N_("other kind of port"),
        [MISMATCH_INTERFACES] = N_("other interfaces"),
        [MISMATCH_BUS] = N_("other bus"),
        [MISMATCH_PATH] = N_("other device node"),
        [MISMATCH_FILESYSTEM] = N_("other filesystem"),
        [MISMATCH_LABEL] = N_("other label"),
        [MISMATCH_UUID] = N_("other UUID"),
        [MISMATCH_CAPACITY] = N_("too large"),
        [MISMATCH_WHO] = N_("refuses other people"),
        [MISMATCH_WHEN] = N_("refuses at other hours"),
        [MISMATCH_EXPIRED] = N_("has ended"),
        [MISMATCH_TO] = N_("goes to other devices"),
        [MISMATCH_FROM] = N_("for other files"),
        [MISMATCH_CLASSES] = N_("for stores of other classes"),
    };

    for (unsigned m = 0; m < ELEMENTS(words); m++)
        if (words[m] && text_equal(decide_mismatch_name((enum decide_mismatch)m), name))
            return _(words[m]);
    return name;
}

static const char *object_words(const char *object)
{
    if (text_equal(object, "usb"))
        return _("USB device");
    if (text_equal(object, "medium"))
        return _("medium");
    if (text_equal(object, "mount"))
        return _("filesystem");
    if (text_equal(object, "export"))
        return _("taking out");
    return _("file");
}

/* "other serial number: wanted A, B; found C" */
static char *rule_words(struct cli *c, const json_t *rule)
{
    const char *words = mismatch_words(value_string(rule, "mismatch"));
    char *text = NULL;

    if (json_is_null(json_object_get(rule, "key")))
        return asprintf(&text, "%s", words) < 0 ? NULL : text;
    if (asprintf(&text, _("%s: wanted %s; found %s"), words, cli_safe(c, value_string(rule, "wanted")),
                 cli_safe(c, value_string(rule, "found"))) < 0)
        return NULL;
    return text;
}

static void tell_rules(struct cli *c, const json_t *rules, int indent)
{
    struct table *t = table_new(3);
    const json_t *rule;
    size_t i;

    json_array_foreach(rules, i, rule)
    {
        _cleanup_free_ char *words = rule_words(c, rule);
        bool decides = value_bool(rule, "decides");
        char line[48];

        (void)snprintf(line, sizeof(line), _("line %" PRIi64), value_number(rule, "line"));
        table_add(t, (const char *[]){line, value_string(rule, "id"), decides ? _("decides") : words});
        if (decides)
            break; /* later rules are not looked at */
    }
    table_print(t, c->out, indent);
    (void)table_free(t);
}

static void tell_place(struct cli *c, const json_t *step)
{
    const json_t *at = json_object_get(step, "position");

    if (json_is_string(json_object_get(step, "name")))
        (void)fprintf(c->out, " “%s”", cli_safe(c, value_string(step, "name")));
    if (json_is_object(at))
        (void)fprintf(c->out, " (%s:%" PRIi64 ":%" PRIi64 ")", cli_safe(c, value_string(at, "file")),
                      value_number(at, "line"), value_number(at, "column"));
}

void explain_text_step(struct cli *c, const json_t *step, int indent)
{
    bool allowed = text_equal(value_string(step, "verdict"), "allow"), would = value_bool(step, "would_refuse");

    (void)fprintf(c->out, "%*s%s: ", indent, "", object_words(value_string(step, "object")));
    (void)fprintf(c->out, _("%s (%s) by rule %s"), value_verdict(value_string(step, "verdict")),
                  value_granted(value_string(step, "granted")), cli_safe(c, value_string(step, "rule")));
    tell_place(c, step);
    if (would)
        (void)fputs(_("; enforcing, it would be refused"), c->out);
    (void)fputc('\n', c->out);
    if (!allowed || would)
        (void)fprintf(c->out, "%*s%s\n", indent + 2, "", _(why_words_of(value_string(step, "reason"))->reason));
    if (json_is_string(json_object_get(step, "key"))) {
        (void)fprintf(c->out, "%*s", indent + 2, "");
        (void)fprintf(c->out, _("%s: wanted %s; found %s"), value_string(step, "key"),
                      cli_safe(c, value_string(step, "wanted")), cli_safe(c, value_string(step, "found")));
        (void)fputc('\n', c->out);
    }
    if (json_is_string(json_object_get(step, "demands"))) {
        (void)fprintf(c->out, "%*s", indent + 2, "");
        (void)fprintf(c->out, _("asks for: %s"), cli_safe(c, value_string(step, "demands")));
        (void)fputc('\n', c->out);
    }
    tell_rules(c, json_object_get(step, "rules"), indent + 2);
}

void explain_text(struct cli *c, const json_t *answer)
{
    const json_t *step;
    size_t i;

    if (!value_bool(answer, "guarded")) {
        (void)fprintf(c->out, "%s\n", _("This file is in no store and on no medium: opening it is not guarded."));
        return;
    }
    json_array_foreach(json_object_get(answer, "steps"), i, step) explain_text_step(c, step, 0);
    if (value_bool(answer, "by_name"))
        (void)fprintf(c->out, "%s\n", _("Files that are not there were compared by their paths alone."));
}
