#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/stat.h>
#include <sys/types.h>

struct fanotify_ops;
struct policy;
struct programs;

/*
 * The stores of one policy on this machine: how each is marked, which inode belongs to which, which programs may open them.
 * Ref-counted, shared between threads. How to lay out a store, and what remains open on a shared filesystem: docs/STORES.md.
 */

enum store_state {
    STORE_ABSENT = 0, /* nothing at the path (yet) */
    STORE_FILESYSTEM, /* the path is the root of its own filesystem: one mark, no gaps */
    STORE_INODES,     /* shared filesystem: a mark on every directory and file */
    STORE_INCOMPLETE, /* shared, and not everything could be marked: not enforcing */
};

struct stores_options {
    const struct fanotify_ops *ops;
    int group;      /* permission group for stores */
    int names;      /* names group, -1 none */
    int proc_fd;    /* /proc */
    size_t maximum; /* inodes on shared filesystems; 0 = default */
};

struct stores;

/* Resolves programs and paths and marks everything. A store that is absent or incomplete is not an error: see stores_state().
 * Keeps a reference of p; the descriptors stay the caller's. 0, -ENOMEM. */
int stores_new(struct policy *p, const struct stores_options *o, struct stores **ret);
struct stores *stores_ref(struct stores *s);
struct stores *stores_unref(struct stores *s);

size_t stores_count(const struct stores *s);
enum store_state stores_state(const struct stores *s, size_t i);
size_t stores_inodes(const struct stores *s);
struct programs *stores_programs(const struct stores *s);

enum stores_place {
    STORES_NONE = 0, /* no store is on that filesystem */
    STORES_IS,       /* it belongs to the store */
    STORES_NEW,      /* it belongs to the store and has no mark of its own yet: stores_adopt() before answering */
    STORES_SOME, /* of one of the stores on that filesystem, it cannot be said which: every one of them must allow */
};
/* To which store the opened object belongs. ret_store is set for IS and NEW. */
enum stores_place stores_find(struct stores *s, int fd, const struct stat *st, size_t *ret_store);
/* Is store i one of those that STORES_SOME means for this filesystem? */
bool stores_shares(const struct stores *s, size_t i, dev_t device);
/* Gives a new file its own mark. 0; -EMLINK when it has another name that was never marked; other -errno. All mean refuse. */
int stores_adopt(struct stores *s, int fd, const struct stat *st, size_t store);

/* Marks everything again (after a lost mark, an overflow, or for stores that were absent). Returns how many stores are not
 * enforced as they should be. */
size_t stores_mark(struct stores *s);
/* Reads what the names group tells and marks what came. Returns how many entries were seen, or -EOVERFLOW: call stores_mark(). */
int stores_track(struct stores *s);
/* Are all marks where they should be? 1, 0 or -errno. The main thread calls it every few seconds; of more than a thousand inode marks only
 * each 30th call looks at the marks themselves. */
int stores_verify(struct stores *s);
/* Takes the marks of old away that next does not have. next may be NULL. */
void stores_unmark(struct stores *old, struct stores *next);
