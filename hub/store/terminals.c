/*
 * Owns: terminals, and which groups each is in.
 * Must not: let one in: whoever calls has verified its request and its token.
 */
#include "hub/store/terminals.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>

#include "base/text.h"
#include "hub/store/groups.h"
#include "hub/store/internal.h"
#include "hub/store/journal.h"

static bool name_is_good(const char *name, size_t maximum)
{
    return *name && strlen(name) <= maximum && text_is_printable_utf8(name);
}

static bool is_good(const struct hub_terminal *t)
{
    return name_is_good(t->id, HUB_TERMINAL_ID_MAX) && name_is_good(t->name, sizeof(t->name) - 1) &&
           (!*t->serial || name_is_good(t->serial, HUB_SERIAL_MAX)) &&
           (!*t->host || name_is_good(t->host, sizeof(t->host) - 1));
}

static void bind_text_or_null(sqlite3_stmt *q, int at, const char *text, int *r)
{
    sql_bind_text(q, at, *text ? text : NULL, r);
}

/* Nothing bound is NULL. */
static void bind_time(sqlite3_stmt *q, int at, int64_t time_us, int *r)
{
    if (time_us != 0)
        sql_bind_number(q, at, time_us, r);
}

/* --- letting in --- */

/* 1 it was not there. */
static int insert(struct hub_store *s, const struct hub_terminal *t, const uint8_t *journal_key, const char *wire_key)
{
    int r = 0;
    sqlite3_stmt *q = hub_query(s, HUB_TERMINAL_ADD, &r);

    if (!q)
        return r;
    sql_bind_text(q, 1, t->id, &r);
    sql_bind_text(q, 2, t->name, &r);
    sql_bind_bytes(q, 3, journal_key, NKEY_RAW_SIZE, &r);
    sql_bind_text(q, 4, wire_key, &r);
    bind_text_or_null(q, 5, t->serial, &r);
    sql_bind_number(q, 6, t->enrolled_us, &r);
    sql_bind_text(q, 7, t->host, &r);
    sql_bind_number(q, 8, (int64_t)t->token, &r);
    bind_time(q, 9, t->approved_us, &r);
    return hub_change(s, q, r);
}

static int add_member(struct hub_store *s, const char *terminal, const char *group)
{
    int r = 0;
    sqlite3_stmt *q = hub_query(s, HUB_MEMBER_ADD, &r);

    if (!q)
        return r;
    sql_bind_text(q, 1, terminal, &r);
    sql_bind_text(q, 2, group, &r);
    return sql_change(s->db, q, r, 1);
}

static int clear_members(struct hub_store *s, const char *terminal)
{
    int r = 0;
    sqlite3_stmt *q = hub_query(s, HUB_MEMBER_CLEAR, &r);

    if (!q)
        return r;
    sql_bind_text(q, 1, terminal, &r);
    return sql_change(s->db, q, r, -1);
}

static int record(struct hub_store *s, const struct hub_actor *actor, const char *what, const struct hub_terminal *t,
                  const char *group)
{
    return hub_journal_add_json(s, actor, what, t->id,
                                json_pack("{s:s, s:s, s:s, s:s, s:I, s:b}", "name", t->name, "serial", t->serial,
                                          "host", t->host, "group", group, "token", (json_int_t)t->token, "waits",
                                          t->approved_us == 0));
}

/* HUB_TERMINAL_OK, and it may be stored. */
static int check(struct hub_store *s, const struct hub_terminal *t, const char *group)
{
    int r;

    if (sqlite3_get_autocommit(s->db) || t->token > INT64_MAX)
        return -EINVAL;
    if (!is_good(t))
        return HUB_TERMINAL_E_NAME;
    r = hub_group_exists(s, group);
    return r < 0 ? r : r ? HUB_TERMINAL_OK : HUB_TERMINAL_E_GROUP;
}

int hub_terminal_add(struct hub_store *s, const struct hub_actor *actor, const struct hub_terminal *t,
                     const uint8_t journal_key[static NKEY_RAW_SIZE], const char *wire_key, const char *group)
{
    int r = check(s, t, group);

    if (r != HUB_TERMINAL_OK)
        return r;
    r = insert(s, t, journal_key, wire_key);
    if (r <= 0)
        return r < 0 ? r : HUB_TERMINAL_E_EXISTS;
    r = add_member(s, t->id, group);
    return r < 0 ? r : record(s, actor, "terminal-enrol", t, group);
}

