/* The table-driven reader with tables of its own: each type, defaults, nesting, limits. */
#include "test.h"

#include <string.h>

#include "base/cleanup.h"
#include "policy/doc.h"

enum color {
    RED = 0,
    GREEN = 7
};

struct part {
    char *name;
    uint64_t size;
};

struct thing {
    char *name;
    bool on;
    uint64_t number;
    unsigned small;
    uint64_t size;
    enum color color;
    int64_t from, until;
    char **words;
    size_t n_words;
    struct part inner;
    struct part *parts;
    size_t n_parts;
    int custom;
    int guard; /* stays as it is */
};

static const struct doc_choice colors[] = {{"red", RED}, {"green", GREEN}, {NULL, 0}};
static const struct doc_field part_fields[] = {
    {.key = "name", .type = DOC_STRING, .required = true, DOC_AT(struct part, name), .maximum = 8},
    {.key = "size", .type = DOC_SIZE, DOC_AT(struct part, size), .maximum = 1024 * 1024},
};

static int begin_part(struct doc *d, const struct yaml_node_s *node, void *object)
{
    (void)d;
    (void)node;
    ((struct part *)object)->size = 99;
    return 0;
}

static int end_part(struct doc *d, const struct yaml_node_s *node, void *object)
{
    if (strcmp(((struct part *)object)->name, "bad") == 0)
        doc_error(d, node, "bad part");
    return 0;
}

static const struct doc_schema part_schema = {
    .what = "a part", .fields = part_fields, .n = ELEMENTS(part_fields), .begin = begin_part, .end = end_part};

static int load_custom(struct doc *d, const struct yaml_node_s *node, const struct doc_field *f, void *target)
{
    (void)f;
    if (doc_kind(node) != DOC_IS_LIST)
        doc_error(d, node, "list please");
    *(int *)target = (int)doc_count(node);
    return 0;
}

static const struct doc_field thing_fields[] = {
    {.key = "format", .type = DOC_FORMAT, .required = true, .constant = "thing/1"},
    {.key = "name", .alias = "title", .type = DOC_STRING, DOC_AT(struct thing, name)},
    {.key = "on", .type = DOC_BOOL, DOC_AT(struct thing, on)},
    {.key = "number", .type = DOC_U64, DOC_AT(struct thing, number), .minimum = 5, .maximum = 10},
    {.key = "small", .type = DOC_UNSIGNED, DOC_AT(struct thing, small)},
    {.key = "size", .type = DOC_SIZE, DOC_AT(struct thing, size)},
    {.key = "color", .type = DOC_ENUM, DOC_AT(struct thing, color), .choices = colors},
    {.key = "from", .type = DOC_TIME, DOC_AT(struct thing, from)},
    {.key = "until", .type = DOC_TIME_END, DOC_AT(struct thing, until)},
    {.key = "words",
     .type = DOC_STRINGS,
     DOC_AT(struct thing, words),
     DOC_COUNT_AT(struct thing, n_words),
     .maximum = 3},
    {.key = "inner", .type = DOC_MAP, DOC_AT(struct thing, inner), .schema = &part_schema},
    {.key = "parts",
     .type = DOC_LIST,
     DOC_AT(struct thing, parts),
     DOC_COUNT_AT(struct thing, n_parts),
     .element = sizeof(struct part),
     .maximum = 2,
     .schema = &part_schema},
    {.key = "custom", .type = DOC_CUSTOM, DOC_AT(struct thing, custom), .load = load_custom},
    {.key = "future", .type = DOC_LATER},
};
static const struct doc_schema thing_schema = {.what = "a thing", .fields = thing_fields, .n = ELEMENTS(thing_fields)};

static int load(const char *body, struct thing *ret, struct policy_findings *findings)
{
    static const struct doc_limits limits = {.size = 4096};
    char text[2048];
    struct doc *d = NULL;
    int r;

    (void)snprintf(text, sizeof(text), "format: thing/1\n%s", body);
    r = doc_parse((const uint8_t *)text, strlen(text), &limits, findings, &d);
    if (r == 0)
        r = doc_load(d, doc_root(d), &thing_schema, ret);
    (void)doc_free(d);
    return r;
}

static void test_every_type(void **state)
{
    struct thing t = {.guard = 4711, .small = 3};
    struct policy_findings findings = {0};

    (void)state;
    assert_int_equal(load("title: \"x: y\"\non: true\nnumber: 7\nsize: 3K\ncolor: green\nfrom: 2026-01-01T00:00:00Z\n"
                          "until: 2026-01-01T00:00:00Z\nwords: [a, 0x1, null-ish]\ninner: {name: in}\n"
                          "parts: [{name: a, size: 1M}, {name: b}]\ncustom: [1, 2, 3]\n",
                          &t, &findings),
                     0);
    assert_int_equal(findings.n, 0);
    assert_string_equal(t.name, "x: y");
    assert_true(t.on);
    assert_int_equal(t.number, 7);
    assert_int_equal(t.small, 3); /* not written: as it was */
    assert_int_equal(t.size, 3072);
    assert_int_equal(t.color, GREEN);
    assert_true(t.from == INT64_C(1767225600000000) && t.until == t.from);
    assert_int_equal(t.n_words, 3);
    assert_string_equal(t.words[1], "0x1");
    assert_string_equal(t.inner.name, "in");
    assert_int_equal(t.inner.size, 99);
    assert_int_equal(t.n_parts, 2);
    assert_int_equal(t.parts[0].size, 1 << 20);
    assert_int_equal(t.parts[1].size, 99);
    assert_int_equal(t.custom, 3);
    assert_int_equal(t.guard, 4711);
    doc_clear(&thing_schema, &t);
    assert_null(t.name);
    assert_null(t.parts);
    assert_int_equal(t.n_words, 0);
    doc_clear(&thing_schema, &t);
}

