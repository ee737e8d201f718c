#pragma once

#include "cli/cli.h"
#include "policy/trust/write.h"

/* What `root create` and `root rotate` do to a root document before it is written. All have told why when they fail. */

/* Gives the key of a public key file a role. */
enum cli_exit root_edit_add(struct cli *c, struct trust_root *root, enum trust_role role, const char *path);
/* Takes the role from a key that is named by public key file, name, id or its first digits. A key without any role is dropped. */
enum cli_exit root_edit_remove(struct cli *c, struct trust_root *root, enum trust_role role, const char *which);
/* text NULL: fallback, or with 0 what stands there. */
enum cli_exit root_edit_threshold(struct cli *c, struct trust_root *root, enum trust_role role, const char *text,
                                  unsigned fallback);
/* Are there keys for the thresholds? Warns of what will hurt later. */
enum cli_exit root_edit_check(struct cli *c, const struct trust_root *root);
/* To a new file, without signatures. Shows it. */
enum cli_exit root_edit_write(struct cli *c, const struct trust_root *root, const struct trust_root *previous,
                              const char *path);
