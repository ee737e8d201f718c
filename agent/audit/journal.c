/*
 * Owns: the chain: which record comes next, what it points back to, when a checkpoint or a new segment is due.
 * Must not: touch files (write.c, recover.c, retain.c do) or change what an event says.
 */
#include "audit/journal.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "audit/writer.h"
#include "base/cleanup.h"

void chain_event(const struct journal *j, struct audit_event *e, enum audit_action action, bool alarm)
{
    memset(e, 0, sizeof(*e));
    e->action = action;
    e->alarm = alarm;
    e->wall_us = j->wall_us;
    e->boottime_us = j->boottime_us;
}

/* The batch that takes the next line. */
static int current_batch(struct journal *j, struct writer_batch **ret)
{
    struct writer_batch *b;

    if (j->last && j->last->segment == j->plan_segment) {
        *ret = j->last;
        return 0;
    }
    b = calloc(1, sizeof(*b));
    if (!b)
        return -ENOMEM;
    b->segment = j->plan_segment;
    buf_init(&b->lines, SIZE_MAX / 4); /* the bound is queue_size, kept by journal_append */
    if (j->last)
        j->last->next = b;
    else
        j->first = b;
    j->last = b;
    *ret = b;
    return 0;
}

static int put_line(struct journal *j, const struct audit_event *e, const struct record_extra *extra)
{
    struct record_link link = {.seq = j->seq + 1, .prev = j->hash, .boot = j->boot};
    struct writer_batch *b;
    struct digest hash;
    int r;

    buf_clear(&j->scratch);
    r = record_format(e, &link, extra, &j->scratch);
    if (r >= 0)
        r = digest_bytes(j->scratch.data, j->scratch.size - 1, &hash);
    if (r >= 0)
        r = current_batch(j, &b);
    if (r >= 0)
        r = buf_add(&b->lines, j->scratch.data, j->scratch.size);
    if (r < 0)
        return r;
    j->seq = b->last_seq = link.seq;
    j->hash = b->last_hash = hash;
    j->plan_size += j->scratch.size;
    j->queued += j->scratch.size;
    j->since_checkpoint++;
    if (j->recorded)
        j->recorded(j->recorded_context, e, link.seq);
    return 0;
}

int chain_checkpoint(struct journal *j, const struct record_extra *adopted)
{
    char signature[JOURNAL_SIGNATURE_TEXT], timestamp[CLOCK_RFC3339_SIZE], prev[DIGEST_HEX_SIZE], key[DIGEST_HEX_SIZE];
    _cleanup_(json_decrefp) json_t *value = NULL;
    struct audit_event e;
    int r;

    chain_event(j, &e, AUDIT_JOURNAL_CHECKPOINT, false);
    clock_format_rfc3339(e.wall_us, timestamp);
    digest_to_hex(&j->hash, prev);
    journal_key_id(j->key, key);
    r = journal_key_sign(j->key, JOURNAL_DOMAIN_CHECKPOINT, j->seq + 1, prev, timestamp, signature);
    if (r < 0)
        return r;
    value = json_pack("{ss sI ss}", "key", key, "head", (json_int_t)j->head_synced_seq, "signature", signature);
    if (!value || (adopted && json_object_set(value, adopted->name, adopted->value) < 0))
        return -ENOMEM;
    r = put_line(j, &e, &(struct record_extra){.name = "checkpoint", .value = value});
    if (r < 0)
        return r;
    j->since_checkpoint = 0;
    j->checkpoint_at_us = j->boottime_us;
    j->head_sync_due = true;
    return 0;
}

/* A segment ends with a checkpoint, so that each can be judged by itself. */
static int rotate(struct journal *j)
{
    int r = j->since_checkpoint > 0 ? chain_checkpoint(j, NULL) : 0;

    if (r < 0)
        return r;
    j->plan_segment = j->seq + 1;
    j->plan_size = 0;
    return 0;
}

int chain_add(struct journal *j, const struct audit_event *e, const struct record_extra *extra)
{
    /* Without a reserved successor the present segment is used to the end of its room: a new file would need some. */
    bool may_rotate = j->state == JOURNAL_NORMAL || j->next_ready;
    int r = 0;

    if (j->plan_segment == 0 || (may_rotate && j->plan_size >= j->limits.segment_size))
        r = rotate(j);
    if (r >= 0)
        r = put_line(j, e, extra);
    if (r >= 0 && j->since_checkpoint >= j->limits.checkpoint_records)
        r = chain_checkpoint(j, NULL);
    return r;
}

/* Room for one more event; writes the queue out when it is at its bound. */
static int make_room(struct journal *j)
{
    int r;

    if (j->queued < j->limits.queue_size)
        return 0;
    r = writer_flush(j);
    if (r < 0)
        return r;
    return j->queued < j->limits.queue_size ? 0 : JOURNAL_E_FULL;
}

