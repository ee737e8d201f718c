#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cli/cli.h"

/*
 * Which document is meant: a policy file, the policy in a signed one or in a bundle (its signatures are not looked at), or with path
 * NULL the one that rules this terminal: out of trust.json once a root document is installed (before the first signed one: the copy that
 * kuraband keeps), until then the configured file.
 */
struct policy_source {
    uint8_t *bytes; /* of the document */
    size_t size;
    bool is_signed;
    const char *name; /* the file, as people know it; lives as cli_safe() does */
};
/* On failure it has told why: CLI_NOT_PERMITTED when only root may read what rules. */
enum cli_exit policy_source_read(struct cli *c, const char *path, struct policy_source *ret);
void policy_source_done(struct policy_source *s);
