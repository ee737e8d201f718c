/*
 * Owns: the judgement whether a journal is what its writer signed.
 * Must not: change anything, trust a file name, or call a journal good before its end, its head and its start were seen.
 *
 * Detection of the place: a record that does not match the hash in its successor is reported itself, because an edit
 * changes the hash of the edited line. The successor's own link is covered by the link after it.
 */
#include "audit/verify.h"

#include <errno.h>
#include <inttypes.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "audit/head.h"
#include "audit/lines.h"
#include "audit/record.h"
#include "audit/segment.h"
#include "base/cleanup.h"
#include "base/text.h"

enum {
    RESTARTS_MAX = 3
};

struct walk {
    const struct journal_verify_options *options;
    struct journal_verify_result *result;
    int dir;
    struct journal_head head; /* as it was before the walk; seq 0 when there is none that is good */
    bool head_good;
    /* the chain */
    uint64_t seq; /* of the last record; 0 none yet */
    struct digest hash;
    char file[SEGMENT_NAME_SIZE], last_file[SEGMENT_NAME_SIZE];
    uint64_t last_line;
    /* the start */
    struct digest start_prev;
    bool start_released, start_sealed;
    uint64_t checkpoint_head; /* highest head named by a good checkpoint */
    bool known_seen;
};

const char *journal_flaw_name(enum journal_flaw flaw)
{
    static const char *const names[] = {
        [JOURNAL_FLAW_NONE] = "none",         [JOURNAL_FLAW_EMPTY] = "empty",
        [JOURNAL_FLAW_JSON] = "not-a-record", [JOURNAL_FLAW_LONG] = "too-long",
        [JOURNAL_FLAW_TORN] = "torn",         [JOURNAL_FLAW_MISSING] = "missing",
        [JOURNAL_FLAW_ORDER] = "order",       [JOURNAL_FLAW_EDITED] = "edited",
        [JOURNAL_FLAW_START] = "start",       [JOURNAL_FLAW_CHECKPOINT] = "checkpoint",
        [JOURNAL_FLAW_HEAD] = "head",         [JOURNAL_FLAW_REPLAYED] = "replayed",
        [JOURNAL_FLAW_FILE] = "file",
    };

    return (size_t)flaw < ELEMENTS(names) ? names[flaw] : "unknown";
}

__attribute__((format(printf, 6, 7))) static void flaw(struct walk *w, enum journal_flaw kind, uint64_t seq,
                                                       const char *file, uint64_t line, const char *fmt, ...)
{
    struct journal_verify_result *r = w->result;
    va_list args;

    r->flaws++;
    if (r->flaw != JOURNAL_FLAW_NONE)
        return;
    r->flaw = kind;
    r->first_bad = seq;
    r->line = line;
    (void)snprintf(r->file, sizeof(r->file), "%s", file);
    va_start(args, fmt);
    (void)vsnprintf(r->why, sizeof(r->why), fmt, args);
    va_end(args);
}

/* The first record of all, or of what a release has left. */
static void check_start(struct walk *w, const struct record_place *place, uint64_t line)
{
    static const struct digest zero;

    w->result->first_seq = place->seq;
    w->start_prev = place->prev;
    if (place->seq == 1 && !digest_equal(&place->prev, &zero))
        flaw(w, JOURNAL_FLAW_EDITED, 1, w->file, line, "record 1 does not begin the chain");
}

static void check_link(struct walk *w, const struct record_place *place, uint64_t line)
{
    if (place->seq > w->seq + 1) {
        flaw(w, JOURNAL_FLAW_MISSING, w->seq + 1, w->file, line,
             "record %" PRIu64 " stands where %" PRIu64 " belongs: removed, or moved", place->seq, w->seq + 1);
        return;
    }
    if (place->seq <= w->seq) {
        flaw(w, JOURNAL_FLAW_ORDER, place->seq, w->file, line,
             "record %" PRIu64 " stands behind %" PRIu64 ": moved, or repeated", place->seq, w->seq);
        return;
    }
    if (!digest_equal(&place->prev, &w->hash))
        flaw(w, JOURNAL_FLAW_EDITED, w->seq, w->last_file, w->last_line,
             "record %" PRIu64 " is not the one that record %" PRIu64 " names: it was edited, or the link was", w->seq,
             place->seq);
}

