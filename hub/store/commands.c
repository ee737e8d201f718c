/*
 * Owns: what persons want of single terminals, until it is signed and after.
 * Must not: sign.
 */
#include "hub/store/commands.h"

#include <errno.h>
#include <jansson.h>
#include <string.h>
#include <sys/random.h>

#include "hub/store/groups.h"
#include "hub/store/internal.h"
#include "hub/store/journal.h"
#include "hub/store/terminals.h"
#include "json/whole.h"

#define MINUTE_US (INT64_C(60) * 1000000)

/* A report is of no use later; what is to be taken away waits for a terminal that is off, as long as an order may. */
static int64_t lifetime(enum fleet_order_kind kind)
{
    return kind == FLEET_ORDER_REPORT ? 30 * MINUTE_US : (int64_t)FLEET_ORDER_SECONDS_MAX * 1000000;
}

/* 1, 0 no such one that anything could be sent to. */
static int is_there(struct hub_store *s, const char *id)
{
    struct hub_terminal t = {0};
    int r = hub_terminal_get(s, id, &t, NULL);

    return r <= 0 ? r : t.revoked_us == 0;
}

/* --- orders --- */

static int put_order(struct hub_store *s, const char *terminal, enum fleet_order_kind kind, int64_t now_us)
{
    uint8_t id[FLEET_ID128_SIZE];
    int r = 0;
    sqlite3_stmt *q = hub_query(s, HUB_ORDER_SET, &r);

    if (!q)
        return r;
    if (getrandom(id, sizeof(id), 0) != (ssize_t)sizeof(id))
        r = -EIO;
    sql_bind_text(q, 1, terminal, &r);
    sql_bind_number(q, 2, kind, &r);
    sql_bind_bytes(q, 3, id, sizeof(id), &r);
    sql_bind_number(q, 4, now_us, &r);
    sql_bind_number(q, 5, now_us + lifetime(kind), &r);
    return sql_change(s->db, q, r, 1);
}

int hub_order_ask(struct hub_store *s, const char *terminal, int64_t now_us)
{
    return put_order(s, terminal, FLEET_ORDER_REPORT, now_us);
}

int hub_order_add(struct hub_store *s, const struct hub_actor *actor, const char *terminal, enum fleet_order_kind kind)
{
    int r = hub_store_begin(s);

    if (r >= 0)
        r = is_there(s, terminal);
    if (r == 0)
        r = HUB_COMMAND_E_TERMINAL;
    else if (r > 0) {
        r = put_order(s, terminal, kind, actor->now_us);
        if (r >= 0)
            r = hub_journal_add(s, actor, kind == FLEET_ORDER_REPORT ? "order-report" : "order-end-grants", terminal,
                                NULL);
    }
    return hub_store_finish(s, r);
}

static int read_order(sqlite3_stmt *q, struct hub_order *ret)
{
    int64_t kind = 0;
    int r = sql_get_text(q, 0, ret->terminal, sizeof(ret->terminal));

    if (r >= 0)
        r = sql_get_number(q, 1, FLEET_ORDER_REPORT, FLEET_ORDER_END_GRANTS, &kind);
    if (r >= 0)
        r = sql_get_bytes(q, 2, ret->id, sizeof(ret->id), sizeof(ret->id), NULL);
    if (r >= 0)
        r = sql_get_number(q, 3, INT64_MIN, INT64_MAX, &ret->asked_us);
    if (r >= 0)
        r = sql_get_number(q, 4, INT64_MIN, INT64_MAX, &ret->expires_us);
    ret->kind = (enum fleet_order_kind)kind;
    return r;
}

int hub_order_each(struct hub_store *s, int64_t now_us, int (*each)(void *context, const struct hub_order *order),
                   void *context)
{
    int r = 0;
    sqlite3_stmt *q = hub_query(s, HUB_ORDER_EACH, &r);

    if (!q)
        return r;
    sql_bind_number(q, 1, now_us, &r);
    while (r >= 0 && (r = sql_step(q)) > 0) {
        _cleanup_free_ uint8_t *envelope = NULL;
        struct hub_order o = {0};

        r = read_order(q, &o);
        if (r >= 0 && sqlite3_column_type(q, 5) != SQLITE_NULL)
            r = hub_get_envelope(q, 5, FLEET_ENVELOPE_MAX, &envelope, &o.size);
        o.envelope = envelope;
        if (r >= 0)
            r = each(context, &o);
    }
    (void)sqlite3_reset(q);
    return r < 0 ? r : 0;
}

int hub_order_signed(struct hub_store *s, const struct hub_order *order, const void *envelope, size_t size)
{
    int r = 0;
    sqlite3_stmt *q = hub_query(s, HUB_ORDER_SIGNED, &r);

    if (!q)
        return r;
    sql_bind_text(q, 1, order->terminal, &r);
    sql_bind_bytes(q, 2, order->id, sizeof(order->id), &r);
    sql_bind_bytes(q, 3, envelope, size, &r);
    return sql_change(s->db, q, r, -1);
}

/* --- groups --- */

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

static int run_for(struct hub_store *s, enum hub_query what, const char *terminal)
{
    int r = 0;
    sqlite3_stmt *q = hub_query(s, what, &r);

    if (!q)
        return r;
    sql_bind_text(q, 1, terminal, &r);
    return sql_change(s->db, q, r, -1);
}

