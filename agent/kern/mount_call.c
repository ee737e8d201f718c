/*
 * The calls that touch a mount. Owns: a child process per call, so that a path through a filesystem that does not answer
 * costs a deadline and not the daemon, and so that setns(2) never changes a thread of ours. Must not: decide, allocate
 * or lock in the child (the daemon has threads: after fork only async-signal-safe calls are allowed).
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/mount.h>
#include <linux/openat2.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "kern/mount.h"

/* <sys/mount.h> and <linux/mount.h> of glibc 2.36 exclude each other, so these two come without the former. */
int umount2(const char *target, int flags);
#define UMOUNT_DETACH 2 /* MNT_DETACH */
#define UMOUNT_NO_SYMLINK 8

enum call {
    CALL_DETACH,
    CALL_READ_ONLY,
    CALL_FORBID_EXEC,
    CALL_OPEN
};

struct answer {
    int result;
};

/* In the child: enter the place. Everything is by fds opened before, the last step leaves us at that process's root. */
static int enter(int namespace_fd, int root_fd)
{
    if (namespace_fd >= 0 && setns(namespace_fd, CLONE_NEWNS) < 0)
        return -errno;
    if (root_fd >= 0 && (fchdir(root_fd) < 0 || chroot(".") < 0))
        return -errno;
    return 0;
}

/* No symlink anywhere: the kernel's list names real places, and a user who owns a directory on the way must not be able to
 * lead the call to another mount. */
static int open_path(int dirfd, const char *path)
{
    const struct open_how how = {.flags = O_PATH | O_NOFOLLOW | O_CLOEXEC, .resolve = RESOLVE_NO_SYMLINKS};
    int fd = (int)syscall(SYS_openat2, dirfd, path, &how, sizeof(how));

    return fd < 0 ? -errno : fd;
}

/* Opens the mounted root and makes sure that it is the mount that was decided about, not one put there since. */
static int open_exact(const struct mount_place *place, int *ret_fd)
{
    struct statx stx;
    int fd = open_path(AT_FDCWD, place->point);

    if (fd < 0)
        return fd;
    /* The mount id comes whatever is asked for. Asked for nothing, FUSE does not refuse root on another user's mount. */
    if (statx(fd, "", AT_EMPTY_PATH | AT_STATX_DONT_SYNC, 0, &stx) < 0)
        return -errno;
    if (!(stx.stx_mask & STATX_MNT_ID) || stx.stx_mnt_id != (uint64_t)place->mount_id)
        return MOUNT_E_COVERED;
    *ret_fd = fd;
    return 0;
}

/* By name in a held parent: between the check and the call no component can be exchanged. */
static int detach(const struct mount_place *place)
{
    char parent[PATH_MAX];
    const char *base = strrchr(place->point, '/');
    size_t n = base ? (size_t)(base - place->point) : 0;
    int fd, r;

    if (!base || !base[1] || n >= sizeof(parent))
        return -EINVAL;
    memcpy(parent, place->point, n);
    parent[n] = '\0';
    fd = open_path(AT_FDCWD, n > 0 ? parent : "/");
    if (fd < 0)
        return fd;
    if (fchdir(fd) < 0)
        return -errno;
    if (place->mount_id >= 0) {
        r = open_exact(place, &fd);
        if (r != 0)
            return r;
    }
    return umount2(base + 1, UMOUNT_DETACH | UMOUNT_NO_SYMLINK) < 0 ? -errno : 0;
}

/* fspick + reconfigure changes the superblock alone; MS_REMOUNT would reset nosuid and nodev of the mount. */
static int reconfigure_read_only(int fd)
{
    int context = (int)syscall(SYS_fspick, fd, "", FSPICK_EMPTY_PATH | FSPICK_CLOEXEC);

    if (context < 0)
        return -errno;
    if (syscall(SYS_fsconfig, context, FSCONFIG_SET_FLAG, "ro", NULL, 0) < 0 ||
        syscall(SYS_fsconfig, context, FSCONFIG_CMD_RECONFIGURE, NULL, NULL, 0) < 0)
        return -errno;
    return 0;
}

