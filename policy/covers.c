/*
 * Owns: comparing what two rules match, without any device at hand.
 * Must not: guess: what it is not sure of does not cover.
 */
#include "policy/covers.h"

#include "policy/index.h"
#include "policy/when.h"

/* Two long lists are not compared: a document of the largest size must load in well under a second. */
static bool is_quick(size_t a, size_t b)
{
    return a * b <= 1000000;
}

/* Lists that are patterns are compared as they are written: one is surely covered by itself only. */
static bool covers_patterns(const struct policy_strings *first, const struct policy_strings *later)
{
    if (first->n == 0)
        return true;
    if (later->n == 0 || !policy_is_choice(first->op, first->n) || !policy_is_choice(later->op, later->n))
        return false;
    for (size_t i = 0; i < later->n; i++)
        if (!policy_strings_has(first, later->items[i]))
            return false;
    return true;
}

/* first: none of these. later: one of others, or none of these and more. */
static bool covers_none_of(const struct policy_strings *first, const struct policy_strings *later)
{
    bool excludes = later->op == POLICY_SET_NONE_OF;

    if (later->n == 0 || (!excludes && !policy_is_choice(later->op, later->n)))
        return false;
    for (size_t i = 0; i < first->n; i++)
        if (policy_strings_has(later, first->items[i]) != excludes)
            return false;
    return true;
}

static bool covers_strings(const struct policy_strings *first, const struct policy_strings *later)
{
    if (first->n == 0)
        return true;
    if (!is_quick(first->table ? 1 : first->n, later->table ? 1 : later->n))
        return false;
    return first->op == POLICY_SET_NONE_OF ? covers_none_of(first, later) : covers_patterns(first, later);
}

static bool covers_id(const struct policy_usb_id *first, const struct policy_usb_id *later)
{
    if (first->any_vendor)
        return true;
    if (later->any_vendor || first->vendor != later->vendor)
        return false;
    return first->any_product || (!later->any_product && first->product == later->product);
}

static bool covers_ids(const struct policy_usb_ids *first, const struct policy_usb_ids *later)
{
    if (first->n == 0)
        return true;
    if (later->n == 0 || !policy_is_choice(first->op, first->n) || !policy_is_choice(later->op, later->n) ||
        !is_quick(first->n, later->n))
        return false;
    for (size_t i = 0; i < later->n; i++) {
        bool covered = false;

        for (size_t k = 0; k < first->n && !covered; k++)
            covered = covers_id(&first->items[k], &later->items[i]);
        if (!covered)
            return false;
    }
    return true;
}

/* Wildcards stand from the right only. */
static bool is_within(const struct policy_interface *inner, const struct policy_interface *outer)
{
    return inner->class_ == outer->class_ &&
           (outer->any_subclass || (!inner->any_subclass && inner->subclass == outer->subclass)) &&
           (outer->any_protocol || (!inner->any_protocol && inner->protocol == outer->protocol));
}

static bool is_in(const struct policy_interface *inner, const struct policy_interfaces *set)
{
    for (size_t i = 0; i < set->n; i++)
        if (is_within(inner, &set->items[i]))
            return true;
    return false;
}

static size_t count_in(const struct policy_interfaces *inner, const struct policy_interfaces *outer)
{
    size_t n = 0;

    for (size_t i = 0; i < inner->n; i++)
        n += is_in(&inner->items[i], outer);
    return n;
}

bool covers_interface_list(const struct policy_interfaces *first, const struct policy_interfaces *later)
{
    return count_in(later, first) == later->n;
}

/* Everything listed has something of its own within the other set. */
static bool each_holds_one(const struct policy_interfaces *outer, const struct policy_interfaces *inner)
{
    for (size_t i = 0; i < outer->n; i++) {
        bool holds = false;

        for (size_t k = 0; k < inner->n && !holds; k++)
            holds = is_within(&inner->items[k], &outer->items[i]);
        if (!holds)
            return false;
    }
    return true;
}

/* No interface fits both sets; patterns that nest from the right meet only where one holds the other. */
static bool are_apart(const struct policy_interfaces *a, const struct policy_interfaces *b)
{
    return count_in(a, b) == 0 && count_in(b, a) == 0;
}

