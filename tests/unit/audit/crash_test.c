/*
 * Each system call of the writer fails once, and the machine stops at each of them: nothing that was reported durable is
 * lost, no half line stays, the chain verifies.
 */
#include "unit/audit/journal_fixture.h"

#include <linux/falloc.h>

#include "audit/writer.h"

enum fault {
    FAULT_NONE = 0,
    FAULT_ONCE,
    FAULT_STOP
};

struct faulty {
    enum fault fault;
    unsigned int at, calls; /* the call, from 1, that fails */
    int error;
    bool partial; /* a failing pwrite has written half before */
    bool full;    /* no new space: fallocate fails, and so do writes past `room` bytes of a file */
    uint64_t room;
};

static bool fails(struct faulty *f)
{
    f->calls++;
    if ((f->fault == FAULT_ONCE && f->calls == f->at) || (f->fault == FAULT_STOP && f->calls >= f->at)) {
        errno = f->error;
        return true;
    }
    return false;
}

static ssize_t faulty_pwrite(void *context, int fd, const void *data, size_t size, off_t offset)
{
    struct faulty *f = context;

    if (f->full && (uint64_t)offset >= f->room) {
        errno = ENOSPC;
        return -1;
    }
    if (f->full && (uint64_t)offset + size > f->room)
        size = (size_t)(f->room - (uint64_t)offset);
    if (fails(f)) {
        if (f->partial && f->calls == f->at && size > 1)
            assert_int_equal(pwrite(fd, data, size / 2, offset), size / 2);
        errno = f->error;
        return -1;
    }
    return pwrite(fd, data, size, offset);
}

static int faulty_fdatasync(void *context, int fd)
{
    (void)fd; /* the page cache survives our kind of crash */
    return fails(context) ? -1 : 0;
}

static int faulty_ftruncate(void *context, int fd, off_t size)
{
    return fails(context) ? -1 : ftruncate(fd, size);
}

static int faulty_fallocate(void *context, int fd, int mode, off_t offset, off_t size)
{
    struct faulty *f = context;

    if (f->full) {
        errno = ENOSPC;
        return -1;
    }
    return fails(f) ? -1 : fallocate(fd, mode, offset, size);
}

static int faulty_rename(void *context, int dirfd, const char *from, const char *to, unsigned int flags)
{
    return fails(context) ? -1 : renameat2(dirfd, from, dirfd, to, flags);
}

static int faulty_unlink(void *context, int dirfd, const char *name)
{
    return fails(context) ? -1 : unlinkat(dirfd, name, 0);
}

static struct journal_ops faulty_ops(struct faulty *f)
{
    return (struct journal_ops){
        .context = f,
        .pwrite = faulty_pwrite,
        .fdatasync = faulty_fdatasync,
        .ftruncate = faulty_ftruncate,
        .fallocate = faulty_fallocate,
        .rename = faulty_rename,
        .unlink = faulty_unlink,
    };
}

/* Two starts, several commits, several segments, a release. Returns the last sequence number reported durable. */
static uint64_t workload(struct fixture *f)
{
    uint64_t durable = 0;

    f->options.limits.segment_size = 64 << 10;
    f->options.limits.checkpoint_records = 50;
    f->options.limits.keep_days = 1;
    for (int start = 0; start < 2; start++) {
        if (fixture_open_result(f) < 0)
            return durable;
        for (int commit = 0; commit < 4; commit++) {
            for (int i = 0; i < 60; i++)
                (void)fixture_append(f, false);
            if (fixture_commit(f) == JOURNAL_OK)
                durable = journal_durable_sequence(f->journal);
        }
        fixture_tick(f, 2LL * 86400 * FIXTURE_SECOND);
        (void)journal_maintain(f->journal, f->wall_us, f->boottime_us);
        if (journal_close(f->journal, f->wall_us, f->boottime_us) != JOURNAL_OK) {
            f->journal = NULL;
            return durable;
        }
        f->journal = NULL;
    }
    return durable;
}

static unsigned int calls_of_workload(void)
{
    struct faulty faulty = {.fault = FAULT_NONE};
    struct journal_ops ops = faulty_ops(&faulty);
    void *state;
    struct fixture *f;

    assert_int_equal(fixture_setup(&state), 0);
    f = state;
    f->options.ops = &ops;
    assert_true(workload(f) > 480);
    fixture_assert_ok(f);
    assert_true(fixture_count(f, "journal-released") > 0);
    assert_int_equal(fixture_teardown(&state), 0);
    assert_true(faulty.calls > 50);
    return faulty.calls;
}

