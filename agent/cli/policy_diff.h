#pragma once

#include "cli/cli.h"

struct policy;
struct json_t;

/* One of two policies that are compared. */
struct policy_version {
    const char *file; /* as people call it */
    const struct policy *policy;
    bool is_signed; /* from an envelope or bundle; its signatures were not looked at */
};

/* What changes from one to the other, as `kuraban policy diff` says it: for who approves, also from other verbs. Keys of the
 * answer: kuraban(1). NULL on ENOMEM; caller frees. */
struct json_t *policy_diff_answer(const struct policy_version *before, const struct policy_version *after);
/* The answer for people (a cli_text). */
void policy_diff_text(struct cli *c, const struct json_t *answer);
