/*
 * Owns: the attributes of media: which values media.rules name, and media made of them, on every bus. On USB a medium follows its
 * device's rule (usb.c); here only what media.rules make of it.
 * Must not: decide: decide/ does, with these facts.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "decide/match.h"
#include "policy/diff/internal.h"
#include "policy/index.h"

enum attribute {
    BUS = 0,
    PATH,
    SERIAL,
    LABEL,
    UUID,
    ATTRIBUTES,
};

static const char *const keys[ATTRIBUTES] = {"", "path", "serial", "label", "uuid"};

static const struct policy_strings *strings_of(const struct policy_medium_match *m, size_t attribute)
{
    const struct policy_strings *const lists[ATTRIBUTES] = {&m->buses, &m->paths, &m->serials, &m->labels, &m->uuids};

    return lists[attribute];
}

bool diff_same_medium_match(const struct policy_medium_match *a, const struct policy_medium_match *b)
{
    for (size_t i = 0; i < ATTRIBUTES; i++)
        if (!diff_same_strings(strings_of(a, i), strings_of(b, i)))
            return false;
    return true;
}

/* A path that the pattern matches: what stands for anything becomes a letter. Whether it does is asked afterwards. */
static char *path_of(const char *pattern)
{
    char *path = strdup(pattern), *to = path;

    for (const char *from = pattern; path && *from; from++) {
        const char *end = *from == '[' ? strchr(from + 1, ']') : NULL;

        if (*from == '\\' && from[1]) {
            *to++ = *++from;
        } else if (end && from[1] != '!' && from[1] != '^') {
            *to++ = from[1];
            from = end;
        } else {
            *to++ = *from == '*' || *from == '?' ? 'x' : *from;
        }
    }
    if (path)
        *to = 0;
    return path;
}

static int shape_paths(const struct space *s, struct shape *shape, const struct policy_strings *set)
{
    if (!is_positive(set))
        return shape_strings(s, shape, PATH, set);
    for (size_t i = 0; i < set->n; i++) {
        struct option *o = options_add(&shape->options[PATH]);

        if (!o)
            return -ENOMEM;
        o->words = set->items[i];
        o->value = o->owned = path_of(set->items[i]);
        if (!o->value)
            return -ENOMEM;
    }
    return 0;
}

static int add_rule(struct space *s, const struct policy *p, size_t rule)
{
    const struct policy_medium_match *m = &p->media.rules[rule].match;
    struct shape *shape = space_add_shape(s, p, rule);
    int r = shape ? 0 : -ENOMEM;

    for (size_t i = 0; r == 0 && i < ATTRIBUTES; i++)
        r = i == PATH ? shape_paths(s, shape, strings_of(m, i)) : shape_strings(s, shape, i, strings_of(m, i));
    return r;
}

static int add_shapes(struct space *s)
{
    const struct policy *a = s->sides[BEFORE], *b = s->sides[AFTER];
    int r = space_add_shape(s, NULL, 0) ? 0 : -ENOMEM;

    for (size_t i = 0; r == 0 && i < a->media.n_rules; i++)
        r = add_rule(s, a, i);
    for (size_t i = 0; r == 0 && i < b->media.n_rules; i++) {
        const struct policy_medium_rule *same = policy_find_medium_rule(a, b->media.rules[i].id);

        if (!same || !diff_same_medium_match(&same->match, &b->media.rules[i].match))
            r = add_rule(s, b, i);
    }
    return r;
}

/* Every bus is a case of its own: each has its default. */
static int add_buses(struct space *s)
{
    for (size_t bus = 0; bus < BUSES; bus++) {
        struct option *o = options_add(&s->any[BUS]);

        if (!o)
            return -ENOMEM;
        o->value = o->words = diff_buses[bus];
    }
    return 0;
}

