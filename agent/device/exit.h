#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "kern/block.h"
#include "kern/mount.h"

/*
 * Is a block device an exit, that is, can data leave the terminal on it? Answered from sysfs alone, the same way by
 * kuraband and by the udev helper. A partition follows its disk; a device-mapper, md or bcache device follows what is
 * below it. What cannot be read about a device counts as an exit.
 */

enum exit_bus { /* names as policies write them */
    EXIT_BUS_OTHER = 0,
    EXIT_BUS_USB,
    EXIT_BUS_MMC,
    EXIT_BUS_OPTICAL,
    EXIT_BUS_FIREWIRE,
    EXIT_BUS_THUNDERBOLT,
    EXIT_BUS_LOOP,
    EXIT_BUS_COUNT_,
};
const char *exit_bus_name(enum exit_bus bus);

enum {
    EXIT_PATH_SIZE = 512,
    EXIT_DEPTH_MAX = 8,
    EXIT_LIST_MAX = 256,
    EXIT_LIST_BYTES_MAX = 64 * 1024
};

/*
 * What administrators and policy add. One entry a line, # starts a comment:
 *   /dev/sdc  /dev/mapper/x*   node (fnmatch pattern, "/dev/" may be left out): is an exit
 *   8:32                       the same by number
 *   !/devices/pci0000:00/0000:00:17.0/ata2   sysfs path and all below: not an exit although the kernel calls it removable
 *                              (internal SATA bays). Has no effect on usb, mmc, optical, FireWire and Thunderbolt.
 */
struct exit_list {
    char **items;
    size_t n;
};
/* Adds the lines of text. -E2BIG past EXIT_LIST_MAX entries, -ENOMEM. */
int exit_list_add(struct exit_list *l, const char *text);
void exit_list_done(struct exit_list *l);
bool exit_list_matches(const struct exit_list *l, const char *name, dev_t device);

/* Devices that carry the running system: never an exit, so that nobody's root filesystem turns read-only (H9). They are what
 * is mounted at /, /usr, /boot, /boot/efi, /efi, /var and what is used as swap, with everything below. Places only root can
 * mount on. */
struct exit_system {
    char (*disks)[BLOCK_NAME_SIZE]; /* whole disks and stacked devices, by kernel name */
    size_t n;
};
/* mounts is our own namespace's table; swaps is the text of /proc/swaps or NULL. */
int exit_system_find(int sysfs, const struct mount_table *mounts, const char *swaps, struct exit_system *ret);
void exit_system_done(struct exit_system *s);
/* Is one of them at or below the sysfs path ("devices/pci…/1-2")? True of each hub on the way as well. */
bool exit_system_below(int sysfs, const struct exit_system *s, const char *path);

struct exit_context {
    int sysfs;                        /* directory fd of /sys */
    const struct exit_list *list;     /* NULL: none */
    const struct exit_system *system; /* NULL: none */
    const struct mount_table *mounts; /* where a loop device's file lies; NULL: not looked at */
    bool listed_only; /* nothing is an exit but what the list names and what is stacked or cut from it */
};

struct exit_info {
    bool is_exit;
    bool is_system;
    enum exit_bus bus;
    char disk
        [BLOCK_NAME_SIZE];    /* the physical disk below: of a partition its disk, of dm-0 the exit it is mapped from */
    char usb[EXIT_PATH_SIZE]; /* sysfs path of the USB device it hangs on, "/devices/…"; "" when none */
    bool inside_luks;         /* mapped, at any depth, from a LUKS container */
};

/* 0 and the answer (also when something could not be read: is_exit), or -EINVAL for a name no block device can have. */
int exit_classify(const struct exit_context *c, const char *name, struct exit_info *ret);
