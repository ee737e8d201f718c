/*
 * Owns: alarms and how they end.
 * Must not: forget one, or decide what is one.
 */
#include "hub/store/alarms.h"

#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <string.h>

#include "hub/store/internal.h"
#include "hub/store/journal.h"

/* 1 changed, 0 not. */
static int change(struct hub_store *s, enum hub_query what, int64_t now_us, const char *kind, const char *terminal)
{
    int r = 0;
    sqlite3_stmt *q = hub_query(s, what, &r);

    if (!q)
        return r;
    sql_bind_text(q, 1, kind, &r);
    sql_bind_text(q, 2, terminal ? terminal : "", &r);
    sql_bind_number(q, 3, now_us, &r);
    return hub_change(s, q, r);
}

static int add(struct hub_store *s, int64_t now_us, const char *kind, const char *terminal, const char *details)
{
    int r = 0;
    sqlite3_stmt *q = hub_query(s, HUB_ALARM_ADD, &r);

    if (!q)
        return r;
    sql_bind_text(q, 1, kind, &r);
    sql_bind_text(q, 2, terminal ? terminal : "", &r);
    sql_bind_number(q, 3, now_us, &r);
    sql_bind_text(q, 4, details && strlen(details) <= HUB_ALARM_DETAILS_MAX ? details : "", &r);
    return sql_change(s->db, q, r, 1);
}

int hub_alarm_raise(struct hub_store *s, int64_t now_us, const char *kind, const char *terminal, const char *details)
{
    int r = change(s, HUB_ALARM_AGAIN, now_us, kind, terminal);

    if (r != 0)
        return r < 0 ? r : 0;
    r = add(s, now_us, kind, terminal, details);
    return r < 0 ? r : 1;
}

int hub_alarm_is_open(struct hub_store *s, const char *kind, const char *terminal)
{
    int r = 0;
    sqlite3_stmt *q = hub_query(s, HUB_ALARM_FIND, &r);

    if (!q)
        return r;
    sql_bind_text(q, 1, kind, &r);
    sql_bind_text(q, 2, terminal ? terminal : "", &r);
    if (r >= 0)
        r = sql_step(q);
    (void)sqlite3_reset(q);
    return r;
}

int hub_alarm_over(struct hub_store *s, int64_t now_us, const char *kind, const char *terminal)
{
    return change(s, HUB_ALARM_OVER, now_us, kind, terminal);
}

static int close_one(struct hub_store *s, const struct hub_actor *actor, uint64_t number)
{
    char object[24];
    int r = 0;
    sqlite3_stmt *q = hub_query(s, HUB_ALARM_CLOSE, &r);

    if (!q)
        return r;
    sql_bind_number(q, 1, (int64_t)number, &r);
    sql_bind_number(q, 2, actor->now_us, &r);
    sql_bind_text(q, 3, actor->name, &r);
    r = hub_change(s, q, r);
    if (r <= 0)
        return r < 0 ? r : -ENOENT;
    (void)snprintf(object, sizeof(object), "%" PRIu64, number);
    return hub_journal_add(s, actor, "alarm-close", object, NULL);
}

int hub_alarm_close(struct hub_store *s, const struct hub_actor *actor, uint64_t number)
{
    int r;

    if (number > INT64_MAX)
        return 0;
    r = hub_store_begin(s);
    if (r >= 0)
        r = hub_store_finish(s, close_one(s, actor, number));
    return r == -ENOENT ? 0 : r < 0 ? r : 1;
}

static int read_alarm(sqlite3_stmt *q, struct hub_alarm *ret)
{
    int64_t number = 0, count = 0;
    int r = sql_get_number(q, 0, 1, INT64_MAX, &number);

    if (r >= 0)
        r = sql_get_text(q, 1, ret->kind, sizeof(ret->kind));
    if (r >= 0)
        r = sql_get_text(q, 2, ret->terminal, sizeof(ret->terminal));
    if (r >= 0)
        r = sql_get_number(q, 3, INT64_MIN, INT64_MAX, &ret->first_us);
    if (r >= 0)
        r = sql_get_number(q, 4, INT64_MIN, INT64_MAX, &ret->last_us);
    if (r >= 0)
        r = sql_get_number(q, 5, 1, INT64_MAX, &count);
    if (r >= 0)
        r = sql_get_text(q, 6, ret->details, sizeof(ret->details));
    if (r >= 0)
        r = hub_get_time(q, 7, &ret->closed_us);
    ret->number = (uint64_t)number;
    ret->count = (uint64_t)count;
    return r < 0 ? r : hub_get_text(q, 8, ret->closed_by, sizeof(ret->closed_by));
}

int hub_alarm_each(struct hub_store *s, bool all, int (*each)(void *context, const struct hub_alarm *alarm),
                   void *context)
{
    int r = 0;
    sqlite3_stmt *q = hub_query(s, HUB_ALARM_EACH, &r);

    if (!q)
        return r;
    sql_bind_number(q, 1, all, &r);
    while (r >= 0 && (r = sql_step(q)) > 0) {
        struct hub_alarm a = {0};

        r = read_alarm(q, &a);
        if (r >= 0)
            r = each(context, &a);
        if (r < 0)
            break;
    }
    (void)sqlite3_reset(q);
    return r;
}
