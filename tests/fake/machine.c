/*
 * Real filesystems, mounts and processes for component tests.
 *
 * Owns: a private mount and pid namespace, loop devices over memfds with autoclear, one directory in /run. Must not: touch a mount or device
 * that it did not make. Whatever the test does, the kernel cleans up: the namespaces die with the process, with them the
 * processes and the mounts, with those the loop devices and their memory.
 */
#include "test.h"

#include "fake/machine.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/loop.h>
#include <poll.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

enum {
    FILESYSTEM_SIZE = 16 << 20,
    CHILD_DEADLINE_MS = 20000
};

static char root[64];

static void die(const char *what)
{
    fprintf(stderr, "machine: %s: %s\n", what, strerror(errno));
    exit(1);
}

static pid_t owner;

/* The test goes on as first process of a pid namespace of its own: when it ends, the kernel kills whatever it started. */
static void enter_namespaces(void)
{
    int status;
    pid_t child;

    if (unshare(CLONE_NEWNS | CLONE_NEWPID) < 0 || mount(NULL, "/", NULL, MS_REC | MS_PRIVATE, NULL) < 0)
        die("namespaces");
    fflush(stdout);
    child = fork();
    if (child < 0)
        die("fork");
    if (child > 0) {
        while (waitpid(child, &status, 0) < 0 && errno == EINTR)
            ;
        if (WIFSIGNALED(status))
            fprintf(stderr, "machine: the test was killed by signal %d\n", WTERMSIG(status));
        _exit(WIFEXITED(status) ? WEXITSTATUS(status) : 1);
    }
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (mount("proc", "/proc", "proc", MS_NOSUID | MS_NODEV | MS_NOEXEC, NULL) < 0)
        die("proc");
}

static void forget_directory(void)
{
    if (getpid() != owner)
        return;
    (void)umount2(root, MNT_DETACH);
    (void)rmdir(root);
}

void machine_begin(void)
{
    if (geteuid() != 0) {
        printf("SKIP: needs root: loop devices, mounts, fanotify\n");
        exit(TEST_EXIT_SKIP);
    }
    enter_namespaces();
    (void)umask(022);
    strcpy(root, "/run/kuraban-test-XXXXXX");
    if (!mkdtemp(root) || chmod(root, 0755) < 0)
        die(root);
    owner = getpid();
    if (atexit(forget_directory) != 0 || mount("kuraban-test", root, "tmpfs", 0, "mode=755,size=256m") < 0)
        die("tmpfs");
}

const char *machine_root(void)
{
    return root;
}

const char *machine_path(const char *relative)
{
    static char buffers[8][PATH_MAX];
    static unsigned turn;
    char *b = buffers[turn++ % 8];

    (void)snprintf(b, PATH_MAX, "%s/%s", root, relative);
    return b;
}

static void make_filesystem(int memfd)
{
    char path[64];
    const char *argv[] = {"/sbin/mkfs.ext4", "-q", "-F", path, NULL};

    (void)snprintf(path, sizeof(path), "/proc/%d/fd/%d", getpid(), memfd);
    if (machine_run(argv) != 0)
        die("mkfs.ext4");
}

/* Another program may take the free number first: then ask again. */
static int attach_loop(int memfd, char name[32])
{
    int control = open("/dev/loop-control", O_RDWR | O_CLOEXEC);

    for (int i = 0; control >= 0 && i < 32; i++) {
        int n = ioctl(control, LOOP_CTL_GET_FREE), fd;
        struct loop_config c = {.fd = (unsigned)memfd, .info = {.lo_flags = LO_FLAGS_AUTOCLEAR}};

        if (n < 0)
            break;
        (void)snprintf(name, 32, "/dev/loop%d", n);
        fd = open(name, O_RDWR | O_CLOEXEC);
        if (fd >= 0 && ioctl(fd, LOOP_CONFIGURE, &c) == 0) {
            close(control);
            return fd;
        }
        close(fd);
    }
    close(control);
    return -1;
}

void machine_mount_ext4(const char *name)
{
    int memfd = memfd_create("kuraban-test", MFD_CLOEXEC), loop;
    char device[32];

    if (memfd < 0 || ftruncate(memfd, FILESYSTEM_SIZE) < 0)
        die("memfd");
    make_filesystem(memfd);
    loop = attach_loop(memfd, device);
    if (loop < 0)
        die("loop device");
    (void)mkdir(machine_path(name), 0755);
    if (mount(device, machine_path(name), "ext4", MS_NOATIME, NULL) < 0)
        die("mount ext4");
    close(loop); /* the mount holds it from here on */
    close(memfd);
}

