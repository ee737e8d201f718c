/*
 * Owns: from cases that are decided otherwise to changes: those that come to the same are told as one, with all their devices.
 * Must not: compare anything itself.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "policy/diff/internal.h"

/* All cases that the same rules decide. */
struct group {
    struct diff_change change; /* without devices */
    char *key;                 /* groups with the same one are told together */
    const struct record *first;
    size_t n;
};

static int compare_chains(const struct chain *a, const struct chain *b)
{
    if (a->n != b->n)
        return a->n < b->n ? -1 : 1;
    if (a->bus != b->bus)
        return a->bus < b->bus ? -1 : 1;
    if (a->idle != b->idle)
        return a->idle ? 1 : -1;
    for (uint32_t i = 0; i < a->n; i++)
        if (a->rules[i] != b->rules[i])
            return a->rules[i] < b->rules[i] ? -1 : 1;
    return 0;
}

static int compare_rules(const struct record *x, const struct record *y)
{
    int r = compare_chains(&x->chains[AFTER], &y->chains[AFTER]);

    return r != 0 ? r : compare_chains(&x->chains[BEFORE], &y->chains[BEFORE]);
}

static int compare_records(const void *a, const void *b)
{
    const struct record *x = a, *y = b;
    int r = compare_rules(x, y);

    return r != 0 ? r : strcmp(x->words, y->words);
}

static const char *text_of(const char *text)
{
    return text ? text : "-";
}

/* Kind and every detail: what makes two groups one for people. Control characters cannot come from a document. */
static char *make_key(const struct diff_change *c)
{
    struct words w;

    if (!words_begin(&w))
        return NULL;
    (void)fprintf(w.out, "%d\001%d", (int)c->kind, (int)c->effect);
    for (size_t i = 0; i < c->n_details; i++)
        (void)fprintf(w.out, "\001%s\001%s\001%s", c->details[i].key, text_of(c->details[i].before),
                      text_of(c->details[i].after));
    return words_end(&w);
}

static int make_group(const struct space *s, struct group *g)
{
    int r;

    g->change = (struct diff_change){.area = s->ops->area, .effect = DIFF_NONE};
    r = diff_describe_outcome(s->ops->area, s->sides, g->first->chains, &g->change);
    if (r == 0)
        g->key = make_key(&g->change);
    return r < 0 ? r : g->key ? 0 : -ENOMEM;
}

static int compare_groups(const void *a, const void *b)
{
    const struct group *x = a, *y = b;
    int r = strcmp(x->key, y->key);

    return r != 0 ? r : x->first < y->first ? -1 : x->first > y->first;
}

/* ids of one group follow each other in the order of the rules. */
static int add_once(struct diff_list *l, const char *item)
{
    for (size_t i = l->n; i > 0; i--)
        if (strcmp(l->items[i - 1], item) == 0)
            return 0;
    return diff_list_add(l, item);
}

static int add_cases(const struct space *s, const struct group *g, struct diff_change *c)
{
    int r = add_once(&c->rules_before, diff_rule_of(s->ops->area, s->sides[BEFORE], &g->first->chains[BEFORE]));

    if (r == 0)
        r = add_once(&c->rules_after, diff_rule_of(s->ops->area, s->sides[AFTER], &g->first->chains[AFTER]));
    for (size_t i = 0; r == 0 && i < g->n; i++)
        if (i == 0 || strcmp(g->first[i].words, g->first[i - 1].words) != 0)
            r = diff_list_add(&c->devices, g->first[i].words);
    return r;
}

static int compare_texts(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* "x, …" beside "x", or the same again. */
static bool is_told(const struct diff_list *sorted, size_t i)
{
    static const char others[] = ", …";
    size_t length = strlen(sorted->items[i]), less = length - strlen(others);
    size_t low = 0, high = i;

    if (i > 0 && strcmp(sorted->items[i - 1], sorted->items[i]) == 0)
        return true;
    if (length < strlen(others) || strcmp(sorted->items[i] + less, others) != 0)
        return false;
    while (low < high) {
        size_t middle = (low + high) / 2;
        int r = strncmp(sorted->items[middle], sorted->items[i], less);

        if (r == 0 && !sorted->items[middle][less])
            return true;
        if (r < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

static int sort_once(struct diff_list *l)
{
    _cleanup_free_ bool *told = calloc(l->n + 1, sizeof(*told));
    size_t n = 0;

    if (!told)
        return -ENOMEM;
    if (l->n > 1)
        qsort(l->items, l->n, sizeof(l->items[0]), compare_texts);
    for (size_t i = 0; i < l->n; i++)
        told[i] = is_told(l, i);
    for (size_t i = 0; i < l->n; i++) {
        if (told[i])
            free(l->items[i]);
        else
            l->items[n++] = l->items[i];
    }
    l->n = n;
    return 0;
}

/* groups[0] and those behind it with its key. */
static int tell_groups(const struct space *s, struct group *groups, size_t n, struct diff *d)
{
    struct diff_change *c = diff_add(d, s->ops->area, groups[0].change.kind, "");
    int r = 0;

    if (!c)
        return -ENOMEM;
    c->effect = groups[0].change.effect;
    c->details = TAKE_PTR(groups[0].change.details);
    c->n_details = groups[0].change.n_details;
    groups[0].change.n_details = 0;
    for (size_t i = 0; r == 0 && i < n; i++)
        r = add_cases(s, &groups[i], c);
    return r < 0 ? r : sort_once(&c->devices);
}

static int tell_sorted(const struct space *s, struct group *groups, size_t n, struct diff *d)
{
    size_t end;
    int r = 0;

    for (size_t i = 0; r == 0 && i < n; i = end) {
        for (end = i + 1; end < n && strcmp(groups[i].key, groups[end].key) == 0;)
            end++;
        r = tell_groups(s, groups + i, end - i, d);
    }
    return r;
}

int space_tell(struct space *s, struct diff *d)
{
    struct group *groups = calloc(s->n_records > 0 ? s->n_records : 1, sizeof(*groups));
    size_t n = 0;
    int r = groups ? 0 : -ENOMEM;

    if (s->n_records > 0)
        qsort(s->records, s->n_records, sizeof(s->records[0]), compare_records);
    for (size_t i = 0; r == 0 && i < s->n_records; i++) {
        if (n > 0 && compare_rules(groups[n - 1].first, &s->records[i]) == 0) {
            groups[n - 1].n++;
            continue;
        }
        groups[n++] = (struct group){.first = &s->records[i], .n = 1};
        r = make_group(s, &groups[n - 1]);
    }
    if (r == 0 && n > 0)
        qsort(groups, n, sizeof(*groups), compare_groups);
    if (r == 0)
        r = tell_sorted(s, groups, n, d);
    for (size_t i = 0; i < n; i++) {
        diff_change_done(&groups[i].change);
        free(groups[i].key);
    }
    free(groups);
    d->incomplete = d->incomplete || s->incomplete;
    return r;
}
