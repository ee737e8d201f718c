/*
 * Owns: comparing what two rules match, without any device at hand.
 * Must not: guess: what it is not sure of does not cover.
 */
#include "policy/covers.h"

#include "policy/index.h"

/* Two long lists are not compared: a document of the largest size must load in well under a second. */
static bool is_quick(size_t a, size_t b)
{
    return a * b <= 1000000;
}

static bool covers_strings(const struct policy_strings *first, const struct policy_strings *later)
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

static bool same_interface(const struct policy_interface *a, const struct policy_interface *b)
{
    return a->class_ == b->class_ && a->any_subclass == b->any_subclass && a->any_protocol == b->any_protocol &&
           (a->any_subclass || a->subclass == b->subclass) && (a->any_protocol || a->protocol == b->protocol);
}

/* Sets of interfaces under six operators: only equal ones are sure. */
static bool covers_interfaces(const struct policy_usb_match *first, const struct policy_usb_match *later)
{
    const struct policy_interfaces *a = &first->interfaces, *b = &later->interfaces;

    if (!first->has_interfaces)
        return true;
    if (!later->has_interfaces || a->op != b->op || a->n != b->n)
        return false;
    for (size_t i = 0; i < a->n; i++)
        if (!same_interface(&a->items[i], &b->items[i]))
            return false;
    return true;
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
    return covers_strings(&first->buses, &later->buses) && covers_strings(&first->paths, &later->paths) &&
           covers_strings(&first->serials, &later->serials) && covers_strings(&first->labels, &later->labels) &&
           covers_strings(&first->uuids, &later->uuids);
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
