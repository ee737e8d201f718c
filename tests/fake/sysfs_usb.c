/*
 * The USB bus of tests. Owns a temporary tree and the kernel's reactions to writes. Must not know the manager. Anything that
 * goes wrong in here is the test's own fault and aborts.
 */
#include "fake/sysfs_usb.h"

#include <errno.h>
#include <fcntl.h>
#include <ftw.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"

#define CONTROLLER "devices/pci0000:00/0000:00:14.0"

/* Everything of the fake that cannot fail unless the machine is out of space. */
#define must(condition)                                                                                                \
    do {                                                                                                               \
        if (!(condition)) {                                                                                            \
            fprintf(stderr, "%s:%d: %s: %s\n", __FILE__, __LINE__, #condition, strerror(errno));                       \
            abort();                                                                                                   \
        }                                                                                                              \
    } while (0)

__attribute__((format(printf, 3, 4))) static void format(char *ret, size_t size, const char *fmt, ...)
{
    va_list ap;
    int n;

    va_start(ap, fmt);
    n = vsnprintf(ret, size, fmt, ap);
    va_end(ap);
    must(n >= 0 && (size_t)n < size);
}

/* "1-2.3" -> ".../usb1/1-2/1-2.3", "usb1" and "1-0" (whose interface "1-0:1.0" is) -> ".../usb1" */
static void device_path(const char *name, char *ret, size_t size)
{
    size_t bus = strcspn(name, "-");
    char part[USB_NAME_SIZE];

    if (name[bus] == '\0') {
        format(ret, size, CONTROLLER "/%s", name);
        return;
    }
    format(ret, size, CONTROLLER "/usb%.*s", (int)bus, name);
    if (strcmp(name + bus, "-0") == 0)
        return;
    for (size_t end = bus; name[end] != '\0';) {
        end += 1 + strcspn(name + end + 1, ".");
        format(part, sizeof(part), "%.*s", (int)end, name);
        must(strlen(ret) + strlen(part) + 2 < size);
        strcat(strcat(ret, "/"), part);
    }
}

void fake_usb_syspath(const char *name, char *ret, size_t size)
{
    char path[PATH_MAX];

    device_path(name, path, sizeof(path));
    format(ret, size, "/sys/%s", path);
}

static void file_path(const char *name, const char *interface, const char *attribute, char *ret, size_t size)
{
    char path[PATH_MAX / 2];

    device_path(name, path, sizeof(path));
    format(ret, size, "%s%s%s%s%s", path, interface ? "/" : "", interface ? interface : "", attribute ? "/" : "",
           attribute ? attribute : "");
}

static void make_directories(int root, const char *path)
{
    char copy[PATH_MAX];

    format(copy, sizeof(copy), "%s", path);
    for (char *slash = copy; (slash = strchr(slash, '/')); slash++) {
        *slash = '\0';
        must(mkdirat(root, copy, 0755) == 0 || errno == EEXIST);
        *slash = '/';
    }
    must(mkdirat(root, copy, 0755) == 0 || errno == EEXIST);
}

static void write_file(int root, const char *path, const void *bytes, size_t size)
{
    int fd = openat(root, path, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644);

    must(fd >= 0);
    must(write(fd, bytes, size) == (ssize_t)size);
    close(fd);
}

void fake_usb_set_bytes(struct fake_usb *f, const char *name, const char *attribute, const void *bytes, size_t size)
{
    char path[PATH_MAX];

    file_path(name, NULL, attribute, path, sizeof(path));
    write_file(f->root_fd, path, bytes, size);
}

void fake_usb_set(struct fake_usb *f, const char *name, const char *interface, const char *attribute, const char *value)
{
    char path[PATH_MAX], line[USB_ATTRIBUTE_MAX];

    file_path(name, interface, attribute, path, sizeof(path));
    format(line, sizeof(line), "%s\n", value);
    write_file(f->root_fd, path, line, strlen(line));
}

const char *fake_usb_get(struct fake_usb *f, const char *name, const char *interface, const char *attribute)
{
    static char text[USB_ATTRIBUTE_MAX];
    char path[PATH_MAX];
    ssize_t n;
    int fd;

    file_path(name, interface, attribute, path, sizeof(path));
    fd = openat(f->root_fd, path, O_RDONLY | O_CLOEXEC);
    if (fd < 0)
        return "";
    n = read(fd, text, sizeof(text) - 1);
    must(n >= 0);
    close(fd);
    text[n] = '\0';
    text[strcspn(text, "\n")] = '\0';
    return text;
}

static int remove_entry(const char *path, const struct stat *st, int type, struct FTW *place)
{
    (void)st;
    (void)type;
    (void)place;
    return remove(path);
}

static void remove_tree(const struct fake_usb *f, const char *path)
{
    char absolute[PATH_MAX];

    format(absolute, sizeof(absolute), "%s/%s", f->root, path);
    must(nftw(absolute, remove_entry, 16, FTW_DEPTH | FTW_PHYS) == 0 || errno == ENOENT);
}

static void link_device(struct fake_usb *f, const char *name)
{
    char path[PATH_MAX], target[PATH_MAX], entry[PATH_MAX];

    device_path(name, path, sizeof(path));
    format(target, sizeof(target), "../../../%.4000s", path);
    format(entry, sizeof(entry), "bus/usb/devices/%s", name);
    (void)unlinkat(f->root_fd, entry, 0);
    must(symlinkat(target, f->root_fd, entry) == 0);
}

void fake_usb_settle(struct fake_usb *f, const char *name)
{
    char path[PATH_MAX];

    file_path(name, NULL, "driver", path, sizeof(path));
    must(symlinkat("../../../../bus/usb/drivers/usb", f->root_fd, path) == 0);
}

static const char *hub_of(const char *name)
{
    static char hub[USB_NAME_SIZE];

    if (strchr(name, '-'))
        format(hub, sizeof(hub), "usb%.*s", (int)strcspn(name, "-"), name);
    else
        format(hub, sizeof(hub), "%s", name);
    return hub;
}

bool fake_usb_bound(struct fake_usb *f, const char *interface)
{
    char name[USB_NAME_SIZE];

    format(name, sizeof(name), "%.*s", (int)strcspn(interface, ":"), interface);
    return strcmp(fake_usb_get(f, name, interface, "bound"), "yes") == 0;
}

bool fake_usb_exists(struct fake_usb *f, const char *name)
{
    char path[PATH_MAX];

    device_path(name, path, sizeof(path));
    return faccessat(f->root_fd, path, F_OK, 0) == 0;
}

/* usb_set_configuration(): interfaces of configuration 1, once per number. */
static void configure(struct fake_usb *f, const char *name)
{
    uint8_t bytes[512];
    char path[PATH_MAX];
    bool open;
    ssize_t n;
    int fd;

    file_path(name, NULL, "descriptors", path, sizeof(path));
    fd = openat(f->root_fd, path, O_RDONLY | O_CLOEXEC);
    must(fd >= 0);
    n = read(fd, bytes, sizeof(bytes));
    close(fd);
    open = strcmp(fake_usb_get(f, hub_of(name), NULL, "interface_authorized_default"), "0") != 0;
    for (ssize_t at = 18; at + 9 <= n && bytes[at] >= 2; at += bytes[at]) {
        char interface[USB_NAME_SIZE];

        if (bytes[at + 1] != 4 || bytes[at + 3] != 0)
            continue;
        format(interface, sizeof(interface), "%s:1.%u", name, bytes[at + 2]);
        file_path(name, interface, NULL, path, sizeof(path));
        make_directories(f->root_fd, path);
        fake_usb_set(f, name, interface, "authorized", open ? "1" : "0");
        fake_usb_set(f, name, interface, "bound", open ? "yes" : "no");
    }
}

/* usb_set_configuration(-1): interfaces go, and with a hub's interface all that hangs on it. */
static void unconfigure(struct fake_usb *f, const char *name)
{
    struct usb_names names = {0};
    char prefix[USB_NAME_SIZE + 1], path[PATH_MAX];

    must(f->sysfs && usb_sysfs_ops(f->sysfs)->list(usb_sysfs_ops(f->sysfs)->context, &names) == 0);
    format(prefix, sizeof(prefix), "%s.", name);
    for (size_t i = names.n; i-- > 0;) {
        if (strncmp(names.items[i], prefix, strlen(prefix)) == 0)
            fake_usb_unplug(f, names.items[i]);
    }
    usb_names_done(&names);
    for (unsigned i = 0; i < 256; i++) {
        char interface[USB_NAME_SIZE + 8];

        format(interface, sizeof(interface), "%s:1.%u", name, i);
        file_path(name, interface, NULL, path, sizeof(path));
        if (faccessat(f->root_fd, path, F_OK, 0) == 0)
            remove_tree(f, path);
    }
}

void fake_usb_unplug(struct fake_usb *f, const char *name)
{
    char path[PATH_MAX];

    if (!fake_usb_exists(f, name))
        return;
    unconfigure(f, name);
    format(path, sizeof(path), "bus/usb/devices/%s", name);
    (void)unlinkat(f->root_fd, path, 0);
    device_path(name, path, sizeof(path));
    remove_tree(f, path);
}

void fake_usb_remove(struct fake_usb *f, const char *name, const char *attribute)
{
    char path[PATH_MAX];

    file_path(name, NULL, attribute, path, sizeof(path));
    (void)unlinkat(f->root_fd, path, 0);
}

/* In the order of usb_disconnect() and device_del(), 6.1: interfaces, descriptors, then the groups of attributes. */
void fake_usb_strip(struct fake_usb *f, const char *name)
{
    static const char *const attributes[] = {"descriptors",
                                             "devnum",
                                             "idVendor",
                                             "idProduct",
                                             "authorized",
                                             "manufacturer",
                                             "product",
                                             "serial",
                                             "remove",
                                             "authorized_default",
                                             "interface_authorized_default"};

    unconfigure(f, name);
    for (size_t i = 0; i < ELEMENTS(attributes); i++)
        fake_usb_remove(f, name, attributes[i]);
}

static bool is_true(const char *value)
{
    return strcmp(value, "0") != 0;
}

/* The kernel's side of a write. */
static void react(struct fake_usb *f, const char *name, const char *interface, const char *attribute, const char *value,
                  const char *before)
{
    if (interface && strcmp(attribute, "authorized") == 0 && !is_true(value))
        fake_usb_set(f, name, interface, "bound", "no");
    if (interface || strcmp(before, value) == 0)
        return;
    if (strcmp(attribute, "authorized") == 0 && is_true(value))
        configure(f, name);
    else if (strcmp(attribute, "authorized") == 0)
        unconfigure(f, name);
    else if (strcmp(attribute, "remove") == 0)
        fake_usb_unplug(f, name);
}

void fake_usb_write(struct fake_usb *f, const char *name, const char *interface, const char *attribute,
                    const char *value)
{
    char before[USB_ATTRIBUTE_MAX];

    format(before, sizeof(before), "%s", fake_usb_get(f, name, interface, attribute));
    fake_usb_set(f, name, interface, attribute, value);
    react(f, name, interface, attribute, value, before);
}

static void make_port(struct fake_usb *f, const struct fake_device *d)
{
    const char *dot = strrchr(d->name, '.');
    char path[PATH_MAX], parent[USB_NAME_SIZE], interface[USB_NAME_SIZE + 8], port[USB_NAME_SIZE * 3];

    if (dot) {
        format(parent, sizeof(parent), "%.*s", (int)(dot - d->name), d->name);
        format(interface, sizeof(interface), "%s:1.0", parent);
    } else {
        format(parent, sizeof(parent), "%s", hub_of(d->name));
        format(interface, sizeof(interface), "%.*s-0:1.0", (int)strcspn(d->name, "-"), d->name);
    }
    format(port, sizeof(port), "%s/%s-port%s", interface, parent, dot ? dot + 1 : strchr(d->name, '-') + 1);
    file_path(parent, port, NULL, path, sizeof(path));
    make_directories(f->root_fd, path);
    fake_usb_set(f, parent, port, "connect_type", d->connect_type ? d->connect_type : "hotplug");
}

static void set_hex(struct fake_usb *f, const char *name, const char *attribute, unsigned value)
{
    char text[8];

    format(text, sizeof(text), "%04x", value);
    fake_usb_set(f, name, NULL, attribute, text);
}

static void set_decimal(struct fake_usb *f, const char *name, const char *attribute, unsigned value)
{
    char text[16];

    format(text, sizeof(text), "%u", value);
    fake_usb_set(f, name, NULL, attribute, text);
}

void fake_usb_plug(struct fake_usb *f, const struct fake_device *d)
{
    uint8_t descriptors[256];
    char path[PATH_MAX];
    bool open;

    make_port(f, d);
    device_path(d->name, path, sizeof(path));
    make_directories(f->root_fd, path);
    set_hex(f, d->name, "idVendor", d->vendor);
    set_hex(f, d->name, "idProduct", d->product);
    set_decimal(f, d->name, "busnum", (unsigned)strtoul(d->name, NULL, 10));
    set_decimal(f, d->name, "devnum", ++f->number);
    if (d->manufacturer)
        fake_usb_set(f, d->name, NULL, "manufacturer", d->manufacturer);
    if (d->product_name)
        fake_usb_set(f, d->name, NULL, "product", d->product_name);
    if (d->serial)
        fake_usb_set(f, d->name, NULL, "serial", d->serial);
    fake_usb_set(f, d->name, NULL, "removable", "removable");
    fake_usb_set(f, d->name, NULL, "remove", "");
    fake_usb_set_bytes(f, d->name, "descriptors", descriptors, fake_usb_descriptors(d, descriptors));
    open = is_true(fake_usb_get(f, hub_of(d->name), NULL, "authorized_default"));
    fake_usb_set(f, d->name, NULL, "authorized", open ? "1" : "0");
    if (open)
        configure(f, d->name);
    fake_usb_settle(f, d->name);
    link_device(f, d->name);
}

void fake_usb_add_root_hub(struct fake_usb *f, const char *name, const char *serial)
{
    char path[PATH_MAX], interface[USB_NAME_SIZE];

    device_path(name, path, sizeof(path));
    make_directories(f->root_fd, path);
    fake_usb_set(f, name, NULL, "idVendor", "1d6b");
    fake_usb_set(f, name, NULL, "idProduct", "0002");
    fake_usb_set(f, name, NULL, "serial", serial);
    fake_usb_set(f, name, NULL, "authorized_default", "1");
    fake_usb_set(f, name, NULL, "interface_authorized_default", "1");
    format(interface, sizeof(interface), "%s-0:1.0", name + strlen("usb"));
    file_path(name, interface, NULL, path, sizeof(path));
    make_directories(f->root_fd, path);
    fake_usb_set(f, name, interface, "authorized", "1");
    fake_usb_set(f, name, interface, "bound", "yes");
    link_device(f, name);
}

/* --- The ops --- */

static void vanish(struct fake_usb *f)
{
    if (!f->vanish || f->calls < f->vanish_from || !fake_usb_exists(f, f->vanish))
        return;
    if (f->calls == f->vanish_from)
        fake_usb_strip(f, f->vanish);
    if (f->calls >= f->vanish_from + f->vanish_slowly)
        fake_usb_unplug(f, f->vanish);
}

static int fault(struct fake_usb *f)
{
    f->calls++;
    vanish(f);
    return f->fail_from > 0 && f->calls >= f->fail_from && f->calls - f->fail_from < f->fail_count ? f->fail_with : 0;
}

static const struct usb_ops *real(const struct fake_usb *f)
{
    return usb_sysfs_ops(f->sysfs);
}

static int fake_list(void *context, struct usb_names *ret)
{
    int r = fault(context);

    return r < 0 ? r : real(context)->list(real(context)->context, ret);
}

static int fake_open(void *context, const char *name, struct usb_node *ret)
{
    int r = fault(context);

    return r < 0 ? r : real(context)->open(real(context)->context, name, ret);
}

static int fake_same(void *context, const struct usb_node *a, const struct usb_node *b)
{
    return real(context)->same(real(context)->context, a, b);
}

static int fake_read(void *context, const struct usb_node *n, const char *interface, const char *attribute, char **ret)
{
    int r = fault(context);

    return r < 0 ? r : real(context)->read(real(context)->context, n, interface, attribute, ret);
}

static int fake_read_descriptors(void *context, const struct usb_node *n, uint8_t **ret, size_t *ret_size)
{
    int r = fault(context);

    return r < 0 ? r : real(context)->read_descriptors(real(context)->context, n, ret, ret_size);
}

static int fake_read_port(void *context, const struct usb_node *n, const char *attribute, char **ret)
{
    int r = fault(context);

    return r < 0 ? r : real(context)->read_port(real(context)->context, n, attribute, ret);
}

static int fake_list_interfaces(void *context, const struct usb_node *n, struct usb_names *ret)
{
    int r = fault(context);

    return r < 0 ? r : real(context)->list_interfaces(real(context)->context, n, ret);
}

static int fake_write(void *context, const struct usb_node *n, const char *interface, const char *attribute,
                      const char *value)
{
    struct fake_usb *f = context;
    char before[USB_ATTRIBUTE_MAX];
    int r = fault(f);

    if (r == 0 && f->fail_attribute && strcmp(f->fail_attribute, attribute) == 0)
        r = f->fail_with;
    if (r < 0 || (f->ignore_attribute && strcmp(f->ignore_attribute, attribute) == 0))
        return r;
    format(before, sizeof(before), "%s", fake_usb_get(f, n->name, interface, attribute));
    r = real(f)->write(real(f)->context, n, interface, attribute, value);
    if (r != 0)
        return r;
    f->writes++;
    react(f, n->name, interface, attribute, value, before);
    if (f->written)
        f->written(f, n->name, interface, attribute, value);
    return 0;
}

static int fake_driver(void *context, const struct usb_node *n, const char *interface, char **ret)
{
    struct fake_usb *f = context;
    int r = fault(f);

    return r < 0 ? r : real(f)->driver(real(f)->context, n, interface, ret);
}

static int fake_probe(void *context, const char *interface)
{
    struct fake_usb *f = context;
    char name[USB_NAME_SIZE];
    int r = fault(f);

    if (r == 0 && f->fail_attribute && strcmp(f->fail_attribute, "drivers_probe") == 0)
        r = f->fail_with;
    if (r == 0)
        r = real(f)->probe(real(f)->context, interface);
    if (r != 0)
        return r;
    f->probes++;
    format(name, sizeof(name), "%.*s", (int)strcspn(interface, ":"), interface);
    if (strcmp(fake_usb_get(f, name, interface, "authorized"), "1") == 0)
        fake_usb_set(f, name, interface, "bound", "yes");
    if (f->written)
        f->written(f, name, interface, "drivers_probe", interface);
    return 0;
}

void fake_usb_init(struct fake_usb *f, bool with_bus)
{
    char state[sizeof(f->root) + 8];

    *f = (struct fake_usb){.root = "/tmp/kuraban-fake-usb.XXXXXX"};
    must(mkdtemp(f->root));
    f->root_fd = open(f->root, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    must(f->root_fd >= 0);
    format(state, sizeof(state), "%s/state", f->root);
    must(mkdir(state, 0700) == 0);
    f->state_fd = open(state, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    must(f->state_fd >= 0);
    make_directories(f->root_fd, CONTROLLER);
    if (with_bus) {
        make_directories(f->root_fd, "bus/usb/devices");
        write_file(f->root_fd, "bus/usb/drivers_probe", "", 0);
    }
    must(usb_sysfs_new(f->root_fd, &f->sysfs) == 0);
    f->ops = (struct usb_ops){
        .context = f,
        .list = fake_list,
        .open = fake_open,
        .same = fake_same,
        .read = fake_read,
        .read_descriptors = fake_read_descriptors,
        .read_port = fake_read_port,
        .list_interfaces = fake_list_interfaces,
        .write = fake_write,
        .driver = fake_driver,
        .probe = fake_probe,
    };
}

void fake_usb_done(struct fake_usb *f)
{
    f->sysfs = usb_sysfs_free(f->sysfs);
    close(f->root_fd);
    close(f->state_fd);
    must(nftw(f->root, remove_entry, 16, FTW_DEPTH | FTW_PHYS) == 0);
}
