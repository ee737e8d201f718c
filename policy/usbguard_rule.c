/*
 * Owns: the grammar of USBGuard's rule language. No library reads it but libusbguard, which is C++ and a whole daemon.
 * Must not: know what a rule means; and must not be more tolerant than USBGuard: what it refuses, no policy was ever made of.
 */
#include "policy/usbguard_rule.h"

#include <ctype.h>
#include <errno.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/text.h"
#include "policy/usbguard_hours.h"

enum {
    VALUES_MAX = 4096, /* of one attribute */
    QUERY_DEPTH_MAX = 4,
};

struct cursor {
    const char *at, *end;
    unsigned depth; /* allowed-matches() in allowed-matches() */
};

/* A value is tried at the cursor: 0 and the cursor past it, USBGUARD_E_SYNTAX and the cursor where it failed, or -ENOMEM. */
typedef int value_reader(struct cursor *c, char **ret);

static bool at(const struct cursor *c, char what)
{
    return c->at < c->end && *c->at == what;
}

static size_t skip_blanks(struct cursor *c)
{
    const char *from = c->at;

    while (at(c, ' ') || at(c, '\t'))
        c->at++;
    return (size_t)(c->at - from);
}

static bool take(struct cursor *c, char what)
{
    bool is = at(c, what);

    c->at += is;
    return is;
}

static bool take_hex(struct cursor *c, size_t digits)
{
    for (size_t i = 0; i < digits; i++)
        if ((size_t)(c->end - c->at) <= i || !isxdigit((unsigned char)c->at[i]))
            return false;
    c->at += digits;
    return true;
}

static int copy(const char *from, const char *to, char **ret)
{
    *ret = text_copy(from, (size_t)(to - from));
    return *ret ? 0 : -ENOMEM;
}

static int read_id(struct cursor *c, char **ret)
{
    const char *from = c->at;
    bool any_vendor = take(c, '*');

    if ((!any_vendor && !take_hex(c, 4)) || !take(c, ':'))
        return USBGUARD_E_SYNTAX;
    if (!take(c, '*') && (any_vendor || !take_hex(c, 4)))
        return USBGUARD_E_SYNTAX;
    return copy(from, c->at, ret);
}

static int read_interface(struct cursor *c, char **ret)
{
    const char *from = c->at;
    bool any;

    if (!take_hex(c, 2) || !take(c, ':'))
        return USBGUARD_E_SYNTAX;
    any = take(c, '*');
    if ((!any && !take_hex(c, 2)) || !take(c, ':'))
        return USBGUARD_E_SYNTAX;
    if (!take(c, '*') && (any || !take_hex(c, 2)))
        return USBGUARD_E_SYNTAX;
    return copy(from, c->at, ret);
}

static unsigned hex_value(char digit)
{
    return (unsigned)(isdigit((unsigned char)digit) ? digit - '0' : tolower((unsigned char)digit) - 'a' + 10);
}

/* After the backslash. The grammar has more of them, but USBGuard then refuses to unescape any but these. */
static int read_escape(struct cursor *c, char *ret)
{
    if (at(c, '"') || at(c, '\\')) {
        *ret = *c->at++;
        return 0;
    }
    if (!take(c, 'x') || !take_hex(c, 2))
        return USBGUARD_E_SYNTAX;
    *ret = (char)(hex_value(c->at[-2]) << 4 | hex_value(c->at[-1]));
    return 0;
}

static int read_text(struct cursor *c, char **ret)
{
    _cleanup_(buf_done) struct buf bytes;
    int r = 0;

    buf_init(&bytes, USBGUARD_LINE_MAX);
    if (!take(c, '"'))
        return USBGUARD_E_SYNTAX;
    while (!at(c, '"')) {
        char byte;

        if (c->at == c->end || at(c, '\r') || at(c, '\n'))
            return USBGUARD_E_SYNTAX;
        byte = *c->at++;
        if (byte == '\\')
            r = read_escape(c, &byte);
        if (r == 0)
            r = buf_add(&bytes, &byte, 1);
        if (r != 0)
            return r;
    }
    c->at++;
    *ret = text_make_printable(bytes.data ? (const char *)bytes.data : "", bytes.size);
    return *ret ? 0 : -ENOMEM;
}

