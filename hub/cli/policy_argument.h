#pragma once

#include "hub/cli/hub.h"
#include "hub/rollout/documents.h"
#include "hub/store/policies.h"

/* Which signed policy of the store a person means: its version, or the beginning of its SHA-256. On failure it has told why. */
enum cli_exit hub_policy_find(struct cli *c, struct hub_store *store, const char *text, struct hub_policy *ret);
/* The newest root documents; none is a failure that is told. */
enum cli_exit hub_roots(struct cli *c, struct hub_store *store, struct rollout_roots *ret);
/* Tells why a signed document was refused: "FILE: message: detail". */
enum cli_exit hub_refused(struct cli *c, const char *what, int result, const struct trust_complaint *complaint);
