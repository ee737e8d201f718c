/* The administrators' journal shows every edit, removal and reordering, and is written with what it tells or not at all. */
#include "unit/hub_store/fixture.h"

#include "hub/store/journal.h"

static void write_three(struct fixture *f)
{
    static const char *const objects[] = {"kazei", "juki", "shimin"};

    for (size_t i = 0; i < ELEMENTS(objects); i++) {
        assert_int_equal(hub_store_begin(f->store), 0);
        assert_int_equal(hub_journal_add(f->store, &f->actor, "group-create", objects[i], i ? "{\"n\":1}" : NULL), 0);
        assert_int_equal(hub_store_commit(f->store), 0);
    }
}

static int walk(struct fixture *f, uint64_t *ret_seq)
{
    struct digest head;

    return hub_journal_walk(f->store, NULL, NULL, ret_seq, &head);
}

static void test_whole(void **state)
{
    struct fixture *f = *state;
    uint64_t seq = 9;

    assert_int_equal(walk(f, &seq), HUB_JOURNAL_WHOLE);
    assert_int_equal(seq, 0);
    write_three(f);
    assert_int_equal(fixture_reopen(f), 0);
    assert_int_equal(walk(f, &seq), HUB_JOURNAL_WHOLE);
    assert_int_equal(seq, 3);
}

static void test_outside(void **state)
{
    struct fixture *f = *state;
    uint64_t seq = 0;

    assert_int_equal(hub_journal_add(f->store, &f->actor, "x", "y", NULL), -EINVAL);
    assert_int_equal(hub_store_begin(f->store), 0);
    assert_int_equal(hub_journal_add(f->store, &f->actor, "x", "y", NULL), 0);
    hub_store_rollback(f->store);
    assert_int_equal(walk(f, &seq), HUB_JOURNAL_WHOLE);
    assert_int_equal(seq, 0);
}

static void test_changed(void **state)
{
    static const struct {
        const char *sql;
        int result;
        uint64_t seq;
    } cases[] = {
        {"UPDATE act SET who = 'local:suzuki' WHERE seq = 2", HUB_JOURNAL_BROKEN, 1},
        {"UPDATE act SET at = at + 1 WHERE seq = 1", HUB_JOURNAL_BROKEN, 0},
        {"UPDATE act SET details = '' WHERE seq = 3", HUB_JOURNAL_BROKEN, 2},
        {"UPDATE act SET what = 'group', object = '-createjuki' WHERE seq = 2", HUB_JOURNAL_BROKEN, 1},
        {"DELETE FROM act WHERE seq = 1", HUB_JOURNAL_BROKEN, 0},
        {"DELETE FROM act WHERE seq = 2; UPDATE act SET seq = 2 WHERE seq = 3", HUB_JOURNAL_BROKEN, 1},
        {"DELETE FROM act WHERE seq = 3", HUB_JOURNAL_SHORT, 2},
        {"DELETE FROM act", HUB_JOURNAL_SHORT, 0},
        {"UPDATE act_head SET seq = 2", HUB_JOURNAL_BROKEN, 3},
        {"UPDATE act_head SET hash = zeroblob(32)", HUB_JOURNAL_BROKEN, 3},
    };
    struct fixture *f = *state;

    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        uint64_t seq = 99;

        if (i > 0) {
            assert_int_equal(fixture_end(state), 0);
            assert_int_equal(fixture_begin(state), 0);
        }
        write_three(f);
        fixture_change(f, cases[i].sql);
        assert_int_equal(walk(f, &seq), cases[i].result);
        assert_int_equal(seq, cases[i].seq);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_whole, fixture_begin, fixture_end),
        cmocka_unit_test_setup_teardown(test_outside, fixture_begin, fixture_end),
        cmocka_unit_test_setup_teardown(test_changed, fixture_begin, fixture_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
