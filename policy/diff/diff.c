/*
 * Owns: the comparison as a whole: the list of changes, its order, its names.
 * Must not: know how devices are made up (space.c) or what a section holds.
 */
#include "policy/diff/diff.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "policy/diff/internal.h"

static const char *name_of(const char *const *names, size_t n, unsigned value)
{
    return value < n && names[value] ? names[value] : "unknown";
}

const char *diff_effect_name(enum diff_effect effect)
{
    static const char *const names[] = {"wider", "other", "narrower", "none"};

    return name_of(names, ELEMENTS(names), effect);
}

const char *diff_area_name(enum diff_area area)
{
    static const char *const names[] = {"document", "usb", "media", "mounts", "stores", "export", "mfa", "audit"};

    return name_of(names, ELEMENTS(names), area);
}

const char *diff_kind_name(enum diff_kind kind)
{
    static const char *const names[] = {"changed", "permitted", "refused", "conditions", "added",
                                        "removed", "renamed",   "moved",   "rewritten"};

    return name_of(names, ELEMENTS(names), kind);
}

void diff_list_done(struct diff_list *l)
{
    for (size_t i = 0; i < l->n; i++)
        free(l->items[i]);
    free(l->items);
    *l = (struct diff_list){0};
}

int diff_list_add(struct diff_list *l, const char *item)
{
    char **items, *copy;

    if ((l->n & (l->n - 1)) == 0) { /* room for 1, 2, 4 … */
        items = reallocarray(l->items, l->n > 0 ? 2 * l->n : 1, sizeof(*items));
        if (!items)
            return -ENOMEM;
        l->items = items;
    }
    copy = strdup(item);
    if (!copy)
        return -ENOMEM;
    l->items[l->n++] = copy;
    return 0;
}

void diff_change_done(struct diff_change *c)
{
    for (size_t i = 0; i < c->n_details; i++) {
        free(c->details[i].before);
        free(c->details[i].after);
    }
    free(c->details);
    free(c->subject);
    diff_list_done(&c->rules_before);
    diff_list_done(&c->rules_after);
    diff_list_done(&c->devices);
    *c = (struct diff_change){0};
}

struct diff_change *diff_add(struct diff *d, enum diff_area area, enum diff_kind kind, const char *subject)
{
    struct diff_change *items, *c;
    char *copy = strdup(subject ? subject : "");

    if (!copy)
        return NULL;
    if ((d->n & (d->n - 1)) == 0) {
        items = reallocarray(d->items, d->n > 0 ? 2 * d->n : 1, sizeof(*items));
        if (!items) {
            free(copy);
            return NULL;
        }
        d->items = items;
    }
    c = &d->items[d->n++];
    *c = (struct diff_change){.area = area, .kind = kind, .effect = DIFF_NONE, .subject = copy};
    return c;
}

int diff_add_detail(struct diff_change *c, const char *key, char *before, char *after, enum diff_effect effect)
{
    struct diff_detail *details = reallocarray(c->details, c->n_details + 1, sizeof(*details));

    if (!details) {
        free(before);
        free(after);
        return -ENOMEM;
    }
    c->details = details;
    c->details[c->n_details++] = (struct diff_detail){.key = key, .before = before, .after = after, .effect = effect};
    return 0;
}

enum diff_effect diff_join(enum diff_effect a, enum diff_effect b)
{
    if (a == DIFF_NONE || a == b)
        return b;
    return b == DIFF_NONE ? a : DIFF_OTHER;
}

enum diff_effect diff_join_details(const struct diff_change *c)
{
    enum diff_effect all = DIFF_NONE;

    for (size_t i = 0; i < c->n_details; i++)
        all = diff_join(all, c->details[i].effect);
    return all;
}

bool words_begin(struct words *w)
{
    *w = (struct words){0};
    w->out = open_memstream(&w->text, &w->size);
    return w->out;
}

char *words_end(struct words *w)
{
    bool good = w->out && fclose(w->out) == 0;

    w->out = NULL;
    if (good)
        return w->text;
    free(w->text);
    return NULL;
}

/* Keeps the order of the document among equals: what stands first was added first. */
static int compare_changes(const void *a, const void *b)
{
    const struct diff_change *x = a, *y = b;

    if (x->effect != y->effect)
        return x->effect < y->effect ? -1 : 1;
    if (x->area != y->area)
        return x->area < y->area ? -1 : 1;
    return x->kind != y->kind ? (x->kind < y->kind ? -1 : 1) : 0;
}

/* glibc's qsort(3) merges and is stable while memory suffices; insertion needs none and lists are short. */
static void sort_changes(struct diff *d)
{
    for (size_t i = 1; i < d->n; i++) {
        struct diff_change c = d->items[i];
        size_t k = i;

        while (k > 0 && compare_changes(&d->items[k - 1], &c) > 0) {
            d->items[k] = d->items[k - 1];
            k--;
        }
        d->items[k] = c;
    }
    for (size_t i = 0; i < d->n; i++)
        d->n_effect[d->items[i].effect]++;
}

struct diff *diff_free(struct diff *d)
{
    for (size_t i = 0; d && i < d->n; i++)
        diff_change_done(&d->items[i]);
    if (d)
        free(d->items);
    free(d);
    return NULL;
}

int diff_policies(const struct policy *a, const struct policy *b, const struct diff_options *options, struct diff **ret)
{
    size_t cases_max = options && options->cases_max > 0 ? options->cases_max : DIFF_CASES_MAX;
    struct diff *d = calloc(1, sizeof(*d));
    int r = d ? diff_document(d, a, b) : -ENOMEM;

    if (r == 0)
        r = diff_usb(d, a, b, cases_max);
    if (r == 0)
        r = diff_media(d, a, b, cases_max);
    if (r == 0)
        r = diff_mounts(d, a, b);
    if (r == 0)
        r = diff_stores(d, a, b);
    if (r == 0)
        r = diff_export(d, a, b, cases_max);
    if (r == 0)
        r = diff_mfa(d, a, b);
    if (r == 0)
        r = diff_audit(d, a, b);
    if (r < 0) {
        (void)diff_free(d);
        return r;
    }
    sort_changes(d);
    *ret = d;
    return 0;
}
