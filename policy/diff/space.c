/*
 * Owns: making up all devices (or media) that two policies may decide otherwise: for each rule what it matches, for each two rules
 * what both match, with values that no rule names for all the rest. A device that a rule matches is decided like one of these, or
 * by a rule that names more of it, and then it is one of that rule's.
 * Must not: know what the attributes are; the ops do.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "policy/diff/internal.h"
#include "policy/index.h"

enum {
    RECORDS_MAX = 200000,
    MEET_MAX = 4096,
};

struct option *options_add(struct options *o)
{
    struct option *items;

    if (o->n == o->room) {
        size_t room = o->room > 0 ? 2 * o->room : 4;

        items = reallocarray(o->items, room, sizeof(*items));
        if (!items)
            return NULL;
        o->items = items;
        o->room = room;
    }
    o->items[o->n] = (struct option){0};
    return &o->items[o->n++];
}

int options_reserve(struct options *o, size_t n)
{
    struct option *items = reallocarray(o->items, n > 0 ? n : 1, sizeof(*items));

    if (!items)
        return -ENOMEM;
    o->items = items;
    o->room = n > 0 ? n : 1;
    return 0;
}

int options_add_copy(struct options *o, const struct option *from)
{
    struct option *copy = options_add(o);

    if (!copy)
        return -ENOMEM;
    *copy = *from;
    copy->owned = NULL;
    copy->owned_interfaces = NULL;
    copy->owned_patterns = NULL;
    return 0;
}

int options_add_all(struct options *o, const struct options *from)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < from->n; i++)
        r = options_add_copy(o, &from->items[i]);
    return r;
}

void options_done(struct options *o)
{
    for (size_t i = 0; i < o->n; i++) {
        free(o->items[i].owned);
        free(o->items[i].owned_interfaces);
        free(o->items[i].owned_patterns);
    }
    free(o->items);
    *o = (struct options){0};
}

struct shape *space_add_shape(struct space *s, const struct policy *p, size_t rule)
{
    struct shape *shape;

    if (s->n_shapes == s->room_shapes) {
        size_t room = s->room_shapes > 0 ? 2 * s->room_shapes : 16;

        shape = reallocarray(s->shapes, room, sizeof(*shape));
        if (!shape)
            return NULL;
        s->shapes = shape;
        s->room_shapes = room;
    }
    shape = &s->shapes[s->n_shapes++];
    *shape = (struct shape){.policy = p, .rule = rule};
    for (size_t i = 0; i < ATTRIBUTES_MAX; i++)
        shape->mask[i] = UINT64_MAX;
    return shape;
}

static void shape_done(struct shape *shape)
{
    for (size_t i = 0; i < ATTRIBUTES_MAX; i++)
        options_done(&shape->options[i]);
}

void space_done(struct space *s)
{
    for (size_t i = 0; i < s->n_shapes; i++)
        shape_done(&s->shapes[i]);
    free(s->shapes);
    free(s->left_out.items);
    for (size_t i = 0; i < ATTRIBUTES_MAX; i++)
        options_done(&s->any[i]);
    for (size_t i = 0; i < s->n_records; i++)
        free(s->records[i].words);
    free(s->records);
    for (unsigned side = 0; side < SIDES; side++) {
        free(s->involved[side]);
        free(s->crossed[side]);
    }
}

/* --- attributes that are a text --- */

bool is_positive(const struct policy_strings *set)
{
    return set->n > 0 && policy_is_choice(set->op, set->n);
}

static uint64_t bit_of(const char *text)
{
    uint64_t h = 5381;

    while (*text)
        h = h * 33 + (unsigned char)*text++;
    return UINT64_C(1) << ((h ^ (h >> 7)) % 64);
}

uint64_t mask_of(const struct policy_strings *set)
{
    uint64_t mask = 0;

    for (size_t i = 0; i < set->n && mask != UINT64_MAX; i++)
        mask |= bit_of(set->items[i]);
    return mask;
}

static int shape_choice(struct shape *shape, size_t attribute, const struct policy_strings *set)
{
    shape->choice[attribute] = set;
    shape->mask[attribute] = mask_of(set);
    for (size_t i = 0; i < set->n; i++) {
        struct option *option = options_add(&shape->options[attribute]);

        if (!option)
            return -ENOMEM;
        option->value = option->words = set->items[i];
    }
    return 0;
}

