/*
 * The table of grants. Owns: who holds what and until when. Must not: read a clock, ask who somebody is, apply anything to a device, or
 * write to the journal: the daemon does.
 */
#include "grant/grant.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "decide/match.h"

struct grants {
    uint64_t last_id;
    size_t n;
    struct grant items[GRANTS_MAX];
};

int grants_new(struct grants **ret)
{
    struct grants *t = calloc(1, sizeof(*t));

    if (!t)
        return -ENOMEM;
    *ret = t;
    return 0;
}

struct grants *grants_free(struct grants *t)
{
    free(t);
    return NULL;
}

/* --- time --- */

/* By both clocks: a wall clock that is set back does not lengthen a grant, one that is set forward ends it. */
int64_t grant_left_us(const struct grant *g, const struct grant_time *now)
{
    int64_t by_wall, by_boottime = 0;

    if (now->boottime_us < g->end.boottime_us)
        by_boottime = (int64_t)(g->end.boottime_us - now->boottime_us);
    /* A clock may stand anywhere; the difference must not overflow. */
    if (now->wall_us >= g->end.wall_us || __builtin_sub_overflow(g->end.wall_us, now->wall_us, &by_wall))
        return now->wall_us >= g->end.wall_us ? 0 : by_boottime;
    return by_wall < by_boottime ? by_wall : by_boottime;
}

static bool is_over(const struct grant *g, const struct grant_time *now)
{
    return grant_left_us(g, now) == 0;
}

static bool is_near(const struct grant *g, const struct grant_time *now)
{
    return grant_left_us(g, now) <= GRANT_WARNING_US;
}

uint64_t grants_next_deadline(const struct grants *t, const struct grant_time *now)
{
    uint64_t next = UINT64_MAX;

    for (size_t i = 0; i < t->n; i++) {
        int64_t left = grant_left_us(&t->items[i], now);
        uint64_t at;

        if (!t->items[i].warned)
            left = left > GRANT_WARNING_US ? left - GRANT_WARNING_US : 0;
        at = now->boottime_us + (uint64_t)left;
        next = at < next ? at : next;
    }
    return next;
}

/* The smallest of what is asked for, what the rule permits and what ever is. */
static int64_t length_of(const struct policy_unlock *u, int64_t wanted_us)
{
    int64_t length = u->for_us < GRANT_LONGEST_US ? u->for_us : GRANT_LONGEST_US;

    return wanted_us > 0 && wanted_us < length ? wanted_us : length;
}

/* --- giving --- */

static bool same_device(const struct grant_device *a, const struct grant_device *b)
{
    return a->id[0] != '\0' && strcmp(a->id, b->id) == 0 && strcmp(a->identity, b->identity) == 0;
}

static bool are_distinct(const struct grant_request *r)
{
    for (size_t i = 0; i < r->n_approvers; i++) {
        if (r->approvers[i].uid == r->uid)
            return false;
        for (size_t j = 0; j < i; j++)
            if (r->approvers[i].uid == r->approvers[j].uid)
                return false;
    }
    return true;
}

/* Everybody who is named helps: the code of whom the rule does not ask is none of the requester's business, and wrong ones would count. */
static bool may_all_approve(const struct policy_unlock *u, const struct grant_request *r)
{
    for (size_t i = 0; i < r->n_approvers; i++)
        if (!decide_may_approve(&u->approvers, &r->approvers[i]))
            return false;
    return r->n_approvers <= u->approvals;
}

/* The place of one the same person holds, t->n: none. */
static size_t own_place(const struct grants *t, const struct grant_request *r)
{
    size_t i = 0;

    while (i < t->n && (t->items[i].uid != r->uid || t->items[i].purpose != r->purpose ||
                        !same_device(&t->items[i].device, &r->device) || strcmp(t->items[i].rule, r->rule) != 0))
        i++;
    return i;
}

static int check_room(const struct grants *t, const struct grant_request *r, const struct grant_time *now)
{
    size_t own = 0;

    for (size_t i = 0; i < t->n; i++) {
        const struct grant *g = &t->items[i];

        if (g->uid == r->uid)
            own++;
        else if (g->purpose == r->purpose && same_device(&g->device, &r->device) && !is_over(g, now))
            return GRANT_E_TAKEN;
    }
    if (own_place(t, r) < t->n)
        return 0; /* it takes the place of the old one */
    if (own >= GRANTS_PERSON_MAX)
        return GRANT_E_MANY;
    return t->n < GRANTS_MAX ? 0 : GRANT_E_FULL;
}

