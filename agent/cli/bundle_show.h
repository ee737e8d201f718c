#pragma once

#include "cli/cli.h"
#include "policy/trust/write.h"

struct json_t;

/*
 * Who signed what in a bundle, as a terminal counts that has `own`: array of {kind, version (of a root), signatures, missing}; roots
 * first, each under the one before it, then policy and head under the newest.
 */
struct json_t *bundle_show(const struct trust_bundle *b, const struct trust_root *own);
void bundle_text(struct cli *c, const struct json_t *documents);
