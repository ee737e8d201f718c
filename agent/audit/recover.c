/*
 * Owns: what the journal on disk means when a writer opens it: where the chain goes on, what a crash left half, and
 * what is missing.
 * Must not: delete or change a record that the head vouches for, nor hide a gap. Where records are missing, the chain
 * goes on behind the gap with the number and hash that the head names, so that every later verification finds it.
 *
 * The whole journal is not read here (that is verify.c's work), only its last segment.
 */
#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/lines.h"
#include "audit/writer.h"
#include "base/cleanup.h"
#include "base/files.h"

enum head_state {
    HEAD_GOOD = 0,
    HEAD_ABSENT,
    HEAD_BAD
};

/* The last segment that holds records. */
struct scan {
    bool found; /* a segment with at least one byte */
    uint64_t segment, size;
    uint64_t seq; /* last good record; 0 none */
    struct digest hash;
    uint64_t end;             /* offset behind it */
    bool damaged;             /* a record that the head vouches for is not as it was */
    bool torn;                /* bytes from `end` on were never vouched for and are not whole */
    uint64_t checkpoint_head; /* highest head that a checkpoint names */
};

/* Is this line the record that must follow? */
static bool line_fits(const struct scan *s, const struct journal_head *head, json_t *record, const struct digest *hash)
{
    uint64_t expected = s->seq > 0 ? s->seq + 1 : s->segment;
    const struct digest *prev = s->seq > 0 ? &s->hash : expected == head->seq + 1 ? &head->hash : NULL;
    struct record_place place;

    if (!record || record_place(record, &place) < 0 || place.seq != expected)
        return false;
    if (prev && head->seq > 0 && !digest_equal(prev, &place.prev))
        return false;
    if (s->seq > 0 && !digest_equal(&s->hash, &place.prev))
        return false;
    return place.seq != head->seq || digest_equal(hash, &head->hash);
}

static int scan_lines(struct line_reader *lines, const struct journal_head *head, enum head_state state, struct scan *s)
{
    const char *line;
    size_t size;
    int r;

    while ((r = line_reader_next(lines, &line, &size)) > 0) {
        _cleanup_(json_decrefp) json_t *record = r == LINE_WHOLE ? record_parse(line, size) : NULL;
        uint64_t expected = s->seq > 0 ? s->seq + 1 : s->segment;
        struct record_place place;
        struct digest hash;
        json_t *named;

        if (r == LINE_WHOLE && digest_bytes(line, size, &hash) < 0)
            return -EIO;
        if (!line_fits(s, head, record, &hash)) {
            /* Only past a good head may bytes be called a crash's left-over; without one, only a missing newline is. */
            s->torn = state == HEAD_GOOD ? expected > head->seq : r == LINE_TORN;
            s->damaged = !s->torn;
            if (s->torn)
                return 0;
            if (state == HEAD_GOOD || !record || record_place(record, &place) < 0)
                continue;
            s->seq = place.seq; /* no head to go by: behind the highest number that is there */
        } else {
            s->seq = expected;
        }
        s->hash = hash;
        s->end = lines->next;
        named = record_member(record, "kuraban.checkpoint.head");
        if (json_is_integer(named) && json_integer_value(named) > 0 &&
            (uint64_t)json_integer_value(named) > s->checkpoint_head)
            s->checkpoint_head = (uint64_t)json_integer_value(named);
    }
    return r;
}

static int scan_segment(struct journal *j, const struct segment *segment, const struct journal_head *head,
                        enum head_state state, struct scan *ret)
{
    _cleanup_close_ int fd = segment_open(j->dir, segment->first);
    struct scan s = {.found = true, .segment = segment->first, .size = segment->size};
    struct line_reader lines;
    int r;

    if (fd < 0)
        return fd;
    r = line_reader_init(&lines, fd);
    if (r < 0)
        return r;
    r = scan_lines(&lines, head, state, &s);
    line_reader_done(&lines);
    if (r >= 0)
        *ret = s;
    return r;
}

