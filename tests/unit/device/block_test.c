/* What may be done with a medium: decided, kept read-only, told, decided again. */
#include "unit/device/block_fixture.h"

#include <errno.h>

static void test_allowed_stick(void **state)
{
    struct fixture *x = *state;
    const struct medium *m;

    fixture_start(x, EXIT_MODE_ON, NULL, 0);
    assert_int_equal(block_manager_count(x->b), 0);
    fixture_plug(x, "5\n");
    assert_int_equal(x->reports[BLOCK_REPORT_DECIDED], 1); /* the disk with partitions is not a medium of its own */
    assert_string_equal(x->last, "sdb1-5");
    m = fixture_medium(x, 8, 17);
    assert_non_null(m);
    assert_int_equal(m->verdict.kind, VERDICT_ALLOW);
    assert_string_equal(m->verdict.rule, "stick");
    assert_string_equal(m->filesystem, "vfat");
    assert_string_equal(m->usb, USB);
    assert_int_equal(m->capacity, 1900 * 512);
    /* Allowed or not: read-only, disk and partition. */
    assert_int_equal(block_read_only(x->f.sysfs, "sdb"), 1);
    assert_int_equal(block_read_only(x->f.sysfs, "sdb1"), 1);
    assert_int_equal(block_read_only(x->f.sysfs, "sda"), 0);
    assert_int_equal(block_read_only(x->f.sysfs, "loop7"), 0);
    assert_true(fake_block_exists(&x->f, "run/media/sdb1-5"));
    assert_true(fake_block_exists(&x->f, "run/media/sdb-5"));
    assert_true(x->f.triggers > 0);
    assert_true(x->changed > 0);
    /* Its own change events lead to nothing more. */
    unsigned triggers = x->f.triggers, sets = x->f.sets;
    for (int i = 0; i < 3; i++)
        assert_int_equal(block_manager_event(x->b, "change", "sdb1", 1), 0);
    assert_int_equal(x->f.triggers, triggers);
    assert_int_equal(x->f.sets, sets);
    assert_int_equal(x->reports[BLOCK_REPORT_DECIDED], 1);
}

static void test_refused_stick(void **state)
{
    struct fixture *x = *state;

    x->usb_rule = NULL; /* the USB side did not authorize it */
    x->rule.allow = POLICY_REFUSE;
    fixture_start(x, EXIT_MODE_ON, NULL, 0);
    fixture_plug(x, "5\n");
    assert_int_equal(fixture_medium(x, 8, 17)->verdict.kind, VERDICT_DENY);
    assert_int_equal(block_read_only(x->f.sysfs, "sdb1"), 1);
    assert_false(fake_block_exists(&x->f, "run/media/sdb1-5"));
    assert_false(fake_block_exists(&x->f, "run/media/sdb-5"));
}

static void test_no_policy_refuses(void **state)
{
    struct fixture *x = *state;

    fixture_start(x, EXIT_MODE_ON, NULL, 0);
    fixture_plug(x, "5\n");
    assert_int_equal(block_manager_set_policy(x->b, NULL, 1), 0);
    assert_int_equal(fixture_medium(x, 8, 17)->verdict.kind, VERDICT_DENY);
    assert_string_equal(x->rule_id, "default");
    assert_false(fake_block_exists(&x->f, "run/media/sdb1-5"));
}

static void test_reasserts_with_an_alarm(void **state)
{
    struct fixture *x = *state;

    fixture_start(x, EXIT_MODE_ON, NULL, 0);
    fixture_plug(x, "5\n");
    assert_int_equal(x->reports[BLOCK_REPORT_REASSERTED], 0); /* setting it the first time is no alarm */
    fake_block_set(&x->f, "class/block/sdb1/ro", "0\n");
    assert_int_equal(block_manager_tick(x->b, 2), 0);
    assert_int_equal(x->reports[BLOCK_REPORT_REASSERTED], 1);
    assert_string_equal(x->last, "sdb1-5");
    assert_int_equal(block_read_only(x->f.sysfs, "sdb1"), 1);
    /* An event of the disk notices the partition's flag as well. */
    fake_block_set(&x->f, "class/block/sdb1/ro", "0\n");
    assert_int_equal(block_manager_event(x->b, "change", "sdb", 3), 0);
    assert_int_equal(x->reports[BLOCK_REPORT_REASSERTED], 2);
    assert_int_equal(block_manager_tick(x->b, 4), 0);
    assert_int_equal(x->reports[BLOCK_REPORT_REASSERTED], 2);
}