int grant_check_number(const struct policy *p, const char *rule, size_t n)
{
    const struct policy_unlock *u = grant_unlock_of(p, rule);

    if (!u)
        return GRANT_E_RULE;
    if (n > GRANT_APPROVERS_MAX || n < u->approvals)
        return GRANT_E_APPROVAL;
    return n > u->approvals ? GRANT_E_APPROVER : 0;
}

int grant_check(const struct grants *t, const struct policy *p, const struct grant_request *r,
                const struct grant_time *now, bool ahead)
{
    const struct policy_unlock *u = grant_unlock_of(p, r->rule);
    size_t length = r->reason ? strlen(r->reason) : 0;

    if (!u || length_of(u, r->for_us) <= 0 || r->device.id[0] == '\0' || r->purpose == GRANT_NOTHING ||
        strlen(r->rule) > POLICY_ID_MAX)
        return GRANT_E_RULE;
    if (length == 0 || length > GRANT_REASON_MAX || !text_is_printable_utf8(r->reason))
        return GRANT_E_REASON;
    if (r->n_approvers > GRANT_APPROVERS_MAX || r->n_approvers < u->approvals || !are_distinct(r))
        return GRANT_E_APPROVAL;
    if (!may_all_approve(u, r))
        return GRANT_E_APPROVER;
    /* A rule that names no factor is a mistake of ours, not a permission. */
    if (!ahead && (u->factors == 0 || (u->factors & ~r->factors) != 0))
        return GRANT_E_FACTOR;
    return check_room(t, r, now);
}

static void drop(struct grants *t, size_t i, struct grant *ret)
{
    *ret = t->items[i];
    t->n--;
    memmove(&t->items[i], &t->items[i + 1], (t->n - i) * sizeof(t->items[0]));
}

int grant_give(struct grants *t, const struct policy *p, const struct grant_request *r, const struct grant_time *now,
               struct grant *ret, struct grant *ret_renewed)
{
    int outcome = grant_check(t, p, r, now, false);
    struct grant old = {0}, g = {.uid = r->uid, .purpose = r->purpose, .device = r->device, .factors = r->factors};
    int64_t length;
    size_t own;

    if (outcome != 0)
        return outcome;
    length = length_of(grant_unlock_of(p, r->rule), r->for_us);
    g.begin = *now;
    g.end.boottime_us = now->boottime_us + (uint64_t)length;
    if (__builtin_add_overflow(now->wall_us, length, &g.end.wall_us))
        return GRANT_E_RULE;
    g.n_approvers = r->n_approvers;
    for (size_t i = 0; i < r->n_approvers; i++)
        g.approvers[i] = r->approvers[i].uid;
    memcpy(g.rule, r->rule, strlen(r->rule) + 1);
    memcpy(g.reason, r->reason, strlen(r->reason) + 1);
    g.warned = length <= GRANT_WARNING_US; /* its end is near from the beginning */
    own = own_place(t, r);
    if (own < t->n)
        drop(t, own, &old);
    g.id = ++t->last_id;
    t->items[t->n++] = g;
    *ret = g;
    *ret_renewed = old;
    return 0;
}

/* --- looking --- */

const struct grant *grant_find(const struct grants *t, const struct grant_device *device, const char *rule,
                               enum grant_purpose purpose, const struct grant_time *now)
{
    if (purpose == GRANT_NOTHING)
        return NULL;
    for (size_t i = 0; i < t->n; i++) {
        const struct grant *g = &t->items[i];

        if (g->purpose == purpose && same_device(&g->device, device) && text_equal(g->rule, rule) && !is_over(g, now))
            return g;
    }
    return NULL;
}

size_t grants_count(const struct grants *t)
{
    return t->n;
}

const struct grant *grants_at(const struct grants *t, size_t i)
{
    return i < t->n ? &t->items[i] : NULL;
}

/* --- ending --- */

bool grant_take_expired(struct grants *t, const struct grant_time *now, struct grant *ret)
{
    for (size_t i = 0; i < t->n; i++) {
        if (is_over(&t->items[i], now)) {
            drop(t, i, ret);
            return true;
        }
    }
    return false;
}

bool grant_take_device(struct grants *t, const char *device_id, struct grant *ret)
{
    for (size_t i = 0; i < t->n; i++) {
        if (strcmp(t->items[i].device.id, device_id) == 0) {
            drop(t, i, ret);
            return true;
        }
    }
    return false;
}

