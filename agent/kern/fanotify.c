/*
 * The fanotify system calls and the two wire formats the kernel writes into a group.
 *
 * Owns: flags and masks of groups and marks, bounds on what was read, the answer record. Must not: decide, close an event's
 * descriptor (whoever read the event owns it), log, keep state.
 */
#include "kern/fanotify.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/cleanup.h"

#ifndef FAN_MARK_IGNORE_SURV /* a libc older than its kernel */
#    define FAN_MARK_IGNORE 0x00000400
#    define FAN_MARK_IGNORE_SURV (FAN_MARK_IGNORE | FAN_MARK_IGNORED_SURV_MODIFY)
#endif
#ifndef FAN_MARK_EVICTABLE
#    define FAN_MARK_EVICTABLE 0x00000200
#endif

static int kernel_init(unsigned flags, unsigned event_flags)
{
    int fd = fanotify_init(flags, event_flags);

    return fd < 0 ? -errno : fd;
}

static int kernel_mark(int group, unsigned flags, uint64_t mask, int dirfd, const char *path)
{
    return fanotify_mark(group, flags, mask, dirfd, path) < 0 ? -errno : 0;
}

const struct fanotify_ops fanotify_kernel = {.init = kernel_init, .mark = kernel_mark};

int fanotify_new_guard(const struct fanotify_ops *ops)
{
    /* O_RDONLY is what makes the lease probe work; O_NOATIME keeps the gate from writing to what it guards. O_NONBLOCK: where somebody
     * holds a lease, the kernel refuses his opener instead of letting the reader wait for him. */
    return ops->init(FAN_CLASS_CONTENT | FAN_CLOEXEC | FAN_NONBLOCK | FAN_UNLIMITED_QUEUE | FAN_UNLIMITED_MARKS |
                         FAN_REPORT_TID,
                     O_RDONLY | O_LARGEFILE | O_CLOEXEC | O_NOATIME | O_NONBLOCK);
}

int fanotify_new_names(const struct fanotify_ops *ops)
{
    return ops->init(FAN_CLASS_NOTIF | FAN_CLOEXEC | FAN_NONBLOCK | FAN_UNLIMITED_QUEUE | FAN_UNLIMITED_MARKS |
                         FAN_REPORT_DFID_NAME,
                     O_RDONLY | O_CLOEXEC);
}

int fanotify_guard_filesystem(const struct fanotify_ops *ops, int group, int dirfd, const char *path)
{
    return ops->mark(group, FAN_MARK_ADD | FAN_MARK_FILESYSTEM, FANOTIFY_GUARD_MASK, dirfd, path);
}

int fanotify_unguard_filesystem(const struct fanotify_ops *ops, int group, int dirfd, const char *path)
{
    return ops->mark(group, FAN_MARK_REMOVE | FAN_MARK_FILESYSTEM, FANOTIFY_GUARD_MASK, dirfd, path);
}

static uint64_t inode_mask(bool children)
{
    return FANOTIFY_GUARD_MASK | (children ? FAN_EVENT_ON_CHILD : 0);
}

int fanotify_guard_inode(const struct fanotify_ops *ops, int group, int dirfd, const char *path, bool children)
{
    return ops->mark(group, FAN_MARK_ADD | FAN_MARK_DONT_FOLLOW, inode_mask(children), dirfd, path);
}

int fanotify_unguard_inode(const struct fanotify_ops *ops, int group, int dirfd, const char *path, bool children)
{
    return ops->mark(group, FAN_MARK_REMOVE | FAN_MARK_DONT_FOLLOW, inode_mask(children), dirfd, path);
}

int fanotify_watch_names(const struct fanotify_ops *ops, int group, int dirfd, const char *path)
{
    return ops->mark(group, FAN_MARK_ADD | FAN_MARK_DONT_FOLLOW | FAN_MARK_ONLYDIR,
                     FAN_CREATE | FAN_MOVED_TO | FAN_ONDIR, dirfd, path);
}

int fanotify_ignore_open(const struct fanotify_ops *ops, int group, int fd)
{
    return ops->mark(group, FAN_MARK_ADD | FAN_MARK_IGNORE_SURV | FAN_MARK_EVICTABLE, FAN_OPEN_PERM, fd, NULL);
}

int fanotify_unignore_open(const struct fanotify_ops *ops, int group, int fd)
{
    return ops->mark(group, FAN_MARK_REMOVE | FAN_MARK_IGNORE_SURV, FAN_OPEN_PERM, fd, NULL);
}

int fanotify_flush_inodes(const struct fanotify_ops *ops, int group)
{
    return ops->mark(group, FAN_MARK_FLUSH, 0, AT_FDCWD, "/");
}

/* The record at offset, whole and of our version. Copies, because the buffer's alignment is the caller's affair. */
static int take_record(const void *bytes, size_t size, size_t offset, struct fanotify_event_metadata *ret)
{
    struct fanotify_event_metadata m;

    if (offset == size)
        return 0;
    if (offset > size || size - offset < sizeof(m))
        return -EBADMSG;
    memcpy(&m, (const uint8_t *)bytes + offset, sizeof(m));
    if (m.event_len < sizeof(m) || m.event_len > size - offset || m.vers != FANOTIFY_METADATA_VERSION ||
        m.metadata_len < sizeof(m) || m.metadata_len > m.event_len)
        return -EBADMSG;
    *ret = m;
    return 1;
}

