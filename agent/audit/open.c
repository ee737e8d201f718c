/*
 * Owns: putting a journal together: directories, lock, key, limits.
 * Must not: judge what is on the disk; recover.c does.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>

#include "audit/writer.h"
#include "base/cleanup.h"
#include "base/files.h"

DEFINE_CLEANUP(struct journal *, journal_free);

enum {
    SEGMENT_SIZE = 16 << 20,
    SEGMENT_SIZE_LEAST = 64 << 10,
    CHECKPOINT_RECORDS = 1024,
    CHECKPOINT_US = 60 * 1000 * 1000,
    QUEUE_SIZE = 4 << 20,
};

void journal_set_limits(struct journal *j, const struct journal_limits *limits)
{
    struct journal_limits l = *limits;

    if (l.segment_size == 0)
        l.segment_size = SEGMENT_SIZE;
    if (l.segment_size < SEGMENT_SIZE_LEAST)
        l.segment_size = SEGMENT_SIZE_LEAST;
    if (l.segment_size > INT32_MAX)
        l.segment_size = INT32_MAX;
    if (l.checkpoint_records == 0)
        l.checkpoint_records = CHECKPOINT_RECORDS;
    if (l.checkpoint_us == 0)
        l.checkpoint_us = CHECKPOINT_US;
    if (l.queue_size == 0)
        l.queue_size = QUEUE_SIZE;
    j->limits = l;
}

static void take_ops(struct journal *j, const struct journal_ops *ops)
{
    j->ops = journal_ops_kernel;
    if (!ops)
        return;
    j->ops.context = ops->context;
    if (ops->pwrite)
        j->ops.pwrite = ops->pwrite;
    if (ops->fdatasync)
        j->ops.fdatasync = ops->fdatasync;
    if (ops->ftruncate)
        j->ops.ftruncate = ops->ftruncate;
    if (ops->fallocate)
        j->ops.fallocate = ops->fallocate;
    if (ops->rename)
        j->ops.rename = ops->rename;
    if (ops->unlink)
        j->ops.unlink = ops->unlink;
}

static int take_boot_id(struct journal *j, const char *given)
{
    _cleanup_close_ int dir = -1;
    char *text = NULL;
    int r;

    if (given) {
        audit_set(j->boot, sizeof(j->boot), given);
        return 0;
    }
    dir = files_open_directory_at(-1, "/proc/sys/kernel/random", 0, 0);
    if (dir < 0)
        return dir;
    r = files_read_text_at(dir, "boot_id", sizeof(j->boot), &text);
    if (r < 0)
        return r;
    audit_set(j->boot, sizeof(j->boot), text);
    free(text);
    return 0;
}

static int open_directories(struct journal *j, int state_dirfd)
{
    j->dir = files_open_directory_at(state_dirfd, "journal", 1, 0700);
    if (j->dir < 0)
        return j->dir;
    if (flock(j->dir, LOCK_EX | LOCK_NB) < 0)
        return errno == EWOULDBLOCK ? -EBUSY : -errno;
    j->key_dir = files_open_directory_at(state_dirfd, "key", 1, 0700);
    return j->key_dir < 0 ? j->key_dir : 0;
}

static int emit_folded(void *context, const struct audit_event *e)
{
    struct journal *j = context;

    /* Folded events were accepted when they happened, so a low disk does not stop them; only memory does. */
    if (j->queued >= 2 * j->limits.queue_size)
        return -ENOBUFS;
    return chain_add(j, e, NULL);
}

int journal_open(int state_dirfd, const struct journal_options *options, struct journal **ret)
{
    _cleanup_(journal_freep) struct journal *j = calloc(1, sizeof(*j));
    bool key_created;
    int r;

    if (!j)
        return -ENOMEM;
    j->dir = j->key_dir = j->fd = -1;
    j->state = JOURNAL_NORMAL;
    j->wall_us = options->wall_us;
    j->boottime_us = j->checkpoint_at_us = options->boottime_us;
    j->recorded = options->recorded;
    j->recorded_context = options->recorded_context;
    buf_init(&j->scratch, RECORD_LINE_MAX);
    take_ops(j, options->ops);
    journal_set_limits(j, &options->limits);
    r = take_boot_id(j, options->boot_id);
    if (r >= 0)
        r = fold_new(&options->fold, emit_folded, j, &j->fold);
    if (r >= 0)
        r = open_directories(j, state_dirfd);
    if (r < 0)
        return r;
    r = journal_key_open(j->key_dir, &j->key);
    if (r < 0)
        return r;
    key_created = r == JOURNAL_KEY_CREATED;
    r = recover(j, key_created);
    if (r >= 0)
        r = space_update(j);
    if (r >= 0)
        r = writer_flush(j);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(j);
    return 0;
}
