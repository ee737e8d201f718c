/*
 * Classification of block devices. Owns: the rules of what counts as an exit. Must not: open a device node, change
 * anything, ask udev (it runs inside a udev rule). Unreadable means exit.
 *
 * Sources: Documentation/ABI/{stable,testing}/sysfs-*: block "removable" (also set by libata for external and hot-plug
 * capable ports, i.e. eSATA), "removable" of PCI devices (5.13; "removable" behind an external-facing port: Thunderbolt and
 * USB4) and of mmc cards; mmc card "type".
 */
#include "device/exit.h"

#include <errno.h>
#include <fnmatch.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/files.h"
#include "base/text.h"

static const char *const bus_names[EXIT_BUS_COUNT_] = {
    [EXIT_BUS_OTHER] = "other",     [EXIT_BUS_USB] = "usb",           [EXIT_BUS_MMC] = "mmc",
    [EXIT_BUS_OPTICAL] = "optical", [EXIT_BUS_FIREWIRE] = "firewire", [EXIT_BUS_THUNDERBOLT] = "thunderbolt",
    [EXIT_BUS_LOOP] = "loop",
};

const char *exit_bus_name(enum exit_bus bus)
{
    return (unsigned)bus < EXIT_BUS_COUNT_ ? bus_names[bus] : "other";
}

static bool name_is(const char *name, const char *prefix)
{
    size_t n = strlen(prefix);

    return strncmp(name, prefix, n) == 0 && name[n] >= '0' && name[n] <= '9';
}

/* Attribute of the sysfs directory path ("/devices/…"), or false. */
static bool attribute_equals(int sysfs, const char *path, const char *attribute, const char *value)
{
    _cleanup_free_ char *text = NULL;
    char file[EXIT_PATH_SIZE + 64];

    (void)snprintf(file, sizeof(file), "%s/%s", path + 1, attribute);
    return files_read_text_at(sysfs, file, 64, &text) >= 0 && strcmp(text, value) == 0;
}

static bool attribute_exists(int sysfs, const char *path, const char *attribute)
{
    char file[EXIT_PATH_SIZE + 64];

    (void)snprintf(file, sizeof(file), "%s/%s", path + 1, attribute);
    return faccessat(sysfs, file, F_OK, 0) == 0;
}

static void subsystem_of(int sysfs, const char *path, char ret[static 64])
{
    char file[EXIT_PATH_SIZE + 64], target[EXIT_PATH_SIZE];
    const char *base;
    ssize_t n;

    ret[0] = '\0';
    (void)snprintf(file, sizeof(file), "%s/subsystem", path + 1);
    n = readlinkat(sysfs, file, target, sizeof(target) - 1);
    if (n <= 0)
        return;
    target[n] = '\0';
    base = strrchr(target, '/');
    (void)snprintf(ret, 64, "%.63s", base ? base + 1 : target);
}

/* What one ancestor says; merged into info. Nearer ancestors come first, and what is attached to the outermost bus wins
 * nothing: a card reader on USB is USB because its rule belongs to the USB device. */
static void judge_ancestor(int sysfs, const char *path, struct exit_info *info)
{
    char subsystem[64];

    subsystem_of(sysfs, path, subsystem);
    if (strcmp(subsystem, "usb") == 0 && attribute_exists(sysfs, path, "bDeviceClass")) {
        info->is_exit = true;
        info->bus = EXIT_BUS_USB;
        if (!info->usb[0]) /* the nearest device, not the hub above it */
            (void)snprintf(info->usb, sizeof(info->usb), "%s", path);
    } else if (info->bus == EXIT_BUS_USB) {
        return;
    } else if (strcmp(subsystem, "mmc") == 0) {
        /* Soldered eMMC is MMC; everything that is not known to be that is a card. */
        if (!attribute_equals(sysfs, path, "type", "MMC") || attribute_equals(sysfs, path, "removable", "removable")) {
            info->is_exit = true;
            info->bus = EXIT_BUS_MMC;
        }
    } else if (strcmp(subsystem, "firewire") == 0) {
        info->is_exit = true;
        info->bus = EXIT_BUS_FIREWIRE;
    } else if (strcmp(subsystem, "thunderbolt") == 0 ||
               (strcmp(subsystem, "pci") == 0 && attribute_equals(sysfs, path, "removable", "removable"))) {
        info->is_exit = true;
        if (info->bus == EXIT_BUS_OTHER)
            info->bus = EXIT_BUS_THUNDERBOLT;
    }
}

