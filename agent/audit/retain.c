/*
 * Owns: room: which segments may go, the reserve, and the change between normal and low.
 * Must not: delete a segment before the record that names it, signed, is durable.
 */
#include <errno.h>
#include <string.h>

#include "audit/lines.h"
#include "audit/writer.h"
#include "base/cleanup.h"

#define DAY_US (24LL * 3600 * 1000 * 1000)

enum {
    RETRY_US = 1000 * 1000
};

/* The first record of a segment tells how the one before it ended. */
struct segment_end {
    uint64_t last_seq;
    struct digest last_hash;
    int64_t until_us; /* timestamp of the record behind it */
};

int space_low(struct journal *j, const char *why)
{
    struct audit_event e;

    j->retry_at_us = j->boottime_us + RETRY_US;
    if (j->state == JOURNAL_LOW)
        return 0;
    j->state = JOURNAL_LOW;
    chain_event(j, &e, AUDIT_JOURNAL_FULL, true);
    audit_set(e.message, sizeof(e.message), why);
    return chain_add(j, &e, NULL);
}

static int space_normal(struct journal *j)
{
    struct audit_event e;
    int r;

    if (j->state == JOURNAL_NORMAL)
        return 0;
    chain_event(j, &e, AUDIT_JOURNAL_RECOVERED, false);
    e.count = j->unrecorded;
    (void)snprintf(e.message, sizeof(e.message), "%llu permitted events went unrecorded for want of space",
                   (unsigned long long)j->unrecorded);
    j->state = JOURNAL_NORMAL;
    r = chain_add(j, &e, NULL);
    if (r >= 0)
        j->unrecorded = 0;
    return r;
}

static int end_before(struct journal *j, const struct segment *next, struct segment_end *ret)
{
    _cleanup_(json_decrefp) json_t *record = NULL;
    _cleanup_close_ int fd = segment_open(j->dir, next->first);
    struct line_reader lines;
    struct record_place place;
    const char *line, *when;
    size_t size;
    int r;

    if (fd < 0)
        return fd;
    r = line_reader_init(&lines, fd);
    if (r < 0)
        return r;
    r = line_reader_next(&lines, &line, &size);
    if (r == LINE_WHOLE)
        record = record_parse(line, size);
    line_reader_done(&lines);
    when = record ? record_text(record, "@timestamp") : NULL;
    if (!when || record_place(record, &place) < 0 || place.seq != next->first || place.seq < 2 ||
        clock_parse_rfc3339(when, &ret->until_us) < 0)
        return -EBADMSG; /* what cannot be described in a signed record is not released */
    ret->last_seq = place.seq - 1;
    ret->last_hash = place.prev;
    return 0;
}

/* Is there anything in it that the centre has not acknowledged? */
static bool is_held(const struct journal *j, const struct segment_end *end)
{
    return j->limits.hold_from_seq > 0 && end->last_seq >= j->limits.hold_from_seq;
}

/* How many of the oldest segments go, and how the last of them ended. */
static size_t choose(struct journal *j, const struct segment_list *list, uint64_t total, bool need_room,
                     struct segment_end *ret)
{
    bool drop = j->limits.when_full == JOURNAL_FULL_DROP_OLDEST;
    size_t n = 0;

    /* The segment being written, and what lies behind it in the queue, always stay. */
    while (n + 1 < list->n && list->items[n].first != j->fd_segment && list->items[n + 1].first <= j->durable_seq) {
        bool over = drop && ((j->limits.total_size > 0 && total > j->limits.total_size) || need_room), held;
        struct segment_end end;

        if (end_before(j, &list->items[n + 1], &end) < 0)
            break;
        held = is_held(j, &end);
        if (!over && (held || j->limits.keep_days <= 0 || end.until_us >= j->wall_us - j->limits.keep_days * DAY_US))
            break;
        total -= list->items[n].size < total ? list->items[n].size : total;
        need_room = false; /* one at a time: the next call takes another when that was not enough */
        *ret = end;
        n++;
    }
    return n;
}

static int record_release(struct journal *j, uint64_t first, const struct segment_end *end, size_t n)
{
    _cleanup_(json_decrefp) json_t *value = NULL;
    char hash[DIGEST_HEX_SIZE];
    struct audit_event e;
    int r;

    digest_to_hex(&end->last_hash, hash);
    value = json_pack("{sI sI ss sI}", "first", (json_int_t)first, "last", (json_int_t)end->last_seq, "hash", hash,
                      "segments", (json_int_t)n);
    if (!value)
        return -ENOMEM;
    /* By drop-oldest, for want of room: nobody else has these. */
    chain_event(j, &e, AUDIT_JOURNAL_RELEASED, is_held(j, end));
    if (is_held(j, end))
        audit_set(e.message, sizeof(e.message), "released before the centre had all of it");
    r = chain_add(j, &e, &(struct record_extra){.name = "released", .value = value});
    if (r >= 0)
        r = chain_checkpoint(j, NULL);
    return r < 0 ? r : writer_flush(j);
}

/* Returns 1 when segments were released, 0 when none, -errno. */
static int release(struct journal *j, const struct segment_list *list, uint64_t *total, bool need_room)
{
    struct segment_end end;
    size_t n = choose(j, list, *total, need_room, &end);
    int r;

    if (n == 0)
        return 0;
    r = record_release(j, list->items[0].first, &end, n);
    if (r < 0)
        return r;
    if (r == JOURNAL_E_FULL)
        return 0;
    for (size_t i = 0; i < n; i++) {
        char name[SEGMENT_NAME_SIZE];

        segment_name(list->items[i].first, name);
        if (j->ops.unlink(j->ops.context, j->dir, name) < 0)
            return -errno;
        *total -= list->items[i].size;
    }
    return j->ops.fdatasync(j->ops.context, j->dir) < 0 ? -errno : 1;
}

static uint64_t total_of(const struct segment_list *list)
{
    uint64_t total = 0;

    for (size_t i = 0; i < list->n; i++)
        total += list->items[i].size;
    return total;
}

int space_update(struct journal *j)
{
    struct segment_list list;
    uint64_t total;
    int r, ready, flushed;

    /* What waits goes first: reserving before it would take the room it needs. */
    flushed = writer_flush(j);
    if (flushed < 0)
        return flushed;
    ready = flushed == JOURNAL_E_FULL ? -ENOSPC : writer_prepare_next(j);
    if (ready < 0 && !writer_is_full(ready))
        return ready;
    r = segment_list_read(j->dir, &list);
    if (r < 0)
        return r;
    total = total_of(&list);
    r = release(j, &list, &total, ready < 0);
    segment_list_done(&list);
    if (r < 0)
        return r;
    if (r == 1 && ready < 0)
        ready = writer_prepare_next(j);
    j->bytes = total;
    if (ready < 0 && !writer_is_full(ready))
        return ready;
    if (ready < 0)
        return space_low(j, "no room to reserve the next segment");
    if (j->limits.total_size > 0 && total > j->limits.total_size)
        return space_low(j, "the journal has reached the size that the policy allows");
    return space_normal(j);
}
