/*
 * Owns: what changes for taking files out: every store, and what is in none, to every target that a rule of either policy names, as
 * the deciding rules say. Must not: know of devices: a target is the rule it comes by.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "policy/diff/internal.h"
#include "policy/show.h"

enum {
    LIST_MAX = 12
};

/* --- the conditions of a rule, as a table --- */

static enum diff_effect people(const struct policy_export_rule *a, const struct policy_export_rule *b)
{
    return diff_who(&a->who, &b->who);
}

static void show_people(FILE *out, const struct policy_export_rule *r)
{
    policy_show_who(out, &r->who, LIST_MAX);
}

static enum diff_effect hours(const struct policy_export_rule *a, const struct policy_export_rule *b)
{
    return diff_when(&a->when, &b->when);
}

static void show_hours(FILE *out, const struct policy_export_rule *r)
{
    if (r->when.restricted)
        policy_show_when(out, &r->when);
}

static enum diff_effect end(const struct policy_export_rule *a, const struct policy_export_rule *b)
{
    return diff_end(a->until_us, b->until_us);
}

static void show_end(FILE *out, const struct policy_export_rule *r)
{
    if (r->until_us != 0)
        policy_show_time(out, r->until_us);
}

static enum diff_effect factors(const struct policy_export_rule *a, const struct policy_export_rule *b)
{
    return diff_number(a->factors == 0, b->factors == 0);
}

static void show_factors(FILE *out, const struct policy_export_rule *r)
{
    policy_show_factors(out, r->factors);
}

static enum diff_effect approvals(const struct policy_export_rule *a, const struct policy_export_rule *b)
{
    return diff_approvals(a->approvals, &a->approvers, b->approvals, &b->approvers);
}

static void show_approvals(FILE *out, const struct policy_export_rule *r)
{
    policy_show_approvals(out, r->approvals, &r->approvers, LIST_MAX);
}

/* What protects a file on its way is not more or less of one thing, but for no protection at all. */
static enum diff_effect container(const struct policy_export_rule *a, const struct policy_export_rule *b)
{
    bool plain_a = a->container == POLICY_CONTAINER_PLAIN, plain_b = b->container == POLICY_CONTAINER_PLAIN;

    return plain_a != plain_b ? diff_number(plain_a, plain_b) : a->container == b->container ? DIFF_NONE : DIFF_OTHER;
}

static void show_container(FILE *out, const struct policy_export_rule *r)
{
    (void)fputs(policy_container_name(r->container), out);
}

static enum diff_effect content(const struct policy_export_rule *a, const struct policy_export_rule *b)
{
    return diff_number(!a->content, !b->content);
}

static void show_content(FILE *out, const struct policy_export_rule *r)
{
    (void)fputs(r->content ? "true" : "", out);
}

/* 0 is no limit. */
static enum diff_effect limit(uint64_t a, uint64_t b)
{
    return diff_number(a > 0 ? a : UINT64_MAX, b > 0 ? b : UINT64_MAX);
}

static enum diff_effect file_max(const struct policy_export_rule *a, const struct policy_export_rule *b)
{
    return limit(a->file_max, b->file_max);
}

static void show_file_max(FILE *out, const struct policy_export_rule *r)
{
    if (r->file_max > 0)
        policy_show_size(out, r->file_max);
}

static enum diff_effect day(const struct policy_export_rule *a, const struct policy_export_rule *b)
{
    return diff_join(limit(a->day_files, b->day_files), limit(a->day_bytes, b->day_bytes));
}

static enum diff_effect monitor(const struct policy_export_rule *a, const struct policy_export_rule *b)
{
    return diff_number(a->monitor, b->monitor);
}

static void show_monitor(FILE *out, const struct policy_export_rule *r)
{
    (void)fputs(r->monitor ? "true" : "", out);
}

