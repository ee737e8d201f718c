#include "device/mount.h"

#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "fake/sysfs_block.h"

#define ROOT "1 0 254:0 / / rw - ext4 /dev/vda rw\n"
#define STICK_RO "30 1 7:7 / /media/u/S ro,noexec - ext4 /dev/loop7 ro\n"
#define STICK_EXEC "30 1 7:7 / /media/u/S ro,nosuid - ext4 /dev/loop7 ro\n"
#define STICK_RW "30 1 7:7 / /media/u/S rw - ext4 /dev/loop7 rw\n"
#define SSHFS "40 1 0:50 / /home/u/x rw - fuse.sshfs u@h:/ rw,user_id=1000\n"
#define NFS "41 1 0:51 / /srv/n rw - nfs4 srv:/export rw\n"

struct fixture {
    struct fake_block f;
    struct block_manager *b;
    struct mount_manager *mm;
    struct policy policy;
    struct policy_medium_rule rule;
    char text[1024]; /* of self/mountinfo, edited by the fake detach */
    int detach_result, read_only_result;
    unsigned detached, unguarded, guarded, read_only, no_exec, reports[MOUNT_REPORT_UNREAD + 1];
    int guard_result, no_exec_result;
    int last_id;
    pid_t last_pid;
    char rule_id[64], message[128];
    enum verdict_kind kind;
};

static void on_block(void *context, enum block_report what, const struct medium *m, const char *message)
{
    (void)context;
    (void)what;
    (void)m;
    (void)message;
}

static void mounts(struct fixture *x, const char *text)
{
    (void)snprintf(x->text, sizeof(x->text), "%s", text);
    fake_block_proc(&x->f, "self/mountinfo", x->text);
}

static int fake_detach(void *context, const struct mount_place *place)
{
    struct fixture *x = context;
    char needle[16], *line;

    x->detached++;
    x->last_pid = place->pid;
    if (x->detach_result && (x->detach_result != MOUNT_E_TIMEOUT || place->mount_id >= 0))
        return x->detach_result;
    /* Takes the line out, as the kernel would. A place without an id is found by its path. */
    (void)snprintf(needle, sizeof(needle), "%d ", place->mount_id);
    line = place->mount_id >= 0 ? strstr(x->text, needle) : strstr(x->text, place->point);
    while (line && line > x->text && line[-1] != '\n')
        line--;
    if (line && place->pid == 0) {
        char *end = strchr(line, '\n') + 1;

        memmove(line, end, strlen(end) + 1);
        fake_block_proc(&x->f, "self/mountinfo", x->text);
    } else if (place->pid != 0) {
        fake_block_proc(&x->f, "50/mountinfo", ROOT);
    }
    return 0;
}

static int fake_read_only(void *context, const struct mount_place *place)
{
    struct fixture *x = context;

    (void)place;
    x->read_only++;
    if (x->read_only_result == 0)
        mounts(x, ROOT STICK_RO);
    return x->read_only_result;
}

static int fake_forbid_exec(void *context, const struct mount_place *place)
{
    struct fixture *x = context;

    (void)place;
    x->no_exec++;
    if (x->no_exec_result == 0)
        mounts(x, ROOT STICK_RO);
    return x->no_exec_result;
}

static int fake_open(void *context, const struct mount_place *place, int *ret_fd)
{
    (void)context;
    (void)place;
    *ret_fd = open("/", O_PATH | O_CLOEXEC);
    return *ret_fd < 0 ? -errno : 0;
}

static int on_guard(void *context, int fd, dev_t device, const struct medium *m)
{
    struct fixture *x = context;

    assert_true(fd >= 0);
    assert_int_equal(device, m->device);
    x->guarded++;
    return x->guard_result;
}

static void on_unguard(void *context, dev_t device)
{
    struct fixture *x = context;

    (void)device;
    x->unguarded++;
}

static void on_report(void *context, enum mount_report what, const struct mount_entry *e, pid_t pid,
                      const struct medium *m, const struct verdict *v, const char *message)
{
    struct fixture *x = context;

    (void)m;
    x->reports[what]++;
    x->last_id = e->id;
    x->last_pid = pid;
    x->kind = v->kind;
    (void)snprintf(x->rule_id, sizeof(x->rule_id), "%s", v->rule);
    (void)snprintf(x->message, sizeof(x->message), "%s", message);
}