static void check_checkpoint(struct walk *w, json_t *record, const struct record_place *place, uint64_t line)
{
    const char *signature = record_text(record, "kuraban.checkpoint.signature");
    const char *prev = record_text(record, "kuraban.prev"), *when = record_text(record, "@timestamp");
    json_t *head = record_member(record, "kuraban.checkpoint.head");

    if (!signature || !prev || !when || !json_is_integer(head) ||
        journal_key_check(w->options->key, JOURNAL_DOMAIN_CHECKPOINT, place->seq, prev, when, signature) < 0) {
        flaw(w, JOURNAL_FLAW_CHECKPOINT, place->seq, w->file, line,
             "checkpoint %" PRIu64 " is not signed by this terminal's key", place->seq);
        return;
    }
    w->result->checkpoints++;
    w->start_sealed |= w->start_released;
    if (json_integer_value(head) > 0 && (uint64_t)json_integer_value(head) > w->checkpoint_head)
        w->checkpoint_head = (uint64_t)json_integer_value(head);
}

/* A release names the last record before the present start. */
static void note_release(struct walk *w, json_t *record)
{
    json_t *last = record_member(record, "kuraban.released.last");
    const char *hex = record_text(record, "kuraban.released.hash");
    struct digest hash;

    if (!json_is_integer(last) || !hex || digest_from_hex(hex, &hash) < 0)
        return;
    if ((uint64_t)json_integer_value(last) + 1 == w->result->first_seq && digest_equal(&hash, &w->start_prev))
        w->start_released = true;
}

static void check_anchor(struct walk *w, uint64_t seq, const struct digest *hash, uint64_t line)
{
    const struct journal_verify_options *o = w->options;

    if (w->head_good && seq == w->head.seq && !digest_equal(hash, &w->head.hash))
        flaw(w, JOURNAL_FLAW_EDITED, seq, w->file, line,
             "record %" PRIu64 " is not the one that the head names: it was edited", seq);
    if (o->known_seq == 0 || seq != o->known_seq)
        return;
    w->known_seen = true;
    if (o->known_hash && !digest_equal(hash, o->known_hash))
        flaw(w, JOURNAL_FLAW_EDITED, seq, w->file, line,
             "record %" PRIu64 " is not the one that was acknowledged elsewhere", seq);
}

static int check_record(struct walk *w, const char *line, size_t size, uint64_t number)
{
    _cleanup_(json_decrefp) json_t *record = record_parse(line, size);
    struct record_place place;
    struct digest hash;
    const char *action;

    if (!record || record_place(record, &place) < 0) {
        flaw(w, JOURNAL_FLAW_JSON, w->seq + 1, w->file, number, "line %" PRIu64 " is not a record", number);
        return 0;
    }
    if (digest_bytes(line, size, &hash) < 0)
        return -EIO;
    if (w->result->records == 0)
        check_start(w, &place, number);
    else
        check_link(w, &place, number);
    w->result->records++;
    check_anchor(w, place.seq, &hash, number);
    action = record_text(record, "event.action");
    if (text_equal(action, "journal-checkpoint"))
        check_checkpoint(w, record, &place, number);
    else if (text_equal(action, "journal-released"))
        note_release(w, record);
    w->seq = place.seq;
    w->hash = hash;
    w->last_line = number;
    memcpy(w->last_file, w->file, sizeof(w->last_file));
    return 0;
}

/* The last line may be half there when a writer is at work, or after a crash that no writer has looked at yet: then it lies
 * behind the head, and nobody was told that it is recorded. */
static void check_torn(struct walk *w, uint64_t number, bool last_segment)
{
    if (last_segment && w->head_good && w->seq >= w->head.seq)
        return;
    flaw(w, JOURNAL_FLAW_TORN, w->seq + 1, w->file, number, "line %" PRIu64 " ends in the middle", number);
}

