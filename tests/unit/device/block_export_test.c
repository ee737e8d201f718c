/* A medium that is written to for a while: hidden, open, closed and shown again. */
#include "unit/device/block_fixture.h"

#include <errno.h>

static void test_export(void **state)
{
    struct fixture *x = *state;
    unsigned changed;

    fixture_start(x, EXIT_MODE_ON, NULL, 0);
    fixture_plug(x, "5\n");
    assert_true(fake_block_exists(&x->f, "run/media/sdb1-5"));
    assert_int_equal(block_manager_set_export(x->b, makedev(9, 9), MEDIUM_EXPORT_CLOSED, 2), -ENODEV);
    fake_block_properties(&x->f, "sdb1")->known = true;
    changed = x->changed;
    assert_int_equal(block_manager_set_export(x->b, makedev(8, 17), MEDIUM_EXPORT_CLOSED, 2), 0);
    assert_false(fake_block_exists(&x->f, "run/media/sdb1-5"));
    assert_int_equal(x->changed, changed + 1); /* its mounts go */
    assert_false(block_manager_is_hidden(x->b, makedev(8, 17)));
    fake_block_properties(&x->f, "sdb1")->hidden = true;
    assert_true(block_manager_is_hidden(x->b, makedev(8, 17)));
    /* A new look changes nothing. */
    assert_int_equal(block_manager_event(x->b, "change", "sdb1", 3), 0);
    assert_int_equal(block_manager_tick(x->b, 3), 0);
    assert_false(fake_block_exists(&x->f, "run/media/sdb1-5"));
    /* Not open yet: a cleared flag is an alarm. */
    fake_block_set(&x->f, "class/block/sdb1/ro", "0\n");
    assert_int_equal(block_manager_tick(x->b, 4), 0);
    assert_int_equal(x->reports[BLOCK_REPORT_REASSERTED], 1);
    assert_int_equal(block_manager_set_export(x->b, makedev(8, 17), MEDIUM_EXPORT_OPENING, 5), 0);
    fake_block_set(&x->f, "class/block/sdb/ro", "0\n");
    fake_block_set(&x->f, "class/block/sdb1/ro", "0\n");
    assert_int_equal(block_manager_tick(x->b, 6), 0);
    assert_int_equal(block_read_only(x->f.sysfs, "sdb1"), 0);
    assert_int_equal(block_read_only(x->f.sysfs, "sdb"), 0);
    assert_int_equal(x->reports[BLOCK_REPORT_REASSERTED], 1);
    /* Left open by whoever opened it: closed, with an alarm. */
    assert_int_equal(block_manager_set_export(x->b, makedev(8, 17), MEDIUM_EXPORT_CLOSED, 7), 0);
    assert_int_equal(block_read_only(x->f.sysfs, "sdb1"), 1);
    assert_int_equal(block_read_only(x->f.sysfs, "sdb"), 1);
    assert_int_equal(x->reports[BLOCK_REPORT_REASSERTED], 3);
    assert_int_equal(block_manager_set_export(x->b, makedev(8, 17), MEDIUM_EXPORT_NONE, 8), 0);
    assert_true(fake_block_exists(&x->f, "run/media/sdb1-5"));
}

/* Begun under another kuraband: not shown for one moment, until somebody says that it may be. */
static void test_held_from_its_first_sight(void **state)
{
    struct fixture *x = *state;

    x->held = "loop7-5";
    fake_block_set(&x->f, LOOP "/diskseq", "5\n");
    fixture_start(x, EXIT_MODE_ON, (const char *const[]){"/dev/loop7"}, 1);
    assert_int_equal(x->verdict.kind, VERDICT_ALLOW);
    assert_false(fake_block_exists(&x->f, "run/media/loop7-5"));
    assert_int_equal(fixture_medium(x, 7, 7)->exporting, MEDIUM_EXPORT_CLOSED);
    x->held = "sdb1-6"; /* asked once */
    assert_int_equal(block_manager_tick(x->b, 2), 0);
    assert_false(fake_block_exists(&x->f, "run/media/loop7-5"));
    assert_int_equal(block_manager_set_export(x->b, makedev(7, 7), MEDIUM_EXPORT_NONE, 3), 0);
    assert_true(fake_block_exists(&x->f, "run/media/loop7-5"));
    x->held = "loop7-5";
    assert_int_equal(block_manager_tick(x->b, 4), 0);
    assert_true(fake_block_exists(&x->f, "run/media/loop7-5"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_export),
        TEST(test_held_from_its_first_sight),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