static int forbid_exec(int fd)
{
    struct mount_attr attributes = {.attr_set = MOUNT_ATTR_NOEXEC};

    return syscall(SYS_mount_setattr, fd, "", AT_EMPTY_PATH, &attributes, sizeof(attributes)) < 0 ? -errno : 0;
}

static int send_answer(int socket, int result, int fd)
{
    struct answer answer = {.result = result};
    struct iovec iov = {.iov_base = &answer, .iov_len = sizeof(answer)};
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control = {0};
    struct msghdr message = {.msg_iov = &iov, .msg_iovlen = 1};

    if (fd >= 0) {
        struct cmsghdr *c;

        message.msg_control = control.bytes;
        message.msg_controllen = sizeof(control.bytes);
        c = CMSG_FIRSTHDR(&message);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(c), &fd, sizeof(int));
    }
    return sendmsg(socket, &message, MSG_NOSIGNAL) == (ssize_t)sizeof(answer) ? 0 : -EIO;
}

static int receive_answer(int socket, int *ret_fd)
{
    struct answer answer;
    struct iovec iov = {.iov_base = &answer, .iov_len = sizeof(answer)};
    union {
        char bytes[CMSG_SPACE(sizeof(int))];
        struct cmsghdr align;
    } control;
    struct msghdr message = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = control.bytes, .msg_controllen = sizeof(control.bytes)};
    struct cmsghdr *c;

    if (recvmsg(socket, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT) != (ssize_t)sizeof(answer))
        return -EIO;
    c = CMSG_FIRSTHDR(&message);
    if (c && c->cmsg_type == SCM_RIGHTS && c->cmsg_len == CMSG_LEN(sizeof(int)))
        memcpy(ret_fd, CMSG_DATA(c), sizeof(int));
    return answer.result;
}

static int run_in_child(enum call call, const struct mount_place *place, int namespace_fd, int root_fd, int *ret_fd)
{
    int r = enter(namespace_fd, root_fd), fd = -1;

    if (r < 0)
        return r;
    if (call == CALL_DETACH)
        return detach(place);
    r = open_exact(place, &fd);
    if (r != 0)
        return r;
    if (call == CALL_READ_ONLY)
        return reconfigure_read_only(fd);
    if (call == CALL_FORBID_EXEC)
        return forbid_exec(fd);
    *ret_fd = fd;
    return 0;
}

static _Noreturn void child_main(enum call call, const struct mount_place *place, int namespace_fd, int root_fd,
                                 int socket)
{
    sigset_t all;
    int fd = -1, r;

    /* A child that hangs in the kernel must not keep the daemon's other files (its journal, the gate's group) open. So
     * the three that matter go to the front and the rest is closed. */
    (void)sigfillset(&all);
    (void)sigprocmask(SIG_BLOCK, &all, NULL);
    socket = fcntl(socket, F_DUPFD, 1000);
    namespace_fd = namespace_fd < 0 ? -1 : fcntl(namespace_fd, F_DUPFD, 1000);
    root_fd = root_fd < 0 ? -1 : fcntl(root_fd, F_DUPFD, 1000);
    if (socket < 0 || dup2(socket, 0) < 0)
        _exit(1);
    socket = 0;
    namespace_fd = namespace_fd < 0 ? -1 : dup2(namespace_fd, 1);
    root_fd = root_fd < 0 ? -1 : dup2(root_fd, 2);
    (void)syscall(SYS_close_range, 3U, ~0U, 0U);
    r = run_in_child(call, place, namespace_fd, root_fd, &fd);
    _exit(send_answer(socket, r, fd) < 0 ? 1 : 0);
}

static int wait_answer(int socket, pid_t child, int *ret_fd)
{
    struct pollfd p = {.fd = socket, .events = POLLIN};
    int r;

    do
        r = poll(&p, 1, MOUNT_DEADLINE_MS);
    while (r < 0 && errno == EINTR);
    if (r <= 0) {
        (void)kill(child, SIGKILL);
        return MOUNT_E_TIMEOUT;
    }
    return receive_answer(socket, ret_fd);
}

