/*
 * Owns: the rows of mfa.db, one prepared statement each.
 * Must not: begin or end a transaction, or take a value of the file for good: what is out of range is damage.
 */
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "mfa/store_internal.h"

#define CREDENTIAL                                                                                                     \
    "SELECT record, uid, name, algorithm, digits, period, nonce, secret, step, failures, failed_wall,"                 \
    " failed_boottime, failed_boot, seen, skew_step, skew_from, created, used, imported,"                              \
    " (SELECT count(*) FROM recovery WHERE recovery.record = credential.record) FROM credential "

static const char *const queries[QUERY_COUNT_] = {
    [QUERY_LOAD] = CREDENTIAL "WHERE uid = ?1",
    [QUERY_EACH] = CREDENTIAL "ORDER BY uid",
    [QUERY_SAVE_STATE] = "UPDATE credential SET step = ?2, failures = ?3, failed_wall = ?4, failed_boottime = ?5,"
                         " failed_boot = ?6, seen = ?7, skew_step = ?8, skew_from = ?9, used = ?10 WHERE record = ?1",
    [QUERY_SAVE_SECRET] = "UPDATE credential SET nonce = ?2, secret = ?3 WHERE record = ?1",
    [QUERY_INSERT] = "INSERT INTO credential(uid, name, algorithm, digits, period, nonce, secret, step, failures,"
                     " failed_wall, failed_boottime, failed_boot, seen, skew_step, skew_from, created, used, imported)"
                     " VALUES(?1, ?2, ?3, ?4, ?5, x'', x'', ?6, 0, 0, 0, '', ?7, 0, 0, ?8, 0, ?9)",
    [QUERY_REMOVE] = "DELETE FROM credential WHERE record = ?1",
    [QUERY_RECOVERY_CLEAR] = "DELETE FROM recovery WHERE record = ?1",
    [QUERY_RECOVERY_ADD] = "INSERT INTO recovery VALUES(?1, ?2, ?3, ?4)",
    [QUERY_RECOVERY_LOAD] = "SELECT number, salt, hash FROM recovery WHERE record = ?1 ORDER BY number",
    [QUERY_RECOVERY_USE] = "DELETE FROM recovery WHERE record = ?1 AND number = ?2",
    [QUERY_GRACE_LOAD] = "SELECT since, seen FROM grace WHERE uid = ?1",
    [QUERY_GRACE_SAVE] = "INSERT INTO grace VALUES(?1, ?2, ?3) ON CONFLICT(uid) DO UPDATE SET since = ?2, seen = ?3",
    [QUERY_GRACE_FORGET] = "DELETE FROM grace WHERE uid = ?1",
    [QUERY_KEY_LOAD] = "SELECT key FROM store WHERE one = ?1",
    [QUERY_TURN_LOAD] = "SELECT id, turn FROM store WHERE one = ?1",
    [QUERY_TURN_NEXT] = "UPDATE store SET turn = turn + 1 WHERE one = 1",
    [QUERY_TURN_VOID_STEPS] = "UPDATE credential SET step = max(step, ?1 / 1000000 / period), skew_from = 0",
    [QUERY_TURN_VOID_RECOVERY] = "DELETE FROM recovery",
    [QUERY_TURN_SET] = "UPDATE store SET turn = ?1 WHERE one = 1",
    [QUERY_KEY_SAVE] = "UPDATE store SET key = ?1 WHERE one = 1",
};

static sqlite3_stmt *prepare(struct store *s, enum query q, int *ret)
{
    return sql_prepare(s->db, &s->statements[q], queries[q], ret);
}

/* The first row with this number: 1, 0 there is none. *ret is to be reset by the caller, NULL or not. */
static int find_row(struct store *s, enum query what, int64_t number, sqlite3_stmt **ret)
{
    int r = 0;
    sqlite3_stmt *q = prepare(s, what, &r);

    *ret = q;
    if (!q)
        return r;
    sql_bind_number(q, 1, number, &r);
    return r < 0 ? r : sql_step(q);
}

/* --- credentials --- */

