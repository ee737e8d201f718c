/* kill -9 of the daemon with opens waiting: none gets through, with and without a successor. Real kernel, real keeper. */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fake/machine.h"
#include "gate/gate.h"
#include "gate/holder.h"
#include "kern/fanotify.h"
#include "kern/keeper.h"
#include "policy/policy.h"

enum {
    USER = 1000,
    OPENERS = 8,
    LONG_GRACE_MS = 60000,
    SHORT_GRACE_MS = 200
};

static struct policy_medium_rule medium_rule = {.id = (char *)(uintptr_t) "stick-1", .allow = POLICY_READ};
static struct policy policy = {
    .refs = 1000, .name = (char *)(uintptr_t) "test", .version = 1, .media = {.rules = &medium_rule, .n_rules = 1}};
static char keeper_program[4096];
static int run_fd, proc_fd;

static void open_holder(unsigned grace_ms, struct holder *ret)
{
    struct holder_options o = {.run_fd = run_fd, .program = keeper_program, .mode = HOLDER_ON, .grace_ms = grace_ms};

    assert_int_equal(holder_open(&o, ret), 0);
}

/* A daemon that marks the stick, reads so many events without answering, says "ready" and waits to be killed. */
static pid_t start_daemon(unsigned grace_ms, int reads, int *ret_ready)
{
    int ready[2];
    pid_t child;

    assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        struct holder_options o = {
            .run_fd = run_fd, .program = keeper_program, .mode = HOLDER_ON, .grace_ms = grace_ms};
        struct holder h;
        uint8_t bytes[FAN_EVENT_METADATA_LEN]; /* room for one event */

        if (holder_open(&o, &h) < 0 ||
            fanotify_guard_filesystem(&fanotify_kernel, h.exits, AT_FDCWD, machine_path("stick")) < 0 ||
            write(ready[1], "m", 1) != 1)
            _exit(1);
        for (int i = 0; i < reads; i++) {
            struct pollfd p = {.fd = h.exits, .events = POLLIN};

            if (poll(&p, 1, 10000) != 1 || read(h.exits, bytes, sizeof(bytes)) != (ssize_t)sizeof(bytes))
                _exit(1);
        }
        if (reads > 0 && write(ready[1], "r", 1) != 1)
            _exit(1);
        for (;;)
            (void)pause();
    }
    close(ready[1]);
    *ret_ready = ready[0];
    return child;
}

static void wait_ready(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};
    char c;

    assert_int_equal(poll(&p, 1, 15000), 1);
    assert_int_equal(read(fd, &c, 1), 1);
}

static void kill_daemon(pid_t pid)
{
    assert_int_equal(kill(pid, SIGKILL), 0);
    assert_int_equal(waitpid(pid, NULL, 0), pid);
}

static void start_openers(pid_t openers[OPENERS])
{
    for (int i = 0; i < OPENERS; i++)
        openers[i] = machine_start(i % 2 ? machine_open_write : machine_open_read, machine_path("stick/file"), USER);
    for (int i = 0; i < OPENERS; i++)
        assert_true(machine_is_waiting(openers[i]));
}

static int begin(void **state)
{
    (void)state;
    run_fd = open(machine_root(), O_PATH | O_DIRECTORY | O_CLOEXEC);
    proc_fd = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    machine_mount_ext4("stick");
    machine_write("stick/file", "secret", 0666);
    machine_write("stick/private", "secret", 0600);
    assert_int_equal(chown(machine_path("stick/private"), USER, USER), 0);
    return run_fd >= 0 && proc_fd >= 0 ? 0 : -1;
}

static int end(void **state)
{
    (void)state;
    machine_umount("stick");
    close(run_fd);
    close(proc_fd);
    return 0;
}

/* Nobody comes: the keeper refuses after the grace time, read and unread alike, and goes on refusing. */
static void alone(int reads)
{
    pid_t openers[OPENERS], daemon;
    struct holder h;
    int ready;

    daemon = start_daemon(SHORT_GRACE_MS, reads, &ready);
    wait_ready(ready);
    start_openers(openers);
    if (reads > 0)
        wait_ready(ready);
    kill_daemon(daemon);
    for (int i = 0; i < OPENERS; i++)
        assert_int_equal(machine_wait(openers[i]), EPERM);
    assert_int_equal(machine_try(machine_open_read, machine_path("stick/file"), 0), EPERM);
    /* The keeper has no capabilities, and refuses the opener of a file it could not open by itself. */
    assert_int_equal(machine_try(machine_open_read, machine_path("stick/private"), USER), EPERM);
    close(ready);

    open_holder(SHORT_GRACE_MS, &h);
    assert_true(h.inherited);
    assert_int_equal(h.refused, OPENERS + 2);
    holder_release(&h);
    assert_int_equal(machine_try(machine_open_read, machine_path("stick/file"), 0), 0); /* and only now it is free */
}

