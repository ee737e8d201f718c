/*
 * Owns: what can be said of lines from their bytes and one key alone.
 * Must not: believe a number, a hash or a name in them that it has not checked or bounded.
 */
#include "hub/ingest/batch.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "audit/record.h"
#include "base/clock.h"
#include "base/text.h"

struct reading {
    const struct journal_key *key;
    struct ingest_batch *batch;
};

/* --- what is in it --- */

static int add_term(struct ingest_batch *b, enum hub_term kind, const char *text)
{
    if (!text || !*text || json_object_get(b->terms[kind], text))
        return 0;
    return json_object_set_new(b->terms[kind], text, json_true()) < 0 ? -ENOMEM : 0;
}

static int add_login(struct ingest_batch *b, const json_t *uid)
{
    char text[24];

    if (!json_is_integer(uid))
        return 0;
    (void)snprintf(text, sizeof(text), "%" JSON_INTEGER_FORMAT, json_integer_value(uid));
    return add_term(b, HUB_TERM_USER, text);
}

static int add_terms(struct ingest_batch *b, json_t *record)
{
    static const struct {
        enum hub_term kind;
        const char *path;
    } members[] = {
        {HUB_TERM_USER, "user.id"}, {HUB_TERM_DEVICE, "device.id"},        {HUB_TERM_DEVICE, "device.serial_number"},
        {HUB_TERM_RULE, "rule.id"}, {HUB_TERM_VERDICT, "kuraban.verdict"}, {HUB_TERM_ACTION, "event.action"},
    };
    int r = add_login(b, record_member(record, "kuraban.login_uid"));

    for (size_t i = 0; r >= 0 && i < ELEMENTS(members); i++)
        r = add_term(b, members[i].kind, record_text(record, members[i].path));
    if (r >= 0 && json_is_true(record_member(record, "kuraban.would_refuse")))
        r = add_term(b, HUB_TERM_VERDICT, "would-refuse");
    return r;
}

/* --- what it says of the chain --- */

static int check_seal(struct reading *g, json_t *record, uint64_t seq)
{
    const char *signature = record_text(record, "kuraban.checkpoint.signature");
    const char *prev = record_text(record, "kuraban.prev"), *when = record_text(record, "@timestamp");
    int r;

    if (!signature || !prev || !when)
        return INGEST_E_SEAL;
    r = journal_key_check(g->key, JOURNAL_DOMAIN_CHECKPOINT, seq, prev, when, signature);
    if (r == 0)
        g->batch->sealed = seq;
    return r == -EIO ? r : r < 0 ? INGEST_E_SEAL : INGEST_GOOD;
}

static void note_leap(struct ingest_batch *b, json_t *record, uint64_t seq, const char *what)
{
    const json_t *of = record_member(record, what), *first = json_object_get(of, "first"),
                 *last = json_object_get(of, "last");
    const char *hex = json_string_value(json_object_get(of, "hash"));
    struct ingest_leap leap = {.told = seq};

    if (!json_is_integer(first) || !json_is_integer(last) || json_integer_value(first) < 1 ||
        json_integer_value(last) < json_integer_value(first))
        return;
    leap.first = (uint64_t)json_integer_value(first);
    leap.last = (uint64_t)json_integer_value(last);
    leap.has_hash = hex && digest_from_hex(hex, &leap.hash) == 0;
    if (b->n_leaps == INGEST_LEAPS_MAX) {
        memmove(b->leaps, b->leaps + 1, (INGEST_LEAPS_MAX - 1) * sizeof(*b->leaps));
        b->n_leaps--;
    }
    b->leaps[b->n_leaps++] = leap;
}

static int check_link(const struct ingest_batch *b, const struct record_place *place)
{
    const struct ingest_line *before = b->n > 0 ? &b->lines[b->n - 1] : NULL;

    if (!before)
        return INGEST_GOOD;
    if (before->seq == UINT64_MAX || place->seq != before->seq + 1)
        return INGEST_E_ORDER;
    return digest_equal(&place->prev, &before->hash) ? INGEST_GOOD : INGEST_E_LINK;
}

/* Without its newline. */
static int read_line(struct reading *g, const char *line, size_t size, size_t end)
{
    _cleanup_(json_decrefp) json_t *record = size < RECORD_LINE_MAX ? record_parse(line, size) : NULL;
    const char *action = record ? record_text(record, "event.action") : NULL,
               *when = record ? record_text(record, "@timestamp") : NULL;
    struct ingest_line *to = &g->batch->lines[g->batch->n];
    struct record_place place;
    int r;

    if (!action || !when || record_place(record, &place) < 0 || clock_parse_rfc3339(when, &to->at_us) < 0)
        return INGEST_E_LINE;
    r = check_link(g->batch, &place);
    if (r == INGEST_GOOD)
        r = digest_bytes(line, size, &to->hash);
    if (r == 0 && strcmp(action, "journal-checkpoint") == 0)
        r = check_seal(g, record, place.seq);
    if (r != INGEST_GOOD)
        return r;
    if (strcmp(action, "journal-released") == 0)
        note_leap(g->batch, record, place.seq, "kuraban.released");
    else if (strcmp(action, "journal-truncated") == 0)
        note_leap(g->batch, record, place.seq, "kuraban.missing");
    to->seq = place.seq;
    to->prev = place.prev;
    to->end = end;
    g->batch->n++;
    return add_terms(g->batch, record);
}

static int read_lines(struct reading *g, const char *bytes, size_t size)
{
    int r = INGEST_GOOD;

    for (size_t at = 0; r == INGEST_GOOD && at < size;) {
        const char *newline = memchr(bytes + at, '\n', size - at);
        size_t length = newline ? (size_t)(newline - bytes) - at : 0;

        if (!newline)
            return INGEST_E_LINE;
        if (g->batch->n == INGEST_LINES_MAX)
            return INGEST_E_SIZE;
        r = read_line(g, bytes + at, length, at + length + 1);
        at += length + 1;
    }
    return r;
}

static size_t count_lines(const char *bytes, size_t size)
{
    size_t n = 0;

    for (const char *at = bytes; n < INGEST_LINES_MAX && (at = memchr(at, '\n', size - (size_t)(at - bytes))); at++)
        n++;
    return n;
}

int ingest_batch_read(const char *bytes, size_t size, const struct journal_key *key, struct ingest_batch **ret)
{
    _cleanup_(ingest_batch_freep) struct ingest_batch *b = NULL;
    struct reading g = {.key = key};
    int r;

    if (size == 0 || size > PACK_MAX)
        return INGEST_E_SIZE;
    b = calloc(1, sizeof(*b));
    if (!b)
        return -ENOMEM;
    b->lines = calloc(count_lines(bytes, size) + 1, sizeof(*b->lines));
    for (int kind = 1; kind < HUB_TERM_COUNT_; kind++) {
        b->terms[kind] = json_object();
        if (!b->terms[kind])
            return -ENOMEM;
    }
    if (!b->lines)
        return -ENOMEM;
    g.batch = b;
    r = read_lines(&g, bytes, size);
    if (r == INGEST_GOOD)
        *ret = TAKE_PTR(b);
    return r;
}

struct ingest_batch *ingest_batch_free(struct ingest_batch *b)
{
    if (!b)
        return NULL;
    for (int kind = 1; kind < HUB_TERM_COUNT_; kind++)
        json_decref(b->terms[kind]);
    free(b->lines);
    free(b);
    return NULL;
}
