/*
 * Block devices as sysfs shows them, and BLKROSET. Owns: names, bounds and the check that a node really is the device it
 * is named after. Must not: decide what is an exit (device/exit), keep state.
 *
 * What the flag does and does not (kernels 6.1 to 6.18): a raw write gets EPERM and a read-write mount EACCES from the
 * moment it is set, on the disk and all its partitions. bio_check_ro() only warns, so whoever had a writable mount before
 * keeps writing, and a device-mapper device on top is not covered: each such device carries its own flag, and a
 * filesystem that is already writable is made read-only by device/mount.
 */
#include "kern/block.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libudev.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/files.h"
#include "base/text.h"

enum {
    PATH_SIZE = 512,
    ATTRIBUTE_MAX = 4096
};

bool block_name_valid(const char *name)
{
    size_t n = strlen(name);

    return n > 0 && n < BLOCK_NAME_SIZE && name[0] != '.' && !strchr(name, '/');
}

void block_node(const char *name, char ret[static BLOCK_NAME_SIZE])
{
    (void)snprintf(ret, BLOCK_NAME_SIZE, "%s", name);
    for (char *s = ret; (s = strchr(s, '!'));)
        *s = '/';
}

static int class_path(const char *name, const char *attribute, char ret[static PATH_SIZE])
{
    int n;

    if (!block_name_valid(name))
        return -EINVAL;
    n = snprintf(ret, PATH_SIZE, "class/block/%s%s%s", name, attribute[0] ? "/" : "", attribute);
    return n < 0 || n >= PATH_SIZE ? -ENAMETOOLONG : 0;
}

int block_sysfs_path(int sysfs, const char *name, char *ret, size_t size)
{
    char path[PATH_SIZE], target[4096];
    const char *s = target;
    ssize_t n;
    int r = class_path(name, "", path);

    if (r < 0)
        return r;
    n = readlinkat(sysfs, path, target, sizeof(target) - 1);
    if (n < 0)
        return -errno;
    target[n] = '\0';
    while (text_starts(s, "../"))
        s += 3;
    if (!text_starts(s, "devices/"))
        return -EBADMSG;
    if (strlen(s) + 2 > size)
        return -ENAMETOOLONG;
    ret[0] = '/';
    memcpy(ret + 1, s, strlen(s) + 1);
    return 0;
}

static int read_text(int sysfs, const char *name, const char *attribute, char **ret)
{
    char path[PATH_SIZE];
    int r = class_path(name, attribute, path);

    return r < 0 ? r : files_read_text_at(sysfs, path, ATTRIBUTE_MAX, ret);
}

int block_read_number(int sysfs, const char *name, const char *attribute, uint64_t *ret)
{
    _cleanup_free_ char *text = NULL;
    int r = read_text(sysfs, name, attribute, &text);

    return r < 0 ? r : text_to_u64(text, UINT64_MAX, ret);
}

int block_read_device(int sysfs, const char *name, dev_t *ret)
{
    _cleanup_free_ char *text = NULL;
    uint64_t major, minor;
    char *colon;
    int r = read_text(sysfs, name, "dev", &text);

    if (r < 0)
        return r;
    colon = strchr(text, ':');
    if (!colon)
        return -EBADMSG;
    *colon = '\0';
    if (text_to_u64(text, UINT32_MAX, &major) < 0 || text_to_u64(colon + 1, UINT32_MAX, &minor) < 0)
        return -EBADMSG;
    *ret = makedev((unsigned)major, (unsigned)minor);
    return 0;
}

int block_find(int sysfs, dev_t device, char ret[static BLOCK_NAME_SIZE])
{
    char path[64], target[4096];
    const char *name;
    ssize_t n;

    (void)snprintf(path, sizeof(path), "dev/block/%u:%u", major(device), minor(device));
    n = readlinkat(sysfs, path, target, sizeof(target) - 1);
    if (n < 0)
        return -errno;
    target[n] = '\0';
    name = strrchr(target, '/');
    if (!name || !block_name_valid(name + 1))
        return -EBADMSG;
    memcpy(ret, name + 1, strlen(name + 1) + 1);
    return 0;
}

int block_read_only(int sysfs, const char *name)
{
    uint64_t v;
    int r = block_read_number(sysfs, name, "ro", &v);

    return r < 0 ? r : v != 0;
}

bool block_is_partition(int sysfs, const char *name)
{
    char path[PATH_SIZE];

    return class_path(name, "partition", path) >= 0 && faccessat(sysfs, path, F_OK, 0) == 0;
}

int block_disk(int sysfs, const char *name, char ret[static BLOCK_NAME_SIZE])
{
    char path[4096], *slash;
    int r;

    if (!block_is_partition(sysfs, name)) {
        if (!block_name_valid(name))
            return -EINVAL;
        (void)snprintf(ret, BLOCK_NAME_SIZE, "%s", name);
        return 0;
    }
    r = block_sysfs_path(sysfs, name, path, sizeof(path));
    if (r < 0)
        return r;
    slash = strrchr(path, '/');
    *slash = '\0';
    slash = strrchr(path, '/');
    if (!slash || !block_name_valid(slash + 1))
        return -EBADMSG;
    memcpy(ret, slash + 1, strlen(slash + 1) + 1);
    return 0;
}

int block_diskseq(int sysfs, const char *name, uint64_t *ret)
{
    char disk[BLOCK_NAME_SIZE];
    int r = block_disk(sysfs, name, disk);

    return r < 0 ? r : block_read_number(sysfs, disk, "diskseq", ret);
}

