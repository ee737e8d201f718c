/* One attempt after the other: window, one use, waits, locks, the clock, skew, recovery codes. */
#include "unit/mfa/fixture.h"

static void test_right_once(void **state)
{
    struct fixture *f = *state;
    struct mfa_result r;

    enrol(f, TANAKA, "tanaka");
    assert_int_equal(verify(f, code_at(f, 0), &r), MFA_ACCEPTED);
    assert_int_equal(r.failures, 0);
    assert_string_equal(r.name, "tanaka");
    assert_int_equal(r.recovery_left, 10);
    assert_int_equal(verify(f, code_at(f, 0), &r), MFA_USED);
    assert_int_equal(r.failures, 1);
    pass(f, 30);
    assert_int_equal(verify(f, code_at(f, 0), &r), MFA_ACCEPTED);
    assert_int_equal(failures(f), 0);
}

static void test_window(void **state)
{
    struct fixture *f = *state;

    bring(f, TANAKA, "tanaka");
    pass(f, 600);
    assert_int_equal(verify(f, code_at(f, -2), NULL), MFA_WRONG);
    assert_int_equal(verify(f, code_at(f, 2), NULL), MFA_WRONG);
    assert_int_equal(verify(f, code_at(f, -1), NULL), MFA_ACCEPTED);
    assert_int_equal(verify(f, code_at(f, 1), NULL), MFA_ACCEPTED);
    /* The highest step counts: what lies before it is used, shown or not. */
    assert_int_equal(verify(f, code_at(f, 0), NULL), MFA_USED);
    pass(f, 30);
    assert_int_equal(verify(f, code_at(f, 0), NULL), MFA_USED);
    pass(f, 60); /* the one between was shown too early */
    assert_int_equal(verify(f, code_at(f, 0), NULL), MFA_ACCEPTED);
}

static void test_window_zero_and_two(void **state)
{
    struct fixture *f = *state;
    struct mfa_limits l = usual_limits;

    bring(f, TANAKA, "tanaka");
    pass(f, 600);
    l.window = 0;
    mfa_set_limits(f->mfa, &l);
    assert_int_equal(verify(f, code_at(f, -1), NULL), MFA_WRONG);
    assert_int_equal(verify(f, code_at(f, 0), NULL), MFA_ACCEPTED);
    pass(f, 600);
    l.window = 99; /* taken as 2 */
    mfa_set_limits(f->mfa, &l);
    assert_int_equal(verify(f, code_at(f, -3), NULL), MFA_WRONG);
    assert_int_equal(verify(f, code_at(f, -2), NULL), MFA_ACCEPTED);
}

static void test_enrolment_uses_its_codes(void **state)
{
    struct fixture *f = *state;

    enrol(f, TANAKA, "tanaka");
    pass(f, -30);
    assert_int_equal(verify(f, code_at(f, 0), NULL), MFA_USED);
    assert_int_equal(verify(f, code_at(f, -1), NULL), MFA_USED);
}

static void test_nonsense(void **state)
{
    struct fixture *f = *state;
    static const char *const codes[] = {"1", "abcdef", "12345678901234567890", "------", "１２３４５６", "0000\n00"};
    char longest[600];
    struct mfa_result r;

    bring(f, TANAKA, "tanaka");
    assert_int_equal(verify(f, NULL, &r), MFA_REFUSED);
    assert_int_equal(verify(f, "", &r), MFA_REFUSED);
    assert_int_equal(failures(f), 0);
    for (size_t i = 0; i < ELEMENTS(codes); i++)
        assert_int_equal(verify(f, codes[i], &r), MFA_WRONG);
    assert_int_equal(failures(f), ELEMENTS(codes));
    memset(longest, '1', sizeof(longest) - 1);
    longest[sizeof(longest) - 1] = '\0';
    assert_int_equal(verify(f, longest, &r), MFA_WRONG);
    assert_int_equal(failures(f), ELEMENTS(codes) + 1);
    /* As people type it. */
    (void)snprintf(longest, sizeof(longest), " %.3s %s ", code_at(f, 0), code_at(f, 0) + 3);
    assert_int_equal(verify(f, longest, &r), MFA_ACCEPTED);
}

static void test_not_enrolled(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(verify(f, "123456", NULL), MFA_NOT_ENROLLED);
    bring(f, SUZUKI, "suzuki");
    assert_int_equal(verify(f, code_at(f, 0), NULL), MFA_NOT_ENROLLED);
}