static void start(struct fixture *x, enum exit_mode mode)
{
    static const char *const exits[] = {"loop7"};
    const struct block_manager_config block = {.mode = mode,
                                               .sysfs = x->f.sysfs,
                                               .proc = x->f.proc,
                                               .run = x->f.run,
                                               .state = -1,
                                               .ops = x->f.ops,
                                               .exits = exits,
                                               .n_exits = 1,
                                               .report = on_block,
                                               .context = x};
    const struct mount_manager_config config = {.proc = x->f.proc,
                                                .ops = {.detach = fake_detach,
                                                        .make_read_only = fake_read_only,
                                                        .forbid_exec = fake_forbid_exec,
                                                        .open = fake_open,
                                                        .context = x},
                                                .guard = on_guard,
                                                .unguard = on_unguard,
                                                .report = on_report,
                                                .context = x};
    struct mount_manager_config c = config;

    assert_int_equal(block_manager_new(&block, &x->policy, 1, &x->b), 0);
    c.block = x->b;
    assert_int_equal(mount_manager_new(&c, 1, &x->mm), 0);
}

static int setup(void **state)
{
    struct fixture *x = calloc(1, sizeof(*x));

    fake_block_init(&x->f);
    fake_block_disk(&x->f, "/devices/virtual/block/loop7", "7:7", 100, "0\n");
    fake_block_proc(&x->f, "self/ns/mnt", "");
    x->rule = (struct policy_medium_rule){.id = (char *)(uintptr_t) "loops", .allow = POLICY_READ};
    x->policy = (struct policy){.refs = 1};
    x->policy.media.rules = &x->rule;
    x->policy.media.n_rules = 1;
    *state = x;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *x = *state;

    mount_manager_free(x->mm);
    block_manager_free(x->b);
    fake_block_done(&x->f);
    free(x);
    return 0;
}

static void test_allowed_medium_is_guarded(void **state)
{
    struct fixture *x = *state;

    start(x, EXIT_MODE_LISTED);
    mounts(x, ROOT STICK_RO);
    assert_int_equal(mount_manager_refresh(x->mm, 2), 0);
    assert_int_equal(x->guarded, 1);
    assert_int_equal(x->detached + x->read_only, 0);
    assert_int_equal(mount_manager_refresh(x->mm, 3), 0);
    assert_int_equal(x->guarded, 1);
    mounts(x, ROOT);
    assert_int_equal(mount_manager_refresh(x->mm, 4), 0);
    assert_int_equal(x->unguarded, 1);
}

static void test_unguardable_medium_is_detached(void **state)
{
    struct fixture *x = *state;

    start(x, EXIT_MODE_LISTED);
    x->guard_result = -ENOMEM;
    mounts(x, ROOT STICK_RO);
    assert_int_equal(mount_manager_refresh(x->mm, 2), 0);
    assert_int_equal(x->guarded, 1);
    assert_int_equal(x->detached, 1);
    assert_int_equal(x->reports[MOUNT_REPORT_FAILED], 1);
}

static void test_refused_medium_is_detached(void **state)
{
    struct fixture *x = *state;

    x->rule.allow = POLICY_REFUSE;
    mounts(x, ROOT STICK_RO);
    start(x, EXIT_MODE_LISTED);
    assert_int_equal(x->guarded, 1); /* first: programs inside keep what they have open */
    assert_int_equal(x->detached, 1);
    assert_int_equal(x->reports[MOUNT_REPORT_DETACHED], 1);
    assert_string_equal(x->rule_id, "loops");
    assert_int_equal(x->unguarded, 0);
    fake_block_remove(&x->f, "loop7");
    assert_int_equal(block_manager_tick(x->b, 2), 0);
    assert_int_equal(x->unguarded, 1);
}

/* The policy refuses later: the block manager's listener is enough. */
static void test_policy_change_detaches(void **state)
{
    struct fixture *x = *state;

    mounts(x, ROOT STICK_RO);
    start(x, EXIT_MODE_LISTED);
    assert_int_equal(x->detached, 0);
    x->rule.allow = POLICY_REFUSE;
    assert_int_equal(block_manager_set_policy(x->b, &x->policy, 2), 0);
    assert_int_equal(x->detached, 1);
}

static void test_writable_mount_loses_its_write(void **state)
{
    struct fixture *x = *state;

    mounts(x, ROOT STICK_RW);
    start(x, EXIT_MODE_LISTED);
    assert_int_equal(x->read_only, 1);
    assert_int_equal(x->reports[MOUNT_REPORT_READ_ONLY], 1);
    assert_int_equal(x->detached, 0);
    x->read_only_result = -EBUSY;
    mounts(x, ROOT STICK_RW);
    assert_int_equal(mount_manager_refresh(x->mm, 2), 0);
    assert_int_equal(x->detached, 1);
    assert_int_equal(x->reports[MOUNT_REPORT_READ_ONLY], 2);
}