static int read_record(sqlite3_stmt *q, struct record *ret)
{
    /* By column; those that are text or bytes stay 0. */
    static const struct {
        int64_t minimum, maximum;
    } ranges[] = {
        {1, INT64_MAX},
        {0, UINT32_MAX - 1},
        {0, 0},
        {0, TOTP_ALGORITHM_COUNT_ - 1},
        {6, 8},
        {10, 300},
        {0, 0},
        {0, 0},
        {0, INT64_MAX},
        {0, UINT32_MAX},
        {INT64_MIN, INT64_MAX},
        {0, INT64_MAX},
        {0, 0},
        {INT64_MIN, INT64_MAX},
        {0, INT64_MAX},
        {0, INT64_MAX},
        {INT64_MIN, INT64_MAX},
        {INT64_MIN, INT64_MAX},
        {0, 1},
        {0, MFA_RECOVERY_COUNT},
    };
    struct record c = {0};
    int64_t n[ELEMENTS(ranges)] = {0};
    int r = 0;

    for (int i = 0; i < (int)ELEMENTS(ranges) && r >= 0; i++)
        if (ranges[i].minimum != ranges[i].maximum)
            r = sql_get_number(q, i, ranges[i].minimum, ranges[i].maximum, &n[i]);
    if (r >= 0)
        r = sql_get_text(q, 2, c.name, sizeof(c.name));
    if (r >= 0)
        r = sql_get_bytes(q, 6, c.secret.nonce, sizeof(c.secret.nonce), sizeof(c.secret.nonce), NULL);
    if (r >= 0)
        r = sql_get_bytes(q, 7, c.secret.bytes, 1, sizeof(c.secret.bytes), &c.secret.size);
    if (r >= 0)
        r = sql_get_text(q, 12, c.failed_boot, sizeof(c.failed_boot));
    if (r < 0)
        return r;
    c.record = (uint64_t)n[0];
    c.uid = (uid_t)n[1];
    c.settings = (struct totp_settings){(enum totp_algorithm)n[3], (unsigned)n[4], (unsigned)n[5]};
    c.step = (uint64_t)n[8];
    c.failures = (unsigned)n[9];
    c.failed_wall_us = n[10];
    c.failed_boottime_us = (uint64_t)n[11];
    c.seen_us = n[13];
    c.skew_step = (uint64_t)n[14];
    c.skew_from = (uint64_t)n[15];
    c.created_us = n[16];
    c.used_us = n[17];
    c.imported = n[18] != 0;
    c.recovery_left = (unsigned)n[19];
    *ret = c;
    return 0;
}

int store_load(struct store *s, uid_t uid, struct record *ret)
{
    sqlite3_stmt *q = NULL;
    int r = find_row(s, QUERY_LOAD, uid, &q);

    if (r > 0) {
        r = read_record(q, ret);
        r = r < 0 ? r : ret->uid == uid ? 1 : -EUCLEAN;
    }
    (void)sqlite3_reset(q);
    return r;
}

int store_each(struct store *s, int (*each)(void *context, const struct record *r), void *context)
{
    int r = 0;
    sqlite3_stmt *q = prepare(s, QUERY_EACH, &r);
    struct record record;

    if (!q)
        return r;
    while ((r = sql_step(q)) > 0) {
        r = read_record(q, &record);
        if (r >= 0)
            r = each(context, &record);
        if (r < 0)
            break;
    }
    (void)sqlite3_reset(q);
    return r;
}

int store_save_state(struct store *s, const struct record *c)
{
    int r = 0;
    sqlite3_stmt *q = prepare(s, QUERY_SAVE_STATE, &r);

    if (!q)
        return r;
    sql_bind_number(q, 1, (int64_t)c->record, &r);
    sql_bind_number(q, 2, (int64_t)c->step, &r);
    sql_bind_number(q, 3, c->failures, &r);
    sql_bind_number(q, 4, c->failed_wall_us, &r);
    sql_bind_number(q, 5, (int64_t)c->failed_boottime_us, &r);
    sql_bind_text(q, 6, c->failed_boot, &r);
    sql_bind_number(q, 7, c->seen_us, &r);
    sql_bind_number(q, 8, (int64_t)c->skew_step, &r);
    sql_bind_number(q, 9, (int64_t)c->skew_from, &r);
    sql_bind_number(q, 10, c->used_us, &r);
    return sql_change(s->db, q, r, 1);
}

