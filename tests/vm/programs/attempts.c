/*
 * Tries, as whoever runs it, each way of changing a filesystem or of getting at a device, and prints one line per way:
 * "NAME done" or "NAME refused ERRNO". Owns the list of ways. Must not judge: the scenario knows what is expected. Static, so
 * that it runs in any guest and from any medium.
 *
 *   attempts files DIRECTORY FILE   DIRECTORY/FILE exists
 *   attempts nodes NODE…            each device node, opened in every way
 *   attempts mounts DIRECTORY NODE  mounting and remounting
 *   attempts reads FILE OTHER       each way of reading FILE; OTHER is a free name on the same filesystem
 *   attempts map FILE               mapping FILE for execution, as ld.so does with a program that it is given
 *   attempts hello                  prints "executed"
 */
#include <errno.h>
#include <fcntl.h>
#include <liburing.h>
#include <linux/fs.h>
#include <linux/openat2.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/mount.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/xattr.h>
#include <unistd.h>

/* The working directory is DIRECTORY. */
static const char *file;
static const char secret[] = "RESIDENT-DATA";

static int finish(int result)
{
    return result < 0 ? errno : 0;
}

/* A descriptor counts only when bytes went through it. */
static int write_and_close(int fd)
{
    int r = 0;

    if (fd < 0)
        return errno;
    if (write(fd, secret, sizeof(secret) - 1) != (ssize_t)sizeof(secret) - 1 || fsync(fd) < 0)
        r = errno ? errno : EIO;
    if (close(fd) < 0 && r == 0)
        r = errno;
    return r;
}

static int try_write(void)
{
    return write_and_close(open(file, O_WRONLY | O_CLOEXEC));
}

static int try_read_write(void)
{
    return write_and_close(open(file, O_RDWR | O_CLOEXEC));
}

static int try_append(void)
{
    return write_and_close(open(file, O_WRONLY | O_APPEND | O_CLOEXEC));
}

static int try_open_truncate(void)
{
    return write_and_close(open(file, O_WRONLY | O_TRUNC | O_CLOEXEC));
}

static int try_read_truncate(void)
{
    int fd = open(file, O_RDONLY | O_TRUNC | O_CLOEXEC); /* truncates on Linux although it cannot write */

    return fd < 0 ? errno : finish(close(fd));
}

static int try_truncate(void)
{
    return finish(truncate(file, 3));
}

static int try_create(void)
{
    return write_and_close(open("created", O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0644));
}

static int try_create_empty(void)
{
    int fd = open("RESIDENT-DATA-AS-A-NAME", O_RDONLY | O_CREAT | O_CLOEXEC, 0644);

    return fd < 0 ? errno : finish(close(fd));
}

static int try_tmpfile(void)
{
    return write_and_close(open(".", O_TMPFILE | O_WRONLY | O_CLOEXEC, 0600));
}

static int try_openat2(void)
{
    struct open_how how = {.flags = O_WRONLY | O_CREAT | O_CLOEXEC, .mode = 0644};

    return write_and_close((int)syscall(SYS_openat2, AT_FDCWD, "openat2", &how, sizeof(how)));
}

static int try_reopen(void)
{
    char path[64];
    int fd = open(file, O_RDONLY | O_CLOEXEC), r;

    if (fd < 0)
        return errno;
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    r = write_and_close(open(path, O_RDWR | O_CLOEXEC));
    (void)close(fd);
    return r;
}

static int try_map(int flags)
{
    int fd = open(file, flags | O_CLOEXEC), r;
    char *bytes;

    if (fd < 0)
        return errno;
    bytes = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    r = bytes == MAP_FAILED ? errno : 0;
    if (r == 0) {
        memcpy(bytes, secret, sizeof(secret) - 1);
        r = finish(msync(bytes, 4096, MS_SYNC));
        (void)munmap(bytes, 4096);
    }
    (void)close(fd);
    return r;
}

