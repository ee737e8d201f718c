/*
 * Owns: the attributes of USB devices: which values rules name, and devices made of them.
 * Must not: decide: decide/ does, with these facts.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "decide/match.h"
#include "policy/diff/internal.h"
#include "policy/index.h"
#include "policy/show.h"

enum attribute {
    DEVICE = 0,
    SERIAL,
    NAME,
    HASH,
    PARENT_HASH,
    USBGUARD_HASH,
    USBGUARD_PARENT_HASH,
    PORT,
    CONNECT_TYPE,
    INTERFACES,
    ATTRIBUTES,
};
_Static_assert((int)ATTRIBUTES <= (int)ATTRIBUTES_MAX, "a cell has room for them");

static const char *const keys[ATTRIBUTES] = {
    "",     "serial",       "name",      "hash", "parent-hash", "usbguard-hash", "usbguard-parent-hash",
    "port", "connect-type", "interfaces"};

static const struct policy_strings *strings_of(const struct policy_usb_match *m, size_t attribute)
{
    const struct policy_strings *const lists[ATTRIBUTES] = {NULL,
                                                            &m->serials,
                                                            &m->names,
                                                            &m->hashes,
                                                            &m->parent_hashes,
                                                            &m->usbguard_hashes,
                                                            &m->usbguard_parent_hashes,
                                                            &m->ports,
                                                            &m->connect_types,
                                                            NULL};

    return lists[attribute];
}

static bool same_ids(const struct policy_usb_ids *a, const struct policy_usb_ids *b)
{
    if (a->n != b->n || (a->n > 0 && a->op != b->op))
        return false;
    for (size_t i = 0; i < a->n; i++) {
        const struct policy_usb_id *x = &a->items[i], *y = &b->items[i];

        if (x->any_vendor != y->any_vendor || x->any_product != y->any_product ||
            (!x->any_vendor && x->vendor != y->vendor) || (!x->any_product && x->product != y->product))
            return false;
    }
    return true;
}

bool diff_same_usb_match(const struct policy_usb_match *a, const struct policy_usb_match *b)
{
    if (!same_ids(&a->devices, &b->devices) || !diff_same_interfaces(&a->interfaces, &b->interfaces))
        return false;
    for (size_t i = SERIAL; i < INTERFACES; i++)
        if (!diff_same_strings(strings_of(a, i), strings_of(b, i)))
            return false;
    return true;
}

/* --- values that no rule names --- */

struct used {
    bool vendors[UINT16_MAX + 1], products[UINT16_MAX + 1], classes[256], subclasses[256], protocols[256];
};

static void mark_used(const struct policy *p, struct used *u)
{
    for (size_t i = 0; i < p->n_usb; i++) {
        const struct policy_usb_match *m = &p->usb[i].match;

        for (size_t k = 0; k < m->devices.n; k++) {
            u->vendors[m->devices.items[k].vendor] = true;
            u->products[m->devices.items[k].product] = true;
        }
        for (size_t k = 0; k < m->interfaces.n; k++) {
            u->classes[m->interfaces.items[k].class_] = true;
            u->subclasses[m->interfaces.items[k].subclass] = true;
            u->protocols[m->interfaces.items[k].protocol] = true;
        }
    }
}

/* The highest that is free; when all are taken some device is decided by what names it, and that is told as others are. */
static size_t find_free(const bool *used, size_t n)
{
    while (n > 1 && used[n - 1])
        n--;
    return n - 1;
}

static int find_fresh(struct space *s)
{
    struct used *u = calloc(1, sizeof(*u));

    if (!u)
        return -ENOMEM;
    mark_used(s->sides[BEFORE], u);
    mark_used(s->sides[AFTER], u);
    s->fresh.vendor = (uint16_t)find_free(u->vendors, ELEMENTS(u->vendors));
    s->fresh.product = (uint16_t)find_free(u->products, ELEMENTS(u->products));
    s->fresh.interface = (struct decide_interface){.class_ = (uint8_t)find_free(u->classes, 256),
                                                   .subclass = (uint8_t)find_free(u->subclasses, 256),
                                                   .protocol = (uint8_t)find_free(u->protocols, 256)};
    free(u);
    return 0;
}

static int add_any(struct space *s)
{
    for (size_t i = 0; i < ATTRIBUTES; i++) {
        struct option *o = options_add(&s->any[i]);

        if (!o)
            return -ENOMEM;
        *o = (struct option){.value = ANY_TEXT,
                             .interfaces = &s->fresh.interface,
                             .n_interfaces = 1,
                             .vendor = s->fresh.vendor,
                             .product = s->fresh.product};
    }
    return 0;
}

