#include "device/block.h"

#include "test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "base/cleanup.h"
#include "fake/sysfs_block.h"

#define USB "/devices/pci0/usb1/1-2"
#define STICK USB "/host2/block/sdb"
#define LOOP "/devices/virtual/block/loop7"

/* The manager with everything it talks to, and what it reported. */
struct fixture {
    struct fake_block f;
    struct block_manager *b;
    struct policy policy;
    struct policy_medium_rule rule;
    const char *usb_rule;
    unsigned reports[4], changed;
    char last[EXIT_ID_SIZE];
    struct verdict verdict;               /* of the last DECIDED */
    const char *usb_grant, *medium_grant; /* rules unlocked for 1001 and 1002; the medium is sdb1-5 */
    char rule_id[64];
};

static void on_report(void *context, enum block_report what, const struct medium *m, const char *message)
{
    struct fixture *x = context;

    (void)message;
    x->reports[what]++;
    (void)snprintf(x->last, sizeof(x->last), "%s", m->id);
    if (what == BLOCK_REPORT_DECIDED) {
        x->verdict = m->verdict;
        (void)snprintf(x->rule_id, sizeof(x->rule_id), "%s", m->verdict.rule);
    }
}

static const char *on_usb_rule(void *context, const char *syspath)
{
    struct fixture *x = context;

    return strcmp(syspath, USB) == 0 ? x->usb_rule : NULL;
}

static bool on_granted(void *context, const struct medium *m, bool usb, const char *rule, uid_t *ret_holder)
{
    const struct fixture *x = context;
    const char *grant = usb ? x->usb_grant : x->medium_grant;

    *ret_holder = usb ? 1001 : 1002;
    return grant && strcmp(grant, rule) == 0 && (usb ? strcmp(m->usb, USB) == 0 : strcmp(m->id, "sdb1-5") == 0);
}

static void on_changed(void *context, int64_t wall_us)
{
    struct fixture *x = context;

    (void)wall_us;
    x->changed++;
}

static struct policy_usb_rule usb_rules[1];

static void start(struct fixture *x, enum exit_mode mode, const char *const *exits, size_t n)
{
    const struct block_manager_config config = {.mode = mode,
                                                .sysfs = x->f.sysfs,
                                                .proc = x->f.proc,
                                                .run = x->f.run,
                                                .state = x->f.state,
                                                .ops = x->f.ops,
                                                .exits = exits,
                                                .n_exits = n,
                                                .usb_rule_of = on_usb_rule,
                                                .granted = on_granted,
                                                .report = on_report,
                                                .context = x};

    assert_int_equal(block_manager_new(&config, &x->policy, 1, &x->b), 0);
    block_manager_listen(x->b, on_changed, x);
}

static int setup(void **state)
{
    struct fixture *x = calloc(1, sizeof(*x));

    fake_block_init(&x->f);
    fake_block_subsystem(&x->f, "/devices/pci0/usb1", "usb");
    fake_block_subsystem(&x->f, USB, "usb");
    fake_block_disk(&x->f, LOOP, "7:7", 100, "0\n");
    fake_block_disk(&x->f, "/devices/pci0/ata1/block/sda", "8:0", 100, "0\n");
    /* Loop devices may be read; sticks when the rule that authorized them allows. */
    x->rule = (struct policy_medium_rule){.id = (char *)(uintptr_t) "loops", .allow = POLICY_READ};
    usb_rules[0] = (struct policy_usb_rule){.id = (char *)(uintptr_t) "stick", .allow = POLICY_READ};
    x->policy = (struct policy){.refs = 1, .usb = usb_rules, .n_usb = 1};
    x->policy.media.rules = &x->rule;
    x->policy.media.n_rules = 1;
    x->usb_rule = "stick";
    *state = x;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *x = *state;

    block_manager_free(x->b);
    assert_int_equal(x->policy.refs, 1);
    fake_block_done(&x->f);
    free(x);
    return 0;
}

static void plug(struct fixture *x, const char *diskseq)
{
    fake_block_disk(&x->f, STICK, "8:16", 2000, "1\n");
    fake_block_set(&x->f, STICK "/diskseq", diskseq);
    fake_block_partition(&x->f, STICK, "sdb1", "8:17", 1900);
    (void)snprintf(fake_block_properties(&x->f, "sdb1")->filesystem, BLOCK_TEXT_SIZE, "vfat");
    assert_int_equal(block_manager_event(x->b, "add", "sdb", 1), 0);
    assert_int_equal(block_manager_event(x->b, "add", "sdb1", 1), 0);
}

static const struct medium *medium(struct fixture *x, unsigned major_, unsigned minor_)
{
    return block_manager_find(x->b, makedev(major_, minor_));
}

