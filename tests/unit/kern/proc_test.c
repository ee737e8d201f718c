#include "test.h"

#include "kern/proc.h"

#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <sys/wait.h>
#include <unistd.h>

static struct proc_status status;

static int parse(const char *text)
{
    return proc_parse_status(text, strlen(text), &status);
}

#define HEAD "Name:\tcl\\nUid:\t0 0 0 0\nTgid:\t42\nPid:\t43\nTracerPid:\t7\n"

static void test_status(void **state)
{
    (void)state;
    assert_int_equal(parse(HEAD "Uid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\nFDSize:\t1\nGroups:\t10 20 \n"), 0);
    assert_int_equal(status.tgid, 42);
    assert_int_equal(status.tracer, 7);
    assert_int_equal(status.fsuid, 4); /* not the real or effective one */
    assert_int_equal(status.n_gids, 3);
    assert_int_equal(status.gids[0], 8);
    assert_int_equal(status.gids[1], 10);
    assert_int_equal(status.gids[2], 20);
    assert_int_equal(parse(HEAD "Uid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\nGroups:\t \n"), 0);
    assert_int_equal(status.n_gids, 1);
}

static void test_status_refuses_what_is_missing_or_odd(void **state)
{
    (void)state;
    assert_int_equal(parse(""), -EBADMSG);
    assert_int_equal(parse(HEAD "Gid:\t5\t6\t7\t8\nGroups:\t\n"), -EBADMSG);
    assert_int_equal(parse(HEAD "Uid:\t1\t2\t3\nGid:\t5\t6\t7\t8\nGroups:\t\n"), -EBADMSG);
    assert_int_equal(parse(HEAD "Uid:\t1\t2\t3\t4294967296\nGid:\t5\t6\t7\t8\nGroups:\t\n"), -EBADMSG);
    assert_int_equal(parse(HEAD "Uid:\t1\t2\t3\t-4\nGid:\t5\t6\t7\t8\nGroups:\t\n"), -EBADMSG);
    assert_int_equal(parse(HEAD "Uid:\t1\t2\t3\t4\nUid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\nGroups:\t\n"), -EBADMSG);
    /* Cut in the middle of a line: half a number would be another group. */
    assert_int_equal(parse(HEAD "Uid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\nGroups:\t10 2"), -EBADMSG);
}

static void test_status_bounds_groups(void **state)
{
    static char text[32 * 1024];
    size_t n = (size_t)snprintf(text, sizeof(text), HEAD "Uid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\nGroups:\t");

    (void)state;
    for (int i = 0; i < PROC_GROUPS_MAX; i++)
        n += (size_t)snprintf(text + n, sizeof(text) - n, "%d ", i);
    (void)snprintf(text + n, sizeof(text) - n, "\n");
    assert_int_equal(parse(text), 0);
    assert_int_equal(status.n_gids, PROC_GROUPS_MAX + 1);
    (void)snprintf(text + n, sizeof(text) - n, "99999 \n");
    assert_int_equal(parse(text), -E2BIG);
}

static void test_start_time(void **state)
{
    static const char tail[] = " S 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 987654 20 21\n";
    char text[256];
    uint64_t ticks = 0;

    (void)state;
    (void)snprintf(text, sizeof(text), "42 (a) b (c\n)%s", tail);
    assert_int_equal(proc_parse_start_time(text, strlen(text), &ticks), 0);
    assert_int_equal(ticks, 987654);
    assert_int_equal(proc_parse_start_time("42 (a) S 1 2", 12, &ticks), -EBADMSG);
    assert_int_equal(proc_parse_start_time("42 a S", 6, &ticks), -EBADMSG);
    assert_int_equal(ticks, 987654);
}

static void test_id(void **state)
{
    uint32_t id = 1;

    (void)state;
    assert_int_equal(proc_parse_id("4294967295", 10, &id), 0);
    assert_int_equal(id, UINT32_MAX);
    assert_int_equal(proc_parse_id("1000\n", 5, &id), 0);
    assert_int_equal(id, 1000);
    assert_int_equal(proc_parse_id("1000 x", 6, &id), -EBADMSG);
    assert_int_equal(proc_parse_id("", 0, &id), -EBADMSG);
}