static int add_name(struct block_names *names, size_t *capacity, const char *name)
{
    size_t wanted = *capacity ? *capacity * 2 : 16;
    void *items;

    if (names->n >= BLOCK_NAMES_MAX)
        return -E2BIG;
    if (names->n == *capacity) {
        items = reallocarray(names->items, wanted, sizeof(*names->items));
        if (!items)
            return -ENOMEM;
        names->items = items;
        *capacity = wanted;
    }
    memcpy(names->items[names->n++], name, strlen(name) + 1);
    return 0;
}

int block_list(int sysfs, const char *name, const char *directory, struct block_names *ret)
{
    _cleanup_closedir_ DIR *dir = NULL;
    _cleanup_close_ int fd = -1;
    struct block_names names = {0};
    char path[PATH_SIZE] = "class/block";
    const struct dirent *d;
    size_t capacity = 0;
    int r = name ? class_path(name, directory, path) : 0;

    if (r < 0)
        return r;
    fd = openat(sysfs, path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    dir = fdopendir(fd);
    if (!dir)
        return -errno;
    (void)TAKE_FD(fd);
    while (r >= 0 && (errno = 0, d = readdir(dir)))
        r = block_name_valid(d->d_name) ? add_name(&names, &capacity, d->d_name) : 0;
    if (r >= 0)
        r = -errno; /* the end has none */
    if (r < 0) {
        block_names_done(&names);
        return r;
    }
    *ret = names;
    return 0;
}

void block_names_done(struct block_names *n)
{
    free(n->items);
    *n = (struct block_names){0};
}

int block_count_partitions(int sysfs, const char *disk)
{
    struct block_names names;
    char path[PATH_SIZE];
    int n = 0, r = block_list(sysfs, disk, "", &names);

    if (r < 0)
        return r;
    for (size_t i = 0; i < names.n; i++) {
        r = snprintf(path, sizeof(path), "class/block/%s/%s/partition", disk, names.items[i]);
        if (r > 0 && r < (int)sizeof(path) && faccessat(sysfs, path, F_OK, 0) == 0)
            n++;
    }
    block_names_done(&names);
    return n;
}

int block_set_read_only(int dev, const char *name, dev_t device, bool read_only)
{
    _cleanup_close_ int fd = -1;
    char node[BLOCK_NAME_SIZE];
    struct stat st;
    int value = read_only;

    if (!block_name_valid(name))
        return -EINVAL;
    block_node(name, node);
    /* O_NONBLOCK: a drive without a medium must not make us wait or fail. */
    fd = openat(dev, node, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISBLK(st.st_mode) || st.st_rdev != device)
        return -ENODEV;
    return ioctl(fd, BLKROSET, &value) < 0 ? -errno : 0;
}

static int kernel_set_read_only(void *context, const char *name, dev_t device, bool read_only)
{
    const struct block_kernel *kernel = context;

    return block_set_read_only(kernel->dev, name, device, read_only);
}

static int kernel_trigger(void *context, const char *name)
{
    const struct block_kernel *kernel = context;
    char path[PATH_SIZE];
    int r = class_path(name, "uevent", path);

    return r < 0 ? r : files_write_attribute_at(kernel->sysfs, path, "change");
}

static void take(struct udev_device *d, const char *first, const char *second, char ret[static BLOCK_TEXT_SIZE])
{
    const char *value = udev_device_get_property_value(d, first);

    if (!value || !value[0])
        value = second ? udev_device_get_property_value(d, second) : NULL;
    (void)snprintf(ret, BLOCK_TEXT_SIZE, "%s", value ? value : "");
}

/* The rules move what blkid found to KURABAN_FS_* while a medium is hidden, so that no other rule or program uses it. */
static int kernel_properties(void *context, const char *name, struct block_properties *ret)
{
    struct block_properties p = {0};
    struct udev_device *d;
    struct udev *udev;
    const char *value;

    (void)context;
    udev = udev_new();
    if (!udev)
        return -ENOMEM;
    d = udev_device_new_from_subsystem_sysname(udev, "block", name);
    if (d) {
        p.known = udev_device_get_is_initialized(d) > 0;
        take(d, "KURABAN_FS_TYPE", "ID_FS_TYPE", p.filesystem);
        take(d, "KURABAN_FS_LABEL", "ID_FS_LABEL", p.label);
        take(d, "KURABAN_FS_UUID", "ID_FS_UUID", p.uuid);
        take(d, "ID_SERIAL_SHORT", "ID_SERIAL", p.serial);
        take(d, "ID_VENDOR", NULL, p.vendor);
        take(d, "ID_MODEL", NULL, p.model);
        value = udev_device_get_property_value(d, "KURABAN_READ_ONLY");
        p.helper_read_only = value && strcmp(value, "1") == 0;
        value = udev_device_get_property_value(d, "KURABAN_HIDDEN");
        p.hidden = value && strcmp(value, "1") == 0;
        udev_device_unref(d);
    }
    udev_unref(udev);
    *ret = p;
    return 0;
}

void block_ops_kernel(struct block_kernel *kernel, struct block_ops *ret)
{
    *ret = (struct block_ops){.set_read_only = kernel_set_read_only,
                              .trigger = kernel_trigger,
                              .properties = kernel_properties,
                              .context = kernel};
}
