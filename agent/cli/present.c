/*
 * Owns: looking at the USB devices as kuraband would. It runs the daemon's own manager on ops that cannot write, so that an
 * explanation never differs from the decision by how a fact was read. Must not: change anything.
 */
#include "cli/present.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/files.h"
#include "base/text.h"
#include "cli/i18n.h"
#include "device/exit.h"
#include "kern/usb.h"

struct present {
    int root;
    int nowhere; /* a directory in which nothing can be created, for the manager's state */
    struct usb_sysfs *sysfs;
    struct usb_ops ops;
    struct usb_manager *manager;
    struct exit_system system;
};

static int write_nothing(void *context, const struct usb_node *n, const char *interface, const char *attribute,
                         const char *value)
{
    (void)context;
    (void)n;
    (void)interface;
    (void)attribute;
    (void)value;
    return -EROFS;
}

static int probe_nothing(void *context, const char *interface)
{
    (void)context;
    (void)interface;
    return -EROFS;
}

/* That nothing could be written is what is reported; it is what was wanted. */
static void report_nothing(void *context, enum audit_action action, const struct usb_device *device,
                           const struct verdict *v, const char *message)
{
    (void)context;
    (void)action;
    (void)device;
    (void)v;
    (void)message;
}

DEFINE_CLEANUP(struct present *, present_free);

struct present *present_free(struct present *p)
{
    if (!p)
        return NULL;
    (void)usb_manager_free(p->manager);
    (void)usb_sysfs_free(p->sysfs);
    exit_system_done(&p->system);
    close_fd(p->root);
    close_fd(p->nowhere);
    free(p);
    return NULL;
}

static int find_system(struct present *p, const char *path)
{
    _cleanup_close_ int proc = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    _cleanup_free_ char *swaps = NULL;
    struct mount_table mounts;
    int r;

    if (proc < 0)
        return -errno;
    /* A machine, or a container, without block devices. */
    if (faccessat(p->root, "class/block", F_OK, 0) < 0 && errno == ENOENT)
        return 0;
    r = mount_table_read(proc, "self/mountinfo", &mounts);
    if (r < 0)
        return r;
    (void)files_read_text_at(proc, "swaps", 65536, &swaps);
    r = exit_system_find(p->root, &mounts, swaps, &p->system);
    mount_table_done(&mounts);
    return r;
}

static int start(struct present *p, const struct cli *c, struct policy *policy)
{
    struct usb_manager_options options = {.kern = &p->ops, .callbacks.report = report_nothing, .policy = policy};
    int r;

    p->root = open(c->sysfs, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    p->nowhere = open("/proc/self/fdinfo", O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (p->root < 0 || p->nowhere < 0)
        return -errno;
    r = find_system(p, c->proc);
    if (r == 0)
        r = usb_sysfs_new(p->root, &p->sysfs);
    if (r < 0)
        return r;
    p->ops = *usb_sysfs_ops(p->sysfs);
    p->ops.write = write_nothing;
    p->ops.probe = probe_nothing;
    options.state_directory = p->nowhere;
    r = usb_manager_new(&options, &p->manager);
    return r < 0 ? r : usb_manager_start(p->manager, clock_wall_us());
}

enum cli_exit present_read(struct cli *c, struct policy *policy, struct present **ret)
{
    _cleanup_(present_freep) struct present *p = calloc(1, sizeof(*p));
    int r;

    if (!p) {
        cli_error(c, "%s", strerror(ENOMEM));
        return CLI_FAILED;
    }
    p->root = p->nowhere = -1;
    r = start(p, c, policy);
    if (r < 0) {
        cli_error(c, _("cannot read the USB devices: %s"), strerror(-r));
        return CLI_FAILED;
    }
    *ret = TAKE_PTR(p);
    return CLI_OK;
}

size_t present_count(const struct present *p)
{
    return usb_manager_count(p->manager);
}

const struct usb_device *present_at(const struct present *p, size_t i)
{
    return usb_manager_get(p->manager, i);
}

const struct usb_device *present_find(const struct present *p, const char *id)
{
    const char *at = strrchr(id, '@');

    for (size_t i = 0; i < present_count(p); i++) {
        const struct usb_device *d = present_at(p, i);

        if (text_equal(usb_device_id(d), id) || (!at && text_equal(usb_device_port(d), id)))
            return d;
    }
    return NULL;
}

bool present_has_class(const struct usb_device *d, uint8_t class_)
{
    size_t n = 0;
    const struct decide_interface *interfaces = usb_device_interfaces(d, &n);

    for (size_t i = 0; i < n; i++)
        if (interfaces[i].class_ == class_)
            return true;
    return false;
}

bool present_carries_system(const struct present *p, const struct usb_device *d)
{
    return exit_system_below(p->root, &p->system, usb_device_path(d));
}

bool present_is_keyboard(const struct usb_device *d)
{
    size_t n = 0;
    const struct decide_interface *interfaces = usb_device_interfaces(d, &n);

    for (size_t i = 0; i < n; i++)
        if (interfaces[i].class_ == 3 && interfaces[i].subclass == 1 && interfaces[i].protocol == 1)
            return true;
    return false;
}
