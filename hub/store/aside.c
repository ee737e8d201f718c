/*
 * Owns: what terminals sent that fits no chain: kept as evidence, and until it fits.
 * Must not: let one terminal fill the disk.
 */
#include <errno.h>
#include <string.h>

#include "hub/store/events.h"
#include "hub/store/internal.h"

static int is_full(struct hub_store *s, const char *terminal, size_t size)
{
    int64_t total = 0;
    int r = 0;
    sqlite3_stmt *q = hub_query(s, HUB_ASIDE_SIZE, &r);

    if (!q)
        return r;
    sql_bind_text(q, 1, terminal, &r);
    if (r >= 0)
        r = sql_step(q);
    if (r > 0)
        r = sql_get_number(q, 0, 0, INT64_MAX, &total);
    (void)sqlite3_reset(q);
    return r < 0 ? r : total + (int64_t)size > HUB_ASIDE_MAX;
}

int hub_aside_add(struct hub_store *s, struct pack *p, int64_t now_us, const char *terminal, const struct hub_aside *a)
{
    const uint8_t *packed = NULL;
    struct digest d;
    size_t size = 0;
    sqlite3_stmt *q;
    int r = pack_lines(p, a->size > 0 ? a->lines : "\n",
                       a->size == 0         ? 1
                       : a->size > PACK_MAX ? PACK_MAX
                                            : a->size,
                       &packed, &size);

    if (r >= 0)
        r = digest_bytes(a->lines, a->size, &d);
    if (r >= 0)
        r = is_full(s, terminal, size);
    if (r != 0)
        return r < 0 ? r : HUB_ASIDE_FULL;
    q = hub_query(s, HUB_ASIDE_ADD, &r);
    if (!q)
        return r;
    sql_bind_text(q, 1, terminal, &r);
    sql_bind_number(q, 2, (int64_t)(a->first > INT64_MAX ? INT64_MAX : a->first), &r);
    sql_bind_text(q, 3, a->reason, &r);
    sql_bind_number(q, 4, now_us, &r);
    sql_bind_bytes(q, 5, d.bytes, sizeof(d.bytes), &r);
    sql_bind_bytes(q, 6, packed, size, &r);
    r = hub_change(s, q, r);
    return r < 0 ? r : r > 0 ? HUB_ASIDE_OK : HUB_ASIDE_KNOWN;
}

static int read_aside(sqlite3_stmt *q, struct pack *p, struct hub_aside *ret)
{
    int64_t first = 0;
    int r = sql_get_number(q, 0, 1, INT64_MAX, &ret->id);

    if (r >= 0)
        r = sql_get_number(q, 1, 0, INT64_MAX, &first);
    ret->first = (uint64_t)first;
    if (r >= 0)
        r = sql_get_text(q, 2, ret->reason, sizeof(ret->reason));
    return r < 0 ? r
                 : pack_open(p, sqlite3_column_blob(q, 3), (size_t)sqlite3_column_bytes(q, 3), &ret->lines, &ret->size);
}

int hub_aside_next(struct hub_store *s, struct pack *p, const char *terminal, uint64_t from, struct hub_aside *ret)
{
    int r = 0;
    sqlite3_stmt *q = hub_query(s, HUB_ASIDE_NEXT, &r);

    if (!q)
        return r;
    sql_bind_text(q, 1, terminal, &r);
    sql_bind_number(q, 2, (int64_t)(ret->first > from ? ret->first : from), &r);
    sql_bind_number(q, 3, (int64_t)ret->first, &r);
    sql_bind_number(q, 4, ret->id, &r);
    if (r >= 0)
        r = sql_step(q);
    if (r > 0) {
        r = read_aside(q, p, ret);
        r = r < 0 ? r : 1;
    }
    (void)sqlite3_reset(q);
    return r;
}

int hub_aside_waiting(struct hub_store *s, int64_t since_us,
                      int (*each)(void *context, const char *terminal, uint64_t first), void *context)
{
    int r = 0;
    sqlite3_stmt *q = hub_query(s, HUB_ASIDE_WAITING, &r);

    if (!q)
        return r;
    sql_bind_number(q, 1, since_us, &r);
    while (r >= 0 && (r = sql_step(q)) > 0) {
        char terminal[HUB_TERMINAL_ID_MAX + 1];
        int64_t first = 0;

        r = sql_get_text(q, 0, terminal, sizeof(terminal));
        if (r >= 0)
            r = sql_get_number(q, 1, 0, INT64_MAX, &first);
        if (r >= 0)
            r = each(context, terminal, (uint64_t)first);
    }
    (void)sqlite3_reset(q);
    return r;
}

int hub_aside_remove(struct hub_store *s, int64_t id)
{
    int r = 0;
    sqlite3_stmt *q = hub_query(s, HUB_ASIDE_REMOVE, &r);

    if (!q)
        return r;
    sql_bind_number(q, 1, id, &r);
    return sql_change(s->db, q, r, 1);
}
