/*
 * Owns: the rows of terminals' records: chains, batches, and what is in which batch.
 * Must not: verify, or change a line.
 *
 * The index has a row for each different thing in a batch, not for each record: for 10 million records that is a tenth of the rows, and what
 * asks for one device reads the batches that have it. docs/HUB.md has figures.
 */
#include "hub/store/events.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "hub/store/internal.h"

enum {
    PACKED_MAX = PACK_MAX + 4096, /* what does not get smaller gets a little larger */
    QUERY_SIZE = 1024,
};

static void bind_digest(sqlite3_stmt *q, int at, const struct digest *d, int *r)
{
    sql_bind_bytes(q, at, d->bytes, sizeof(d->bytes), r);
}

static int get_digest(sqlite3_stmt *q, int at, struct digest *ret)
{
    return sql_get_bytes(q, at, ret->bytes, sizeof(ret->bytes), sizeof(ret->bytes), NULL);
}

static int get_sequence(sqlite3_stmt *q, int at, uint64_t *ret)
{
    int64_t n = 0;
    int r = sql_get_number(q, at, 0, INT64_MAX, &n);

    *ret = (uint64_t)n;
    return r;
}

/* --- chains --- */

int hub_chain_get(struct hub_store *s, const char *terminal, struct hub_chain *ret)
{
    struct hub_chain c = {0};
    int r = 0;
    sqlite3_stmt *q = hub_query(s, HUB_CHAIN_GET, &r);

    if (!q)
        return r;
    sql_bind_text(q, 1, terminal, &r);
    if (r >= 0)
        r = sql_step(q);
    if (r > 0) {
        r = get_sequence(q, 0, &c.sequence);
        if (r >= 0)
            r = get_digest(q, 1, &c.hash);
        if (r >= 0)
            r = get_sequence(q, 2, &c.sealed);
        if (r >= 0)
            r = sql_get_number(q, 3, INT64_MIN, INT64_MAX, &c.stored_us);
        r = r < 0 ? r : 1;
    }
    (void)sqlite3_reset(q);
    if (r >= 0)
        *ret = c;
    return r;
}

int hub_chain_set(struct hub_store *s, const char *terminal, const struct hub_chain *c)
{
    int r = 0;
    sqlite3_stmt *q = hub_query(s, HUB_CHAIN_SET, &r);

    if (!q)
        return r;
    sql_bind_text(q, 1, terminal, &r);
    sql_bind_number(q, 2, (int64_t)c->sequence, &r);
    bind_digest(q, 3, &c->hash, &r);
    sql_bind_number(q, 4, (int64_t)c->sealed, &r);
    sql_bind_number(q, 5, c->stored_us, &r);
    return sql_change(s->db, q, r, 1);
}

/* --- batches --- */

int hub_batch_add(struct hub_store *s, struct pack *p, const struct hub_batch *b, int64_t *ret_id)
{
    const uint8_t *packed = NULL;
    size_t size = 0;
    int r = pack_lines(p, b->lines, b->size, &packed, &size);
    sqlite3_stmt *q = r < 0 ? NULL : hub_query(s, HUB_BATCH_ADD, &r);

    if (!q)
        return r;
    sql_bind_text(q, 1, b->terminal, &r);
    sql_bind_number(q, 2, (int64_t)b->first, &r);
    sql_bind_number(q, 3, (int64_t)b->last, &r);
    bind_digest(q, 4, &b->hash, &r);
    sql_bind_number(q, 5, b->from_us, &r);
    sql_bind_number(q, 6, b->until_us, &r);
    sql_bind_number(q, 7, b->received_us, &r);
    sql_bind_bytes(q, 8, packed, size, &r);
    r = sql_change(s->db, q, r, 1);
    if (r >= 0)
        *ret_id = sqlite3_last_insert_rowid(s->db);
    return r;
}

