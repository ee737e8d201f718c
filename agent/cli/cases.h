#pragma once

#include "cli/evaluate.h"
#include "cli/names.h"
#include "policy/cases.h"

struct json_t;

/*
 * Deciding the cases of a document of expectations. No name service, no file system: people are names, files are paths. policy
 * must have been resolved with names_ops(names).
 */

/* One case: {name, line, column, ok, failures: [{key, line, column, expected, decided}], steps} (kuraban(1)). file names the
 * policy in positions. NULL on ENOMEM. */
struct json_t *cases_decide(const struct policy_case *k, const struct policy *policy, const char *file,
                            struct names *names);
