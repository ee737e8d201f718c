/* Owns: the words of a comparison of policies. Must not: look at a policy: everything is in the answer. */
#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/i18n.h"
#include "cli/policy_diff.h"
#include "cli/value.h"

enum {
    DEVICES_SHOWN = 10,
    RULES_SHOWN = 5,
};

static bool is(const json_t *change, const char *key, const char *value)
{
    return text_equal(value_string(change, key), value);
}

/* --- devices --- */

/* What the first byte of an interface type says; the keyboard alone by all three. */
static const char *class_words(const char *interface)
{
    static const struct {
        const char *begin, *words;
    } classes[] = {
        {"03:01:01", N_("keyboard")},
        {"03:", N_("input device")},
        {"08:", N_("storage")},
        {"06:", N_("camera or phone")},
        {"07:", N_("printer")},
        {"09:", N_("hub")},
        {"01:", N_("audio")},
        {"0e:", N_("video")},
        {"02:", N_("modem or network")},
        {"0a:", N_("modem or network")},
        {"0b:", N_("smart card reader")},
        {"e0:", N_("wireless")},
    };

    for (size_t i = 0; i < ELEMENTS(classes); i++)
        if (text_starts(interface, classes[i].begin))
            return _(classes[i].words);
    return NULL;
}

/* " (storage, keyboard)" behind the interfaces that a rule names. */
static void tell_classes(struct cli *c, const char *device)
{
    const char *at = strstr(device, "interfaces "), *told[4] = {NULL};
    size_t n = 0;

    for (at = at ? at + strlen("interfaces ") : NULL; at && n < ELEMENTS(told); at = strstr(at, ", ")) {
        const char *words;
        bool known = false;

        at += text_starts(at, ", ") ? 2 : 0;
        words = class_words(at);
        for (size_t i = 0; i < n; i++)
            known = known || told[i] == words;
        if (!words || known)
            continue;
        (void)fprintf(c->out, "%s%s", n == 0 ? " (" : ", ", words);
        told[n++] = words;
    }
    if (n > 0)
        (void)fputc(')', c->out);
}

static void tell_devices(struct cli *c, const json_t *devices)
{
    size_t n = json_array_size(devices), i;
    const json_t *device;

    json_array_foreach(devices, i, device)
    {
        const char *words = json_string_value(device);

        if (i == DEVICES_SHOWN && n > DEVICES_SHOWN + 1) {
            (void)fputs("      ", c->out);
            (void)fprintf(c->out, _("… and %zu more; --json has them all"), n - i);
            (void)fputc('\n', c->out);
            break;
        }
        (void)fprintf(c->out, "      %s", *words ? cli_safe(c, words) : _("all that no rule names"));
        tell_classes(c, words);
        (void)fputc('\n', c->out);
    }
}

static bool has_keyboard(const json_t *devices)
{
    const json_t *device;
    size_t i;

    json_array_foreach(devices, i, device)
    {
        if (strstr(json_string_value(device), "03:01:01"))
            return true;
    }
    return false;
}

/* --- rules and details --- */

static void tell_rules_of(struct cli *c, const json_t *rules, const char *file)
{
    const json_t *rule;
    size_t n = json_array_size(rules), i;

    if (n == 0)
        (void)fputs("-", c->out);
    json_array_foreach(rules, i, rule)
    {
        if (i == RULES_SHOWN) {
            (void)fprintf(c->out, ", … (%zu)", n);
            break;
        }
        (void)fprintf(c->out, "%s%s", i > 0 ? ", " : "", cli_safe(c, value_string(rule, "id")));
        if (json_is_integer(json_object_get(rule, "line")))
            (void)fprintf(c->out, " (%s:%" PRIi64 ":%" PRIi64 ")", cli_safe(c, file), value_number(rule, "line"),
                          value_number(rule, "column"));
    }
}

static const char *file_of(const json_t *answer, const char *side)
{
    return value_string(json_object_get(answer, side), "file");
}

/* "rule: default → kazei-stick (new.yaml:12:5)" */
static void tell_rules(struct cli *c, const json_t *answer, const json_t *change)
{
    (void)fprintf(c->out, "      %s: ", _("rule"));
    tell_rules_of(c, json_object_get(change, "rules_before"), file_of(answer, "before"));
    (void)fputs(" → ", c->out);
    tell_rules_of(c, json_object_get(change, "rules_after"), file_of(answer, "after"));
    (void)fputc('\n', c->out);
}

static const char *side_words(struct cli *c, const json_t *detail, const char *side)
{
    return json_is_string(json_object_get(detail, side)) ? cli_safe(c, value_string(detail, side)) : _("not set");
}

