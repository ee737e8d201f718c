/* Owns: running `sshd -T`. Must not: hand it an environment or a descriptor of ours, or wait for ever. */
#include "cli/sshd_ask.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"

enum {
    TEXT_MAX = 256 * 1024,
    DEADLINE_US = 10 * 1000 * 1000,
};

static int start(const char *path, int out, pid_t *ret)
{
    char name[] = "sshd", option[] = "-T", *arguments[] = {name, option, NULL}, *environment[] = {NULL};
    posix_spawn_file_actions_t actions;
    int r = posix_spawn_file_actions_init(&actions);

    if (r != 0)
        return -r;
    r = posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    if (r == 0)
        r = posix_spawn_file_actions_addopen(&actions, STDERR_FILENO, "/dev/null", O_WRONLY, 0);
    if (r == 0)
        r = posix_spawn_file_actions_adddup2(&actions, out, STDOUT_FILENO);
    if (r == 0)
        r = posix_spawn(ret, path, &actions, NULL, arguments, environment);
    (void)posix_spawn_file_actions_destroy(&actions);
    return -r;
}

static int read_all(int fd, char *text)
{
    uint64_t end = clock_boottime_us() + DEADLINE_US;
    size_t used = 0;

    for (;;) {
        struct pollfd p = {.fd = fd, .events = POLLIN};
        uint64_t now = clock_boottime_us();
        int left = now < end ? (int)((end - now) / 1000) : 0;
        ssize_t n;

        if (poll(&p, 1, left) <= 0)
            return -ETIMEDOUT;
        n = read(fd, text + used, TEXT_MAX - used);
        if (n < 0)
            return -errno;
        used += (size_t)n;
        text[used < TEXT_MAX ? used : TEXT_MAX - 1] = '\0';
        if (n == 0)
            return memchr(text, '\0', used) ? -EPROTO : 0;
        if (used == TEXT_MAX)
            return -EPROTO;
    }
}

int sshd_ask(char **ret)
{
    static const char path[] = "/usr/sbin/sshd";
    _cleanup_free_ char *text = calloc(1, TEXT_MAX);
    int pipe_fds[2], status = -1, r;
    pid_t pid = -1;

    if (access(path, X_OK) < 0)
        return -errno;
    if (geteuid() != 0)
        return -EPERM; /* it would want to read the host keys */
    if (!text || pipe2(pipe_fds, O_CLOEXEC) < 0)
        return text ? -errno : -ENOMEM;
    r = start(path, pipe_fds[1], &pid);
    (void)close_fd(pipe_fds[1]);
    if (r == 0)
        r = read_all(pipe_fds[0], text);
    (void)close_fd(pipe_fds[0]);
    if (pid > 0) {
        if (r < 0)
            (void)kill(pid, SIGKILL);
        while (waitpid(pid, &status, 0) < 0 && errno == EINTR)
            continue;
        if (r == 0 && (!WIFEXITED(status) || WEXITSTATUS(status) != 0))
            r = -EPROTO;
    }
    if (r < 0)
        return r;
    *ret = TAKE_PTR(text);
    return 0;
}
