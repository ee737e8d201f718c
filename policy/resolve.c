/*
 * Owns: turning the user and group names of a policy into this terminal's ids, once, before the policy is shared.
 * Must not: ask the name service itself: the caller's functions do, at a time when waiting is fine.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/cleanup.h"
#include "policy/load.h"

static int resolve_who(struct policy_who *who, struct policy_position at, const struct policy_names *names,
                       struct policy_findings *findings)
{
    free(who->uids);
    free(who->gids);
    who->n_uids = who->n_gids = 0;
    who->uids = calloc(who->users.n > 0 ? who->users.n : 1, sizeof(*who->uids));
    who->gids = calloc(who->groups.n > 0 ? who->groups.n : 1, sizeof(*who->gids));
    if (!who->uids || !who->gids)
        return -ENOMEM;
    for (size_t i = 0; i < who->users.n; i++) {
        if (names->user(names->context, who->users.items[i], &who->uids[who->n_uids]) >= 0)
            who->n_uids++;
        else
            policy_findings_add(findings, POLICY_WARNING, at, N_("there is no user '%s' on this terminal"),
                                who->users.items[i]);
    }
    for (size_t i = 0; i < who->groups.n; i++) {
        if (names->group(names->context, who->groups.items[i], &who->gids[who->n_gids]) >= 0)
            who->n_gids++;
        else
            policy_findings_add(findings, POLICY_WARNING, at, N_("there is no group '%s' on this terminal"),
                                who->groups.items[i]);
    }
    return 0;
}

int policy_resolve(struct policy *p, const struct policy_names *names, struct policy_findings *findings)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < p->n_usb; i++)
        r = resolve_who(&p->usb[i].who, p->usb[i].at, names, findings);
    for (size_t i = 0; r == 0 && i < p->media.n_rules; i++)
        r = resolve_who(&p->media.rules[i].who, p->media.rules[i].at, names, findings);
    for (size_t i = 0; r == 0 && i < p->n_stores; i++)
        r = resolve_who(&p->stores[i].who, p->stores[i].at, names, findings);
    return r;
}
