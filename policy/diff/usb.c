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

static int shape_ids(const struct space *s, struct shape *shape, const struct policy_usb_ids *ids)
{
    uint64_t mask = 0;
    bool wild = false;

    if (ids->n == 0)
        return 0;
    if (ids->op == POLICY_SET_NONE_OF)
        return shape_any(s, shape, DEVICE);
    for (size_t i = 0; i < ids->n; i++) {
        int r = add_id(s, &shape->options[DEVICE], &ids->items[i]);

        if (r < 0)
            return r;
        mask |= ids->items[i].any_vendor ? UINT64_MAX : UINT64_C(1) << ((ids->items[i].vendor * 31U) % 64);
        wild = wild || ids->items[i].any_product;
    }
    shape->mask[DEVICE] = mask;
    /* What a none-of leaves out may lie within a pattern. */
    return wild && s->any[DEVICE].n > 1 ? shape_any(s, shape, DEVICE) : 0;
}

/* Patterns behind none-of. */
static int add_left_out_ids(struct space *s, const struct policy_usb_ids *ids)
{
    int r = 0;

    for (size_t i = 0; r == 0 && ids->op == POLICY_SET_NONE_OF && i < ids->n; i++) {
        if (s->any[DEVICE].n >= LEFT_OUT_MAX) {
            s->incomplete = true;
            return 0;
        }
        r = add_id(s, &s->any[DEVICE], &ids->items[i]);
    }
    return r;
}

static int add_left_out_interfaces(struct space *s, const struct policy_interfaces *set)
{
    struct policy_interfaces *all = &s->left_out;

    for (size_t i = 0; set->op == POLICY_SET_NONE_OF && i < set->n; i++) {
        const struct policy_interfaces one = {.items = &set->items[i], .n = 1};
        struct policy_interface *items;
        bool known = false;

        for (size_t k = 0; k < all->n && !known; k++)
            known = diff_same_interfaces(&(struct policy_interfaces){.items = &all->items[k], .n = 1}, &one);
        if (known)
            continue;
        if (all->n >= LEFT_OUT_MAX) {
            s->incomplete = true;
            return 0;
        }
        items = reallocarray(all->items, all->n + 1, sizeof(*items));
        if (!items)
            return -ENOMEM;
        all->items = items;
        all->items[all->n++] = set->items[i];
    }
    return 0;
}

static int add_left_out(struct space *s, const struct policy *p)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < p->n_usb; i++) {
        const struct policy_usb_match *m = &p->usb[i].match;

        r = add_left_out_ids(s, &m->devices);
        if (r == 0)
            r = add_left_out_interfaces(s, &m->interfaces);
        for (size_t k = SERIAL; r == 0 && k < INTERFACES; k++)
            r = space_add_left_out(s, k, strings_of(m, k));
    }
    return r;
}

static int add_any(struct space *s)
{
    int r = 0;

    for (size_t i = 0; i < ATTRIBUTES; i++) {
        struct option *o = options_add(&s->any[i]);

        if (!o)
            return -ENOMEM;
        *o = (struct option){.value = ANY_TEXT,
                             .interfaces = &s->fresh.interface,
                             .n_interfaces = 1,
                             .vendor = s->fresh.vendor,
                             .product = s->fresh.product};
        if (i != INTERFACES)
            o->interfaces = NULL;
    }
    for (unsigned side = 0; r == 0 && side < SIDES; side++)
        r = add_left_out(s, s->sides[side]);
    for (size_t i = 0; r == 0 && i < s->left_out.n; i++)
        r = interfaces_add(s, &s->any[INTERFACES], &s->left_out.items[i]);
    for (size_t i = 0; r == 0 && i < ATTRIBUTES; i++)
        space_end_any(s, i);
    return r;
}

/* What the rule authorizes when it does not authorize everything. */
static struct policy_interfaces useful_of(const struct policy_usb_rule *r)
{
    static struct policy_interface storage = {.class_ = 0x08, .any_subclass = true, .any_protocol = true};

    if (r->allow == POLICY_REFUSE || r->only.n > 0)
        return r->only;
    return r->allow == POLICY_USE ? (struct policy_interfaces){0}
                                  : (struct policy_interfaces){.items = &storage, .n = 1};
}

static int add_rule(struct space *s, const struct policy *p, size_t rule)
{
    const struct policy_usb_match *m = &p->usb[rule].match;
    const struct policy_interfaces useful = useful_of(&p->usb[rule]);
    struct shape *shape = space_add_shape(s, p, rule);
    int r = shape ? shape_ids(s, shape, &m->devices) : -ENOMEM;

    for (size_t i = SERIAL; r == 0 && i < INTERFACES; i++)
        r = shape_strings(s, shape, i, strings_of(m, i));
    return r < 0 ? r : interfaces_shape(s, &shape->options[INTERFACES], &s->any[INTERFACES], &m->interfaces, &useful);
}

static bool has_same_shape(const struct policy_usb_rule *a, const struct policy_usb_rule *b)
{
    const struct policy_interfaces x = useful_of(a), y = useful_of(b);

    return diff_same_usb_match(&a->match, &b->match) && diff_same_interfaces(&x, &y);
}

static int add_shapes(struct space *s)
{
    const struct policy *a = s->sides[BEFORE], *b = s->sides[AFTER];
    int r = space_add_shape(s, NULL, 0) ? 0 : -ENOMEM;

    for (size_t i = 0; r == 0 && i < a->n_usb; i++)
        r = add_rule(s, a, i);
    for (size_t i = 0; r == 0 && i < b->n_usb; i++) {
        const struct policy_usb_rule *same = policy_find_usb_rule(a, b->usb[i].id);

        if (!same || !has_same_shape(same, &b->usb[i]))
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

/* Does the rule permit no interface of the device? Then it is refused. */
static bool is_idle(const struct policy *p, const struct policy_usb_rule *r, const struct option *interfaces)
{
    const struct verdict v = {.kind = VERDICT_ALLOW, .ruled = VERDICT_ALLOW, .allow = r->allow, .rule = r->id};

    if (r->allow == POLICY_REFUSE)
        return false;
    for (size_t i = 0; i < interfaces->n_interfaces; i++)
        if (decide_usb_interface(p, &v, &interfaces->interfaces[i]))
            return false;
    return true;
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

        if (!speaks_of(p, i, &facts) ||
            !diff_chain_add(ret, i, r->allow == POLICY_REFUSE && match_depends(&r->who, &r->when, r->until_us), &cut))
            continue;
        ret->idle = is_idle(p, r, cell[INTERFACES]);
        return !cut;
    }
    (void)diff_chain_add(ret, CHAIN_DEFAULT, false, &cut);
    return !cut;
}

static int meet(const struct space *s, size_t attribute, const struct option *a, const struct option *b,
                struct options *ret)
{
    int r;

    if (attribute == INTERFACES)
        return interfaces_meet(s, a, b, ret);
    if (attribute != DEVICE)
        return meet_texts(a, b, ret);
    r = options_add_copy(ret, a);
    return r < 0 || (a->words && text_equal(a->words, b->words)) ? r : options_add_copy(ret, b);
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