static void test_messages(void **state)
{
    static const struct {
        const char *body, *message, *hint;
        unsigned line, column;
    } cases[] = {
        {"nmae: x", "unknown key 'nmae' in a thing", "did you mean 'name'?", 2, 1},
        {"zzz: x", "unknown key 'zzz' in a thing", NULL, 2, 1},
        {"name: x\ntitle: y", "'title' and 'name' are the same key", NULL, 3, 1},
        {"name: {a: b}", "text expected, found a map", NULL, 2, 7},
        {"name: ~", "the value is missing", NULL, 2, 7},
        {"on: yes", "true or false expected, found 'yes'", NULL, 2, 5},
        {"on: 'true'", "true or false expected, found text in quotes", NULL, 2, 5},
        {"number: 4", "4 is out of range: 5 to 10", NULL, 2, 9},
        {"number: 11", "11 is out of range: 5 to 10", NULL, 2, 9},
        {"number: 7.0", "a number expected, found '7.0'", NULL, 2, 9},
        {"small: 4294967296", "4294967296 is out of range: 0 to 4294967295", NULL, 2, 8},
        {"color: gren", "'gren' is none of: red, green", "did you mean 'green'?", 2, 8},
        {"words: [a, b, c, d]", "'words' has 4 entries, at most 3 are read", NULL, 2, 8},
        {"words: [a, [b]]", "text expected, found a list", NULL, 2, 12},
        {"inner: {size: 1}", "a part needs the key 'name'", NULL, 2, 8},
        {"inner: {name: longlonglong}", "the text has 12 bytes, at most 8 are read", NULL, 2, 15},
        {"inner: {name: bad}", "bad part", NULL, 2, 8},
        {"inner: {name: a, size: 2M}", "2M is out of range: 0 to 1048576 bytes", NULL, 2, 24},
        {"parts: [{name: a}, {name: b}, {name: c}]", "'parts' has 3 entries, at most 2 are read", NULL, 2, 8},
        {"custom: x", "list please", NULL, 2, 9},
        {"future: {a: b}", "'future' is not yet enforced by this version",
         "remove it: what is not enforced must not look as if it were", 2, 1},
    };

    (void)state;
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        struct thing t = {0};
        struct policy_findings findings = {0};

        assert_int_equal(load(cases[i].body, &t, &findings), DOC_E_INVALID);
        assert_int_equal(findings.n, 1);
        assert_string_equal(findings.items[0].message, cases[i].message);
        assert_int_equal(findings.items[0].at.line, cases[i].line);
        assert_int_equal(findings.items[0].at.column, cases[i].column);
        if (cases[i].hint)
            assert_string_equal(findings.items[0].hint, cases[i].hint);
        else
            assert_null(findings.items[0].hint);
        policy_findings_done(&findings);
        doc_clear(&thing_schema, &t);
    }
}

static int parse(const char *text, const struct doc_limits *limits)
{
    struct policy_findings findings = {0};
    struct doc *d = NULL;
    int r = doc_parse((const uint8_t *)text, strlen(text), limits, &findings, &d);

    assert_int_equal(r == 0, d != NULL);
    (void)doc_free(d);
    policy_findings_done(&findings);
    return r;
}

static void test_limits(void **state)
{
    const struct doc_limits size = {.size = 8}, depth = {.size = 64, .depth = 3}, nodes = {.size = 64, .nodes = 4};

    (void)state;
    assert_int_equal(parse("a: 45678", &size), 0);
    assert_int_equal(parse("a: 456789", &size), DOC_E_INVALID);
    assert_int_equal(parse("[[[x]]]", &depth), 0);
    assert_int_equal(parse("[[[[x]]]]", &depth), DOC_E_INVALID);
    assert_int_equal(parse("[[[x]], [[y]]]", &depth), 0); /* depth, not number of lists */
    assert_int_equal(parse("[1, 2, 3]", &nodes), 0);
    assert_int_equal(parse("[1, 2, 3, 4]", &nodes), DOC_E_INVALID);
    assert_null(doc_free(NULL));
}

/* Findings of an earlier document do not fail a good one. */
static void test_findings_are_shared(void **state)
{
    struct policy_findings findings = {0};
    struct thing t = {0};

    (void)state;
    policy_findings_add(&findings, POLICY_ERROR, (struct policy_position){1, 1}, "earlier");
    assert_int_equal(load("name: x\ninner: {name: y}", &t, &findings), 0);
    assert_string_equal(t.inner.name, "y");
    doc_clear(&thing_schema, &t);
    policy_findings_done(&findings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_type),
        cmocka_unit_test(test_messages),
        cmocka_unit_test(test_limits),
        cmocka_unit_test(test_findings_are_shared),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
