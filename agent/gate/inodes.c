/*
 * Hash table (device, inode) -> store, open addressing, at most three quarters full.
 *
 * Owns: the table and its lock. Must not: be asked by the reader thread (it takes a lock), forget an entry (a file that left its
 * store stays protected until the table is rebuilt).
 */
#include "gate/inodes.h"

#include <errno.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdlib.h>

struct entry {
    dev_t device;
    ino_t inode; /* 0: free; no filesystem hands out inode 0 */
    uint32_t store;
    uint64_t life;
};

struct inodes {
    pthread_rwlock_t lock;
    struct entry *entries;
    size_t capacity, count, maximum;
};

static size_t hash(dev_t device, ino_t inode)
{
    uint64_t h = ((uint64_t)inode + 0x9e3779b97f4a7c15U) * 0xff51afd7ed558ccdU;

    h ^= (uint64_t)device * 0xc4ceb9fe1a85ec53U;
    return (size_t)(h ^ (h >> 29));
}

int inodes_new(size_t maximum, struct inodes **ret)
{
    struct inodes *t = calloc(1, sizeof(*t));

    if (!t)
        return -ENOMEM;
    t->capacity = 64;
    t->maximum = maximum;
    t->entries = calloc(t->capacity, sizeof(*t->entries));
    if (!t->entries || pthread_rwlock_init(&t->lock, NULL) != 0) {
        free(t->entries);
        free(t);
        return -ENOMEM;
    }
    *ret = t;
    return 0;
}

struct inodes *inodes_free(struct inodes *t)
{
    if (!t)
        return NULL;
    (void)pthread_rwlock_destroy(&t->lock);
    free(t->entries);
    free(t);
    return NULL;
}

static struct entry *slot_of(struct entry *entries, size_t capacity, dev_t device, ino_t inode)
{
    size_t at = hash(device, inode) & (capacity - 1);

    while (entries[at].inode != 0 && (entries[at].inode != inode || entries[at].device != device))
        at = (at + 1) & (capacity - 1);
    return &entries[at];
}

static int grow(struct inodes *t)
{
    size_t capacity = t->capacity * 2;
    struct entry *entries = calloc(capacity, sizeof(*entries));

    if (!entries)
        return -ENOMEM;
    for (size_t i = 0; i < t->capacity; i++)
        if (t->entries[i].inode != 0)
            *slot_of(entries, capacity, t->entries[i].device, t->entries[i].inode) = t->entries[i];
    free(t->entries);
    t->entries = entries;
    t->capacity = capacity;
    return 0;
}

static int add_locked(struct inodes *t, dev_t device, ino_t inode, uint64_t life, uint32_t store)
{
    struct entry *e = slot_of(t->entries, t->capacity, device, inode);

    if (e->inode != 0) {
        e->store = store;
        e->life = life;
        return 0;
    }
    if (t->count >= t->maximum)
        return -ENOBUFS;
    if ((t->count + 1) * 4 > t->capacity * 3) {
        int r = grow(t);

        if (r < 0)
            return r;
        e = slot_of(t->entries, t->capacity, device, inode);
    }
    *e = (struct entry){.device = device, .inode = inode, .store = store, .life = life};
    t->count++;
    return 1;
}

int inodes_add(struct inodes *t, dev_t device, ino_t inode, uint64_t life, uint32_t store)
{
    int r;

    if (inode == 0)
        return -EINVAL;
    (void)pthread_rwlock_wrlock(&t->lock);
    r = add_locked(t, device, inode, life, store);
    (void)pthread_rwlock_unlock(&t->lock);
    return r;
}

static int find(struct inodes *t, dev_t device, ino_t inode, const uint64_t *life, uint32_t *ret_store)
{
    const struct entry *e;
    int found;

    (void)pthread_rwlock_rdlock(&t->lock);
    e = slot_of(t->entries, t->capacity, device, inode);
    found = e->inode != 0 && (!life || e->life == *life);
    if (found)
        *ret_store = e->store;
    (void)pthread_rwlock_unlock(&t->lock);
    return found;
}

int inodes_find(struct inodes *t, dev_t device, ino_t inode, uint32_t *ret_store)
{
    return find(t, device, inode, NULL, ret_store);
}

int inodes_find_life(struct inodes *t, dev_t device, ino_t inode, uint64_t life, uint32_t *ret_store)
{
    return find(t, device, inode, &life, ret_store);
}

size_t inodes_count(struct inodes *t)
{
    size_t n;

    (void)pthread_rwlock_rdlock(&t->lock);
    n = t->count;
    (void)pthread_rwlock_unlock(&t->lock);
    return n;
}