static void test_allowed_stick(void **state)
{
    struct fixture *x = *state;
    const struct medium *m;

    start(x, EXIT_MODE_ON, NULL, 0);
    assert_int_equal(block_manager_count(x->b), 0);
    plug(x, "5\n");
    assert_int_equal(x->reports[BLOCK_REPORT_DECIDED], 1); /* the disk with partitions is not a medium of its own */
    assert_string_equal(x->last, "sdb1-5");
    m = medium(x, 8, 17);
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
    start(x, EXIT_MODE_ON, NULL, 0);
    plug(x, "5\n");
    assert_int_equal(medium(x, 8, 17)->verdict.kind, VERDICT_DENY);
    assert_int_equal(block_read_only(x->f.sysfs, "sdb1"), 1);
    assert_false(fake_block_exists(&x->f, "run/media/sdb1-5"));
    assert_false(fake_block_exists(&x->f, "run/media/sdb-5"));
}

static void test_no_policy_refuses(void **state)
{
    struct fixture *x = *state;

    start(x, EXIT_MODE_ON, NULL, 0);
    plug(x, "5\n");
    assert_int_equal(block_manager_set_policy(x->b, NULL, 1), 0);
    assert_int_equal(medium(x, 8, 17)->verdict.kind, VERDICT_DENY);
    assert_string_equal(x->rule_id, "default");
    assert_false(fake_block_exists(&x->f, "run/media/sdb1-5"));
}

