#pragma once

#include "cli/cli.h"

struct policy;
struct policy_findings;

/* Warns of each USB device of this machine that the policy would not let work, keyboards first, at the rule that refuses it. Rules with
 * people or hours are judged as for nobody at this moment, and what only they refuse is not told. On failure it has told why. */
enum cli_exit check_present(struct cli *c, struct policy *policy, struct policy_findings *findings);
