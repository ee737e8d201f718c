#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/cli.h"

struct json_t;

/* Grants for people. */

/* "tanaka", or the number of one without a name. */
const char *grant_person(int64_t uid, char *buffer, size_t size);
/* Its device as `kuraban devices` names it. */
const char *grant_device(const struct json_t *grant);
/* The array of GRANTS as a table (a cli_text). */
void grant_text(struct cli *c, const struct json_t *grants);
/* unlock --status, once or each second until nothing is unlocked any more. */
enum cli_exit grant_status(struct cli *c, bool watch);