/* A killed child may sit in an uninterruptible wait for long; it is collected by a later call. */
static void abandon(struct mount_kernel *kernel, pid_t child)
{
    for (size_t i = 0; i < ELEMENTS(kernel->abandoned); i++) {
        if (kernel->abandoned[i] == 0) {
            kernel->abandoned[i] = child;
            return;
        }
    }
}

static size_t reap(struct mount_kernel *kernel)
{
    size_t left = 0;

    for (size_t i = 0; i < ELEMENTS(kernel->abandoned); i++) {
        if (kernel->abandoned[i] != 0 && waitpid(kernel->abandoned[i], NULL, WNOHANG) != 0)
            kernel->abandoned[i] = 0;
        left += kernel->abandoned[i] != 0;
    }
    return left;
}

/* Opens what the child needs; 0 for our own namespace needs nothing. */
static int open_place(int proc, pid_t pid, int *ret_namespace, int *ret_root)
{
    _cleanup_close_ int namespace_fd = -1, root_fd = -1;
    char path[64];

    if (pid == 0)
        return 0;
    (void)snprintf(path, sizeof(path), "%d/ns/mnt", (int)pid);
    namespace_fd = openat(proc, path, O_RDONLY | O_CLOEXEC);
    if (namespace_fd < 0)
        return -errno;
    (void)snprintf(path, sizeof(path), "%d/root", (int)pid);
    root_fd = openat(proc, path, O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (root_fd < 0)
        return -errno;
    *ret_namespace = TAKE_FD(namespace_fd);
    *ret_root = TAKE_FD(root_fd);
    return 0;
}

static int perform(struct mount_kernel *kernel, enum call call, const struct mount_place *place, int *ret_fd)
{
    _cleanup_close_ int namespace_fd = -1, root_fd = -1, ours = -1, theirs = -1;
    int pair[2], r;
    pid_t child;

    if (reap(kernel) == ELEMENTS(kernel->abandoned))
        return MOUNT_E_TIMEOUT; /* that many hang already: no more of them */
    r = open_place(kernel->proc, place->pid, &namespace_fd, &root_fd);
    if (r == -ENOENT || r == -ESRCH)
        return MOUNT_E_GONE;
    if (r < 0)
        return r;
    if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
        return -errno;
    ours = pair[0];
    theirs = pair[1];
    child = fork();
    if (child < 0)
        return -errno;
    if (child == 0)
        child_main(call, place, namespace_fd, root_fd, theirs);
    theirs = close_fd(theirs);
    r = wait_answer(ours, child, ret_fd);
    if (r == MOUNT_E_TIMEOUT)
        abandon(kernel, child);
    else
        (void)waitpid(child, NULL, 0); /* it has answered and is exiting */
    return r == -ENOENT || r == -ESRCH ? MOUNT_E_GONE : r;
}

static int kernel_detach(void *context, const struct mount_place *place)
{
    int fd = -1;

    return perform(context, CALL_DETACH, place, &fd);
}

static int kernel_make_read_only(void *context, const struct mount_place *place)
{
    int fd = -1;

    return perform(context, CALL_READ_ONLY, place, &fd);
}

static int kernel_forbid_exec(void *context, const struct mount_place *place)
{
    int fd = -1;

    return perform(context, CALL_FORBID_EXEC, place, &fd);
}

static int kernel_open(void *context, const struct mount_place *place, int *ret_fd)
{
    int fd = -1, r;

    r = perform(context, CALL_OPEN, place, &fd);
    if (r == 0 && fd < 0)
        return -EIO;
    if (r == 0)
        *ret_fd = fd;
    else
        close_fd(fd);
    return r;
}

void mount_ops_kernel(struct mount_kernel *kernel, struct mount_ops *ret)
{
    *ret = (struct mount_ops){.detach = kernel_detach,
                              .make_read_only = kernel_make_read_only,
                              .forbid_exec = kernel_forbid_exec,
                              .open = kernel_open,
                              .context = kernel};
}
