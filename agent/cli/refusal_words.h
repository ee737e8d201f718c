#pragma once

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>

struct json_t;

/* A refusal (an element of WHY) in words for the person: `kuraban why` and the notification say the same. */
struct refusal_style {
    const char *indent; /* of the lines behind the first; NULL: none */
    size_t longest;     /* bytes of a name before it is cut in its middle; 0: never */
};

/* What was refused and how often, the reason with rule and policy, and what to do next: three lines. */
void refusal_write(FILE *out, const struct json_t *refusal, const struct refusal_style *style);
/* text with what is not printable made visible, cut in its middle; the caller frees. NULL on ENOMEM. */
char *refusal_name(const char *text, size_t longest);