/* An empty or fully torn last segment says nothing about where the chain stands: the one before it does. */
static int scan_last(struct journal *j, const struct journal_head *head, enum head_state state,
                     const struct segment_list *list, struct scan *ret)
{
    for (size_t i = list->n; i > 0; i--) {
        int r;

        if (list->items[i - 1].size == 0)
            continue;
        r = scan_segment(j, &list->items[i - 1], head, state, ret);
        if (r < 0)
            return r;
        if (ret->seq == 0 && ret->torn && i > 1) {
            struct scan before;

            before = *ret;
            r = scan_segment(j, &list->items[i - 2], head, state, &before);
            if (r < 0)
                return r;
            if (!before.torn) { /* the chain stands before this segment's first record */
                ret->seq = before.seq;
                ret->hash = before.hash;
                ret->damaged = before.damaged;
                ret->checkpoint_head = before.checkpoint_head;
            }
        }
        return 0;
    }
    return 0;
}

static int add_range(struct journal *j, enum audit_action action, const char *message, const char *name, uint64_t first,
                     uint64_t last)
{
    _cleanup_(json_decrefp) json_t *value = NULL;
    struct audit_event e;

    chain_event(j, &e, action, true);
    audit_set(e.message, sizeof(e.message), message);
    if (!name)
        return chain_add(j, &e, NULL);
    value = json_pack("{sI sI}", "first", (json_int_t)first, "last", (json_int_t)last);
    if (!value)
        return -ENOMEM;
    return chain_add(j, &e, &(struct record_extra){.name = name, .value = value});
}

static int read_tail(int fd, uint64_t offset, size_t size, uint8_t **ret)
{
    _cleanup_free_ uint8_t *data = malloc(size > 0 ? size : 1);
    size_t got = 0;

    if (!data)
        return -ENOMEM;
    while (got < size) {
        ssize_t n = pread(fd, data + got, size - got, (off_t)(offset + got));

        if (n < 0)
            return -errno;
        if (n == 0)
            return -EIO;
        got += (size_t)n;
    }
    *ret = TAKE_PTR(data);
    return 0;
}

/* Keeps the bytes under another name, then cuts them off. With no space for a copy, the record keeps their hash. */
static int move_torn(struct journal *j, int fd, const struct scan *s)
{
    _cleanup_(json_decrefp) json_t *value = NULL;
    _cleanup_free_ uint8_t *data = NULL;
    char name[NAME_MAX + 1], hex[DIGEST_HEX_SIZE];
    size_t size = (size_t)(s->size - s->end);
    struct audit_event e;
    struct digest hash;
    int r, kept;

    r = read_tail(fd, s->end, size, &data);
    if (r >= 0)
        r = digest_bytes(data, size, &hash);
    if (r < 0)
        return r;
    (void)snprintf(name, sizeof(name), "torn-%" PRIu64, j->seq + 1);
    kept = files_write_atomic_at(j->dir, name, data, size, 0600);
    if (kept < 0 && !writer_is_full(kept))
        return kept;
    if (j->ops.ftruncate(j->ops.context, fd, (off_t)s->end) < 0)
        return -errno;
    digest_to_hex(&hash, hex);
    value = json_pack("{ss sI ss}", "file", kept < 0 ? "" : name, "bytes", (json_int_t)size, "sha256", hex);
    if (!value)
        return -ENOMEM;
    chain_event(j, &e, AUDIT_JOURNAL_TORN, false);
    audit_set(e.message, sizeof(e.message), "the end of the last segment was not whole after a stop without warning");
    return chain_add(j, &e, &(struct record_extra){.name = "torn", .value = value});
}

/* The last segment takes further records. */
static int continue_segment(struct journal *j, const struct scan *s)
{
    char name[SEGMENT_NAME_SIZE];
    struct stat st;
    int r;

    segment_name(s->segment, name);
    j->fd = openat(j->dir, name, O_RDWR | O_CLOEXEC | O_NOFOLLOW | O_NONBLOCK);
    if (j->fd < 0 || fstat(j->fd, &st) < 0)
        return -errno;
    if (!S_ISREG(st.st_mode))
        return -EINVAL;
    j->fd_segment = j->plan_segment = s->segment;
    j->fd_offset = j->plan_size = s->end;
    r = s->torn ? move_torn(j, j->fd, s) : 0;
    if (r >= 0)
        (void)writer_reserve(j, j->fd); /* room is had or found missing when it is written to */
    return r;
}

/* Sets where the chain stands. Returns 1 when records are missing. */
static int place_chain(struct journal *j, const struct journal_head *head, enum head_state state, const struct scan *s)
{
    bool gap = state == HEAD_GOOD && (s->damaged || s->seq < head->seq);

    j->seq = gap ? head->seq : s->seq;
    j->hash = gap ? head->hash : s->hash;
    j->durable_seq = j->seq;
    j->durable_hash = j->hash;
    j->head_seq = state == HEAD_GOOD ? head->seq : 0;
    return gap;
}

