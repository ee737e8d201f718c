/*
 * Owns: what the rules that speak of a device or medium come to: granted, to whom, when, under which conditions; and how two such
 * outcomes differ. Must not: know which devices there are.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "policy/diff/internal.h"
#include "policy/show.h"

enum {
    LIST_MAX = 12 /* items of a list that are written out */
};

const char *const diff_buses[BUSES] = {"usb", "mmc", "optical", "firewire", "thunderbolt", "loop", "other"};

/* A refusal that people or hours escape. */
struct pass {
    const char *id;
    const struct policy_who *who;
    const struct policy_when *when;
    int64_t until_us;
    bool monitor;
};

struct outcome {
    const char *rule;
    enum policy_allow allow;
    bool monitor;   /* the rule only records: nothing is refused by it */
    bool as_device; /* a USB medium no media rule speaks of: as its device's rule says */
    bool unique, remove;
    bool exec, has_exec; /* has_exec: the rule says so itself */
    const struct policy_who *who;
    const struct policy_when *when;
    int64_t until_us;
    const struct policy_interfaces *only;
    const struct policy_unlock *unlock;
    const struct policy_medium_match *medium;
    bool demands_selectors; /* label, uuid … of medium are conditions too */
    struct pass passes[CHAIN_MAX];
    size_t n_passes;
};

static const struct policy_who everybody;
static const struct policy_when always;
static const struct policy_interfaces all_interfaces;
static const struct policy_unlock unlocked;
static const struct policy_medium_match any_medium;

static void class_outcome(const struct policy_media *m, uint32_t bus, struct outcome *ret)
{
    const struct {
        const char *rule;
        enum policy_allow allow;
    } classes[BUSES] = {
        {"usb", POLICY_REFUSE},
        /* as its device's rule says */ {"media.sdcard", m->sdcard},
        {"media.optical", m->optical},
        {"media.firewire", m->firewire},
        {"media.thunderbolt", m->thunderbolt},
        {"media.other", m->other},
        {"media.other", m->other},
    };

    ret->rule = classes[bus % BUSES].rule;
    ret->allow = classes[bus % BUSES].allow == POLICY_USE ? POLICY_READ : classes[bus % BUSES].allow;
    ret->as_device = bus == 0;
}

static void usb_outcome(const struct policy_usb_rule *r, bool idle, struct outcome *ret)
{
    ret->rule = r->id;
    ret->allow = idle ? POLICY_REFUSE : r->allow;
    ret->monitor = r->monitor;
    ret->remove = r->remove;
    if (ret->allow == POLICY_REFUSE)
        return;
    ret->unique = r->unique_serial;
    ret->who = &r->who;
    ret->when = &r->when;
    ret->until_us = r->until_us;
    ret->only = &r->only;
    ret->unlock = &r->unlock;
    ret->medium = &r->medium;
    ret->demands_selectors = true;
}

static void medium_outcome(const struct policy *p, const struct policy_medium_rule *r, struct outcome *ret)
{
    ret->rule = r->id;
    ret->allow = r->allow == POLICY_USE ? POLICY_READ : r->allow;
    ret->monitor = r->monitor;
    if (r->allow == POLICY_REFUSE)
        return;
    ret->has_exec = r->has_exec;
    ret->exec = r->has_exec ? r->exec : p->media.exec;
    ret->who = &r->who;
    ret->when = &r->when;
    ret->until_us = r->until_us;
    ret->unlock = &r->unlock;
    ret->medium = &r->match;
}

static struct pass pass_of(enum diff_area area, const struct policy *p, uint32_t rule)
{
    if (area == DIFF_USB) {
        const struct policy_usb_rule *r = &p->usb[rule];

        return (struct pass){r->id, &r->who, &r->when, r->until_us, r->monitor};
    }
    return (struct pass){p->media.rules[rule].id, &p->media.rules[rule].who, &p->media.rules[rule].when,
                         p->media.rules[rule].until_us, p->media.rules[rule].monitor};
}

static bool is_permitted(const struct outcome *o)
{
    return o->allow != POLICY_REFUSE || o->monitor || o->as_device;
}

/* Is all that the rule permits refused before it is asked? */
static bool is_refused_first(const struct outcome *o, const struct pass *p)
{
    enum diff_effect people = diff_who(o->who, p->who), hours = diff_when(o->when, p->when),
                     end = diff_end(o->until_us, p->until_us);

    return !p->monitor && !o->monitor && (people == DIFF_NONE || people == DIFF_WIDER) &&
           (hours == DIFF_NONE || hours == DIFF_WIDER) && (end == DIFF_NONE || end == DIFF_WIDER);
}

