/*
 * Starting a program of ours. Owns: what it gets with it, which is what is listed and nothing else. Must not: wait for it, or know what it is.
 */
#include "kern/spawn.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    HIGH_FD = 1000
};

/* Out of the way first: one of them may stand where another belongs. */
static int place(const struct spawn *s)
{
    int high[SPAWN_FDS_MAX];

    for (size_t i = 0; i < s->n; i++) {
        high[i] = fcntl(s->fds[i], F_DUPFD, HIGH_FD);
        if (high[i] < 0)
            return -1;
    }
    for (size_t i = 0; i < s->n; i++)
        if (dup2(high[i], s->first_fd + (int)i) < 0)
            return -1;
    return (int)syscall(SYS_close_range, (unsigned)s->first_fd + (unsigned)s->n, ~0U, 0);
}

/* In the grandchild: system calls only. Returns only when it failed. */
static void become(const struct spawn *s)
{
    char *const environment[] = {NULL};
    int null = open("/dev/null", O_RDWR | O_CLOEXEC);
    sigset_t none;

    if (s->fresh_signals) {
        (void)sigemptyset(&none);
        (void)sigprocmask(SIG_SETMASK, &none, NULL);
        (void)signal(SIGIO, SIG_DFL);
    }
    if (null < 0 || dup2(null, STDIN_FILENO) < 0 || dup2(null, STDOUT_FILENO) < 0 || place(s) < 0 || chdir("/") < 0)
        return;
    execve(s->program, s->argv, environment);
}

/* Through a second fork, so that nobody has to wait for it. */
int spawn_detached(const struct spawn *s)
{
    int status;
    pid_t child;

    if (s->n > SPAWN_FDS_MAX)
        return -E2BIG;
    if (faccessat(AT_FDCWD, s->program, X_OK, AT_EACCESS) < 0)
        return -errno;
    child = fork();
    if (child < 0)
        return -errno;
    if (child == 0) {
        if (setsid() < 0 || fork() != 0)
            _exit(0);
        become(s);
        _exit(127);
    }
    while (waitpid(child, &status, 0) < 0)
        if (errno != EINTR)
            return -errno;
    return 0;
}
