#pragma once

#include <stdio.h>

#include "cli/evaluate.h"

/* What a rule wants of one attribute and what was there instead, in the words of the policy. Starts as {0}. */
struct described {
    const char *key; /* as in the policy: "serial", "who", "capacity-max"; NULL: nothing to compare */
    char *wanted, *found;
};
void described_done(struct described *d);

/* Both sides are written through streams; without memory there is no key, and nothing is shown. */
struct sides {
    FILE *wanted, *found;
    size_t wanted_size, found_size;
};
bool describe_open_sides(struct sides *s, struct described *d);
void describe_close_sides(struct sides *s, struct described *d, const char *key);
/* who, when, until: the same for every rule; NULL: none of them. */
const char *describe_condition(const struct sides *s, enum verdict_reason reason, const struct policy_who *who,
                               const struct policy_when *when, int64_t until_us, const char *person,
                               const struct decide_time *now);

enum {
    DESCRIBE_LIST_MAX = 6 /* items of a list that are written out */
};

/* Why the rule does not match: its key, what it wants, what there is. */
void describe_usb(const struct policy_usb_rule *r, const struct evaluate_facts *facts, enum decide_mismatch m,
                  struct described *ret);
void describe_medium(const struct policy_medium_rule *r, const struct evaluate_facts *facts,
                     const struct decide_medium_facts *medium, enum decide_mismatch m, struct described *ret);
void describe_export(const struct policy *p, const struct policy_export_rule *r,
                     const struct decide_export_facts *facts, enum decide_mismatch m, struct described *ret);
/* Which condition of the export rule, or that of the target, refused. */
void describe_export_reason(const struct policy *p, const struct evaluate_facts *facts,
                            const struct evaluate_steps *steps, const struct verdict *v, struct described *ret);
/* Which condition made the step's verdict what it is. */
void describe_reason(const struct policy *p, const struct evaluate_facts *facts, const struct evaluate_steps *steps,
                     size_t i, struct described *ret);

const struct policy_export_rule *describe_find_export(const struct policy *p, const char *id);
const struct policy_store *describe_find_store(const struct policy *p, const char *id);