static void walk_ancestors(int sysfs, const char *path, struct exit_info *info, unsigned depth);

/* With native multipath an NVMe disk hangs on a virtual subsystem; the controllers are links inside it. */
static void walk_nvme_subsystem(int sysfs, const char *path, struct exit_info *info, unsigned depth)
{
    char link[EXIT_PATH_SIZE + 64], target[EXIT_PATH_SIZE], controller[EXIT_PATH_SIZE];

    for (unsigned i = 0; i < 64; i++) {
        const char *s = target;
        ssize_t n;

        (void)snprintf(link, sizeof(link), "%s/nvme%u", path + 1, i);
        n = readlinkat(sysfs, link, target, sizeof(target) - 1);
        if (n <= 0)
            continue;
        target[n] = '\0';
        while (text_starts(s, "../"))
            s += 3;
        /* The link leads out of devices/virtual/nvme-subsystem/nvme-subsysN, so what is left starts below devices/. */
        (void)snprintf(controller, sizeof(controller), "%s%.400s", text_starts(s, "devices/") ? "/" : "/devices/", s);
        walk_ancestors(sysfs, controller, info, depth + 1);
    }
}

static void walk_ancestors(int sysfs, const char *path, struct exit_info *info, unsigned depth)
{
    char parent[EXIT_PATH_SIZE], subsystem[64];
    char *slash;

    (void)snprintf(parent, sizeof(parent), "%s", path);
    while ((slash = strrchr(parent, '/')) && slash != parent) {
        judge_ancestor(sysfs, parent, info);
        subsystem_of(sysfs, parent, subsystem);
        if (depth == 0 && strcmp(subsystem, "nvme-subsystem") == 0)
            walk_nvme_subsystem(sysfs, parent, info, depth);
        *slash = '\0';
    }
}

/* Stacked devices follow the first exit below them. 1: there is something below. */
static int follow_slaves(const struct exit_context *c, const char *name, struct exit_info *info, unsigned depth);

static bool loop_file_on_exit(const struct exit_context *c, const char *name, struct exit_info *info, unsigned depth);

static void excuse(const struct exit_context *c, const char *path, struct exit_info *info)
{
    for (size_t i = 0; c->list && i < c->list->n; i++) {
        const char *prefix = c->list->items[i];
        size_t n = strlen(prefix) - 1;

        if (prefix[0] != '!' || n == 0 || strncmp(prefix + 1, path, n) != 0)
            continue;
        if ((path[n] == '/' || path[n] == '\0') && info->bus == EXIT_BUS_OTHER)
            info->is_exit = false;
    }
}

static bool is_system(const struct exit_context *c, const char *disk)
{
    for (size_t i = 0; c->system && i < c->system->n; i++) {
        if (strcmp(c->system->disks[i], disk) == 0)
            return true;
    }
    return false;
}

/* A disk that is not stacked on others. */
static void judge_physical(const struct exit_context *c, const char *disk, const char *path, struct exit_info *info,
                           unsigned depth)
{
    uint64_t removable = 0;

    if (name_is(disk, "zram") || name_is(disk, "ram"))
        return;
    if (name_is(disk, "loop")) {
        info->bus = EXIT_BUS_LOOP;
        info->is_exit = loop_file_on_exit(c, disk, info, depth);
        return;
    }
    walk_ancestors(c->sysfs, path, info, 0);
    if (name_is(disk, "sr") || name_is(disk, "scd")) {
        info->is_exit = true;
        if (info->bus == EXIT_BUS_OTHER)
            info->bus = EXIT_BUS_OPTICAL;
    }
    if (block_read_number(c->sysfs, disk, "removable", &removable) < 0 || removable != 0)
        info->is_exit = true;
    /* Virtual devices that are none of the known kinds (nbd: a disk across the network). */
    if (text_starts(path, "/devices/virtual/block/") && !name_is(disk, "dm-") && !name_is(disk, "md") &&
        !text_starts(disk, "md_") && !name_is(disk, "bcache") && !name_is(disk, "zd"))
        info->is_exit = true;
    excuse(c, path, info);
}

