#pragma once

#include "decide/decide.h"

/* What a refusal means to the person it happened to, and what they can do: one pair per reason, msgids. */
struct why_words {
    const char *reason, *next;
};

/* By the stable name of verdict_reason_name(); a name of a newer kuraband gets the words for REASON_UNKNOWN. */
const struct why_words *why_words_of(const char *reason_name);
/* Is it one of those names? */
bool why_words_know(const char *reason_name);
const struct why_words *why_words_at(enum verdict_reason reason);
