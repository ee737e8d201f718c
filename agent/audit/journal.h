#pragma once

#include "audit/audit.h"
#include "audit/fold.h"

struct digest;
struct journal_key;
struct json_t;

/*
 * The tamper-evident journal, written (docs/FILEFORMAT.journal.md). One writer per state directory, one thread.
 * Order of calls: journal_open, then journal_append for each event, journal_commit once per turn of the loop that appended
 * something and when journal_next_us is due, journal_maintain once a minute and after journal_set_limits, journal_close.
 */

/* System calls the writer makes, so that tests can make each of them fail. NULL members are the real ones. */
struct journal_ops {
    void *context;
    ssize_t (*pwrite)(void *context, int fd, const void *data, size_t size, off_t offset);
    int (*fdatasync)(void *context, int fd); /* files and directories */
    int (*ftruncate)(void *context, int fd, off_t size);
    int (*fallocate)(void *context, int fd, int mode, off_t offset, off_t size);
    int (*rename)(void *context, int dirfd, const char *from, const char *to, unsigned int flags); /* renameat2(2) */
    int (*unlink)(void *context, int dirfd, const char *name);
};

enum journal_when_full { /* as policy audit.when-full */
    JOURNAL_FULL_REFUSE_EXPORT = 0,
    JOURNAL_FULL_REFUSE_ALL,
    JOURNAL_FULL_DROP_OLDEST,
};

/* From the policy; zero members take the default. */
struct journal_limits {
    uint64_t segment_size; /* bytes, default 16 MiB, at least 64 KiB */
    uint64_t total_size;   /* bytes of all segments; 0 = the disk is the limit */
    int64_t keep_days;     /* a segment whose last record is older may go; 0 = keep all */
    enum journal_when_full when_full;
    uint64_t
        hold_from_seq; /* records from here on are not yet at the centre: kept over keep_days, and with drop-oldest as long as there is
                               room; 0 = no centre */
    uint32_t checkpoint_records; /* default 1024 */
    uint64_t checkpoint_us;      /* default 60 s */
    size_t queue_size;           /* bytes not yet written, default 4 MiB */
};

struct journal_options {
    struct journal_limits limits;
    struct fold_limits fold;
    const struct journal_ops *ops; /* NULL: the kernel */
    const char *boot_id;           /* NULL: read from /proc */
    int64_t wall_us;               /* now */
    uint64_t boottime_us;
    /* Called for every record that enters the chain, the journal's own included: for journald_send. May be NULL. */
    void (*recorded)(void *context, const struct audit_event *e, uint64_t seq);
    void *recorded_context;
};

/* What the disk allows. */
enum journal_state {
    JOURNAL_LOW = 0, /* only refusals, alarms and administrators' changes are accepted: the reserve is being used */
    JOURNAL_NORMAL,
};

/*
 * Opens or creates STATE/journal and STATE/key, takes the lock, moves a torn tail aside, raises the alarm when records are
 * missing, and commits. state_dirfd is borrowed. 0; -EBUSY when another process writes; other -errno.
 * A journal that could not write its first commit for want of space opens in JOURNAL_LOW.
 */
int journal_open(int state_dirfd, const struct journal_options *options, struct journal **ret);

/* JOURNAL_OK: in the queue, written by the next commit. JOURNAL_FOLDED: counted, written when its window ends.
 * JOURNAL_E_FULL: not taken, because there is no room for events of its kind: the caller refuses what it would have allowed.
 * May commit by itself when the queue is full. */
enum {
    JOURNAL_OK = 0,
    JOURNAL_FOLDED = 1,
    JOURNAL_E_FULL = 2
};
int journal_append(struct journal *j, const struct audit_event *e);
/* The same for what is rare: folded only when one person asks for too much (flood.h), with `value` (borrowed) as "kuraban".name; name must be a literal that stands in
 * docs/FILEFORMAT.journal.md. */
int journal_append_with(struct journal *j, const struct audit_event *e, const char *name, struct json_t *value);

/* Writes and syncs everything queued, then the head. JOURNAL_OK, JOURNAL_E_FULL (no space; everything is kept and tried again
 * by the next call), -errno (kept and tried again as well). */
int journal_commit(struct journal *j, int64_t wall_us, uint64_t boottime_us);

/* When journal_commit has something to do even if nothing is appended: folded counts, a checkpoint. CLOCK_BOOTTIME. */
uint64_t journal_next_us(const struct journal *j);

/* Retention and space: releases old segments by a signed record, tries to get the reserve back, records transitions.
 * Results as journal_commit. */
int journal_maintain(struct journal *j, int64_t wall_us, uint64_t boottime_us);

/* Takes new limits from a new policy; they act from the next append or maintain. */
void journal_set_limits(struct journal *j, const struct journal_limits *limits);

/* Flushes counts, signs a last checkpoint, commits, frees. Returns the result of that commit; the journal is gone either way. */
int journal_close(struct journal *j, int64_t wall_us, uint64_t boottime_us);
/* Frees without writing: for tests and for a fork's child. Returns NULL. */
struct journal *journal_free(struct journal *j);

const struct journal_key *journal_signer(const struct journal *j); /* the terminal's key, borrowed */
enum journal_state journal_state(const struct journal *j);
uint64_t journal_sequence(const struct journal *j); /* last record in the chain, queued ones included; 0 = none */
uint64_t journal_durable_sequence(const struct journal *j); /* last record on disk */
/* The last record on disk and its hash; 0: none yet. */
uint64_t journal_durable(const struct journal *j, struct digest *ret);
uint64_t journal_unrecorded(const struct journal *j); /* events refused with JOURNAL_E_FULL since the last recovery */
uint64_t journal_bytes(const struct journal *j);      /* of all segments, at the last maintain */