static void test_lock_and_lift(void **state)
{
    struct fixture *f = *state;
    struct mfa_result r;

    bring(f, TANAKA, "tanaka");
    for (unsigned i = 1; i <= 10; i++) {
        assert_int_equal(verify(f, wrong_code(f), &r), MFA_WRONG);
        assert_int_equal(r.failures, i);
    }
    assert_int_equal(verify(f, code_at(f, 0), &r), MFA_LOCKED);
    assert_int_equal(r.number, 900);
    assert_int_equal(r.failures, 10);
    pass(f, 899);
    assert_int_equal(verify(f, code_at(f, 0), &r), MFA_LOCKED);
    assert_int_equal(r.number, 1);
    pass(f, 1);
    /* One attempt, then locked again. */
    assert_int_equal(verify(f, wrong_code(f), &r), MFA_WRONG);
    assert_int_equal(verify(f, code_at(f, 0), &r), MFA_LOCKED);
    assert_int_equal(mfa_lift(f->mfa, TANAKA, &f->now), 0);
    assert_int_equal(verify(f, code_at(f, 0), &r), MFA_ACCEPTED);
}

/* Codes of a clock that is ahead, within the window, stay used when root lifts. */
static void test_lift_gives_no_code_back(void **state)
{
    struct fixture *f = *state;
    struct mfa_limits l = {.failures = 10, .window = 2};

    bring(f, TANAKA, "tanaka");
    mfa_set_limits(f->mfa, &l);
    for (int ahead = 1; ahead <= 2; ahead++) {
        assert_int_equal(verify(f, code_at(f, ahead), NULL), MFA_ACCEPTED);
        assert_int_equal(mfa_lift(f->mfa, TANAKA, &f->now), 0);
        assert_int_equal(verify(f, code_at(f, ahead), NULL), MFA_USED);
    }
    /* One that was shown long before its time. */
    assert_int_equal(verify(f, code_at(f, 10), NULL), MFA_WRONG);
    assert_int_equal(mfa_lift(f->mfa, TANAKA, &f->now), 0);
    pass(f, 300);
    assert_int_equal(verify(f, code_at(f, 0), NULL), MFA_USED);
    assert_int_equal(verify(f, code_at(f, 1), NULL), MFA_ACCEPTED);
}

static void test_lock_until_root(void **state)
{
    struct fixture *f = *state;
    struct mfa_limits l = {.failures = 2, .lock_us = 0, .window = 1};
    struct mfa_result r;

    bring(f, TANAKA, "tanaka");
    mfa_set_limits(f->mfa, &l);
    (void)verify(f, wrong_code(f), NULL);
    (void)verify(f, wrong_code(f), NULL);
    pass(f, 365 * 86400);
    assert_int_equal(verify(f, code_at(f, 0), &r), MFA_LOCKED);
    assert_int_equal(r.number, 0);
    assert_int_equal(mfa_lift(f->mfa, TANAKA, &f->now), 0);
    assert_int_equal(verify(f, code_at(f, 0), NULL), MFA_ACCEPTED);
}

/* Whatever policy says, a hundred in a row need root. */
static void test_hundred(void **state)
{
    struct fixture *f = *state;
    struct mfa_limits l = {.failures = 4000, .lock_us = 1, .window = 1};
    struct mfa_result r;

    bring(f, TANAKA, "tanaka");
    mfa_set_limits(f->mfa, &l);
    for (int i = 0; i < 100; i++)
        assert_int_equal(verify(f, "000", &r), MFA_WRONG);
    pass(f, 3600);
    assert_int_equal(verify(f, code_at(f, 0), &r), MFA_LOCKED);
    assert_int_equal(r.number, 0);
    /* Zeroed limits are the narrowest. */
    assert_int_equal(mfa_lift(f->mfa, TANAKA, &f->now), 0);
    mfa_set_limits(f->mfa, &(struct mfa_limits){0});
    assert_int_equal(verify(f, "000", &r), MFA_WRONG);
    assert_int_equal(verify(f, "000", &r), MFA_LOCKED);
}

static void test_waits(void **state)
{
    struct fixture *f = *state;
    struct mfa_limits l = {.failures = 100, .delay = true, .lock_us = 0, .window = 1};
    struct mfa_result r;

    bring(f, TANAKA, "tanaka");
    mfa_set_limits(f->mfa, &l);
    for (unsigned i = 1; i <= 20; i++) {
        unsigned wait = i >= 13 ? 3600 : 1u << (i - 1) > 3600 ? 3600 : 1u << (i - 1);

        assert_int_equal(verify(f, "000", &r), MFA_WRONG);
        assert_int_equal(verify(f, code_at(f, 0), &r), MFA_WAIT);
        assert_int_equal(r.number, wait);
        assert_int_equal(r.failures, i);
        pass(f, wait - 1);
        assert_int_equal(verify(f, code_at(f, 0), &r), MFA_WAIT);
        assert_int_equal(r.number, 1);
        pass(f, 1);
    }
    assert_int_equal(verify(f, code_at(f, 0), &r), MFA_ACCEPTED);
    assert_int_equal(verify(f, code_at(f, 0), &r), MFA_USED);
    assert_int_equal(verify(f, code_at(f, 0), &r), MFA_WAIT);
    assert_int_equal(r.number, 1);
}