static const struct condition {
    const char *key;
    enum diff_effect (*diff)(const struct policy_export_rule *a, const struct policy_export_rule *b);
    void (*show)(FILE *out, const struct policy_export_rule *r); /* nothing: no such condition */
} conditions[] = {
    {"who", people, show_people},
    {"when", hours, show_hours},
    {"until", end, show_end},
    {"factors", factors, show_factors},
    {"approvals", approvals, show_approvals},
    {"container", container, show_container},
    {"content", content, show_content},
    {"file-max", file_max, show_file_max},
    {"per-day", day, policy_show_day},
    {"monitor", monitor, show_monitor},
};

/* The words of one side in *ret, NULL when there are none. */
static int show(const struct condition *k, const struct policy_export_rule *r, char **ret)
{
    struct words w;
    char *text;

    *ret = NULL;
    if (!r)
        return 0;
    if (!words_begin(&w))
        return -ENOMEM;
    k->show(w.out, r);
    text = words_end(&w);
    if (!text)
        return -ENOMEM;
    if (*text)
        *ret = text;
    else
        free(text);
    return 0;
}

static int add_condition(struct diff_change *c, const struct condition *k, const struct policy_export_rule *a,
                         const struct policy_export_rule *b, enum diff_effect effect)
{
    char *before = NULL, *after = NULL;
    int r = show(k, a, &before);

    if (r == 0)
        r = show(k, b, &after);
    if (r < 0 || (!before && !after)) {
        free(before);
        free(after);
        return r;
    }
    return diff_add_detail(c, k->key, before, after, effect);
}

/* --- who decides what --- */

/* One file's place and one target. Stores are their paths, as everywhere here: NULL is in none. */
struct cell {
    const char *path, *target;
    const struct policy_export_rule *rules[SIDES];
};

struct cells {
    struct cell *items;
    size_t n, room;
};

static bool same_rule(const struct policy_export_rule *a, const struct policy_export_rule *b)
{
    for (size_t i = 0; i < ELEMENTS(conditions); i++)
        if (conditions[i].diff(a, b) != DIFF_NONE)
            return false;
    return true;
}

static bool is_same(const struct cell *c)
{
    const struct policy_export_rule *a = c->rules[BEFORE], *b = c->rules[AFTER];

    return !a || !b ? a == b : same_rule(a, b);
}

static int find_store(const struct policy *p, const char *path)
{
    for (size_t i = 0; path && i < p->n_stores; i++)
        if (text_equal(p->stores[i].path, path))
            return (int)i;
    return -1; /* what is no store there is elsewhere */
}

static int add_cell(struct cells *all, const struct policy *const sides[SIDES], const char *target, const char *path)
{
    struct cell c = {.path = path, .target = target};

    for (unsigned side = 0; side < SIDES; side++)
        c.rules[side] = decide_export_rule(sides[side], target, find_store(sides[side], path));
    if (is_same(&c))
        return 0;
    if (all->n == all->room) {
        size_t room = all->room > 0 ? 2 * all->room : 16;
        struct cell *items = reallocarray(all->items, room, sizeof(*items));

        if (!items)
            return -ENOMEM;
        all->items = items;
        all->room = room;
    }
    all->items[all->n++] = c;
    return 0;
}

static int add_target(struct cells *all, const struct policy *const sides[SIDES], const char *target)
{
    int r = add_cell(all, sides, target, NULL);

    for (unsigned side = 0; side < SIDES; side++)
        for (size_t i = 0; r == 0 && i < sides[side]->n_stores; i++) {
            const char *path = sides[side]->stores[i].path;

            if (find_store(sides[side], path) < (int)i || (side == AFTER && find_store(sides[BEFORE], path) >= 0))
                continue;
            r = add_cell(all, sides, target, path);
        }
    return r;
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(const char *const *)a, *(const char *const *)b);
}

