/*
 * Owns: the set operators of USBGuard as its 1.1.2 really evaluates them. Must not: write YAML.
 *
 * A device has exactly one id, serial, name, hash and so on, and one or more interfaces. So for all but interfaces `equals` with
 * several values never holds. Ids are compared as text with what sysfs spells in small letters, so that capitals never match; texts
 * under match-all are not compared at all and always match; wildcards under match-all never do.
 */
#include "policy/usbguard_match.h"

#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "policy/import_usbguard.h"

enum {
    VALUE_MAX = 1024, /* what the loader reads; strings of devices have at most 126 characters */
};

#define REASON(name) (UINT32_C(1) << POLICY_IMPORT_##name)

/* What to do with a value. */
enum fate {
    KEEP = 0,
    DEAD, /* no device has it */
};

static bool has_capital(const char *id)
{
    for (; *id; id++)
        if (isupper((unsigned char)*id))
            return true;
    return false;
}

static bool is_connect_type(const char *text)
{
    static const char *const known[] = {"hardwired", "hotplug", "not used", "unknown", ""};

    for (size_t i = 0; i < ELEMENTS(known); i++)
        if (text_equal(text, known[i]))
            return true;
    return false;
}

static enum fate fate_of(enum usbguard_attribute attribute, const char *value, uint32_t *reasons)
{
    if (attribute == USBGUARD_ID && has_capital(value)) {
        *reasons |= REASON(CASE);
        return DEAD;
    }
    if (attribute == USBGUARD_WITH_CONNECT_TYPE && !is_connect_type(value))
        return DEAD;
    if (strlen(value) > VALUE_MAX) {
        *reasons |= REASON(TOO_LONG);
        return DEAD;
    }
    return KEEP;
}

static bool is_listed(const struct usbguard_term *t, const char *value)
{
    for (size_t i = 0; i < t->n; i++)
        if (text_equal(t->items[i], value))
            return true;
    return false;
}

static void add(struct usbguard_term *t, const char *value)
{
    if (!is_listed(t, value))
        t->items[t->n++] = value;
}

/* Capitals are dead for certain, but a rule that blocks takes them as they were meant; other dead values can be meant no way. */
static bool counts(enum usbguard_attribute attribute, const char *value, bool meant, uint32_t *reasons)
{
    return fate_of(attribute, value, reasons) == KEEP ||
           (meant && attribute == USBGUARD_ID && strlen(value) <= VALUE_MAX);
}

static void finish(struct usbguard_term *t, enum policy_set_operator op, enum usbguard_term_kind when_empty)
{
    t->op = op;
    t->kind = t->n > 0 ? USBGUARD_TERM_SET : when_empty;
}

static void one_of(const struct usbguard_list *l, enum usbguard_attribute a, bool blocks, struct usbguard_term *t)
{
    for (size_t i = 0; i < l->n; i++)
        if (counts(a, l->items[i], blocks, &t->reasons))
            add(t, l->items[i]);
    finish(t, POLICY_SET_ONE_OF, USBGUARD_TERM_NEVER);
}

/* Fewer values exclude fewer devices: here it is the rule that allows which takes the capitals as they were meant. */
static void none_of(const struct usbguard_list *l, enum usbguard_attribute a, bool blocks, struct usbguard_term *t)
{
    for (size_t i = 0; i < l->n; i++)
        if (counts(a, l->items[i], !blocks, &t->reasons))
            add(t, l->items[i]);
    finish(t, POLICY_SET_NONE_OF, USBGUARD_TERM_ANY);
}

static void all_of(const struct usbguard_list *l, enum usbguard_attribute a, bool blocks, struct usbguard_term *t)
{
    for (size_t i = 0; i < l->n; i++) {
        if (!counts(a, l->items[i], blocks, &t->reasons)) {
            t->kind = USBGUARD_TERM_NEVER;
            return;
        }
        add(t, l->items[i]);
    }
    if (a != USBGUARD_ID && t->n > 1) /* of ids, "1234:*" and "1234:5678" both may hold */
        t->kind = USBGUARD_TERM_NEVER;
    else
        finish(t, t->n == 1 ? POLICY_SET_ONE_OF : POLICY_SET_ALL_OF, USBGUARD_TERM_NEVER);
}

