#pragma once

#include <stddef.h>
#include <stdint.h>

#include "cli/cli.h"
#include "policy/findings.h"
#include "policy/policy.h"

struct json_t;

/* The bytes of a policy file: regular, at most POLICY_DOCUMENT_MAX, NUL-terminated past ret_size. 0; -EINVAL when it is
 * not a regular file, -EFBIG, other -errno. Caller frees. */
int policy_file_read(const char *path, uint8_t **ret_bytes, size_t *ret_size);
/* The same for a file that is no policy, of at most maximum bytes. */
int policy_file_read_up_to(const char *path, size_t maximum, uint8_t **ret_bytes, size_t *ret_size);

/* The policy that is meant (policy_source.h), with names resolved; names NULL: on this machine. ret_name: where it comes from, lives as
 * cli_safe() does. On failure it has told why. Caller unrefs. */
enum cli_exit policy_file_load_as(struct cli *c, const char *path, const struct policy_names *names,
                                  struct policy **ret, const char **ret_name);

/* Resolves the names of people on this machine. 0 or -ENOMEM; findings get a warning for each that does not exist. */
int policy_file_resolve(struct policy *policy, struct policy_findings *findings);

/* Findings as a JSON array of {severity, line, column, message, hint}. */
struct json_t *policy_file_findings(const struct policy_findings *findings);