static void test_refused_when_it_cannot_be_made_read_only(void **state)
{
    struct fixture *x = *state;

    fixture_start(x, EXIT_MODE_ON, NULL, 0);
    x->f.set_error = -EACCES;
    fixture_plug(x, "5\n");
    assert_int_equal(x->reports[BLOCK_REPORT_FAILED], 2); /* disk and partition, once each */
    assert_int_equal(fixture_medium(x, 8, 17)->verdict.kind, VERDICT_DENY);
    assert_int_equal(fixture_medium(x, 8, 17)->verdict.reason, REASON_WRITE);
    assert_false(fake_block_exists(&x->f, "run/media/sdb1-5"));
    assert_int_equal(block_manager_tick(x->b, 2), 0);
    assert_int_equal(x->reports[BLOCK_REPORT_FAILED], 2);
    x->f.set_error = 0;
    assert_int_equal(block_manager_tick(x->b, 3), 0);
    assert_int_equal(fixture_medium(x, 8, 17)->verdict.kind, VERDICT_ALLOW);
    assert_true(fake_block_exists(&x->f, "run/media/sdb1-5"));
}

/* What time, people or policy change is changed at what is plugged in. */
static void test_redecides(void **state)
{
    struct fixture *x = *state;
    const gid_t gid = 500;
    const struct decide_person person = {.uid = 1000, .login_uid = 1000, .gids = &gid, .n_gids = 1};
    uid_t uids[] = {1000};

    fixture_start(x, EXIT_MODE_ON, NULL, 0);
    fixture_plug(x, "5\n");
    x->stick.who = (struct policy_who){.uids = uids, .n_uids = 1, .restricted = true};
    assert_int_equal(block_manager_tick(x->b, 2), 0);
    assert_int_equal(fixture_medium(x, 8, 17)->verdict.kind, VERDICT_DENY);
    assert_false(fake_block_exists(&x->f, "run/media/sdb1-5"));
    assert_int_equal(block_manager_set_persons(x->b, &person, 1, 3), 0);
    assert_int_equal(fixture_medium(x, 8, 17)->verdict.kind, VERDICT_ALLOW);
    assert_int_equal(block_manager_set_persons(x->b, NULL, 0, 4), 0);
    assert_int_equal(fixture_medium(x, 8, 17)->verdict.kind, VERDICT_DENY);
}

/* A new policy with the same rule and outcome may still say something else of execution or of who reads. */
static void test_redecides_what_the_rule_grants(void **state)
{
    struct fixture *x = *state;
    struct policy_medium_rule second = {.id = (char *)(uintptr_t) "second", .allow = POLICY_READ};

    x->policy.media.exec = true;
    fixture_start(x, EXIT_MODE_ON, NULL, 0);
    fixture_plug(x, "5\n");
    assert_int_equal(fixture_medium(x, 8, 17)->verdict.exec, true);
    struct policy next = x->policy;
    next.refs = 1;
    next.media.exec = false;
    next.media.rules = &second;
    assert_int_equal(block_manager_set_policy(x->b, &next, 2), 0);
    assert_int_equal(fixture_medium(x, 8, 17)->verdict.kind, VERDICT_ALLOW);
    assert_int_equal(fixture_medium(x, 8, 17)->verdict.exec, false);
    assert_string_equal(fixture_medium(x, 8, 17)->verdict.medium_rule, "second");
    assert_int_equal(block_manager_set_policy(x->b, &x->policy, 3), 0);
    assert_int_equal(fixture_medium(x, 8, 17)->verdict.exec, true);
}

