/*
 * USB in sysfs: listing, attributes, authorization writes. Owns the paths and the rules by which they are opened.
 * Must not decide anything, keep state about devices, or log.
 *
 * The bus directory holds symlinks. Each is read once, resolved as text and opened below the root with RESOLVE_BENEATH and
 * RESOLVE_NO_SYMLINKS (openat2, 5.6), so that no link of a tree that is not sysfs leads anywhere else. Attributes are then
 * opened from the held directory.
 */
#include "kern/usb.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <linux/openat2.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/text.h"

#define BUS "bus/usb"
#define BUS_DEVICES BUS "/devices"

enum {
    SETTLE_US = 500 * 1000, /* milliseconds on a busy machine */
};

struct usb_sysfs {
    int root; /* borrowed */
    struct usb_ops ops;
};

void usb_node_init(struct usb_node *n)
{
    *n = (struct usb_node){.fd = -1};
}

void usb_node_done(struct usb_node *n)
{
    n->fd = close_fd(n->fd);
    free(n->path);
    n->path = NULL;
    n->name[0] = '\0';
}

void usb_names_done(struct usb_names *names)
{
    free(names->items);
    *names = (struct usb_names){0};
}

static const char *skip_digits(const char *s)
{
    while (isdigit((unsigned char)*s))
        s++;
    return s;
}

/* Past "1-2.3", or NULL. */
static const char *skip_port(const char *s)
{
    const char *end = skip_digits(s);

    if (end == s || *end != '-')
        return NULL;
    do {
        s = end + 1;
        end = skip_digits(s);
        if (end == s)
            return NULL;
    } while (*end == '.');
    return end;
}

int usb_name_is_root_hub(const char *name)
{
    const char *end;

    if (!text_starts(name, "usb") || strlen(name) >= USB_NAME_SIZE)
        return 0;
    end = skip_digits(name + 3);
    return end != name + 3 && *end == '\0';
}

int usb_name_is_device(const char *name)
{
    const char *end;

    if (strlen(name) >= USB_NAME_SIZE)
        return 0;
    if (usb_name_is_root_hub(name))
        return 1;
    end = skip_port(name);
    return end && *end == '\0';
}

int usb_name_is_interface(const char *name)
{
    const char *p, *end;

    if (strlen(name) >= USB_NAME_SIZE)
        return 0;
    p = skip_port(name);
    if (!p || *p != ':')
        return 0;
    end = skip_digits(++p);
    if (end == p || *end != '.')
        return 0;
    p = end + 1;
    end = skip_digits(p);
    return end != p && *end == '\0';
}

/* Adds target, relative to the directory base, as text. -EXDEV when it climbs above the root or is absolute. */
static int path_resolve(const char *base, const char *target, char **ret)
{
    char path[PATH_MAX];
    size_t length = strlen(base);

    if (target[0] == '/')
        return -EXDEV;
    if (length >= sizeof(path))
        return -ENAMETOOLONG;
    memcpy(path, base, length + 1);
    while (*target) {
        size_t n = strcspn(target, "/");

        if (n == 2 && target[0] == '.' && target[1] == '.') {
            if (length == 0)
                return -EXDEV;
            while (length > 0 && path[length - 1] != '/')
                length--;
            length -= length > 0;
        } else if (n > 0 && !(n == 1 && target[0] == '.')) {
            if (length + 1 + n >= sizeof(path))
                return -ENAMETOOLONG;
            if (length > 0)
                path[length++] = '/';
            memcpy(path + length, target, n);
            length += n;
        }
        path[length] = '\0';
        target += n;
        target += *target == '/';
    }
    *ret = strdup(path);
    return *ret ? 0 : -ENOMEM;
}

static int directory_open(int root, const char *path)
{
    struct open_how how = {
        .flags = O_RDONLY | O_DIRECTORY | O_CLOEXEC,
        .resolve = RESOLVE_BENEATH | RESOLVE_NO_SYMLINKS | RESOLVE_NO_MAGICLINKS,
    };
    int fd = (int)syscall(SYS_openat2, root, path, &how, sizeof(how));

    return fd < 0 ? -errno : fd;
}

static int link_resolve(int dir, const char *name, const char *base, char **ret)
{
    char target[PATH_MAX];
    ssize_t n = readlinkat(dir, name, target, sizeof(target));

    if (n < 0)
        return -errno;
    if ((size_t)n >= sizeof(target))
        return -ENAMETOOLONG;
    target[n] = '\0';
    return path_resolve(base, target, ret);
}

static int outcome(int r)
{
    return r == -ENOENT ? USB_E_ABSENT : r;
}

static int names_add(struct usb_names *names, const char *name)
{
    if (names->n >= USB_NAMES_MAX)
        return -E2BIG;
    if ((names->n & (names->n + 1)) == 0) { /* 0, 1, 3, 7 …: room for the next power of two */
        void *grown = reallocarray(names->items, 2 * (names->n + 1), sizeof(*names->items));

        if (!grown)
            return -ENOMEM;
        names->items = grown;
    }
    memset(names->items[names->n], 0, USB_NAME_SIZE);
    memcpy(names->items[names->n], name, strnlen(name, USB_NAME_SIZE - 1));
    names->n++;
    return 0;
}

