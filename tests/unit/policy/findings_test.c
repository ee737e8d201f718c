/* How findings are kept and shown. */
#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "policy/findings.h"

static void test_source_lines(void **state)
{
    static const struct {
        const char *source;
        struct policy_position at;
        int result;
        const char *line, *caret;
    } cases[] = {
        {"a: b\nc: d\n", {1, 1}, 0, "a: b", "^"},
        {"a: b\nc: d\n", {2, 4}, 0, "c: d", "   ^"},
        {"a: b", {1, 4}, 0, "a: b", "   ^"},
        {"a: b", {1, 99}, 0, "a: b", "    ^"}, /* past the end: behind the last one */
        {"a: b\r\n", {1, 1}, 0, "a: b", "^"},
        {"a:\tb\n", {1, 4}, 0, "a: b", "   ^"},                   /* a tab is one blank in both lines */
        {"名前: 課税課\n", {1, 5}, 0, "名前: 課税課", "      ^"}, /* two columns each, then ": " */
        {"\xc3\xa4: b\n", {1, 4}, 0, "\xc3\xa4: b", "   ^"},
        {"x\x1b[2Jy\n", {1, 1}, 0, "x [2Jy", "^"},
        {"x\xff\n", {1, 1}, 0, "x\\xff", "^"},
        {"a: b\n", {2, 1}, -2, NULL, NULL},
        {"a: b\n", {3, 1}, -2, NULL, NULL},
        {"a: b\n", {0, 0}, -2, NULL, NULL},
        {"", {1, 1}, -2, NULL, NULL},
    };

    (void)state;
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        _cleanup_free_ char *line = NULL, *caret = NULL;

        assert_int_equal(
            policy_source_line((const uint8_t *)cases[i].source, strlen(cases[i].source), cases[i].at, &line, &caret),
            cases[i].result);
        if (cases[i].result != 0)
            continue;
        assert_string_equal(line, cases[i].line);
        assert_string_equal(caret, cases[i].caret);
    }
}

static const char *translate(const char *message)
{
    if (strcmp(message, "unknown key '%s' in %s") == 0)
        return "%2$s に不明なキー「%1$s」";
    return strcmp(message, "warning: ") == 0 ? "警告: " : message;
}

static void test_printing(void **state)
{
    static const char source[] = "one: 1\ntwo: 2\n";
    struct policy_findings findings = {.translate = translate};
    _cleanup_free_ char *seen = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&seen, &size);

    (void)state;
    policy_findings_hint(&findings, "a hint without a finding is dropped");
    policy_findings_add(&findings, POLICY_WARNING, (struct policy_position){2, 1}, "odd");
    policy_findings_add(&findings, POLICY_ERROR, (struct policy_position){1, 6}, "unknown key '%s' in %s", "k", "t");
    policy_findings_hint(&findings, "try %s", "that");
    policy_findings_hint(&findings, "the first hint stays");
    policy_findings_add(&findings, POLICY_ERROR, (struct policy_position){0, 0}, "evil \x1b[2J name");
    policy_findings_sort(&findings);
    policy_findings_print(&findings, out, "p.yaml", (const uint8_t *)source, sizeof(source) - 1);
    assert_int_equal(fclose(out), 0);
    assert_string_equal(seen, "p.yaml:0:0: evil \\x1b[2J name\n"
                              "p.yaml:1:6: t に不明なキー「k」\n    one: 1\n         ^\n    try that\n"
                              "p.yaml:2:1: 警告: odd\n    two: 2\n    ^\n");
    assert_int_equal(findings.n_errors, 2);
    policy_findings_done(&findings);
    assert_ptr_equal(findings.translate, translate);
    assert_int_equal(findings.n, 0);
}

static void test_bounded(void **state)
{
    struct policy_findings findings = {0};

    (void)state;
    for (int i = 0; i < POLICY_FINDINGS_MAX; i++) {
        assert_false(policy_findings_full(&findings));
        policy_findings_add(&findings, POLICY_ERROR, (struct policy_position){1, 1}, "%d", i);
    }
    assert_true(policy_findings_full(&findings));
    policy_findings_add(&findings, POLICY_ERROR, (struct policy_position){1, 1}, "one too many");
    assert_int_equal(findings.n, POLICY_FINDINGS_MAX);
    assert_int_equal(findings.n_errors, POLICY_FINDINGS_MAX + 1);
    policy_findings_done(&findings);
    policy_findings_add(NULL, POLICY_ERROR, (struct policy_position){1, 1}, "nobody listens");
    assert_false(policy_findings_full(NULL));
}

/* Warnings make room for errors, and never give up a document. */
static void test_errors_before_warnings(void **state)
{
    struct policy_findings findings = {0};

    (void)state;
    for (int i = 0; i < POLICY_FINDINGS_MAX + 5; i++) {
        policy_findings_add(&findings, POLICY_WARNING, (struct policy_position){1, 1}, "warning %d", i);
        policy_findings_hint(&findings, "hint %d", i);
    }
    assert_true(policy_findings_full(&findings));
    assert_false(policy_findings_hopeless(&findings));
    assert_string_equal(findings.items[POLICY_FINDINGS_MAX - 1].hint, "hint 99"); /* not that of one that was dropped */
    for (int i = 0; i < POLICY_FINDINGS_MAX + 5; i++) {
        policy_findings_add(&findings, POLICY_ERROR, (struct policy_position){2, 1}, "error %d", i);
        assert_true(policy_findings_hopeless(&findings));
    }
    assert_int_equal(findings.n, POLICY_FINDINGS_MAX);
    assert_int_equal(findings.n_errors, POLICY_FINDINGS_MAX + 5);
    for (int i = 0; i < POLICY_FINDINGS_MAX; i++) {
        assert_int_equal(findings.items[i].severity, POLICY_ERROR);
        assert_null(findings.items[i].hint);
    }
    policy_findings_done(&findings);
    assert_false(policy_findings_hopeless(NULL));
}

/* Within one position the order of discovery stays. */
static void test_sorting(void **state)
{
    static const struct policy_position at[] = {{3, 1}, {1, 9}, {1, 2}, {1, 9}, {2, 1}};
    static const char *const order[] = {"2", "1", "3", "4", "0"};
    struct policy_findings findings = {0};

    (void)state;
    for (int i = 0; i < 5; i++)
        policy_findings_add(&findings, POLICY_ERROR, at[i], "%d", i);
    policy_findings_sort(&findings);
    for (int i = 0; i < 5; i++)
        assert_string_equal(findings.items[i].message, order[i]);
    policy_findings_done(&findings);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_source_lines),           cmocka_unit_test(test_printing), cmocka_unit_test(test_bounded),
        cmocka_unit_test(test_errors_before_warnings), cmocka_unit_test(test_sorting),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