/* one_sided: what is permitted now, or was: no change of a condition. mixed: not all go the same way. */
static void tell_detail(struct cli *c, const json_t *detail, bool one_sided, bool mixed)
{
    const char *key = value_string(detail, "key"), *effect = value_string(detail, "effect");
    bool was = json_is_string(json_object_get(detail, "before"));

    if (text_equal(key, "programs") && (one_sided || !was || !json_is_string(json_object_get(detail, "after"))))
        (void)fprintf(c->out, "%s: %s", was ? _("program no longer permitted") : _("program permitted"),
                      cli_safe(c, value_string(detail, was ? "before" : "after")));
    else if (one_sided)
        (void)fprintf(c->out, "%s: %s", key, cli_safe(c, value_string(detail, was ? "before" : "after")));
    else
        (void)fprintf(c->out, "%s: %s → %s", key, side_words(c, detail, "before"), side_words(c, detail, "after"));
    if (mixed && text_equal(effect, "wider"))
        (void)fprintf(c->out, " (%s)", _("wider"));
    else if (mixed && text_equal(effect, "narrower"))
        (void)fprintf(c->out, " (%s)", _("narrower"));
    (void)fputc('\n', c->out);
}

static void tell_details(struct cli *c, const json_t *change)
{
    bool one_sided = is(change, "kind", "permitted") || is(change, "kind", "refused") || is(change, "kind", "added") ||
                     is(change, "kind", "removed");
    const json_t *detail;
    size_t i;

    json_array_foreach(json_object_get(change, "details"), i, detail)
    {
        (void)fputs("      ", c->out);
        tell_detail(c, detail, one_sided, is(change, "effect", "other"));
    }
}

/* --- changes --- */

static const char *export_headline(const json_t *change)
{
    if (is(change, "kind", "permitted"))
        return _("may be taken out now, refused before");
    if (is(change, "kind", "refused"))
        return _("may no longer be taken out");
    if (is(change, "effect", "other"))
        return _("taken out otherwise");
    return is(change, "effect", "wider") ? _("taken out more widely") : _("taken out more narrowly");
}

static const char *headline(const json_t *change)
{
    bool usb = is(change, "area", "usb");

    if (is(change, "area", "export"))
        return export_headline(change);
    if (is(change, "kind", "permitted"))
        return usb ? _("USB devices permitted now, refused before") : _("media permitted now, refused before");
    if (is(change, "kind", "refused"))
        return usb ? _("USB devices refused now, permitted before") : _("media refused now, permitted before");
    if (is(change, "effect", "other") || is(change, "effect", "none"))
        return usb ? _("USB devices decided otherwise") : _("media decided otherwise");
    return is(change, "effect", "wider")
               ? (usb ? _("USB devices permitted more widely") : _("media permitted more widely"))
               : (usb ? _("USB devices permitted more narrowly") : _("media permitted more narrowly"));
}

static void tell_decisions(struct cli *c, const json_t *answer, const json_t *change)
{
    const json_t *devices = json_object_get(change, "devices");

    (void)fputs("  ", c->out);
    (void)fprintf(c->out, "%s: %zu\n", headline(change), json_array_size(devices));
    tell_details(c, change);
    tell_rules(c, answer, change);
    tell_devices(c, devices);
    if (is(change, "kind", "refused") && has_keyboard(devices))
        (void)fprintf(c->out, "      %s\n", _("A keyboard is among them: people may be locked out."));
}

static void tell_store(struct cli *c, const json_t *change)
{
    const char *path = cli_safe(c, value_string(change, "subject"));

    (void)fputs("  ", c->out);
    if (is(change, "kind", "added"))
        (void)fprintf(c->out, _("store %s: guarded now, opened only as follows"), path);
    else if (is(change, "kind", "removed"))
        (void)fprintf(c->out, _("store %s: no longer guarded, every program may open it"), path);
    else
        (void)fprintf(c->out, _("store %s"), path);
    (void)fputc('\n', c->out);
    if (!is(change, "kind", "removed"))
        tell_details(c, change);
}

static void tell_mounts(struct cli *c, const json_t *change)
{
    bool fuse = is(change, "subject", "media.fuse");

    (void)fprintf(c->out, "  %s\n",
                  is(change, "kind", "permitted")
                      ? (fuse ? _("FUSE filesystems permitted now") : _("network filesystems permitted now"))
                      : (fuse ? _("FUSE filesystems no longer listed") : _("network filesystems no longer listed")));
    tell_details(c, change);
}

/* A rule of which nothing else is to be told; NULL: it is called otherwise. */
static const char *rule_words(const json_t *change)
{
    if (is(change, "kind", "moved"))
        return is(change, "effect", "none") ? _("stands at another place; nothing is decided otherwise by that")
                                            : _("stands at another place; the changes above name it");
    if (is(change, "kind", "added"))
        return _("is new; nothing is decided otherwise by that");
    if (is(change, "kind", "removed"))
        return _("is gone; nothing is decided otherwise by that");
    return is(change, "kind", "rewritten") ? _("says otherwise; nothing is decided otherwise by that") : NULL;
}

