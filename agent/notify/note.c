/*
 * Owns: the words of notifications. A refusal is told in the words of `kuraban why`. Must not: show a byte of a foreign name as it came, put one into
 * a summary, or grow without bound.
 */
#include "notify/note.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/i18n.h"
#include "cli/refusal_words.h"
#include "cli/value.h"

enum {
    NAME_MAX_BYTES = 120,
    SUMMARY_SIZE = 160,
    SHORT_MS = 15 * 1000,
    LONG_MS = 30 * 1000, /* there is something to read and to do */
};

void note_done(struct note *n)
{
    free(n->summary);
    free(n->body);
    *n = (struct note){0};
}

/* Takes body, a stream over n->body. Nothing is left in n on failure. */
static int finish(struct note *n, FILE *body, const char *summary)
{
    bool whole = body && !ferror(body);
    size_t size;

    if (body && fclose(body) != 0)
        whole = false;
    if (whole)
        n->summary = text_copy(summary, strlen(summary));
    if (!whole || !n->body || !n->summary) {
        note_done(n);
        return -ENOMEM;
    }
    size = strlen(n->body);
    if (size > 0 && n->body[size - 1] == '\n')
        n->body[size - 1] = '\0';
    return 0;
}

static FILE *begin(struct note *n, size_t *size, bool warning, int timeout_ms)
{
    *n = (struct note){.warning = warning, .timeout_ms = timeout_ms};
    return open_memstream(&n->body, size);
}

/* --- grants --- */

static void write_device(FILE *out, const json_t *grant)
{
    _cleanup_free_ char *name = refusal_name(value_string(grant, "name"), NAME_MAX_BYTES);
    _cleanup_free_ char *place = refusal_name(value_place(value_string(grant, "device")), NAME_MAX_BYTES);
    _cleanup_free_ char *rule = refusal_name(value_string(grant, "rule"), NAME_MAX_BYTES);

    if (!name || !place || !rule)
        return;
    if (*name)
        (void)fprintf(out, _("“%s” (%s) [rule %s]"), name, place, rule);
    else
        (void)fprintf(out, _("%s [rule %s]"), place, rule);
    (void)fputc('\n', out);
}

int note_given(const json_t *grant, struct note *ret)
{
    struct note n;
    size_t size = 0;
    FILE *body = begin(&n, &size, false, SHORT_MS);
    char summary[SUMMARY_SIZE], hour[16];
    int r;

    (void)snprintf(summary, sizeof(summary), _("Unlocked until %s"),
                   value_hour(value_string(grant, "until"), hour, sizeof(hour)));
    if (body) {
        write_device(body, grant);
        (void)fputs(_("“kuraban unlock --end” locks it again sooner."), body);
    }
    r = finish(&n, body, summary);
    if (r == 0)
        *ret = n;
    return r;
}

int note_ends_soon(const json_t *grant, int64_t minutes, struct note *ret)
{
    struct note n;
    size_t size = 0;
    FILE *body = begin(&n, &size, true, LONG_MS);
    char summary[SUMMARY_SIZE];
    int r;

    (void)snprintf(summary, sizeof(summary),
                   ngettext("It is locked again in %" PRIi64 " minute", "It is locked again in %" PRIi64 " minutes",
                            (unsigned long)minutes),
                   minutes);
    if (body) {
        write_device(body, grant);
        (void)fputs(_("To go on after that, run “kuraban unlock” again with a new code."), body);
    }
    r = finish(&n, body, summary);
    if (r == 0)
        *ret = n;
    return r;
}

struct end_words {
    const char *why, *message;
};

static const char *end_words(const char *why, bool mine)
{
    static const struct end_words words[] = {
        {"expired", N_("The time is over. To go on, run “kuraban unlock” again with a new code.")},
        {"device", N_("The device was unplugged, or has changed. To use it again, unlock it with a new code.")},
        {"policy",
         N_("The policy has changed. If you still need it, run “kuraban unlock” again: it says what is needed now.")},
        {"person",
         N_("It is not permitted to you any more, or not at this hour. If your work needs it, apply to your section head.")},
        {"centre", N_("The administrators have ended it from the centre. Ask them why.")},
        {"stopped", N_("kuraban was stopped or started anew. To go on, run “kuraban unlock” again with a new code.")},
    };

    if (text_equal(why, "given-back"))
        return mine ? _("You have locked it again.") : _("An administrator has locked it again.");
    for (size_t i = 0; i < ELEMENTS(words); i++)
        if (text_equal(words[i].why, why))
            return _(words[i].message);
    return _("The unlocking has ended.");
}

int note_ended(const json_t *grant, const char *why, bool mine, struct note *ret)
{
    struct note n;
    size_t size = 0;
    FILE *body = begin(&n, &size, false, SHORT_MS);
    int r;

    if (body) {
        write_device(body, grant);
        (void)fputs(end_words(why, mine), body);
    }
    r = finish(&n, body, _("It is locked again"));
    if (r == 0)
        *ret = n;
    return r;
}

/* --- refusals --- */

static const char *refused_words(const json_t *refusal)
{
    const char *action = value_string(refusal, "action");

    if (text_starts(action, "file"))
        return _("A file was refused");
    if (text_starts(action, "mount"))
        return _("A mount was refused");
    return _("A device was refused");
}

/* One refusal that happened often is counted in its sentence; of different ones the last is told, and their number apart. */
static int write_refusal(FILE *out, const json_t *refusal, int64_t count, bool different)
{
    const struct refusal_style style = {.longest = NAME_MAX_BYTES};
    json_t *counted = json_copy((json_t *)(uintptr_t)refusal);

    if (!counted || json_object_set_new(counted, "count", json_integer(different ? 1 : count)) < 0) {
        json_decref(counted);
        return -ENOMEM;
    }
    refusal_write(out, counted, &style);
    json_decref(counted);
    if (different)
        (void)fprintf(out, _("%" PRIi64 " refusals like this one; “kuraban why --count 32” shows the last of them."),
                      count);
    return 0;
}

int note_refused(const json_t *refusal, int64_t count, bool different, struct note *ret)
{
    struct note n;
    size_t size = 0;
    FILE *body = begin(&n, &size, true, LONG_MS);
    int r = body ? write_refusal(body, refusal, count, different) : -ENOMEM, f;

    f = finish(&n, body, refused_words(refusal));
    if (r == 0 && f == 0)
        *ret = n;
    else if (f == 0)
        note_done(&n);
    return r < 0 ? r : f;
}

char *note_escape(const char *text)
{
    static const char *const replaced[] = {
        ['&'] = "&amp;", ['<'] = "&lt;", ['>'] = "&gt;", ['"'] = "&quot;", ['\''] = "&#39;"};
    char *escaped = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&escaped, &size);
    bool whole = out != NULL;

    for (; out && *text; text++) {
        size_t c = (unsigned char)*text;

        if (c < ELEMENTS(replaced) && replaced[c])
            (void)fputs(replaced[c], out);
        else
            (void)fputc(*text, out);
    }
    if (out && (ferror(out) || fclose(out) != 0))
        whole = false;
    if (!whole) {
        free(escaped);
        return NULL;
    }
    return escaped;
}