static int report(struct journal *j, const struct journal_head *head, enum head_state state, const struct scan *s,
                  bool gap, bool key_created)
{
    int r = 0;

    if (gap && s->damaged)
        r = add_range(j, AUDIT_JOURNAL_TRUNCATED, "a record that was signed has changed", "missing", s->seq + 1,
                      head->seq);
    else if (gap)
        r = add_range(j, AUDIT_JOURNAL_TRUNCATED, "records that were signed are missing", "missing", s->seq + 1,
                      head->seq);
    else if (state == HEAD_ABSENT && s->found)
        r = add_range(j, AUDIT_JOURNAL_TRUNCATED, "the head is missing", NULL, 0, 0);
    else if (state == HEAD_BAD)
        r = add_range(j, AUDIT_JOURNAL_TRUNCATED, "the head is not signed by this terminal", NULL, 0, 0);
    else if (state == HEAD_GOOD && s->checkpoint_head > head->seq)
        r = add_range(j, AUDIT_JOURNAL_TRUNCATED, "the head was replaced by an older one", "missing", head->seq + 1,
                      s->checkpoint_head);
    else if (state == HEAD_ABSENT && !s->found && !key_created)
        r = add_range(j, AUDIT_JOURNAL_TRUNCATED, "the journal is missing although its key exists", NULL, 0, 0);
    if (r >= 0 && key_created) {
        struct audit_event e;

        chain_event(j, &e, AUDIT_JOURNAL_KEY, s->found || state != HEAD_ABSENT);
        audit_set(e.message, sizeof(e.message), "a signing key was created");
        r = chain_add(j, &e, NULL);
    }
    return r;
}

/* What was not signed when the last writer stopped is signed now; the record says so. */
static int adopt(struct journal *j, const struct journal_head *head, const struct scan *s)
{
    _cleanup_(json_decrefp) json_t *value = NULL;

    if (s->seq <= head->seq)
        return chain_checkpoint(j, NULL);
    value = json_pack("{sI sI}", "first", (json_int_t)head->seq + 1, "last", (json_int_t)s->seq);
    return value ? chain_checkpoint(j, &(struct record_extra){.name = "adopted", .value = value}) : -ENOMEM;
}

/* A crash between creating a segment and writing to it leaves an empty file; its name may never be used again. */
static void drop_empty(struct journal *j, const struct segment_list *list)
{
    for (size_t i = 0; i < list->n; i++) {
        char name[SEGMENT_NAME_SIZE];

        if (list->items[i].size > 0 || list->items[i].first <= j->seq)
            continue;
        segment_name(list->items[i].first, name);
        (void)j->ops.unlink(j->ops.context, j->dir, name);
    }
}

int recover(struct journal *j, bool key_created)
{
    struct journal_head head = {0};
    enum head_state state = HEAD_GOOD;
    struct segment_list list;
    struct scan s = {0};
    uint64_t before;
    int r, gap;

    r = head_read(j->dir, &head);
    if (r < 0 && r != -ENOENT && r != -EBADMSG)
        return r;
    j->head_exists = r != -ENOENT;
    if (r < 0 || head_check(&head, j->key) < 0) {
        state = r == -ENOENT ? HEAD_ABSENT : HEAD_BAD;
        head = (struct journal_head){0};
    }
    r = segment_list_read(j->dir, &list);
    if (r < 0)
        return r;
    r = scan_last(j, &head, state, &list, &s);
    gap = r < 0 ? 0 : place_chain(j, &head, state, &s);
    if (r >= 0)
        drop_empty(j, &list);
    segment_list_done(&list);
    if (r < 0)
        return r;
    before = j->seq;
    if (!gap && s.found && !s.damaged && s.seq + 1 >= s.segment)
        r = continue_segment(j, &s);
    if (r >= 0)
        r = report(j, &head, state, &s, gap, key_created);
    if (r >= 0 && (j->seq != before || s.seq > head.seq) && j->seq > 0)
        r = adopt(j, &head, &s);
    j->head_sync_due = j->head_exists || j->head_sync_due; /* what was read may not be on the disk yet */
    return r;
}
