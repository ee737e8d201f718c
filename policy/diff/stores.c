/*
 * Owns: what changes for stores: which directories are guarded, which programs open them, for whom.
 * Must not: look at the file system. A store is its path: that is what is guarded, whatever it is called.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "policy/diff/internal.h"
#include "policy/show.h"

/* Of two that share a directory the one of that id, else the first. */
static const struct policy_store *find_store(const struct policy *p, const struct policy_store *like)
{
    const struct policy_store *first = NULL;

    for (size_t i = 0; i < p->n_stores; i++) {
        if (!text_equal(p->stores[i].path, like->path))
            continue;
        if (text_equal(p->stores[i].id, like->id))
            return &p->stores[i];
        first = first ? first : &p->stores[i];
    }
    return first;
}

static const struct policy_program *find_program(const struct policy_store *s, const char *path)
{
    for (size_t i = 0; i < s->n_programs; i++)
        if (text_equal(s->programs[i].path, path))
            return &s->programs[i];
    return NULL;
}

static char *program_words(const struct policy_program *p)
{
    char hex[DIGEST_HEX_SIZE], *text = NULL;

    if (!p->has_sha256)
        return strdup(p->path);
    digest_to_hex(&p->sha256, hex);
    return asprintf(&text, "%s (sha256 %s)", p->path, hex) < 0 ? NULL : text;
}

static char *who_words(const struct policy_who *who)
{
    struct words w;

    if (!words_begin(&w))
        return NULL;
    policy_show_who(w.out, who, 0);
    return words_end(&w);
}

static char *when_words(const struct policy_when *when)
{
    struct words w;

    if (!words_begin(&w))
        return NULL;
    if (when->restricted)
        policy_show_when(w.out, when);
    return words_end(&w);
}

/* Takes both; NULL is want of memory, "" is not there. */
static int add(struct diff_change *c, const char *key, char *before, char *after, enum diff_effect effect)
{
    char **sides[SIDES] = {&before, &after};

    if (!before || !after) {
        free(before);
        free(after);
        return -ENOMEM;
    }
    for (unsigned i = 0; i < SIDES; i++)
        if (!**sides[i]) {
            free(*sides[i]);
            *sides[i] = NULL;
        }
    return diff_add_detail(c, key, before, after, effect);
}

static int add_programs_of(struct diff_change *c, const struct policy_store *s, bool are, enum diff_effect effect)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < s->n_programs; i++) {
        char *words = program_words(&s->programs[i]);

        r = are ? add(c, "programs", strdup(""), words, effect) : add(c, "programs", words, strdup(""), effect);
    }
    return r;
}

static enum diff_effect diff_pin(const struct policy_program *a, const struct policy_program *b)
{
    if (a->has_sha256 && b->has_sha256)
        return digest_equal(&a->sha256, &b->sha256) == 1 ? DIFF_NONE : DIFF_OTHER;
    return diff_number(!a->has_sha256, !b->has_sha256);
}

static int diff_programs(struct diff_change *c, const struct policy_store *a, const struct policy_store *b)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < b->n_programs; i++) {
        const struct policy_program *was = find_program(a, b->programs[i].path);

        if (!was)
            r = add(c, "programs", strdup(""), program_words(&b->programs[i]), DIFF_WIDER);
        else if (diff_pin(was, &b->programs[i]) != DIFF_NONE)
            r = add(c, "programs", program_words(was), program_words(&b->programs[i]), diff_pin(was, &b->programs[i]));
    }
    for (size_t i = 0; r == 0 && i < a->n_programs; i++)
        if (!find_program(b, a->programs[i].path))
            r = add(c, "programs", program_words(&a->programs[i]), strdup(""), DIFF_NARROWER);
    return r;
}

static int add_text(struct diff_change *c, const char *key, const char *before, const char *after,
                    enum diff_effect effect)
{
    if (text_equal(before ? before : "", after ? after : ""))
        return 0;
    return add(c, key, strdup(before ? before : ""), strdup(after ? after : ""), effect);
}