bool grant_take_any(struct grants *t, struct grant *ret)
{
    if (t->n == 0)
        return false;
    drop(t, 0, ret);
    return true;
}

bool grant_take(struct grants *t, uint64_t id, struct grant *ret)
{
    for (size_t i = 0; i < t->n; i++) {
        if (t->items[i].id == id) {
            drop(t, i, ret);
            return true;
        }
    }
    return false;
}

bool grant_take_warning(struct grants *t, const struct grant_time *now, struct grant *ret)
{
    for (size_t i = 0; i < t->n; i++) {
        struct grant *g = &t->items[i];

        if (!g->warned && is_near(g, now)) {
            g->warned = true;
            *ret = *g;
            return true;
        }
    }
    return false;
}

/* --- the policy --- */

const struct policy_unlock *grant_unlock_of(const struct policy *p, const char *rule)
{
    const struct policy_usb_rule *usb = rule ? policy_find_usb_rule(p, rule) : NULL;
    const struct policy_medium_rule *medium = rule && !usb ? policy_find_medium_rule(p, rule) : NULL;
    const struct policy_unlock *u = usb ? &usb->unlock : medium ? &medium->unlock : NULL;

    return u && u->needed ? u : NULL;
}

enum verdict_reason grant_permits(const struct policy *p, const char *rule, const struct decide_person *person,
                                  const struct decide_time *calendar)
{
    const struct policy_usb_rule *usb = policy_find_usb_rule(p, rule);
    const struct policy_medium_rule *medium = usb ? NULL : policy_find_medium_rule(p, rule);

    if (usb)
        return match_conditions(&usb->who, &usb->when, usb->until_us, person, 1, calendar);
    if (medium)
        return match_conditions(&medium->who, &medium->when, medium->until_us, person, 1, calendar);
    return REASON_DEFAULT;
}

/* Less time than was given: it ends by the rule of now, on both clocks. */
static void shorten(struct grant *g, const struct policy_unlock *u)
{
    int64_t length = length_of(u, 0);
    uint64_t boottime_us = g->begin.boottime_us + (uint64_t)(length > 0 ? length : 0);
    int64_t wall_us = g->begin.wall_us + (length > 0 ? length : 0);

    if (boottime_us < g->end.boottime_us)
        g->end.boottime_us = boottime_us;
    if (wall_us < g->end.wall_us)
        g->end.wall_us = wall_us;
}

/* Of those who approved, how many the rule would ask now. */
static size_t count_approvers(const struct grant *g, const struct policy_unlock *u, const struct grant_view *view)
{
    size_t n = 0;

    for (size_t i = 0; i < g->n_approvers; i++) {
        struct decide_person person = {0};

        n += !u->approvers.restricted ||
             (view->person(view->context, g->approvers[i], &person) >= 0 && decide_may_approve(&u->approvers, &person));
    }
    return n;
}

static enum grant_end verdict_on(const struct grant *g, const struct policy *p, const struct grant_view *view,
                                 const struct decide_time *calendar)
{
    const struct policy_unlock *u = grant_unlock_of(p, g->rule);
    struct decide_person person = {0};

    if (!u || u->factors == 0 || (u->factors & ~g->factors) != 0 || count_approvers(g, u, view) < u->approvals)
        return GRANT_END_POLICY;
    if (view->person(view->context, g->uid, &person) < 0 || grant_permits(p, g->rule, &person, calendar) != REASON_RULE)
        return GRANT_END_PERSON;
    return view->decides && !view->decides(view->context, g) ? GRANT_END_POLICY : GRANT_END_NONE;
}

bool grant_take_unpermitted(struct grants *t, const struct policy *p, const struct grant_view *view,
                            const struct decide_time *calendar, const struct grant_time *now, struct grant *ret,
                            enum grant_end *ret_why)
{
    for (size_t i = 0; i < t->n; i++) {
        struct grant *g = &t->items[i];
        enum grant_end why = verdict_on(g, p, view, calendar);

        if (why == GRANT_END_NONE && !is_over(g, now)) {
            shorten(g, grant_unlock_of(p, g->rule));
            why = is_over(g, now) ? GRANT_END_POLICY : GRANT_END_NONE;
        }
        if (why != GRANT_END_NONE) {
            *ret_why = why;
            drop(t, i, ret);
            return true;
        }
    }
    return false;
}