static int try_mmap_write(void)
{
    return try_map(O_RDWR);
}

static int try_mmap_of_reader(void)
{
    return try_map(O_RDONLY);
}

static int try_mkdir(void)
{
    return finish(mkdir("RESIDENT-DATA.d", 0755));
}

static int try_symlink(void)
{
    return finish(symlink(secret, "symlink"));
}

static int try_link(void)
{
    return finish(link(file, "hardlink"));
}

static int try_mknod(void)
{
    return finish(mknod("fifo", S_IFIFO | 0600, 0));
}

static int try_setxattr(void)
{
    return finish(setxattr(file, "user.kuraban", secret, sizeof(secret) - 1, 0));
}

static int try_fsetxattr(void)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC), r;

    if (fd < 0)
        return errno;
    r = finish(fsetxattr(fd, "user.kuraban2", secret, sizeof(secret) - 1, 0));
    (void)close(fd);
    return r;
}

static int try_chmod(void)
{
    return finish(chmod(file, 0600));
}

static int try_times(void)
{
    const struct timespec times[2] = {{.tv_sec = 0x52455349}, {.tv_sec = 0x44454e54}};

    return finish(utimensat(AT_FDCWD, file, times, 0));
}

static int try_flags(void)
{
    int fd = open(file, O_RDONLY | O_CLOEXEC), flags = 0, r;

    if (fd < 0)
        return errno;
    r = finish(ioctl(fd, FS_IOC_GETFLAGS, &flags));
    if (r == 0) {
        flags |= FS_NODUMP_FL;
        r = finish(ioctl(fd, FS_IOC_SETFLAGS, &flags));
    }
    (void)close(fd);
    return r;
}

static int try_rename(void)
{
    return finish(rename(file, "renamed")) ?: finish(rename("renamed", file));
}

static int try_unlink(void)
{
    return finish(unlink(file));
}

/* One request through a ring; its result as a system call's. */
static int ring_do(void (*prepare)(struct io_uring_sqe *sqe, int fd, void *buffer), int fd, void *buffer)
{
    struct io_uring ring;
    struct io_uring_cqe *cqe;
    int r = io_uring_queue_init(2, &ring, 0);

    if (r < 0)
        return r;
    prepare(io_uring_get_sqe(&ring), fd, buffer);
    r = io_uring_submit_and_wait(&ring, 1);
    if (r >= 0)
        r = io_uring_wait_cqe(&ring, &cqe);
    if (r == 0)
        r = cqe->res;
    io_uring_queue_exit(&ring);
    return r;
}

