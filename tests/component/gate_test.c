/* The gate on a real medium: ext4 on a loop device, as root. */
#include "component/gate_fixture.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "policy/policy.h"

enum {
    USER = 1000
};

static struct policy_medium_rule medium_rule = {.id = (char *)(uintptr_t) "stick-1", .allow = POLICY_READ};
/* Never freed: its references start far above what the gate takes. */
static struct policy policy = {
    .refs = 1000, .name = (char *)(uintptr_t) "test", .version = 7, .media = {.rules = &medium_rule, .n_rules = 1}};

static struct gate_medium medium(const char *name, enum verdict_kind kind, bool read_only)
{
    struct gate_medium m = {
        .verdict = {.kind = kind,
                    .ruled = kind,
                    .allow = kind == VERDICT_ALLOW ? POLICY_READ : POLICY_REFUSE,
                    .reason = REASON_RULE,
                    .rule = "stick-1"},
        .read_only = read_only,
        .bus = "loop",
        .device_id = "loop-test",
    };
    struct stat st;

    assert_int_equal(stat(machine_path(name), &st), 0);
    m.device = st.st_dev;
    return m;
}

static void guard(const char *name, enum verdict_kind kind, bool read_only)
{
    struct gate_medium m = medium(name, kind, read_only);
    int fd = open(machine_path(name), O_PATH | O_DIRECTORY | O_CLOEXEC);

    assert_int_equal(gate_guard_medium(gate, fd, &m), 0);
    close(fd);
}

static int begin(void **state)
{
    (void)state;
    policy.mode = POLICY_ENFORCE;
    gate_open_descriptors();
    gate_begin(&policy);
    machine_mount_ext4("stick");
    machine_write("stick/file", "secret", 0666);
    machine_copy("/bin/true", "stick/program", 0755);
    return 0;
}

static int end(void **state)
{
    (void)state;
    gate_end();
    machine_umount("stick");
    return 0;
}

static void test_reading_is_allowed(void **state)
{
    struct audit_event e;

    (void)state;
    machine_make_read_only("stick");
    guard("stick", VERDICT_ALLOW, true);
    assert_int_equal(machine_try(machine_open_read, machine_path("stick/file"), USER), 0);
    e = next_open();
    assert_true(e.has_verdict && e.allowed && !e.write && !e.execute);
    assert_string_equal(e.rule, "stick-1");
    assert_string_equal(e.path, machine_path("stick/file"));
    assert_string_equal(e.device_bus, "loop");
    assert_string_equal(e.policy_name, "test");
    assert_int_equal(e.policy_version, 7);
    assert_true(e.has_uid);
    assert_int_equal(e.uid, USER);
    assert_true(e.pid > 0 && e.start_time > 0 && e.program_inode > 0);
}

static void test_writing_is_refused(void **state)
{
    struct audit_event e;

    (void)state;
    guard("stick", VERDICT_ALLOW, false); /* mounted read-write: the worst case */
    assert_int_equal(machine_try(machine_open_write, machine_path("stick/file"), USER), EPERM);
    e = next_open();
    assert_true(!e.allowed && e.write);
    assert_string_equal(e.reason, verdict_reason_name(REASON_WRITE));
}

static int open_truncating(const char *path)
{
    return open(path, O_RDONLY | O_TRUNC) < 0 ? errno : 0;
}

/* Without write access the lease probe sees a reader: the mount being writable has to be enough. */
static void test_truncating_reader_is_refused(void **state)
{
    struct stat st;

    (void)state;
    guard("stick", VERDICT_ALLOW, false);
    assert_int_equal(machine_try(open_truncating, machine_path("stick/file"), USER), EPERM);
    assert_int_equal(stat(machine_path("stick/file"), &st), 0);
    assert_int_equal(st.st_size, 6);
}

static void test_executing_is_refused(void **state)
{
    struct audit_event e;

    (void)state;
    machine_make_read_only("stick");
    guard("stick", VERDICT_ALLOW, true);
    assert_int_equal(machine_try(machine_execute, machine_path("stick/program"), USER), EPERM);
    e = next_open();
    assert_true(!e.allowed && e.execute);
    assert_string_equal(e.reason, verdict_reason_name(REASON_EXECUTE));
}

