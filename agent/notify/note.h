#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct json_t;

/* What one notification says. Plain text: who sends it escapes what a server would take for markup. */
struct note {
    char *summary; /* our words alone: no name that a device or a file chose */
    char *body;
    bool warning; /* for the icon */
    int timeout_ms;
};
void note_done(struct note *n);

/* Each from the JSON of a notice (docs/PROTOCOL.control.md, NOTICES). The texts are valid UTF-8 in the person's language and at most a few lines.
 * 0 or -ENOMEM. */
int note_given(const struct json_t *grant, struct note *ret);
/* minutes: so many are left, rounded up. */
int note_ends_soon(const struct json_t *grant, int64_t minutes, struct note *ret);
/* why: the name of an enum grant_end; one that is not known says only that it has ended. mine: this person asked for it. */
int note_ended(const struct json_t *grant, const char *why, bool mine, struct note *ret);
/* count: so many like it, this one included; different: of other files. */
int note_refused(const struct json_t *refusal, int64_t count, bool different, struct note *ret);

/* text as a server with the capability body-markup shows it; the caller frees. NULL on ENOMEM. */
char *note_escape(const char *text);
