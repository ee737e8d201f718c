/*
 * Owns: the newest report of each terminal, and when it was heard.
 * Must not: judge one; that is hub/rollout/intake.c.
 */
#include "hub/store/reports.h"

#include "hub/store/internal.h"
#include "policy/fleet/statement.h"

static void bind_optional(sqlite3_stmt *q, int at, bool there, const struct digest *digest, int *r)
{
    if (there)
        sql_bind_bytes(q, at, digest->bytes, DIGEST_SIZE, r);
}

int hub_report_set(struct hub_store *s, const struct hub_report *p, const void *envelope, size_t size)
{
    int r = 0;
    sqlite3_stmt *q = hub_query(s, HUB_REPORT_SET, &r);

    if (!q)
        return r;
    sql_bind_text(q, 1, p->terminal, &r);
    sql_bind_number(q, 2, p->received_us, &r);
    bind_optional(q, 3, p->has_policy, &p->policy, &r);
    sql_bind_number(q, 4, (int64_t)p->policy_version, &r);
    sql_bind_text(q, 5, p->policy_name, &r);
    bind_optional(q, 6, p->has_bundle, &p->bundle, &r);
    sql_bind_number(q, 7, p->failed, &r);
    sql_bind_text(q, 8, p->reason, &r);
    sql_bind_text(q, 9, p->head_group, &r);
    sql_bind_number(q, 10, (int64_t)p->head_version, &r);
    sql_bind_number(q, 11, (int64_t)p->journal_sequence, &r);
    sql_bind_bytes(q, 12, p->journal_hash.bytes, DIGEST_SIZE, &r);
    sql_bind_number(q, 13, (int64_t)p->membership, &r);
    sql_bind_text(q, 14, p->agent, &r);
    sql_bind_bytes(q, 15, envelope, size, &r);
    return sql_change(s->db, q, r, 1);
}

static int read_digest(sqlite3_stmt *q, int at, bool *ret_there, struct digest *ret)
{
    *ret_there = sqlite3_column_type(q, at) != SQLITE_NULL;
    return *ret_there ? sql_get_bytes(q, at, ret->bytes, DIGEST_SIZE, DIGEST_SIZE, NULL) : 0;
}

static int read_counter(sqlite3_stmt *q, int at, uint64_t *ret)
{
    int64_t n = 0;
    int r = sql_get_number(q, at, 0, INT64_MAX, &n);

    *ret = (uint64_t)n;
    return r;
}

static int read_texts(sqlite3_stmt *q, struct hub_report *p)
{
    const struct {
        int at;
        char *text;
    } texts[] = {{0, NULL}, {4, p->policy_name}, {7, p->reason}, {8, p->head_group}, {13, p->agent}};
    int r = sql_get_text(q, 0, p->terminal, sizeof(p->terminal));

    for (size_t i = 1; r >= 0 && i < ELEMENTS(texts); i++)
        r = sql_get_text(q, texts[i].at, texts[i].text, FLEET_TEXT_SIZE);
    return r;
}

static int read_report(sqlite3_stmt *q, struct hub_report *p)
{
    uint64_t failed = 0;
    int r = read_texts(q, p);

    if (r >= 0)
        r = sql_get_number(q, 1, INT64_MIN, INT64_MAX, &p->received_us);
    if (r >= 0)
        r = read_digest(q, 2, &p->has_policy, &p->policy);
    if (r >= 0)
        r = read_counter(q, 3, &p->policy_version);
    if (r >= 0)
        r = read_digest(q, 5, &p->has_bundle, &p->bundle);
    if (r >= 0)
        r = read_counter(q, 6, &failed);
    if (r >= 0)
        r = read_counter(q, 9, &p->head_version);
    if (r >= 0)
        r = read_counter(q, 10, &p->journal_sequence);
    if (r >= 0)
        r = sql_get_bytes(q, 11, p->journal_hash.bytes, DIGEST_SIZE, DIGEST_SIZE, NULL);
    p->failed = failed != 0;
    return r < 0 ? r : read_counter(q, 12, &p->membership);
}

int hub_report_get(struct hub_store *s, const char *terminal, struct hub_report *ret, uint8_t **ret_envelope,
                   size_t *ret_size)
{
    struct hub_report p = {0};
    int r = 0;
    sqlite3_stmt *q = hub_query(s, HUB_REPORT_GET, &r);

    if (!q)
        return r;
    sql_bind_text(q, 1, terminal, &r);
    if (r >= 0)
        r = sql_step(q);
    if (r > 0) {
        r = read_report(q, &p);
        if (r >= 0 && ret_envelope)
            r = hub_get_envelope(q, 14, FLEET_ENVELOPE_MAX, ret_envelope, ret_size);
        if (r >= 0)
            *ret = p;
        r = r < 0 ? r : 1;
    }
    (void)sqlite3_reset(q);
    return r;
}

int hub_contact_set(struct hub_store *s, const char *terminal, int64_t now_us)
{
    int r = 0;
    sqlite3_stmt *q = hub_query(s, HUB_CONTACT_SET, &r);

    if (!q)
        return r;
    sql_bind_text(q, 1, terminal, &r);
    sql_bind_number(q, 2, now_us, &r);
    return sql_change(s->db, q, r, -1);
}

int hub_contact_get(struct hub_store *s, const char *terminal, int64_t *ret_us)
{
    int64_t at = 0;
    int r = 0;
    sqlite3_stmt *q = hub_query(s, HUB_CONTACT_GET, &r);

    if (!q)
        return r;
    sql_bind_text(q, 1, terminal, &r);
    if (r >= 0)
        r = sql_step(q);
    if (r > 0) {
        r = sql_get_number(q, 0, 0, INT64_MAX, &at);
        if (r >= 0 && at != 0)
            *ret_us = at;
        r = r < 0 ? r : at != 0;
    }
    (void)sqlite3_reset(q);
    return r;
}
