/* Who can say which media there are, and what becomes of them while nobody can. */
#include "unit/device/block_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#define LOOP_FROM 100

/* Names only, as of loop devices that are gone again when they are looked at: a tenth of the work. */
static void names(struct fixture *x, bool present)
{
    char path[128], first[128];

    (void)snprintf(first, sizeof(first), "%s/absent", x->f.path);
    assert_int_equal(present ? symlink("../../devices/virtual/block/absent", first) : unlink(first), 0);
    for (unsigned i = 0; i <= BLOCK_NAMES_MAX; i++) {
        (void)snprintf(path, sizeof(path), "%s/sys/class/block/loop%u", x->f.path, LOOP_FROM + i);
        assert_int_equal(present ? linkat(AT_FDCWD, first, AT_FDCWD, path, 0) : unlink(path), 0);
    }
}

static void assert_refused(struct fixture *x, unsigned minor_)
{
    const struct medium *m = fixture_medium(x, 8, minor_);

    assert_non_null(m);
    assert_int_equal(m->verdict.kind, VERDICT_DENY);
    assert_int_equal(m->verdict.reason, REASON_UNKNOWN);
    assert_true(m->read_only);
    assert_false(m->permitted);
}

static void assert_readable(struct fixture *x)
{
    assert_int_equal(block_manager_blind(x->b), 0);
    assert_int_equal(fixture_medium(x, 8, 17)->verdict.kind, VERDICT_ALLOW);
    assert_true(fake_block_exists(&x->f, "run/media/sdb1-5"));
}

static void keeps_refusing(struct fixture *x)
{
    /* One alarm, however long it lasts. */
    assert_int_equal(block_manager_tick(x->b, 3), -E2BIG);
    assert_int_equal(x->reports[BLOCK_REPORT_UNREAD], 1);
    /* What comes meanwhile is refused from the beginning, and what goes is gone. */
    fake_block_partition(&x->f, STICK, "sdb2", "8:18", 100);
    assert_int_equal(block_manager_event(x->b, "add", "sdb2", 4), 0);
    assert_refused(x, 18);
    fake_block_remove(&x->f, "sdb2");
    assert_int_equal(block_manager_event(x->b, "remove", "sdb2", 4), 0);
    assert_null(fixture_medium(x, 8, 18));
    /* The file of a loop device that lies on an exit is found without the list. */
    fake_block_set(&x->f, "class/block/loop7/loop/backing_file", "/media/stick/image\n");
    assert_int_equal(block_manager_event(x->b, "change", "loop7", 4), 0);
    assert_non_null(fixture_medium(x, 7, 7));
    assert_int_equal(block_read_only(x->f.sysfs, "loop7"), 1);
}

/* What had been permitted, and what is mounted, is found without the list. */
static void is_started_blind(struct fixture *x)
{
    fake_block_disk(&x->f, USB "/host3/block/sdc", "8:32", 100, "1\n");
    fake_block_proc(&x->f, "self/mountinfo",
                    "1 0 254:0 / / rw - ext4 /dev/vda rw\n2 1 8:32 / /m rw - vfat /dev/sdc rw\n");
    x->b = block_manager_free(x->b);
    assert_int_equal(exit_run_permit(x->f.run, "sdb1-5", true), 1);
    assert_int_equal(exit_run_permit(x->f.run, "sdz1-3", true), 1);
    fixture_start(x, EXIT_MODE_ON, NULL, 0);
    assert_int_equal(block_manager_blind(x->b), -E2BIG);
    assert_int_equal(x->reports[BLOCK_REPORT_UNREAD], 2);
    assert_refused(x, 17);
    assert_refused(x, 32);
    assert_false(fake_block_exists(&x->f, "run/media/sdb1-5"));
    assert_false(fake_block_exists(&x->f, "run/media/sdz1-3"));
    assert_int_equal(block_read_only(x->f.sysfs, "sdc"), 1);
    assert_int_equal(block_read_only(x->f.sysfs, "sda"), 0);
}

static void test_too_many(void **state)
{
    struct fixture *x = *state;
    unsigned changed;

    fake_block_proc(&x->f, "self/mountinfo",
                    "20 1 8:0 / / rw - ext4 /dev/sda rw\n21 20 8:17 / /media/stick ro - vfat /dev/sdb1 ro\n");
    fixture_start(x, EXIT_MODE_ON, NULL, 0);
    fixture_plug(x, "5\n");
    assert_readable(x);
    names(x, true);
    changed = x->changed;
    assert_int_equal(block_manager_tick(x->b, 2), -E2BIG);
    assert_int_equal(block_manager_blind(x->b), -E2BIG);
    assert_refused(x, 17);
    assert_false(fake_block_exists(&x->f, "run/media/sdb1-5"));
    assert_string_equal(x->f.last_trigger, "sdb1");
    assert_true(x->changed > changed);
    keeps_refusing(x);
    is_started_blind(x);
    /* A policy that refuses it rules from its first moment on, not from when all is seen again. */
    x->usb_rule = NULL;
    x->rule.allow = POLICY_REFUSE;
    assert_int_equal(block_manager_set_policy(x->b, &x->policy, 5), -E2BIG);
    assert_refused(x, 17);
    names(x, false);
    assert_int_equal(block_manager_tick(x->b, 6), 0);
    assert_int_equal(fixture_medium(x, 8, 17)->verdict.reason, REASON_RULE);
    /* By itself. */
    x->usb_rule = "stick";
    x->rule.allow = POLICY_READ;
    assert_int_equal(block_manager_tick(x->b, 7), 0);
    assert_readable(x);
    assert_int_equal(x->reports[BLOCK_REPORT_UNREAD], 2);
    assert_int_equal(x->reports[BLOCK_REPORT_REASSERTED], 0);
}

