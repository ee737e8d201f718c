#pragma once

#include <stdint.h>

#include "cli/cli.h"
#include "cli/trust_file.h"

struct json_t;
struct policy;

/* Signed documents as JSON answers, and as people read them. */

/* Array of {key, name, state}; root NULL: all are "unchecked". With previous, a signature that is good under either is good. */
struct json_t *trust_show_signatures(const struct trust_envelope *e, enum trust_role role,
                                     const struct trust_root *root, const struct trust_root *previous);
/* How many signatures of a role are still needed, and who may give them: {role, needed, keys}. */
struct json_t *trust_show_missing(const struct trust_envelope *e, enum trust_role role, const struct trust_root *root);
/* The answer of the root verbs; see kuraban(1), policy root show. */
struct json_t *trust_show_root(const struct root_file *f, const struct trust_root *previous);
/* What people check before they sign a policy. */
struct json_t *trust_show_policy(const struct policy *p);

void trust_text_root(struct cli *c, const struct json_t *answer);
void trust_text_policy(struct cli *c, const struct json_t *policy);
void trust_text_signatures(struct cli *c, const struct json_t *signatures);
/* Nothing when nobody is missing. previous: it is the root before this one that wants them. */
void trust_text_missing(struct cli *c, const struct json_t *missing, bool previous);

/* "2026-04-01 00:00:00" in local time; "-" for 0. Lives until cli_forget(). */
const char *trust_text_time(struct cli *c, int64_t wall_us);
/* A key's id as text: whole, and short enough for a line. */
const char *trust_text_id(struct cli *c, const struct digest *id);
const char *trust_text_short_id(struct cli *c, const char *id);