int shape_any(const struct space *s, struct shape *shape, size_t attribute)
{
    return options_add_all(&shape->options[attribute], &s->any[attribute]);
}

/* Under none-of, and under operators that no single value satisfies, what no rule names stands for all that may be. */
int shape_strings(const struct space *s, struct shape *shape, size_t attribute, const struct policy_strings *set)
{
    if (set->n == 0)
        return 0;
    return is_positive(set) ? shape_choice(shape, attribute, set) : shape_any(s, shape, attribute);
}

int space_add_left_out(struct space *s, size_t attribute, const struct policy_strings *set)
{
    struct options *any = &s->any[attribute];

    for (size_t i = 0; set->op == POLICY_SET_NONE_OF && i < set->n; i++) {
        bool known = false;
        struct option *o;

        for (size_t k = 0; k < any->n && !known; k++)
            known = text_equal(any->items[k].value, set->items[i]);
        if (known)
            continue;
        if (any->n >= LEFT_OUT_MAX) {
            s->incomplete = true;
            return 0;
        }
        o = options_add(any);
        if (!o)
            return -ENOMEM;
        o->value = o->words = set->items[i];
    }
    return 0;
}

void space_end_any(struct space *s, size_t attribute)
{
    for (size_t i = 1; i < s->any[attribute].n; i++)
        s->any[attribute].items[i].base = &s->any[attribute].items[0];
}

int meet_texts(const struct option *a, const struct option *b, struct options *ret)
{
    const struct option *from = text_equal(a->value, ANY_TEXT) ? b : a;
    struct option *both = options_add(ret);

    if (!both)
        return -ENOMEM;
    both->value = from->value;
    both->words = from->words;
    if (text_equal(a->value, b->value) || from == b || text_equal(b->value, ANY_TEXT))
        return 0;
    both = options_add(ret); /* patterns: what one matches the other may as well */
    if (!both)
        return -ENOMEM;
    both->value = b->value;
    both->words = b->words;
    return 0;
}

bool diff_chain_add(struct chain *c, size_t rule, bool passes, bool *ret_cut)
{
    if (passes && c->n == CHAIN_MAX - 1) {
        *ret_cut = true;
        return false;
    }
    c->rules[c->n++] = (uint32_t)rule;
    return !passes;
}

/* --- one case --- */

static bool same_chain(const struct chain *a, const struct chain *b)
{
    return a->n == b->n && a->bus == b->bus && a->idle == b->idle &&
           memcmp(a->rules, b->rules, a->n * sizeof(a->rules[0])) == 0;
}

/* Decides the cell with attributes replaced: is it decided by the same rules? Then it is told by that one. */
static bool is_alike(const struct space *s, const struct option *const *cell, const struct chain chains[SIDES])
{
    for (unsigned side = 0; side < SIDES; side++) {
        struct chain chain = {0};

        (void)s->ops->decide(s, s->sides[side], cell, &chain);
        if (!same_chain(&chain, &chains[side]))
            return false;
    }
    return true;
}

/* Of the values that any device may have, the one that is this, or else what no rule names. */
static const struct option *any_like(const struct options *any, const struct option *o)
{
    for (size_t i = 0; o->words && i < any->n; i++)
        if (text_equal(any->items[i].words, o->words))
            return &any->items[i];
    return &any->items[0];
}

/* The case of shape `side` alone, of which this one is a part. */
static bool is_part_of(const struct space *s, const struct shape *shape, unsigned side,
                       const struct option *const *cell, const struct chain chains[SIDES])
{
    const struct option *whole[ATTRIBUTES_MAX] = {0};

    for (size_t i = 0; i < s->ops->n_attributes; i++) {
        if (shape->options[i].n == 0)
            whole[i] = any_like(&s->any[i], cell[i]);
        else
            whole[i] = cell[i]->from[side] ? cell[i]->from[side] : cell[i];
    }
    return is_alike(s, whole, chains);
}