/* Every target that a rule of either side names, once. */
static int add_cells(struct cells *all, const struct policy *const sides[SIDES], size_t *budget, bool *ret_incomplete)
{
    size_t n = 0, room = 0, each = 1 + sides[BEFORE]->n_stores + sides[AFTER]->n_stores;
    _cleanup_free_ const char **targets = NULL;
    int r = 0;

    for (unsigned side = 0; side < SIDES; side++)
        for (size_t i = 0; i < sides[side]->n_export; i++)
            room += sides[side]->export[i].to.n;
    targets = calloc(room + 1, sizeof(*targets));
    if (!targets)
        return -ENOMEM;
    for (unsigned side = 0; side < SIDES; side++)
        for (size_t i = 0; i < sides[side]->n_export; i++)
            for (size_t k = 0; k < sides[side]->export[i].to.n; k++)
                targets[n++] = sides[side]->export[i].to.items[k];
    if (n > 1)
        qsort(targets, n, sizeof(*targets), compare_texts);
    for (size_t i = 0; r == 0 && i < n; i++) {
        if (i > 0 && text_equal(targets[i], targets[i - 1]))
            continue;
        if (*budget < each) {
            *ret_incomplete = true;
            return 0;
        }
        *budget -= each;
        r = add_target(all, sides, targets[i]);
    }
    return r;
}

/* --- telling --- */

/* Alike decided ones follow each other, in the order of the rules; without a rule first. */
static int compare_cells(const void *a, const void *b)
{
    const struct cell *x = a, *y = b;

    for (unsigned side = SIDES; side-- > 0;)
        if (x->rules[side] != y->rules[side])
            return x->rules[side] < y->rules[side] ? -1 : 1;
    return 0;
}

static int describe(struct diff_change *c, const struct policy_export_rule *a, const struct policy_export_rule *b)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < ELEMENTS(conditions); i++) {
        enum diff_effect e = a && b ? conditions[i].diff(a, b) : b ? DIFF_WIDER : DIFF_NARROWER;

        if (e != DIFF_NONE)
            r = add_condition(c, &conditions[i], a, b, e);
    }
    c->effect = a && b ? diff_join_details(c) : b ? DIFF_WIDER : DIFF_NARROWER;
    return r;
}

static int add_words(struct diff_change *c, const struct cell *cell)
{
    char *text = NULL;
    int r;

    if (asprintf(&text, "%s → %s", cell->path ? cell->path : "elsewhere", cell->target) < 0)
        return -ENOMEM;
    r = diff_list_add(&c->devices, text);
    free(text);
    return r;
}

/* cells[0] and those behind it that the same rules decide. */
static int tell(struct diff *d, const struct cell *cells, size_t n)
{
    const struct policy_export_rule *a = cells[0].rules[BEFORE], *b = cells[0].rules[AFTER];
    struct diff_change *c = diff_add(d, DIFF_EXPORT, a && b ? DIFF_CONDITIONS : b ? DIFF_PERMITTED : DIFF_REFUSED, "");
    int r = c ? describe(c, a, b) : -ENOMEM;

    if (r == 0)
        r = diff_list_add(&c->rules_before, a ? a->id : "default");
    if (r == 0)
        r = diff_list_add(&c->rules_after, b ? b->id : "default");
    for (size_t i = 0; r == 0 && i < n; i++)
        r = add_words(c, &cells[i]);
    if (r == 0)
        qsort(c->devices.items, c->devices.n, sizeof(*c->devices.items), compare_texts);
    return r;
}

int diff_export(struct diff *d, const struct policy *a, const struct policy *b, size_t cases_max)
{
    const struct policy *const sides[SIDES] = {a, b};
    struct cells all = {0};
    size_t last;
    int r = add_cells(&all, sides, &cases_max, &d->incomplete);

    if (all.n > 1)
        qsort(all.items, all.n, sizeof(*all.items), compare_cells);
    for (size_t i = 0; r == 0 && i < all.n; i = last) {
        for (last = i + 1; last < all.n && all.items[last].rules[BEFORE] == all.items[i].rules[BEFORE] &&
                           all.items[last].rules[AFTER] == all.items[i].rules[AFTER];)
            last++;
        r = tell(d, &all.items[i], last - i);
    }
    free(all.items);
    return r;
}