static int check_groups(struct hub_store *s, const char *const *groups)
{
    size_t n = 0;

    for (; groups[n]; n++) {
        int r = n == FLEET_GROUPS_MAX ? 0 : hub_group_exists(s, groups[n]);

        for (size_t i = 0; r > 0 && i < n; i++)
            if (strcmp(groups[i], groups[n]) == 0)
                r = 0;
        if (r <= 0)
            return r < 0 ? r : HUB_COMMAND_E_GROUP;
    }
    return n > 0 ? HUB_COMMAND_OK : HUB_COMMAND_E_GROUP;
}

static bool is_same(const struct hub_terminal_groups *now, const char *const *groups)
{
    size_t n = 0, found = 0;

    while (now->list[n])
        n++;
    for (size_t i = 0; groups[i]; i++) {
        bool in = false;

        for (size_t k = 0; k < n; k++)
            in = in || strcmp(now->list[k], groups[i]) == 0;
        if (!in)
            return false;
        found++;
    }
    return found == n;
}

static int record_move(struct hub_store *s, const struct hub_actor *actor, const char *terminal,
                       const struct hub_terminal_groups *before, const char *const *groups)
{
    json_t *from = json_array(), *to = json_array();

    for (size_t i = 0; before->list[i]; i++)
        whole_add(&from, json_string(before->list[i]));
    for (size_t i = 0; groups[i]; i++)
        whole_add(&to, json_string(groups[i]));
    return hub_journal_add_json(s, actor, "terminal-move", terminal, json_pack("{s:o, s:o}", "from", from, "to", to));
}

static int move(struct hub_store *s, const struct hub_actor *actor, const char *terminal, const char *const *groups)
{
    struct hub_terminal_groups before = {0};
    struct hub_terminal t = {0};
    int r = hub_terminal_get(s, terminal, &t, &before);

    if (r <= 0 || t.revoked_us != 0)
        return r < 0 ? r : HUB_COMMAND_E_TERMINAL;
    r = check_groups(s, groups);
    if (r == HUB_COMMAND_OK && is_same(&before, groups))
        r = HUB_COMMAND_E_SAME;
    if (r != HUB_COMMAND_OK)
        return r;
    r = run_for(s, HUB_MEMBER_CLEAR, terminal);
    for (size_t i = 0; r >= 0 && groups[i]; i++)
        r = add_member(s, terminal, groups[i]);
    if (r >= 0)
        r = run_for(s, HUB_MOVE_ADD, terminal);
    return r < 0 ? r : record_move(s, actor, terminal, &before, groups);
}

int hub_terminal_move(struct hub_store *s, const struct hub_actor *actor, const char *terminal,
                      const char *const *groups)
{
    int r = hub_store_begin(s);

    return r < 0 ? r : hub_store_finish(s, move(s, actor, terminal, groups));
}

int hub_move_each(struct hub_store *s, int (*each)(void *context, const char *terminal), void *context)
{
    char terminal[FLEET_ID_SIZE];
    int r = 0;
    sqlite3_stmt *q = hub_query(s, HUB_MOVE_EACH, &r);

    if (!q)
        return r;
    while (r >= 0 && (r = sql_step(q)) > 0) {
        r = sql_get_text(q, 0, terminal, sizeof(terminal));
        if (r >= 0)
            r = each(context, terminal);
    }
    (void)sqlite3_reset(q);
    return r < 0 ? r : 0;
}

int hub_move_done(struct hub_store *s, const char *terminal)
{
    return run_for(s, HUB_MOVE_DONE, terminal);
}

int hub_membership_due(struct hub_store *s,
                       int (*each)(void *context, const char *terminal, const uint8_t *envelope, size_t size),
                       void *context)
{
    char terminal[FLEET_ID_SIZE];
    int r = 0;
    sqlite3_stmt *q = hub_query(s, HUB_MEMBERSHIP_DUE, &r);

    if (!q)
        return r;
    while (r >= 0 && (r = sql_step(q)) > 0) {
        _cleanup_free_ uint8_t *envelope = NULL;
        size_t size = 0;

        r = sql_get_text(q, 0, terminal, sizeof(terminal));
        if (r >= 0)
            r = hub_get_envelope(q, 1, FLEET_ENVELOPE_MAX, &envelope, &size);
        if (r >= 0)
            r = each(context, terminal, envelope, size);
    }
    (void)sqlite3_reset(q);
    return r < 0 ? r : 0;
}

int hub_moved_each(struct hub_store *s, int (*each)(void *context, const char *terminal, const char *group),
                   void *context)
{
    char terminal[FLEET_ID_SIZE], group[HUB_NAME_MAX + 1];
    int r = 0;
    sqlite3_stmt *q = hub_query(s, HUB_MOVED_EACH, &r);

    if (!q)
        return r;
    while (r >= 0 && (r = sql_step(q)) > 0) {
        r = sql_get_text(q, 0, terminal, sizeof(terminal));
        if (r >= 0)
            r = sql_get_text(q, 1, group, sizeof(group));
        if (r >= 0)
            r = each(context, terminal, group);
    }
    (void)sqlite3_reset(q);
    return r < 0 ? r : 0;
}