static void prepare_open(struct io_uring_sqe *sqe, int fd, void *name)
{
    (void)fd;
    io_uring_prep_openat(sqe, AT_FDCWD, name, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
}

static void prepare_write(struct io_uring_sqe *sqe, int fd, void *bytes)
{
    io_uring_prep_write(sqe, fd, bytes, sizeof(secret) - 1, 0);
}

static void prepare_mkdir(struct io_uring_sqe *sqe, int fd, void *name)
{
    (void)fd;
    io_uring_prep_mkdirat(sqe, AT_FDCWD, name, 0755);
}

static int ring_write(const char *name)
{
    char path[64], bytes[sizeof(secret)];
    int fd, r;

    (void)snprintf(path, sizeof(path), "%s", name);
    memcpy(bytes, secret, sizeof(bytes));
    fd = ring_do(prepare_open, -1, path);
    if (fd < 0)
        return -fd;
    r = ring_do(prepare_write, fd, bytes);
    if (r >= 0 && fsync(fd) < 0)
        r = -errno;
    (void)close(fd);
    return r < 0 ? -r : 0;
}

static int try_ring_write(void)
{
    return ring_write(file);
}

static int try_ring_create(void)
{
    return ring_write("by-ring");
}

static int try_ring_mkdir(void)
{
    char name[] = "ring.d";
    int r = ring_do(prepare_mkdir, -1, name);

    return r < 0 ? -r : 0;
}

static const struct way {
    const char *name;
    int (*try)(void);
} ways[] = {
    {"write", try_write},
    {"read-write", try_read_write},
    {"append", try_append},
    {"reopen", try_reopen},
    {"mmap-write", try_mmap_write},
    {"mmap-of-reader", try_mmap_of_reader},
    {"ring-write", try_ring_write},
    {"ring-create", try_ring_create},
    {"ring-mkdir", try_ring_mkdir},
    {"open-truncate", try_open_truncate},
    {"read-truncate", try_read_truncate},
    {"truncate", try_truncate},
    {"create", try_create},
    {"create-empty", try_create_empty},
    {"tmpfile", try_tmpfile},
    {"openat2", try_openat2},
    {"mkdir", try_mkdir},
    {"symlink", try_symlink},
    {"link", try_link},
    {"mknod", try_mknod},
    {"setxattr", try_setxattr},
    {"fsetxattr", try_fsetxattr},
    {"chmod", try_chmod},
    {"times", try_times},
    {"flags", try_flags},
    {"rename", try_rename},
    {"unlink", try_unlink},
};

/* Reading: 0 only when bytes came. */

static const char *other;

static int read_and_close(int fd)
{
    char byte;
    ssize_t n;
    int r;

    if (fd < 0)
        return errno;
    n = read(fd, &byte, 1);
    r = n == 1 ? 0 : n < 0 ? errno : ENODATA;
    (void)close(fd);
    return r;
}

static int read_plain(void)
{
    return read_and_close(open(file, O_RDONLY | O_CLOEXEC));
}

static int read_for_update(void)
{
    return read_and_close(open(file, O_RDWR | O_CLOEXEC));
}

static int read_openat2(void)
{
    struct open_how how = {.flags = O_RDONLY | O_CLOEXEC};

    return read_and_close((int)syscall(SYS_openat2, AT_FDCWD, file, &how, sizeof(how)));
}

/* O_PATH raises no event; opening what it leads to must. */
static int read_by_path_descriptor(void)
{
    char path[64];
    int fd = open(file, O_PATH | O_CLOEXEC), r;

    if (fd < 0)
        return errno;
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", fd);
    r = read_and_close(open(path, O_RDONLY | O_CLOEXEC));
    (void)close(fd);
    return r;
}

static int read_by_root_link(void)
{
    char path[1024];

    (void)snprintf(path, sizeof(path), "/proc/self/root%s", file);
    return read_and_close(open(path, O_RDONLY | O_CLOEXEC));
}

static void prepare_read_open(struct io_uring_sqe *sqe, int fd, void *name)
{
    (void)fd;
    io_uring_prep_openat(sqe, AT_FDCWD, name, O_RDONLY | O_CLOEXEC, 0);
}

static int read_by_ring(void)
{
    char path[1024];
    int fd;

    (void)snprintf(path, sizeof(path), "%s", file);
    fd = ring_do(prepare_read_open, -1, path);
    return fd < 0 ? -fd : read_and_close(fd);
}

static int read_by_hard_link(void)
{
    int r = finish(link(file, other));

    if (r == 0) {
        r = read_and_close(open(other, O_RDONLY | O_CLOEXEC));
        (void)unlink(other);
    }
    return r;
}

static int read_by_symlink(void)
{
    int r = finish(symlink(file, other));

    if (r == 0) {
        r = read_and_close(open(other, O_RDONLY | O_CLOEXEC));
        (void)unlink(other);
    }
    return r;
}

static int read_renamed(void)
{
    int r = finish(rename(file, other));

    if (r == 0) {
        r = read_and_close(open(other, O_RDONLY | O_CLOEXEC));
        if (rename(other, file) < 0)
            r = 0; /* the file is away: report it as taken */
    }
    return r;
}

static int read_by_running(void)
{
    char *const argv[] = {"x", NULL}, *const envp[] = {NULL};

    (void)execve(file, argv, envp); /* no program: what passes the gate ends with ENOEXEC */
    return errno == ENOEXEC ? 0 : errno;
}

static const struct way reads[] = {
    {"open", read_plain},
    {"open-for-update", read_for_update},
    {"openat2", read_openat2},
    {"path-descriptor", read_by_path_descriptor},
    {"root-link", read_by_root_link},
    {"ring", read_by_ring},
    {"hard-link", read_by_hard_link},
    {"symlink", read_by_symlink},
    {"rename", read_renamed},
    {"run", read_by_running},
};

static void tell(const char *name, const char *detail, int error)
{
    (void)printf("%s%s%s ", name, *detail ? ":" : "", detail);
    if (error == 0)
        (void)puts("done");
    else
        (void)printf("refused %s\n", strerrorname_np(error));
    (void)fflush(stdout);
}

static int attempt_files(char **argv)
{
    if (chdir(argv[0]) < 0)
        return errno;
    file = argv[1];
    for (size_t i = 0; i < sizeof(ways) / sizeof(ways[0]); i++)
        tell(ways[i].name, "", ways[i].try());
    return 0;
}

static int attempt_reads(char **argv)
{
    file = argv[0];
    other = argv[1];
    for (size_t i = 0; i < sizeof(reads) / sizeof(reads[0]); i++)
        tell(reads[i].name, "", reads[i].try());
    return 0;
}

static int attempt_map(char **argv)
{
    int fd = open(argv[0], O_RDONLY | O_CLOEXEC);
    void *code;

    if (fd < 0)
        return errno;
    code = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
    tell("map", "", code == MAP_FAILED ? errno : 0);
    (void)close(fd);
    return 0;
}

static int attempt_nodes(char **argv)
{
    static const struct {
        const char *name;
        int flags;
    } kinds[] = {{"read", O_RDONLY}, {"write", O_WRONLY}, {"read-write", O_RDWR}, {"direct", O_WRONLY | O_DIRECT}};

    for (; *argv; argv++)
        for (size_t i = 0; i < sizeof(kinds) / sizeof(kinds[0]); i++) {
            int fd = open(*argv, kinds[i].flags | O_NONBLOCK | O_CLOEXEC);

            tell(kinds[i].name, *argv, fd < 0 ? errno : 0);
            if (fd >= 0)
                (void)close(fd);
        }
    return 0;
}

static int attempt_mounts(char **argv)
{
    const char *directory = argv[0], *node = argv[1];
    static const char *const types[] = {"vfat", "ext4"};
    struct stat st;

    tell("remount", "", finish(mount(NULL, directory, NULL, MS_REMOUNT, NULL)));
    tell("remount-bind", "", finish(mount(NULL, directory, NULL, MS_REMOUNT | MS_BIND, NULL)));
    if (stat(directory, &st) < 0)
        return errno;
    for (size_t i = 0; i < sizeof(types) / sizeof(types[0]); i++)
        tell("mount", types[i], finish(mount(node, "/mnt", types[i], 0, NULL)));
    return 0;
}

int main(int argc, char **argv)
{
    int r = EINVAL;

    if (argc == 2 && strcmp(argv[1], "hello") == 0)
        r = puts("executed") < 0 ? EIO : 0;
    else if (argc == 4 && strcmp(argv[1], "files") == 0)
        r = attempt_files(argv + 2);
    else if (argc >= 3 && strcmp(argv[1], "nodes") == 0)
        r = attempt_nodes(argv + 2);
    else if (argc == 4 && strcmp(argv[1], "mounts") == 0)
        r = attempt_mounts(argv + 2);
    else if (argc == 3 && strcmp(argv[1], "map") == 0)
        r = attempt_map(argv + 2);
    else if (argc == 4 && strcmp(argv[1], "reads") == 0)
        r = attempt_reads(argv + 2);
    if (r != 0)
        (void)fprintf(stderr, "attempts: %s\n", strerror(r));
    return r == 0 ? 0 : 1;
}