void machine_make_read_only(const char *name)
{
    if (mount(NULL, machine_path(name), NULL, MS_REMOUNT | MS_RDONLY, NULL) < 0)
        die("remount read-only");
}

void machine_umount(const char *name)
{
    if (umount2(machine_path(name), MNT_DETACH) < 0)
        die("umount");
}

void machine_write(const char *relative, const char *text, mode_t mode)
{
    int fd;

    (void)unlink(machine_path(relative));
    fd = open(machine_path(relative), O_CREAT | O_EXCL | O_WRONLY | O_CLOEXEC, mode);
    if (fd < 0 || write(fd, text, strlen(text)) != (ssize_t)strlen(text) || fchmod(fd, mode) < 0)
        die(relative);
    close(fd);
}

void machine_copy(const char *from, const char *relative, mode_t mode)
{
    int in = open(from, O_RDONLY | O_CLOEXEC);
    int out = open(machine_path(relative), O_CREAT | O_TRUNC | O_WRONLY | O_CLOEXEC, mode);
    char bytes[65536];
    ssize_t n;

    if (in < 0 || out < 0 || fchmod(out, mode) < 0)
        die(relative);
    while ((n = read(in, bytes, sizeof(bytes))) > 0)
        if (write(out, bytes, (size_t)n) != n)
            die(relative);
    close(in);
    close(out);
}

pid_t machine_start(int (*fn)(const char *path), const char *path, uid_t uid)
{
    pid_t child = fork();

    if (child < 0)
        die("fork");
    if (child > 0)
        return child;
    (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (uid != 0 && (setresgid(uid, uid, uid) < 0 || setresuid(uid, uid, uid) < 0))
        _exit(255);
    (void)prctl(PR_SET_DUMPABLE, 1); /* or /proc/self would belong to root */
    _exit(fn(path));
}

int machine_wait(pid_t child)
{
    int pid_fd = (int)syscall(SYS_pidfd_open, child, 0);
    struct pollfd p = {.fd = pid_fd, .events = POLLIN};
    int status = 0, r = poll(&p, 1, CHILD_DEADLINE_MS);

    if (r != 1)
        (void)kill(child, SIGKILL);
    close(pid_fd);
    if (waitpid(child, &status, 0) != child || r != 1 || !WIFEXITED(status))
        return -1;
    return WEXITSTATUS(status);
}

int machine_try(int (*fn)(const char *path), const char *path, uid_t uid)
{
    return machine_wait(machine_start(fn, path, uid));
}

bool machine_is_waiting(pid_t child)
{
    char name[64], line[256];

    (void)snprintf(name, sizeof(name), "/proc/%d/wchan", child);
    for (int i = 0; i < 2000; i++) {
        siginfo_t info = {0};
        FILE *f = fopen(name, "re");
        bool asked = f && fgets(line, sizeof(line), f) && strstr(line, "fanotify");

        if (f)
            fclose(f);
        if (asked)
            return true;
        if (waitid(P_PID, (id_t)child, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid == child)
            return false;
        (void)poll(NULL, 0, 5);
    }
    return false;
}

int machine_run(const char *const argv[])
{
    pid_t child = fork();

    if (child < 0)
        die("fork");
    if (child == 0) {
        int null = open("/dev/null", O_RDWR);

        (void)prctl(PR_SET_PDEATHSIG, SIGKILL);
        (void)dup2(null, 0);
        (void)dup2(null, 1);
        (void)dup2(null, 2);
        execv(argv[0], (char *const *)argv);
        _exit(127);
    }
    return machine_wait(child);
}

int machine_open_read(const char *path)
{
    int fd = open(path, O_RDONLY | O_CLOEXEC);
    char c;

    if (fd < 0)
        return errno;
    return read(fd, &c, 1) < 0 ? errno : 0;
}

int machine_open_write(const char *path)
{
    return open(path, O_WRONLY | O_CLOEXEC) < 0 ? errno : 0;
}

int machine_execute(const char *path)
{
    execl(path, path, (char *)NULL);
    return errno;
}