int store_save_secret(struct store *s, const struct record *c)
{
    int r = 0;
    sqlite3_stmt *q = prepare(s, QUERY_SAVE_SECRET, &r);

    if (!q)
        return r;
    sql_bind_number(q, 1, (int64_t)c->record, &r);
    sql_bind_bytes(q, 2, c->secret.nonce, sizeof(c->secret.nonce), &r);
    sql_bind_bytes(q, 3, c->secret.bytes, c->secret.size, &r);
    return sql_change(s->db, q, r, 1);
}

int store_insert(struct store *s, struct record *c)
{
    int r = 0;
    sqlite3_stmt *q = prepare(s, QUERY_INSERT, &r);

    if (!q)
        return r;
    sql_bind_number(q, 1, c->uid, &r);
    sql_bind_text(q, 2, c->name, &r);
    sql_bind_number(q, 3, c->settings.algorithm, &r);
    sql_bind_number(q, 4, c->settings.digits, &r);
    sql_bind_number(q, 5, c->settings.period, &r);
    sql_bind_number(q, 6, (int64_t)c->step, &r);
    sql_bind_number(q, 7, c->seen_us, &r);
    sql_bind_number(q, 8, c->created_us, &r);
    sql_bind_number(q, 9, c->imported, &r);
    r = sql_change(s->db, q, r, 1);
    if (r >= 0)
        c->record = (uint64_t)sqlite3_last_insert_rowid(s->db);
    return r;
}

static int change_by_number(struct store *s, enum query what, int64_t number, int rows)
{
    int r = 0;
    sqlite3_stmt *q = prepare(s, what, &r);

    if (!q)
        return r;
    sql_bind_number(q, 1, number, &r);
    return sql_change(s->db, q, r, rows);
}

int store_remove(struct store *s, uint64_t record)
{
    return change_by_number(s, QUERY_REMOVE, (int64_t)record, 1);
}

/* --- recovery codes --- */

static int add_hash(struct store *s, uint64_t record, int number, const struct recovery_hashes *h)
{
    int r = 0;
    sqlite3_stmt *q = prepare(s, QUERY_RECOVERY_ADD, &r);

    if (!q)
        return r;
    sql_bind_number(q, 1, (int64_t)record, &r);
    sql_bind_number(q, 2, number, &r);
    sql_bind_bytes(q, 3, h->salt, sizeof(h->salt), &r);
    sql_bind_bytes(q, 4, h->hashes[number], sizeof(h->hashes[number]), &r);
    return sql_change(s->db, q, r, 1);
}

int store_recovery_replace(struct store *s, uint64_t record, const struct recovery_hashes *h)
{
    int r = change_by_number(s, QUERY_RECOVERY_CLEAR, (int64_t)record, -1);

    for (int i = 0; r >= 0 && i < MFA_RECOVERY_COUNT; i++)
        r = add_hash(s, record, i, h);
    return r;
}

int store_recovery_load(struct store *s, uint64_t record, struct recovery_hashes *ret)
{
    struct recovery_hashes h = {0};
    int r = 0;
    sqlite3_stmt *q = prepare(s, QUERY_RECOVERY_LOAD, &r);

    if (!q)
        return r;
    memset(h.used, true, sizeof(h.used));
    sql_bind_number(q, 1, (int64_t)record, &r);
    while (r >= 0 && (r = sql_step(q)) > 0) {
        int64_t number = 0;

        r = sql_get_number(q, 0, 0, MFA_RECOVERY_COUNT - 1, &number);
        if (r >= 0)
            r = sql_get_bytes(q, 1, h.salt, sizeof(h.salt), sizeof(h.salt), NULL);
        if (r >= 0)
            r = sql_get_bytes(q, 2, h.hashes[number], RECOVERY_HASH_SIZE, RECOVERY_HASH_SIZE, NULL);
        if (r >= 0)
            h.used[number] = false;
    }
    (void)sqlite3_reset(q);
    if (r >= 0)
        *ret = h;
    return r;
}