static int add_left_out(struct space *s, const struct policy *p)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < p->media.n_rules; i++)
        for (size_t k = PATH; r == 0 && k < ATTRIBUTES; k++)
            r = space_add_left_out(s, k, strings_of(&p->media.rules[i].match, k));
    return r;
}

static int add_any(struct space *s)
{
    int r = add_buses(s);

    for (size_t i = PATH; r == 0 && i < ATTRIBUTES; i++) {
        struct option *o = options_add(&s->any[i]);

        if (!o)
            return -ENOMEM;
        o->value = ANY_TEXT;
    }
    for (unsigned side = 0; r == 0 && side < SIDES; side++)
        r = add_left_out(s, s->sides[side]);
    for (size_t i = PATH; r == 0 && i < ATTRIBUTES; i++)
        space_end_any(s, i);
    return r;
}

/* --- media --- */

static void facts_of(const struct option *const *cell, struct decide_medium_facts *ret)
{
    *ret = (struct decide_medium_facts){.bus = cell[BUS]->value,
                                        .node = cell[PATH]->value,
                                        .filesystem = "",
                                        .serial = cell[SERIAL]->value,
                                        .label = cell[LABEL]->value,
                                        .uuid = cell[UUID]->value};
}

static bool speaks_of(const struct policy *p, size_t rule, const struct decide_medium_facts *facts)
{
    enum decide_mismatch m = decide_medium_mismatch(p, rule, facts);

    return m == MISMATCH_NONE || m == MISMATCH_WHO || m == MISMATCH_WHEN || m == MISMATCH_EXPIRED;
}

static bool selects(const struct space *s, const struct shape *shape, const struct option *const *cell)
{
    struct decide_medium_facts facts;

    (void)s;
    facts_of(cell, &facts);
    return speaks_of(shape->policy, shape->rule, &facts);
}

static uint32_t find_bus(const char *name)
{
    for (uint32_t i = 0; i < BUSES; i++)
        if (text_equal(diff_buses[i], name))
            return i;
    return BUSES - 1; /* a bus that no rule names */
}

static bool decide(const struct space *s, const struct policy *p, const struct option *const *cell, struct chain *ret)
{
    struct decide_medium_facts facts;
    struct policy_candidates c;
    bool cut = false;
    size_t i;

    (void)s;
    facts_of(cell, &facts);
    ret->bus = find_bus(facts.bus);
    decide_medium_candidates(p, &facts, &c);
    while (policy_candidates_next(&c, &i)) {
        const struct policy_medium_rule *r = &p->media.rules[i];

        if (speaks_of(p, i, &facts) &&
            diff_chain_add(ret, i, r->allow == POLICY_REFUSE && match_depends(&r->who, &r->when, r->until_us), &cut))
            return !cut;
    }
    (void)diff_chain_add(ret, CHAIN_DEFAULT, false, &cut);
    return !cut;
}

static int meet(const struct space *s, size_t attribute, const struct option *a, const struct option *b,
                struct options *ret)
{
    (void)s;
    (void)attribute;
    return meet_texts(a, b, ret);
}

static const struct space_ops ops = {
    .area = DIFF_MEDIA, .n_attributes = ATTRIBUTES, .keys = keys, .selects = selects, .decide = decide, .meet = meet};

int diff_media(struct diff *d, const struct policy *a, const struct policy *b, size_t cases_max)
{
    struct space s = {.ops = &ops, .sides = {a, b}, .budget = cases_max};
    struct diff_rules rules = {.area = DIFF_MEDIA, .sides = {a, b}};
    int r = add_any(&s);

    for (unsigned side = 0; side < SIDES; side++) {
        rules.involved[side] = s.involved[side] = calloc(s.sides[side]->media.n_rules + 1, sizeof(bool));
        rules.crossed[side] = s.crossed[side] = calloc(s.sides[side]->media.n_rules + 1, sizeof(bool));
        if (!s.involved[side] || !s.crossed[side])
            r = -ENOMEM;
    }
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