static void crash_at(unsigned int at, bool partial)
{
    struct faulty faulty = {.fault = FAULT_STOP, .at = at, .error = EIO, .partial = partial};
    struct journal_ops ops = faulty_ops(&faulty);
    struct journal_verify_result r;
    uint64_t durable;
    void *state;
    struct fixture *f;

    assert_int_equal(fixture_setup(&state), 0);
    f = state;
    f->options.ops = &ops;
    durable = workload(f);
    fixture_kill(f);
    f->options.ops = NULL;
    fixture_open(f); /* the next start */
    fixture_add(f, 3);
    fixture_close(f);
    r = fixture_verify(f);
    if (!r.ok || r.last_seq < durable)
        print_error("stopped at call %u%s: %s %s\n", at, partial ? " (half written)" : "", journal_flaw_name(r.flaw),
                    r.why);
    assert_true(r.ok);
    assert_true(r.last_seq >= durable + 3);
    /* No false alarm, but for the one place where a key exists and no record does yet. */
    assert_true(fixture_count(f, "\"kind\":\"alert\"") == 0 || durable == 0);
    assert_int_equal(fixture_teardown(&state), 0);
}

static void test_stop_at_each_call(void **state)
{
    unsigned int calls = calls_of_workload();

    (void)state;
    for (unsigned int at = 1; at <= calls; at++) {
        crash_at(at, false);
        crash_at(at, true);
    }
}

static void fail_once_at(unsigned int at, int error)
{
    struct faulty faulty = {.fault = FAULT_ONCE, .at = at, .error = error, .partial = true};
    struct journal_ops ops = faulty_ops(&faulty);
    void *state;
    struct fixture *f;

    assert_int_equal(fixture_setup(&state), 0);
    f = state;
    f->options.ops = &ops;
    f->options.limits.segment_size = 64 << 10;
    if (fixture_open_result(f) < 0) /* a start may fail; the next one may not */
        fixture_open(f);
    for (int commit = 0; commit < 6; commit++) {
        for (int i = 0; i < 60; i++)
            assert_int_equal(fixture_append(f, false), JOURNAL_OK);
        (void)fixture_commit(f);
    }
    fixture_tick(f, 2 * FIXTURE_SECOND);
    assert_int_equal(fixture_commit(f), JOURNAL_OK); /* all is made good by the next call */
    assert_int_equal(journal_durable_sequence(f->journal), journal_sequence(f->journal));
    fixture_close(f);
    fixture_assert_ok(f);
    assert_int_equal(fixture_count(f, "file-open"), 360);
    assert_int_equal(fixture_teardown(&state), 0);
}

static void test_each_call_fails_once(void **state)
{
    (void)state;
    for (unsigned int at = 1; at <= 60; at++) {
        fail_once_at(at, EIO);
        fail_once_at(at, ENOSPC);
    }
}

static void test_interrupted_calls(void **state)
{
    struct faulty faulty = {.fault = FAULT_ONCE, .at = 12, .error = EINTR};
    struct journal_ops ops = faulty_ops(&faulty);
    struct fixture *f = *state;

    f->options.ops = &ops;
    fixture_open(f);
    for (int i = 0; i < 5; i++) {
        assert_int_equal(fixture_append(f, false), JOURNAL_OK);
        (void)fixture_commit(f);
    }
    fixture_close(f);
    fixture_assert_ok(f);
}

