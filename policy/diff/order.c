/*
 * Owns: what is written otherwise in a section of rules without anything being decided otherwise: rules that moved, got another id,
 * came, went, or say otherwise what nothing meets. And rules that moved with effect, which the changes of devices do not name.
 * Must not: find out what is decided: `involved` and `crossed` say so.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "policy/diff/internal.h"

struct rule {
    const char *id, *name;
    const struct policy_usb_rule *usb;
    const struct policy_medium_rule *medium;
};

static size_t count(const struct diff_rules *r, unsigned side)
{
    return r->area == DIFF_USB ? r->sides[side]->n_usb : r->sides[side]->media.n_rules;
}

static struct rule rule_at(const struct diff_rules *r, unsigned side, size_t i)
{
    if (r->area == DIFF_USB) {
        const struct policy_usb_rule *u = &r->sides[side]->usb[i];

        return (struct rule){.id = u->id, .name = u->name, .usb = u};
    }
    return (struct rule){.id = r->sides[side]->media.rules[i].id,
                         .name = r->sides[side]->media.rules[i].name,
                         .medium = &r->sides[side]->media.rules[i]};
}

/* Place of the rule with that id, or count(). */
static size_t find_rule(const struct diff_rules *r, unsigned side, const char *id)
{
    if (r->area == DIFF_USB) {
        const struct policy_usb_rule *u = policy_find_usb_rule(r->sides[side], id);

        return u ? (size_t)(u - r->sides[side]->usb) : count(r, side);
    }
    const struct policy_medium_rule *m = policy_find_medium_rule(r->sides[side], id);

    return m ? (size_t)(m - r->sides[side]->media.rules) : count(r, side);
}

static bool same_match(const struct rule *a, const struct rule *b)
{
    return a->usb ? diff_same_usb_match(&a->usb->match, &b->usb->match)
                  : diff_same_medium_match(&a->medium->match, &b->medium->match);
}

/* Do both say the same, but for id and name? */
static bool same_rule(const struct diff_rules *r, const struct rule *a, const struct rule *b)
{
    const struct chain chains[SIDES] = {
        {.n = 1,
         .rules = {(uint32_t)(a->usb ? a->usb - r->sides[BEFORE]->usb : a->medium - r->sides[BEFORE]->media.rules)}},
        {.n = 1,
         .rules = {(uint32_t)(b->usb ? b->usb - r->sides[AFTER]->usb : b->medium - r->sides[AFTER]->media.rules)}}};
    bool refuse = a->usb ? a->usb->allow == POLICY_REFUSE : a->medium->allow == POLICY_REFUSE;
    const struct policy_who *who_a = a->usb ? &a->usb->who : &a->medium->who,
                            *who_b = b->usb ? &b->usb->who : &b->medium->who;
    const struct policy_when *when_a = a->usb ? &a->usb->when : &a->medium->when,
                             *when_b = b->usb ? &b->usb->when : &b->medium->when;
    int64_t until_a = a->usb ? a->usb->until_us : a->medium->until_us,
            until_b = b->usb ? b->usb->until_us : b->medium->until_us;

    if (!same_match(a, b) || !diff_same_outcome(r->area, r->sides, chains))
        return false;
    /* Outcomes leave out the conditions of refusals. */
    return !refuse || (diff_who(who_a, who_b) == DIFF_NONE && diff_when(when_a, when_b) == DIFF_NONE &&
                       diff_end(until_a, until_b) == DIFF_NONE);
}

static int tell(struct diff *d, const struct diff_rules *r, enum diff_kind kind, const char *id, const char *before,
                const char *after)
{
    struct diff_change *c = diff_add(d, r->area, kind, id);
    int result = c ? 0 : -ENOMEM;

    if (result == 0 && before)
        result = diff_list_add(&c->rules_before, before);
    if (result == 0 && after)
        result = diff_list_add(&c->rules_after, after);
    return result;
}

/* The rule of the other side that says the same under an id this side does not have; count() when there is none. */
static size_t find_renamed(const struct diff_rules *r, const struct rule *old, const bool *taken)
{
    size_t n = count(r, AFTER);

    for (size_t i = 0; i < n; i++) {
        struct rule new = rule_at(r, AFTER, i);

        if (!taken[i] && find_rule(r, BEFORE, new.id) == count(r, BEFORE) && same_rule(r, old, &new))
            return i;
    }
    return n;
}

static int tell_removed(struct diff *d, const struct diff_rules *r, bool *taken)
{
    int result = 0;

    for (size_t i = 0; result == 0 && i < count(r, BEFORE); i++) {
        struct rule old = rule_at(r, BEFORE, i);
        size_t other;

        if (find_rule(r, AFTER, old.id) < count(r, AFTER))
            continue;
        other = find_renamed(r, &old, taken);
        if (other < count(r, AFTER)) {
            taken[other] = true;
            result = tell(d, r, DIFF_RENAMED, old.id, old.id, rule_at(r, AFTER, other).id);
        } else if (!r->involved[BEFORE][i]) {
            result = tell(d, r, DIFF_REMOVED, old.id, old.id, NULL);
        }
    }
    return result;
}