static int names_compare(const void *a, const void *b)
{
    return strverscmp(a, b);
}

/* Takes dir. Sorted so that "1-1" comes before "1-1.2". */
static int names_collect(int dir, int (*wanted)(const char *name, const char *prefix), const char *prefix,
                         struct usb_names *ret)
{
    _cleanup_(usb_names_done) struct usb_names names = {0};
    _cleanup_closedir_ DIR *d = fdopendir(dir);

    if (!d) {
        int r = -errno;

        close_fd(dir);
        return r;
    }
    for (;;) {
        const struct dirent *entry;
        int r;

        errno = 0;
        entry = readdir(d);
        if (!entry && errno != 0)
            return -errno;
        if (!entry)
            break;
        if (!wanted(entry->d_name, prefix))
            continue;
        r = names_add(&names, entry->d_name);
        if (r < 0)
            return r;
    }
    if (names.n > 1)
        qsort(names.items, names.n, sizeof(*names.items), names_compare);
    *ret = names;
    names = (struct usb_names){0};
    return 0;
}

static int want_root_hub(const char *name, const char *prefix)
{
    (void)prefix;
    return usb_name_is_root_hub(name);
}

static int want_device(const char *name, const char *prefix)
{
    (void)prefix;
    return usb_name_is_device(name) && !usb_name_is_root_hub(name);
}

/* Of "1-2" it is "1-2:1.0", of "usb1" it is "1-0:1.0". */
static int want_interface(const char *name, const char *device)
{
    char prefix[USB_NAME_SIZE + 2];
    size_t n;

    if (usb_name_is_root_hub(device))
        (void)snprintf(prefix, sizeof(prefix), "%s-0", device + strlen("usb"));
    else
        (void)snprintf(prefix, sizeof(prefix), "%s", device);
    n = strlen(prefix);
    return usb_name_is_interface(name) && strncmp(name, prefix, n) == 0 && name[n] == ':';
}

static int sysfs_list(void *context, struct usb_names *ret)
{
    const struct usb_sysfs *s = context;
    _cleanup_(usb_names_done) struct usb_names hubs = {0}, devices = {0};
    int dir, r;

    dir = directory_open(s->root, BUS_DEVICES);
    if (dir < 0)
        return outcome(dir);
    r = names_collect(dir, want_root_hub, NULL, &hubs);
    if (r < 0)
        return r;
    dir = directory_open(s->root, BUS_DEVICES);
    if (dir < 0)
        return outcome(dir);
    r = names_collect(dir, want_device, NULL, &devices);
    for (size_t i = 0; r == 0 && i < devices.n; i++)
        r = names_add(&hubs, devices.items[i]);
    if (r < 0)
        return r;
    *ret = hubs;
    hubs = (struct usb_names){0};
    return 0;
}

static int sysfs_open(void *context, const char *name, struct usb_node *ret)
{
    const struct usb_sysfs *s = context;
    _cleanup_close_ int bus = -1;
    _cleanup_close_ int fd = -1;
    _cleanup_free_ char *path = NULL;
    int r;

    if (!usb_name_is_device(name))
        return -EINVAL;
    bus = directory_open(s->root, BUS_DEVICES);
    if (bus < 0)
        return outcome(bus);
    r = link_resolve(bus, name, BUS_DEVICES, &path);
    if (r < 0)
        return outcome(r);
    fd = directory_open(s->root, path);
    if (fd < 0)
        return outcome(fd);
    *ret = (struct usb_node){.fd = TAKE_FD(fd), .path = TAKE_PTR(path)};
    memcpy(ret->name, name, strlen(name) + 1);
    return 0;
}

static int sysfs_same(void *context, const struct usb_node *a, const struct usb_node *b)
{
    struct stat x, y;

    (void)context;
    if (fstat(a->fd, &x) < 0 || fstat(b->fd, &y) < 0)
        return -errno;
    return x.st_dev == y.st_dev && x.st_ino == y.st_ino ? 0 : USB_E_ABSENT;
}

/* The directory an attribute lives in: a new fd of the interface's, or a duplicate of the device's. */
static int attribute_directory(const struct usb_node *n, const char *interface)
{
    int fd;

    if (interface && !want_interface(interface, n->name))
        return -EINVAL;
    if (interface)
        return files_open_directory_at(n->fd, interface, 0, 0);
    fd = fcntl(n->fd, F_DUPFD_CLOEXEC, 3);
    return fd < 0 ? -errno : fd;
}

static int sysfs_read(void *context, const struct usb_node *n, const char *interface, const char *attribute, char **ret)
{
    _cleanup_close_ int dir = attribute_directory(n, interface);

    (void)context;
    return outcome(dir < 0 ? dir : files_read_text_at(dir, attribute, USB_ATTRIBUTE_MAX, ret));
}

static int sysfs_read_descriptors(void *context, const struct usb_node *n, uint8_t **ret, size_t *ret_size)
{
    (void)context;
    return outcome(files_read_at(n->fd, "descriptors", USB_DESCRIPTORS_MAX, ret, ret_size));
}

