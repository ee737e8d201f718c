#pragma once

#include "audit/head.h"
#include "audit/journal.h"
#include "audit/record.h"
#include "audit/segment.h"

/* Inside the journal: shared by journal.c (chain), write.c (disk), recover.c (open) and retain.c (space). Not for others. */

#define WRITER_NEXT "next" /* the preallocated file that becomes the next segment: it is also the reserve */

/* Lines on their way to one segment. */
struct writer_batch {
    struct writer_batch *next;
    uint64_t segment;
    struct buf lines;
    size_t done; /* bytes already durable */
    uint64_t last_seq;
    struct digest last_hash;
};

struct journal {
    int dir, key_dir;
    struct journal_ops ops;
    struct journal_key *key;
    struct fold *fold;
    struct journal_limits limits;
    void (*recorded)(void *context, const struct audit_event *e, uint64_t seq);
    void *recorded_context;
    char boot[40];
    int64_t wall_us; /* the caller's latest */
    uint64_t boottime_us;

    /* the chain, queue included */
    uint64_t seq;
    struct digest hash;
    uint64_t plan_segment, plan_size; /* where the next line goes */
    uint32_t since_checkpoint;
    uint64_t checkpoint_at_us;
    struct writer_batch *first, *last;
    size_t queued;
    struct buf scratch;

    /* the disk */
    int fd; /* of segment fd_segment, -1 none */
    uint64_t fd_segment, fd_offset;
    uint64_t durable_seq;
    struct digest durable_hash;
    uint64_t head_seq, head_synced_seq; /* written; known to survive a power loss */
    bool head_exists, head_sync_due, dir_dirty, next_ready;

    enum journal_state state;
    uint64_t retry_at_us;
    uint64_t unrecorded;
    uint64_t bytes;
};

extern const struct journal_ops journal_ops_kernel;

/* journal.c */
int chain_add(struct journal *j, const struct audit_event *e, const struct record_extra *extra);
int chain_checkpoint(struct journal *j, const struct record_extra *adopted);
void chain_event(const struct journal *j, struct audit_event *e, enum audit_action action, bool alarm);

/* write.c: results as journal_commit */
int writer_flush(struct journal *j);
int writer_prepare_next(struct journal *j);
int writer_reserve(struct journal *j, int fd);
bool writer_is_full(int r);

/* recover.c */
int recover(struct journal *j, bool key_created);

/* retain.c */
int space_low(struct journal *j, const char *why);
int space_update(struct journal *j);