static int classify(const struct exit_context *c, const char *name, struct exit_info *info, unsigned depth)
{
    char path[EXIT_PATH_SIZE], disk[BLOCK_NAME_SIZE];
    dev_t device = 0, disk_device = 0;
    bool listed;

    if (depth >= EXIT_DEPTH_MAX || block_disk(c->sysfs, name, disk) < 0 ||
        block_sysfs_path(c->sysfs, disk, path, sizeof(path)) < 0)
        return -ENODATA;
    (void)snprintf(info->disk, sizeof(info->disk), "%s", disk);
    if (is_system(c, disk) || is_system(c, name)) {
        info->is_system = true;
        return 0;
    }
    if (block_read_device(c->sysfs, name, &device) < 0 || block_read_device(c->sysfs, disk, &disk_device) < 0)
        return -ENODATA;
    listed = c->list && (exit_list_matches(c->list, name, device) || exit_list_matches(c->list, disk, disk_device));
    if (follow_slaves(c, disk, info, depth) == 0) {
        if (!c->listed_only)
            judge_physical(c, disk, path, info, depth);
        else if (listed) /* for the name of the bus only */
            judge_physical(c, disk, path, info, depth);
    }
    if (c->listed_only && info->bus == EXIT_BUS_LOOP && !listed)
        info->is_exit = false;
    info->is_exit = info->is_exit || listed;
    return 0;
}

static int follow_slaves(const struct exit_context *c, const char *name, struct exit_info *info, unsigned depth)
{
    _cleanup_free_ char *uuid = NULL;
    char file[BLOCK_NAME_SIZE + 64];
    struct block_names slaves = {0};
    size_t n;
    int r = block_list(c->sysfs, name, "slaves", &slaves);

    if (r < 0 && r != -ENOENT) {
        info->is_exit = !c->listed_only; /* nobody can say what it lies on */
        return 1;
    }
    n = slaves.n;
    for (size_t i = 0; i < n; i++) {
        struct exit_info below = {0};

        if (classify(c, slaves.items[i], &below, depth + 1) < 0)
            below.is_exit = !c->listed_only;
        if (below.is_exit && !info->is_exit) {
            info->is_exit = true;
            info->bus = below.bus;
            memcpy(info->disk, below.disk, sizeof(info->disk));
            memcpy(info->usb, below.usb, sizeof(info->usb));
        }
        info->inside_luks = info->inside_luks || below.inside_luks;
    }
    block_names_done(&slaves);
    if (n == 0)
        return 0;
    (void)snprintf(file, sizeof(file), "class/block/%s/dm/uuid", name);
    if (files_read_text_at(c->sysfs, file, 256, &uuid) >= 0 && text_starts(uuid, "CRYPT-LUKS"))
        info->inside_luks = true;
    return 1;
}

/* By the path the kernel shows and the table of mounts, never by touching the file: best effort, because the path is that
 * of the process that set the loop device up. A file on a read-only medium makes the loop device read-only by itself. */
static bool loop_file_on_exit(const struct exit_context *c, const char *name, struct exit_info *info, unsigned depth)
{
    _cleanup_free_ char *file = NULL;
    const struct mount_entry *covering;
    struct exit_info below = {0};
    char path[BLOCK_NAME_SIZE + 64], lies_on[BLOCK_NAME_SIZE];
    int r;

    (void)snprintf(path, sizeof(path), "class/block/%s/loop/backing_file", name);
    if (!c->mounts || files_read_text_at(c->sysfs, path, 4096, &file) < 0 || file[0] != '/')
        return false;
    covering = mount_table_covering(c->mounts, file);
    if (!covering || covering->major == 0)
        return false;
    r = block_find(c->sysfs, makedev(covering->major, covering->minor), lies_on);
    if (r == -ENOENT)
        return false; /* a filesystem of several disks */
    if (r < 0 || classify(c, lies_on, &below, depth + 1) < 0)
        return true;
    memcpy(info->usb, below.usb, sizeof(info->usb));
    return below.is_exit;
}

int exit_classify(const struct exit_context *c, const char *name, struct exit_info *ret)
{
    struct exit_info info = {0};

    if (!block_name_valid(name))
        return -EINVAL;
    if (classify(c, name, &info, 0) < 0) {
        dev_t none = 0;

        info = (struct exit_info){.bus = EXIT_BUS_OTHER};
        (void)snprintf(info.disk, sizeof(info.disk), "%s", name);
        info.is_exit = !c->listed_only || (c->list && exit_list_matches(c->list, name, none));
    }
    *ret = info;
    return 0;
}