/* The real thing: ourselves. */
static void test_self(void **state)
{
    int proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC), pid, exe;
    struct stat ours, byname;
    uint64_t ticks = 0;
    uint32_t id;
    char path[4096];

    (void)state;
    pid = proc_open(proc, getpid());
    assert_true(pid >= 0);
    assert_int_equal(proc_read_status(pid, &status), 0);
    assert_int_equal(status.tgid, getpid());
    assert_int_equal(status.fsuid, geteuid());
    assert_int_equal(proc_read_start_time(pid, &ticks), 0);
    assert_true(ticks > 0);
    assert_int_equal(proc_read_login_uid(pid, &id), 0);
    assert_int_equal(proc_read_session(pid, &id), 0);
    exe = proc_open_exe(pid);
    assert_true(exe >= 0);
    assert_int_equal(fstat(exe, &ours), 0);
    assert_int_equal(proc_path_of_fd(proc, exe, path, sizeof(path)), 0);
    assert_int_equal(stat(path, &byname), 0);
    assert_true(ours.st_dev == byname.st_dev && ours.st_ino == byname.st_ino);
    assert_int_equal(proc_path_of_fd(proc, exe, path, 4), -ENAMETOOLONG);
    assert_int_equal(strlen(path), 3);
    assert_int_equal(proc_open(proc, 0), -ESRCH);
    assert_int_equal(stat("/proc/self/ns/user", &ours), 0);
    assert_int_equal(proc_same_user_namespace(pid, ours.st_ino), 1);
    assert_int_equal(proc_same_user_namespace(pid, ours.st_ino + 1), 0);
    assert_int_equal(proc_same_user_namespace(exe, ours.st_ino), -ENOTDIR);
    close(exe);
    close(pid);
    close(proc);
}

/* A process that has really left our user namespace. */
static void test_other_user_namespace(void **state)
{
    int proc = open("/proc", O_PATH | O_DIRECTORY), ready[2], pid, same;
    struct stat ours;
    pid_t child;
    char left = 0;

    (void)state;
    assert_int_equal(stat("/proc/self/ns/user", &ours), 0);
    assert_int_equal(pipe2(ready, O_CLOEXEC), 0);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        left = unshare(CLONE_NEWUSER) == 0 ? 'y' : 'n';
        (void)!write(ready[1], &left, 1);
        (void)pause();
        _exit(0);
    }
    assert_int_equal(read(ready[0], &left, 1), 1);
    pid = proc_open(proc, child);
    assert_true(pid >= 0);
    same = proc_same_user_namespace(pid, ours.st_ino);
    (void)kill(child, SIGKILL);
    (void)waitpid(child, NULL, 0);
    close(ready[0]);
    close(ready[1]);
    close(pid);
    close(proc);
    if (left == 'n')
        skip_because("this machine makes no user namespaces");
    assert_int_equal(same, 0);
}

static void test_tty(void **state)
{
    dev_t tty = 1;

    (void)state;
#define STAT(tty) "42 (a) S (b) S 1 42 42 " tty " 42 4194304 1 0 0 0 "
    assert_int_equal(proc_parse_tty(STAT("0"), sizeof(STAT("0")) - 1, &tty), 0);
    assert_int_equal(tty, 0);
    assert_int_equal(proc_parse_tty(STAT("1025"), sizeof(STAT("1025")) - 1, &tty), 0);
    assert_int_equal(tty, makedev(4, 1));
    assert_int_equal(proc_parse_tty(STAT("34816"), sizeof(STAT("34816")) - 1, &tty), 0);
    assert_int_equal(tty, makedev(136, 0));
    assert_int_equal(proc_parse_tty(STAT("1083425"), sizeof(STAT("1083425")) - 1, &tty), 0);
    assert_int_equal(tty, makedev(136, 0x121)); /* a minor of more than 8 bits */
    assert_int_equal(proc_parse_tty(STAT("-1"), sizeof(STAT("-1")) - 1, &tty), -EBADMSG);
    assert_int_equal(proc_parse_tty(STAT("4294967296"), sizeof(STAT("4294967296")) - 1, &tty), -EBADMSG);
    assert_int_equal(proc_parse_tty("42 (a) S 1 42 42 1025", 21, &tty), -EBADMSG);
#undef STAT
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_status),
        cmocka_unit_test(test_status_refuses_what_is_missing_or_odd),
        cmocka_unit_test(test_status_bounds_groups),
        cmocka_unit_test(test_start_time),
        cmocka_unit_test(test_tty),
        cmocka_unit_test(test_id),
        cmocka_unit_test(test_self),
        cmocka_unit_test(test_other_user_namespace),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
