/*
 * Matching of single attributes, and the one place where monitor mode turns a refusal into a recorded pass.
 * Pure: no I/O, no clock, no allocation.
 */
#include "decide/match.h"

#include <fnmatch.h>
#include <string.h>

#include "policy/index.h"
#include "policy/when.h"

typedef bool string_test(const char *wanted, const char *value);

static bool same(const char *wanted, const char *value)
{
    return strcmp(wanted, value) == 0;
}

static bool fits(const char *wanted, const char *value)
{
    return fnmatch(wanted, value, FNM_PATHNAME) == 0;
}

/* An attribute with one value, `hits` of the `n` listed ones equal to it. */
static bool match_hits(enum policy_set_operator op, size_t hits, size_t n)
{
    switch (op) {
    case POLICY_SET_ONE_OF:
    case POLICY_SET_MATCH_ALL: /* the one value is among the listed ones */
        return hits > 0;
    case POLICY_SET_NONE_OF:
        return hits == 0;
    case POLICY_SET_ALL_OF:
    case POLICY_SET_EQUALS:
    case POLICY_SET_EQUALS_ORDERED:
        return hits == n;
    }
    return false;
}

static bool match_list(const struct policy_strings *wanted, const char *value, string_test *test)
{
    size_t hits = 0;

    if (wanted->n == 0)
        return true;
    if (!value)
        value = "";
    if (test == same && wanted->table)
        return match_hits(wanted->op, policy_strings_has(wanted, value), wanted->n);
    for (size_t i = 0; i < wanted->n; i++)
        hits += test(wanted->items[i], value);
    return match_hits(wanted->op, hits, wanted->n);
}

bool match_strings(const struct policy_strings *wanted, const char *value)
{
    return match_list(wanted, value, same);
}

bool match_patterns(const struct policy_strings *wanted, const char *value)
{
    return match_list(wanted, value, fits);
}

bool match_interface(const struct policy_interface *wanted, const struct decide_interface *have)
{
    return wanted->class_ == have->class_ && (wanted->any_subclass || wanted->subclass == have->subclass) &&
           (wanted->any_protocol || wanted->protocol == have->protocol);
}

static bool is_present(const struct policy_interface *wanted, const struct decide_interface *have, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (match_interface(wanted, &have[i]))
            return true;
    return false;
}

static bool is_listed(const struct policy_interfaces *wanted, const struct decide_interface *have)
{
    for (size_t i = 0; i < wanted->n; i++)
        if (match_interface(&wanted->items[i], have))
            return true;
    return false;
}

static size_t count_present(const struct policy_interfaces *wanted, const struct decide_interface *have, size_t n)
{
    size_t present = 0;

    for (size_t i = 0; i < wanted->n; i++)
        present += is_present(&wanted->items[i], have, n);
    return present;
}

/* Does everything that fits `inner` fit `outer`? Wildcards stand from the right only, so two patterns nest or are apart. */
static bool is_within(const struct policy_interface *inner, const struct policy_interface *outer)
{
    return inner->class_ == outer->class_ &&
           (outer->any_subclass || (!inner->any_subclass && inner->subclass == outer->subclass)) &&
           (outer->any_protocol || (!inner->any_protocol && inner->protocol == outer->protocol));
}

/* Each listed one has an interface of its own (Hall's condition, which is enough for patterns that nest). */
static bool has_as_many(const struct policy_interfaces *wanted, const struct decide_interface *have, size_t n)
{
    for (size_t i = 0; i < wanted->n; i++) {
        size_t demanded = 0, present = 0;

        for (size_t k = 0; k < wanted->n; k++)
            demanded += is_within(&wanted->items[k], &wanted->items[i]);
        for (size_t k = 0; k < n; k++)
            present += match_interface(&wanted->items[i], &have[k]);
        if (present < demanded)
            return false;
    }
    return true;
}

static bool all_listed(const struct policy_interfaces *wanted, const struct decide_interface *have, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (!is_listed(wanted, &have[i]))
            return false;
    return true;
}

static bool equal_ordered(const struct policy_interfaces *wanted, const struct decide_interface *have, size_t n)
{
    if (wanted->n != n)
        return false;
    for (size_t i = 0; i < n; i++)
        if (!match_interface(&wanted->items[i], &have[i]))
            return false;
    return true;
}