static void match_all(const struct usbguard_list *l, enum usbguard_attribute a, bool blocks, struct usbguard_term *t)
{
    t->reasons |= a != USBGUARD_ID ? REASON(MATCH_ALL) : 0;
    if (blocks && a != USBGUARD_ID) {
        t->kind = USBGUARD_TERM_ANY;
        return;
    }
    for (size_t i = 0; i < l->n; i++) {
        bool wildcard = a == USBGUARD_ID && strchr(l->items[i], '*');

        t->reasons |= wildcard ? REASON(MATCH_ALL) : 0;
        if ((blocks || !wildcard) && counts(a, l->items[i], blocks, &t->reasons))
            add(t, l->items[i]);
    }
    finish(t, POLICY_SET_ONE_OF, USBGUARD_TERM_NEVER);
}

static void match_single(const struct usbguard_list *l, enum usbguard_attribute a, bool blocks, struct usbguard_term *t)
{
    switch (l->op) {
    case POLICY_SET_ONE_OF:
        one_of(l, a, blocks, t);
        break;
    case POLICY_SET_NONE_OF:
        none_of(l, a, blocks, t);
        break;
    case POLICY_SET_MATCH_ALL:
        match_all(l, a, blocks, t);
        break;
    case POLICY_SET_ALL_OF:
        all_of(l, a, blocks, t);
        break;
    case POLICY_SET_EQUALS:
    case POLICY_SET_EQUALS_ORDERED:
        if (l->n == 1)
            one_of(l, a, blocks, t);
        break;
    }
}

/* Do both patterns fit one interface? Wildcards stand from the right, so comparing up to the first of them tells. */
static bool overlap(const char *a, const char *b)
{
    for (; *a && *b; a++, b++) {
        if (*a == '*' || *b == '*')
            return true;
        if (tolower((unsigned char)*a) != tolower((unsigned char)*b))
            return false;
    }
    return true;
}

static bool any_overlap(const struct usbguard_list *l)
{
    for (size_t i = 0; i < l->n; i++)
        for (size_t k = 0; k < i; k++)
            if (overlap(l->items[i], l->items[k]))
                return true;
    return false;
}

/* USBGuard's equals compares the counts and looks for each listed one by itself: {03:*:* 03:01:01} equals [03:01:01, 08:06:50].
 * Ours wants an interface for each; the same thing as long as no two listed ones fit one interface. */
static void match_interfaces(const struct usbguard_list *l, bool blocks, struct usbguard_term *t)
{
    for (size_t i = 0; i < l->n; i++)
        t->items[t->n++] = l->items[i];
    finish(t, l->op, USBGUARD_TERM_NEVER);
    if (l->op != POLICY_SET_EQUALS || !any_overlap(l))
        return;
    t->reasons |= blocks ? REASON(EQUALS_WIDE) : REASON(EQUALS_STRICT);
    if (blocks)
        t->op = POLICY_SET_ALL_OF;
}

static bool is_root_hub(enum usbguard_attribute a, const struct usbguard_term *t)
{
    for (size_t i = 0; i < t->n; i++) {
        const char *value = t->items[i];
        bool is = a == USBGUARD_ID ? text_equal(value, "1d6b:0001") || text_equal(value, "1d6b:0002") ||
                                         text_equal(value, "1d6b:0003")
                                   : text_starts(value, "usb");

        if (!is)
            return false;
    }
    return t->kind == USBGUARD_TERM_SET && t->op == POLICY_SET_ONE_OF;
}

int usbguard_match(const struct usbguard_rule *rule, enum usbguard_attribute attribute, bool blocks,
                   struct usbguard_term *ret)
{
    const struct usbguard_list *l = &rule->lists[attribute];
    struct usbguard_term t = {.kind = l->n > 0 ? USBGUARD_TERM_NEVER : USBGUARD_TERM_ANY};

    if (l->n > 0) {
        t.items = calloc(l->n, sizeof(*t.items));
        if (!t.items)
            return -ENOMEM;
        if (attribute == USBGUARD_WITH_INTERFACE)
            match_interfaces(l, blocks, &t);
        else
            match_single(l, attribute, blocks, &t);
    }
    if ((attribute == USBGUARD_ID || attribute == USBGUARD_VIA_PORT) && is_root_hub(attribute, &t))
        t.reasons |= REASON(ROOT_HUB);
    *ret = t;
    return 0;
}

void usbguard_term_done(struct usbguard_term *t)
{
    free(t->items);
    *t = (struct usbguard_term){0};
}
