/*
 * Owns: what is left of a policy that nobody can vouch for any more: its stores are stores all the same. Must not: keep anything that
 * permits.
 */
#include "policy/close.h"

#include <stdlib.h>

#include "policy/policy.h"

static void close_store(struct policy_store *s)
{
    for (size_t i = 0; i < s->n_programs; i++)
        free(s->programs[i].path);
    free(s->programs);
    s->programs = NULL;
    s->n_programs = 0;
    s->monitor = false;
}

void policy_take_stores_closed(struct policy *to, struct policy *from)
{
    for (size_t i = 0; i < from->n_stores; i++)
        close_store(&from->stores[i]);
    to->stores = from->stores;
    to->n_stores = from->n_stores;
    from->stores = NULL;
    from->n_stores = 0;
}
