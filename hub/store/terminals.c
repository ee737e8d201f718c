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
#include "json/whole.h"

enum {
    GROUPS_MAX = 64, /* of one terminal; more are not shown */
};

static bool name_is_good(const char *name, size_t maximum)
{
    return *name && strlen(name) <= maximum && text_is_printable_utf8(name);
}

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
    if (*t->serial)
        sql_bind_text(q, 5, t->serial, &r);
    sql_bind_number(q, 6, t->enrolled_us, &r);
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

static int record(struct hub_store *s, const struct hub_actor *actor, const struct hub_terminal *t, const char *group)
{
    json_t *details = json_pack("{s:s, s:s, s:s}", "name", t->name, "serial", t->serial, "group", group);
    char *text = NULL;
    int r = details ? whole_text(details, JSON_COMPACT | JSON_SORT_KEYS, &text) : -ENOMEM;

    if (r >= 0)
        r = hub_journal_add(s, actor, "terminal-enrol", t->id, text);
    free(text);
    json_decref(details);
    return r;
}

int hub_terminal_add(struct hub_store *s, const struct hub_actor *actor, const struct hub_terminal *t,
                     const uint8_t journal_key[static NKEY_RAW_SIZE], const char *wire_key, const char *group)
{
    int r;

    if (sqlite3_get_autocommit(s->db))
        return -EINVAL;
    if (!name_is_good(t->id, HUB_TERMINAL_ID_MAX) || !name_is_good(t->name, sizeof(t->name) - 1) ||
        (*t->serial && !name_is_good(t->serial, HUB_SERIAL_MAX)))
        return HUB_TERMINAL_E_NAME;
    r = hub_group_exists(s, group);
    if (r <= 0)
        return r < 0 ? r : HUB_TERMINAL_E_GROUP;
    r = insert(s, t, journal_key, wire_key);
    if (r <= 0)
        return r < 0 ? r : HUB_TERMINAL_E_EXISTS;
    r = add_member(s, t->id, group);
    return r < 0 ? r : record(s, actor, t, group);
}

/* --- looking --- */

struct groups {
    char names[GROUPS_MAX][HUB_NAME_MAX + 1];
    const char *list[GROUPS_MAX + 1];
};

static int read_groups(struct hub_store *s, const char *terminal, struct groups *ret)
{
    size_t n = 0;
    int r = 0;
    sqlite3_stmt *q = hub_query(s, HUB_MEMBER_EACH, &r);

    if (!q)
        return r;
    sql_bind_text(q, 1, terminal, &r);
    while (r >= 0 && n < GROUPS_MAX && (r = sql_step(q)) > 0) {
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
    int r = sql_get_text(q, 0, ret->id, sizeof(ret->id));

    if (r >= 0)
        r = sql_get_text(q, 1, ret->name, sizeof(ret->name));
    if (r >= 0)
        r = hub_get_text(q, 2, ret->serial, sizeof(ret->serial));
    if (r >= 0)
        r = sql_get_number(q, 3, INT64_MIN, INT64_MAX, &ret->enrolled_us);
    return r < 0 ? r : hub_get_time(q, 4, &ret->revoked_us);
}

int hub_terminal_each(struct hub_store *s,
                      int (*each)(void *context, const struct hub_terminal *terminal, const char *const *groups),
                      void *context)
{
    struct groups groups;
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