/* 1 and the number of a text that was there; 0. */
static int find_term(struct hub_store *s, enum hub_term kind, const char *text, int64_t *ret)
{
    int r = 0;
    sqlite3_stmt *q = hub_query(s, HUB_TERM_FIND, &r);

    if (!q)
        return r;
    sql_bind_number(q, 1, kind, &r);
    sql_bind_text(q, 2, text, &r);
    if (r >= 0)
        r = sql_step(q);
    if (r > 0)
        *ret = sqlite3_column_int64(q, 0);
    (void)sqlite3_reset(q);
    return r;
}

static int add_term(struct hub_store *s, enum hub_term kind, const char *text, int64_t *ret)
{
    int r = 0;
    sqlite3_stmt *q = hub_query(s, HUB_TERM_ADD, &r);

    if (!q)
        return r;
    sql_bind_number(q, 1, kind, &r);
    sql_bind_text(q, 2, text, &r);
    r = sql_change(s->db, q, r, 1);
    if (r >= 0)
        *ret = sqlite3_last_insert_rowid(s->db);
    return r;
}

/* As the index has it: cut after HUB_TERM_MAX bytes, wherever that is. */
static const char *cut(const char *text, char room[static HUB_TERM_MAX + 1])
{
    (void)snprintf(room, HUB_TERM_MAX + 1, "%s", text);
    return room;
}

int hub_batch_term(struct hub_store *s, int64_t id, enum hub_term kind, const char *text)
{
    char room[HUB_TERM_MAX + 1];
    sqlite3_stmt *q;
    int64_t term = 0;
    int r = find_term(s, kind, cut(text, room), &term);

    if (r == 0)
        r = add_term(s, kind, room, &term);
    q = r < 0 ? NULL : hub_query(s, HUB_BATCH_TERM, &r);
    if (!q)
        return r;
    sql_bind_number(q, 1, term, &r);
    sql_bind_number(q, 2, id, &r);
    return sql_change(s->db, q, r, -1);
}

/* --- looking --- */

/* Columns: terminal, first, last, hash, from_us, until_us, received, lines. */
static int read_batch(sqlite3_stmt *q, struct pack *p, struct hub_batch *ret)
{
    int64_t *const times[] = {&ret->from_us, &ret->until_us, &ret->received_us};
    int r = sql_get_text(q, 0, ret->terminal, sizeof(ret->terminal));

    if (r >= 0)
        r = get_sequence(q, 1, &ret->first);
    if (r >= 0)
        r = get_sequence(q, 2, &ret->last);
    if (r >= 0)
        r = get_digest(q, 3, &ret->hash);
    for (int i = 0; r >= 0 && i < (int)ELEMENTS(times); i++)
        r = sql_get_number(q, 4 + i, INT64_MIN, INT64_MAX, times[i]);
    if (r >= 0 && (ret->first == 0 || ret->last < ret->first))
        r = -EUCLEAN;
    return r < 0 ? r
                 : pack_open(p, sqlite3_column_blob(q, 7), (size_t)sqlite3_column_bytes(q, 7), &ret->lines, &ret->size);
}

/* Bound before; 1 or 0. */
static int get_batch(sqlite3_stmt *q, int r, struct pack *p, struct hub_batch *ret)
{
    if (r >= 0)
        r = sql_step(q);
    if (r > 0) {
        r = read_batch(q, p, ret);
        r = r < 0 ? r : 1;
    }
    (void)sqlite3_reset(q);
    return r;
}

int hub_batch_find(struct hub_store *s, struct pack *p, const char *terminal, uint64_t seq, struct hub_batch *ret)
{
    int r = 0;
    sqlite3_stmt *q = hub_query(s, HUB_BATCH_FIND, &r);

    if (!q)
        return r;
    sql_bind_text(q, 1, terminal, &r);
    sql_bind_number(q, 2, (int64_t)seq, &r);
    r = get_batch(q, r, p, ret);
    return r > 0 && ret->last < seq ? 0 : r;
}

