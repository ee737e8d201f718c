/*
 * Owns: reading one scalar, or a list of strings, into its C type.
 * Must not: read anything that is not exactly of that type: a value somebody has to guess at is an error.
 */
#include "policy/doc_values.h"

#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <yaml.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"

enum {
    STRING_MAX = 1024,
    STRINGS_MAX = 16384,
};

/* The text of a scalar; NULL after telling what stands there instead. */
static const char *scalar_text(struct doc *d, const yaml_node_t *node, const char *expected)
{
    const char *text = doc_text(node);

    if (!text)
        doc_error(d, node,
                  doc_kind(node) == DOC_IS_LIST ? N_("%s expected, found a list") : N_("%s expected, found a map"),
                  doc_translate(d, expected));
    return text;
}

/* "12" in quotes is a string in YAML; other readers of the same file would see something else than we do. */
static const char *plain_text(struct doc *d, const yaml_node_t *node, const char *expected)
{
    const char *text = scalar_text(d, node, expected);

    if (text && node->data.scalar.style != YAML_PLAIN_SCALAR_STYLE) {
        doc_error(d, node, N_("%s expected, found text in quotes"), doc_translate(d, expected));
        return NULL;
    }
    return text;
}

static bool is_null(const yaml_node_t *node)
{
    const char *text = doc_text(node);

    return node->data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
           (!*text || text_equal(text, "~") || text_equal(text, "null"));
}

int doc_get_string(struct doc *d, const yaml_node_t *node, size_t maximum, char **ret)
{
    const char *text = scalar_text(d, node, N_("text"));
    char *copy;

    if (!text)
        return DOC_E_INVALID;
    if (maximum == 0)
        maximum = STRING_MAX;
    if (is_null(node)) {
        doc_error(d, node, N_("the value is missing"));
        return DOC_E_INVALID;
    }
    if (strlen(text) > maximum) {
        doc_error(d, node, N_("the text has %zu bytes, at most %zu are read"), strlen(text), maximum);
        return DOC_E_INVALID;
    }
    if (!text_is_printable_utf8(text)) {
        doc_error(d, node, N_("the text holds a character that cannot be shown"));
        return DOC_E_INVALID;
    }
    copy = strdup(text);
    if (!copy)
        return -ENOMEM;
    *ret = copy;
    return 0;
}

int doc_get_choice(struct doc *d, const yaml_node_t *node, const struct doc_choice *choices, int *ret)
{
    const char *text = scalar_text(d, node, N_("one word"));
    char names[512] = "";
    size_t used = 0;

    if (!text)
        return DOC_E_INVALID;
    for (const struct doc_choice *c = choices; c->name; c++) {
        if (text_equal(c->name, text)) {
            if (c->value == DOC_CHOICE_LATER) {
                doc_tell_later(d, node, text);
                return DOC_E_INVALID;
            }
            *ret = c->value;
            return 0;
        }
        if (c->value != DOC_CHOICE_LATER && used + strlen(c->name) + 3 < sizeof(names))
            used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s", used > 0 ? ", " : "", c->name);
    }
    if (is_null(node)) {
        doc_error(d, node, N_("the value is missing, one of: %s"), names);
        return DOC_E_INVALID;
    }
    doc_error(d, node, N_("'%s' is none of: %s"), text, names);
    doc_hint_near(d, text, choices);
    return DOC_E_INVALID;
}

static int get_bool(struct doc *d, const yaml_node_t *node, bool *ret)
{
    const char *text = plain_text(d, node, N_("true or false"));

    if (!text)
        return DOC_E_INVALID;
    if (!text_equal(text, "true") && !text_equal(text, "false")) {
        doc_error(d, node, N_("true or false expected, found '%s'"), text);
        return DOC_E_INVALID;
    }
    *ret = text_equal(text, "true");
    return 0;
}

static int get_number(struct doc *d, const yaml_node_t *node, uint64_t minimum, uint64_t maximum, uint64_t *ret)
{
    const char *text = plain_text(d, node, N_("a number"));
    uint64_t value = 0;
    int r;

    if (!text)
        return DOC_E_INVALID;
    if (maximum == 0)
        maximum = INT64_MAX; /* what JSON readers and SQLite can hold */
    r = text_to_u64(text, maximum, &value);
    if (r == -EINVAL || (text[0] == '0' && text[1])) { /* 010 is eight to other readers of YAML */
        doc_error(d, node, N_("a number expected, found '%s'"), text);
        return DOC_E_INVALID;
    }
    if (r < 0 || value < minimum) {
        doc_error(d, node, N_("%s is out of range: %llu to %llu"), text, (unsigned long long)minimum,
                  (unsigned long long)maximum);
        return DOC_E_INVALID;
    }
    *ret = value;
    return 0;
}