/* The parenthesis ends at the first ')'; a backslash keeps what follows from ending it. */
static int skip_parameter(struct cursor *c)
{
    static const char escaped[] = "abfnrtvx\\'0123456789)";

    if (!take(c, '('))
        return 0;
    if (at(c, ')'))
        return USBGUARD_E_SYNTAX;
    while (!take(c, ')')) {
        if (c->at == c->end || at(c, '\r') || at(c, '\n'))
            return USBGUARD_E_SYNTAX;
        if (*c->at++ == '\\' && (c->at == c->end || !*c->at || !strchr(escaped, *c->at++)))
            return USBGUARD_E_SYNTAX;
    }
    return 0;
}

static int read_attributes(struct cursor *c, struct usbguard_rule *rule);

/* The query of allowed-matches() must be a rule without target. */
static int check_query(const struct cursor *c, const char *query, size_t size)
{
    struct cursor inner = {.at = query, .end = query + size, .depth = c->depth + 1};
    struct usbguard_rule rule = {0};
    int r;

    if (inner.depth > QUERY_DEPTH_MAX)
        return USBGUARD_E_SYNTAX;
    r = read_attributes(&inner, &rule);
    (void)skip_blanks(&inner);
    if (r == 0 && inner.at < inner.end && *inner.at != '#')
        r = USBGUARD_E_SYNTAX;
    usbguard_rule_done(&rule);
    return r;
}

static int read_condition(struct cursor *c, char **ret)
{
    const char *from = c->at, *name, *open;
    struct cursor start = *c;
    int r;

    (void)take(c, '!');
    name = c->at;
    while (c->at < c->end && (isalnum((unsigned char)*c->at) || *c->at == '-'))
        c->at++;
    open = c->at;
    r = open == name || isdigit((unsigned char)*name) ? USBGUARD_E_SYNTAX : skip_parameter(c);
    if (r == 0)
        r = copy(from, c->at, ret);
    if (r != 0)
        return r;
    if (!usbguard_condition_is_valid(*ret))
        r = USBGUARD_E_SYNTAX;
    else if (open < c->at && (size_t)(open - name) == strlen("allowed-matches") && *name == 'a')
        r = check_query(c, open + 1, (size_t)(c->at - open - 2));
    if (r != 0) {
        free(*ret);
        *ret = NULL;
        *c = start;
    }
    return r;
}

static const struct {
    const char *name;
    value_reader *read;
} attributes[] = {
    [USBGUARD_ID] = {"id", read_id},
    [USBGUARD_NAME] = {"name", read_text},
    [USBGUARD_HASH] = {"hash", read_text},
    [USBGUARD_PARENT_HASH] = {"parent-hash", read_text},
    [USBGUARD_SERIAL] = {"serial", read_text},
    [USBGUARD_VIA_PORT] = {"via-port", read_text},
    [USBGUARD_WITH_INTERFACE] = {"with-interface", read_interface},
    [USBGUARD_WITH_CONNECT_TYPE] = {"with-connect-type", read_text},
    [USBGUARD_LABEL] = {"label", read_text},
    [USBGUARD_IF] = {"if", read_condition},
};

static const struct {
    const char *name;
    enum policy_set_operator op;
} operators[] = {
    {"all-of", POLICY_SET_ALL_OF},   {"one-of", POLICY_SET_ONE_OF},
    {"none-of", POLICY_SET_NONE_OF}, {"equals-ordered", POLICY_SET_EQUALS_ORDERED},
    {"equals", POLICY_SET_EQUALS},   {"match-all", POLICY_SET_MATCH_ALL},
};

/* Is this the word, with a blank behind it? */
static bool take_word(struct cursor *c, const char *word)
{
    size_t n = strlen(word);

    if ((size_t)(c->end - c->at) <= n || memcmp(c->at, word, n) != 0 || (c->at[n] != ' ' && c->at[n] != '\t'))
        return false;
    c->at += n;
    (void)skip_blanks(c);
    return true;
}

static int add_value(struct cursor *c, value_reader *read, struct usbguard_list *list)
{
    char *value = NULL, **grown;
    int r = list->n < VALUES_MAX ? read(c, &value) : USBGUARD_E_SYNTAX;

    if (r != 0)
        return r;
    grown = reallocarray(list->items, list->n + 1, sizeof(*grown));
    if (!grown) {
        free(value);
        return -ENOMEM;
    }
    list->items = grown;
    list->items[list->n++] = value;
    return 0;
}

