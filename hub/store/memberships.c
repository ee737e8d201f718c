/* Owns: the newest membership of each terminal. Must not: sign one, or let a serial go back. */
#include "hub/store/memberships.h"

#include <errno.h>
#include <sqlite3.h>

#include "hub/store/internal.h"
#include "policy/fleet/statement.h"

int hub_membership_set(struct hub_store *s, const char *terminal, uint64_t serial, const void *envelope, size_t size)
{
    int r = 0;
    sqlite3_stmt *q;

    if (sqlite3_get_autocommit(s->db) || serial > INT64_MAX || size == 0 || size > FLEET_ENVELOPE_MAX)
        return -EINVAL;
    q = hub_query(s, HUB_MEMBERSHIP_SET, &r);
    if (!q)
        return r;
    sql_bind_text(q, 1, terminal, &r);
    sql_bind_number(q, 2, (int64_t)serial, &r);
    sql_bind_bytes(q, 3, envelope, size, &r);
    return hub_change(s, q, r);
}

int hub_membership_get(struct hub_store *s, const char *terminal, uint64_t *ret_serial, uint8_t **ret, size_t *ret_size)
{
    int64_t serial = 0;
    int r = 0;
    sqlite3_stmt *q = hub_query(s, HUB_MEMBERSHIP_GET, &r);

    if (!q)
        return r;
    sql_bind_text(q, 1, terminal, &r);
    if (r >= 0)
        r = sql_step(q);
    if (r > 0) {
        r = sql_get_number(q, 0, 1, INT64_MAX, &serial);
        if (r >= 0)
            r = hub_get_envelope(q, 1, FLEET_ENVELOPE_MAX, ret, ret_size);
        if (r >= 0)
            *ret_serial = (uint64_t)serial;
        r = r < 0 ? r : 1;
    }
    (void)sqlite3_reset(q);
    return r;
}