static void test_reasserts_with_an_alarm(void **state)
{
    struct fixture *x = *state;

    start(x, EXIT_MODE_ON, NULL, 0);
    plug(x, "5\n");
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

static void test_export(void **state)
{
    struct fixture *x = *state;
    unsigned changed;

    start(x, EXIT_MODE_ON, NULL, 0);
    plug(x, "5\n");
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

static void test_refused_when_it_cannot_be_made_read_only(void **state)
{
    struct fixture *x = *state;

    start(x, EXIT_MODE_ON, NULL, 0);
    x->f.set_error = -EACCES;
    plug(x, "5\n");
    assert_int_equal(x->reports[BLOCK_REPORT_FAILED], 2); /* disk and partition, once each */
    assert_int_equal(medium(x, 8, 17)->verdict.kind, VERDICT_DENY);
    assert_int_equal(medium(x, 8, 17)->verdict.reason, REASON_WRITE);
    assert_false(fake_block_exists(&x->f, "run/media/sdb1-5"));
    assert_int_equal(block_manager_tick(x->b, 2), 0);
    assert_int_equal(x->reports[BLOCK_REPORT_FAILED], 2);
    x->f.set_error = 0;
    assert_int_equal(block_manager_tick(x->b, 3), 0);
    assert_int_equal(medium(x, 8, 17)->verdict.kind, VERDICT_ALLOW);
    assert_true(fake_block_exists(&x->f, "run/media/sdb1-5"));
}

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
            start(x, EXIT_MODE_ON, NULL, 0);
        plug(x, "5\n");
        assert_non_null(medium(x, 8, 17));
        /* Somebody cleared the flags, or so it seems. */
        fake_block_set(&x->f, STICK "/ro", "0\n");
        fake_block_set(&x->f, STICK "/sdb1/ro", "0\n");
        x->f.set_error = i == 0 ? -ENOENT : i == 1 ? -ENXIO : -ENODEV;
        x->f.on_set = pulls[i];
        assert_int_equal(block_manager_event(x->b, "change", "sda", 2), 0);
        if (medium(x, 8, 17) || block_manager_count(x->b) > 0)
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

    start(x, EXIT_MODE_ON, NULL, 0);
    x->f.set_error = -ENOENT;
    x->f.on_set = pull_names;
    plug(x, "5\n");
    assert_int_equal(block_manager_count(x->b), 0);
    for (size_t i = 0; i < ELEMENTS(x->reports); i++)
        assert_int_equal(x->reports[i], 0);
}

/* The next medium took the name with a clear flag: that is no meddling with the one before, and the next one is closed. */
static void test_the_next_one_is_closed(void **state)
{
    struct fixture *x = *state;

    start(x, EXIT_MODE_ON, NULL, 0);
    plug(x, "5\n");
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

    start(x, EXIT_MODE_ON, NULL, 0);
    for (size_t i = 0; i < ELEMENTS(errors); i++) {
        x->f.set_error = errors[i];
        plug(x, "5\n");
        assert_int_equal(x->reports[BLOCK_REPORT_FAILED], 2 * (i + 1));
        assert_int_equal(medium(x, 8, 17)->verdict.kind, VERDICT_DENY);
        pull_names(&x->f, "");
        assert_int_equal(block_manager_tick(x->b, 2), 0);
    }
}

static void test_removal_and_another_medium(void **state)
{
    struct fixture *x = *state;

    start(x, EXIT_MODE_ON, NULL, 0);
    plug(x, "5\n");
    /* The same name, another disk: what was allowed does not carry over without a new decision. */
    usb_rules[0].allow = POLICY_REFUSE;
    fake_block_set(&x->f, STICK "/diskseq", "6\n");
    assert_int_equal(block_manager_tick(x->b, 2), 0);
    assert_int_equal(x->reports[BLOCK_REPORT_REMOVED], 1);
    assert_string_equal(x->last, "sdb1-6");
    assert_false(fake_block_exists(&x->f, "run/media/sdb1-5"));
    assert_false(fake_block_exists(&x->f, "run/media/sdb1-6"));
    /* A lost remove event is found by the tick, a present one by the event. */
    fake_block_remove(&x->f, "sdb1");
    assert_int_equal(block_manager_tick(x->b, 3), 0);
    assert_null(medium(x, 8, 17));
    fake_block_remove(&x->f, "sdb");
    assert_int_equal(block_manager_event(x->b, "remove", "sdb", 4), 0);
    assert_int_equal(block_manager_count(x->b), 0);
}

/* What time, people or policy change is changed at what is plugged in. */
static void test_redecides(void **state)
{
    struct fixture *x = *state;
    const gid_t gid = 500;
    const struct decide_person person = {.uid = 1000, .login_uid = 1000, .gids = &gid, .n_gids = 1};
    uid_t uids[] = {1000};

    start(x, EXIT_MODE_ON, NULL, 0);
    plug(x, "5\n");
    usb_rules[0].who = (struct policy_who){.uids = uids, .n_uids = 1, .restricted = true};
    assert_int_equal(block_manager_tick(x->b, 2), 0);
    assert_int_equal(medium(x, 8, 17)->verdict.kind, VERDICT_DENY);
    assert_false(fake_block_exists(&x->f, "run/media/sdb1-5"));
    assert_int_equal(block_manager_set_persons(x->b, &person, 1, 3), 0);
    assert_int_equal(medium(x, 8, 17)->verdict.kind, VERDICT_ALLOW);
    assert_int_equal(block_manager_set_persons(x->b, NULL, 0, 4), 0);
    assert_int_equal(medium(x, 8, 17)->verdict.kind, VERDICT_DENY);
}

/* A new policy with the same rule and outcome may still say something else of execution or of who reads. */
static void test_redecides_what_the_rule_grants(void **state)
{
    struct fixture *x = *state;
    struct policy_medium_rule second = {.id = (char *)(uintptr_t) "second", .allow = POLICY_READ};

    x->policy.media.exec = true;
    start(x, EXIT_MODE_ON, NULL, 0);
    plug(x, "5\n");
    assert_int_equal(medium(x, 8, 17)->verdict.exec, true);
    struct policy next = x->policy;
    next.refs = 1;
    next.media.exec = false;
    next.media.rules = &second;
    assert_int_equal(block_manager_set_policy(x->b, &next, 2), 0);
    assert_int_equal(medium(x, 8, 17)->verdict.kind, VERDICT_ALLOW);
    assert_int_equal(medium(x, 8, 17)->verdict.exec, false);
    assert_string_equal(medium(x, 8, 17)->verdict.medium_rule, "second");
    assert_int_equal(block_manager_set_policy(x->b, &x->policy, 3), 0);
    assert_int_equal(medium(x, 8, 17)->verdict.exec, true);
}

static void test_monitor_mode(void **state)
{
    struct fixture *x = *state;

    usb_rules[0].allow = POLICY_REFUSE;
    start(x, EXIT_MODE_ON, NULL, 0);
    plug(x, "5\n");
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
    start(x, EXIT_MODE_ON, NULL, 0);
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
    start(x, EXIT_MODE_LISTED, exits, 1);
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
    start(x, EXIT_MODE_OFF, NULL, 0);
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
    start(x, EXIT_MODE_ON, NULL, 0);
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
    start(x, EXIT_MODE_LISTED, exits, 1);
    assert_int_equal(medium(x, 7, 7)->verdict.kind, VERDICT_DENY);
    assert_int_equal(medium(x, 7, 7)->verdict.reason, REASON_FILESYSTEM);
    m = block_manager_learn(x->b, makedev(7, 7), "ext4", 2);
    assert_int_equal(m->verdict.kind, VERDICT_ALLOW);
    assert_true(m->permitted);
    assert_int_equal(block_manager_tick(x->b, 3), 0);
    assert_int_equal(medium(x, 7, 7)->verdict.kind, VERDICT_ALLOW);
    m = block_manager_learn(x->b, makedev(7, 7), "btrfs", 4);
    assert_int_equal(m->verdict.kind, VERDICT_DENY);
    assert_null(block_manager_learn(x->b, makedev(8, 0), "ext4", 5));
}

static void test_mapped_on_top(void **state)
{
    struct fixture *x = *state;
    const struct medium *m;

    usb_rules[0].medium.luks_only = true;
    start(x, EXIT_MODE_ON, NULL, 0);
    plug(x, "5\n");
    assert_int_equal(medium(x, 8, 17)->verdict.reason, REASON_ENCRYPTION);
    (void)snprintf(fake_block_properties(&x->f, "sdb1")->filesystem, BLOCK_TEXT_SIZE, "crypto_LUKS");
    assert_int_equal(block_manager_event(x->b, "change", "sdb1", 2), 0);
    assert_int_equal(medium(x, 8, 17)->verdict.kind, VERDICT_ALLOW);
    fake_block_disk(&x->f, "/devices/virtual/block/dm-0", "253:0", 1800, "0\n");
    fake_block_set(&x->f, "class/block/dm-0/dm/uuid", "CRYPT-LUKS2-1\n");
    fake_block_slave(&x->f, "dm-0", "sdb1");
    assert_int_equal(block_manager_event(x->b, "change", "dm-0", 3), 0);
    m = medium(x, 253, 0);
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

    start(x, EXIT_MODE_ON, NULL, 0);
    usb_rules[0].unlock = unlock;
    plug(x, "5\n");
    assert_int_equal(medium(x, 8, 17)->verdict.reason, REASON_LOCKED);
    assert_false(medium(x, 8, 17)->permitted);
    x->medium_grant = "stick"; /* a grant for the medium under the rule of its device is none */
    assert_int_equal(block_manager_tick(x->b, 2), 0);
    assert_false(medium(x, 8, 17)->permitted);
    x->usb_grant = "stick";
    assert_int_equal(block_manager_tick(x->b, 2), 0);
    assert_true(medium(x, 8, 17)->permitted);
    assert_int_equal(x->verdict.n_holders, 1);
    assert_int_equal(x->verdict.holders[0], 1001);
    x->rule.unlock = unlock; /* "loops" speaks of every medium */
    assert_int_equal(block_manager_tick(x->b, 3), 0);
    assert_int_equal(medium(x, 8, 17)->verdict.reason, REASON_LOCKED);
    assert_string_equal(medium(x, 8, 17)->verdict.rule, "loops");
    assert_false(medium(x, 8, 17)->permitted);
    x->medium_grant = "loops";
    assert_int_equal(block_manager_tick(x->b, 4), 0);
    assert_true(medium(x, 8, 17)->permitted);
    assert_int_equal(medium(x, 8, 17)->verdict.n_holders, 2);
    x->usb_grant = NULL;
    assert_int_equal(block_manager_tick(x->b, 5), 0);
    assert_int_equal(medium(x, 8, 17)->verdict.reason, REASON_LOCKED);
    assert_false(medium(x, 8, 17)->permitted);
    /* Another medium in the same slot. */
    usb_rules[0].unlock.needed = false;
    assert_int_equal(block_manager_tick(x->b, 6), 0);
    assert_true(medium(x, 8, 17)->permitted);
    fake_block_set(&x->f, STICK "/diskseq", "6\n");
    assert_int_equal(block_manager_tick(x->b, 7), 0);
    assert_string_equal(medium(x, 8, 17)->id, "sdb1-6");
    assert_int_equal(medium(x, 8, 17)->verdict.reason, REASON_LOCKED);
    assert_false(medium(x, 8, 17)->permitted);
}

/* Permissions of an earlier run do not outlive their media. */
static void test_stale_permissions_are_swept(void **state)
{
    struct fixture *x = *state;

    assert_int_equal(exit_run_permit(x->f.run, "sdz1-77", true), 1);
    start(x, EXIT_MODE_ON, NULL, 0);
    assert_false(fake_block_exists(&x->f, "run/media/sdz1-77"));
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_allowed_stick),
        TEST(test_refused_stick),
        TEST(test_no_policy_refuses),
        TEST(test_reasserts_with_an_alarm),
        TEST(test_export),
        TEST(test_refused_when_it_cannot_be_made_read_only),
        TEST(test_pulled_while_it_is_looked_at),
        TEST(test_pulled_on_arrival),
        TEST(test_the_next_one_is_closed),
        TEST(test_a_missing_node_is_an_alarm),
        TEST(test_removal_and_another_medium),
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
