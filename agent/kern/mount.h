#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * Mounts as the kernel lists them (proc(5), /proc/PID/mountinfo) and the few calls that change them. Nothing here looks
 * at a file on a mounted filesystem.
 */

/* One line of mountinfo. Strings are unescaped and belong to the table. */
struct mount_entry {
    int id, parent;
    unsigned major, minor; /* of the superblock; 0:N for filesystems without one device */
    const char *root;      /* which part of the filesystem is mounted */
    const char *point;     /* relative to the root directory of the process that was read */
    const char *options;   /* of this mount */
    const char *type;      /* nfs4, fuse.sshfs, … */
    const char *source;
    const char *super_options;
};

struct mount_table {
    struct mount_entry *items;
    size_t n;
    size_t malformed; /* lines that could not be read; the others are there */
    char *text;       /* owner of the strings */
};

enum {
    MOUNT_TABLE_MAX = 32 * 1024 * 1024,
    MOUNT_LINE_FIELDS_MAX = 64
};

/* Parses a copy of size bytes. 0; -EFBIG past MOUNT_TABLE_MAX; -ENOMEM. A line that is not mountinfo is skipped and counted:
 * one odd line must not hide the others. */
int mount_table_parse(const char *text, size_t size, struct mount_table *ret);
/* Reads NAME below the proc directory ("self/mountinfo", "4711/mountinfo"). -ENOENT, -ESRCH: the process is gone. */
int mount_table_read(int proc, const char *name, struct mount_table *ret);
/* Does this error of mount_table_read() only say that the process has ended? (fs/proc_namespace.c, 6.1) */
bool mount_process_gone(int error);
void mount_table_done(struct mount_table *t);

/* Is the filesystem (not only this mount of it) writable? */
bool mount_super_writable(const struct mount_entry *e);
/* Does this mount (not the filesystem) let programs be run and mapped from it? */
bool mount_runs_programs(const struct mount_entry *e);
/* Value of KEY=VALUE in a comma-separated option list into value; false when absent or too long. */
bool mount_option(const char *options, const char *key, char *value, size_t size);
/* The mount that covers the absolute path, by longest prefix; NULL when none. Nothing is opened. */
const struct mount_entry *mount_table_covering(const struct mount_table *t, const char *path);

/* An fd that polls POLLPRI|POLLERR whenever the mounts of this namespace change (proc(5)). Caller closes. */
int mount_watch_open(int proc);
/* After a wake-up: rearms by reading to the end. */
int mount_watch_rearm(int fd);

/* A mount namespace to work in: a process inside it, or 0 for our own. mount_id guards against a path that now leads to
 * something else; -1 for detach alone: whatever is mounted at that very place, for a server that blocks even the check. */
struct mount_place {
    pid_t pid;
    const char *point;
    int mount_id;
};

enum {                   /* expected outcomes of the calls below */
    MOUNT_E_COVERED = 1, /* another mount lies on top, or the mount is no longer there */
    MOUNT_E_GONE,        /* the process or the path is gone */
    MOUNT_E_TIMEOUT,     /* the path leads through a filesystem that does not answer */
};

/* Each runs in a short-lived child, because a path may lead through a FUSE server that never answers and because
 * setns(2) is for one thread: the child does nothing but setns, the call and _exit. Waits at most MOUNT_DEADLINE_MS. */
enum {
    MOUNT_DEADLINE_MS = 2000
};
struct mount_ops {
    int (*detach)(void *context, const struct mount_place *place);         /* umount2(MNT_DETACH) */
    int (*make_read_only)(void *context, const struct mount_place *place); /* the whole superblock; -EBUSY: writers */
    int (*forbid_exec)(void *context, const struct mount_place *place);    /* noexec, on this mount alone */
    /* An O_PATH fd of the mounted root (directory or file): no open event, no I/O. For fanotify_mark(2) by /proc/self/fd/N. */
    int (*open)(void *context, const struct mount_place *place, int *ret_fd);
    void *context;
};
/* The real kernel; proc must stay open as long as the ops are used. */
struct mount_kernel {
    int proc;
    pid_t abandoned[8]; /* children that did not answer */
};
void mount_ops_kernel(struct mount_kernel *kernel, struct mount_ops *ret);

/* Other mount namespaces, one process of each. Visits at most maximum processes per call, continuing at *cursor (0 at
 * first, 0 again when the round is complete). Namespaces without any process are not found. */
struct mount_namespaces {
    ino_t *seen; /* of this round, our own included */
    size_t n, capacity;
    pid_t cursor;
};
enum {
    MOUNT_NAMESPACES_MAX = 4096 /* remembered; of more, some are visited more than once in a round */
};
/* table is NULL when the namespace is there and its mounts could not be read (mount_table_read() says -EFBIG, for one). */
typedef int mount_namespace_fn(void *context, pid_t pid, const struct mount_table *table);
int mount_namespaces_scan(struct mount_namespaces *s, int proc, size_t maximum, mount_namespace_fn *fn, void *context);
void mount_namespaces_done(struct mount_namespaces *s);
