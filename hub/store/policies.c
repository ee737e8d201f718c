/*
 * Owns: signed policies and heads as they came.
 * Must not: call one good, or let a group's head go back.
 */
#include "hub/store/policies.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "base/text.h"
#include "hub/store/groups.h"
#include "hub/store/internal.h"
#include "hub/store/journal.h"
#include "json/whole.h"

static bool size_is_good(size_t size)
{
    return size > 0 && size <= HUB_ENVELOPE_MAX;
}

static int get_digest(sqlite3_stmt *q, int at, struct digest *ret)
{
    return sql_get_bytes(q, at, ret->bytes, sizeof(ret->bytes), sizeof(ret->bytes), NULL);
}

static void bind_digest(sqlite3_stmt *q, int at, const struct digest *digest, int *r)
{
    sql_bind_bytes(q, at, digest->bytes, sizeof(digest->bytes), r);
}

static int record(struct hub_store *s, const struct hub_actor *actor, const char *what, const char *object,
                  const struct digest *document, uint64_t version)
{
    char hex[DIGEST_HEX_SIZE], *text = NULL;
    json_t *details;
    int r;

    digest_to_hex(document, hex);
    details = json_pack("{s:s, s:I}", "policy", hex, "version", (json_int_t)version);
    r = details ? whole_text(details, JSON_COMPACT | JSON_SORT_KEYS, &text) : -ENOMEM;
    if (r >= 0)
        r = hub_journal_add(s, actor, what, object, text);
    free(text);
    json_decref(details);
    return r;
}

/* --- policies --- */

/* 1 it was not there. */
static int insert_policy(struct hub_store *s, const struct hub_actor *actor, const struct hub_policy *p,
                         const void *envelope, size_t size)
{
    int r = 0;
    sqlite3_stmt *q = hub_query(s, HUB_POLICY_ADD, &r);

    if (!q)
        return r;
    bind_digest(q, 1, &p->document, &r);
    sql_bind_number(q, 2, (int64_t)p->version, &r);
    sql_bind_text(q, 3, p->name, &r);
    sql_bind_number(q, 4, actor->now_us, &r);
    sql_bind_bytes(q, 5, envelope, size, &r);
    return hub_change(s, q, r);
}

int hub_policy_add(struct hub_store *s, const struct hub_actor *actor, const struct hub_policy *p, const void *envelope,
                   size_t size)
{
    int r;

    if (!size_is_good(size) || p->version > INT64_MAX || !*p->name || !text_is_printable_utf8(p->name))
        return HUB_POLICY_E_SIZE;
    r = hub_store_begin(s);
    if (r >= 0)
        r = insert_policy(s, actor, p, envelope, size);
    if (r > 0)
        r = record(s, actor, "policy-add", p->name, &p->document, p->version);
    else if (r == 0)
        r = HUB_POLICY_E_EXISTS;
    return hub_store_finish(s, r);
}

int hub_policy_get(struct hub_store *s, const struct digest *document, uint8_t **ret, size_t *ret_size)
{
    int r = 0;
    sqlite3_stmt *q = hub_query(s, HUB_POLICY_GET, &r);

    if (!q)
        return r;
    bind_digest(q, 1, document, &r);
    if (r >= 0)
        r = sql_step(q);
    if (r > 0) {
        r = hub_get_envelope(q, 0, HUB_ENVELOPE_MAX, ret, ret_size);
        r = r < 0 ? r : 1;
    }
    (void)sqlite3_reset(q);
    return r;
}

static int read_policy(sqlite3_stmt *q, struct hub_policy *ret)
{
    int64_t version = 0;
    int r = get_digest(q, 0, &ret->document);

    if (r >= 0)
        r = sql_get_number(q, 1, 0, INT64_MAX, &version);
    if (r >= 0)
        r = sql_get_text(q, 2, ret->name, sizeof(ret->name));
    ret->version = (uint64_t)version;
    return r < 0 ? r : sql_get_number(q, 3, INT64_MIN, INT64_MAX, &ret->added_us);
}

