/* Connections that their former owners do not let us close: how many processes and descriptors they cost, and who is still served. */
#include "unit/ctl/fixture.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/prctl.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "ctl/leaving.h"
#include "ctl/protocol.h"
#include "ctl/server.h"
#include "fake/people.h"

enum {
    DEADLINE_MS = 30000,
    DEADLINE_US = DEADLINE_MS * 1000,
    SOMEBODY = 65533,
    FIRST_OF_OTHERS = 65500,
    OTHERS = 4,
    EACH = 40, /* at once; below the length of the queue */
    EACH_OTHER = 20,
};

static struct fake_ctl server;

/* --- the server's side, in the child --- */

static int held = -1;

/* The server's descriptors as count_descriptors() will find them when the connection that asks has gone: without it, the peer's pidfd
 * and the directory that is being read. */
static json_t *own_descriptors(void)
{
    DIR *d = opendir("/proc/self/fd");
    json_int_t n = -3;

    while (d && readdir(d))
        n++;
    (void)closedir(d);
    return json_integer(n);
}

/* From here on a call whose first argument is such gets the answer; others go on. */
static long filter_call(uint32_t call, struct sock_filter such, uint32_t answer, unsigned flags)
{
    struct sock_filter filter[] = {
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
        BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, call, 0, 3),
        BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, args[0])),
        such,
        BPF_STMT(BPF_RET | BPF_K, answer),
        BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
    };
    const struct sock_fprog program = {.len = ELEMENTS(filter), .filter = filter};

    return syscall(SYS_seccomp, SECCOMP_SET_MODE_FILTER, flags, &program);
}

/* From here on a process that closes a connection hangs in its first call of close_range(2), as with a file that is not written back. */
static enum ctl_code on_hang(void *context, const struct ctl_call *call, json_t **ret_answer)
{
    const struct sock_filter is = BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, STDERR_FILENO, 0, 1);

    (void)context;
    (void)call;
    held = (int)filter_call(SYS_close_range, is, SECCOMP_RET_USER_NOTIF, SECCOMP_FILTER_FLAG_NEW_LISTENER);
    *ret_answer = own_descriptors();
    return held >= 0 ? CTL_CODE_OK : CTL_CODE_FAILED;
}

static int on_held(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    struct seccomp_notif n = {0};
    struct seccomp_notif_resp answer = {.flags = SECCOMP_USER_NOTIF_FLAG_CONTINUE};

    (void)source;
    (void)events;
    (void)userdata;
    if (ioctl(fd, SECCOMP_IOCTL_NOTIF_RECV, &n) == 0) {
        answer.id = n.id;
        (void)ioctl(fd, SECCOMP_IOCTL_NOTIF_SEND, &answer);
    }
    return 0;
}

/* All that hangs goes on, now and later. */
static enum ctl_code on_go_on(void *context, const struct ctl_call *call, json_t **ret_answer)
{
    (void)call;
    *ret_answer = json_null();
    return sd_event_add_io(context, NULL, held, EPOLLIN, on_held, NULL) < 0 ? CTL_CODE_FAILED : CTL_CODE_OK;
}

/* From here on the server cannot start a process. Threads are no processes: the leak checker starts one at the end. */
static enum ctl_code on_no_more_processes(void *context, const struct ctl_call *call, json_t **ret_answer)
{
    const struct sock_filter has_not = BPF_JUMP(BPF_JMP | BPF_JSET | BPF_K, CLONE_VM, 1, 0);

    (void)context;
    (void)call;
    *ret_answer = own_descriptors();
    return filter_call(SYS_clone, has_not, SECCOMP_RET_ERRNO | EAGAIN, 0) == 0 ? CTL_CODE_OK : CTL_CODE_FAILED;
}

static enum ctl_code on_status(void *context, const struct ctl_call *call, json_t **ret_answer)
{
    (void)context;
    (void)call;
    *ret_answer = json_null();
    return CTL_CODE_OK;
}

static const struct ctl_verb verbs[] = {
    {CTL_STATUS, CTL_PERMIT_ANYBODY, on_status},
    {CTL_SYNC, CTL_PERMIT_ROOT, on_hang},
    {CTL_RELOAD, CTL_PERMIT_ROOT, on_go_on},
    {CTL_RESCAN, CTL_PERMIT_ROOT, on_no_more_processes},
};

