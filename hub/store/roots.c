/*
 * Owns: the chain of root documents that terminals are handed.
 * Must not: judge one; who adds it has done that.
 */
#include "hub/store/roots.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>

#include "hub/store/internal.h"
#include "hub/store/journal.h"
#include "hub/store/policies.h"

int hub_root_add(struct hub_store *s, const struct hub_actor *actor, const struct hub_root *root,
                 const char *fingerprint)
{
    char object[32];
    int r = 0;
    sqlite3_stmt *q;

    if (sqlite3_get_autocommit(s->db) || root->version > INT64_MAX || root->size == 0 || root->size > HUB_ENVELOPE_MAX)
        return -EINVAL;
    q = hub_query(s, HUB_ROOT_ADD, &r);
    if (!q)
        return r;
    sql_bind_number(q, 1, (int64_t)root->version, &r);
    sql_bind_number(q, 2, actor->now_us, &r);
    sql_bind_bytes(q, 3, root->envelope, root->size, &r);
    r = hub_change(s, q, r);
    if (r <= 0)
        return r;
    (void)snprintf(object, sizeof(object), "%" PRIu64, root->version);
    r = hub_journal_add_json(s, actor, "root-add", object, json_pack("{s:s}", "sha256", fingerprint));
    return r < 0 ? r : 1;
}

static int hand(sqlite3_stmt *q, int (*each)(void *context, const struct hub_root *root), void *context)
{
    _cleanup_free_ uint8_t *envelope = NULL;
    struct hub_root root = {0};
    int64_t version = 0;
    int r = sql_get_number(q, 0, 1, INT64_MAX, &version);

    if (r >= 0)
        r = sql_get_number(q, 1, INT64_MIN, INT64_MAX, &root.added_us);
    if (r >= 0)
        r = hub_get_envelope(q, 2, HUB_ENVELOPE_MAX, &envelope, &root.size);
    if (r < 0)
        return r;
    root.version = (uint64_t)version;
    root.envelope = envelope;
    return each(context, &root);
}

int hub_root_each(struct hub_store *s, unsigned maximum, int (*each)(void *context, const struct hub_root *root),
                  void *context)
{
    int r = 0;
    sqlite3_stmt *q = hub_query(s, HUB_ROOT_EACH, &r);

    if (!q)
        return r;
    sql_bind_number(q, 1, maximum, &r);
    while (r >= 0 && (r = sql_step(q)) > 0) {
        r = hand(q, each, context);
        if (r < 0)
            break;
    }
    (void)sqlite3_reset(q);
    return r;
}