static int walk_segment(struct walk *w, const struct segment *segment, bool last_segment)
{
    _cleanup_close_ int fd = -1;
    struct line_reader lines;
    const char *line;
    size_t size;
    int r;

    segment_name(segment->first, w->file);
    fd = segment_open(w->dir, segment->first);
    if (fd == -EINVAL) {
        flaw(w, JOURNAL_FLAW_FILE, segment->first, w->file, 0, "not a regular file");
        return 0;
    }
    if (fd < 0)
        return fd;
    r = line_reader_init(&lines, fd);
    if (r < 0)
        return r;
    while ((r = line_reader_next(&lines, &line, &size)) > 0) {
        if (r == LINE_TORN)
            check_torn(w, lines.number, last_segment);
        else if (r == LINE_LONG)
            flaw(w, JOURNAL_FLAW_LONG, w->seq + 1, w->file, lines.number, "line %" PRIu64 " is too long", lines.number);
        else
            r = check_record(w, line, size, lines.number);
        if (r < 0)
            break;
    }
    line_reader_done(&lines);
    return r;
}

static void read_head(struct walk *w)
{
    int r = head_read(w->dir, &w->head);

    w->head_good = r >= 0 && head_check(&w->head, w->options->key) >= 0;
    if (!w->head_good)
        w->head = (struct journal_head){0};
    w->result->head_seq = w->head.seq;
}

static void check_end(struct walk *w)
{
    const struct journal_verify_options *o = w->options;
    struct journal_verify_result *r = w->result;

    r->last_seq = w->seq;
    if (r->records == 0 && !w->head_good) {
        flaw(w, JOURNAL_FLAW_EMPTY, 1, "", 0, "there is no journal");
        return;
    }
    if (!w->head_good)
        flaw(w, JOURNAL_FLAW_HEAD, w->seq, HEAD_NAME, 0, "the head is missing or not signed by this terminal's key");
    else if (w->seq < w->head.seq)
        flaw(w, JOURNAL_FLAW_MISSING, w->seq + 1, w->last_file, 0,
             "records %" PRIu64 " to %" PRIu64 " are missing at the end", w->seq + 1, w->head.seq);
    if (r->records > 0 && r->first_seq != 1 && !w->start_sealed)
        flaw(w, JOURNAL_FLAW_START, r->first_seq - 1, "", 0,
             "records up to %" PRIu64 " are missing and no signed release names them", r->first_seq - 1);
    if (o->known_seq > w->seq)
        flaw(w, JOURNAL_FLAW_REPLAYED, w->seq + 1, w->last_file, 0,
             "record %" PRIu64 " was acknowledged elsewhere, but the journal ends at %" PRIu64, o->known_seq, w->seq);
    if (w->head_good && w->checkpoint_head > w->head.seq) {
        struct journal_head now;

        /* A running writer moves the head on while we read. */
        if (head_read(w->dir, &now) < 0 || head_check(&now, o->key) < 0 || now.seq < w->checkpoint_head)
            flaw(w, JOURNAL_FLAW_REPLAYED, w->head.seq + 1, HEAD_NAME, 0,
                 "the head names record %" PRIu64 ", but a checkpoint knows of a head at %" PRIu64, w->head.seq,
                 w->checkpoint_head);
    }
}

static int walk_all(struct walk *w)
{
    struct segment_list list;
    int r;

    read_head(w);
    r = segment_list_read(w->dir, &list);
    if (r < 0)
        return r;
    for (size_t i = 0; i < list.n && r >= 0; i++)
        r = walk_segment(w, &list.items[i], i + 1 == list.n);
    segment_list_done(&list);
    if (r < 0)
        return r;
    check_end(w);
    w->result->ok = w->result->flaws == 0;
    return 0;
}

int journal_verify(int journal_dirfd, const struct journal_verify_options *options, struct journal_verify_result *ret)
{
    int r = -ENOENT;

    /* Retention of a running writer may take a segment away between the list and its turn. */
    for (int attempt = 0; attempt < RESTARTS_MAX && r == -ENOENT; attempt++) {
        struct walk w = {.options = options, .result = ret, .dir = journal_dirfd};

        *ret = (struct journal_verify_result){.ok = false};
        r = walk_all(&w);
    }
    return r < 0 ? r : 0;
}
