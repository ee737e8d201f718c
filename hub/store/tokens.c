/*
 * Owns: tokens of enrolment: what they are made of, and that each is used once.
 * Must not: keep a token's text, or tell one that is wrong from one that never was by time.
 */
#include "hub/store/tokens.h"

#include <errno.h>
#include <inttypes.h>
#include <jansson.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>
#include <sys/random.h>

#include "base/base32.h"
#include "base/digest.h"
#include "base/text.h"
#include "hub/store/groups.h"
#include "hub/store/internal.h"
#include "hub/store/journal.h"

enum {
    PART = 4, /* characters between dashes */
};

static const int64_t HOUR_US = INT64_C(3600) * 1000000;

static void write_text(const uint8_t bytes[static HUB_TOKEN_BYTES], char ret[static HUB_TOKEN_TEXT_SIZE])
{
    char plain[BASE32_LENGTH(HUB_TOKEN_BYTES) + 1];
    size_t n = 0;

    base32_write(bytes, HUB_TOKEN_BYTES, plain);
    for (size_t i = 0; plain[i]; i++) {
        if (i > 0 && i % PART == 0)
            ret[n++] = '-';
        ret[n++] = plain[i];
    }
    ret[n] = '\0';
    OPENSSL_cleanse(plain, sizeof(plain));
}

/* 0, HUB_TOKEN_E_UNKNOWN: no token looks like this, or -EIO. */
static int hash_text(const char *text, struct digest *ret)
{
    uint8_t bytes[HUB_TOKEN_BYTES];
    size_t size = 0;
    int r;

    if (base32_read(text, strnlen(text, 128), true, bytes, sizeof(bytes), &size) < 0 || size != sizeof(bytes))
        return HUB_TOKEN_E_UNKNOWN;
    r = digest_bytes(bytes, sizeof(bytes), ret);
    OPENSSL_cleanse(bytes, sizeof(bytes));
    return r;
}

static bool serial_is_good(const char *serial)
{
    return *serial && strlen(serial) <= HUB_SERIAL_MAX && text_is_printable_utf8(serial);
}

/* --- rows --- */

static int read_token(sqlite3_stmt *q, struct hub_token *ret)
{
    struct hub_token t = {0};
    int64_t number = 0, approval = 0, misused = 0;
    int r = sql_get_number(q, 0, 1, INT64_MAX, &number);

    t.number = (uint64_t)number;
    if (r >= 0)
        r = sql_get_text(q, 1, t.group, sizeof(t.group));
    if (r >= 0)
        r = hub_get_text(q, 2, t.serial, sizeof(t.serial));
    if (r >= 0)
        r = sql_get_number(q, 3, INT64_MIN, INT64_MAX, &t.created_us);
    if (r >= 0)
        r = sql_get_number(q, 4, INT64_MIN, INT64_MAX, &t.expires_us);
    if (r >= 0)
        r = hub_get_time(q, 5, &t.used_us);
    if (r >= 0)
        r = hub_get_time(q, 6, &t.revoked_us);
    if (r >= 0)
        r = hub_get_text(q, 7, t.terminal, sizeof(t.terminal));
    if (r >= 0)
        r = sql_get_number(q, 8, 0, 1, &approval);
    if (r >= 0)
        r = sql_get_number(q, 9, 0, INT64_MAX, &misused);
    t.approval = approval != 0;
    t.misused = (uint64_t)misused;
    if (r >= 0)
        *ret = t;
    return r;
}

static int insert(struct hub_store *s, const struct hub_token *t, const struct digest *hash, uint64_t *ret_number)
{
    int r = 0;
    sqlite3_stmt *q = hub_query(s, HUB_TOKEN_ADD, &r);

    if (!q)
        return r;
    sql_bind_bytes(q, 1, hash->bytes, sizeof(hash->bytes), &r);
    sql_bind_text(q, 2, t->group, &r);
    if (*t->serial)
        sql_bind_text(q, 3, t->serial, &r);
    sql_bind_number(q, 4, t->created_us, &r);
    sql_bind_number(q, 5, t->expires_us, &r);
    sql_bind_number(q, 6, t->approval, &r);
    r = sql_change(s->db, q, r, 1);
    if (r >= 0)
        *ret_number = (uint64_t)sqlite3_last_insert_rowid(s->db);
    return r;
}

static int record(struct hub_store *s, const struct hub_actor *actor, const char *what, uint64_t number,
                  const struct hub_token *t)
{
    char object[32];

    (void)snprintf(object, sizeof(object), "%" PRIu64, number);
    return hub_journal_add_json(s, actor, what, object,
                                t ? json_pack("{s:s, s:s, s:I, s:b}", "group", t->group, "serial", t->serial, "hours",
                                              (json_int_t)((t->expires_us - t->created_us) / HOUR_US), "approval",
                                              t->approval)
                                  : json_object());
}

/* --- making and revoking --- */

static int create(struct hub_store *s, const struct hub_actor *actor, const struct hub_token *t,
                  const struct digest *hash, uint64_t *ret_number)
{
    uint64_t number = 0;
    int r = hub_group_exists(s, t->group);

    if (r <= 0)
        return r < 0 ? r : HUB_TOKEN_E_GROUP;
    r = insert(s, t, hash, &number);
    if (r >= 0)
        r = record(s, actor, "token-create", number, t);
    if (r >= 0)
        *ret_number = number;
    return r;
}

