/*
 * Owns: the interfaces of made-up USB devices: those a rule names under its operator, beside others, and those that two rules meet in.
 * Must not: say whether a rule matches them: decide/ is asked afterwards, so that here it is enough to think of what may match.
 */
#include <errno.h>
#include <stdlib.h>

#include "base/text.h"
#include "policy/diff/internal.h"
#include "policy/show.h"

static struct decide_interface real_of(const struct space *s, const struct policy_interface *i)
{
    return (struct decide_interface){.class_ = i->class_,
                                     .subclass = i->any_subclass ? s->fresh.interface.subclass : i->subclass,
                                     .protocol = i->any_protocol ? s->fresh.interface.protocol : i->protocol};
}

/* Interfaces of a rule, then more. */
struct sample {
    const struct policy_interface *items, *more;
    size_t n, n_more;
    bool other;    /* and one that no rule names */
    bool reversed; /* items from the end */
    size_t base;   /* place in the list, or SIZE_MAX */
};

static int add_sample(const struct space *s, struct options *options, const struct sample *from)
{
    struct option *o = options_add(options);
    size_t n = from->n + from->n_more;
    struct words w;

    if (!o)
        return -ENOMEM;
    o->owned_interfaces = calloc(n + 1, sizeof(*o->owned_interfaces));
    o->owned_patterns = calloc(n + 1, sizeof(*o->owned_patterns));
    if (!o->owned_interfaces || !o->owned_patterns || !words_begin(&w))
        return -ENOMEM;
    o->patterns = o->owned_patterns;
    o->n_patterns = n;
    o->other = from->other;
    o->interfaces = o->owned_interfaces;
    for (size_t i = 0; i < n; i++) {
        const struct policy_interface *item = i >= from->n     ? &from->more[i - from->n]
                                              : from->reversed ? &from->items[from->n - 1 - i]
                                                               : &from->items[i];

        o->owned_patterns[i] = *item;
        o->owned_interfaces[i] = real_of(s, item);
        o->owned_interfaces[i].number = (uint8_t)i;
        (void)fputs(i > 0 ? ", " : "", w.out);
        policy_show_interface(w.out, item);
    }
    if (from->other) {
        o->owned_interfaces[n++] = s->fresh.interface;
        (void)fputs(", …", w.out);
    }
    o->n_interfaces = n;
    o->words = o->owned = words_end(&w);
    if (from->base != SIZE_MAX)
        o->base = &options->items[from->base];
    return o->words ? 0 : -ENOMEM;
}

int interfaces_add(const struct space *s, struct options *ret, const struct policy_interface *pattern)
{
    return add_sample(s, ret, &(struct sample){.items = pattern, .n = 1, .base = SIZE_MAX});
}

/* What makes a device with the interfaces at `base` useful to the rule, beside others: all that it authorizes. */
static int add_useful(const struct space *s, struct options *o, const struct policy_interfaces *useful,
                      const struct policy_interface *items, size_t n, size_t base)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < 2 * useful->n; i++)
        r = add_sample(
            s, o,
            &(struct sample){
                .items = items, .n = n, .more = &useful->items[i / 2], .n_more = 1, .other = i % 2 == 1, .base = base});
    return r;
}

/* Each alone; then each with more to it, as far as the operator lets it. */
static int add_each(const struct space *s, struct options *o, const struct policy_interfaces *set,
                    const struct policy_interfaces *useful)
{
    bool closed = set->op == POLICY_SET_MATCH_ALL;
    int r = 0;

    for (size_t i = 0; r == 0 && i < set->n; i++)
        r = add_sample(s, o, &(struct sample){.items = &set->items[i], .n = 1, .base = SIZE_MAX});
    for (size_t i = 0; r == 0 && i < set->n; i++) {
        struct sample more = {.items = &set->items[i], .n = 1, .base = i, .other = !closed};

        if (closed) {
            more.more = &set->items[i];
            more.n_more = 1;
        }
        r = add_sample(s, o, &more);
        if (r == 0 && !closed)
            r = add_useful(s, o, useful, &set->items[i], 1, i);
        if (r == 0 && !closed)
            r = add_useful(s, o, &s->left_out, &set->items[i], 1, i);
    }
    for (size_t i = 0; r == 0 && i < s->left_out.n; i++) /* may lie within a pattern */
        r = add_sample(s, o, &(struct sample){.items = &s->left_out.items[i], .n = 1, .base = SIZE_MAX});
    if (r == 0 && closed && set->n > 1)
        r = add_sample(s, o, &(struct sample){.items = set->items, .n = set->n, .base = 0});
    return r;
}

