/* Owns: the groups of terminals. Must not: say who is in one; that is terminals.c. */
#include "hub/store/groups.h"

#include <errno.h>
#include <string.h>

#include "hub/store/internal.h"
#include "hub/store/journal.h"

bool hub_group_name_is_good(const char *name)
{
    size_t length = strlen(name);

    return length > 0 && length <= HUB_NAME_MAX && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-_") == length;
}

/* 1 it was not there. */
static int insert(struct hub_store *s, const struct hub_actor *actor, const char *name)
{
    int r = 0;
    sqlite3_stmt *q = hub_query(s, HUB_GROUP_ADD, &r);

    if (!q)
        return r;
    sql_bind_text(q, 1, name, &r);
    sql_bind_number(q, 2, actor->now_us, &r);
    return hub_change(s, q, r);
}

int hub_group_create(struct hub_store *s, const struct hub_actor *actor, const char *name)
{
    int r;

    if (!hub_group_name_is_good(name))
        return HUB_GROUP_E_NAME;
    r = hub_store_begin(s);
    if (r >= 0)
        r = insert(s, actor, name);
    if (r > 0)
        r = hub_journal_add(s, actor, "group-create", name, NULL);
    else if (r == 0)
        r = HUB_GROUP_E_EXISTS;
    return hub_store_finish(s, r);
}

int hub_group_exists(struct hub_store *s, const char *name)
{
    int r = 0;
    sqlite3_stmt *q = hub_query(s, HUB_GROUP_FIND, &r);

    if (!q)
        return r;
    sql_bind_text(q, 1, name, &r);
    if (r >= 0)
        r = sql_step(q);
    (void)sqlite3_reset(q);
    return r;
}

static int read_group(sqlite3_stmt *q, struct hub_group *ret)
{
    int64_t terminals = 0;
    int r = sql_get_text(q, 0, ret->name, sizeof(ret->name));

    if (r >= 0)
        r = sql_get_number(q, 1, INT64_MIN, INT64_MAX, &ret->created_us);
    if (r >= 0)
        r = sql_get_number(q, 2, 0, INT64_MAX, &terminals);
    ret->terminals = (uint64_t)terminals;
    return r;
}

int hub_group_each(struct hub_store *s, int (*each)(void *context, const struct hub_group *group), void *context)
{
    int r = 0;
    sqlite3_stmt *q = hub_query(s, HUB_GROUP_EACH, &r);

    if (!q)
        return r;
    while ((r = sql_step(q)) > 0) {
        struct hub_group group = {0};

        r = read_group(q, &group);
        if (r >= 0)
            r = each(context, &group);
        if (r < 0)
            break;
    }
    (void)sqlite3_reset(q);
    return r;
}