static void outcome_of(enum diff_area area, const struct policy *p, const struct chain *chain, struct outcome *ret)
{
    uint32_t last = chain->rules[chain->n - 1];

    *ret = (struct outcome){.rule = "default",
                            .who = &everybody,
                            .when = &always,
                            .only = &all_interfaces,
                            .unlock = &unlocked,
                            .medium = &any_medium};
    if (last != CHAIN_DEFAULT && area == DIFF_USB)
        usb_outcome(&p->usb[last], chain->idle, ret);
    else if (last != CHAIN_DEFAULT)
        medium_outcome(p, &p->media.rules[last], ret);
    else if (area == DIFF_MEDIA)
        class_outcome(&p->media, chain->bus, ret);
    if (!is_permitted(ret))
        return; /* whom an earlier rule refuses as well makes no difference */
    for (size_t i = 0; i + 1 < chain->n; i++) {
        struct pass pass = pass_of(area, p, chain->rules[i]);

        if (is_refused_first(ret, &pass)) {
            *ret = (struct outcome){.rule = pass.id,
                                    .who = &everybody,
                                    .when = &always,
                                    .only = &all_interfaces,
                                    .unlock = &unlocked,
                                    .medium = &any_medium};
            return;
        }
        ret->passes[ret->n_passes++] = pass;
    }
}

const char *diff_rule_of(enum diff_area area, const struct policy *p, const struct chain *chain)
{
    struct outcome o;

    outcome_of(area, p, chain, &o);
    return o.rule;
}

/* --- passes --- */

static bool same_pass(const struct pass *a, const struct pass *b)
{
    return a->monitor == b->monitor && a->until_us == b->until_us && diff_who(a->who, b->who) == DIFF_NONE &&
           diff_when(a->when, b->when) == DIFF_NONE;
}

/* Is every refusal of inner among those of outer? */
static bool has_passes(const struct outcome *outer, const struct outcome *inner)
{
    for (size_t i = 0; i < inner->n_passes; i++) {
        bool found = false;

        for (size_t k = 0; k < outer->n_passes && !found; k++)
            found = same_pass(&outer->passes[k], &inner->passes[i]);
        if (!found)
            return false;
    }
    return true;
}

/* What is refused to more people and at more hours is permitted to fewer. */
static enum diff_effect diff_pass(const struct pass *a, const struct pass *b)
{
    enum diff_effect e = diff_join(diff_who(a->who, b->who), diff_when(a->when, b->when));

    e = diff_reverse(diff_join(e, diff_end(a->until_us, b->until_us)));
    return diff_join(e, diff_number(a->monitor, b->monitor));
}

static enum diff_effect diff_passes(const struct outcome *a, const struct outcome *b)
{
    bool a_in_b = has_passes(b, a), b_in_a = has_passes(a, b);

    if (a_in_b || b_in_a)
        return a_in_b && b_in_a ? DIFF_NONE : a_in_b ? DIFF_NARROWER : DIFF_WIDER;
    return a->n_passes == 1 && b->n_passes == 1 ? diff_pass(&a->passes[0], &b->passes[0]) : DIFF_OTHER;
}

static void show_passes(FILE *out, const struct outcome *o)
{
    for (size_t i = 0; i < o->n_passes; i++) {
        const struct pass *p = &o->passes[i];

        (void)fprintf(out, "%s%s (", i > 0 ? ", " : "", p->id);
        policy_show_who(out, p->who, LIST_MAX);
        if (p->when->restricted) {
            (void)fputs(p->who->restricted ? "; " : "", out);
            policy_show_when(out, p->when);
        }
        if (p->until_us != 0) {
            (void)fputs(p->who->restricted || p->when->restricted ? "; until " : "until ", out);
            policy_show_time(out, p->until_us);
        }
        (void)fputs(p->monitor ? "; monitor)" : ")", out);
    }
}

/* --- the single conditions, as a table --- */

static enum diff_effect diff_allow(const struct outcome *a, const struct outcome *b)
{
    enum policy_allow x = a->allow, y = b->allow;

    /* Using is more of a device, taking out more of its storage. */
    if ((x == POLICY_USE && y == POLICY_EXPORT) || (x == POLICY_EXPORT && y == POLICY_USE))
        return DIFF_OTHER;
    return diff_number(x, y);
}

