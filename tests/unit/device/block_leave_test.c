/* Media that are pulled out, at whatever moment, and what comes in their place. */
#include "unit/device/block_fixture.h"

#include <errno.h>

#include "base/cleanup.h"

static void pull_names(struct fake_block *f, const char *name)
{
    (void)name;
    fake_block_remove(f, "sdb1");
    fake_block_remove(f, "sdb");
    f->on_set = NULL;
}

static void pull_number(struct fake_block *f, const char *name)
{
    (void)name;
    fake_block_set(f, STICK "/dev", NULL);
    fake_block_set(f, STICK "/sdb1/dev", NULL);
}

static void pull_capacity(struct fake_block *f, const char *name)
{
    (void)name;
    fake_block_set(f, STICK "/size", "0\n");
    fake_block_set(f, STICK "/sdb1/size", "0\n");
}

static void pull_and_plug_another(struct fake_block *f, const char *name)
{
    (void)name;
    fake_block_set(f, STICK "/diskseq", "6\n");
}

static void pull_and_number_another(struct fake_block *f, const char *name)
{
    (void)name;
    fake_block_set(f, STICK "/dev", "8:32\n");
    fake_block_set(f, STICK "/sdb1/dev", "8:33\n");
}

static void (*const pulls[])(struct fake_block *, const char *) = {pull_names, pull_number, pull_capacity,
                                                                   pull_and_plug_another, pull_and_number_another};

/* The node goes before udevd tells of it, and the flag is looked at meanwhile: nothing failed, the medium is gone. */
static void test_pulled_while_it_is_looked_at(void **state)
{
    struct fixture *x = *state;

    for (size_t i = 0; i < ELEMENTS(pulls); i++) {
        unsigned removed = x->reports[BLOCK_REPORT_REMOVED];

        x->f.set_error = 0;
        x->f.on_set = NULL;
        if (!x->b)
            fixture_start(x, EXIT_MODE_ON, NULL, 0);
        fixture_plug(x, "5\n");
        assert_non_null(fixture_medium(x, 8, 17));
        /* Somebody cleared the flags, or so it seems. */
        fake_block_set(&x->f, STICK "/ro", "0\n");
        fake_block_set(&x->f, STICK "/sdb1/ro", "0\n");
        x->f.set_error = i == 0 ? -ENOENT : i == 1 ? -ENXIO : -ENODEV;
        x->f.on_set = pulls[i];
        assert_int_equal(block_manager_event(x->b, "change", "sda", 2), 0);
        if (fixture_medium(x, 8, 17) || block_manager_count(x->b) > 0)
            fail_msg("way %zu: it is still known", i);
        assert_int_equal(x->reports[BLOCK_REPORT_FAILED], 0);
        assert_int_equal(x->reports[BLOCK_REPORT_REASSERTED], 0);
        assert_int_equal(x->reports[BLOCK_REPORT_REMOVED], removed + 1);
        if (i > 0)
            pull_names(&x->f, "");
        assert_int_equal(block_manager_event(x->b, "remove", "sdb1", 3), 0);
        assert_int_equal(block_manager_event(x->b, "remove", "sdb", 3), 0);
        assert_int_equal(x->reports[BLOCK_REPORT_REMOVED], removed + 1); /* told once */
        assert_false(fake_block_exists(&x->f, "run/media/sdb1-5"));
    }
}

/* Gone before the first look was over: nothing was decided, so nothing is told. */
static void test_pulled_on_arrival(void **state)
{
    struct fixture *x = *state;

    fixture_start(x, EXIT_MODE_ON, NULL, 0);
    x->f.set_error = -ENOENT;
    x->f.on_set = pull_names;
    fixture_plug(x, "5\n");
    assert_int_equal(block_manager_count(x->b), 0);
    for (size_t i = 0; i < ELEMENTS(x->reports); i++)
        assert_int_equal(x->reports[i], 0);
}

/* The next medium took the name with a clear flag: that is no meddling with the one before, and the next one is closed. */
static void test_the_next_one_is_closed(void **state)
{
    struct fixture *x = *state;

    fixture_start(x, EXIT_MODE_ON, NULL, 0);
    fixture_plug(x, "5\n");
    fake_block_set(&x->f, STICK "/diskseq", "6\n");
    fake_block_set(&x->f, STICK "/ro", "0\n");
    fake_block_set(&x->f, STICK "/sdb1/ro", "0\n");
    assert_int_equal(block_manager_event(x->b, "change", "sda", 2), 0);
    assert_int_equal(x->reports[BLOCK_REPORT_REASSERTED], 0);
    assert_int_equal(x->reports[BLOCK_REPORT_REMOVED], 1);
    assert_int_equal(block_read_only(x->f.sysfs, "sdb"), 1);
    assert_int_equal(block_read_only(x->f.sysfs, "sdb1"), 1);
    assert_int_equal(block_manager_event(x->b, "add", "sdb1", 3), 0);
    assert_string_equal(x->last, "sdb1-6");
}

/* Errors of a leaving device on one that stays. */
static void test_a_missing_node_is_an_alarm(void **state)
{
    static const int errors[] = {-ENOENT, -ENODEV, -ENXIO};
    struct fixture *x = *state;

    fixture_start(x, EXIT_MODE_ON, NULL, 0);
    for (size_t i = 0; i < ELEMENTS(errors); i++) {
        x->f.set_error = errors[i];
        fixture_plug(x, "5\n");
        assert_int_equal(x->reports[BLOCK_REPORT_FAILED], 2 * (i + 1));
        assert_int_equal(fixture_medium(x, 8, 17)->verdict.kind, VERDICT_DENY);
        pull_names(&x->f, "");
        assert_int_equal(block_manager_tick(x->b, 2), 0);
    }
}

static void test_removal_and_another_medium(void **state)
{
    struct fixture *x = *state;

    fixture_start(x, EXIT_MODE_ON, NULL, 0);
    fixture_plug(x, "5\n");
    /* The same name, another disk: what was allowed does not carry over without a new decision. */
    x->stick.allow = POLICY_REFUSE;
    fake_block_set(&x->f, STICK "/diskseq", "6\n");
    assert_int_equal(block_manager_tick(x->b, 2), 0);
    assert_int_equal(x->reports[BLOCK_REPORT_REMOVED], 1);
    assert_string_equal(x->last, "sdb1-6");
    assert_false(fake_block_exists(&x->f, "run/media/sdb1-5"));
    assert_false(fake_block_exists(&x->f, "run/media/sdb1-6"));
    /* A lost remove event is found by the tick, a present one by the event. */
    fake_block_remove(&x->f, "sdb1");
    assert_int_equal(block_manager_tick(x->b, 3), 0);
    assert_null(fixture_medium(x, 8, 17));
    fake_block_remove(&x->f, "sdb");
    assert_int_equal(block_manager_event(x->b, "remove", "sdb", 4), 0);
    assert_int_equal(block_manager_count(x->b), 0);
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_pulled_while_it_is_looked_at), TEST(test_pulled_on_arrival),
        TEST(test_the_next_one_is_closed),       TEST(test_a_missing_node_is_an_alarm),
        TEST(test_removal_and_another_medium),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
