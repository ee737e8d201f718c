/* Expectations: what is read, what is refused and where, and that each case has its own moment and person. */
#include "test.h"

#include <string.h>

#include "policy/cases.h"
#include "policy/findings.h"

#define HEAD "format: kuraban-policy-cases/1\n"
#define USB "usb: {device: \"0781:5583\", interfaces: [\"08:06:50\"]}"
#define AT "at: 2026-11-24T10:00:00+09:00"

static struct policy_cases *load(const char *text)
{
    struct policy_findings findings = {0};
    struct policy_cases *c = NULL;

    if (policy_cases_load((const uint8_t *)text, strlen(text), &findings, &c) != 0) {
        policy_findings_print(&findings, stderr, "cases.yaml", (const uint8_t *)text, strlen(text));
        fail_msg("does not load");
    }
    policy_findings_done(&findings);
    return c;
}

static void test_inherited(void **state)
{
    struct policy_cases *c = load(HEAD "timezone: Asia/Tokyo\n" AT "\nuser: tanaka\ngroups: [tax, all]\ncases:\n"
                                       "  - {name: a, " USB ", expect: {verdict: deny}}\n"
                                       "  - {name: b, at: 2026-11-24T00:00:01Z, user: suzuki, " USB
                                       ", expect: {reason: who, rule: x, granted: read}}\n"
                                       "  - {name: c, groups: [welfare], " USB ", expect: {verdict: would-refuse}}\n");

    (void)state;
    assert_int_equal(c->n, 3);
    assert_string_equal(c->timezone, "Asia/Tokyo");
    assert_int_equal(c->items[0].wall_us, INT64_C(1795482000000000));
    assert_string_equal(c->items[0].user, "tanaka");
    assert_int_equal(c->items[0].groups.n, 2);
    assert_string_equal(c->items[0].groups.items[1], "all");
    assert_int_equal(c->items[0].expect.verdict, POLICY_EXPECT_DENY);
    assert_int_equal(c->items[0].at.line, 7);
    /* A person of one's own replaces the whole person. */
    assert_int_equal(c->items[1].wall_us, INT64_C(1795478401000000));
    assert_string_equal(c->items[1].user, "suzuki");
    assert_int_equal(c->items[1].groups.n, 0);
    assert_int_equal(c->items[1].expect.verdict, POLICY_EXPECT_ANY);
    assert_string_equal(c->items[1].expect.granted, "read");
    assert_int_equal(c->items[1].expect.rule_at.line, 8);
    assert_true(c->items[1].expect.rule_at.column > c->items[1].expect.reason_at.column);
    assert_null(c->items[2].user);
    assert_string_equal(c->items[2].groups.items[0], "welfare");
    policy_cases_free(c);
}

static void test_refused(void **state)
{
    static const struct {
        const char *text;
        unsigned line;
        const char *message;
    } documents[] = {
        {"format: kuraban-policy/1\ncases: []\n", 1, "kuraban-policy-cases/1"},
        {HEAD, 1, "cases"},
        {HEAD "cases: []\n", 2, "no cases"},
        {HEAD "cases:\n  - {name: x, " USB ", expect: {verdict: deny}}\n", 3, "no moment"},
        {HEAD "at: 2026-11-24\ncases:\n  - {name: x, " USB ", expect: {verdict: deny}}\n", 2, "offset"},
        {HEAD AT "\ncases:\n  - {name: x, expect: {verdict: deny}}\n", 4, "about nothing"},
        {HEAD AT "\ncases:\n  - {name: x, " USB "}\n", 4, "expect"},
        {HEAD AT "\ncases:\n  - {name: x, " USB ", expect: {}}\n", 4, "nothing is expected"},
        {HEAD AT "\ncases:\n  - {name: x, " USB ", expect: {verdict: denied}}\n", 4, "'denied' is none of"},
        {HEAD AT "\ncases:\n  - {name: x, " USB ", expect: {reason: hours}}\n", 4, "'hours' is none of"},
        {HEAD AT "\ncases:\n  - {name: x, " USB ", expect: {verdict: deny}, expct: 1}\n", 4, "expct"},
        {HEAD AT "\ncases:\n  - {name: x, usb: {device: \"0781:*\", interfaces: [\"08:06:50\"]}, expect: {rule: a}}\n",
         4, "without *"},
        {HEAD AT "\ncases:\n  - {name: x, usb: {device: \"0781:5583\", interfaces: [\"08:*:*\"]}, expect: {rule: a}}\n",
         4, "without *"},
        {HEAD AT "\ncases:\n  - {name: x, usb: {device: \"0781:5583\", interfaces: {one-of: [\"08:06:50\"]}}, expect: "
                 "{rule: a}}\n",
         4, "plain list"},
        {HEAD AT "\ncases:\n  - {name: x, usb: {device: \"0781:5583\"}, expect: {rule: a}}\n", 4, "interfaces"},
        {HEAD AT "\ncases:\n  - {name: x, medium: {label: a}, expect: {rule: a}}\n", 4, "'bus' is missing"},
        {HEAD AT "\ncases:\n  - {name: x, medium: {bus: usb}, expect: {rule: a}}\n", 4, "belongs to a device"},
        {HEAD AT "\ncases:\n  - {name: x, " USB ", medium: {bus: mmc}, expect: {rule: a}}\n", 4, "on the bus usb"},
        {HEAD AT "\ncases:\n  - {name: x, " USB ", open: {path: /a}, expect: {rule: a}}\n", 4, "lies on a medium"},
        {HEAD AT "\ncases:\n  - {name: x, open: {program: /a}, expect: {rule: a}}\n", 4, "'path' is missing"},
        {HEAD AT "\ncases:\n  - {name: x, open: {path: a}, expect: {rule: a}}\n", 4, "absolute path"},
        {HEAD AT "\ncases:\n  - {name: x, " USB ", mount: {kind: fuse, type: fuse.x}, expect: {rule: a}}\n", 4,
         "stands alone"},
        {HEAD "timezone: ../../etc/passwd\n" AT "\ncases:\n  - {name: x, " USB ", expect: {rule: a}}\n", 2,
         "no time zone"},
        {HEAD "timezone: /etc/passwd\n" AT "\ncases:\n  - {name: x, " USB ", expect: {rule: a}}\n", 2, "no time zone"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(documents) / sizeof(documents[0]); i++) {
        struct policy_findings findings = {0};
        struct policy_cases *c = NULL;
        const char *text = documents[i].text;

        assert_int_equal(policy_cases_load((const uint8_t *)text, strlen(text), &findings, &c), POLICY_E_INVALID);
        assert_null(c);
        if (!strstr(findings.items[0].message, documents[i].message) || findings.items[0].at.line != documents[i].line)
            fail_msg("%zu: line %u: %s", i, findings.items[0].at.line, findings.items[0].message);
        policy_findings_done(&findings);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_inherited),
        cmocka_unit_test(test_refused),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