/* 1 it has another key now. */
static int update(struct hub_store *s, const struct hub_terminal *t, const char *wire_key)
{
    int r = 0;
    sqlite3_stmt *q = hub_query(s, HUB_TERMINAL_AGAIN, &r);

    if (!q)
        return r;
    sql_bind_text(q, 1, t->id, &r);
    sql_bind_text(q, 2, wire_key, &r);
    bind_text_or_null(q, 3, t->serial, &r);
    sql_bind_text(q, 4, t->host, &r);
    sql_bind_number(q, 5, (int64_t)t->token, &r);
    bind_time(q, 6, t->approved_us, &r);
    return hub_change(s, q, r);
}

int hub_terminal_again(struct hub_store *s, const struct hub_actor *actor, const struct hub_terminal *t,
                       const char *wire_key, const char *group)
{
    int r = check(s, t, group);

    if (r != HUB_TERMINAL_OK)
        return r;
    r = update(s, t, wire_key);
    if (r <= 0)
        return r < 0 ? r : HUB_TERMINAL_E_EXISTS;
    r = clear_members(s, t->id);
    if (r >= 0)
        r = add_member(s, t->id, group);
    return r < 0 ? r : record(s, actor, "terminal-enrol-again", t, group);
}

/* --- the same machine anew --- */

/* 1 and the next one, 0 there is none. */
static int find_older(struct hub_store *s, const struct hub_terminal *successor, char *ret, size_t size)
{
    int r = 0;
    sqlite3_stmt *q = hub_query(s, HUB_TERMINAL_OLDER, &r);

    if (!q)
        return r;
    sql_bind_text(q, 1, successor->id, &r);
    bind_text_or_null(q, 2, successor->serial, &r);
    bind_text_or_null(q, 3, successor->host, &r);
    if (r >= 0)
        r = sql_step(q);
    if (r > 0) {
        r = sql_get_text(q, 0, ret, size);
        r = r < 0 ? r : 1;
    }
    (void)sqlite3_reset(q);
    return r;
}

static int supersede(struct hub_store *s, const struct hub_actor *actor, const char *id, const char *successor)
{
    int r = 0;
    sqlite3_stmt *q = hub_query(s, HUB_TERMINAL_SUPERSEDE, &r);

    if (!q)
        return r;
    sql_bind_text(q, 1, id, &r);
    sql_bind_text(q, 2, successor, &r);
    r = sql_change(s->db, q, r, 1);
    if (r < 0)
        return r;
    return hub_journal_add_json(s, actor, "terminal-supersede", id, json_pack("{s:s}", "successor", successor));
}

int hub_terminal_supersede(struct hub_store *s, const struct hub_actor *actor, const struct hub_terminal *successor)
{
    char id[HUB_TERMINAL_ID_MAX + 1];
    int n = 0, r;

    if (sqlite3_get_autocommit(s->db))
        return -EINVAL;
    while ((r = find_older(s, successor, id, sizeof(id))) > 0) {
        r = supersede(s, actor, id, successor->id);
        if (r < 0)
            return r;
        n++;
    }
    return r < 0 ? r : n;
}

/* --- a person's word --- */

static int turn(struct hub_store *s, const struct hub_actor *actor, const char *id, enum hub_query what,
                const char *record_name)
{
    int r = 0;
    sqlite3_stmt *q = hub_query(s, what, &r);

    if (!q)
        return r;
    sql_bind_text(q, 1, id, &r);
    sql_bind_number(q, 2, actor->now_us, &r);
    r = hub_change(s, q, r);
    if (r <= 0)
        return r < 0 ? r : HUB_TERMINAL_E_UNKNOWN;
    return hub_journal_add(s, actor, record_name, id, NULL);
}

/* Whose machine it is counts from when a person has let it in. */
static int approve(struct hub_store *s, const struct hub_actor *actor, const char *id)
{
    struct hub_terminal t;
    int r = turn(s, actor, id, HUB_TERMINAL_APPROVE, "terminal-approve");

    if (r != HUB_TERMINAL_OK)
        return r;
    r = hub_terminal_get(s, id, &t, NULL);
    if (r > 0)
        r = hub_terminal_supersede(s, actor, &t);
    return r < 0 ? r : HUB_TERMINAL_OK;
}

