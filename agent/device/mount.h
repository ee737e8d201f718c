#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "decide/decide.h"
#include "device/block.h"
#include "kern/mount.h"

/*
 * Mounts that matter: filesystems on media, network filesystems, FUSE. Driven from one thread. A refused one is detached
 * (umount2 MNT_DETACH), in whatever mount namespace it is. Nothing on a network or FUSE filesystem is ever opened.
 */

enum mount_class {
    MOUNT_CLASS_LOCAL = 0, /* of no interest unless its device is a medium */
    MOUNT_CLASS_NETWORK,
    MOUNT_CLASS_FUSE,
    MOUNT_CLASS_SYSTEM, /* FUSE that is part of the system, see mount_classify() */
};
/* By type alone, but for two FUSE services that are let through where they belong, in our own namespace only:
 *   fuse.portal  at /run/user/UID/doc with user_id=UID (documents for sandboxed programs; files of this terminal)
 *   fuse.lxcfs   at /var/lib/lxcfs with user_id=0
 * A program of that user could imitate the first: it then serves only that user's files back to that user's programs.
 * fuse.gvfsd-fuse is not among them: phones (MTP), WebDAV and SMB of the desktop appear below it. fuseblk is a local disk. */
enum mount_class mount_classify(const struct mount_entry *e, bool own_namespace);

enum mount_report {
    MOUNT_REPORT_DECIDED, /* AUDIT_MOUNT_DECIDED: a network or FUSE mount; when v->kind denies, it has been detached */
    MOUNT_REPORT_DETACHED, /* AUDIT_MOUNT_DECIDED: a mount of a refused medium has been detached; v NULL: of one under export */
    MOUNT_REPORT_READ_ONLY, /* AUDIT_MEDIUM_REASSERTED, alarm: an exit was mounted writable; now it is not, or is detached */
    MOUNT_REPORT_FAILED, /* AUDIT_MOUNT_DECIDED, alarm: could not be detached or made read-only, tried again at each tick */
    MOUNT_REPORT_UNREAD, /* AUDIT_MOUNT_DECIDED, alarm, once: a namespace whose mounts cannot be read; the entry is empty */
};

struct mount_manager_config {
    struct block_manager *block; /* outlives this; its listener is taken */
    int proc;                    /* directory fd, borrowed */
    struct mount_ops ops;
    /* A filesystem of the medium is mounted: mark it. fd is O_PATH, the root of the mount (directory or file), closed after
     * the call: fanotify_mark(…, FAN_MARK_FILESYSTEM, …, "/proc/self/fd/N"). Called for every new mount, also of a refused
     * medium before it is detached, because programs inside keep what they have open; must be idempotent. Negative: it could
     * not be marked, and the mount is detached. */
    int (*guard)(void *context, int fd, dev_t device, const struct medium *m);
    /* The last mount of the device is gone, or the medium itself. */
    void (*unguard)(void *context, dev_t device);
    /* m is NULL for network and FUSE; pid names a process of another mount namespace, 0 is our own. */
    void (*report)(void *context, enum mount_report what, const struct mount_entry *e, pid_t pid,
                   const struct medium *m, const struct verdict *v, const char *message);
    void *context;
};

struct mount_manager;

/* Looks at once at what is mounted in our namespace. In modes LISTED and OFF network and FUSE mounts are left alone. */
int mount_manager_new(const struct mount_manager_config *config, int64_t wall_us, struct mount_manager **ret);
struct mount_manager *mount_manager_free(struct mount_manager *mm);
/* Poll this for POLLPRI (EPOLLPRI); then call refresh. */
int mount_manager_fd(const struct mount_manager *mm);
int mount_manager_refresh(struct mount_manager *mm, int64_t wall_us);
/* Every few seconds, after block_manager_tick: our namespace and a part of the others. */
int mount_manager_tick(struct mount_manager *mm, int64_t wall_us);