static void test_monitor_mode(void **state)
{
    struct fixture *x = *state;

    x->stick.allow = POLICY_REFUSE;
    fixture_start(x, EXIT_MODE_ON, NULL, 0);
    fixture_plug(x, "5\n");
    assert_int_equal(block_read_only(x->f.sysfs, "sdb1"), 1);
    struct policy watching = x->policy;
    watching.refs = 1;
    watching.mode = POLICY_MONITOR;
    assert_int_equal(block_manager_set_policy(x->b, &watching, 2), 0);
    assert_int_equal(block_manager_mode(x->b), EXIT_MODE_MONITOR);
    assert_int_equal(exit_run_mode(x->f.run), EXIT_MODE_MONITOR);
    assert_int_equal(x->verdict.kind, VERDICT_ALLOW);
    assert_int_equal(x->verdict.ruled, VERDICT_DENY);
    assert_int_equal(block_read_only(x->f.sysfs, "sdb1"), 0);
    assert_int_equal(x->reports[BLOCK_REPORT_REASSERTED], 0);
    /* And back. */
    assert_int_equal(block_manager_set_policy(x->b, &x->policy, 3), 0);
    assert_int_equal(exit_run_mode(x->f.run), EXIT_MODE_ON);
    assert_int_equal(block_read_only(x->f.sysfs, "sdb1"), 1);
    assert_false(fake_block_exists(&x->f, "run/media/sdb1-5"));
    assert_int_equal(watching.refs, 1);
}

/* A write-protect switch is not ours to clear. */
static void test_monitor_leaves_foreign_flags(void **state)
{
    struct fixture *x = *state;

    x->policy.mode = POLICY_MONITOR;
    fake_block_disk(&x->f, STICK, "8:16", 2000, "1\n");
    fake_block_set(&x->f, STICK "/ro", "1\n");
    fixture_start(x, EXIT_MODE_ON, NULL, 0);
    assert_int_equal(block_read_only(x->f.sysfs, "sdb"), 1);
    assert_int_equal(x->f.sets, 0);
    fake_block_properties(&x->f, "sdb")->helper_read_only = true; /* this one is */
    assert_int_equal(block_manager_tick(x->b, 2), 0);
    assert_int_equal(block_read_only(x->f.sysfs, "sdb"), 0);
}

static void test_listed_touches_nothing_else(void **state)
{
    static const char *const exits[] = {"/dev/loop7"};
    struct fixture *x = *state;

    fake_block_disk(&x->f, STICK, "8:16", 2000, "1\n");
    fixture_start(x, EXIT_MODE_LISTED, exits, 1);
    assert_int_equal(block_manager_count(x->b), 1);
    assert_string_equal(block_manager_at(x->b, 0)->name, "loop7");
    assert_int_equal(block_read_only(x->f.sysfs, "loop7"), 1);
    assert_int_equal(block_read_only(x->f.sysfs, "sdb"), 0);
    assert_int_equal(block_manager_event(x->b, "change", "sdb", 2), 0);
    assert_int_equal(x->f.sets, 1);
    assert_false(block_manager_filesystems(x->b));
    assert_int_equal(block_manager_release(x->b), 0);
    assert_int_equal(block_read_only(x->f.sysfs, "loop7"), 0);
    assert_false(fake_block_exists(&x->f, "run/media/loop7-1"));
}

static void test_off(void **state)
{
    struct fixture *x = *state;

    fake_block_disk(&x->f, STICK, "8:16", 2000, "1\n");
    fixture_start(x, EXIT_MODE_OFF, NULL, 0);
    assert_int_equal(block_manager_event(x->b, "change", "sdb", 2), 0);
    assert_int_equal(block_manager_tick(x->b, 2), 0);
    assert_int_equal(block_manager_count(x->b), 0);
    assert_int_equal(x->f.sets + x->f.triggers, 0);
    assert_int_equal(exit_run_mode(x->f.run), EXIT_MODE_OFF);
}