int hub_terminal_approve(struct hub_store *s, const struct hub_actor *actor, const char *id)
{
    int r = hub_store_begin(s);

    return r < 0 ? r : hub_store_finish(s, approve(s, actor, id));
}

int hub_terminal_revoke(struct hub_store *s, const struct hub_actor *actor, const char *id)
{
    int r = hub_store_begin(s);

    return r < 0 ? r : hub_store_finish(s, turn(s, actor, id, HUB_TERMINAL_REVOKE, "terminal-revoke"));
}

/* --- looking --- */

static int read_groups(struct hub_store *s, const char *terminal, struct hub_terminal_groups *ret)
{
    size_t n = 0;
    int r = 0;
    sqlite3_stmt *q = hub_query(s, HUB_MEMBER_EACH, &r);

    if (!q)
        return r;
    sql_bind_text(q, 1, terminal, &r);
    while (r >= 0 && n < HUB_TERMINAL_GROUPS_MAX && (r = sql_step(q)) > 0) {
        r = sql_get_text(q, 0, ret->names[n], sizeof(ret->names[n]));
        if (r >= 0) {
            ret->list[n] = ret->names[n];
            n++;
        }
    }
    ret->list[n] = NULL;
    (void)sqlite3_reset(q);
    return r < 0 ? r : 0;
}

static int read_terminal(sqlite3_stmt *q, struct hub_terminal *ret)
{
    int64_t token = 0;
    int r = sql_get_text(q, 0, ret->id, sizeof(ret->id));

    if (r >= 0)
        r = sql_get_text(q, 1, ret->name, sizeof(ret->name));
    if (r >= 0)
        r = hub_get_text(q, 2, ret->serial, sizeof(ret->serial));
    if (r >= 0)
        r = sql_get_number(q, 3, INT64_MIN, INT64_MAX, &ret->enrolled_us);
    if (r >= 0)
        r = hub_get_time(q, 4, &ret->revoked_us);
    if (r >= 0)
        r = sql_get_text(q, 5, ret->host, sizeof(ret->host));
    if (r >= 0)
        r = sql_get_number(q, 6, 0, INT64_MAX, &token);
    if (r >= 0)
        r = hub_get_time(q, 7, &ret->approved_us);
    if (r >= 0)
        r = hub_get_text(q, 8, ret->successor, sizeof(ret->successor));
    if (r >= 0)
        r = sql_get_bytes(q, 9, ret->journal_key, sizeof(ret->journal_key), sizeof(ret->journal_key), NULL);
    if (r >= 0)
        r = sql_get_text(q, 10, ret->wire_key, sizeof(ret->wire_key));
    ret->token = (uint64_t)token;
    return r;
}

int hub_terminal_get(struct hub_store *s, const char *id, struct hub_terminal *ret,
                     struct hub_terminal_groups *ret_groups)
{
    struct hub_terminal t = {0};
    int r = 0;
    sqlite3_stmt *q = hub_query(s, HUB_TERMINAL_GET, &r);

    if (!q)
        return r;
    sql_bind_text(q, 1, id, &r);
    if (r >= 0)
        r = sql_step(q);
    if (r > 0) {
        r = read_terminal(q, &t);
        if (r >= 0 && ret_groups)
            r = read_groups(s, t.id, ret_groups);
        if (r >= 0)
            *ret = t;
        r = r < 0 ? r : 1;
    }
    (void)sqlite3_reset(q);
    return r;
}

int hub_terminal_each(struct hub_store *s,
                      int (*each)(void *context, const struct hub_terminal *terminal, const char *const *groups),
                      void *context)
{
    struct hub_terminal_groups groups;
    int r = 0;
    sqlite3_stmt *q = hub_query(s, HUB_TERMINAL_EACH, &r);

    if (!q)
        return r;
    while ((r = sql_step(q)) > 0) {
        struct hub_terminal t = {0};

        r = read_terminal(q, &t);
        if (r >= 0)
            r = read_groups(s, t.id, &groups);
        if (r >= 0)
            r = each(context, &t, groups.list);
        if (r < 0)
            break;
    }
    (void)sqlite3_reset(q);
    return r;
}