static int get_size(struct doc *d, const yaml_node_t *node, const struct doc_field *f, uint64_t *ret)
{
    const char *text = scalar_text(d, node, N_("a size"));
    uint64_t value = 0;

    if (!text)
        return DOC_E_INVALID;
    if (text_to_size(text, &value) < 0) {
        doc_error(d, node, N_("a size expected, found '%s'"), text);
        doc_hint(d, N_("a number of bytes with K, M, G or T: 512, 100M, 64G"));
        return DOC_E_INVALID;
    }
    if (value < f->minimum || (f->maximum > 0 && value > f->maximum)) {
        doc_error(d, node, N_("%s is out of range: %llu to %llu bytes"), text, (unsigned long long)f->minimum,
                  (unsigned long long)(f->maximum > 0 ? f->maximum : UINT64_MAX));
        return DOC_E_INVALID;
    }
    *ret = value;
    return 0;
}

/* The last microsecond of the local day that starts at start_us; a day has 23 or 25 hours where clocks are changed. */
static int end_of_day(int64_t start_us, int64_t *ret)
{
    time_t start = (time_t)(start_us / 1000000), next;
    struct tm tm;

    if (!localtime_r(&start, &tm))
        return -EINVAL;
    tm.tm_mday++;
    tm.tm_isdst = -1;
    next = mktime(&tm);
    if (next <= start)
        return -EINVAL;
    *ret = (int64_t)next * 1000000 - 1;
    return 0;
}

static int get_time(struct doc *d, const yaml_node_t *node, bool end, int64_t *ret)
{
    const char *text = scalar_text(d, node, N_("a date"));
    int64_t at = 0;
    int r;

    if (!text)
        return DOC_E_INVALID;
    r = clock_parse_rfc3339(text, &at);
    if (r == 0 && end && !strpbrk(text, "Tt "))
        r = end_of_day(at, &at);
    if (r < 0) {
        doc_error(d, node, N_("a date expected, found '%s'"), text);
        doc_hint(d, N_("write 2027-03-31 or 2027-03-31T23:59:59+09:00"));
        return DOC_E_INVALID;
    }
    if (at <= 0) {
        doc_error(d, node, N_("the date '%s' is too early"), text);
        return DOC_E_INVALID;
    }
    *ret = at;
    return 0;
}

static int load_number(struct doc *d, const yaml_node_t *node, const struct doc_field *f, void *target)
{
    uint64_t value = 0, maximum = f->maximum;
    int r;

    if (f->type == DOC_UNSIGNED && (maximum == 0 || maximum > UINT_MAX))
        maximum = UINT_MAX;
    r = get_number(d, node, f->minimum, maximum, &value);
    if (r != 0)
        return r;
    if (f->type == DOC_UNSIGNED)
        *(unsigned *)target = (unsigned)value;
    else
        *(uint64_t *)target = value;
    return 0;
}

static int load_choice(struct doc *d, const yaml_node_t *node, const struct doc_field *f, void *target)
{
    int value = 0, r = doc_get_choice(d, node, f->choices, &value);

    /* C enums with non-negative constants are unsigned int to both compilers, of the size of an int. */
    if (r == 0)
        memcpy(target, &value, sizeof(value));
    return r;
}

int doc_load_scalar(struct doc *d, const yaml_node_t *node, const struct doc_field *f, void *target)
{
    int r = 0;

    switch (f->type) {
    case DOC_STRING:
        doc_clear_string(target);
        r = doc_get_string(d, node, (size_t)f->maximum, target);
        break;
    case DOC_BOOL:
        r = get_bool(d, node, target);
        break;
    case DOC_U64:
    case DOC_UNSIGNED:
        r = load_number(d, node, f, target);
        break;
    case DOC_SIZE:
        r = get_size(d, node, f, target);
        break;
    case DOC_ENUM:
        r = load_choice(d, node, f, target);
        break;
    case DOC_TIME:
    case DOC_TIME_END:
        r = get_time(d, node, f->type == DOC_TIME_END, target);
        break;
    case DOC_FORMAT: /* checked before anything else was read */
    case DOC_STRINGS:
    case DOC_MAP:
    case DOC_LIST:
    case DOC_CUSTOM:
    case DOC_LATER:
        break;
    }
    return r < 0 ? r : 0; /* what is wrong with the value has been told */
}