static void test_nothing_is_mapped_from_a_medium(void **state)
{
    struct fixture *x = *state;

    mounts(x, ROOT STICK_EXEC);
    start(x, EXIT_MODE_LISTED);
    assert_int_equal(x->no_exec, 1);
    assert_int_equal(x->detached + x->reports[MOUNT_REPORT_FAILED], 0);
    x->no_exec_result = -EPERM;
    mounts(x, ROOT STICK_EXEC);
    assert_int_equal(mount_manager_refresh(x->mm, 2), 0);
    assert_int_equal(mount_manager_refresh(x->mm, 3), 0);
    assert_int_equal(x->no_exec, 3);
    assert_int_equal(x->reports[MOUNT_REPORT_FAILED], 1); /* tried again, told once */
    x->policy.media.exec = true;
    assert_int_equal(block_manager_set_policy(x->b, &x->policy, 4), 0);
    assert_int_equal(x->no_exec, 3); /* permitted to run: left as it is */
}

/* The rule alone is in monitor: running is for the gate to record; writing is what no medium permits. */
static void test_a_rule_in_monitor(void **state)
{
    struct fixture *x = *state;

    x->rule.monitor = true;
    mounts(x, ROOT STICK_EXEC);
    start(x, EXIT_MODE_LISTED);
    assert_int_equal(x->guarded, 1);
    assert_int_equal(x->no_exec + x->detached + x->read_only, 0);
    mounts(x, ROOT STICK_RW);
    assert_int_equal(mount_manager_refresh(x->mm, 2), 0);
    assert_int_equal(x->read_only, 1);
    x->rule.monitor = false;
    assert_int_equal(block_manager_set_policy(x->b, &x->policy, 3), 0);
    mounts(x, ROOT STICK_EXEC);
    assert_int_equal(mount_manager_refresh(x->mm, 4), 0);
    assert_int_equal(x->no_exec, 1);
}

static void test_failure_is_reported_once_and_retried(void **state)
{
    struct fixture *x = *state;

    x->rule.allow = POLICY_REFUSE;
    x->detach_result = -EINVAL;
    mounts(x, ROOT STICK_RO);
    start(x, EXIT_MODE_LISTED);
    assert_int_equal(mount_manager_tick(x->mm, 2), 0);
    assert_int_equal(x->reports[MOUNT_REPORT_FAILED], 1);
    assert_int_equal(x->detached, 2);
    x->detach_result = 0;
    assert_int_equal(mount_manager_tick(x->mm, 3), 0);
    assert_int_equal(x->reports[MOUNT_REPORT_DETACHED], 1);
}

static void test_network_and_fuse(void **state)
{
    struct fixture *x = *state;
    char *allowed[] = {(char *)(uintptr_t) "srv:/*"};

    x->policy.media.network_allow = (struct policy_strings){.items = allowed, .n = 1, .op = POLICY_SET_ONE_OF};
    mounts(x, ROOT SSHFS NFS);
    start(x, EXIT_MODE_ON);
    assert_int_equal(x->detached, 1);
    assert_int_equal(x->reports[MOUNT_REPORT_DECIDED], 2); /* one refused, one allowed */
    assert_null(strstr(x->text, "sshfs"));
    assert_non_null(strstr(x->text, "nfs4"));
    assert_int_equal(mount_manager_tick(x->mm, 2), 0);
    assert_int_equal(x->reports[MOUNT_REPORT_DECIDED], 2);
    assert_int_equal(x->guarded, 0); /* never opened, never marked */
    /* The permission is taken back. */
    x->policy.media.network_allow.n = 0;
    assert_int_equal(block_manager_set_policy(x->b, &x->policy, 3), 0);
    assert_int_equal(x->detached, 2);
    assert_null(strstr(x->text, "nfs4"));
}

static void test_monitor_only_records(void **state)
{
    struct fixture *x = *state;

    x->policy.mode = POLICY_MONITOR;
    mounts(x, ROOT SSHFS STICK_RW);
    start(x, EXIT_MODE_ON);
    assert_int_equal(x->detached + x->read_only, 0);
    assert_int_equal(x->reports[MOUNT_REPORT_DECIDED], 1);
    assert_int_equal(x->kind, VERDICT_ALLOW);
}