static void tell_rule(struct cli *c, const json_t *change)
{
    const char *id = value_string(change, "subject"), *words = rule_words(change);

    (void)fputs("  ", c->out);
    if (is(change, "kind", "renamed"))
        (void)fprintf(c->out, _("rule %s is called %s now; records will say so"), id,
                      value_string(json_array_get(json_object_get(change, "rules_after"), 0), "id"));
    else
        (void)fprintf(c->out, "%s %s%s%s", _("rule"), id, words ? ": " : "", words ? words : "");
    (void)fputc('\n', c->out);
    tell_details(c, change);
}

/* Keys of the document need no headline: "mode: enforce → monitor". */
static void tell_key(struct cli *c, const json_t *change)
{
    const json_t *detail = json_array_get(json_object_get(change, "details"), 0);

    (void)fputs("  ", c->out);
    tell_detail(c, detail, false, false);
    if (text_equal(value_string(detail, "key"), "mode"))
        (void)fprintf(c->out, "      %s\n",
                      is(change, "effect", "wider") ? _("Nothing is refused any more, only recorded.")
                                                    : _("What was only recorded is refused now."));
    if (text_equal(value_string(detail, "key"), "version") && is(change, "effect", "other"))
        (void)fprintf(c->out, "      %s\n", _("Terminals that hold the first refuse one that is not newer."));
}

static void tell_change(struct cli *c, const json_t *answer, const json_t *change)
{
    bool rules = is(change, "area", "usb") || is(change, "area", "media");

    if (json_array_size(json_object_get(change, "devices")) > 0)
        tell_decisions(c, answer, change);
    else if (is(change, "area", "stores"))
        tell_store(c, change);
    else if (is(change, "area", "mounts") && *value_string(change, "subject"))
        tell_mounts(c, change);
    else if (rules && *value_string(change, "subject"))
        tell_rule(c, change);
    else
        tell_key(c, change);
}

static void tell_effect(struct cli *c, const json_t *answer, const char *effect, const char *words)
{
    const json_t *change;
    size_t i;

    if (value_number(answer, effect) == 0)
        return;
    (void)fprintf(c->out, "\n%s\n", words);
    json_array_foreach(json_object_get(answer, "changes"), i, change)
    {
        if (is(change, "effect", effect))
            tell_change(c, answer, change);
        cli_forget(c);
    }
}

static void tell_side(struct cli *c, const json_t *side, const char *sign)
{
    (void)fprintf(c->out, "%s %s: ", sign, cli_safe(c, value_string(side, "file")));
    (void)fprintf(c->out, _("%s, version %" PRIi64), cli_safe(c, value_string(side, "name")),
                  value_number(side, "version"));
    (void)fputc('\n', c->out);
}

static void tell_notes(struct cli *c, const json_t *answer)
{
    const json_t *before = json_object_get(answer, "before"), *after = json_object_get(answer, "after");

    if (!value_bool(answer, "same") && value_number(before, "version") == value_number(after, "version"))
        (void)fprintf(c->out, "\n%s\n",
                      _("Both have the same version: terminals that hold the first refuse the second."));
    if (!value_bool(answer, "complete"))
        (void)fprintf(c->out, "\n%s\n",
                      _("There were too many combinations to compare them all: some changes may be missing here."));
    if (value_bool(before, "signed") || value_bool(after, "signed"))
        (void)fprintf(c->out, "\n%s\n", _("Signatures were not checked here: “kuraban policy verify” does."));
}

void policy_diff_text(struct cli *c, const json_t *answer)
{
    tell_side(c, json_object_get(answer, "before"), "-");
    tell_side(c, json_object_get(answer, "after"), "+");
    if (value_bool(answer, "same"))
        (void)fprintf(c->out, "\n%s\n", _("Nothing changes: both say the same."));
    tell_effect(c, answer, "wider", _("WIDER: more is permitted, or less protected. Look at these first."));
    tell_effect(c, answer, "other", _("OTHERWISE: neither wider nor narrower, or both"));
    tell_effect(c, answer, "narrower", _("NARROWER: less is permitted, or more protected"));
    tell_effect(c, answer, "none", _("WITHOUT EFFECT on what is permitted"));
    tell_notes(c, answer);
    if (value_bool(answer, "same"))
        return;
    (void)fputc('\n', c->out);
    (void)fprintf(c->out,
                  _("%" PRIi64 " wider, %" PRIi64 " otherwise, %" PRIi64 " narrower, %" PRIi64 " without effect"),
                  value_number(answer, "wider"), value_number(answer, "other"), value_number(answer, "narrower"),
                  value_number(answer, "none"));
    (void)fputc('\n', c->out);
}