int hub_policy_each(struct hub_store *s, int (*each)(void *context, const struct hub_policy *policy), void *context)
{
    int r = 0;
    sqlite3_stmt *q = hub_query(s, HUB_POLICY_EACH, &r);

    if (!q)
        return r;
    while ((r = sql_step(q)) > 0) {
        struct hub_policy p = {0};

        r = read_policy(q, &p);
        if (r >= 0)
            r = each(context, &p);
        if (r < 0)
            break;
    }
    (void)sqlite3_reset(q);
    return r;
}

/* --- heads --- */

static int policy_exists(struct hub_store *s, const struct digest *document)
{
    int r = 0;
    sqlite3_stmt *q = hub_query(s, HUB_POLICY_GET, &r);

    if (!q)
        return r;
    bind_digest(q, 1, document, &r);
    if (r >= 0)
        r = sql_step(q);
    (void)sqlite3_reset(q);
    return r;
}

/* 1 it is the newest. */
static int put_head(struct hub_store *s, const char *group, const struct hub_head *h, const void *envelope, size_t size)
{
    int r = 0;
    sqlite3_stmt *q = hub_query(s, HUB_HEAD_SET, &r);

    if (!q)
        return r;
    sql_bind_text(q, 1, group, &r);
    sql_bind_number(q, 2, (int64_t)h->version, &r);
    bind_digest(q, 3, &h->policy, &r);
    sql_bind_number(q, 4, h->expires_us, &r);
    sql_bind_bytes(q, 5, envelope, size, &r);
    return hub_change(s, q, r);
}

static int set_head(struct hub_store *s, const struct hub_actor *actor, const char *group, const struct hub_head *h,
                    const void *envelope, size_t size)
{
    int r = hub_group_exists(s, group);

    if (r <= 0)
        return r < 0 ? r : HUB_POLICY_E_GROUP;
    r = policy_exists(s, &h->policy);
    if (r <= 0)
        return r < 0 ? r : HUB_POLICY_E_UNKNOWN;
    r = put_head(s, group, h, envelope, size);
    if (r <= 0)
        return r < 0 ? r : HUB_POLICY_E_OLDER;
    return record(s, actor, "head-set", group, &h->policy, h->version);
}

int hub_head_set(struct hub_store *s, const struct hub_actor *actor, const char *group, const struct hub_head *head,
                 const void *envelope, size_t size)
{
    int r;

    if (!size_is_good(size) || head->version > INT64_MAX)
        return HUB_POLICY_E_SIZE;
    r = hub_store_begin(s);
    return r < 0 ? r : hub_store_finish(s, set_head(s, actor, group, head, envelope, size));
}

int hub_get_head(sqlite3_stmt *q, int r, struct hub_head *ret, uint8_t **ret_envelope, size_t *ret_size)
{
    struct hub_head h = {0};
    int64_t version = 0;

    if (r >= 0)
        r = sql_step(q);
    if (r <= 0)
        return r;
    r = sql_get_number(q, 0, 0, INT64_MAX, &version);
    if (r >= 0)
        r = get_digest(q, 1, &h.policy);
    if (r >= 0)
        r = sql_get_number(q, 2, INT64_MIN, INT64_MAX, &h.expires_us);
    if (r >= 0)
        r = hub_get_envelope(q, 3, HUB_ENVELOPE_MAX, ret_envelope, ret_size);
    h.version = (uint64_t)version;
    if (r >= 0)
        *ret = h;
    return r < 0 ? r : 1;
}

int hub_head_get(struct hub_store *s, const char *group, struct hub_head *ret, uint8_t **ret_envelope, size_t *ret_size)
{
    int r = 0;
    sqlite3_stmt *q = hub_query(s, HUB_HEAD_GET, &r);

    if (!q)
        return r;
    sql_bind_text(q, 1, group, &r);
    r = hub_get_head(q, r, ret, ret_envelope, ret_size);
    (void)sqlite3_reset(q);
    return r;
}
