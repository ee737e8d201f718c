/* An older copy of the store, put back while kuraband is stopped: known by a record of its turn elsewhere. */
#include "unit/mfa/fixture.h"

static void keep(const struct fixture *f, const char *from, const char *to)
{
    uint8_t *bytes = NULL;
    size_t size = 0;

    assert_int_equal(files_read_at(f->fd, from, 1 << 20, &bytes, &size), 0);
    assert_int_equal(files_write_atomic_at(f->fd, to, bytes, size, 0600), 0);
    free(bytes);
}

static uint64_t turn(const struct fixture *f)
{
    struct mfa_turn t = {.number = 0};

    assert_int_equal(mfa_turn(f->mfa, &t), 0);
    return t.number;
}

/* As the journal knows it. */
static void know(struct fixture *f)
{
    assert_int_equal(mfa_turn(f->mfa, &f->options.known), 0);
}

static void test_counts(void **state)
{
    struct fixture *f = *state;
    uint64_t before = turn(f), after;

    bring(f, TANAKA, "tanaka");
    after = turn(f);
    assert_true(after > before);
    before = after;
    assert_int_equal(verify(f, wrong_code(f), NULL), MFA_WRONG);
    after = turn(f);
    assert_true(after > before);
    reopen(f);
    assert_int_equal(turn(f), after);
    assert_int_equal(mfa_lift(f->mfa, TANAKA, &f->now), 0);
    assert_int_equal(mfa_remove(f->mfa, TANAKA), 0);
    assert_int_equal(turn(f), after + 2);
}

static void test_older(void **state)
{
    struct fixture *f = *state;

    enrol(f, TANAKA, "tanaka");
    f->mfa = mfa_free(f->mfa);
    keep(f, "mfa.db", "copy");
    reopen(f);
    assert_int_equal(verify(f, code_at(f, 0), NULL), MFA_ACCEPTED);
    assert_int_equal(verify(f, f->recovery.codes[0], NULL), MFA_ACCEPTED);
    know(f);
    reopen(f); /* as it was left: nothing to tell */
    assert_int_equal(mfa_condition(f->mfa), MFA_GOOD);
    assert_int_equal(verify(f, f->recovery.codes[1], NULL), MFA_ACCEPTED);
    f->mfa = mfa_free(f->mfa);
    keep(f, "mfa.db", "newest");
    keep(f, "copy", "mfa.db");
    (void)unlinkat(f->fd, "mfa.db-journal", 0); /* room is reserved anew, which is no turn */
    reopen(f);
    assert_unavailable(f, MFA_DAMAGED);
    assert_non_null(strstr(mfa_complaint(f->mfa), "older"));
    pass(f, 2); /* looked at again */
    assert_unavailable(f, MFA_DAMAGED);
    /* What was there last is whole. */
    f->mfa = mfa_free(f->mfa);
    keep(f, "newest", "mfa.db");
    reopen(f);
    assert_int_equal(verify(f, f->recovery.codes[1], NULL), MFA_WRONG);
    assert_int_equal(verify(f, f->recovery.codes[2], NULL), MFA_ACCEPTED);
}

static void test_taken_up(void **state)
{
    struct fixture *f = *state;
    struct mfa_result r;

    enrol(f, TANAKA, "tanaka");
    assert_int_equal(mfa_take_up(f->mfa, &f->now), MFA_E_SETTINGS);
    f->mfa = mfa_free(f->mfa);
    keep(f, "mfa.db", "copy");
    reopen(f);
    for (int i = 0; i < 3; i++) {
        assert_int_equal(verify(f, code_at(f, 0), NULL), MFA_ACCEPTED);
        pass(f, 30);
    }
    know(f);
    f->mfa = mfa_free(f->mfa);
    keep(f, "copy", "mfa.db");
    reopen(f);
    assert_unavailable(f, MFA_DAMAGED);
    assert_int_equal(mfa_take_up(f->mfa, &f->now), 0);
    assert_int_equal(mfa_condition(f->mfa), MFA_GOOD);
    assert_true(turn(f) > f->options.known.number);
    for (int i = -2; i <= 0; i++)
        assert_int_equal(verify(f, code_at(f, i), NULL), MFA_USED);
    assert_int_equal(verify(f, f->recovery.codes[5], NULL), MFA_WRONG);
    assert_int_equal(verify(f, code_at(f, 1), &r), MFA_ACCEPTED);
    assert_int_equal(r.recovery_left, 0);
    reopen(f);
    assert_int_equal(mfa_condition(f->mfa), MFA_GOOD);
}

/* Damage is not taken up, and a store made anew is another one. */
static void test_other(void **state)
{
    struct fixture *f = *state;

    bring(f, TANAKA, "tanaka");
    assert_int_equal(verify(f, code_at(f, 0), NULL), MFA_ACCEPTED);
    know(f);
    f->mfa = mfa_free(f->mfa);
    keep(f, "mfa.db", "copy");
    assert_int_equal(files_write_atomic_at(f->fd, "mfa.db", "", 0, 0600), 0);
    reopen(f);
    assert_int_equal(mfa_take_up(f->mfa, &f->now), MFA_E_UNAVAILABLE);
    assert_unavailable(f, MFA_DAMAGED);
    f->mfa = mfa_free(f->mfa);
    assert_int_equal(unlinkat(f->fd, "mfa.db", 0), 0);
    assert_int_equal(unlinkat(f->fd, "mfa.installed", 0), 0);
    assert_int_equal(unlinkat(f->fd, "mfa.key", 0), 0);
    reopen(f);
    assert_int_equal(mfa_condition(f->mfa), MFA_GOOD);
    assert_int_equal(verify(f, code_at(f, 0), NULL), MFA_NOT_ENROLLED);
}

int main(void)
{
#define CASE(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
    const struct CMUnitTest tests[] = {CASE(test_counts), CASE(test_older), CASE(test_taken_up), CASE(test_other)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
