/*
 * What people see of a document and what the parser takes from it are the same: where libyaml ends a line and an editor does not, or a
 * character moves what follows to another place, a rule looks like a comment, and two people sign it.
 */
#include "test.h"

#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "policy/findings.h"
#include "policy/policy.h"

#define BEFORE                                                                                                         \
    "format: kuraban-policy/1\norganization: city.example\nname: test\nversion: 1\n"                                   \
    "usb:\n  - {id: a, refuse: true} # the rest stays out"
#define AFTER "  - {id: b, allow: use}\n"

static const struct {
    const char *between;
    size_t rules; /* 0: refused */
} cases[] = {
    {"\n", 2},
    {"\r\n", 2},
    {" \t\n", 2},
    {" \xe8\xaa\xb2\n", 2},
    {"", 1},
    {"\r", 0},
    {"\r\r\n", 0},
    {"\xc2\x85", 0},       /* next line */
    {"\xe2\x80\xa8", 0},   /* line separator */
    {"\xe2\x80\xa9", 0},   /* paragraph separator */
    {"\xe2\x80\xae\n", 0}, /* right to left override */
    {"\xe2\x81\xa6\n", 0}, /* left to right isolate */
    {"\xe2\x80\x8f\n", 0}, /* right to left mark */
    {"\xd8\x9c\n", 0},     /* Arabic letter mark */
};

static void test_what_hides_a_rule_is_refused(void **state)
{
    (void)state;
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        struct policy_findings findings = {0};
        struct policy *p = NULL;
        char text[256];
        int n = snprintf(text, sizeof(text), BEFORE "%s" AFTER, cases[i].between),
            r = policy_load("test.yaml", (const uint8_t *)text, (size_t)n, &findings, &p);

        assert_int_equal(r, cases[i].rules > 0 ? 0 : POLICY_E_INVALID);
        assert_int_equal(p ? p->n_usb : 0, cases[i].rules);
        assert_int_equal(findings.n_errors > 0, cases[i].rules == 0);
        (void)policy_unref(p);
        policy_findings_done(&findings);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_what_hides_a_rule_is_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