/* Where the port of a device is: in the first interface of the hub above, "…/usb1/1-0:1.0/usb1-port2" for "1-2" and
 * "…/1-2/1-2:1.0/1-2-port3" for "1-2.3". */
static int port_path(const struct usb_node *n, char *ret, size_t size)
{
    size_t up = strlen(n->path) - strlen(n->name);
    const char *hub, *number, *dot = strrchr(n->name, '.');
    char parent[PATH_MAX];
    int length;

    if (usb_name_is_root_hub(n->name) || up < 2 || up > sizeof(parent))
        return -ENOENT;
    memcpy(parent, n->path, up - 1);
    parent[up - 1] = '\0';
    hub = strrchr(parent, '/') ? strrchr(parent, '/') + 1 : parent;
    number = dot ? dot + 1 : strchr(n->name, '-') + 1;
    if (dot)
        length = snprintf(ret, size, "%s/%s:1.0/%s-port%s", parent, hub, hub, number);
    else
        length =
            snprintf(ret, size, "%s/%.*s-0:1.0/%s-port%s", parent, (int)(number - n->name - 1), n->name, hub, number);
    return length < 0 || (size_t)length >= size ? -ENAMETOOLONG : 0;
}

/* The kernel makes the link `port` only after it has announced the device (usb_new_device, 6.1): the place is known anyway. */
static int sysfs_read_port(void *context, const struct usb_node *n, const char *attribute, char **ret)
{
    const struct usb_sysfs *s = context;
    char path[PATH_MAX];
    _cleanup_close_ int dir = -1;
    int r = port_path(n, path, sizeof(path));

    if (r < 0)
        return outcome(r);
    dir = directory_open(s->root, path);
    return outcome(dir < 0 ? dir : files_read_text_at(dir, attribute, USB_ATTRIBUTE_MAX, ret));
}

static int sysfs_list_interfaces(void *context, const struct usb_node *n, struct usb_names *ret)
{
    int dir = openat(n->fd, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    (void)context;
    return dir < 0 ? outcome(-errno) : names_collect(dir, want_interface, n->name, ret);
}

static bool has(int fd, const char *name)
{
    return faccessat(fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0 || errno != ENOENT;
}

/* Or gone. */
static bool is_settled(void *context)
{
    const int *fd = context;

    return has(*fd, "driver") || !has(*fd, "authorized");
}

static int sysfs_write(void *context, const struct usb_node *n, const char *interface, const char *attribute,
                       const char *value)
{
    _cleanup_close_ int dir = attribute_directory(n, interface);
    int64_t patience_us = SETTLE_US;
    int fd = n->fd;

    (void)context;
    /* Its uevent comes before the kernel's driver of whole devices is asked (device_add, 6.1). One that is authorized when that driver comes
     * to it is given a configuration once more: the interfaces that were just opened would be gone, and those in their place closed. */
    if (dir >= 0 && !interface && strcmp(attribute, "authorized") == 0 && strcmp(value, "0") != 0)
        (void)clock_wait_until(&patience_us, is_settled, &fd);
    return outcome(dir < 0 ? dir : files_write_attribute_at(dir, attribute, value));
}

static int sysfs_probe(void *context, const char *interface)
{
    const struct usb_sysfs *s = context;
    _cleanup_close_ int dir = -1;

    if (!usb_name_is_interface(interface))
        return -EINVAL;
    dir = directory_open(s->root, BUS);
    return outcome(dir < 0 ? dir : files_write_attribute_at(dir, "drivers_probe", interface));
}

static int sysfs_driver(void *context, const struct usb_node *n, const char *interface, char **ret)
{
    _cleanup_close_ int dir = attribute_directory(n, interface);
    char target[PATH_MAX];
    const char *slash;
    ssize_t length;

    (void)context;
    if (dir < 0)
        return outcome(dir);
    length = readlinkat(dir, "driver", target, sizeof(target) - 1);
    if (length < 0)
        return outcome(-errno);
    target[length] = '\0';
    slash = strrchr(target, '/');
    *ret = strdup(slash ? slash + 1 : target);
    return *ret ? 0 : -ENOMEM;
}

int usb_sysfs_new(int root, struct usb_sysfs **ret)
{
    struct usb_sysfs *s = malloc(sizeof(*s));

    if (!s)
        return -ENOMEM;
    *s = (struct usb_sysfs){
        .root = root,
        .ops =
            {
                .context = s,
                .list = sysfs_list,
                .open = sysfs_open,
                .same = sysfs_same,
                .read = sysfs_read,
                .read_descriptors = sysfs_read_descriptors,
                .read_port = sysfs_read_port,
                .list_interfaces = sysfs_list_interfaces,
                .write = sysfs_write,
                .driver = sysfs_driver,
                .probe = sysfs_probe,
            },
    };
    *ret = s;
    return 0;
}

struct usb_sysfs *usb_sysfs_free(struct usb_sysfs *s)
{
    free(s);
    return NULL;
}

const struct usb_ops *usb_sysfs_ops(const struct usb_sysfs *s)
{
    return &s->ops;
}