static void free_strings(char **items, size_t n)
{
    for (size_t i = 0; items && i < n; i++)
        free(items[i]);
    free(items);
}

static int compare_strings(const void *a, const void *b)
{
    return strcmp(*(char *const *)a, *(char *const *)b);
}

/* Sorted copies of pointers: a list may hold thousands of serials. */
static int check_different(struct doc *d, const yaml_node_t *node, char **items, size_t n)
{
    _cleanup_free_ char **sorted = calloc(n > 0 ? n : 1, sizeof(*sorted));

    if (!sorted)
        return -ENOMEM;
    memcpy(sorted, items, n * sizeof(*sorted));
    qsort(sorted, n, sizeof(*sorted), compare_strings);
    for (size_t i = 1; i < n; i++) {
        size_t at = n;

        if (strcmp(sorted[i - 1], sorted[i]) != 0)
            continue;
        while (at-- > 0 && strcmp(items[at], sorted[i]) != 0)
            ;
        doc_error(d, doc_item(d, node, at), N_("'%s' is listed twice"), sorted[i]);
        return DOC_E_INVALID;
    }
    return 0;
}

static int read_strings(struct doc *d, const yaml_node_t *node, size_t maximum, char **items, size_t n)
{
    int r = 0;

    if (doc_kind(node) == DOC_IS_SCALAR)
        return doc_get_string(d, node, maximum, &items[0]);
    for (size_t i = 0; i < n; i++) {
        int one = doc_get_string(d, doc_item(d, node, i), maximum, &items[i]);

        if (one < 0 || doc_stops(d))
            return one < 0 ? one : DOC_E_INVALID;
        if (one > 0)
            r = one;
    }
    return r == 0 ? check_different(d, node, items, n) : r;
}

int doc_get_strings(struct doc *d, const yaml_node_t *node, size_t maximum, char ***ret, size_t *ret_n)
{
    size_t n = doc_kind(node) == DOC_IS_SCALAR ? 1 : doc_count(node);
    char **items;
    int r;

    if (doc_kind(node) == DOC_IS_MAP || n == 0 || n > STRINGS_MAX) {
        if (doc_kind(node) == DOC_IS_MAP)
            doc_error(d, node, N_("%s expected, found a map"), doc_translate(d, N_("text or a list")));
        else if (n == 0)
            doc_error(d, node, N_("the list is empty"));
        else
            doc_error(d, node, N_("the list has %zu entries, at most %d are read"), n, STRINGS_MAX);
        return DOC_E_INVALID;
    }
    items = calloc(n, sizeof(*items));
    if (!items)
        return -ENOMEM;
    r = read_strings(d, node, maximum, items, n);
    if (r != 0) {
        free_strings(items, n);
        return r;
    }
    *ret = items;
    *ret_n = n;
    return 0;
}

int doc_load_strings(struct doc *d, const yaml_node_t *node, const struct doc_field *f, void *object)
{
    char **items = NULL;
    size_t n = 0;
    int r = doc_get_strings(d, node, 0, &items, &n);

    if (r != 0)
        return r < 0 ? r : 0;
    if (f->maximum > 0 && n > f->maximum) {
        doc_error(d, node, N_("'%s' has %zu entries, at most %zu are read"), f->key, n, (size_t)f->maximum);
        free_strings(items, n);
        return 0;
    }
    doc_clear_strings(f, object);
    memcpy((char *)object + f->offset, &items, sizeof(items));
    memcpy((char *)object + f->count, &n, sizeof(n));
    return 0;
}

void doc_clear_string(void *target)
{
    char *text;

    memcpy(&text, target, sizeof(text));
    free(text);
    memset(target, 0, sizeof(text));
}

void doc_clear_strings(const struct doc_field *f, void *object)
{
    char **items;
    size_t n;

    memcpy(&items, (char *)object + f->offset, sizeof(items));
    memcpy(&n, (char *)object + f->count, sizeof(n));
    free_strings(items, n);
    memset((char *)object + f->offset, 0, sizeof(items));
    memset((char *)object + f->count, 0, sizeof(n));
}
