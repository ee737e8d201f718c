/*
 * The one writable mount. Owns: the moment between the cleared flag and the set one. Must not: leave the flag cleared on any path, mount
 * where anybody else could see it.
 */
#include "export/medium.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "kern/mount.h"

/* <sys/mount.h> and <linux/fs.h> of glibc 2.36 exclude each other. */
int fsopen(const char *name, unsigned flags);
int fsconfig(int fd, unsigned command, const char *key, const void *value, int auxiliary);
int fsmount(int fd, unsigned flags, unsigned attributes);

enum {
    FS_CLOEXEC = 1,    /* FSOPEN_CLOEXEC, FSMOUNT_CLOEXEC */
    FS_SET_STRING = 1, /* FSCONFIG_SET_STRING */
    FS_CREATE = 6,     /* FSCONFIG_CMD_CREATE */
    ATTR_NOSUID = 0x2, /* MOUNT_ATTR_… */
    ATTR_NODEV = 0x4,
    ATTR_NOEXEC = 0x8,
};

/* What the kernel writes by itself, with options under which names are UTF-8. What ext4's superblock may choose, whoever made the filesystem has
 * chosen: a kernel that panics at its first error, and no barriers, without which fsync is a lie. */
static const struct {
    const char *name;
    const char *options[4][2];
} filesystems[] = {
    {"vfat", {{"utf8", "1"}, {"fmask", "0022"}, {"dmask", "0022"}, {"shortname", "mixed"}}},
    {"exfat", {{"iocharset", "utf8"}, {"fmask", "0022"}, {"dmask", "0022"}}},
    {"ext4", {{"errors", "remount-ro"}, {"barrier", "1"}}},
    {"ext3", {{"errors", "remount-ro"}, {"barrier", "1"}}},
    {"ext2", {{"errors", "remount-ro"}, {"barrier", "1"}}},
};

int medium_knows(const char *filesystem)
{
    for (size_t i = 0; i < ELEMENTS(filesystems); i++)
        if (strcmp(filesystems[i].name, filesystem) == 0)
            return 1;
    return 0;
}

static int set_flag(int fd, int value)
{
    return ioctl(fd, BLKROSET, &value) < 0 ? -errno : 0;
}

static int get_flag(int fd)
{
    int value = 0;

    return ioctl(fd, BLKROGET, &value) < 0 ? -errno : value;
}

int medium_protect(const struct medium_nodes *m)
{
    int r = set_flag(m->node, 1), s = set_flag(m->disk, 1);

    return r < 0 ? r : s;
}

/* Both: a partition shows its disk's flag as well (5.11). */
static int unprotect(const struct medium_nodes *m)
{
    int r = set_flag(m->disk, 0);

    return r < 0 ? r : set_flag(m->node, 0);
}

static int set_option(int context, const char *key, const char *value)
{
    return fsconfig(context, FS_SET_STRING, key, value, 0) < 0 ? -errno : 0;
}

static int set_options(int context, const struct medium_nodes *m)
{
    char source[32];
    int r;

    (void)snprintf(source, sizeof(source), "/proc/self/fd/%d", m->node);
    r = set_option(context, "source", source);
    for (size_t i = 0; i < ELEMENTS(filesystems) && r >= 0; i++) {
        if (strcmp(filesystems[i].name, m->filesystem) != 0)
            continue;
        for (size_t j = 0; j < 4 && filesystems[i].options[j][0] && r >= 0; j++)
            r = set_option(context, filesystems[i].options[j][0], filesystems[i].options[j][1]);
    }
    return r;
}

static int from_errno(int e)
{
    switch (e) {
    case EBUSY:
        return MEDIUM_E_BUSY;
    case EACCES:
    case EROFS:
    case EPERM:
        return MEDIUM_E_READ_ONLY;
    case EINVAL:
    case EUCLEAN:
    case ENODEV:
        return MEDIUM_E_FILESYSTEM;
    default:
        return -e;
    }
}

/* Is it in our list of mounts? Then a program got in between, and what would be written now could be read there. */
static int is_listed(int node)
{
    struct mount_table table;
    struct stat st;
    int proc, r;

    if (fstat(node, &st) < 0)
        return -errno;
    proc = open("/proc", O_PATH | O_DIRECTORY | O_CLOEXEC);
    if (proc < 0)
        return -errno;
    r = mount_table_read(proc, "self/mountinfo", &table);
    close_fd(proc);
    if (r < 0)
        return r;
    for (size_t i = 0; i < table.n && r == 0; i++)
        r = makedev(table.items[i].major, table.items[i].minor) == st.st_rdev;
    mount_table_done(&table);
    return r;
}

/* The kernel mounts by the device's number, and the next stick, or the next card in the reader, has the same: so it is opened anew as well. */
static int check_same(const struct medium_nodes *m)
{
    _cleanup_close_ int fd = -1;
    uint64_t diskseq = 0;
    char path[32];

    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", m->node);
    fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC);
    if (fd < 0 || ioctl(fd, BLKGETDISKSEQ, &diskseq) < 0)
        return -errno;
    return diskseq == m->diskseq ? 0 : -ENODEV;
}

int medium_mount(const struct medium_nodes *m, int *ret_root)
{
    _cleanup_close_ int context = -1, mount = -1, root = -1;
    int r, s, error;

    if (!medium_knows(m->filesystem))
        return MEDIUM_E_FILESYSTEM;
    context = fsopen(m->filesystem, FS_CLOEXEC);
    if (context < 0)
        return errno == ENODEV ? MEDIUM_E_FILESYSTEM : -errno;
    r = set_options(context, m);
    if (r >= 0)
        r = check_same(m);
    if (r < 0)
        return r;
    r = unprotect(m);
    error = r >= 0 && fsconfig(context, FS_CREATE, NULL, NULL, 0) < 0 ? errno : 0;
    s = medium_protect(m);
    if (r < 0 || s < 0)
        return r < 0 ? r : s;
    if (error != 0)
        return from_errno(error);
    r = check_same(m); /* what is mounted stays what it is from here on */
    if (r < 0)
        return r;
    mount = fsmount(context, FS_CLOEXEC, ATTR_NOSUID | ATTR_NODEV | ATTR_NOEXEC);
    if (mount < 0)
        return -errno;
    /* That descriptor is an O_PATH one, which cannot be synced. The directory keeps the filesystem mounted as well. */
    root = openat(mount, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (root < 0)
        return -errno;
    r = is_listed(m->node);
    if (r != 0)
        return r < 0 ? r : MEDIUM_E_BUSY;
    *ret_root = TAKE_FD(root);
    return 0;
}

int medium_check_closed(const struct medium_nodes *m)
{
    _cleanup_close_ int fd = -1;
    char path[32];
    int r, s;

    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", m->node);
    fd = open(path, O_RDONLY | O_EXCL | O_CLOEXEC); /* the kernel refuses it while a filesystem holds the device */
    if (fd < 0)
        return errno == EBUSY ? MEDIUM_E_BUSY : -errno;
    r = get_flag(m->node);
    s = get_flag(m->disk);
    if (r < 0 || s < 0)
        return r < 0 ? r : s;
    return r == 1 && s == 1 ? 0 : -EPERM;
}