/* --- what a rule names --- */

static int add_id(const struct space *s, struct options *options, const struct policy_usb_id *id)
{
    const struct policy_usb_ids one = {.items = (struct policy_usb_id *)id, .n = 1, .op = POLICY_SET_ONE_OF};
    struct option *o = options_add(options);
    struct words w;

    if (!o || !words_begin(&w))
        return -ENOMEM;
    policy_show_ids(w.out, &one, 0);
    o->words = o->owned = words_end(&w);
    o->vendor = id->any_vendor ? s->fresh.vendor : id->vendor;
    o->product = id->any_product ? s->fresh.product : id->product;
    return o->words ? 0 : -ENOMEM;
}

static int shape_ids(const struct space *s, struct shape *shape, const struct policy_usb_ids *ids, bool complement)
{
    uint64_t mask = 0;

    if (ids->n == 0)
        return 0;
    if (ids->op == POLICY_SET_NONE_OF && !complement) {
        struct option *o = options_add(&shape->options[DEVICE]);

        if (!o)
            return -ENOMEM;
        o->vendor = s->fresh.vendor;
        o->product = s->fresh.product;
        return 0;
    }
    for (size_t i = 0; i < ids->n; i++) {
        int r = add_id(s, &shape->options[DEVICE], &ids->items[i]);

        if (r < 0)
            return r;
        mask |= ids->items[i].any_vendor ? UINT64_MAX : UINT64_C(1) << ((ids->items[i].vendor * 31U) % 64);
    }
    shape->mask[DEVICE] = mask;
    return 0;
}

static struct decide_interface real_of(const struct space *s, const struct policy_interface *i)
{
    return (struct decide_interface){.class_ = i->class_,
                                     .subclass = i->any_subclass ? s->fresh.interface.subclass : i->subclass,
                                     .protocol = i->any_protocol ? s->fresh.interface.protocol : i->protocol};
}

/* What comes behind the interfaces of a set. */
enum extra {
    EXTRA_NONE,
    EXTRA_OTHER, /* one that no rule names */
    EXTRA_AGAIN, /* the same again */
    EXTRA_REVERSED,
};

static int add_interfaces(const struct space *s, struct options *options, const struct policy_interface *items,
                          size_t n, enum extra extra, size_t base)
{
    struct option *o = options_add(options);
    size_t all = extra == EXTRA_AGAIN ? 2 * n : extra == EXTRA_OTHER ? n + 1 : n;
    struct words w;

    if (!o)
        return -ENOMEM;
    o->owned_interfaces = calloc(all, sizeof(*o->owned_interfaces));
    if (!o->owned_interfaces || !words_begin(&w))
        return -ENOMEM;
    o->interfaces = o->owned_interfaces;
    for (size_t i = 0; i < all; i++) {
        bool other = i >= n && extra == EXTRA_OTHER;
        const struct policy_interface *item = &items[other ? 0 : extra == EXTRA_REVERSED ? n - 1 - i : i % n];

        o->owned_interfaces[i] = other ? s->fresh.interface : real_of(s, item);
        o->owned_interfaces[i].number = (uint8_t)i;
        (void)fputs(i > 0 ? ", " : "", w.out);
        if (other)
            (void)fputs("…", w.out);
        else
            policy_show_interface(w.out, item);
    }
    o->n_interfaces = all;
    o->words = o->owned = words_end(&w);
    if (extra != EXTRA_NONE)
        o->base = &options->items[base];
    return o->words ? 0 : -ENOMEM;
}

/* Each alone, then each with more to it. */
static int add_each(const struct space *s, struct options *o, const struct policy_interfaces *set, enum extra extra)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < set->n; i++)
        r = add_interfaces(s, o, &set->items[i], 1, EXTRA_NONE, 0);
    for (size_t i = 0; r == 0 && i < set->n; i++)
        r = add_interfaces(s, o, &set->items[i], 1, extra, i);
    return r;
}

