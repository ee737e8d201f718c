/* The journal on a filesystem that is really full: nothing lost, no half line, the chain whole, and back again. */
#include "unit/audit/journal_fixture.h"

#include <sched.h>
#include <sys/mount.h>

static void fill_disk(struct fixture *f)
{
    _cleanup_close_ int fd = openat(f->state, "filler", O_WRONLY | O_CREAT | O_CLOEXEC, 0600);
    static const char block[4096];

    assert_true(fd >= 0);
    while (write(fd, block, sizeof(block)) > 0)
        ;
    assert_int_equal(errno, ENOSPC);
}

static void run_full(struct fixture *f)
{
    unsigned int refused = 0, taken = 0;

    f->options.limits.segment_size = 64 << 10;
    f->options.limits.queue_size = 64 << 10;
    fixture_open(f);
    fixture_add(f, 30);
    fill_disk(f);
    for (int commit = 0; commit < 60; commit++) { /* through the reserve and out of it */
        for (int i = 0; i < 20; i++) {
            int r = fixture_append(f, false);

            assert_true(r == JOURNAL_OK || r == JOURNAL_E_FULL);
            taken += r == JOURNAL_OK;
            refused += r == JOURNAL_E_FULL;
        }
        assert_true(fixture_commit(f) >= 0);
        fixture_assert_ok(f);
    }
    assert_int_equal(journal_state(f->journal), JOURNAL_LOW);
    assert_true(refused > 0);
    assert_true(journal_durable_sequence(f->journal) > 300); /* the reserve was there to be used */
    assert_int_equal(fixture_append(f, true), JOURNAL_E_FULL);
    assert_int_equal(unlinkat(f->state, "filler", 0), 0);
    fixture_tick(f, 2 * FIXTURE_SECOND);
    assert_int_equal(fixture_commit(f), JOURNAL_OK);
    assert_int_equal(journal_state(f->journal), JOURNAL_NORMAL);
    fixture_close(f);
    fixture_assert_ok(f);
    assert_int_equal(fixture_count(f, "file-open"), 30 + taken);
    assert_int_equal(fixture_count(f, "journal-recovered"), 1);
}

static void test_full_tmpfs(void **state)
{
    struct fixture *f = *state;

    assert_int_equal(mount("tmpfs", f->path, "tmpfs", 0, "size=1536k,mode=0700"), 0);
    close_fd(f->state);
    f->state = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(f->state >= 0);
    run_full(f);
    f->dir = close_fd(f->dir);
    f->state = close_fd(f->state);
    assert_int_equal(umount2(f->path, MNT_DETACH), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_full_tmpfs, fixture_setup, fixture_teardown),
    };

    if (unshare(CLONE_NEWNS) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0) {
        printf("SKIP: no private mount namespace: %s (needs root)\n", strerror(errno));
        return TEST_EXIT_SKIP;
    }
    return cmocka_run_group_tests(tests, NULL, NULL);
}