static bool same_interfaces(const struct policy_interfaces *a, const struct policy_interfaces *b)
{
    if (a->op != b->op || a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (!is_within(&a->items[i], &b->items[i]) || !is_within(&b->items[i], &a->items[i]))
            return false;
    return true;
}

/* A device that `later` takes has each of the listed ones. */
static bool demands_all(enum policy_set_operator op)
{
    return op == POLICY_SET_ALL_OF || op == POLICY_SET_EQUALS || op == POLICY_SET_EQUALS_ORDERED;
}

/* A device that `later` takes has nothing that is not listed. */
static bool permits_no_other(enum policy_set_operator op)
{
    return op == POLICY_SET_MATCH_ALL || op == POLICY_SET_EQUALS || op == POLICY_SET_EQUALS_ORDERED;
}

static bool covers_interface_sets(const struct policy_interfaces *first, const struct policy_interfaces *later)
{
    switch (first->op) {
    case POLICY_SET_ONE_OF:
        return demands_all(later->op) ? count_in(later, first) > 0
                                      : later->op != POLICY_SET_NONE_OF && count_in(later, first) == later->n;
    case POLICY_SET_ALL_OF:
        return demands_all(later->op) && each_holds_one(first, later);
    case POLICY_SET_MATCH_ALL:
        return permits_no_other(later->op) && count_in(later, first) == later->n;
    case POLICY_SET_NONE_OF:
        return later->op == POLICY_SET_NONE_OF ? count_in(first, later) == first->n
                                               : permits_no_other(later->op) && are_apart(first, later);
    case POLICY_SET_EQUALS:
    case POLICY_SET_EQUALS_ORDERED:
        break;
    }
    return false;
}

static bool covers_interfaces(const struct policy_usb_match *first, const struct policy_usb_match *later)
{
    const struct policy_interfaces *a = &first->interfaces, *b = &later->interfaces;

    if (!first->has_interfaces)
        return true;
    return later->has_interfaces && is_quick(a->n, b->n) && (same_interfaces(a, b) || covers_interface_sets(a, b));
}

bool covers_usb(const struct policy_usb_match *first, const struct policy_usb_match *later)
{
    return covers_ids(&first->devices, &later->devices) && covers_strings(&first->serials, &later->serials) &&
           covers_strings(&first->names, &later->names) && covers_strings(&first->hashes, &later->hashes) &&
           covers_strings(&first->parent_hashes, &later->parent_hashes) &&
           covers_strings(&first->usbguard_hashes, &later->usbguard_hashes) &&
           covers_strings(&first->usbguard_parent_hashes, &later->usbguard_parent_hashes) &&
           covers_strings(&first->ports, &later->ports) &&
           covers_strings(&first->connect_types, &later->connect_types) && covers_interfaces(first, later);
}

bool covers_medium(const struct policy_medium_match *first, const struct policy_medium_match *later)
{
    return covers_strings(&first->buses, &later->buses) && covers_patterns(&first->paths, &later->paths) &&
           covers_strings(&first->serials, &later->serials) && covers_strings(&first->labels, &later->labels) &&
           covers_strings(&first->uuids, &later->uuids);
}

static bool covers_names(const struct policy_strings *first, const struct policy_strings *later)
{
    if (!is_quick(first->n, later->n))
        return false;
    for (size_t i = 0; i < later->n; i++)
        if (!policy_strings_has(first, later->items[i]))
            return false;
    return true;
}

bool covers_conditions(const struct covers_conditions *first, const struct covers_conditions *later)
{
    if (first->until_us != 0 && (later->until_us == 0 || later->until_us > first->until_us))
        return false;
    if (first->who->restricted && (!later->who->restricted || !covers_names(&first->who->users, &later->who->users) ||
                                   !covers_names(&first->who->groups, &later->who->groups)))
        return false;
    return when_covers(first->when, later->when);
}

static bool demands_several(const struct policy_strings *set)
{
    return set->n > 1 && !policy_is_choice(set->op, set->n) && set->op != POLICY_SET_NONE_OF;
}

const char *covers_contradiction(const struct policy_usb_match *m)
{
    const struct {
        const char *key;
        const struct policy_strings *set;
    } attributes[] = {{"serial", &m->serials},
                      {"name", &m->names},
                      {"hash", &m->hashes},
                      {"parent-hash", &m->parent_hashes},
                      {"usbguard-hash", &m->usbguard_hashes},
                      {"usbguard-parent-hash", &m->usbguard_parent_hashes},
                      {"port", &m->ports},
                      {"connect-type", &m->connect_types}};

    for (size_t i = 0; i < sizeof(attributes) / sizeof(attributes[0]); i++)
        if (demands_several(attributes[i].set))
            return attributes[i].key;
    return NULL;
}