static void test_alone_unread(void **state)
{
    (void)state;
    alone(0);
}

static void test_alone_read_but_unanswered(void **state)
{
    (void)state;
    alone(OPENERS / 2);
}

static struct gate *start_gate(const struct holder *h)
{
    struct gate_options o = {
        .exits = h->exits, .stores = h->stores, .proc_fd = proc_fd, .run_fd = run_fd, .keeper = h->keeper};
    struct gate_medium m = {.verdict = {.kind = VERDICT_ALLOW,
                                        .ruled = VERDICT_ALLOW,
                                        .allow = POLICY_READ,
                                        .reason = REASON_RULE,
                                        .rule = "stick-1"},
                            .read_only = true};
    int fd = open(machine_path("stick"), O_PATH | O_DIRECTORY | O_CLOEXEC);
    struct gate *g;
    struct stat st;

    assert_int_equal(gate_new(&o, &g), 0);
    assert_int_equal(gate_set_policy(g, &policy), 0);
    assert_int_equal(fstat(fd, &st), 0);
    m.device = st.st_dev;
    assert_int_equal(gate_guard_medium(g, fd, &m), 0);
    close(fd);
    assert_int_equal(gate_start(g), 0);
    assert_int_equal(gate_self_test(g, 10000), 1);
    return g;
}

/* A successor: what was read is refused by number, what was queued is judged: readers are let in, writers never. */
static void succession(int reads)
{
    pid_t openers[OPENERS], daemon;
    struct holder h;
    struct gate *g;
    int ready, refused = 0;

    machine_make_read_only("stick");
    daemon = start_daemon(LONG_GRACE_MS, reads, &ready);
    wait_ready(ready);
    for (int i = 0; i < OPENERS; i++)
        openers[i] = machine_start(machine_open_read, machine_path("stick/file"), USER);
    for (int i = 0; i < OPENERS; i++)
        assert_true(machine_is_waiting(openers[i]));
    if (reads > 0)
        wait_ready(ready);
    kill_daemon(daemon);
    for (int i = 0; i < OPENERS; i++)
        assert_true(machine_is_waiting(openers[i])); /* still closed */
    open_holder(LONG_GRACE_MS, &h);
    assert_true(h.inherited);
    assert_int_equal(h.swept, reads);
    assert_int_equal(h.refused, 0);
    g = start_gate(&h);
    for (int i = 0; i < OPENERS; i++) {
        int r = machine_wait(openers[i]);

        assert_true(r == 0 || r == EPERM);
        refused += r == EPERM;
    }
    assert_int_equal(refused, reads);
    assert_int_equal(machine_try(machine_open_read, machine_path("stick/file"), USER), 0);
    g = gate_free(g);
    holder_release(&h);
    close(ready);
}

static void test_successor_unread(void **state)
{
    (void)state;
    succession(0);
}

static void test_successor_read_but_unanswered(void **state)
{
    (void)state;
    succession(OPENERS / 2);
}

/* The mount is writable here, so only the gate stands between the writers and the file. */
static void test_kill_loop_lets_no_writer_in(void **state)
{
    struct holder h;

    (void)state;
    for (int round = 0; round < 5; round++) {
        pid_t openers[OPENERS], daemon;
        int ready;

        daemon = start_daemon(LONG_GRACE_MS, round, &ready);
        wait_ready(ready);
        for (int i = 0; i < OPENERS; i++)
            openers[i] = machine_start(machine_open_write, machine_path("stick/file"), USER);
        for (int i = 0; i < OPENERS; i++)
            assert_true(machine_is_waiting(openers[i]));
        if (round > 0)
            wait_ready(ready);
        kill_daemon(daemon);
        open_holder(LONG_GRACE_MS, &h);
        struct gate *g = start_gate(&h);
        for (int i = 0; i < OPENERS; i++)
            assert_int_equal(machine_wait(openers[i]), EPERM);
        g = gate_free(g);
        holder_close(&h); /* a normal stop: the guard stays */
        close(ready);
    }
    open_holder(LONG_GRACE_MS, &h);
    assert_true(h.inherited);
    holder_release(&h);
}

