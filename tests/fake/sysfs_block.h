#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "kern/block.h"

/* A temporary tree that looks like /sys/class/block and what it links to, a proc beside it, and block ops that act on the
 * tree. Everything fails the test by assertion when the tree cannot be made. */
enum {
    FAKE_PROPERTIES_MAX = 16
};

struct fake_block {
    char path[64]; /* of the tree: sys/, proc/, run/, state/ */
    int sysfs, proc, run, state;
    struct block_ops ops;
    struct {
        char name[BLOCK_NAME_SIZE];
        struct block_properties properties;
    } known[FAKE_PROPERTIES_MAX];
    unsigned n_known;
    unsigned sets, triggers;                                /* calls of the ops */
    int set_error;                                          /* what set_read_only answers, 0 normally */
    void (*on_set)(struct fake_block *f, const char *name); /* before it answers: what happens meanwhile */
    char last_trigger[BLOCK_NAME_SIZE];
};

void fake_block_init(struct fake_block *f);
void fake_block_done(struct fake_block *f);

/* devpath: "/devices/…/block/sdb"; number "8:16". size in sectors. Ancestors are made as plain directories. */
void fake_block_disk(struct fake_block *f, const char *devpath, const char *number, uint64_t sectors,
                     const char *removable);
void fake_block_partition(struct fake_block *f, const char *disk_devpath, const char *name, const char *number,
                          uint64_t sectors);
/* Sets (or with NULL removes) a file below sys/, "devices/…/authorized" or "class/block/sdb/size". */
void fake_block_set(struct fake_block *f, const char *file, const char *value);
/* Makes the directory an instance of the subsystem, "/devices/…/1-2" "usb". */
void fake_block_subsystem(struct fake_block *f, const char *devpath, const char *subsystem);
void fake_block_slave(struct fake_block *f, const char *name, const char *slave);
void fake_block_remove(struct fake_block *f, const char *name);
/* Properties of udev's database. */
struct block_properties *fake_block_properties(struct fake_block *f, const char *name);
/* The text of proc/FILE ("self/mountinfo", "swaps"). */
void fake_block_proc(struct fake_block *f, const char *file, const char *text);
bool fake_block_exists(struct fake_block *f, const char *file); /* below the tree, "run/media/sdb1-1" */
