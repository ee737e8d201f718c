/*
 * Owns: bringing queued lines to the disk: pwrite, fdatasync, then the head, in this order.
 * Must not: make records, or forget a line before it is durable.
 *
 * Lines are written at a known offset, never appended: after any failure, a failed fdatasync included (the kernel may
 * have dropped the pages), the same bytes are written again to the same place, so no half line can stay in the middle.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/falloc.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/writer.h"
#include "base/cleanup.h"

static ssize_t kernel_pwrite(void *context, int fd, const void *data, size_t size, off_t offset)
{
    (void)context;
    return pwrite(fd, data, size, offset);
}

static int kernel_fdatasync(void *context, int fd)
{
    (void)context;
    return fdatasync(fd);
}

static int kernel_ftruncate(void *context, int fd, off_t size)
{
    (void)context;
    return ftruncate(fd, size);
}

static int kernel_fallocate(void *context, int fd, int mode, off_t offset, off_t size)
{
    (void)context;
    return fallocate(fd, mode, offset, size);
}

static int kernel_rename(void *context, int dirfd, const char *from, const char *to, unsigned int flags)
{
    (void)context;
    return renameat2(dirfd, from, dirfd, to, flags);
}

static int kernel_unlink(void *context, int dirfd, const char *name)
{
    (void)context;
    return unlinkat(dirfd, name, 0);
}

const struct journal_ops journal_ops_kernel = {
    .pwrite = kernel_pwrite,
    .fdatasync = kernel_fdatasync,
    .ftruncate = kernel_ftruncate,
    .fallocate = kernel_fallocate,
    .rename = kernel_rename,
    .unlink = kernel_unlink,
};

bool writer_is_full(int r)
{
    return r == -ENOSPC || r == -EDQUOT || r == -EFBIG;
}

static int sync_fd(struct journal *j, int fd)
{
    return j->ops.fdatasync(j->ops.context, fd) < 0 ? -errno : 0;
}

/* Writes as much as goes. *ret_done counts it, also on error. */
static int write_at(struct journal *j, int fd, const uint8_t *data, size_t size, uint64_t offset, size_t *ret_done)
{
    *ret_done = 0;
    while (*ret_done < size) {
        ssize_t n = j->ops.pwrite(j->ops.context, fd, data + *ret_done, size - *ret_done, (off_t)(offset + *ret_done));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            return -EIO;
        *ret_done += (size_t)n;
    }
    return 0;
}

int writer_reserve(struct journal *j, int fd)
{
    /* the last record and the checkpoint pass the limit */
    uint64_t size = j->limits.segment_size + 2 * RECORD_LINE_MAX;

    return j->ops.fallocate(j->ops.context, fd, FALLOC_FL_KEEP_SIZE, 0, (off_t)size) < 0 ? -errno : 0;
}