/* A keeper that died is replaced, and the new one holds the same groups. */
static void test_dead_keeper_is_replaced(void **state)
{
    struct holder h, next;
    struct pollfd p;
    pid_t first;

    (void)state;
    open_holder(LONG_GRACE_MS, &h);
    assert_false(h.inherited);
    first = h.keeper;
    assert_int_equal(kill(first, SIGTERM), 0); /* it does not end by that */
    assert_int_equal(kill(first, SIGKILL), 0);
    p = (struct pollfd){.fd = h.keeper_socket, .events = POLLIN};
    assert_int_equal(poll(&p, 1, 10000), 1);
    assert_int_equal(holder_renew(&h), 0);
    assert_true(h.keeper > 0 && h.keeper != first);
    holder_close(&h);
    open_holder(LONG_GRACE_MS, &next);
    assert_true(next.inherited);
    holder_release(&next);
}

/* As systemd does it: a notification socket, and on restart the stored descriptors from 3 on. Returns 0 or the failing step. */
static int under_systemd(const char *notify_path)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int notify = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0), high = fcntl(run_fd, F_DUPFD_CLOEXEC, 100), other;
    struct holder_options o = {.run_fd = high, .program = "/nonexistent", .mode = HOLDER_AUTO};
    struct holder h;
    char pid[16], text[256];

    (void)snprintf(address.sun_path, sizeof(address.sun_path), "%s", notify_path);
    if (bind(notify, (struct sockaddr *)&address, sizeof(address)) < 0 || setenv("NOTIFY_SOCKET", notify_path, 1) < 0)
        return 1;
    if (holder_open(&o, &h) < 0 || h.inherited || !h.in_fd_store || h.keeper_socket >= 0)
        return 2;
    for (int i = 0; i < 2; i++) {
        ssize_t n = recv(notify, text, sizeof(text) - 1, MSG_DONTWAIT);

        if (n <= 0)
            return 3;
        text[n] = '\0';
        if (!strstr(text, "FDSTORE=1") || !strstr(text, i == 0 ? "FDNAME=fanotify-exits" : "FDNAME=fanotify-stores"))
            return 4;
    }
    /* Restarted: the same two, the other way round. */
    other = fcntl(h.exits, F_DUPFD_CLOEXEC, 100);
    if (dup2(fcntl(h.stores, F_DUPFD_CLOEXEC, 100), 3) != 3 || dup2(other, 4) != 4)
        return 5;
    (void)snprintf(pid, sizeof(pid), "%d", getpid());
    if (setenv("LISTEN_PID", pid, 1) < 0 || setenv("LISTEN_FDS", "2", 1) < 0 ||
        setenv("LISTEN_FDNAMES", "fanotify-stores:fanotify-exits", 1) < 0)
        return 6;
    if (holder_open(&o, &h) < 0 || !h.inherited || h.stores != 3 || h.exits != 4 || h.swept != 0)
        return 7;
    return 0;
}

static void test_fd_store(void **state)
{
    (void)state;
    assert_int_equal(machine_try(under_systemd, machine_path("notify"), 0), 0);
}

/* While one daemon is connected a second is turned away. */
static void test_second_daemon_is_turned_away(void **state)
{
    struct keeper_group groups[KEEPER_GROUPS_MAX];
    struct keeper_state s;
    struct holder h;
    int second;

    (void)state;
    open_holder(LONG_GRACE_MS, &h);
    second = keeper_connect(run_fd);
    assert_true(second >= 0);
    assert_true(keeper_hello(second, groups, KEEPER_GROUPS_MAX, &s) < 0);
    close(second);
    holder_release(&h);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_alone_unread, begin, end),
        cmocka_unit_test_setup_teardown(test_alone_read_but_unanswered, begin, end),
        cmocka_unit_test_setup_teardown(test_successor_unread, begin, end),
        cmocka_unit_test_setup_teardown(test_successor_read_but_unanswered, begin, end),
        cmocka_unit_test_setup_teardown(test_kill_loop_lets_no_writer_in, begin, end),
        cmocka_unit_test_setup_teardown(test_dead_keeper_is_replaced, begin, end),
        cmocka_unit_test_setup_teardown(test_fd_store, begin, end),
        cmocka_unit_test_setup_teardown(test_second_daemon_is_turned_away, begin, end),
    };
    const char *build = getenv("KURABAN_BUILD");

    (void)snprintf(keeper_program, sizeof(keeper_program), "%s/bin/kuraban-keeper", build ? build : ".");
    if (access(keeper_program, X_OK) < 0) {
        fprintf(stderr, "%s: not built (set KURABAN_BUILD)\n", keeper_program);
        return 1;
    }
    machine_begin();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
