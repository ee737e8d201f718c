#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Which store an inode on a shared filesystem belongs to. Thread-safe; readers do not exclude each other.
 */

struct inodes;

enum {
    INODES_MAXIMUM = 1 << 20
};

/* maximum: the most inodes that will be remembered. 0 or -ENOMEM. */
int inodes_new(size_t maximum, struct inodes **ret);
struct inodes *inodes_free(struct inodes *t);

/* life tells one file from the next that is given its inode number. 1: new; 0: was there (its store and life are replaced); -ENOBUFS past
 * the maximum; -ENOMEM. */
int inodes_add(struct inodes *t, dev_t device, ino_t inode, uint64_t life, uint32_t store);
/* 1 and the store, or 0. */
int inodes_find(struct inodes *t, dev_t device, ino_t inode, uint32_t *ret_store);
/* The same for this life of the inode only. */
int inodes_find_life(struct inodes *t, dev_t device, ino_t inode, uint64_t life, uint32_t *ret_store);
size_t inodes_count(struct inodes *t);
