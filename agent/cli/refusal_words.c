/*
 * Owns: the sentences of a refusal. Each action has its own: languages put the parts in different places. Must not: show a byte of a name that a
 * terminal or a notification might obey.
 */
#include "cli/refusal_words.h"

#include <inttypes.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/i18n.h"
#include "cli/value.h"
#include "cli/why_words.h"

enum {
    PARTS_MAX = 3
};

struct sentence {
    FILE *out;
    const struct refusal_style *style;
    char *parts[PARTS_MAX];
    size_t n;
};

static bool is_in_character(char byte)
{
    return ((unsigned char)byte & 0xc0) == 0x80;
}

/* The end of a name says more than its middle. */
static void cut_middle(char *s, size_t longest)
{
    static const char gap[] = "…";
    size_t size = strlen(s), head, tail;

    if (longest == 0 || size <= longest || longest < 2 * sizeof(gap))
        return;
    head = (longest - strlen(gap)) / 2;
    tail = size - (longest - strlen(gap) - head);
    while (head > 0 && is_in_character(s[head]))
        head--;
    while (is_in_character(s[tail]))
        tail++;
    memcpy(s + head, gap, strlen(gap));
    memmove(s + head + strlen(gap), s + tail, size - tail + 1);
}

char *refusal_name(const char *text, size_t longest)
{
    size_t size = strlen(text);
    /* kuraband has made most of them visible already. */
    char *s = text_printable_length(text, size) == size ? text_copy(text, size) : text_make_printable(text, size);

    if (s)
        cut_middle(s, longest);
    return s;
}

/* Lives as long as the sentence. */
static const char *name_of(struct sentence *s, const char *text)
{
    char *name = s->n < PARTS_MAX ? refusal_name(text, s->style->longest) : NULL;

    if (!name)
        return "?"; /* out of memory: nothing foreign is shown */
    s->parts[s->n++] = name;
    return name;
}

static void sentence_done(struct sentence *s)
{
    for (size_t i = 0; i < s->n; i++)
        free(s->parts[i]);
}

static void tell_file(struct sentence *s, const json_t *refusal)
{
    const char *path = name_of(s, value_string(refusal, "path"));
    const char *program = name_of(s, value_string(refusal, "program"));

    if (!*path)
        (void)fputs(_("Opening files was refused."), s->out);
    else if (value_bool(refusal, "execute"))
        (void)fprintf(s->out, _("Running %s was refused."), path);
    else if (value_bool(refusal, "write"))
        (void)fprintf(s->out, _("Writing to %s with %s was refused."), path, program);
    else
        (void)fprintf(s->out, _("Opening %s with %s was refused."), path, program);
}

static void tell_device(struct sentence *s, const json_t *device)
{
    const char *name = value_string(device, "name"), *node = value_string(device, "node");
    const char *serial = value_string(device, "serial");

    name = *name ? name : *node ? node : value_string(device, "id");
    if (*serial)
        (void)fprintf(s->out, _("The device “%s” (serial number %s) was refused."), name_of(s, name),
                      name_of(s, serial));
    else
        (void)fprintf(s->out, _("The device “%s” was refused."), name_of(s, name));
}

static void tell_what(struct sentence *s, const json_t *refusal)
{
    const json_t *device = json_object_get(refusal, "device");
    const char *action = value_string(refusal, "action"), *path = value_string(refusal, "path");

    if (text_starts(action, "file"))
        tell_file(s, refusal);
    else if (text_starts(action, "mount"))
        (void)fprintf(s->out, _("Mounting %s was refused."), name_of(s, path));
    else if (text_starts(action, "export") && *path)
        (void)fprintf(s->out, _("Taking out %s was refused."), name_of(s, path));
    else if (text_starts(action, "export"))
        (void)fputs(_("Taking files out was refused."), s->out);
    else if (text_starts(action, "grant"))
        (void)fputs(_("Unlocking a device was refused."), s->out);
    else if (json_is_object(device))
        tell_device(s, device);
    else
        (void)fprintf(s->out, _("“%s” was refused."), name_of(s, action));
}

static void write_sentence(FILE *out, const json_t *refusal, const struct refusal_style *style)
{
    struct sentence s = {.out = out, .style = style};
    int64_t count = value_number(refusal, "count");

    tell_what(&s, refusal);
    sentence_done(&s);
    if (count > 1)
        (void)fprintf(out, _(" (%" PRIi64 " times)"), count);
    if (value_bool(refusal, "would_refuse"))
        (void)fputs(_(" (only recorded: monitor mode)"), out);
}

static void write_rule(FILE *out, const json_t *refusal, const struct refusal_style *style)
{
    const json_t *policy = json_object_get(refusal, "policy");
    struct sentence s = {.out = out, .style = style};

    (void)fprintf(out, _(" [rule %s, policy %s version %" PRIi64 "]"), name_of(&s, value_string(refusal, "rule")),
                  name_of(&s, value_string(policy, "name")), value_number(policy, "version"));
    sentence_done(&s);
}

void refusal_write(FILE *out, const json_t *refusal, const struct refusal_style *style)
{
    const struct why_words *words = why_words_of(value_string(refusal, "reason"));
    const char *indent = style->indent ? style->indent : "";
    /* Policies begin with version 1. Without one, no other program or hour would help the person. */
    bool ruled = value_number(json_object_get(refusal, "policy"), "version") != 0;

    write_sentence(out, refusal, style);
    (void)fprintf(out, "\n%s%s", indent,
                  ruled ? _(words->reason) : _("There is no valid policy on this terminal, so nothing is permitted."));
    if (ruled)
        write_rule(out, refusal, style);
    (void)fprintf(out, "\n%s→ %s\n", indent, ruled ? _(words->next) : _("Call the information policy section."));
}