/* Another error, and the same. */
static void test_no_directory(void **state)
{
    struct fixture *x = *state;

    fixture_start(x, EXIT_MODE_ON, NULL, 0);
    fixture_plug(x, "5\n");
    assert_int_equal(renameat(x->f.sysfs, "class/block", x->f.sysfs, "class/other"), 0);
    assert_int_equal(block_manager_tick(x->b, 2), -ENOENT);
    assert_int_equal(fixture_medium(x, 8, 17) ? fixture_medium(x, 8, 17)->verdict.kind : VERDICT_DENY, VERDICT_DENY);
    assert_false(fake_block_exists(&x->f, "run/media/sdb1-5"));
    assert_int_equal(renameat(x->f.sysfs, "class/other", x->f.sysfs, "class/block"), 0);
    assert_int_equal(block_manager_tick(x->b, 3), 0);
    assert_readable(x);
}

static void test_no_mounts(void **state)
{
    struct fixture *x = *state;

    fixture_start(x, EXIT_MODE_ON, NULL, 0);
    fixture_plug(x, "5\n");
    assert_int_equal(unlinkat(x->f.proc, "self/mountinfo", 0), 0);
    assert_int_equal(block_manager_event(x->b, "change", "sdb1", 2), -ENOENT);
    assert_refused(x, 17);
    assert_int_equal(x->reports[BLOCK_REPORT_UNREAD], 1);
    fake_block_proc(&x->f, "self/mountinfo", "1 0 254:0 / / rw - ext4 /dev/vda rw\n");
    assert_int_equal(block_manager_tick(x->b, 3), 0);
    assert_readable(x);
}

/* udev goes by the files in the run directory: while they are not as the policy wants them, nobody gets anything. */
static void test_not_published(void **state)
{
    struct fixture *x = *state;

    fixture_start(x, EXIT_MODE_ON, NULL, 0);
    fixture_plug(x, "5\n");
    assert_int_equal(unlinkat(x->f.run, "media.mode", 0), 0);
    assert_int_equal(mkdirat(x->f.run, "media.mode", 0755), 0);
    assert_true(block_manager_set_policy(x->b, &x->policy, 2) < 0);
    assert_refused(x, 17);
    assert_int_equal(unlinkat(x->f.run, "media.mode", AT_REMOVEDIR), 0);
    assert_int_equal(block_manager_tick(x->b, 3), 0);
    assert_readable(x);
    assert_true(fake_block_exists(&x->f, "run/media.mode"));
}

static double processor_time(void)
{
    struct timespec t;

    assert_int_equal(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t), 0);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* In processor time, whatever else the machine does: eight times as many loop devices cost eight times as much, not sixty-four. */
static void test_loops_are_not_compared(void **state)
{
    struct fixture *x = *state;
    char path[128], number[32];
    double first = 0, last = 0;
    unsigned made = 0;

    fake_block_proc(&x->f, "self/mountinfo", "20 1 8:0 / / rw - ext4 /dev/sda rw\n");
    fixture_start(x, EXIT_MODE_ON, NULL, 0);
    for (unsigned n = 50; n <= 400; n *= 8) {
        for (; made < n; made++) {
            (void)snprintf(path, sizeof(path), "/devices/virtual/block/loop%u", LOOP_FROM + made);
            (void)snprintf(number, sizeof(number), "7:%u", LOOP_FROM + made);
            fake_block_disk(&x->f, path, number, 100, "0\n");
            (void)snprintf(path, sizeof(path), "class/block/loop%u/loop/backing_file", LOOP_FROM + made);
            fake_block_set(&x->f, path, "/home/u/image\n");
        }
        first = first > 0 ? first : last;
        last = processor_time();
        for (unsigned i = 0; i < 3; i++)
            assert_int_equal(block_manager_tick(x->b, 2), 0);
        last = processor_time() - last;
    }
    print_message("three ticks: %.4f s with 50 loop devices, %.4f s with 400\n", first, last);
    assert_true(first > 0 && last < first * 24);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_too_many, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_no_directory, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_no_mounts, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_not_published, fixture_setup, fixture_teardown),
        cmocka_unit_test_setup_teardown(test_loops_are_not_compared, fixture_setup, fixture_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
