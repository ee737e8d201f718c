/*
 * Owns: the hash chain of what administrators did.
 * Must not: let a record be written outside the transaction of what it tells.
 */
#include "hub/store/journal.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "hub/store/internal.h"
#include "json/whole.h"

static int hash_record(const struct digest *before, const struct hub_record *record, struct digest *ret)
{
    const uint64_t numbers[] = {record->seq, (uint64_t)record->at_us};
    const char *const texts[] = {record->who, record->what, record->object, record->details};
    struct digest_fields *d = NULL;
    int r = digest_fields_new(&d);

    if (r < 0)
        return r;
    r = digest_fields_add(d, before->bytes, sizeof(before->bytes));
    for (size_t i = 0; r >= 0 && i < ELEMENTS(numbers); i++) {
        uint8_t bytes[8];

        for (size_t j = 0; j < sizeof(bytes); j++)
            bytes[j] = (uint8_t)(numbers[i] >> 8 * j);
        r = digest_fields_add(d, bytes, sizeof(bytes));
    }
    for (size_t i = 0; r >= 0 && i < ELEMENTS(texts); i++)
        r = digest_fields_add(d, texts[i], strlen(texts[i]));
    if (r >= 0)
        r = digest_fields_finish(d, ret);
    (void)digest_fields_free(d);
    return r;
}

static int read_head(struct hub_store *s, uint64_t *ret_seq, struct digest *ret)
{
    struct digest head;
    int64_t seq = 0;
    int r = 0;
    sqlite3_stmt *q = hub_query(s, HUB_JOURNAL_HEAD, &r);

    if (!q)
        return r;
    r = sql_step(q);
    if (r == 0)
        r = -EUCLEAN;
    if (r > 0)
        r = sql_get_number(q, 0, 0, INT64_MAX - 1, &seq);
    if (r >= 0)
        r = sql_get_bytes(q, 1, head.bytes, sizeof(head.bytes), sizeof(head.bytes), NULL);
    (void)sqlite3_reset(q);
    if (r < 0)
        return r;
    *ret_seq = (uint64_t)seq;
    *ret = head;
    return 0;
}

int hub_journal_sequence(struct hub_store *s, uint64_t *ret)
{
    struct digest head;

    return read_head(s, ret, &head);
}

static int insert(struct hub_store *s, const struct hub_record *record)
{
    int r = 0;
    sqlite3_stmt *q = hub_query(s, HUB_JOURNAL_ADD, &r);

    if (!q)
        return r;
    sql_bind_number(q, 1, (int64_t)record->seq, &r);
    sql_bind_number(q, 2, record->at_us, &r);
    sql_bind_text(q, 3, record->who, &r);
    sql_bind_text(q, 4, record->what, &r);
    sql_bind_text(q, 5, record->object, &r);
    sql_bind_text(q, 6, record->details, &r);
    sql_bind_bytes(q, 7, record->hash.bytes, sizeof(record->hash.bytes), &r);
    r = sql_change(s->db, q, r, 1);
    if (r < 0)
        return r;
    q = hub_query(s, HUB_JOURNAL_TURN, &r);
    if (!q)
        return r;
    sql_bind_number(q, 1, (int64_t)record->seq, &r);
    sql_bind_bytes(q, 2, record->hash.bytes, sizeof(record->hash.bytes), &r);
    return sql_change(s->db, q, r, 1);
}

int hub_journal_add(struct hub_store *s, const struct hub_actor *actor, const char *what, const char *object,
                    const char *details)
{
    struct hub_record record = {
        .at_us = actor->now_us, .who = actor->name, .what = what, .object = object, .details = details ? details : ""};
    struct digest before;
    int r;

    if (sqlite3_get_autocommit(s->db))
        return -EINVAL;
    r = read_head(s, &record.seq, &before);
    record.seq++;
    if (r >= 0)
        r = hash_record(&before, &record, &record.hash);
    return r < 0 ? r : insert(s, &record);
}

int hub_journal_add_json(struct hub_store *s, const struct hub_actor *actor, const char *what, const char *object,
                         json_t *details)
{
    _cleanup_free_ char *text = NULL;
    int r = details ? whole_text(details, JSON_COMPACT | JSON_SORT_KEYS, &text) : -ENOMEM;

    json_decref(details);
    return r < 0 ? r : hub_journal_add(s, actor, what, object, text);
}

/* The texts live until the next step. */
static int read_record(sqlite3_stmt *q, struct hub_record *ret)
{
    const char **const texts[] = {&ret->who, &ret->what, &ret->object, &ret->details};
    int64_t seq = 0;
    int r = sql_get_number(q, 0, 1, INT64_MAX, &seq);

    if (r >= 0)
        r = sql_get_number(q, 1, INT64_MIN, INT64_MAX, &ret->at_us);
    ret->seq = (uint64_t)seq;
    for (int i = 0; r >= 0 && i < (int)ELEMENTS(texts); i++) {
        *texts[i] = (const char *)sqlite3_column_text(q, 2 + i);
        if (!*texts[i] || strlen(*texts[i]) != (size_t)sqlite3_column_bytes(q, 2 + i))
            r = -EUCLEAN;
    }
    return r < 0 ? r : sql_get_bytes(q, 6, ret->hash.bytes, sizeof(ret->hash.bytes), sizeof(ret->hash.bytes), NULL);
}

struct walk {
    uint64_t seq;
    struct digest head;
};

static int walk_one(sqlite3_stmt *q, struct walk *w, int (*each)(void *context, const struct hub_record *record),
                    void *context)
{
    struct hub_record record = {0};
    struct digest hash;
    int r = read_record(q, &record);

    if (r < 0)
        return r == -EUCLEAN ? HUB_JOURNAL_BROKEN : r;
    r = hash_record(&w->head, &record, &hash);
    if (r < 0)
        return r;
    if (record.seq != w->seq + 1 || !digest_equal(&hash, &record.hash))
        return HUB_JOURNAL_BROKEN;
    w->seq = record.seq;
    w->head = hash;
    return each ? each(context, &record) : 0;
}

static int walk_all(struct hub_store *s, struct walk *w, int (*each)(void *context, const struct hub_record *record),
                    void *context)
{
    struct walk end;
    int r = 0, result = HUB_JOURNAL_WHOLE;
    sqlite3_stmt *q = hub_query(s, HUB_JOURNAL_EACH, &r);

    if (!q)
        return r;
    while (result == HUB_JOURNAL_WHOLE && (r = sql_step(q)) > 0)
        result = walk_one(q, w, each, context);
    (void)sqlite3_reset(q);
    if (r < 0 || result != HUB_JOURNAL_WHOLE)
        return r < 0 ? r : result;
    r = read_head(s, &end.seq, &end.head);
    if (r < 0)
        return r;
    if (w->seq < end.seq)
        return HUB_JOURNAL_SHORT;
    return w->seq == end.seq && digest_equal(&w->head, &end.head) ? HUB_JOURNAL_WHOLE : HUB_JOURNAL_BROKEN;
}

int hub_journal_walk(struct hub_store *s, int (*each)(void *context, const struct hub_record *record), void *context,
                     uint64_t *ret_seq, struct digest *ret_head)
{
    struct walk w = {0};
    bool inside = !sqlite3_get_autocommit(s->db);
    int r = inside ? 0 : sql_run(s->db, "BEGIN"); /* one moment of records and head */

    if (r >= 0)
        r = walk_all(s, &w, each, context);
    if (!inside)
        hub_store_rollback(s);
    if (r < 0)
        return r;
    *ret_seq = w.seq;
    *ret_head = w.head;
    return r;
}
