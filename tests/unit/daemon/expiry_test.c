/* Ends of policy, head and root under a clock that goes on, stands still and jumps: told once for each end, near in time before it. */
#include "unit/daemon/signed_fixture.h"

#include "daemon/expiry.h"

#define UNTIL (SIGNED_NOW_US + 100 * SIGNED_DAY_US)

static const struct expiry end = {.until_us = UNTIL, .soon_us = UNTIL - 30 * SIGNED_DAY_US};

static void test_near_and_over(void **state)
{
    static const struct {
        int64_t now;
        bool soon, over;
    } cases[] = {
        {SIGNED_NOW_US, false, false},
        {UNTIL - 30 * SIGNED_DAY_US, false, false},
        {UNTIL - 30 * SIGNED_DAY_US + 1, true, false},
        {UNTIL, true, false}, /* "until" is the last moment */
        {UNTIL + 1, false, true},
        {INT64_MAX, false, true},
        {0, false, false},
        {-1, false, false}, /* a clock without a battery */
    };
    static const struct expiry never = {0};

    (void)state;
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        assert_int_equal(expiry_is_soon(&end, cases[i].now), cases[i].soon);
        assert_int_equal(expiry_is_over(&end, cases[i].now), cases[i].over);
        assert_false(expiry_is_soon(&never, cases[i].now));
        assert_false(expiry_is_over(&never, cases[i].now));
    }
}

static void test_told_once(void **state)
{
    const struct expiry newer = {.until_us = UNTIL + SIGNED_DAY_US, .soon_us = UNTIL};
    int64_t told = 0;

    (void)state;
    assert_false(expiry_is_news(&end, UNTIL, &told));
    assert_true(expiry_is_news(&end, UNTIL + 1, &told));
    assert_false(expiry_is_news(&end, UNTIL + 1, &told)); /* each tick */
    assert_false(expiry_is_news(&end, UNTIL + 1000 * SIGNED_DAY_US, &told));
    assert_false(expiry_is_news(&end, SIGNED_NOW_US, &told)); /* set back … */
    assert_false(expiry_is_news(&end, UNTIL + 1, &told));     /* … and forward again */
    assert_false(expiry_is_news(&newer, UNTIL + 1, &told));   /* another document */
    assert_true(expiry_is_news(&newer, UNTIL + 2 * SIGNED_DAY_US, &told));
    assert_false(expiry_is_news(&newer, UNTIL + 2 * SIGNED_DAY_US, &told));
}

/* What is read of a rulebook: nothing, an unsigned policy, a root and a signed one. */
static void test_ends_of_a_rulebook(void **state)
{
    const struct signed_place *p = *state;
    struct expiry ends[EXPIRY_COUNT_];
    struct rulebook *b;
    int64_t policy_until;

    signed_write_file(p, 1);
    b = signed_open(p, 0);
    expiry_read(b, ends);
    for (int i = 0; i < EXPIRY_COUNT_; i++)
        assert_int_equal(ends[i].until_us, 0);
    assert_int_equal(signed_install(b, p), 0);
    expiry_read(b, ends);
    assert_int_equal(ends[EXPIRY_ROOT].until_us, SIGNED_NOW_US + 365 * SIGNED_DAY_US);
    assert_int_equal(ends[EXPIRY_ROOT].soon_us, SIGNED_NOW_US + 335 * SIGNED_DAY_US);
    assert_int_equal(ends[EXPIRY_POLICY].until_us, 0);
    assert_int_equal(signed_apply(b, p, 2, "valid: {until: 2027-03-31T23:59:59+09:00}\n"), 0);
    expiry_read(b, ends);
    policy_until = ends[EXPIRY_POLICY].until_us;
    assert_int_equal(policy_until / 1000000, 1806505199);
    assert_int_equal(ends[EXPIRY_HEAD].until_us, 0);
    /* Over, and still what rules, before and after a start; nothing that is over comes in new. */
    assert_true(expiry_is_over(&ends[EXPIRY_POLICY], policy_until + SIGNED_DAY_US));
    (void)rulebook_free(b);
    b = signed_open_at(p, policy_until + 400 * SIGNED_DAY_US);
    assert_int_equal(rulebook_source(b), RULEBOOK_SIGNED);
    assert_int_equal(rulebook_policy(b)->version, 2);
    assert_int_equal(
        signed_apply_at(b, p, 3, "valid: {until: 2027-03-31T23:59:59+09:00}\n", policy_until + SIGNED_DAY_US),
        TRUST_E_EXPIRED);
    assert_int_equal(signed_apply_at(b, p, 3, "", SIGNED_NOW_US + 400 * SIGNED_DAY_US), TRUST_E_ROOT_EXPIRED);
    assert_int_equal(rulebook_policy(b)->version, 2);
    (void)rulebook_free(b);
    /* A clock that lost its battery, before everything there is: what ruled rules. */
    b = signed_open_at(p, 0);
    assert_int_equal(rulebook_source(b), RULEBOOK_SIGNED);
    assert_int_equal(rulebook_policy(b)->version, 2);
    (void)rulebook_free(b);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_near_and_over),
        cmocka_unit_test(test_told_once),
        cmocka_unit_test_setup_teardown(test_ends_of_a_rulebook, signed_setup, signed_teardown),
    };

    if (geteuid() != 0) {
        (void)printf("SKIP: needs root, whose file the policy must be\n");
        return 77;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