bool match_interfaces(const struct policy_interfaces *wanted, const struct decide_interface *have, size_t n)
{
    size_t present = count_present(wanted, have, n);

    if (n == 0)
        return false;
    switch (wanted->op) {
    case POLICY_SET_ALL_OF:
        return present == wanted->n;
    case POLICY_SET_ONE_OF:
        return present > 0;
    case POLICY_SET_NONE_OF:
        return present == 0;
    case POLICY_SET_EQUALS:
        return n == wanted->n && has_as_many(wanted, have, n);
    case POLICY_SET_EQUALS_ORDERED:
        return equal_ordered(wanted, have, n);
    case POLICY_SET_MATCH_ALL:
        return all_listed(wanted, have, n);
    }
    return false;
}

bool match_usb_id(const struct policy_usb_match *m, uint16_t vendor, uint16_t product)
{
    const struct policy_usb_ids *ids = &m->devices;
    size_t hits = 0;

    if (ids->n == 0)
        return true;
    for (size_t i = 0; i < ids->n; i++) {
        const struct policy_usb_id *id = &ids->items[i];

        hits += (id->any_vendor || id->vendor == vendor) && (id->any_product || id->product == product);
    }
    return match_hits(ids->op, hits, ids->n);
}

bool match_person(const struct policy_who *who, const struct decide_person *person)
{
    if (!who->restricted)
        return true;
    for (size_t i = 0; i < who->n_uids; i++)
        if (who->uids[i] == person->uid)
            return true;
    for (size_t i = 0; i < who->n_gids; i++)
        for (size_t k = 0; k < person->n_gids; k++)
            if (who->gids[i] == person->gids[k])
                return true;
    return false;
}

bool match_persons(const struct policy_who *who, const struct decide_person *persons, size_t n)
{
    if (!who->restricted)
        return true;
    for (size_t i = 0; i < n; i++)
        if (match_person(who, &persons[i]))
            return true;
    return false;
}

bool match_when(const struct policy_when *when, const struct decide_time *now)
{
    return when_holds(when, now->weekday, now->minute);
}

enum verdict_reason match_unlock(const struct policy_unlock *unlock, bool granted)
{
    return unlock->needed && !granted ? REASON_LOCKED : REASON_RULE;
}

bool match_depends(const struct policy_who *who, const struct policy_when *when, int64_t until_us)
{
    return who->restricted || when->restricted || until_us != 0;
}

enum verdict_reason match_conditions(const struct policy_who *who, const struct policy_when *when, int64_t until_us,
                                     const struct decide_person *persons, size_t n, const struct decide_time *now)
{
    if (until_us != 0 && now->wall_us > until_us)
        return REASON_EXPIRED;
    if (!match_persons(who, persons, n))
        return REASON_WHO;
    if (!match_when(when, now))
        return REASON_WHEN;
    return REASON_RULE;
}

/* Could one of them be meant, as far as the name service answered? */
static bool may_mean(const struct policy_who *who, const struct decide_person *persons, size_t n)
{
    for (size_t i = 0; i < n; i++)
        if (who->unasked || (who->groups.n > 0 && persons[i].groups_unknown))
            return true;
    return false;
}

enum decide_mismatch match_refusal(const struct policy_who *who, const struct policy_when *when, int64_t until_us,
                                   const struct decide_person *persons, size_t n, const struct decide_time *now)
{
    enum verdict_reason reason = match_conditions(who, when, until_us, persons, n, now);

    if (reason == REASON_WHO && may_mean(who, persons, n))
        reason = match_when(when, now) ? REASON_RULE : REASON_WHEN;
    switch (reason) {
    case REASON_EXPIRED:
        return MISMATCH_EXPIRED;
    case REASON_WHO:
        return MISMATCH_WHO;
    case REASON_WHEN:
        return MISMATCH_WHEN;
    default:
        return MISMATCH_NONE;
    }
}

void verdict_set(struct verdict *ret, const struct policy *p, bool rule_monitor, const char *rule,
                 enum policy_allow allow, enum verdict_reason reason)
{
    bool monitor = p->mode == POLICY_MONITOR || rule_monitor;
    bool ruled = allow != POLICY_REFUSE;

    *ret = (struct verdict){
        .ruled = ruled ? VERDICT_ALLOW : VERDICT_DENY,
        .kind = ruled || monitor ? VERDICT_ALLOW : VERDICT_DENY,
        .allow = ruled || !monitor ? allow : POLICY_USE,
        .reason = reason,
        .rule = rule,
        .monitor = monitor,
    };
}