int fanotify_next_event(const void *bytes, size_t size, size_t *offset, struct fanotify_event *ret)
{
    struct fanotify_event_metadata m;
    int r = take_record(bytes, size, *offset, &m);

    if (r <= 0)
        return r;
    *ret = (struct fanotify_event){.mask = m.mask, .fd = m.fd, .pid = m.pid};
    *offset += m.event_len;
    return 1;
}

/* struct fanotify_event_info_fid: header, fsid, file_handle, bytes, name. */
static int take_name(const uint8_t *info, size_t size, struct fanotify_name *ret)
{
    struct fanotify_event_info_header header;
    size_t handle_at = sizeof(header) + sizeof(fsid_t);
    uint32_t handle_bytes;
    size_t handle_size;

    if (size < handle_at + sizeof(struct file_handle))
        return -EBADMSG;
    memcpy(&header, info, sizeof(header));
    if (header.info_type != FAN_EVENT_INFO_TYPE_DFID_NAME || header.len > size ||
        header.len < handle_at + sizeof(struct file_handle))
        return -EBADMSG;
    memcpy(&handle_bytes, info + handle_at, sizeof(handle_bytes));
    if (handle_bytes > MAX_HANDLE_SZ || handle_bytes > header.len - handle_at - sizeof(struct file_handle))
        return -EBADMSG;
    handle_size = sizeof(struct file_handle) + handle_bytes;
    if (!memchr(info + handle_at + handle_size, '\0', header.len - handle_at - handle_size))
        return -EBADMSG;
    ret->handle = info + handle_at;
    ret->handle_size = handle_size;
    ret->name = (const char *)info + handle_at + handle_size;
    return 0;
}

int fanotify_next_name(const void *bytes, size_t size, size_t *offset, struct fanotify_name *ret)
{
    struct fanotify_event_metadata m;
    struct fanotify_name name = {0};
    int r = take_record(bytes, size, *offset, &m);

    if (r <= 0)
        return r;
    name.mask = m.mask;
    if (!(m.mask & FAN_Q_OVERFLOW)) {
        r = take_name((const uint8_t *)bytes + *offset + m.metadata_len, m.event_len - m.metadata_len, &name);
        if (r < 0)
            return r;
    }
    *offset += m.event_len;
    *ret = name;
    return 1;
}

int fanotify_answer(int group, int fd, bool allow)
{
    struct fanotify_response response = {.fd = fd, .response = allow ? FAN_ALLOW : FAN_DENY};
    ssize_t n;

    do
        n = write(group, &response, sizeof(response));
    while (n < 0 && errno == EINTR);
    if (n < 0)
        return -errno;
    return n == (ssize_t)sizeof(response) ? 0 : -EIO;
}

unsigned fanotify_sweep(int group, int limit)
{
    unsigned n = 0;

    /* Two dead readers may have left the same number twice, so each number is asked until nobody waits under it. */
    for (int fd = 0; fd < limit; fd++)
        while (fanotify_answer(group, fd, false) == 0)
            n++;
    return n;
}

static FILE *open_fdinfo(int proc_fd, int group)
{
    _cleanup_close_ int fd = -1;
    char name[32];
    FILE *f;

    (void)snprintf(name, sizeof(name), "self/fdinfo/%d", group);
    fd = openat(proc_fd, name, O_RDONLY | O_CLOEXEC | O_NOFOLLOW);
    if (fd < 0)
        return NULL;
    f = fdopen(fd, "re");
    if (f)
        (void)TAKE_FD(fd);
    return f;
}

int fanotify_count_marks(int proc_fd, int group, struct fanotify_marks *ret)
{
    _cleanup_fclose_ FILE *f = open_fdinfo(proc_fd, group);
    struct fanotify_marks marks = {0};
    bool is_fanotify = false;
    char line[512];

    if (!f)
        return -errno;
    while (fgets(line, sizeof(line), f)) {
        if (strncmp(line, "fanotify flags:", 15) == 0)
            is_fanotify = true;
        else if (strncmp(line, "fanotify sdev:", 14) == 0)
            marks.filesystems++;
        else if (strncmp(line, "fanotify ino:", 13) == 0)
            marks.inodes++;
    }
    if (ferror(f))
        return -EIO;
    if (!is_fanotify)
        return -EBADMSG;
    *ret = marks;
    return 0;
}

int fanotify_has_filesystem_mark(int proc_fd, int group, dev_t device)
{
    _cleanup_fclose_ FILE *f = open_fdinfo(proc_fd, group);
    /* fdinfo shows the kernel's own dev_t: 12 bits of major above 20 of minor. */
    unsigned want = (major(device) << 20) | minor(device);
    char line[512];

    if (!f)
        return -errno;
    while (fgets(line, sizeof(line), f)) {
        unsigned sdev, flags, mask;

        if (sscanf(line, "fanotify sdev:%x mflags:%x mask:%x", &sdev, &flags, &mask) == 3 && sdev == want &&
            (mask & FANOTIFY_GUARD_MASK) == FANOTIFY_GUARD_MASK)
            return 1;
    }
    return ferror(f) ? -EIO : 0;
}