/* Setting the clock forward ends no wait in the same boot; a new start of the program changes nothing; after a reboot the wall clock counts. */
static void test_waits_over_restarts(void **state)
{
    struct fixture *f = *state;
    struct mfa_limits l = {.failures = 100, .delay = true, .lock_us = 0, .window = 1};
    struct mfa_result r;

    bring(f, TANAKA, "tanaka");
    mfa_set_limits(f->mfa, &l);
    for (int i = 0; i < 6; i++) {
        assert_int_equal(verify(f, "000", &r), MFA_WRONG);
        pass(f, 1 << i);
    }
    assert_int_equal(verify(f, "000", &r), MFA_WRONG); /* 64 s from now */
    f->now.wall_us += 3600 * SECOND;
    reopen(f);
    mfa_set_limits(f->mfa, &l);
    assert_int_equal(verify(f, code_at(f, 0), &r), MFA_WAIT);
    assert_int_equal(r.number, 64);
    f->options.boot_id = "22222222-2222-2222-2222-222222222222";
    f->now.boottime_us = 5000000;
    f->now.wall_us -= 3590 * SECOND;
    reopen(f);
    mfa_set_limits(f->mfa, &l);
    assert_int_equal(verify(f, code_at(f, 0), &r), MFA_WAIT);
    assert_int_equal(r.number, 54);
    f->now.wall_us += 54 * SECOND;
    assert_int_equal(verify(f, code_at(f, 0), &r), MFA_ACCEPTED);
}

static void test_rollback(void **state)
{
    struct fixture *f = *state;
    struct mfa_result r;

    enrol(f, TANAKA, "tanaka");
    pass(f, 3600);
    assert_int_equal(verify(f, code_at(f, 0), &r), MFA_ACCEPTED);
    f->now.wall_us -= 30 * SECOND; /* the window's width is no rollback */
    assert_int_equal(verify(f, code_at(f, 0), &r), MFA_USED);
    f->now.wall_us -= SECOND;
    assert_int_equal(verify(f, code_at(f, 0), &r), MFA_ROLLBACK);
    assert_int_equal(r.number, 1);
    assert_int_equal(r.failures, 1);
    f->now.wall_us -= 3569 * SECOND;
    reopen(f);
    assert_int_equal(verify(f, code_at(f, 0), &r), MFA_ROLLBACK);
    assert_int_equal(r.number, 60);
    assert_int_equal(verify(f, f->recovery.codes[0], &r), MFA_ROLLBACK);
    /* Root believes the clock. */
    assert_int_equal(mfa_lift(f->mfa, TANAKA, &f->now), 0);
    assert_int_equal(verify(f, code_at(f, 0), &r), MFA_USED);
    assert_int_equal(verify(f, code_at(f, 1), &r), MFA_ACCEPTED);
}

static void test_skew(void **state)
{
    struct fixture *f = *state;
    struct mfa_result r;

    bring(f, TANAKA, "tanaka");
    pass(f, 3600);
    assert_int_equal(verify(f, code_at(f, 10), &r), MFA_WRONG); /* one says nothing */
    pass(f, 30);
    assert_int_equal(verify(f, code_at(f, 10), &r), MFA_SKEW);
    assert_int_equal(r.number, 5);
    assert_true(r.ahead);
    assert_int_equal(r.failures, 2);
    /* When its time comes the code that was shown is not taken; the next one is. */
    pass(f, 300);
    assert_int_equal(verify(f, code_at(f, 0), &r), MFA_USED);
    pass(f, 30);
    assert_int_equal(verify(f, code_at(f, 0), &r), MFA_ACCEPTED);
    pass(f, 3600);
    assert_int_equal(verify(f, code_at(f, -8), &r), MFA_WRONG);
    pass(f, 60);
    assert_int_equal(verify(f, code_at(f, -7), &r), MFA_SKEW);
    assert_int_equal(r.number, 4);
    assert_false(r.ahead);
}