static void show_allow(FILE *out, const struct outcome *o)
{
    if (!o->as_device)
        (void)fputs(policy_allow_name(o->allow), out);
}

static enum diff_effect diff_only(const struct outcome *a, const struct outcome *b)
{
    return diff_interfaces(a->only, b->only);
}

static void show_only(FILE *out, const struct outcome *o)
{
    const struct policy_interfaces plain = {.items = o->only->items, .n = o->only->n, .op = POLICY_SET_EQUALS};

    policy_show_interfaces(out, &plain, LIST_MAX);
}

static enum diff_effect diff_people(const struct outcome *a, const struct outcome *b)
{
    return diff_who(a->who, b->who);
}

static void show_people(FILE *out, const struct outcome *o)
{
    policy_show_who(out, o->who, LIST_MAX);
}

static enum diff_effect diff_hours(const struct outcome *a, const struct outcome *b)
{
    return diff_when(a->when, b->when);
}

static void show_hours(FILE *out, const struct outcome *o)
{
    if (o->when->restricted)
        policy_show_when(out, o->when);
}

static enum diff_effect diff_until(const struct outcome *a, const struct outcome *b)
{
    return diff_end(a->until_us, b->until_us);
}

static void show_until(FILE *out, const struct outcome *o)
{
    if (o->until_us != 0)
        policy_show_time(out, o->until_us);
}

static enum diff_effect diff_lock(const struct outcome *a, const struct outcome *b)
{
    return diff_unlock(a->unlock, b->unlock);
}

static void show_lock(FILE *out, const struct outcome *o)
{
    policy_show_unlock(out, o->unlock, LIST_MAX);
}

static enum diff_effect diff_luks(const struct outcome *a, const struct outcome *b)
{
    return diff_number(!a->medium->luks_only, !b->medium->luks_only);
}

static void show_luks(FILE *out, const struct outcome *o)
{
    (void)fputs(o->medium->luks_only ? "true" : "", out);
}

static enum diff_effect diff_filesystems(const struct outcome *a, const struct outcome *b)
{
    return diff_strings(&a->medium->filesystems, &b->medium->filesystems);
}

static void show_filesystems(FILE *out, const struct outcome *o)
{
    if (o->medium->filesystems.n > 0)
        policy_show_strings(out, &o->medium->filesystems, LIST_MAX);
}

static enum diff_effect diff_capacity(const struct outcome *a, const struct outcome *b)
{
    uint64_t x = a->medium->capacity_max, y = b->medium->capacity_max;

    return diff_number(x > 0 ? x : UINT64_MAX, y > 0 ? y : UINT64_MAX);
}

static void show_capacity(FILE *out, const struct outcome *o)
{
    if (o->medium->capacity_max > 0)
        policy_show_size(out, o->medium->capacity_max);
}

static enum diff_effect diff_selectors(const struct outcome *a, const struct outcome *b)
{
    const struct policy_medium_match *x = a->demands_selectors ? a->medium : &any_medium,
                                     *y = b->demands_selectors ? b->medium : &any_medium;
    enum diff_effect e = diff_join(diff_strings(&x->buses, &y->buses), diff_strings(&x->paths, &y->paths));

    e = diff_join(e, diff_strings(&x->serials, &y->serials));
    return diff_join(e, diff_join(diff_strings(&x->labels, &y->labels), diff_strings(&x->uuids, &y->uuids)));
}

static void show_selectors(FILE *out, const struct outcome *o)
{
    if (o->demands_selectors)
        policy_show_medium_selectors(out, o->medium, LIST_MAX);
}

static enum diff_effect diff_unique(const struct outcome *a, const struct outcome *b)
{
    return diff_number(!a->unique, !b->unique);
}

static void show_unique(FILE *out, const struct outcome *o)
{
    (void)fputs(o->unique ? "refuse" : "", out);
}

/* Only where the rule speaks of it: the default of all media is told once, as media.exec. */
static enum diff_effect diff_exec(const struct outcome *a, const struct outcome *b)
{
    return a->has_exec || b->has_exec ? diff_number(a->exec, b->exec) : DIFF_NONE;
}

static void show_exec(FILE *out, const struct outcome *o)
{
    if (o->has_exec)
        (void)fputs(o->exec ? "allow" : "refuse", out);
}