/* A rule for one node adds it; a pattern must not turn the terminal's own disks read-only. */
static void test_policy_adds_a_node(void **state)
{
    struct fixture *x = *state;
    char *paths[] = {(char *)(uintptr_t) "/dev/loop7", (char *)(uintptr_t) "/dev/sd*"};

    x->rule.match.paths = (struct policy_strings){.items = paths, .n = 2, .op = POLICY_SET_ONE_OF};
    fixture_start(x, EXIT_MODE_ON, NULL, 0);
    assert_int_equal(block_manager_count(x->b), 1);
    assert_int_equal(block_read_only(x->f.sysfs, "loop7"), 1);
    assert_int_equal(block_read_only(x->f.sysfs, "sda"), 0);
    assert_true(fake_block_exists(&x->f, "run/exits.list"));
    assert_true(fake_block_exists(&x->f, "state/exits.list"));
}

/* Without udevd the type is known when it is mounted, and what it is mounted as counts. */
static void test_learns_the_filesystem(void **state)
{
    struct fixture *x = *state;
    static const char *const exits[] = {"loop7"};
    char *types[] = {(char *)(uintptr_t) "ext4"};
    const struct medium *m;

    x->rule.match.filesystems = (struct policy_strings){.items = types, .n = 1, .op = POLICY_SET_ONE_OF};
    fixture_start(x, EXIT_MODE_LISTED, exits, 1);
    assert_int_equal(fixture_medium(x, 7, 7)->verdict.kind, VERDICT_DENY);
    assert_int_equal(fixture_medium(x, 7, 7)->verdict.reason, REASON_FILESYSTEM);
    m = block_manager_learn(x->b, makedev(7, 7), "ext4", 2);
    assert_int_equal(m->verdict.kind, VERDICT_ALLOW);
    assert_true(m->permitted);
    assert_int_equal(block_manager_tick(x->b, 3), 0);
    assert_int_equal(fixture_medium(x, 7, 7)->verdict.kind, VERDICT_ALLOW);
    m = block_manager_learn(x->b, makedev(7, 7), "btrfs", 4);
    assert_int_equal(m->verdict.kind, VERDICT_DENY);
    assert_null(block_manager_learn(x->b, makedev(8, 0), "ext4", 5));
}

static void test_mapped_on_top(void **state)
{
    struct fixture *x = *state;
    const struct medium *m;

    x->stick.medium.luks_only = true;
    fixture_start(x, EXIT_MODE_ON, NULL, 0);
    fixture_plug(x, "5\n");
    assert_int_equal(fixture_medium(x, 8, 17)->verdict.reason, REASON_ENCRYPTION);
    (void)snprintf(fake_block_properties(&x->f, "sdb1")->filesystem, BLOCK_TEXT_SIZE, "crypto_LUKS");
    assert_int_equal(block_manager_event(x->b, "change", "sdb1", 2), 0);
    assert_int_equal(fixture_medium(x, 8, 17)->verdict.kind, VERDICT_ALLOW);
    fake_block_disk(&x->f, "/devices/virtual/block/dm-0", "253:0", 1800, "0\n");
    fake_block_set(&x->f, "class/block/dm-0/dm/uuid", "CRYPT-LUKS2-1\n");
    fake_block_slave(&x->f, "dm-0", "sdb1");
    assert_int_equal(block_manager_event(x->b, "change", "dm-0", 3), 0);
    m = fixture_medium(x, 253, 0);
    assert_non_null(m);
    assert_true(m->inside_luks);
    assert_int_equal(m->verdict.kind, VERDICT_ALLOW);
    assert_int_equal(block_read_only(x->f.sysfs, "dm-0"), 1);
    fake_block_set(&x->f, "class/block/dm-0/ro", "0\n");
    assert_int_equal(block_manager_event(x->b, "change", "sdb", 4), 0);
    assert_int_equal(block_read_only(x->f.sysfs, "dm-0"), 1);
    assert_int_equal(x->reports[BLOCK_REPORT_REASSERTED], 1);
}