/* With less to it, is it decided alike? */
static bool is_told_by_base(const struct space *s, const struct option *const *cell, const struct chain chains[SIDES])
{
    const struct option *base[ATTRIBUTES_MAX];

    for (size_t i = 0; i < s->ops->n_attributes; i++) {
        if (!cell[i]->base)
            continue;
        memcpy(base, cell, sizeof(base));
        base[i] = cell[i]->base;
        if (is_alike(s, base, chains))
            return true;
    }
    return false;
}

/* "…" for interfaces that no rule names, where it is them that the rule does not permit. */
static char *words_of(const struct space *s, const struct option *const *cell, const struct chain chains[SIDES])
{
    bool idle = chains[BEFORE].idle || chains[AFTER].idle;
    struct words w;
    bool first = true;

    if (!words_begin(&w))
        return NULL;
    for (size_t i = 0; i < s->ops->n_attributes; i++) {
        const char *key = s->ops->keys[i], *words = cell[i]->words;

        if (!words && (!idle || !cell[i]->interfaces || i + 1 < s->ops->n_attributes))
            continue;
        (void)fprintf(w.out, "%s%s%s%s", first ? "" : "; ", key, *key ? " " : "",
                      !words   ? "…"
                      : *words ? words
                               : "\"\"");
        first = false;
    }
    return words_end(&w);
}

static int add_record(struct space *s, const struct option *const *cell, const struct chain chains[SIDES])
{
    struct record *r;

    if (s->n_records == RECORDS_MAX) {
        s->incomplete = s->full = true;
        return 0;
    }
    if (s->n_records == s->room_records) {
        size_t room = s->room_records > 0 ? 2 * s->room_records : 64;

        r = reallocarray(s->records, room, sizeof(*r));
        if (!r)
            return -ENOMEM;
        s->records = r;
        s->room_records = room;
    }
    r = &s->records[s->n_records];
    r->words = words_of(s, cell, chains);
    if (!r->words)
        return -ENOMEM;
    memcpy(r->chains, chains, sizeof(r->chains));
    s->n_records++;
    return 0;
}

static void note_rules(struct space *s, const struct chain chains[SIDES])
{
    bool cross = !text_equal(diff_rule_of(s->ops->area, s->sides[BEFORE], &chains[BEFORE]),
                             diff_rule_of(s->ops->area, s->sides[AFTER], &chains[AFTER]));

    for (unsigned side = 0; side < SIDES; side++)
        for (uint32_t i = 0; i < chains[side].n; i++) {
            uint32_t rule = chains[side].rules[i];

            if (rule == CHAIN_DEFAULT)
                continue;
            s->involved[side][rule] = true;
            s->crossed[side][rule] = s->crossed[side][rule] || cross;
        }
}

static bool matches(const struct space *s, const struct shape *shape, const struct option *const *cell)
{
    return !shape || !shape->policy || s->ops->selects(s, shape, cell);
}

static int look_at(struct space *s, const struct shape *first, const struct shape *second,
                   const struct option *const *cell)
{
    struct chain chains[SIDES] = {0};

    if (s->budget == 0) {
        s->incomplete = s->full = true;
        return 0;
    }
    s->budget--;
    if (!matches(s, first, cell) || !matches(s, second, cell))
        return 0;
    for (unsigned side = 0; side < SIDES; side++)
        if (!s->ops->decide(s, s->sides[side], cell, &chains[side]))
            s->incomplete = true;
    if (diff_same_outcome(s->ops->area, s->sides, chains))
        return 0;
    note_rules(s, chains);
    if (first->policy && is_part_of(s, &s->shapes[0], 0, cell, chains))
        return 0; /* neither rule has a part in it: told of all that no rule names */
    if (second && (is_part_of(s, first, 0, cell, chains) || is_part_of(s, second, 1, cell, chains)))
        return 0;
    return is_told_by_base(s, cell, chains) ? 0 : add_record(s, cell, chains);
}

/* --- all cases --- */

/* The values of every attribute of the cells under way: borrowed from a shape, or met. */
struct choices {
    const struct option *items[ATTRIBUTES_MAX];
    size_t n[ATTRIBUTES_MAX];
    struct options met[ATTRIBUTES_MAX];
};

