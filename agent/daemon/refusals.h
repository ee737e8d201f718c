#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

#include "audit/audit.h"

struct json_t;

/* The latest refusals, so that people can ask why. Bounded per person, so that one noisy program cannot push out another
 * person's answer; gone with the daemon (the journal keeps them). */
struct refusals;

int refusals_new(struct refusals **ret);
struct refusals *refusals_free(struct refusals *r);

/* Remembers a refusal (or what would have been one); anything else is ignored. A refusal without a uid belongs to everybody. */
void refusals_remember(struct refusals *r, const struct audit_event *e);
/* JSON array for uid, newest first (docs/PROTOCOL.control.md, WHY). everybodys: root asks, every person's. NULL on ENOMEM. */
struct json_t *refusals_answer(const struct refusals *r, uid_t uid, bool everybodys, size_t count);