static int diff_details(struct diff_change *c, const struct policy_store *a, const struct policy_store *b)
{
    int r = diff_programs(c, a, b);

    if (r == 0 && diff_who(&a->who, &b->who) != DIFF_NONE)
        r = add(c, "who", who_words(&a->who), who_words(&b->who), diff_who(&a->who, &b->who));
    if (r == 0 && diff_when(&a->when, &b->when) != DIFF_NONE)
        r = add(c, "when", when_words(&a->when), when_words(&b->when), diff_when(&a->when, &b->when));
    if (r == 0 && a->monitor != b->monitor)
        r = add_text(c, "monitor", a->monitor ? "true" : "", b->monitor ? "true" : "",
                     diff_number(a->monitor, b->monitor));
    if (r == 0)
        r = add_text(c, "class", a->class_, b->class_, DIFF_OTHER);
    if (r == 0)
        r = add_text(c, "id", a->id, b->id, DIFF_NONE);
    if (r == 0)
        r = add_text(c, "name", a->name, b->name, DIFF_NONE);
    return r;
}

static int add_rules(struct diff_change *c, const struct policy_store *a, const struct policy_store *b)
{
    int r = a ? diff_list_add(&c->rules_before, a->id) : 0;

    return r == 0 && b ? diff_list_add(&c->rules_after, b->id) : r;
}

/* Wider and narrower things are told apart: a program more is not made up for by an hour less. */
static int diff_store(struct diff *d, const struct policy_store *a, const struct policy_store *b)
{
    struct diff_change all = {0}, *c = NULL;
    int r = diff_details(&all, a, b);

    for (unsigned effect = 0; r == 0 && effect < DIFF_EFFECT_COUNT_; effect++) {
        c = NULL;
        for (size_t i = 0; r == 0 && i < all.n_details; i++) {
            struct diff_detail *detail = &all.details[i];

            if (detail->effect != (enum diff_effect)effect)
                continue;
            if (!c) {
                c = diff_add(d, DIFF_STORES, DIFF_CHANGED, b->path);
                r = c ? add_rules(c, a, b) : -ENOMEM;
            }
            if (r < 0)
                break;
            c->effect = detail->effect;
            r = diff_add_detail(c, detail->key, detail->before, detail->after, detail->effect);
            detail->before = detail->after = NULL;
        }
    }
    diff_change_done(&all);
    return r;
}

/* A directory that is guarded now, or no longer: with the programs that are, or were, let in. */
static int tell_store(struct diff *d, const struct policy_store *s, bool is)
{
    struct diff_change *c = diff_add(d, DIFF_STORES, is ? DIFF_ADDED : DIFF_REMOVED, s->path);
    enum diff_effect effect = is ? DIFF_NARROWER : DIFF_WIDER;
    int r = c ? add_rules(c, is ? NULL : s, is ? s : NULL) : -ENOMEM;

    if (r < 0)
        return r;
    c->effect = effect;
    r = add_programs_of(c, s, is, effect);
    if (r == 0 && s->who.restricted)
        r = is ? add(c, "who", strdup(""), who_words(&s->who), effect)
               : add(c, "who", who_words(&s->who), strdup(""), effect);
    if (r == 0 && s->when.restricted)
        r = is ? add(c, "when", strdup(""), when_words(&s->when), effect)
               : add(c, "when", when_words(&s->when), strdup(""), effect);
    return r;
}

int diff_stores(struct diff *d, const struct policy *a, const struct policy *b)
{
    int r = 0;

    for (size_t i = 0; r == 0 && i < a->n_stores; i++) {
        const struct policy_store *is = find_store(b, &a->stores[i]);

        r = is ? diff_store(d, &a->stores[i], is) : tell_store(d, &a->stores[i], false);
    }
    for (size_t i = 0; r == 0 && i < b->n_stores; i++)
        if (!find_store(a, &b->stores[i]))
            r = tell_store(d, &b->stores[i], true);
    return r;
}