static void choices_done(struct choices *c)
{
    for (size_t i = 0; i < ATTRIBUTES_MAX; i++)
        options_done(&c->met[i]);
}

/* Strings that stand in both lists; lists may be long. */
static int meet_lists(const struct options *options, const struct policy_strings *other, struct options *ret)
{
    for (size_t i = 0; i < options->n; i++) {
        struct option *both;

        if (!policy_strings_has(other, options->items[i].value))
            continue;
        both = options_add(ret);
        if (!both)
            return -ENOMEM;
        both->value = options->items[i].value;
        both->words = options->items[i].words;
    }
    return 0;
}

static int meet(struct space *s, size_t attribute, const struct shape *first, const struct shape *second,
                struct options *ret)
{
    const struct options *a = &first->options[attribute], *b = &second->options[attribute];

    if (first->choice[attribute] && second->choice[attribute])
        return a->n <= b->n ? meet_lists(a, second->choice[attribute], ret)
                            : meet_lists(b, first->choice[attribute], ret);
    for (size_t i = 0; i < a->n; i++)
        for (size_t k = 0; k < b->n; k++) {
            size_t before = ret->n;
            int r;

            if (a->items[i].base && b->items[k].base)
                continue;
            if (before > MEET_MAX) { /* two long lists of patterns */
                s->incomplete = true;
                return 0;
            }
            r = s->ops->meet(s, attribute, &a->items[i], &b->items[k], ret);
            if (r < 0)
                return r;
            for (size_t n = before; n < ret->n; n++) {
                ret->items[n].from[0] = &a->items[i];
                ret->items[n].from[1] = &b->items[k];
            }
        }
    return 0;
}

static int choose(struct space *s, const struct shape *first, const struct shape *second, struct choices *c)
{
    for (size_t i = 0; i < s->ops->n_attributes; i++) {
        const struct options *a = &first->options[i], *b = second ? &second->options[i] : NULL;
        const struct options *only = a->n > 0 ? a : b && b->n > 0 ? b : &s->any[i];

        if (a->n > 0 && b && b->n > 0) {
            int r = meet(s, i, first, second, &c->met[i]);

            if (r < 0)
                return r;
            only = &c->met[i];
        }
        c->items[i] = only->items;
        c->n[i] = only->n;
        if (only->n == 0)
            return 0; /* the two exclude each other: nothing is to be looked at */
    }
    return 0;
}

static int look_at_all(struct space *s, const struct shape *first, const struct shape *second, const struct choices *c)
{
    const struct option *cell[ATTRIBUTES_MAX] = {0};
    size_t at[ATTRIBUTES_MAX] = {0}, i;

    for (i = 0; i < s->ops->n_attributes; i++)
        if (c->n[i] == 0)
            return 0;
    do {
        int r;

        for (i = 0; i < s->ops->n_attributes; i++)
            cell[i] = &c->items[i][at[i]];
        r = look_at(s, first, second, cell);
        if (r < 0)
            return r;
        for (i = 0; i < s->ops->n_attributes && ++at[i] == c->n[i]; i++)
            at[i] = 0;
    } while (i < s->ops->n_attributes && !s->full);
    return 0;
}

static int walk(struct space *s, const struct shape *first, const struct shape *second)
{
    struct choices c = {0};
    int r = choose(s, first, second, &c);

    if (r == 0)
        r = look_at_all(s, first, second, &c);
    choices_done(&c);
    return r;
}

static bool may_meet(const struct space *s, const struct shape *a, const struct shape *b)
{
    for (size_t i = 0; i < s->ops->n_attributes; i++)
        if ((a->mask[i] & b->mask[i]) == 0)
            return false;
    return true;
}

int space_compare(struct space *s)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < s->n_shapes; i++)
        r = walk(s, &s->shapes[i], NULL);
    for (size_t i = 0; r == 0 && i < s->n_shapes; i++)
        for (size_t k = i + 1; r == 0 && k < s->n_shapes && !s->full; k++)
            if (s->shapes[i].policy && s->shapes[k].policy && may_meet(s, &s->shapes[i], &s->shapes[k]))
                r = walk(s, &s->shapes[i], &s->shapes[k]);
    return r;
}