/* Behind the brace: values with blanks between them, at least one. */
static int read_set(struct cursor *c, value_reader *read, struct usbguard_list *list)
{
    size_t blanks;

    (void)skip_blanks(c);
    do {
        int r = add_value(c, read, list);

        if (r != 0)
            return r;
        blanks = skip_blanks(c);
    } while (blanks > 0 && !at(c, '}'));
    return take(c, '}') ? 0 : USBGUARD_E_SYNTAX;
}

static int read_values(struct cursor *c, value_reader *read, struct usbguard_list *list)
{
    const char *from = c->at;

    list->op = POLICY_SET_EQUALS;
    for (size_t i = 0; i < ELEMENTS(operators) && c->at == from; i++)
        if (take_word(c, operators[i].name))
            list->op = operators[i].op;
    if (take(c, '{'))
        return read_set(c, read, list);
    return c->at == from ? add_value(c, read, list) : USBGUARD_E_SYNTAX;
}

static int read_attribute(struct cursor *c, struct usbguard_rule *rule)
{
    for (size_t i = 0; i < ELEMENTS(attributes); i++) {
        const char *from = c->at;

        if (!take_word(c, attributes[i].name))
            continue;
        if (rule->lists[i].n > 0) {
            c->at = from;
            return USBGUARD_E_SYNTAX; /* given twice */
        }
        return read_values(c, attributes[i].read, &rule->lists[i]);
    }
    return USBGUARD_E_SYNTAX;
}

/* Leaves the cursor at the blank, comment or end that no attribute follows. The first may be a bare device id. */
static int read_attributes(struct cursor *c, struct usbguard_rule *rule)
{
    bool first = true;

    for (;;) {
        int r;

        if (c->at == c->end || at(c, '#'))
            return 0;
        if (first && (at(c, '*') || (isxdigit((unsigned char)*c->at) && c->end - c->at > 4 && c->at[4] == ':')))
            r = add_value(c, read_id, &rule->lists[USBGUARD_ID]);
        else
            r = read_attribute(c, rule);
        if (r != 0)
            return r;
        if (c->at < c->end && !at(c, '#') && skip_blanks(c) == 0)
            return USBGUARD_E_SYNTAX;
        first = false;
    }
}

static bool take_target(struct cursor *c, enum usbguard_target *ret)
{
    static const char *const targets[] = {
        [USBGUARD_ALLOW] = "allow", [USBGUARD_BLOCK] = "block",   [USBGUARD_REJECT] = "reject",
        [USBGUARD_MATCH] = "match", [USBGUARD_DEVICE] = "device",
    };

    for (enum usbguard_target t = USBGUARD_ALLOW; t < ELEMENTS(targets); t++) {
        size_t n = strlen(targets[t]);

        if ((size_t)(c->end - c->at) < n || memcmp(c->at, targets[t], n) != 0)
            continue;
        c->at += n;
        *ret = t;
        return c->at == c->end || at(c, '#') || skip_blanks(c) > 0;
    }
    return false;
}

static int read_rule(struct cursor *c, struct usbguard_rule *rule)
{
    (void)skip_blanks(c);
    if (c->at == c->end || at(c, '#'))
        return 0;
    if (c->end - c->at > USBGUARD_LINE_MAX || memchr(c->at, '\0', (size_t)(c->end - c->at)) ||
        !take_target(c, &rule->target))
        return USBGUARD_E_SYNTAX;
    return read_attributes(c, rule);
}

int usbguard_rule_parse(const char *line, size_t size, struct usbguard_rule *ret, unsigned *ret_column)
{
    struct cursor c = {.at = line, .end = line + size};
    struct usbguard_rule rule = {0};
    int r = read_rule(&c, &rule);

    if (r != 0) {
        usbguard_rule_done(&rule);
        if (r == USBGUARD_E_SYNTAX)
            *ret_column = (unsigned)(c.at - line) + 1;
        return r;
    }
    *ret = rule;
    return 0;
}

void usbguard_rule_done(struct usbguard_rule *r)
{
    for (size_t i = 0; i < ELEMENTS(r->lists); i++) {
        for (size_t k = 0; k < r->lists[i].n; k++)
            free(r->lists[i].items[k]);
        free(r->lists[i].items);
    }
    *r = (struct usbguard_rule){0};
}
