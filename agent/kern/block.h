#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Block devices through sysfs, and the calls that change them. Kernel names are those of /sys/class/block ("sdb1").
 */

enum {
    BLOCK_NAME_SIZE = 64,
    BLOCK_TEXT_SIZE = 256
};

/* What udev found out about a device, from its database; "" where it said nothing. Foreign bytes as udev encodes them. */
struct block_properties {
    bool known; /* the udev database has an entry */
    char filesystem[BLOCK_TEXT_SIZE], label[BLOCK_TEXT_SIZE], uuid[BLOCK_TEXT_SIZE], serial[BLOCK_TEXT_SIZE];
    char vendor[BLOCK_TEXT_SIZE], model[BLOCK_TEXT_SIZE];
    bool helper_read_only; /* kuraban-udev set it read-only */
    bool hidden;           /* and has it kept from everybody */
};

struct block_ops {
    /* BLKROSET on the node, after checking that the node is that device. -ENODEV: the node is another device. */
    int (*set_read_only)(void *context, const char *name, dev_t device, bool read_only);
    /* Makes the kernel send a "change" event. */
    int (*trigger)(void *context, const char *name);
    /* The udev database; a missing entry is 0 with known = false. */
    int (*properties)(void *context, const char *name, struct block_properties *ret);
    void *context;
};

/* The real kernel: directory fds of /sys and /dev, kept open by the caller. */
struct block_kernel {
    int sysfs, dev;
};
void block_ops_kernel(struct block_kernel *kernel, struct block_ops *ret);

/* "sdb1", no slash, no leading dot, shorter than BLOCK_NAME_SIZE. Everything from an event is checked with this first. */
bool block_name_valid(const char *name);
/* Node name below /dev: the kernel writes a slash as "!" (cciss!c0d0). */
void block_node(const char *name, char ret[static BLOCK_NAME_SIZE]);
/* "/devices/…/block/sdb/sdb1" of a kernel name; -ENOENT, -ENAMETOOLONG. */
int block_sysfs_path(int sysfs, const char *name, char *ret, size_t size);
/* Attribute of a block device as a number, or -errno. */
int block_read_number(int sysfs, const char *name, const char *attribute, uint64_t *ret);
int block_read_device(int sysfs, const char *name, dev_t *ret);
/* The kernel name of the device with that number, by /sys/dev/block and without a list. -ENOENT: there is none. */
int block_find(int sysfs, dev_t device, char ret[static BLOCK_NAME_SIZE]);
/* 1 read-only, 0 writable, -errno. Of a partition the kernel counts the disk's flag as well (since 5.11). */
int block_read_only(int sysfs, const char *name);
bool block_is_partition(int sysfs, const char *name);
/* The disk a partition is on, else the name itself. */
int block_disk(int sysfs, const char *name, char ret[static BLOCK_NAME_SIZE]);
/* Sequence number of the disk (5.15): another medium in the same drive or a reused loop device has another number. */
int block_diskseq(int sysfs, const char *name, uint64_t *ret);
/* How many partitions the kernel has made on the disk; -errno. */
int block_count_partitions(int sysfs, const char *disk);

/* Names in a directory of the device ("slaves", "holders") or, with name NULL, all of class/block. Anybody may have udisks set up loop
 * devices, with up to 255 partitions each, so the list has an end. All or nothing: -E2BIG past it, -ENOMEM, or what the kernel said. */
struct block_names {
    char (*items)[BLOCK_NAME_SIZE];
    size_t n;
};
enum {
    BLOCK_NAMES_MAX = 4096
};
int block_list(int sysfs, const char *name, const char *directory, struct block_names *ret);
void block_names_done(struct block_names *n);

/* BLKROSET on a node below the dev directory. */
int block_set_read_only(int dev, const char *name, dev_t device, bool read_only);