static int add_set(const struct space *s, struct options *o, const struct policy_interfaces *set)
{
    struct option *other;
    int r;

    switch (set->op) {
    case POLICY_SET_ONE_OF:
        return add_each(s, o, set, EXTRA_OTHER);
    case POLICY_SET_MATCH_ALL:
        r = add_each(s, o, set, EXTRA_AGAIN);
        return r < 0 || set->n < 2 ? r : add_interfaces(s, o, set->items, set->n, EXTRA_REVERSED, 0);
    case POLICY_SET_ALL_OF:
        r = add_interfaces(s, o, set->items, set->n, EXTRA_NONE, 0);
        return r < 0 ? r : add_interfaces(s, o, set->items, set->n, EXTRA_OTHER, 0);
    case POLICY_SET_EQUALS:
    case POLICY_SET_EQUALS_ORDERED:
        r = add_interfaces(s, o, set->items, set->n, EXTRA_NONE, 0);
        return r < 0 || set->n < 2 ? r : add_interfaces(s, o, set->items, set->n, EXTRA_REVERSED, 0);
    case POLICY_SET_NONE_OF:
        break;
    }
    other = options_add(o);
    if (!other)
        return -ENOMEM;
    other->interfaces = &s->fresh.interface;
    other->n_interfaces = 1;
    return 0;
}

static int shape_interfaces(const struct space *s, struct shape *shape, const struct policy_interfaces *set)
{
    struct options *o = &shape->options[INTERFACES];

    if (set->n == 0)
        return 0;
    /* base points into the list: it must not move. */
    return options_reserve(o, 2 * set->n + 2) < 0 ? -ENOMEM : add_set(s, o, set);
}

static int add_complements(struct space *s, const struct policy *p, size_t rule)
{
    const struct policy_usb_match *m = &p->usb[rule].match;
    struct shape *shape;
    int r = 0;

    for (size_t i = SERIAL; r == 0 && i < INTERFACES; i++)
        r = space_add_complement(s, p, rule, i, strings_of(m, i));
    if (r == 0 && m->devices.n > 0 && m->devices.op == POLICY_SET_NONE_OF) {
        shape = space_add_shape(s, p, rule);
        if (!shape)
            return -ENOMEM;
        shape->complement = true;
        r = shape_ids(s, shape, &m->devices, true);
    }
    if (r == 0 && m->interfaces.n > 0 && m->interfaces.op == POLICY_SET_NONE_OF) {
        const struct policy_interfaces some = {m->interfaces.items, m->interfaces.n, POLICY_SET_ONE_OF};

        shape = space_add_shape(s, p, rule);
        if (!shape)
            return -ENOMEM;
        shape->complement = true;
        r = shape_interfaces(s, shape, &some);
    }
    return r;
}

static int add_rule(struct space *s, const struct policy *p, size_t rule)
{
    const struct policy_usb_match *m = &p->usb[rule].match;
    struct shape *shape = space_add_shape(s, p, rule);
    int r = shape ? shape_ids(s, shape, &m->devices, false) : -ENOMEM;

    for (size_t i = SERIAL; r == 0 && i < INTERFACES; i++)
        r = shape_strings(shape, i, strings_of(m, i));
    if (r == 0)
        r = shape_interfaces(s, shape, &m->interfaces);
    return r < 0 ? r : add_complements(s, p, rule);
}

static int add_shapes(struct space *s)
{
    const struct policy *a = s->sides[BEFORE], *b = s->sides[AFTER];
    int r = space_add_shape(s, NULL, 0) ? 0 : -ENOMEM;

    for (size_t i = 0; r == 0 && i < a->n_usb; i++)
        r = add_rule(s, a, i);
    for (size_t i = 0; r == 0 && i < b->n_usb; i++) {
        const struct policy_usb_rule *same = policy_find_usb_rule(a, b->usb[i].id);

        if (!same || !diff_same_usb_match(&same->match, &b->usb[i].match))
            r = add_rule(s, b, i);
    }
    return r;
}

/* --- devices --- */

static void facts_of(const struct option *const *cell, struct decide_usb_facts *ret)
{
    *ret = (struct decide_usb_facts){.vendor = cell[DEVICE]->vendor,
                                     .product = cell[DEVICE]->product,
                                     .serial = cell[SERIAL]->value,
                                     .name = cell[NAME]->value,
                                     .manufacturer = "",
                                     .port = cell[PORT]->value,
                                     .connect_type = cell[CONNECT_TYPE]->value,
                                     .hash = cell[HASH]->value,
                                     .parent_hash = cell[PARENT_HASH]->value,
                                     .usbguard_hash = cell[USBGUARD_HASH]->value,
                                     .usbguard_parent_hash = cell[USBGUARD_PARENT_HASH]->value,
                                     .interfaces = cell[INTERFACES]->interfaces,
                                     .n_interfaces = cell[INTERFACES]->n_interfaces};
}