static int add_all(const struct space *s, struct options *o, const struct policy_interfaces *set,
                   const struct policy_interfaces *useful)
{
    int r = add_sample(s, o, &(struct sample){.items = set->items, .n = set->n, .base = SIZE_MAX});

    if (r == 0 && set->op == POLICY_SET_ALL_OF)
        r = add_sample(s, o, &(struct sample){.items = set->items, .n = set->n, .other = true, .base = 0});
    if (r == 0 && set->op == POLICY_SET_ALL_OF)
        r = add_useful(s, o, useful, set->items, set->n, 0);
    if (r == 0 && set->op == POLICY_SET_ALL_OF)
        r = add_useful(s, o, &s->left_out, set->items, set->n, 0);
    if (r == 0 && set->op != POLICY_SET_ALL_OF && set->n > 1)
        r = add_sample(s, o, &(struct sample){.items = set->items, .n = set->n, .reversed = true, .base = 0});
    return r;
}

/* A rule that says nothing of interfaces, or only which there must not be: those that it is useful with. */
static int add_open(const struct space *s, struct options *o, const struct policy_interfaces *useful, bool named)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < useful->n; i++) {
        size_t place = o->n;

        r = add_sample(s, o, &(struct sample){.items = &useful->items[i], .n = 1, .base = SIZE_MAX});
        if (r == 0 && !named)
            o->items[place].words = NULL;
        if (r == 0)
            r = add_sample(s, o, &(struct sample){.items = &useful->items[i], .n = 1, .other = true, .base = place});
        if (r == 0)
            r = add_useful(s, o, &s->left_out, &useful->items[i], 1, place);
    }
    return r;
}

int interfaces_shape(const struct space *s, struct options *o, const struct options *any,
                     const struct policy_interfaces *set, const struct policy_interfaces *useful)
{
    int r;

    /* base points into the list: it must not move. */
    if (options_reserve(o, (set->n + useful->n + 1) * (2 * useful->n + 2 * s->left_out.n + 3) + any->n +
                               s->left_out.n) < 0)
        return -ENOMEM;
    if (set->n == 0)
        return add_open(s, o, useful, false);
    if (set->op == POLICY_SET_NONE_OF) {
        r = options_add_all(o, any);
        return r < 0 ? r : add_open(s, o, useful, true);
    }
    return set->op == POLICY_SET_ONE_OF || set->op == POLICY_SET_MATCH_ALL ? add_each(s, o, set, useful)
                                                                           : add_all(s, o, set, useful);
}

/* --- what two rules meet in --- */

static bool is_wild(const struct policy_interface *i)
{
    return i->any_subclass || i->any_protocol;
}

/* One interface of `from` is what a pattern of `to` may be. */
static int narrow(const struct space *s, const struct option *to, const struct option *from, struct options *ret)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < to->n_patterns; i++)
        for (size_t k = 0; r == 0 && k < from->n_patterns; k++) {
            struct policy_interface *items;

            if (!is_wild(&to->patterns[i]) || to->patterns[i].class_ != from->patterns[k].class_ ||
                (is_wild(&from->patterns[k]) && !to->patterns[i].any_subclass))
                continue;
            items = calloc(to->n_patterns, sizeof(*items));
            if (!items)
                return -ENOMEM;
            for (size_t n = 0; n < to->n_patterns; n++)
                items[n] = to->patterns[n];
            items[i] = from->patterns[k];
            r = add_sample(s, ret,
                           &(struct sample){.items = items, .n = to->n_patterns, .other = to->other, .base = SIZE_MAX});
            free(items);
        }
    return r;
}

int interfaces_meet(const struct space *s, const struct option *a, const struct option *b, struct options *ret)
{
    int r = options_add_copy(ret, a);

    if (r < 0 || (a->words && text_equal(a->words, b->words)))
        return r;
    r = options_add_copy(ret, b);
    if (r == 0 && a->n_patterns + b->n_patterns > 0) /* a stick that types */
        r = add_sample(s, ret,
                       &(struct sample){.items = a->patterns,
                                        .n = a->n_patterns,
                                        .more = b->patterns,
                                        .n_more = b->n_patterns,
                                        .other = a->other || b->other,
                                        .base = SIZE_MAX});
    if (r == 0)
        r = narrow(s, a, b, ret);
    return r == 0 ? narrow(s, b, a, ret) : r;
}
