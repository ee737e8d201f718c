#pragma once

#include "audit/key.h"
#include "cli/cli.h"

/* The journal's files, which the verbs of audit read themselves; the files' permissions decide who may. */

/* path NULL: the configured journal. On failure it has told why. */
enum cli_exit audit_dir_open(struct cli *c, const char *path, int *ret_fd);
/* path NULL: the public key of this terminal. Caller frees. */
enum cli_exit audit_dir_key(struct cli *c, const char *path, struct journal_key **ret);