static int tell_kept(struct diff *d, const struct diff_rules *r, size_t old_at, size_t new_at)
{
    struct rule old = rule_at(r, BEFORE, old_at), new = rule_at(r, AFTER, new_at);
    struct diff_change *c;
    char *before, *after;

    if (!r->involved[BEFORE][old_at] && !r->involved[AFTER][new_at] && !same_rule(r, &old, &new))
        return tell(d, r, DIFF_REWRITTEN, new.id, old.id, new.id);
    if (text_equal(old.name ? old.name : "", new.name ? new.name : ""))
        return 0;
    before = old.name ? strdup(old.name) : NULL;
    after = new.name ? strdup(new.name) : NULL;
    c = (old.name && !before) || (new.name && !after) ? NULL : diff_add(d, r->area, DIFF_CHANGED, new.id);
    if (!c) {
        free(before);
        free(after);
        return -ENOMEM;
    }
    return diff_add_detail(c, "name", before, after, DIFF_NONE);
}

static int tell_added(struct diff *d, const struct diff_rules *r, const bool *taken)
{
    int result = 0;

    for (size_t i = 0; result == 0 && i < count(r, AFTER); i++) {
        struct rule new = rule_at(r, AFTER, i);
        size_t old = find_rule(r, BEFORE, new.id);

        if (old < count(r, BEFORE))
            result = tell_kept(d, r, old, i);
        else if (!taken[i] && !r->involved[AFTER][i])
            result = tell(d, r, DIFF_ADDED, new.id, NULL, new.id);
    }
    return result;
}

/* --- order --- */

struct common {
    size_t before, after; /* places of a rule that both have */
    size_t last;          /* of the longest run that ends here: the one before it */
    bool stays;
};

/* The most rules that keep their order stay; the others moved (longest rising run, by patience). */
static int find_moved(struct common *items, size_t n)
{
    _cleanup_free_ size_t *tops = calloc(n + 1, sizeof(*tops));
    size_t length = 0;

    if (!tops)
        return -ENOMEM;
    for (size_t i = 0; i < n; i++) {
        size_t low = 0, high = length;

        while (low < high) {
            size_t middle = (low + high) / 2;

            if (items[tops[middle]].after < items[i].after)
                low = middle + 1;
            else
                high = middle;
        }
        items[i].last = low > 0 ? tops[low - 1] : SIZE_MAX;
        tops[low] = i;
        length = low == length ? length + 1 : length;
    }
    for (size_t i = length > 0 ? tops[length - 1] : SIZE_MAX; i != SIZE_MAX; i = items[i].last)
        items[i].stays = true;
    return 0;
}

static char *place_words(size_t place)
{
    char *text = NULL;

    return asprintf(&text, "%zu", place + 1) < 0 ? NULL : text;
}

static int tell_moved(struct diff *d, const struct diff_rules *r, const struct common *k)
{
    struct rule rule = rule_at(r, AFTER, k->after);
    bool matters = r->crossed[BEFORE][k->before] || r->crossed[AFTER][k->after];
    char *before = place_words(k->before), *after = place_words(k->after);
    struct diff_change *c = before && after ? diff_add(d, r->area, DIFF_MOVED, rule.id) : NULL;
    int result;

    if (!c) {
        free(before);
        free(after);
        return -ENOMEM;
    }
    c->effect = matters ? DIFF_OTHER : DIFF_NONE;
    result = diff_add_detail(c, "place", before, after, c->effect);
    if (result == 0)
        result = diff_list_add(&c->rules_before, rule.id);
    return result == 0 ? diff_list_add(&c->rules_after, rule.id) : result;
}

static int tell_order(struct diff *d, const struct diff_rules *r)
{
    size_t n = 0, n_before = count(r, BEFORE);
    _cleanup_free_ struct common *items = calloc(n_before + 1, sizeof(*items));
    int result = items ? 0 : -ENOMEM;

    for (size_t i = 0; result == 0 && i < n_before; i++) {
        size_t after = find_rule(r, AFTER, rule_at(r, BEFORE, i).id);

        if (after < count(r, AFTER))
            items[n++] = (struct common){.before = i, .after = after};
    }
    if (result == 0)
        result = find_moved(items, n);
    for (size_t i = 0; result == 0 && i < n; i++)
        if (!items[i].stays && items[i].before != items[i].after)
            result = tell_moved(d, r, &items[i]);
    return result;
}

int diff_order(struct diff *d, const struct diff_rules *r)
{
    _cleanup_free_ bool *taken = calloc(count(r, AFTER) + 1, sizeof(*taken));
    int result = taken ? tell_removed(d, r, taken) : -ENOMEM;

    if (result == 0)
        result = tell_added(d, r, taken);
    return result == 0 ? tell_order(d, r) : result;
}
