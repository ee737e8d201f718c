/*
 * Owns: turning the user and group names of a policy into this terminal's ids, once, before the policy is shared.
 * Must not: ask the name service itself: the caller's functions do, at a time when waiting is fine.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "policy/load.h"

static void not_asked(struct policy_who *who, struct policy_position at, const char *name,
                      struct policy_findings *findings)
{
    who->unasked = true;
    policy_findings_add(findings, POLICY_WARNING, at,
                        N_("the name service did not answer for '%s': a rule that refuses it refuses everybody"), name);
}

static int resolve_who(struct policy_who *who, struct policy_position at, const struct policy_names *names,
                       struct policy_findings *findings)
{
    free(who->uids);
    free(who->gids);
    who->n_uids = who->n_gids = 0;
    who->unasked = false;
    who->uids = calloc(who->users.n > 0 ? who->users.n : 1, sizeof(*who->uids));
    who->gids = calloc(who->groups.n > 0 ? who->groups.n : 1, sizeof(*who->gids));
    if (!who->uids || !who->gids)
        return -ENOMEM;
    for (size_t i = 0; i < who->users.n; i++) {
        int r = names->user(names->context, who->users.items[i], &who->uids[who->n_uids]);

        who->n_uids += r >= 0;
        if (r == -ENOENT)
            policy_findings_add(findings, POLICY_WARNING, at, N_("there is no user '%s' on this terminal"),
                                who->users.items[i]);
        else if (r < 0)
            not_asked(who, at, who->users.items[i], findings);
    }
    for (size_t i = 0; i < who->groups.n; i++) {
        int r = names->group(names->context, who->groups.items[i], &who->gids[who->n_gids]);

        who->n_gids += r >= 0;
        if (r == -ENOENT)
            policy_findings_add(findings, POLICY_WARNING, at, N_("there is no group '%s' on this terminal"),
                                who->groups.items[i]);
        else if (r < 0)
            not_asked(who, at, who->groups.items[i], findings);
    }
    return 0;
}

/* Every who of a policy, in the order of the document. */
struct walk {
    int (*visit)(struct policy_who *who, struct policy_position at, void *context);
    void *context;
};

static int walk_export(struct policy *p, const struct walk *w)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < p->n_export; i++) {
        r = w->visit(&p->export[i].who, p->export[i].at, w->context);
        if (r == 0)
            r = w->visit(&p->export[i].approvers, p->export[i].at, w->context);
    }
    return r == 0 ? w->visit(&p->mfa.who, p->mfa.at, w->context) : r;
}

static int walk(struct policy *p, const struct walk *w)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < p->n_usb; i++) {
        r = w->visit(&p->usb[i].who, p->usb[i].at, w->context);
        if (r == 0)
            r = w->visit(&p->usb[i].unlock.approvers, p->usb[i].at, w->context);
    }
    for (size_t i = 0; r == 0 && i < p->media.n_rules; i++) {
        r = w->visit(&p->media.rules[i].who, p->media.rules[i].at, w->context);
        if (r == 0)
            r = w->visit(&p->media.rules[i].unlock.approvers, p->media.rules[i].at, w->context);
    }
    for (size_t i = 0; r == 0 && i < p->n_stores; i++)
        r = w->visit(&p->stores[i].who, p->stores[i].at, w->context);
    return r == 0 ? walk_export(p, w) : r;
}

struct resolving {
    const struct policy_names *names;
    struct policy_findings *findings;
};

static int resolve_one(struct policy_who *who, struct policy_position at, void *context)
{
    const struct resolving *r = context;

    return resolve_who(who, at, r->names, r->findings);
}

int policy_resolve(struct policy *p, const struct policy_names *names, struct policy_findings *findings)
{
    struct resolving context = {names, findings};

    return walk(p, &(struct walk){resolve_one, &context});
}

static bool same_who(const struct policy_who *a, const struct policy_who *b)
{
    return a->n_uids == b->n_uids && a->n_gids == b->n_gids && a->unasked == b->unasked &&
           (a->n_uids == 0 || memcmp(a->uids, b->uids, a->n_uids * sizeof(*a->uids)) == 0) &&
           (a->n_gids == 0 || memcmp(a->gids, b->gids, a->n_gids * sizeof(*a->gids)) == 0);
}

static bool same_export(const struct policy *a, const struct policy *b)
{
    bool same = a->n_export == b->n_export && same_who(&a->mfa.who, &b->mfa.who);

    for (size_t i = 0; same && i < a->n_export; i++)
        same = same_who(&a->export[i].who, &b->export[i].who) &&
               same_who(&a->export[i].approvers, &b->export[i].approvers);
    return same;
}

bool policy_same_names(const struct policy *a, const struct policy *b)
{
    bool same = a->n_usb == b->n_usb && a->media.n_rules == b->media.n_rules && a->n_stores == b->n_stores;

    for (size_t i = 0; same && i < a->n_usb; i++)
        same = same_who(&a->usb[i].who, &b->usb[i].who) &&
               same_who(&a->usb[i].unlock.approvers, &b->usb[i].unlock.approvers);
    for (size_t i = 0; same && i < a->media.n_rules; i++)
        same = same_who(&a->media.rules[i].who, &b->media.rules[i].who) &&
               same_who(&a->media.rules[i].unlock.approvers, &b->media.rules[i].unlock.approvers);
    for (size_t i = 0; same && i < a->n_stores; i++)
        same = same_who(&a->stores[i].who, &b->stores[i].who);
    return same && same_export(a, b);
}