/* Whether its conditions hold is another question: nobody is there, and no time is. */
static bool speaks_of(const struct policy *p, size_t rule, const struct decide_usb_facts *facts)
{
    enum decide_mismatch m = decide_usb_mismatch(p, rule, facts);

    return m == MISMATCH_NONE || m == MISMATCH_WHO || m == MISMATCH_WHEN || m == MISMATCH_EXPIRED;
}

static bool selects(const struct space *s, const struct shape *shape, const struct option *const *cell)
{
    struct decide_usb_facts facts;

    (void)s;
    facts_of(cell, &facts);
    return speaks_of(shape->policy, shape->rule, &facts);
}

static bool decide(const struct space *s, const struct policy *p, const struct option *const *cell, struct chain *ret)
{
    struct decide_usb_facts facts;
    struct policy_candidates c;
    bool cut = false;
    size_t i;

    (void)s;
    facts_of(cell, &facts);
    decide_usb_candidates(p, &facts, &c);
    while (policy_candidates_next(&c, &i)) {
        const struct policy_usb_rule *r = &p->usb[i];

        if (speaks_of(p, i, &facts) &&
            chain_add(ret, i, r->allow == POLICY_REFUSE && match_depends(&r->who, &r->when, r->until_us), &cut))
            return !cut;
    }
    (void)chain_add(ret, CHAIN_DEFAULT, false, &cut);
    return !cut;
}

/* Both sets on one device: a stick that types. */
static int join_interfaces(const struct option *a, const struct option *b, struct options *ret)
{
    struct option *o = options_add(ret);

    if (!o)
        return -ENOMEM;
    o->owned_interfaces = calloc(a->n_interfaces + b->n_interfaces, sizeof(*o->owned_interfaces));
    if (!o->owned_interfaces ||
        asprintf(&o->owned, "%s, %s", a->words ? a->words : "…", b->words ? b->words : "…") < 0) {
        o->owned = NULL;
        return -ENOMEM;
    }
    memcpy(o->owned_interfaces, a->interfaces, a->n_interfaces * sizeof(*a->interfaces));
    memcpy(o->owned_interfaces + a->n_interfaces, b->interfaces, b->n_interfaces * sizeof(*b->interfaces));
    o->interfaces = o->owned_interfaces;
    o->n_interfaces = a->n_interfaces + b->n_interfaces;
    o->words = o->owned;
    return 0;
}

/* One that borrows from another. */
static int add_copy(const struct option *from, struct options *ret)
{
    struct option *o = options_add(ret);

    if (!o)
        return -ENOMEM;
    *o = *from;
    o->owned = NULL;
    o->owned_interfaces = NULL;
    return 0;
}

static int meet(const struct space *s, size_t attribute, const struct option *a, const struct option *b,
                struct options *ret)
{
    int r;

    (void)s;
    if (attribute != DEVICE && attribute != INTERFACES)
        return meet_texts(a, b, ret);
    r = add_copy(a, ret);
    if (r < 0 || text_equal(a->words, b->words))
        return r;
    r = add_copy(b, ret);
    return r < 0 || attribute == DEVICE ? r : join_interfaces(a, b, ret);
}

static const struct space_ops ops = {
    .area = DIFF_USB, .n_attributes = ATTRIBUTES, .keys = keys, .selects = selects, .decide = decide, .meet = meet};

int diff_usb(struct diff *d, const struct policy *a, const struct policy *b, size_t cases_max)
{
    struct space s = {.ops = &ops, .sides = {a, b}, .budget = cases_max};
    struct diff_rules rules = {.area = DIFF_USB, .sides = {a, b}};
    int r = find_fresh(&s);

    for (unsigned side = 0; side < SIDES; side++) {
        rules.involved[side] = s.involved[side] = calloc(s.sides[side]->n_usb + 1, sizeof(bool));
        rules.crossed[side] = s.crossed[side] = calloc(s.sides[side]->n_usb + 1, sizeof(bool));
        if (!s.involved[side] || !s.crossed[side])
            r = -ENOMEM;
    }
    if (r == 0)
        r = add_any(&s);
    if (r == 0)
        r = add_shapes(&s);
    if (r == 0)
        r = space_compare(&s);
    if (r == 0)
        r = space_tell(&s, d);
    if (r == 0)
        r = diff_order(d, &rules);
    space_done(&s);
    return r;
}