int hub_token_create(struct hub_store *s, const struct hub_actor *actor, const struct hub_token_wish *wish,
                     uint64_t *ret_number, char ret_text[static HUB_TOKEN_TEXT_SIZE])
{
    struct hub_token t = {.created_us = actor->now_us, .approval = wish->approval};
    uint8_t bytes[HUB_TOKEN_BYTES];
    struct digest hash;
    uint64_t number = 0;
    int r;

    if (!hub_group_name_is_good(wish->group))
        return HUB_TOKEN_E_GROUP;
    if (wish->serial && !serial_is_good(wish->serial))
        return HUB_TOKEN_E_SERIAL;
    if (wish->hours < 1 || wish->hours > HUB_TOKEN_HOURS_MAX)
        return HUB_TOKEN_E_HOURS;
    t.expires_us = t.created_us + wish->hours * HOUR_US;
    (void)snprintf(t.group, sizeof(t.group), "%s", wish->group);
    (void)snprintf(t.serial, sizeof(t.serial), "%s", wish->serial ? wish->serial : "");
    if (getrandom(bytes, sizeof(bytes), 0) != (ssize_t)sizeof(bytes))
        return -EIO;
    r = digest_bytes(bytes, sizeof(bytes), &hash);
    if (r >= 0)
        r = hub_store_begin(s);
    if (r >= 0)
        r = hub_store_finish(s, create(s, actor, &t, &hash, &number));
    if (r == 0) {
        write_text(bytes, ret_text);
        *ret_number = number;
    }
    OPENSSL_cleanse(bytes, sizeof(bytes));
    return r;
}

static int revoke_token(struct hub_store *s, const struct hub_actor *actor, uint64_t number)
{
    int r = 0;
    sqlite3_stmt *q;

    if (number > INT64_MAX)
        return HUB_TOKEN_E_UNKNOWN;
    q = hub_query(s, HUB_TOKEN_REVOKE, &r);
    if (!q)
        return r;
    sql_bind_number(q, 1, (int64_t)number, &r);
    sql_bind_number(q, 2, actor->now_us, &r);
    r = hub_change(s, q, r);
    if (r <= 0)
        return r < 0 ? r : HUB_TOKEN_E_UNKNOWN;
    return record(s, actor, "token-revoke", number, NULL);
}

int hub_token_revoke(struct hub_store *s, const struct hub_actor *actor, uint64_t number)
{
    int r = hub_store_begin(s);

    return r < 0 ? r : hub_store_finish(s, revoke_token(s, actor, number));
}

/* --- using --- */

static enum hub_token_result judge(const struct hub_token *t, int64_t now_us, const char *serial)
{
    if (t->used_us)
        return HUB_TOKEN_E_USED;
    if (t->revoked_us)
        return HUB_TOKEN_E_REVOKED;
    /* A clock that was set back opens nothing. */
    if (now_us >= t->expires_us || now_us < t->created_us)
        return HUB_TOKEN_E_EXPIRED;
    if (*t->serial && (!serial || !text_equal(t->serial, serial)))
        return HUB_TOKEN_E_SERIAL;
    return HUB_TOKEN_OK;
}

/* 1 found, 0 not. */
static int find(struct hub_store *s, const struct digest *hash, struct hub_token *ret)
{
    int r = 0;
    sqlite3_stmt *q = hub_query(s, HUB_TOKEN_FIND, &r);

    if (!q)
        return r;
    sql_bind_bytes(q, 1, hash->bytes, sizeof(hash->bytes), &r);
    if (r >= 0)
        r = sql_step(q);
    if (r > 0)
        r = read_token(q, ret) < 0 ? -EUCLEAN : 1;
    (void)sqlite3_reset(q);
    return r;
}

int hub_token_redeem(struct hub_store *s, int64_t now_us, const char *text, const char *serial, const char *terminal,
                     struct hub_token *ret)
{
    struct hub_token t;
    struct digest hash;
    sqlite3_stmt *q;
    int r;

    if (sqlite3_get_autocommit(s->db) || strlen(terminal) > HUB_TERMINAL_ID_MAX)
        return -EINVAL;
    r = hash_text(text, &hash);
    if (r != 0)
        return r;
    r = find(s, &hash, &t);
    if (r <= 0)
        return r < 0 ? r : HUB_TOKEN_E_UNKNOWN;
    *ret = t;
    r = (int)judge(&t, now_us, serial);
    if (r != HUB_TOKEN_OK)
        return r;
    q = hub_query(s, HUB_TOKEN_USE, &r);
    if (!q)
        return r;
    sql_bind_number(q, 1, (int64_t)t.number, &r);
    sql_bind_number(q, 2, now_us, &r);
    sql_bind_text(q, 3, terminal, &r);
    return sql_change(s->db, q, r, 1);
}

int hub_token_tell_misuse(struct hub_store *s, const struct hub_actor *actor, uint64_t number, const char *details)
{
    char object[32];
    int r = 0;
    sqlite3_stmt *q = hub_query(s, HUB_TOKEN_MISUSED, &r);

    if (!q)
        return r;
    sql_bind_number(q, 1, (int64_t)number, &r);
    sql_bind_number(q, 2, HUB_TOKEN_MISUSED_MAX, &r);
    r = hub_change(s, q, r);
    if (r <= 0)
        return r;
    (void)snprintf(object, sizeof(object), "%" PRIu64, number);
    r = hub_journal_add(s, actor, "alarm-token-misused", object, details);
    return r < 0 ? r : 1;
}

int hub_token_each(struct hub_store *s, int (*each)(void *context, const struct hub_token *token), void *context)
{
    int r = 0;
    sqlite3_stmt *q = hub_query(s, HUB_TOKEN_EACH, &r);

    if (!q)
        return r;
    while ((r = sql_step(q)) > 0) {
        struct hub_token t;

        r = read_token(q, &t);
        if (r >= 0)
            r = each(context, &t);
        if (r < 0)
            break;
    }
    (void)sqlite3_reset(q);
    return r;
}
