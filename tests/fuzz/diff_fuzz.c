/*
 * Two documents of any bytes, the one from the other by a form feed (which no document may hold): what both loaders accept is
 * compared. It must end soon, stay in memory, say nothing of a document and itself, and say as much one way as the other.
 */
#include <stdlib.h>
#include <string.h>

#include "fuzz/fuzz.h"
#include "policy/diff/diff.h"

static void insist(int condition)
{
    if (!condition)
        abort();
}

/* As told: effects in order, every device once, details and lists whole. */
static void look_at(const struct diff *d)
{
    size_t n = 0;

    for (unsigned e = 0; e < DIFF_EFFECT_COUNT_; e++)
        n += d->n_effect[e];
    insist(n == d->n);
    for (size_t i = 0; i < d->n; i++) {
        const struct diff_change *c = &d->items[i];

        insist(i == 0 || d->items[i - 1].effect <= c->effect);
        insist(c->subject != NULL);
        for (size_t k = 1; k < c->devices.n; k++)
            insist(strcmp(c->devices.items[k - 1], c->devices.items[k]) < 0);
        for (size_t k = 0; k < c->n_details; k++)
            insist(c->details[k].key && (c->details[k].before || c->details[k].after));
    }
}

static void compare(const struct policy *a, const struct policy *b)
{
    const struct diff_options few = {.cases_max = 20000};
    struct diff *there = NULL, *back = NULL, *itself = NULL;

    insist(diff_policies(a, b, &few, &there) == 0);
    insist(diff_policies(b, a, &few, &back) == 0);
    insist(diff_policies(a, a, &few, &itself) == 0);
    look_at(there);
    look_at(back);
    insist(itself->n == 0);
    if (!there->incomplete && !back->incomplete)
        insist(there->n == 0 ? back->n == 0 : back->n > 0);
    (void)diff_free(there);
    (void)diff_free(back);
    (void)diff_free(itself);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    const uint8_t *middle = size > 0 ? memchr(data, '\f', size) : NULL;
    struct policy *a = NULL, *b = NULL;
    size_t first = middle ? (size_t)(middle - data) : 0;

    if (!middle)
        return 0;
    if (policy_load("before", data, first, NULL, &a) == 0 &&
        policy_load("after", middle + 1, size - first - 1, NULL, &b) == 0)
        compare(a, b);
    (void)policy_unref(a);
    (void)policy_unref(b);
    return 0;
}