static void test_full_disk(void **state)
{
    struct faulty faulty = {.room = 100 << 10};
    struct journal_ops ops = faulty_ops(&faulty);
    struct fixture *f = *state;
    uint64_t taken;
    unsigned int refused = 0;

    f->options.ops = &ops;
    f->options.limits.queue_size = 128 << 10;
    fixture_open(f);
    fixture_add(f, 20);
    faulty.full = true;
    for (unsigned int i = 0; i < 200; i++) /* writing stops in the middle of a line */
        assert_int_equal(fixture_append(f, false), JOURNAL_OK);
    assert_int_equal(fixture_commit(f), JOURNAL_E_FULL);
    assert_int_equal(journal_state(f->journal), JOURNAL_LOW);
    assert_true(journal_durable_sequence(f->journal) < journal_sequence(f->journal));
    assert_int_equal(fixture_append(f, true), JOURNAL_E_FULL); /* what cannot be recorded is not permitted */
    fixture_assert_ok(f);                                      /* and what is there verifies, the head included */
    for (unsigned int i = 0; i < 1000; i++)
        refused += fixture_append(f, false) == JOURNAL_E_FULL;
    assert_true(refused > 0); /* memory has a bound as well */
    taken = journal_sequence(f->journal);
    assert_int_equal(journal_unrecorded(f->journal), refused + 1);
    faulty.full = false;
    fixture_tick(f, 2 * FIXTURE_SECOND);
    assert_int_equal(fixture_commit(f), JOURNAL_OK);
    assert_int_equal(journal_state(f->journal), JOURNAL_NORMAL);
    assert_int_equal(journal_unrecorded(f->journal), 0);
    assert_true(journal_durable_sequence(f->journal) > taken);
    assert_int_equal(fixture_append(f, true), JOURNAL_OK);
    fixture_close(f);
    fixture_assert_ok(f);
    assert_int_equal(fixture_count(f, "journal-full"), 1);
    assert_int_equal(fixture_count(f, "journal-recovered"), 1);
    assert_int_equal(fixture_count(f, "file-open"), 20 + 200 + 1000 - refused + 1);
}

static void test_crash_on_full_disk(void **state)
{
    struct faulty faulty = {.room = 30 << 10};
    struct journal_ops ops = faulty_ops(&faulty);
    struct fixture *f = *state;
    uint64_t durable;

    f->options.ops = &ops;
    fixture_open(f);
    faulty.full = true;
    for (unsigned int i = 0; i < 100; i++)
        assert_int_equal(fixture_append(f, false), JOURNAL_OK);
    assert_int_equal(fixture_commit(f), JOURNAL_E_FULL);
    durable = journal_durable_sequence(f->journal);
    assert_true(durable > 10);
    fixture_kill(f);
    fixture_open(f); /* still full: it opens all the same */
    assert_int_equal(journal_state(f->journal), JOURNAL_LOW);
    assert_true(journal_sequence(f->journal) >= durable);
    fixture_kill(f);
    faulty.full = false;
    fixture_open(f);
    assert_int_equal(journal_state(f->journal), JOURNAL_NORMAL);
    fixture_close(f);
    fixture_assert_ok(f);
    assert_int_equal(fixture_count(f, "\"kind\":\"alert\",\"action\":\"journal-truncated\""), 0);
}

static void test_reserve_takes_refusals(void **state)
{
    struct faulty faulty = {0};
    struct journal_ops ops = faulty_ops(&faulty);
    struct fixture *f = *state;

    f->options.ops = &ops;
    f->options.limits.segment_size = 64 << 10;
    fixture_open(f);
    faulty.full = true;
    faulty.room = UINT64_MAX / 2; /* what is reserved can be written, no new reserve can be had */
    fixture_add(f, 150);
    assert_int_equal(journal_state(f->journal), JOURNAL_LOW); /* known while a whole segment is left */
    assert_int_equal(fixture_append(f, true), JOURNAL_E_FULL);
    assert_int_equal(fixture_append(f, false), JOURNAL_OK);
    assert_int_equal(fixture_commit(f), JOURNAL_OK);
    assert_int_equal(journal_durable_sequence(f->journal), journal_sequence(f->journal));
    fixture_assert_ok(f);
}

static void test_drop_oldest_makes_room(void **state)
{
    struct faulty faulty = {0};
    struct journal_ops ops = faulty_ops(&faulty);
    struct fixture *f = *state;

    f->options.ops = &ops;
    f->options.limits.segment_size = 64 << 10;
    f->options.limits.when_full = JOURNAL_FULL_DROP_OLDEST;
    fixture_open(f);
    fixture_add(f, 400);
    faulty.full = true;
    faulty.room = UINT64_MAX / 2;
    fixture_add(f, 150);
    assert_int_equal(journal_state(f->journal), JOURNAL_LOW);
    fixture_tick(f, 2 * FIXTURE_SECOND);
    assert_int_equal(fixture_commit(f), JOURNAL_OK);
    assert_true(fixture_count(f, "journal-released") > 0);
    assert_false(fixture_exists(f, FIRST_SEGMENT));
    fixture_assert_ok(f);
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stop_at_each_call),
        cmocka_unit_test(test_each_call_fails_once),
        T(test_interrupted_calls),
        T(test_full_disk),
        T(test_crash_on_full_disk),
        T(test_reserve_takes_refusals),
        T(test_drop_oldest_makes_room),
    };

    fixture_use_memory();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
