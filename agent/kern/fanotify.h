#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * The fanotify calls the gate makes. Source: fanotify(7), fanotify_init(2), fanotify_mark(2); kernel 6.1 is the floor.
 */

/* The kernel behind a struct, so that tests record calls and use a socket pair as the group. Each returns 0 or a
 * descriptor, or -errno. */
struct fanotify_ops {
    int (*init)(unsigned flags, unsigned event_flags);
    int (*mark)(int group, unsigned flags, uint64_t mask, int dirfd, const char *path);
};
extern const struct fanotify_ops fanotify_kernel;

/* What the gate asks the kernel to ask about. Directories are not asked: listing a directory never opens a file. */
#define FANOTIFY_GUARD_MASK (FAN_OPEN_PERM | FAN_OPEN_EXEC_PERM)

/* A permission group: class content, unlimited queue (a full one would allow) and marks, thread ids (credentials belong
 * to threads), non-blocking. Pidfds are not asked for: an opener that waits cannot have its id reused, and 6.1 refuses
 * FAN_REPORT_PIDFD together with FAN_REPORT_TID. Returns the descriptor. */
int fanotify_new_guard(const struct fanotify_ops *ops);
/* A notification group that names directory entries as they come: FAN_REPORT_DFID_NAME. Returns the descriptor. */
int fanotify_new_names(const struct fanotify_ops *ops);

/* path may be NULL: dirfd itself is the object (it must then not be O_PATH); "." names an O_PATH directory. Never follows
 * a symlink in the last component. */
int fanotify_guard_filesystem(const struct fanotify_ops *ops, int group, int dirfd, const char *path);
int fanotify_unguard_filesystem(const struct fanotify_ops *ops, int group, int dirfd, const char *path);
/* One inode; children: also the files opened by a name in that directory. */
int fanotify_guard_inode(const struct fanotify_ops *ops, int group, int dirfd, const char *path, bool children);
int fanotify_unguard_inode(const struct fanotify_ops *ops, int group, int dirfd, const char *path, bool children);
/* Entries created in, or moved into, this directory are told to a names group. */
int fanotify_watch_names(const struct fanotify_ops *ops, int group, int dirfd, const char *path);

/* Stops FAN_OPEN_PERM (never FAN_OPEN_EXEC_PERM) for the file behind fd; the kernel may forget it under memory pressure
 * (FAN_MARK_EVICTABLE, 5.19; FAN_MARK_IGNORE, 6.0). */
int fanotify_ignore_open(const struct fanotify_ops *ops, int group, int fd);
int fanotify_unignore_open(const struct fanotify_ops *ops, int group, int fd);
/* Drops every inode mark of the group; filesystem marks stay. */
int fanotify_flush_inodes(const struct fanotify_ops *ops, int group);

struct fanotify_event {
    uint64_t mask;
    int fd; /* the opened object; -1 on overflow */
    pid_t pid;
};

/* A directory entry that a names group told. handle is a struct file_handle of the directory for open_by_handle_at(2); both
 * point into the caller's bytes. */
struct fanotify_name {
    uint64_t mask;
    const void *handle; /* NULL on overflow */
    size_t handle_size;
    const char *name;
};

/* Walks what one read(2) of a group returned. 1: an event was taken and *offset moved; 0: the end; -EBADMSG: bytes that are not
 * events (or of another version): nothing after them can be trusted. */
int fanotify_next_event(const void *bytes, size_t size, size_t *offset, struct fanotify_event *ret);
int fanotify_next_name(const void *bytes, size_t size, size_t *offset, struct fanotify_name *ret);

/* One answer. 0, -ENOENT when nobody waits any more (the opener was killed: normal), other -errno. Never closes fd. */
int fanotify_answer(int group, int fd, bool allow);

/* Event descriptors are kept below this, so that a sweep up to it finds all of a dead reader. */
enum {
    FANOTIFY_DESCRIPTORS_MAX = 65536
};

/* Denies everything that was read from the group but not answered, by number: 0 ≤ fd < limit. Only before anything is read from
 * the group by this process. Returns how many were waiting. (Measured on 6.1 and 6.18.) */
unsigned fanotify_sweep(int group, int limit);

/* Counts the marks of /proc/self/fdinfo/<fd>. Returns 0, -EBADMSG or other -errno. */
struct fanotify_marks {
    size_t filesystems, inodes;
};
int fanotify_count_marks(int proc_fd, int group, struct fanotify_marks *ret);
/* Does the group still hold the guard mark on this filesystem? device is a superblock's (stat st_dev). 1, 0 or -errno. */
int fanotify_has_filesystem_mark(int proc_fd, int group, dev_t device);