/* A code shown too early is known to whoever saw it: neither a wrong one behind it nor a right one makes it good when its time comes. */
static void test_shown_early(void **state)
{
    struct fixture *f = *state;
    char seen[TOTP_CODE_SIZE];

    bring(f, TANAKA, "tanaka");
    pass(f, 600);
    (void)strcpy(seen, code_at(f, 3));
    assert_int_equal(verify(f, seen, NULL), MFA_WRONG);
    assert_int_equal(verify(f, wrong_code(f), NULL), MFA_WRONG);
    pass(f, 90);
    assert_int_equal(verify(f, seen, NULL), MFA_USED);
    pass(f, 600);
    (void)strcpy(seen, code_at(f, 3));
    assert_int_equal(verify(f, seen, NULL), MFA_WRONG);
    assert_int_equal(verify(f, code_at(f, 0), NULL), MFA_ACCEPTED);
    pass(f, 90);
    assert_int_equal(verify(f, seen, NULL), MFA_USED);
    pass(f, 30);
    assert_int_equal(verify(f, code_at(f, 0), NULL), MFA_ACCEPTED);
}

/* Two guesses that are right for different times, the same code twice, a wrong one in between, more than ten minutes: nothing is told. */
static void test_skew_is_no_oracle(void **state)
{
    struct fixture *f = *state;
    struct mfa_limits l = usual_limits;

    l.failures = 100;
    bring(f, TANAKA, "tanaka");
    mfa_set_limits(f->mfa, &l);
    pass(f, 7200);
    assert_int_equal(verify(f, code_at(f, 5), NULL), MFA_WRONG);
    assert_int_equal(verify(f, code_at(f, 9), NULL), MFA_WRONG);
    assert_int_equal(verify(f, code_at(f, 9), NULL), MFA_USED);
    assert_int_equal(verify(f, wrong_code(f), NULL), MFA_WRONG);
    pass(f, 30);
    assert_int_equal(verify(f, code_at(f, 9), NULL), MFA_WRONG);
    assert_int_equal(verify(f, code_at(f, 21), NULL), MFA_WRONG);
    pass(f, 30);
    assert_int_equal(verify(f, code_at(f, 21), NULL), MFA_WRONG);
    assert_int_equal(failures(f), 7);
}

static void test_recovery(void **state)
{
    struct fixture *f = *state;
    struct mfa_recovery old, new;
    struct mfa_result r;
    char shouted[MFA_RECOVERY_SIZE];

    enrol(f, TANAKA, "tanaka");
    old = f->recovery;
    for (size_t i = 0; i < sizeof(shouted); i++)
        shouted[i] = (char)(old.codes[3][i] == '-'   ? ' '
                            : old.codes[3][i] >= 'a' ? old.codes[3][i] - 32
                                                     : old.codes[3][i]);
    assert_int_equal(verify(f, shouted, &r), MFA_ACCEPTED);
    assert_true(r.recovery);
    assert_int_equal(r.recovery_left, 9);
    assert_int_equal(verify(f, old.codes[3], &r), MFA_WRONG);
    /* The authenticator's step is as it was. */
    assert_int_equal(verify(f, code_at(f, 0), &r), MFA_ACCEPTED);
    assert_false(r.recovery);
    assert_int_equal(r.recovery_left, 9);
    assert_int_equal(mfa_reissue(f->mfa, TANAKA, &new), 0);
    assert_int_equal(verify(f, old.codes[0], &r), MFA_WRONG);
    for (int i = 0; i < MFA_RECOVERY_COUNT; i++) {
        assert_int_equal(verify(f, new.codes[i], &r), MFA_ACCEPTED);
        assert_int_equal(r.recovery_left, 9 - i);
    }
    assert_int_equal(verify(f, new.codes[0], &r), MFA_WRONG);
    assert_int_equal(mfa_reissue(f->mfa, SUZUKI, &new), MFA_E_UNKNOWN);
}

static void test_far_future(void **state)
{
    struct fixture *f = *state;

    f->now.wall_us = INT64_C(2147483640) * SECOND; /* eight seconds before 2038-01-19T03:14:08Z */
    bring(f, TANAKA, "tanaka");
    assert_int_equal(verify(f, code_at(f, 0), NULL), MFA_ACCEPTED);
    f->now.wall_us = INT64_C(253402300799) * SECOND;
    assert_int_equal(verify(f, code_at(f, 0), NULL), MFA_ACCEPTED);
    assert_int_equal(verify(f, code_at(f, 0), NULL), MFA_USED);
}

