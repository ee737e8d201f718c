/*
 * Owns: which terminals a policy is for. Must not: know how a terminal got its name.
 */
#include "policy/scope.h"

#include <string.h>

#include "policy/policy.h"

static bool names(const struct policy_strings *list, const char *name)
{
    for (size_t i = 0; name && *name && i < list->n; i++)
        if (strcmp(list->items[i], name) == 0)
            return true;
    return false;
}

bool policy_is_for(const struct policy *p, const char *id, const char *const *groups, size_t n_groups)
{
    if (p->scope_terminals.n == 0 && p->scope_groups.n == 0)
        return true;
    for (size_t i = 0; i < n_groups; i++)
        if (names(&p->scope_groups, groups[i]))
            return true;
    return names(&p->scope_terminals, id);
}