static enum diff_effect diff_remove(const struct outcome *a, const struct outcome *b)
{
    return a->remove == b->remove ? DIFF_NONE : DIFF_OTHER;
}

static void show_remove(FILE *out, const struct outcome *o)
{
    (void)fputs(o->remove ? "true" : "", out);
}

static enum diff_effect diff_monitor(const struct outcome *a, const struct outcome *b)
{
    return diff_number(a->monitor, b->monitor);
}

static void show_monitor(FILE *out, const struct outcome *o)
{
    (void)fputs(o->monitor ? "true" : "", out);
}

static const struct condition {
    const char *key;
    enum diff_effect (*diff)(const struct outcome *a, const struct outcome *b);
    void (*show)(FILE *out, const struct outcome *o); /* nothing: no such condition */
} conditions[] = {
    {"allow", diff_allow, show_allow},
    {"allow.interfaces", diff_only, show_only},
    {"who", diff_people, show_people},
    {"when", diff_hours, show_hours},
    {"until", diff_until, show_until},
    {"unlock", diff_lock, show_lock},
    {"luks-only", diff_luks, show_luks},
    {"filesystem", diff_filesystems, show_filesystems},
    {"capacity-max", diff_capacity, show_capacity},
    {"medium", diff_selectors, show_selectors},
    {"unique", diff_unique, show_unique},
    {"exec", diff_exec, show_exec},
    {"remove", diff_remove, show_remove},
    {"monitor", diff_monitor, show_monitor},
    {"refused-first", diff_passes, show_passes},
};

bool diff_same_outcome(enum diff_area area, const struct policy *const sides[SIDES], const struct chain chains[SIDES])
{
    struct outcome o[SIDES];

    for (unsigned side = 0; side < SIDES; side++)
        outcome_of(area, sides[side], &chains[side], &o[side]);
    if (o[BEFORE].as_device != o[AFTER].as_device)
        return false;
    for (size_t i = 0; i < ELEMENTS(conditions); i++)
        if (conditions[i].diff(&o[BEFORE], &o[AFTER]) != DIFF_NONE)
            return false;
    return true;
}

/* The words of one side; NULL in *ret when there are none. */
static int show(const struct condition *k, const struct outcome *o, char **ret)
{
    struct words w;
    char *text;

    if (!words_begin(&w))
        return -ENOMEM;
    k->show(w.out, o);
    text = words_end(&w);
    if (!text)
        return -ENOMEM;
    if (!*text) {
        free(text);
        text = NULL;
    }
    *ret = text;
    return 0;
}

static int add_condition(const struct condition *k, const struct outcome o[SIDES], bool with_before, bool with_after,
                         enum diff_effect effect, struct diff_change *c)
{
    char *before = NULL, *after = NULL;
    int r = with_before ? show(k, &o[BEFORE], &before) : 0;

    if (r == 0 && with_after)
        r = show(k, &o[AFTER], &after);
    if (r < 0 || (!before && !after)) {
        free(before);
        free(after);
        return r;
    }
    return diff_add_detail(c, k->key, before, after, effect);
}

int diff_describe_outcome(enum diff_area area, const struct policy *const sides[SIDES],
                          const struct chain chains[SIDES], struct diff_change *c)
{
    struct outcome o[SIDES];
    bool was, is;
    int r = 0;

    for (unsigned side = 0; side < SIDES; side++)
        outcome_of(area, sides[side], &chains[side], &o[side]);
    was = is_permitted(&o[BEFORE]);
    is = is_permitted(&o[AFTER]);
    c->kind = was == is ? DIFF_CONDITIONS : is ? DIFF_PERMITTED : DIFF_REFUSED;
    for (size_t i = 0; r == 0 && i < ELEMENTS(conditions); i++) {
        enum diff_effect e = conditions[i].diff(&o[BEFORE], &o[AFTER]);

        /* What was refused had no conditions: those of the permission are told all. */
        if (was == is && e != DIFF_NONE)
            r = add_condition(&conditions[i], o, true, true, e, c);
        else if (was != is)
            r = add_condition(&conditions[i], o, was, is, is ? DIFF_WIDER : DIFF_NARROWER, c);
    }
    c->effect = was != is                                   ? (is ? DIFF_WIDER : DIFF_NARROWER)
                : o[BEFORE].as_device != o[AFTER].as_device ? (o[AFTER].as_device ? DIFF_WIDER : DIFF_NARROWER)
                                                            : diff_join_details(c);
    return r;
}