static void test_listed_leaves_filesystems_alone(void **state)
{
    struct fixture *x = *state;

    mounts(x, ROOT SSHFS NFS);
    start(x, EXIT_MODE_LISTED);
    assert_int_equal(mount_manager_tick(x->mm, 2), 0);
    assert_int_equal(x->detached + x->reports[MOUNT_REPORT_DECIDED], 0);
}

static void test_dead_server(void **state)
{
    struct fixture *x = *state;

    x->detach_result = MOUNT_E_TIMEOUT; /* of the check; the call without one succeeds */
    mounts(x, ROOT NFS);
    start(x, EXIT_MODE_ON);
    assert_int_equal(x->detached, 2);
    assert_int_equal(x->reports[MOUNT_REPORT_DECIDED], 1);
    assert_int_equal(x->reports[MOUNT_REPORT_FAILED], 0);
}

static void test_other_namespaces(void **state)
{
    struct fixture *x = *state;

    fake_block_proc(&x->f, "50/ns/mnt", "");
    fake_block_proc(&x->f, "50/mountinfo", ROOT SSHFS);
    start(x, EXIT_MODE_ON);
    assert_int_equal(x->detached, 0);
    assert_int_equal(mount_manager_tick(x->mm, 2), 0);
    assert_int_equal(x->detached, 1);
    assert_int_equal(x->last_pid, 50);
    assert_int_equal(x->reports[MOUNT_REPORT_DECIDED], 1);
}

/* Somebody binds a permitted stick more often than is remembered: what comes after is judged all the same. */
static void too_long(struct fixture *x, const char *file)
{
    char path[128];

    fake_block_proc(&x->f, file, ROOT);
    (void)snprintf(path, sizeof(path), "%s/proc/%s", x->f.path, file);
    assert_int_equal(truncate(path, MOUNT_TABLE_MAX + 1), 0);
}

/* Nobody hides mounts by making too many of them: what cannot be read is an alarm, told once while it lasts. */
static void test_unreadable_namespace_is_an_alarm(void **state)
{
    struct fixture *x = *state;

    mounts(x, ROOT);
    start(x, EXIT_MODE_ON);
    fake_block_proc(&x->f, "50/ns/mnt", "");
    too_long(x, "50/mountinfo");
    for (int i = 0; i < 3; i++)
        assert_int_equal(mount_manager_tick(x->mm, 2 + i), 0);
    assert_int_equal(x->reports[MOUNT_REPORT_UNREAD], 1);
    assert_int_equal(x->last_pid, 50);
    assert_int_equal(x->kind, VERDICT_DENY);
    /* Readable again, and once more not. */
    fake_block_proc(&x->f, "50/mountinfo", ROOT);
    assert_int_equal(mount_manager_tick(x->mm, 5), 0);
    assert_int_equal(x->reports[MOUNT_REPORT_UNREAD], 1);
    too_long(x, "50/mountinfo");
    assert_int_equal(mount_manager_tick(x->mm, 6), 0);
    assert_int_equal(x->reports[MOUNT_REPORT_UNREAD], 2);
    /* A process that has ended hides nothing. */
    fake_block_proc(&x->f, "60/ns/mnt", "");
    assert_int_equal(mount_manager_tick(x->mm, 7), 0);
    assert_int_equal(x->reports[MOUNT_REPORT_UNREAD], 2);
    /* Our own; the others are looked at all the same. */
    too_long(x, "self/mountinfo");
    fake_block_proc(&x->f, "50/mountinfo", ROOT SSHFS);
    assert_int_equal(mount_manager_tick(x->mm, 8), -EFBIG);
    assert_int_equal(x->detached, 1);
    assert_int_equal(x->last_pid, 50);
    assert_int_equal(mount_manager_refresh(x->mm, 9), -EFBIG);
    assert_int_equal(x->reports[MOUNT_REPORT_UNREAD], 3);
}

/* Started like that it is there, says so, and goes on when it can. */
static void test_started_without_mounts(void **state)
{
    struct fixture *x = *state;

    too_long(x, "self/mountinfo");
    start(x, EXIT_MODE_ON);
    assert_int_equal(x->reports[MOUNT_REPORT_UNREAD], 1);
    mounts(x, ROOT SSHFS);
    assert_int_equal(mount_manager_tick(x->mm, 2), 0);
    assert_int_equal(x->detached, 1);
}

