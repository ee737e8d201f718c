/*
 * Proof that the kernel really asks us and obeys: a child opens a canary of each group and must be refused.
 *
 * Owns: the canary files in the run directory and their inode marks. Must not: trust that a mark was accepted.
 */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "gate/selftest.h"
#include "kern/fanotify.h"

static const char *const canary_names[GATE_GROUPS] = {"canary-exits", "canary-stores"};

int selftest_mark(struct gate *g, enum gate_group which)
{
    return fanotify_guard_inode(g->options.ops, g->group[which], g->options.run_fd, canary_names[which], false);
}

int selftest_prepare(struct gate *g)
{
    for (int i = 0; i < GATE_GROUPS; i++) {
        struct stat st;
        int r;

        /* Made and looked at without opening it: the old one may still be marked from the life before. */
        (void)unlinkat(g->options.run_fd, canary_names[i], 0);
        if (mknodat(g->options.run_fd, canary_names[i], S_IFREG | 0600, 0) < 0 ||
            fstatat(g->options.run_fd, canary_names[i], &st, AT_SYMLINK_NOFOLLOW) < 0)
            return -errno;
        g->canary[i] = (struct canary){st.st_dev, st.st_ino};
        r = selftest_mark(g, (enum gate_group)i);
        if (r < 0)
            return r;
    }
    return 0;
}

void selftest_remove(struct gate *g)
{
    for (int i = 0; i < GATE_GROUPS; i++)
        (void)unlinkat(g->options.run_fd, canary_names[i], 0);
}

/* After fork in a threaded process: system calls only. 0 when every canary was refused. */
static int open_canaries(int run_fd)
{
    for (int i = 0; i < GATE_GROUPS; i++)
        if (openat(run_fd, canary_names[i], O_RDONLY | O_CLOEXEC | O_NOFOLLOW) >= 0 || errno != EPERM)
            return 1;
    return 0;
}

/* A child that waits for an answer must not outlive a killed daemon: it would hold the groups and the keeper's connection, so that the
 * keeper takes the daemon for alive and nobody ever answers. */
static void child_run(pid_t parent, int run_fd, int (*task)(int run_fd))
{
    if (prctl(PR_SET_PDEATHSIG, SIGKILL) < 0 || getppid() != parent || dup2(run_fd, STDIN_FILENO) < 0 ||
        syscall(SYS_close_range, STDIN_FILENO + 1, ~0U, 0) < 0)
        _exit(SELFTEST_CHILD_FAILED);
    _exit(task(STDIN_FILENO));
}

pid_t selftest_child(int run_fd, int (*task)(int run_fd))
{
    pid_t parent = getpid(), child = fork();

    if (child == 0)
        child_run(parent, run_fd, task);
    return child;
}

int selftest_wait(pid_t child, int deadline_ms)
{
    _cleanup_close_ int pid_fd = (int)syscall(SYS_pidfd_open, child, 0);
    struct pollfd p = {.fd = pid_fd, .events = POLLIN};
    int status = 0, r;

    do
        r = poll(&p, 1, deadline_ms);
    while (r < 0 && errno == EINTR);
    if (pid_fd < 0 || r != 1)
        (void)kill(child, SIGKILL);
    while (waitpid(child, &status, 0) < 0 && errno == EINTR)
        ;
    return pid_fd >= 0 && r == 1 && WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

const char *selftest_canary_name(enum gate_group which)
{
    return canary_names[which];
}

int gate_self_test(struct gate *g, int deadline_ms)
{
    pid_t child = selftest_child(g->options.run_fd, open_canaries);
    bool passed;

    if (child < 0)
        return -errno;
    passed = selftest_wait(child, deadline_ms) == 0;
    if (g->self_test_passed != passed || !passed)
        record_report(
            g, AUDIT_GATE_SELF_TEST, !passed, NULL,
            passed ? "a canary open was refused: the kernel enforces" : "a canary open was not refused in time", 0);
    g->self_test_passed = passed;
    return passed;
}