int store_recovery_use(struct store *s, uint64_t record, unsigned number)
{
    int r = 0;
    sqlite3_stmt *q = prepare(s, QUERY_RECOVERY_USE, &r);

    if (!q)
        return r;
    sql_bind_number(q, 1, (int64_t)record, &r);
    sql_bind_number(q, 2, number, &r);
    return sql_change(s->db, q, r, 1);
}

/* --- grace --- */

int store_grace_load(struct store *s, uid_t uid, int64_t *ret_since_us, int64_t *ret_seen_us)
{
    sqlite3_stmt *q = NULL;
    int r = find_row(s, QUERY_GRACE_LOAD, uid, &q);

    if (r > 0) {
        *ret_since_us = sqlite3_column_int64(q, 0);
        *ret_seen_us = sqlite3_column_int64(q, 1);
    }
    (void)sqlite3_reset(q);
    return r;
}

int store_grace_save(struct store *s, uid_t uid, int64_t since_us, int64_t seen_us)
{
    int r = 0;
    sqlite3_stmt *q = prepare(s, QUERY_GRACE_SAVE, &r);

    if (!q)
        return r;
    sql_bind_number(q, 1, uid, &r);
    sql_bind_number(q, 2, since_us, &r);
    sql_bind_number(q, 3, seen_us, &r);
    return sql_change(s->db, q, r, 1);
}

int store_grace_forget(struct store *s, uid_t uid)
{
    return change_by_number(s, QUERY_GRACE_FORGET, uid, -1);
}

/* --- the key's name --- */

int store_key_load(struct store *s, struct key_id *ret)
{
    sqlite3_stmt *q = NULL;
    int r = find_row(s, QUERY_KEY_LOAD, 1, &q);

    if (r == 0)
        r = -EUCLEAN; /* the row is always there */
    if (r > 0 && sqlite3_column_type(q, 0) == SQLITE_NULL)
        r = 0;
    else if (r > 0)
        r = sql_get_bytes(q, 0, ret->bytes, sizeof(ret->bytes), sizeof(ret->bytes), NULL) < 0 ? -EUCLEAN : 1;
    (void)sqlite3_reset(q);
    return r;
}

int store_key_save(struct store *s, const struct key_id *id)
{
    int r = 0;
    sqlite3_stmt *q = prepare(s, QUERY_KEY_SAVE, &r);

    if (!q)
        return r;
    sql_bind_bytes(q, 1, id->bytes, sizeof(id->bytes), &r);
    return sql_change(s->db, q, r, 1);
}

/* --- the turn --- */

int store_turn_load(struct store *s, struct mfa_turn *ret)
{
    struct mfa_turn turn = {0};
    int64_t number = 0;
    sqlite3_stmt *q = NULL;
    int r = find_row(s, QUERY_TURN_LOAD, 1, &q);

    if (r > 0)
        r = sql_get_bytes(q, 0, turn.store, sizeof(turn.store), sizeof(turn.store), NULL);
    else if (r == 0)
        r = -EUCLEAN;
    if (r >= 0)
        r = sql_get_number(q, 1, 0, INT64_MAX, &number);
    (void)sqlite3_reset(q);
    turn.number = (uint64_t)number;
    if (r >= 0)
        *ret = turn;
    return r;
}

int store_turn_next(struct store *s)
{
    int r = 0;
    sqlite3_stmt *q = prepare(s, QUERY_TURN_NEXT, &r);

    return q ? sql_change(s->db, q, r, 1) : r;
}

int store_turn_take_up(struct store *s, uint64_t number, int64_t wall_us)
{
    int r = change_by_number(s, QUERY_TURN_VOID_STEPS, wall_us, -1);
    sqlite3_stmt *q;

    if (r < 0)
        return r;
    q = prepare(s, QUERY_TURN_VOID_RECOVERY, &r);
    if (q)
        r = sql_change(s->db, q, r, -1);
    return r < 0 ? r : change_by_number(s, QUERY_TURN_SET, (int64_t)number, 1);
}