/* The device's rule, a media rule or both ask for an unlocking: hidden until each has its own grant, and again when one ends. */
static void test_unlocked(void **state)
{
    struct fixture *x = *state;
    const struct policy_unlock unlock = {.needed = true, .factors = POLICY_FACTOR_TOTP, .for_us = 1};

    fixture_start(x, EXIT_MODE_ON, NULL, 0);
    x->stick.unlock = unlock;
    fixture_plug(x, "5\n");
    assert_int_equal(fixture_medium(x, 8, 17)->verdict.reason, REASON_LOCKED);
    assert_false(fixture_medium(x, 8, 17)->permitted);
    x->medium_grant = "stick"; /* a grant for the medium under the rule of its device is none */
    assert_int_equal(block_manager_tick(x->b, 2), 0);
    assert_false(fixture_medium(x, 8, 17)->permitted);
    x->usb_grant = "stick";
    assert_int_equal(block_manager_tick(x->b, 2), 0);
    assert_true(fixture_medium(x, 8, 17)->permitted);
    assert_int_equal(x->verdict.n_holders, 1);
    assert_int_equal(x->verdict.holders[0], 1001);
    x->rule.unlock = unlock; /* "loops" speaks of every medium */
    assert_int_equal(block_manager_tick(x->b, 3), 0);
    assert_int_equal(fixture_medium(x, 8, 17)->verdict.reason, REASON_LOCKED);
    assert_string_equal(fixture_medium(x, 8, 17)->verdict.rule, "loops");
    assert_false(fixture_medium(x, 8, 17)->permitted);
    x->medium_grant = "loops";
    assert_int_equal(block_manager_tick(x->b, 4), 0);
    assert_true(fixture_medium(x, 8, 17)->permitted);
    assert_int_equal(fixture_medium(x, 8, 17)->verdict.n_holders, 2);
    x->usb_grant = NULL;
    assert_int_equal(block_manager_tick(x->b, 5), 0);
    assert_int_equal(fixture_medium(x, 8, 17)->verdict.reason, REASON_LOCKED);
    assert_false(fixture_medium(x, 8, 17)->permitted);
    /* Another medium in the same slot. */
    x->stick.unlock.needed = false;
    assert_int_equal(block_manager_tick(x->b, 6), 0);
    assert_true(fixture_medium(x, 8, 17)->permitted);
    fake_block_set(&x->f, STICK "/diskseq", "6\n");
    assert_int_equal(block_manager_tick(x->b, 7), 0);
    assert_string_equal(fixture_medium(x, 8, 17)->id, "sdb1-6");
    assert_int_equal(fixture_medium(x, 8, 17)->verdict.reason, REASON_LOCKED);
    assert_false(fixture_medium(x, 8, 17)->permitted);
}

/* Permissions of an earlier run do not outlive their media. */
static void test_stale_permissions_are_swept(void **state)
{
    struct fixture *x = *state;

    assert_int_equal(exit_run_permit(x->f.run, "sdz1-77", true), 1);
    fixture_start(x, EXIT_MODE_ON, NULL, 0);
    assert_false(fake_block_exists(&x->f, "run/media/sdz1-77"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_allowed_stick),
        TEST(test_refused_stick),
        TEST(test_no_policy_refuses),
        TEST(test_reasserts_with_an_alarm),
        TEST(test_refused_when_it_cannot_be_made_read_only),
        TEST(test_redecides),
        TEST(test_redecides_what_the_rule_grants),
        TEST(test_monitor_mode),
        TEST(test_monitor_leaves_foreign_flags),
        TEST(test_listed_touches_nothing_else),
        TEST(test_off),
        TEST(test_policy_adds_a_node),
        TEST(test_learns_the_filesystem),
        TEST(test_mapped_on_top),
        TEST(test_unlocked),
        TEST(test_stale_permissions_are_swept),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