static void listen_for_root(sd_event *loop, struct ctl_server *s)
{
    _cleanup_close_ int directory = open(server.directory, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    int fd = ctl_listen_for_root_at(directory, server.directory);

    (void)loop;
    if (fd < 0 || ctl_server_listen_for_root(s, fd) < 0)
        _exit(1);
}

/* --- the test's side --- */

static size_t count_entries(const char *what)
{
    char path[64];
    size_t n = 0;
    DIR *d;

    (void)snprintf(path, sizeof(path), "/proc/%d/%s", (int)server.pid, what);
    d = opendir(path);
    assert_non_null(d);
    while (readdir(d))
        n++;
    (void)closedir(d);
    return n;
}

static size_t count_descriptors(void)
{
    return count_entries("fd");
}

/* The children of a process; those that are in a list of theirs are killed when told so. */
static size_t children(pid_t pid, bool end_them)
{
    char path[64];
    size_t n = 0;
    int child;
    FILE *f;

    (void)snprintf(path, sizeof(path), "/proc/%d/task/%d/children", (int)pid, (int)pid);
    f = fopen(path, "re");
    assert_non_null(f);
    while (fscanf(f, "%d", &child) == 1) {
        n++;
        if (end_them && kill(child, SIGKILL) == 0)
            (void)waitpid(child, NULL, 0);
    }
    (void)fclose(f);
    return n;
}

/* Of the server, also where it has left them to others. */
static size_t count_closers(void)
{
    return children(server.pid, false) + children(getpid(), false) - 1;
}

static int setup(void **state)
{
    (void)state;
    server = (struct fake_ctl){0};
    return prctl(PR_SET_CHILD_SUBREAPER, 1L) < 0 ? -1
                                                 : fake_ctl_start(&server, verbs, ELEMENTS(verbs), listen_for_root);
}

static int teardown(void **state)
{
    char path[128];
    int r;

    (void)state;
    (void)snprintf(path, sizeof(path), "%s/%s", server.directory, CTL_ROOT_SOCKET_NAME);
    (void)unlink(path);
    r = fake_ctl_stop(&server);
    (void)children(getpid(), true);
    return r == 0 ? 0 : -1;
}

static int ask_number(uint16_t request, size_t *ret)
{
    struct ctl_client c = {.socket = -1};
    uint32_t code = CTL_CODE_FAILED;
    json_t *answer = NULL;
    int r = ctl_client_open(server.directory, &c);

    if (r == 0)
        r = ctl_client_ask(&c, request, NULL, DEADLINE_MS, &code, &answer);
    ctl_client_close(&c);
    *ret = (size_t)json_integer_value(answer);
    json_decref(answer);
    return r < 0 ? r : (int)code;
}

static int ask(uint16_t request)
{
    size_t unused;

    return ask_number(request, &unused);
}

static void send_descriptor(int socket)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

    if (fixture_send_fds(socket, "", 1, 0, fd, 1) != 1)
        _exit(12);
    close_fd(fd);
}

/* In a process of this uid: n connections with a descriptor in each, or one question. What it ends with. */
static int as_user(uid_t uid, size_t n)
{
    pid_t pid;

    (void)fflush(NULL);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        struct ctl_client c = {.socket = -1};

        become(uid);
        if (n == 0)
            _exit(ask(CTL_STATUS) == CTL_CODE_OK ? 0 : 1);
        for (size_t i = 0; i < n; i++) {
            if (ctl_client_open(server.directory, &c) < 0)
                _exit(11);
            send_descriptor(c.socket);
            ctl_client_close(&c);
        }
        _exit(0);
    }
    return exit_status_of(pid);
}

/* All there at once when the server looks. */
static void leave_behind(uid_t uid, size_t n)
{
    int r;

    assert_int_equal(kill(server.pid, SIGSTOP), 0);
    r = as_user(uid, n);
    assert_int_equal(kill(server.pid, SIGCONT), 0);
    assert_int_equal(r, 0);
}

static void wait_for_descriptors(size_t n)
{
    uint64_t end = clock_boottime_us() + DEADLINE_US;
    size_t now;

    while ((now = count_descriptors()) != n && clock_boottime_us() < end)
        (void)poll(NULL, 0, 10);
    assert_int_equal(now, n);
}

/* The one that starts them is for a moment a child itself. */
static void wait_for_closers(size_t n)
{
    uint64_t end = clock_boottime_us() + DEADLINE_US;

    while (count_closers() != n && clock_boottime_us() < end)
        (void)poll(NULL, 0, 10);
    assert_int_equal(count_closers(), n);
}

static void test_hanging(void **state)
{
    size_t before, left;

    (void)state;
    if (getuid() != 0)
        skip_because("needs root to become other users");
    assert_int_equal(ask_number(CTL_SYNC, &before), CTL_CODE_OK);
    leave_behind(NOBODY, EACH);
    wait_for_descriptors(before + EACH);
    wait_for_closers(LEAVING_CLOSERS_PER_UID);
    assert_int_equal(as_user(NOBODY, 0), 1);
    assert_int_equal(as_user(SOMEBODY, 0), 0);

    for (unsigned int i = 0; i < OTHERS; i++) {
        leave_behind(FIRST_OF_OTHERS + i, EACH_OTHER);
        wait_for_descriptors(before + EACH + (i + 1) * EACH_OTHER);
    }
    wait_for_closers(LEAVING_CLOSERS);
    assert_int_equal(as_user(SOMEBODY, 0), 0);

    for (left = EACH + OTHERS * EACH_OTHER; left < LEAVING_MAX; left += EACH) {
        leave_behind(NOBODY, EACH);
        wait_for_descriptors(before + (left + EACH < LEAVING_MAX ? left + EACH : LEAVING_MAX));
    }
    wait_for_closers(LEAVING_CLOSERS);
    assert_int_equal(ask(CTL_STATUS), CTL_CODE_OK);
    wait_for_descriptors(before + LEAVING_MAX);

    assert_int_equal(ask(CTL_RELOAD), CTL_CODE_OK);
    for (uint64_t end = clock_boottime_us() + DEADLINE_US; count_closers() > 0 && clock_boottime_us() < end;)
        assert_int_equal(ask(CTL_STATUS), CTL_CODE_OK);
    assert_int_equal(count_closers(), 0);
    wait_for_descriptors(before);
    assert_int_equal(as_user(NOBODY, 0), 0);
}

static void test_without_processes(void **state)
{
    size_t before;

    (void)state;
    if (getuid() != 0)
        skip_because("needs root to become other users");
    assert_int_equal(ask_number(CTL_RESCAN, &before), CTL_CODE_OK);
    for (size_t left = 0; left < LEAVING_MAX; left += EACH) {
        leave_behind(NOBODY, EACH);
        wait_for_descriptors(before + (left + EACH < LEAVING_MAX ? left + EACH : LEAVING_MAX));
    }
    assert_int_equal(ask(CTL_STATUS), CTL_CODE_OK);
    wait_for_descriptors(before + LEAVING_MAX);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_hanging, setup, teardown),
        cmocka_unit_test_setup_teardown(test_without_processes, setup, teardown),
    };

    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
