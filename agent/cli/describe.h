#pragma once

#include "cli/evaluate.h"

/* What a rule wants of one attribute and what was there instead, in the words of the policy. Starts as {0}. */
struct described {
    const char *key; /* as in the policy: "serial", "who", "capacity-max"; NULL: nothing to compare */
    char *wanted, *found;
};
void described_done(struct described *d);

/* Why the rule does not match: its key, what it wants, what there is. */
void describe_usb(const struct policy_usb_rule *r, const struct evaluate_facts *facts, enum decide_mismatch m,
                  struct described *ret);
void describe_medium(const struct policy_medium_rule *r, const struct evaluate_facts *facts,
                     const struct decide_medium_facts *medium, enum decide_mismatch m, struct described *ret);
/* Which condition made the step's verdict what it is. */
void describe_reason(const struct policy *p, const struct evaluate_facts *facts, const struct evaluate_steps *steps,
                     size_t i, struct described *ret);

const struct policy_store *describe_find_store(const struct policy *p, const char *id);