/* What it asks for, as SQL; parameters as bind_query() gives them. */
static void write_query(const struct hub_event_query *query, char ret[static QUERY_SIZE])
{
    size_t n = (size_t)snprintf(ret, QUERY_SIZE, "SELECT id FROM batch WHERE from_us < ?1 AND until_us >= ?2%s",
                                query->terminal ? " AND terminal = ?3" : "");

    for (int kind = 1; kind < HUB_TERM_COUNT_; kind++)
        if (query->terms[kind])
            n += (size_t)snprintf(ret + n, QUERY_SIZE - n,
                                  " AND id IN (SELECT batch FROM batch_term WHERE term ="
                                  " (SELECT id FROM term WHERE kind = %d AND text = ?%d))",
                                  kind, 3 + kind);
    (void)snprintf(ret + n, QUERY_SIZE - n, " ORDER BY from_us, id");
}

static void bind_query(sqlite3_stmt *q, const struct hub_event_query *query, int *r)
{
    char room[HUB_TERM_MAX + 1];

    sql_bind_number(q, 1, query->until_us ? query->until_us : INT64_MAX, r);
    sql_bind_number(q, 2, query->since_us ? query->since_us : INT64_MIN, r);
    if (query->terminal)
        sql_bind_text(q, 3, query->terminal, r);
    for (int kind = 1; kind < HUB_TERM_COUNT_; kind++)
        if (query->terms[kind])
            sql_bind_text(q, 3 + kind, cut(query->terms[kind], room), r);
}

static int get_by_id(struct hub_store *s, struct pack *p, int64_t id, struct hub_batch *ret)
{
    int r = 0;
    sqlite3_stmt *q = hub_query(s, HUB_BATCH_GET, &r);

    if (!q)
        return r;
    sql_bind_number(q, 1, id, &r);
    r = get_batch(q, r, p, ret);
    return r == 0 ? -EUCLEAN : r;
}

int hub_batch_each(struct hub_store *s, struct pack *p, const struct hub_event_query *query,
                   int (*each)(void *context, const struct hub_batch *batch), void *context)
{
    char sql[QUERY_SIZE];
    sqlite3_stmt *q = NULL;
    int r;

    write_query(query, sql);
    r = sql_error(sqlite3_prepare_v2(s->db, sql, -1, &q, NULL));
    if (r < 0)
        return r;
    bind_query(q, query, &r);
    while (r >= 0 && (r = sql_step(q)) > 0) {
        struct hub_batch b = {0};

        r = get_by_id(s, p, sqlite3_column_int64(q, 0), &b);
        if (r >= 0)
            r = each(context, &b);
        if (r != 0)
            break;
    }
    (void)sqlite3_finalize(q);
    return r < 0 ? r : 0;
}

/* What the index says of it stays: a later batch with its number is looked at once too often. */
static int remove_batch(struct hub_store *s, int64_t id)
{
    int r = 0;
    sqlite3_stmt *q = hub_query(s, HUB_BATCH_REMOVE, &r);

    if (!q)
        return r;
    sql_bind_number(q, 1, id, &r);
    return sql_change(s->db, q, r, 1);
}

int hub_batch_take_last(struct hub_store *s, struct pack *p, const char *terminal, uint64_t first,
                        struct hub_batch *ret)
{
    int64_t id = 0;
    int r = 0;
    sqlite3_stmt *q = hub_query(s, HUB_BATCH_LAST, &r);

    if (!q)
        return r;
    sql_bind_text(q, 1, terminal, &r);
    sql_bind_number(q, 2, (int64_t)first, &r);
    if (r >= 0)
        r = sql_step(q);
    if (r > 0)
        id = sqlite3_column_int64(q, 0);
    (void)sqlite3_reset(q);
    if (r <= 0)
        return r;
    r = get_by_id(s, p, id, ret);
    if (r >= 0)
        r = remove_batch(s, id);
    return r < 0 ? r : 1;
}
