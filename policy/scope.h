#pragma once

#include <stdbool.h>
#include <stddef.h>

struct policy;

/* Is the policy meant for this terminal? One without a scope is for all. id NULL: the terminal has no name. */
bool policy_is_for(const struct policy *p, const char *id, const char *const *groups, size_t n_groups);