/* May the event be taken? As journal_append(). */
static int admit(struct journal *j, const struct audit_event *e)
{
    int r;

    j->wall_us = e->wall_us;
    j->boottime_us = e->boottime_us > j->boottime_us ? e->boottime_us : j->boottime_us;
    r = make_room(j);
    if (r == JOURNAL_OK && j->state == JOURNAL_LOW && !record_is_essential(e))
        r = JOURNAL_E_FULL;
    if (r == JOURNAL_E_FULL)
        j->unrecorded++;
    return r;
}

int journal_append_with(struct journal *j, const struct audit_event *e, const char *name, json_t *value)
{
    int r = admit(j, e);

    if (r != JOURNAL_OK)
        return r;
    r = fold_offer_whole(j->fold, e, e->boottime_us);
    if (r != FOLD_PASS)
        return r < 0 ? r : JOURNAL_FOLDED;
    r = chain_add(j, e, &(struct record_extra){.name = name, .value = value});
    return r < 0 ? r : JOURNAL_OK;
}

int journal_append(struct journal *j, const struct audit_event *e)
{
    int r = admit(j, e);

    if (r != JOURNAL_OK)
        return r;
    r = fold_offer(j->fold, e, e->boottime_us);
    if (r < 0)
        return r;
    if (r == FOLD_HELD)
        return JOURNAL_FOLDED;
    r = chain_add(j, e, NULL);
    return r < 0 ? r : JOURNAL_OK;
}

int journal_commit(struct journal *j, int64_t wall_us, uint64_t boottime_us)
{
    int r;

    j->wall_us = wall_us;
    j->boottime_us = boottime_us;
    r = fold_expire(j->fold, boottime_us);
    if (r < 0 && r != -ENOBUFS) /* the queue is full: the counts wait in the table */
        return r;
    if (j->since_checkpoint > 0 && boottime_us - j->checkpoint_at_us >= j->limits.checkpoint_us) {
        r = chain_checkpoint(j, NULL);
        if (r < 0)
            return r;
    }
    if (j->state == JOURNAL_LOW && boottime_us >= j->retry_at_us) {
        r = space_update(j);
        if (r < 0)
            return r;
    }
    return writer_flush(j);
}

int journal_maintain(struct journal *j, int64_t wall_us, uint64_t boottime_us)
{
    int r;

    j->wall_us = wall_us;
    j->boottime_us = boottime_us;
    r = space_update(j);
    return r < 0 ? r : writer_flush(j);
}

uint64_t journal_next_us(const struct journal *j)
{
    uint64_t next = fold_next_us(j->fold);

    if (j->first || j->durable_seq != j->head_seq)
        next = 0;
    if (j->since_checkpoint > 0 && j->checkpoint_at_us + j->limits.checkpoint_us < next)
        next = j->checkpoint_at_us + j->limits.checkpoint_us;
    if (j->state == JOURNAL_LOW && (next == 0 || j->retry_at_us < next))
        next = j->retry_at_us; /* a full disk is not asked more often than that */
    return next;
}

int journal_close(struct journal *j, int64_t wall_us, uint64_t boottime_us)
{
    int r, c;

    j->wall_us = wall_us;
    j->boottime_us = boottime_us;
    r = fold_flush(j->fold);
    if (r >= 0 && j->since_checkpoint > 0)
        r = chain_checkpoint(j, NULL);
    c = writer_flush(j);
    if (j->fd >= 0 && !j->first) /* the room reserved behind the last record is not needed while nobody writes */
        (void)j->ops.ftruncate(j->ops.context, j->fd, (off_t)j->fd_offset);
    journal_free(j);
    return r < 0 ? r : c;
}

struct journal *journal_free(struct journal *j)
{
    if (!j)
        return NULL;
    while (j->first) {
        struct writer_batch *b = j->first;

        j->first = b->next;
        buf_done(&b->lines);
        free(b);
    }
    buf_done(&j->scratch);
    fold_free(j->fold);
    journal_key_free(j->key);
    j->fd = close_fd(j->fd);
    j->key_dir = close_fd(j->key_dir);
    j->dir = close_fd(j->dir); /* and with it the lock */
    free(j);
    return NULL;
}

const struct journal_key *journal_signer(const struct journal *j)
{
    return j->key;
}

enum journal_state journal_state(const struct journal *j)
{
    return j->state;
}

uint64_t journal_sequence(const struct journal *j)
{
    return j->seq;
}

uint64_t journal_durable_sequence(const struct journal *j)
{
    return j->durable_seq;
}

uint64_t journal_durable(const struct journal *j, struct digest *ret)
{
    *ret = j->durable_hash;
    return j->durable_seq;
}

uint64_t journal_unrecorded(const struct journal *j)
{
    return j->unrecorded;
}

uint64_t journal_bytes(const struct journal *j)
{
    return j->bytes;
}
