#pragma once

#include <stddef.h>

#include "policy/policy.h"

/*
 * Users and groups by name alone: each name gets a made-up id, the same in the policy and in the person. For policies of other
 * terminals, whose people this machine does not know. Starts as {0}.
 */
struct names {
    char **items;
    size_t n;
};
void names_done(struct names *n);

/* For policy_resolve(); refers to n. */
struct policy_names names_ops(struct names *n);

/* A person of that user name (NULL or "": of none) and these groups. 0 or -ENOMEM. */
struct explain_person;
int names_person(struct names *n, const char *user, const char *const *groups, size_t n_groups,
                 struct explain_person *ret);