static void test_refused_medium_opens_nothing(void **state)
{
    (void)state;
    machine_make_read_only("stick");
    guard("stick", VERDICT_DENY, true);
    assert_int_equal(machine_try(machine_open_read, machine_path("stick/file"), 0), EPERM);
    assert_int_equal(machine_try(machine_open_read, machine_path("stick/file"), USER), EPERM);
}

static void test_forgotten_medium_opens_nothing(void **state)
{
    (void)state;
    machine_make_read_only("stick");
    guard("stick", VERDICT_ALLOW, true);
    assert_int_equal(gate_unguard_medium(gate, medium("stick", VERDICT_DENY, true).device), 0);
    assert_int_equal(machine_try(machine_open_read, machine_path("stick/file"), USER), EPERM);
    assert_int_equal(gate_unguard_medium(gate, medium("stick", VERDICT_DENY, true).device), -ENOENT);
}

/* After the first allowed read the kernel knows; execution is still asked; a new verdict is asked for again. */
static void test_kernel_stops_asking_until_the_verdict_changes(void **state)
{
    uint64_t before;

    (void)state;
    machine_make_read_only("stick");
    guard("stick", VERDICT_ALLOW, true);
    assert_int_equal(machine_try(machine_open_read, machine_path("stick/program"), USER), 0);
    (void)next_open(); /* recorded after the ignore mark was set */
    before = decisions();
    for (int i = 0; i < 5; i++)
        assert_int_equal(machine_try(machine_open_read, machine_path("stick/program"), USER), 0);
    assert_int_equal(decisions(), before);
    assert_int_equal(machine_try(machine_execute, machine_path("stick/program"), USER), EPERM);
    assert_int_equal(decisions(), before + 1);

    guard("stick", VERDICT_DENY, true);
    assert_int_equal(machine_try(machine_open_read, machine_path("stick/program"), USER), EPERM);
    assert_int_equal(gate_self_test(gate, 10000), 1); /* the canary's mark came back after the flush */
}

static void test_writable_medium_is_always_asked(void **state)
{
    (void)state;
    guard("stick", VERDICT_ALLOW, false);
    machine_make_read_only("stick");
    assert_int_equal(machine_try(machine_open_read, machine_path("stick/file"), USER), 0);
    (void)next_open();
    assert_int_equal(machine_try(machine_open_read, machine_path("stick/file"), USER), 0);
    (void)next_open();
    assert_int_equal(decisions(), 2);
}

static void test_monitor_refuses_nothing_and_says_so(void **state)
{
    struct audit_event e;

    (void)state;
    policy.mode = POLICY_MONITOR;
    assert_int_equal(gate_set_policy(gate, &policy), 0);
    guard("stick", VERDICT_ALLOW, false);
    assert_int_equal(machine_try(machine_open_write, machine_path("stick/file"), USER), 0);
    e = next_open();
    assert_true(e.allowed && e.would_refuse);
    assert_int_equal(gate_self_test(gate, 10000), 1); /* the canary is refused even then */
}

/* The guard's own thread must never wait for itself. */
static void test_own_open_is_refused_at_once(void **state)
{
    struct audit_event e;

    (void)state;
    machine_make_read_only("stick");
    guard("stick", VERDICT_ALLOW, true);
    assert_int_equal(machine_open_read(machine_path("stick/file")), EPERM);
    e = next_open();
    assert_true(!e.allowed && e.alarm);
}

static void test_self_test_notices_a_lost_mark(void **state)
{
    struct gate_status s;

    (void)state;
    assert_int_equal(gate_self_test(gate, 10000), 1);
    gate_get_status(gate, &s);
    assert_true(s.enforcing);
    assert_int_equal(fanotify_flush_inodes(&fanotify_kernel, stores), 0);
    assert_int_equal(gate_self_test(gate, 10000), 0);
    gate_get_status(gate, &s);
    assert_false(s.enforcing);
}

static void test_tick_notices_a_lost_medium_mark(void **state)
{
    int fd = open(machine_path("stick"), O_PATH | O_DIRECTORY | O_CLOEXEC);

    (void)state;
    guard("stick", VERDICT_ALLOW, false);
    assert_int_equal(gate_tick(gate), 1);
    assert_int_equal(fanotify_unguard_filesystem(&fanotify_kernel, exits, fd, "."), 0);
    assert_int_equal(gate_tick(gate), 0);
    guard("stick", VERDICT_ALLOW, false);
    assert_int_equal(gate_tick(gate), 1);
    close(fd);
}