static void test_more_mounts_than_are_remembered(void **state)
{
    enum {
        MANY = 20000,
        LINE = 80
    };
    struct fixture *x = *state;
    char *text = calloc(MANY + 2, LINE);
    size_t n = 0;

    assert_non_null(text);
    n += (size_t)sprintf(text + n, ROOT);
    for (int i = 0; i < MANY; i++) /* not in the order of their ids */
        n += (size_t)snprintf(text + n, LINE, "%d 1 7:7 / /m/%d ro,noexec - ext4 /dev/loop7 ro\n",
                              100 + (i * 7919) % MANY, i);
    (void)snprintf(text + n, LINE, "90000 1 0:50 / /home/u/x rw - fuse.sshfs u@h:/ rw,user_id=1000\n");
    start(x, EXIT_MODE_ON);
    x->detach_result = -EBUSY; /* the text stays as it is */
    fake_block_proc(&x->f, "self/mountinfo", text);
    assert_int_equal(mount_manager_refresh(x->mm, 2), 0);
    assert_true(x->detached >= 1);
    assert_int_equal(x->last_id, 90000);
    assert_int_equal(x->kind, VERDICT_DENY);
    mounts(x, ROOT);
    assert_int_equal(mount_manager_refresh(x->mm, 3), 0);
    assert_int_equal(x->unguarded, 1);
    free(text);
}

static void test_classes(void **state)
{
    static const struct {
        const char *line;
        enum mount_class own, other;
    } cases[] = {
        {"1 0 0:9 / /m rw - ext4 a rw\n", MOUNT_CLASS_LOCAL, MOUNT_CLASS_LOCAL},
        {"1 0 8:1 / /m rw - fuseblk /dev/sdb1 rw\n", MOUNT_CLASS_LOCAL, MOUNT_CLASS_LOCAL},
        {"1 0 0:9 / /m rw - fusectl fusectl rw\n", MOUNT_CLASS_LOCAL, MOUNT_CLASS_LOCAL},
        {"1 0 0:9 / /m rw - fuse x rw\n", MOUNT_CLASS_FUSE, MOUNT_CLASS_FUSE},
        {"1 0 0:9 / /m rw - fuse.gvfsd-fuse gvfsd-fuse rw,user_id=1000\n", MOUNT_CLASS_FUSE, MOUNT_CLASS_FUSE},
        {"1 0 0:9 / /run/user/1000/doc rw - fuse.portal portal rw,user_id=1000\n", MOUNT_CLASS_SYSTEM,
         MOUNT_CLASS_FUSE},
        {"1 0 0:9 / /run/user/1000/doc rw - fuse.portal portal rw,user_id=1001\n", MOUNT_CLASS_FUSE, MOUNT_CLASS_FUSE},
        {"1 0 0:9 / /home/u/doc rw - fuse.portal portal rw,user_id=1000\n", MOUNT_CLASS_FUSE, MOUNT_CLASS_FUSE},
        {"1 0 0:9 / /var/lib/lxcfs rw - fuse.lxcfs lxcfs rw,user_id=0\n", MOUNT_CLASS_SYSTEM, MOUNT_CLASS_FUSE},
        {"1 0 0:9 / /var/lib/lxcfs rw - fuse.lxcfs lxcfs rw,user_id=1000\n", MOUNT_CLASS_FUSE, MOUNT_CLASS_FUSE},
        {"1 0 0:9 / /m rw - cifs //s/x rw\n", MOUNT_CLASS_NETWORK, MOUNT_CLASS_NETWORK},
        {"1 0 0:9 / /m rw - 9p x rw\n", MOUNT_CLASS_NETWORK, MOUNT_CLASS_NETWORK},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        struct mount_table t;

        assert_int_equal(mount_table_parse(cases[i].line, strlen(cases[i].line), &t), 0);
        if (mount_classify(&t.items[0], true) != cases[i].own || mount_classify(&t.items[0], false) != cases[i].other)
            fail_msg("%s", cases[i].line);
        mount_table_done(&t);
    }
}

int main(void)
{
#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)
    const struct CMUnitTest tests[] = {
        TEST(test_allowed_medium_is_guarded),
        TEST(test_unguardable_medium_is_detached),
        TEST(test_refused_medium_is_detached),
        TEST(test_policy_change_detaches),
        TEST(test_writable_mount_loses_its_write),
        TEST(test_nothing_is_mapped_from_a_medium),
        TEST(test_a_rule_in_monitor),
        TEST(test_failure_is_reported_once_and_retried),
        TEST(test_network_and_fuse),
        TEST(test_monitor_only_records),
        TEST(test_listed_leaves_filesystems_alone),
        TEST(test_dead_server),
        TEST(test_other_namespaces),
        TEST(test_unreadable_namespace_is_an_alarm),
        TEST(test_started_without_mounts),
        TEST(test_more_mounts_than_are_remembered),
        cmocka_unit_test(test_classes),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