static void test_grace(void **state)
{
    struct fixture *f = *state;
    const int64_t week = 7 * 86400 * SECOND;
    struct mfa_result r;

    mfa_grace(f->mfa, TANAKA, 0, &f->now, &r);
    assert_int_equal(r.outcome, MFA_NOT_ENROLLED);
    mfa_grace(f->mfa, TANAKA, week, &f->now, &r);
    assert_int_equal(r.outcome, MFA_GRACE);
    assert_int_equal(r.number, 7);
    pass(f, 5 * 86400);
    reopen(f);
    mfa_grace(f->mfa, TANAKA, week, &f->now, &r);
    assert_int_equal(r.number, 2);
    f->now.wall_us -= 4 * 86400 * SECOND; /* no time is given back */
    mfa_grace(f->mfa, TANAKA, week, &f->now, &r);
    assert_int_equal(r.number, 2);
    pass(f, 6 * 86400);
    mfa_grace(f->mfa, TANAKA, week, &f->now, &r);
    assert_int_equal(r.outcome, MFA_NOT_ENROLLED);
    bring(f, TANAKA, "tanaka");
    mfa_grace(f->mfa, TANAKA, week, &f->now, &r);
    assert_int_equal(r.outcome, MFA_NEEDED);
    /* Who was enrolled has had theirs: no days with the password alone after a removal, whatever the clock says. */
    assert_int_equal(mfa_remove(f->mfa, TANAKA), 0);
    mfa_grace(f->mfa, TANAKA, week, &f->now, &r);
    assert_int_equal(r.outcome, MFA_NOT_ENROLLED);
    assert_int_equal(mfa_lift(f->mfa, TANAKA, &f->now), MFA_E_UNKNOWN);
    f->now.wall_us = 0;
    mfa_grace(f->mfa, TANAKA, 100 * 52 * week, &f->now, &r);
    assert_int_equal(r.outcome, MFA_NOT_ENROLLED);
    f->now.wall_us = INT64_MAX;
    mfa_grace(f->mfa, TANAKA, week, &f->now, &r);
    assert_int_equal(r.outcome, MFA_NOT_ENROLLED);
    bring(f, SUZUKI, "suzuki"); /* who never logged in before it */
    assert_int_equal(mfa_remove(f->mfa, SUZUKI), 0);
    mfa_grace(f->mfa, SUZUKI, week, &f->now, &r);
    assert_int_equal(r.outcome, MFA_NOT_ENROLLED);
}

/* The first login stood under a clock that was years ahead: without an end that clock was to bring, the grace has none. */
static void test_grace_begun_ahead(void **state)
{
    struct fixture *f = *state;
    const int64_t week = 7 * 86400 * SECOND, years = 3 * 365 * 86400 * SECOND;
    struct mfa_result r;

    f->now.wall_us += years;
    mfa_grace(f->mfa, TANAKA, week, &f->now, &r);
    assert_int_equal(r.number, 7);
    f->now.wall_us -= years;
    mfa_grace(f->mfa, TANAKA, week, &f->now, &r);
    assert_int_equal(r.outcome, MFA_ROLLBACK);
    assert_int_equal(r.number, 3 * 365 * 24 * 60);
    assert_int_equal(mfa_lift(f->mfa, SUZUKI, &f->now), MFA_E_UNKNOWN);
    assert_int_equal(mfa_lift(f->mfa, TANAKA, &f->now), 0);
    mfa_grace(f->mfa, TANAKA, week, &f->now, &r);
    assert_int_equal(r.outcome, MFA_GRACE);
    assert_int_equal(r.number, 7);
    /* What runs is not begun anew. */
    assert_int_equal(mfa_lift(f->mfa, TANAKA, &f->now), MFA_E_UNKNOWN);
    f->now.wall_us -= 9 * 3600 * SECOND; /* local time was taken for UTC */
    mfa_grace(f->mfa, TANAKA, week, &f->now, &r);
    assert_int_equal(r.number, 7);
    pass(f, 8 * 86400);
    mfa_grace(f->mfa, TANAKA, week, &f->now, &r);
    assert_int_equal(r.outcome, MFA_NOT_ENROLLED);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {
        CASE(test_right_once),
        CASE(test_window),
        CASE(test_window_zero_and_two),
        CASE(test_enrolment_uses_its_codes),
        CASE(test_nonsense),
        CASE(test_not_enrolled),
        CASE(test_lock_and_lift),
        CASE(test_lift_gives_no_code_back),
        CASE(test_lock_until_root),
        CASE(test_hundred),
        CASE(test_waits),
        CASE(test_waits_over_restarts),
        CASE(test_rollback),
        CASE(test_skew),
        CASE(test_shown_early),
        CASE(test_skew_is_no_oracle),
        CASE(test_recovery),
        CASE(test_far_future),
        CASE(test_grace),
        CASE(test_grace_begun_ahead),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
