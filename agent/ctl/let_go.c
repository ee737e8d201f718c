/*
 * The end of connections that may hold descriptors of their sender. Owns the look for them and the process that waits. Must not
 * receive a descriptor, and must not be the last to hold one: a look (MSG_PEEK) without room for it only tells that it is there.
 */
#include "ctl/let_go.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"

enum {
    LOOKS_MAX = 1024, /* nobody who means well leaves so much unread */
};

/* Nothing can be added: the other side was shut out before. */
static bool holds_descriptor(int fd)
{
    for (int i = 0; i < LOOKS_MAX; i++) {
        uint8_t bytes[4096];
        struct iovec iov = {.iov_base = bytes, .iov_len = sizeof(bytes)};
        struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};
        ssize_t n = recvmsg(fd, &m, MSG_PEEK | MSG_DONTWAIT);

        if (n <= 0)
            return false;
        if (m.msg_flags & MSG_CTRUNC)
            return true;
        if (recv(fd, bytes, (size_t)n, MSG_DONTWAIT) != n)
            return true;
    }
    return true;
}

/* Holds the connection until our side has closed it, and so is the last. An ending process does not linger. */
static _Noreturn void wait_and_end(int fd, int released)
{
    char byte;

    if (dup2(fd, STDIN_FILENO) < 0 || dup2(released, STDOUT_FILENO) < 0 || close_range(STDERR_FILENO, UINT_MAX, 0) < 0)
        _exit(1);
    while (read(STDOUT_FILENO, &byte, 1) < 0 && errno == EINTR)
        continue;
    _exit(0);
}

/* Only what is safe after a fork in a process of many threads. */
static int start_holder(int fd, int released)
{
    pid_t pid = fork();
    int pidfd;

    if (pid < 0)
        return -errno;
    if (pid == 0)
        wait_and_end(fd, released);
    pidfd = pidfd_open(pid, 0);
    if (pidfd >= 0)
        return pidfd;
    pidfd = -errno;
    (void)kill(pid, SIGKILL); /* we hold the connection, so its end waits for nobody */
    while (waitpid(pid, NULL, 0) < 0 && errno == EINTR)
        continue;
    return pidfd;
}

bool let_go_at_once(int fd)
{
    (void)shutdown(fd, SHUT_RDWR);
    if (holds_descriptor(fd))
        return false;
    close_fd(fd);
    return true;
}

int let_go_later(int fd)
{
    int released[2];
    int r;

    if (pipe2(released, O_CLOEXEC) < 0)
        return -errno;
    r = start_holder(fd, released[0]);
    if (r >= 0)
        close_fd(fd);
    close_fd(released[0]);
    close_fd(released[1]);
    return r;
}

bool let_go_is_done(int closer)
{
    siginfo_t i = {0};

    if (waitid(P_PIDFD, (id_t)closer, &i, WEXITED | WNOHANG) == 0 && i.si_pid == 0)
        return false;
    close_fd(closer);
    return true;
}