int writer_prepare_next(struct journal *j)
{
    _cleanup_close_ int fd = -1;
    int r;

    if (j->next_ready)
        return 0;
    fd = openat(j->dir, WRITER_NEXT, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (fd < 0)
        return -errno;
    r = j->ops.ftruncate(j->ops.context, fd, 0) < 0 ? -errno : writer_reserve(j, fd);
    if (r < 0 && r != -EOPNOTSUPP) { /* a filesystem that cannot reserve says so when it is full */
        (void)j->ops.unlink(j->ops.context, j->dir, WRITER_NEXT);
        return r;
    }
    j->next_ready = true;
    return 0;
}

/* The prepared file gets its name; where there is none, a new one is made, which needs space. */
static int create_segment(struct journal *j, uint64_t first)
{
    _cleanup_close_ int fd = -1;
    char name[SEGMENT_NAME_SIZE];
    struct stat st;

    segment_name(first, name);
    if (j->next_ready) {
        fd = openat(j->dir, WRITER_NEXT, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
        if (fd >= 0 && j->ops.rename(j->ops.context, j->dir, WRITER_NEXT, name, RENAME_NOREPLACE) < 0) {
            if (errno != EINVAL) /* a filesystem without RENAME_NOREPLACE: the segment is made without reserve */
                return -errno;
            fd = close_fd(fd);
        }
        j->next_ready = false;
    }
    if (fd < 0)
        fd = openat(j->dir, name, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
    if (fd < 0)
        return -errno;
    if (fstat(fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode) || st.st_size != 0)
        return -EEXIST; /* never over records */
    if (st.st_blocks == 0)
        (void)writer_reserve(j, fd); /* room is had or found missing when it is written to */
    j->fd = TAKE_FD(fd);
    j->fd_segment = first;
    j->fd_offset = 0;
    j->dir_dirty = true;
    return 0;
}

static int switch_segment(struct journal *j, uint64_t first)
{
    int r;

    if (j->fd >= 0 && j->fd_segment == first)
        return 0;
    if (j->fd >= 0) {
        /* Gives back what was reserved past the end; only room, so a failure is nothing. */
        (void)j->ops.ftruncate(j->ops.context, j->fd, (off_t)j->fd_offset);
        j->fd = close_fd(j->fd);
    }
    r = create_segment(j, first);
    if (r < 0)
        return r;
    r = writer_prepare_next(j);
    return writer_is_full(r) ? space_low(j, "no room to reserve the next segment") : r;
}

/* Whole lines among the first n bytes: how many bytes, how many lines, where the last one starts. */
static size_t whole_lines(const uint8_t *data, size_t n, uint64_t *ret_lines, size_t *ret_last)
{
    const uint8_t *end = n > 0 ? memrchr(data, '\n', n) : NULL, *before;
    size_t bytes = end ? (size_t)(end - data) + 1 : 0;

    *ret_lines = 0;
    for (size_t i = 0; i < bytes; i++)
        *ret_lines += data[i] == '\n';
    before = bytes > 1 ? memrchr(data, '\n', bytes - 1) : NULL;
    *ret_last = before ? (size_t)(before - data) + 1 : 0;
    return bytes;
}

/* After a write that stopped in the middle: cuts the half line off and keeps what is whole. */
static void keep_whole_lines(struct journal *j, struct writer_batch *b, size_t written)
{
    const uint8_t *data = b->lines.data + b->done;
    struct digest hash;
    uint64_t lines;
    size_t last, bytes = whole_lines(data, written, &lines, &last);

    (void)j->ops.ftruncate(j->ops.context, j->fd, (off_t)(j->fd_offset + bytes));
    if (lines == 0 || digest_bytes(data + last, bytes - 1 - last, &hash) < 0 || sync_fd(j, j->fd) < 0)
        return;
    b->done += bytes;
    j->fd_offset += bytes;
    j->queued -= bytes;
    j->durable_seq += lines;
    j->durable_hash = hash;
}

static int write_batch(struct journal *j, struct writer_batch *b)
{
    size_t left, done;
    int r;

    r = switch_segment(j, b->segment); /* may add the alarm of a full disk to this very batch */
    if (r < 0)
        return r;
    left = b->lines.size - b->done;
    r = write_at(j, j->fd, b->lines.data + b->done, left, j->fd_offset, &done);
    if (r < 0) {
        keep_whole_lines(j, b, done);
        return r;
    }
    r = sync_fd(j, j->fd);
    if (r < 0)
        return r;
    j->fd_offset += left;
    j->durable_seq = b->last_seq;
    j->durable_hash = b->last_hash;
    j->queued -= left;
    return 0;
}

static int swap_head(struct journal *j)
{
    if (j->head_exists) {
        if (j->ops.rename(j->ops.context, j->dir, HEAD_SPARE, HEAD_NAME, RENAME_EXCHANGE) == 0)
            return 0;
        if (errno != EINVAL) /* a filesystem without exchange */
            return -errno;
    }
    if (j->ops.rename(j->ops.context, j->dir, HEAD_SPARE, HEAD_NAME, 0) < 0)
        return -errno;
    j->head_sync_due |= !j->head_exists;
    j->head_exists = true;
    return 0;
}

/* The spare file exists already after the second head, so a full disk does not keep the head from moving. */
static int write_head(struct journal *j)
{
    _cleanup_close_ int fd = -1;
    struct buf text;
    size_t done;
    int r;

    buf_init(&text, HEAD_MAX);
    r = head_format(j->key, j->durable_seq, &j->durable_hash, j->wall_us, &text);
    if (r >= 0) {
        fd = openat(j->dir, HEAD_SPARE, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK, 0600);
        r = fd < 0 ? -errno : write_at(j, fd, text.data, text.size, 0, &done);
    }
    if (r >= 0 && j->ops.ftruncate(j->ops.context, fd, (off_t)text.size) < 0)
        r = -errno;
    buf_done(&text);
    if (r >= 0)
        r = sync_fd(j, fd);
    if (r >= 0)
        r = swap_head(j);
    if (r >= 0)
        j->head_seq = j->durable_seq;
    return r;
}

static int flush_once(struct journal *j)
{
    int r;

    while (j->first) {
        struct writer_batch *b = j->first;

        if (b->done < b->lines.size) {
            r = write_batch(j, b);
            if (r < 0)
                return r;
        }
        j->first = b->next;
        if (!j->first)
            j->last = NULL;
        buf_done(&b->lines);
        free(b);
    }
    return 0;
}

/* The head and the directory entries follow whatever became durable, also when the rest did not. */
static int finish(struct journal *j)
{
    int r;

    if (j->dir_dirty) {
        r = sync_fd(j, j->dir);
        if (r < 0)
            return r;
        j->dir_dirty = false;
    }
    if (j->durable_seq != j->head_seq) {
        r = write_head(j);
        if (r < 0)
            return r;
    }
    if (j->head_sync_due && j->head_exists) {
        r = sync_fd(j, j->dir);
        if (r < 0)
            return r;
        j->head_sync_due = false;
        j->head_synced_seq = j->head_seq;
    }
    return 0;
}

/* The reserve is there to be used: when nothing else is left, it is given up for what waits. */
static bool spend_reserve(struct journal *j)
{
    if (!j->next_ready)
        return false;
    j->next_ready = false;
    return j->ops.unlink(j->ops.context, j->dir, WRITER_NEXT) == 0;
}

int writer_flush(struct journal *j)
{
    int r = flush_once(j), f;

    if (writer_is_full(r) && spend_reserve(j))
        r = flush_once(j);
    f = finish(j);
    if (writer_is_full(r) || writer_is_full(f)) {
        int low = space_low(j, "no space left to write");

        return low < 0 ? low : JOURNAL_E_FULL; /* the alarm itself waits for the next call */
    }
    return r < 0 ? r : f;
}
