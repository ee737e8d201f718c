#include "unit/audit/journal_fixture.h"

#include "audit/head.h"
#include "audit/segment.h"

static void test_first_start(void **state)
{
    struct fixture *f = *state;
    struct stat st;

    fixture_open(f);
    assert_int_equal(journal_state(f->journal), JOURNAL_NORMAL);
    fixture_assert_ok(f); /* the key's record and its checkpoint are there at once */
    assert_int_equal(journal_sequence(f->journal), 2);
    assert_int_equal(fstatat(f->state, "journal", &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 0700);
    assert_int_equal(fstatat(f->state, "key/journal.pem", &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(fstatat(f->dir, FIRST_SEGMENT, &st, 0), 0);
    assert_int_equal(st.st_mode & 07777, 0600);
    assert_int_equal(fixture_count(f, "\"kind\":\"alert\""), 0);
}

static void test_only_one_writer(void **state)
{
    struct fixture *f = *state;
    struct journal *second = NULL;

    fixture_open(f);
    assert_int_equal(journal_open(f->state, &f->options, &second), -EBUSY);
    assert_null(second);
    fixture_close(f);
    fixture_open(f);
}

static void test_durable_only_after_commit(void **state)
{
    struct fixture *f = *state;

    fixture_open(f);
    assert_int_equal(fixture_append(f, false), JOURNAL_OK);
    assert_int_equal(journal_sequence(f->journal), 3);
    assert_int_equal(journal_durable_sequence(f->journal), 2);
    assert_int_equal(journal_next_us(f->journal), 0);
    assert_int_equal(fixture_count(f, "file-open"), 0);
    assert_int_equal(fixture_commit(f), JOURNAL_OK);
    assert_int_equal(journal_durable_sequence(f->journal), 3);
    assert_int_equal(fixture_count(f, "file-open"), 1);
    assert_true(journal_next_us(f->journal) > f->boottime_us);
    fixture_assert_ok(f);
}

static void test_clean_restart_goes_on(void **state)
{
    struct fixture *f = *state;
    struct journal_verify_result r;

    for (int i = 0; i < 3; i++) {
        fixture_open(f);
        fixture_add(f, 5);
        fixture_close(f);
    }
    r = fixture_verify(f);
    assert_true(r.ok);
    /* key, checkpoint, then three times five records and the checkpoint of closing; opening again adds nothing */
    assert_int_equal(r.records, 2 + 3 * 6);
    assert_int_equal(r.last_seq, r.records);
    assert_int_equal(r.head_seq, r.last_seq);
    assert_int_equal(fixture_count(f, "\"kind\":\"alert\""), 0);
}

static void test_checkpoints_by_count_and_time(void **state)
{
    struct fixture *f = *state;

    f->options.limits.checkpoint_records = 10;
    f->options.limits.checkpoint_us = 5 * FIXTURE_SECOND;
    fixture_open(f);
    fixture_add(f, 10);
    assert_int_equal(fixture_verify(f).checkpoints, 2);
    fixture_add(f, 1);
    assert_int_equal(fixture_verify(f).checkpoints, 2);
    fixture_tick(f, 5 * FIXTURE_SECOND);
    assert_true(journal_next_us(f->journal) <= f->boottime_us);
    assert_int_equal(fixture_commit(f), JOURNAL_OK);
    assert_int_equal(fixture_verify(f).checkpoints, 3);
    fixture_tick(f, 60 * FIXTURE_SECOND);
    assert_int_equal(fixture_commit(f), JOURNAL_OK); /* nothing new: nothing to sign */
    assert_int_equal(fixture_verify(f).checkpoints, 3);
    fixture_assert_ok(f);
}

static size_t segments(struct fixture *f)
{
    struct segment_list list;
    size_t n;

    assert_int_equal(segment_list_read(f->dir, &list), 0);
    n = list.n;
    segment_list_done(&list);
    return n;
}

static void test_rotation(void **state)
{
    struct fixture *f = *state;

    f->options.limits.segment_size = 64 << 10;
    fixture_open(f);
    fixture_add(f, 500); /* several segments within one commit */
    assert_true(segments(f) >= 4);
    fixture_assert_ok(f);
    fixture_close(f);
    fixture_open(f);
    fixture_add(f, 500);
    fixture_close(f);
    assert_true(segments(f) >= 8);
    fixture_assert_ok(f);
    assert_int_equal(fixture_count(f, "file-open"), 1000);
}

static void test_retention_by_age(void **state)
{
    struct fixture *f = *state;
    struct journal_verify_result r;
    size_t before;

    f->options.limits.segment_size = 64 << 10;
    f->options.limits.keep_days = 30;
    fixture_open(f);
    fixture_add(f, 500);
    before = segments(f);
    assert_int_equal(journal_maintain(f->journal, f->wall_us, f->boottime_us), JOURNAL_OK);
    assert_int_equal(segments(f), before);
    fixture_tick(f, 31LL * 86400 * FIXTURE_SECOND);
    fixture_add(f, 200);
    assert_int_equal(journal_maintain(f->journal, f->wall_us, f->boottime_us), JOURNAL_OK);
    assert_true(segments(f) < before);
    assert_false(fixture_exists(f, FIRST_SEGMENT));
    assert_int_equal(fixture_count(f, "journal-released"), 1);
    r = fixture_verify(f);
    assert_true(r.first_seq > 1);
    fixture_assert_ok(f);
    fixture_close(f);
    fixture_open(f);
    assert_int_equal(fixture_count(f, "\"kind\":\"alert\""), 0);
    fixture_assert_ok(f);
}

static void test_retention_holds_what_was_not_shipped(void **state)
{
    struct fixture *f = *state;
    size_t before;

    f->options.limits.segment_size = 64 << 10;
    f->options.limits.keep_days = 1;
    f->options.limits.hold_from_seq = 1;
    fixture_open(f);
    fixture_add(f, 500);
    fixture_tick(f, 31LL * 86400 * FIXTURE_SECOND);
    fixture_add(f, 300);
    before = segments(f);
    assert_int_equal(journal_maintain(f->journal, f->wall_us, f->boottime_us), JOURNAL_OK);
    assert_int_equal(segments(f), before);
    f->options.limits.hold_from_seq = 300;
    journal_set_limits(f->journal, &f->options.limits);
    assert_int_equal(journal_maintain(f->journal, f->wall_us, f->boottime_us), JOURNAL_OK);
    assert_true(segments(f) < before);
    assert_true(fixture_verify(f).first_seq <= 300);
    fixture_assert_ok(f);
}

/* Where there is no room and policy says to drop, what the centre does not have goes as well, and the record says so. */
static void test_dropped_before_it_was_shipped(void **state)
{
    struct fixture *f = *state;

    f->options.limits.segment_size = 64 << 10;
    f->options.limits.total_size = 200 << 10;
    f->options.limits.hold_from_seq = 1;
    fixture_open(f);
    fixture_add(f, 600);
    assert_int_equal(journal_maintain(f->journal, f->wall_us, f->boottime_us), JOURNAL_OK);
    assert_int_equal(fixture_count(f, "journal-released"), 0);
    f->options.limits.when_full = JOURNAL_FULL_DROP_OLDEST;
    f->options.limits.hold_from_seq = 600;
    journal_set_limits(f->journal, &f->options.limits);
    assert_int_equal(journal_maintain(f->journal, f->wall_us, f->boottime_us), JOURNAL_OK);
    assert_int_equal(fixture_count(f, "\"action\":\"journal-released\""), 1);
    assert_int_equal(fixture_count(f, "before the centre had all of it"), 0);
    f->options.limits.hold_from_seq = 1;
    journal_set_limits(f->journal, &f->options.limits);
    fixture_add(f, 600);
    assert_int_equal(journal_maintain(f->journal, f->wall_us, f->boottime_us), JOURNAL_OK);
    assert_int_equal(fixture_count(f, "before the centre had all of it"), 1);
    assert_true(journal_bytes(f->journal) <= 200 << 10);
    fixture_assert_ok(f);
}

static void test_total_size(void **state)
{
    struct fixture *f = *state;

    f->options.limits.segment_size = 64 << 10;
    f->options.limits.total_size = 200 << 10;
    fixture_open(f);
    fixture_add(f, 600);
    assert_int_equal(journal_maintain(f->journal, f->wall_us, f->boottime_us), JOURNAL_OK);
    assert_int_equal(journal_state(f->journal), JOURNAL_LOW); /* refuse-export: nothing is dropped */
    assert_int_equal(fixture_append(f, true), JOURNAL_E_FULL);
    assert_int_equal(fixture_append(f, false), JOURNAL_OK);
    f->options.limits.when_full = JOURNAL_FULL_DROP_OLDEST;
    journal_set_limits(f->journal, &f->options.limits);
    assert_int_equal(journal_maintain(f->journal, f->wall_us, f->boottime_us), JOURNAL_OK);
    assert_int_equal(journal_state(f->journal), JOURNAL_NORMAL);
    assert_true(journal_bytes(f->journal) <= 200 << 10);
    assert_int_equal(fixture_append(f, true), JOURNAL_OK);
    assert_int_equal(fixture_commit(f), JOURNAL_OK);
    fixture_assert_ok(f);
    assert_int_equal(fixture_count(f, "journal-full"), 1);
    assert_int_equal(fixture_count(f, "journal-recovered"), 1);
}

static void test_folding(void **state)
{
    struct fixture *f = *state;
    struct audit_event e;

    fixture_open(f);
    fixture_event(f, &e, false);
    for (int i = 0; i < 10; i++)
        assert_int_equal(journal_append(f->journal, &e), JOURNAL_OK);
    for (int i = 0; i < 990; i++)
        assert_int_equal(journal_append(f->journal, &e), JOURNAL_FOLDED);
    assert_int_equal(fixture_commit(f), JOURNAL_OK);
    assert_int_equal(fixture_count(f, "file-open"), 10);
    assert_true(journal_next_us(f->journal) <= f->boottime_us + 10 * FIXTURE_SECOND);
    fixture_tick(f, 10 * FIXTURE_SECOND);
    assert_int_equal(fixture_commit(f), JOURNAL_OK);
    assert_int_equal(fixture_count(f, "file-open"), 11);
    assert_int_equal(fixture_count(f, "\"count\":990"), 1);
    for (int i = 0; i < 15; i++)
        assert_true(journal_append(f->journal, &e) >= 0);
    fixture_close(f); /* does not wait for the window */
    assert_int_equal(fixture_count(f, "\"count\":5}"), 1);
    fixture_assert_ok(f);
}

static void count_records(void *context, const struct audit_event *e, uint64_t seq)
{
    uint64_t *last = context;

    assert_int_equal(seq, *last + 1); /* every record, the journal's own too, in order */
    assert_true(e->action != AUDIT_NONE);
    *last = seq;
}

static void test_observer_sees_every_record(void **state)
{
    struct fixture *f = *state;
    uint64_t last = 0;

    f->options.recorded = count_records;
    f->options.recorded_context = &last;
    f->options.limits.checkpoint_records = 7;
    fixture_open(f);
    fixture_add(f, 50);
    assert_int_equal(last, journal_sequence(f->journal));
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        T(test_first_start),
        T(test_only_one_writer),
        T(test_durable_only_after_commit),
        T(test_clean_restart_goes_on),
        T(test_checkpoints_by_count_and_time),
        T(test_rotation),
        T(test_retention_by_age),
        T(test_retention_holds_what_was_not_shipped),
        T(test_dropped_before_it_was_shipped),
        T(test_total_size),
        T(test_folding),
        T(test_observer_sees_every_record),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
