/*
 * Owns: what USBGuard's conditions come to, by minutes of the day. Must not: know rules or devices.
 *
 * localtime(A-B) of USBGuard includes the second B. The minutes that lie in it for sure are A up to B without B; those it may touch
 * are A to B with B. localtime(A) is one second. With seconds ("08:00:00"), USBGuard 1.1.2 reads a date out of them, so that
 * nobody knows what was meant.
 */
#include "policy/usbguard_hours.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/cleanup.h"
#include "base/text.h"

enum kind {
    KIND_INVALID = 0,
    KIND_TRUE,
    KIND_FALSE,
    KIND_HOURS,
    KIND_UNKNOWN,
};

struct condition {
    enum kind kind;
    bool negated;
    int from, to; /* HOURS: minutes of the day, both included */
};

/* Minutes of the day; as strptime(3) does it for USBGuard, which does not look at what follows. -1: none. */
static int read_time(const char *text, const char **ret_end)
{
    struct tm tm = {0};

    *ret_end = strptime(text, "%H:%M", &tm);
    return *ret_end ? tm.tm_hour * 60 + tm.tm_min : -1;
}

static bool has_seconds(const char *end)
{
    return end[0] == ':' && isdigit((unsigned char)end[1]);
}

/* "08:00-17:15" in place. */
static struct condition read_hours(char *range)
{
    struct condition c = {.kind = KIND_HOURS};
    char *dash = strchr(range, '-');
    const char *end, *last = "";

    if (dash)
        *dash = '\0';
    c.from = c.to = read_time(range, &end);
    if (dash && dash[1])
        c.to = read_time(dash + 1, &last);
    if (c.from < 0 || c.to < 0)
        return (struct condition){0};
    if (has_seconds(end) || has_seconds(last))
        c.kind = KIND_UNKNOWN;
    else if (c.from > c.to)
        c.kind = KIND_INVALID;
    return c;
}

/* "SS", "MM:SS"… as USBGuard takes a duration: one to three numbers. */
static bool is_duration(const char *text)
{
    for (unsigned parts = 1; parts <= 3; parts++) {
        size_t digits = strspn(text, "0123456789");

        if (digits == 0 || digits > 9)
            return false;
        text += digits;
        if (!*text)
            return true;
        if (*text++ != ':')
            return false;
    }
    return false;
}

static bool is_number(const char *text)
{
    char *end;

    (void)strtod(text, &end);
    return end != text;
}

/* text in place: "!name(parameter)". */
static struct condition read_condition(char *text)
{
    struct condition c = {.negated = *text == '!'};
    char *name = text + c.negated, *parameter = strchr(name, '('), *last;

    if (parameter) {
        *parameter++ = '\0';
        last = parameter + strlen(parameter);
        if (last > parameter)
            last[-1] = '\0';
    }
    if (text_equal(name, "true"))
        c.kind = KIND_TRUE;
    else if (text_equal(name, "false"))
        c.kind = KIND_FALSE;
    else if (text_equal(name, "random"))
        c.kind = !parameter || is_number(parameter) ? KIND_UNKNOWN : KIND_INVALID;
    else if (text_equal(name, "rule-applied") || text_equal(name, "rule-evaluated"))
        c.kind = !parameter || is_duration(parameter) ? KIND_UNKNOWN : KIND_INVALID;
    else if (text_equal(name, "allowed-matches"))
        c.kind = parameter ? KIND_UNKNOWN : KIND_INVALID;
    else if (text_equal(name, "localtime") && parameter) {
        struct condition hours = read_hours(parameter);

        hours.negated = c.negated;
        c = hours;
    }
    return c;
}

static struct condition parse(const char *text)
{
    _cleanup_free_ char *copy = strdup(text);

    return copy ? read_condition(copy) : (struct condition){.kind = KIND_UNKNOWN};
}

bool usbguard_condition_is_valid(const char *text)
{
    return parse(text).kind != KIND_INVALID;
}

/* Does the condition hold in this minute: for sure, maybe? */
static void look(const struct condition *c, int minute, bool *ret_sure, bool *ret_maybe)
{
    bool sure = c->kind == KIND_TRUE || (c->kind == KIND_HOURS && minute >= c->from && minute < c->to);
    bool maybe = c->kind == KIND_TRUE || c->kind == KIND_UNKNOWN ||
                 (c->kind == KIND_HOURS && minute >= c->from && minute <= c->to);

    *ret_sure = c->negated ? !maybe : sure;
    *ret_maybe = c->negated ? !sure : maybe;
}

static void add(struct usbguard_hours *h, const struct condition *c, bool any)
{
    for (int i = 0; i < USBGUARD_MINUTES; i++) {
        bool sure, maybe;

        look(c, i, &sure, &maybe);
        h->sure[i] = any ? h->sure[i] || sure : h->sure[i] && sure;
        h->maybe[i] = any ? h->maybe[i] || maybe : h->maybe[i] && maybe;
    }
    h->has_hours |= c->kind == KIND_HOURS;
    h->has_unknown |= c->kind == KIND_UNKNOWN;
}

void usbguard_hours(const struct usbguard_list *conditions, struct usbguard_hours *ret)
{
    bool none = conditions->n > 0 && conditions->op == POLICY_SET_NONE_OF;
    bool any = conditions->n > 0 && (none || conditions->op == POLICY_SET_ONE_OF);

    *ret = (struct usbguard_hours){0};
    for (size_t i = 0; i < USBGUARD_MINUTES; i++)
        ret->sure[i] = ret->maybe[i] = !any;
    for (size_t i = 0; i < conditions->n; i++) {
        struct condition c = parse(conditions->items[i]);

        add(ret, &c, any);
    }
    for (size_t i = 0; none && i < USBGUARD_MINUTES; i++) {
        bool sure = ret->sure[i];

        ret->sure[i] = !ret->maybe[i];
        ret->maybe[i] = !sure;
    }
}

unsigned usbguard_hours_longest(const bool minutes[USBGUARD_MINUTES], bool value, unsigned *ret_from, unsigned *ret_to)
{
    unsigned best = 0, length = 0;

    /* Twice around: a stretch over midnight is whole the second time. */
    for (unsigned i = 0; i < 2 * USBGUARD_MINUTES; i++) {
        length = minutes[i % USBGUARD_MINUTES] == value ? length + 1 : 0;
        if (length > best && length <= USBGUARD_MINUTES) {
            best = length;
            *ret_from = (i + 1 - length) % USBGUARD_MINUTES;
            *ret_to = i % USBGUARD_MINUTES + 1;
        }
    }
    return best;
}

unsigned usbguard_hours_count(const bool minutes[USBGUARD_MINUTES])
{
    unsigned n = 0;

    for (size_t i = 0; i < USBGUARD_MINUTES; i++)
        n += minutes[i];
    return n;
}
