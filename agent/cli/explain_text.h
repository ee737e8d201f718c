#pragma once

#include "cli/cli.h"

/* The answer of policy explain for people. */
void explain_text(struct cli *c, const struct json_t *answer);
/* One step of it: verdict, rule and its place; why; then the rules up to the one that decides. Also for policy test. */
void explain_text_step(struct cli *c, const struct json_t *step, int indent);