/* Write-opens race with the probe's lease: without SIGIO ignored the kernel would kill the guard. */
static int open_write_often(const char *path)
{
    for (int i = 0; i < 500; i++) {
        int fd = open(path, O_WRONLY | O_CLOEXEC);

        if (fd >= 0)
            return 0;
        if (errno != EPERM)
            return errno;
    }
    return EPERM;
}

static int open_read_often(const char *path)
{
    for (int i = 0; i < 500; i++) {
        int fd = open(path, O_RDONLY | O_CLOEXEC);

        if (fd >= 0)
            close(fd);
    }
    return 0;
}

static void test_racing_writers_never_get_in(void **state)
{
    pid_t children[4];

    (void)state;
    guard("stick", VERDICT_ALLOW, false);
    for (int i = 0; i < 4; i++)
        children[i] = machine_start(i % 2 ? open_write_often : open_read_often, machine_path("stick/file"), USER);
    for (int i = 0; i < 4; i++)
        assert_int_equal(machine_wait(children[i]), i % 2 ? EPERM : 0);
}

static int lease_taken[2];

/* A write lease wants to be the only one who has the file open, and the gate holds its descriptor a moment longer than the opener
 * waits: EAGAIN until then. */
static int take_write_lease(int fd)
{
    time_t deadline = time(NULL) + 20;

    while (fcntl(fd, F_SETLEASE, F_WRLCK) < 0)
        if (errno != EAGAIN || time(NULL) > deadline || sched_yield() < 0)
            return -1;
    return 0;
}

static int hold_write_lease(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);

    if (signal(SIGIO, SIG_IGN) == SIG_ERR || fd < 0 || take_write_lease(fd) < 0 || write(lease_taken[1], "", 1) != 1)
        return errno;
    for (;;)
        (void)pause();
}

/* The owner of a file may take a lease on it. Opening the event's descriptor breaks it, and would wait lease-break-time (45 s) in the
 * reader: everything guarded would wait with it. */
static void test_lease_does_not_hold_the_reader(void **state)
{
    pid_t holder;
    char c;

    (void)state;
    assert_int_equal(pipe2(lease_taken, O_CLOEXEC), 0);
    machine_write("stick/leased", "mine", 0666);
    assert_int_equal(chown(machine_path("stick/leased"), USER, USER), 0);
    machine_make_read_only("stick");
    guard("stick", VERDICT_ALLOW, false); /* false: asked each time */
    holder = machine_start(hold_write_lease, machine_path("stick/leased"), USER);
    close(lease_taken[1]); /* a holder that fails ends the wait */
    assert_int_equal(read(lease_taken[0], &c, 1), 1);
    assert_int_equal(machine_try(machine_open_read, machine_path("stick/leased"), USER), EPERM);
    assert_int_equal(machine_try(machine_open_read, machine_path("stick/file"), USER), 0);
    assert_int_equal(kill(holder, SIGKILL), 0);
    assert_int_equal(machine_wait(holder), -1);
    close(lease_taken[0]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_reading_is_allowed, begin, end),
        cmocka_unit_test_setup_teardown(test_writing_is_refused, begin, end),
        cmocka_unit_test_setup_teardown(test_truncating_reader_is_refused, begin, end),
        cmocka_unit_test_setup_teardown(test_executing_is_refused, begin, end),
        cmocka_unit_test_setup_teardown(test_refused_medium_opens_nothing, begin, end),
        cmocka_unit_test_setup_teardown(test_forgotten_medium_opens_nothing, begin, end),
        cmocka_unit_test_setup_teardown(test_kernel_stops_asking_until_the_verdict_changes, begin, end),
        cmocka_unit_test_setup_teardown(test_writable_medium_is_always_asked, begin, end),
        cmocka_unit_test_setup_teardown(test_monitor_refuses_nothing_and_says_so, begin, end),
        cmocka_unit_test_setup_teardown(test_own_open_is_refused_at_once, begin, end),
        cmocka_unit_test_setup_teardown(test_self_test_notices_a_lost_mark, begin, end),
        cmocka_unit_test_setup_teardown(test_tick_notices_a_lost_medium_mark, begin, end),
        cmocka_unit_test_setup_teardown(test_racing_writers_never_get_in, begin, end),
        cmocka_unit_test_setup_teardown(test_lease_does_not_hold_the_reader, begin, end),
    };

    machine_begin();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
