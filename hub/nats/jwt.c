/*
 * Owns: the broker's JWTs: their members and their signature.
 * Must not: decide who gets one.
 */
#include "hub/nats/jwt.h"

#include <errno.h>
#include <jansson.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/base32.h"
#include "base/buf.h"
#include "base/cleanup.h"
#include "base/digest.h"
#include "json/whole.h"

enum {
    TOKEN_MAX = 1 << 20, /* bytes; an account holds its revocations */
};

static const char header[] = "{\"typ\":\"JWT\",\"alg\":\"ed25519-nkey\"}";

static void buf_donep(struct buf *b)
{
    buf_done(b);
}

/* base64url without padding (RFC 7515), by OpenSSL's base64. */
static int add_base64url(struct buf *b, const void *bytes, size_t size)
{
    size_t room = (size + 2) / 3 * 4 + 1, n;
    _cleanup_free_ char *text = malloc(room);

    if (!text)
        return -ENOMEM;
    if (size > TOKEN_MAX)
        return -ENOBUFS;
    n = (size_t)EVP_EncodeBlock((unsigned char *)text, bytes, (int)size);
    while (n > 0 && text[n - 1] == '=')
        n--;
    for (size_t i = 0; i < n; i++)
        text[i] = (char)(text[i] == '+' ? '-' : text[i] == '/' ? '_' : text[i]);
    return buf_add(b, text, n);
}

/* The id of a JWT is only there to tell two apart. */
static int set_id(json_t *claims)
{
    char text[BASE32_LENGTH(DIGEST_SIZE) + 1];
    _cleanup_free_ char *without = NULL;
    struct digest d;
    int r = whole_text(claims, JSON_COMPACT, &without);

    if (r < 0)
        return r;
    r = digest_bytes(without, strlen(without), &d);
    if (r < 0)
        return r;
    base32_write(d.bytes, sizeof(d.bytes), text);
    return json_object_set_new(claims, "jti", json_string(text)) < 0 ? -ENOMEM : 0;
}

static int sign(const struct wire_key *signer, json_t *claims, char **ret)
{
    _cleanup_(buf_donep) struct buf b = {0};
    _cleanup_free_ char *payload = NULL;
    uint8_t signature[WIRE_SIGNATURE_SIZE];
    int r = set_id(claims);

    buf_init(&b, TOKEN_MAX);
    if (r < 0)
        return r;
    r = whole_text(claims, JSON_COMPACT, &payload);
    if (r < 0)
        return r;
    r = add_base64url(&b, header, strlen(header));
    if (r >= 0)
        r = buf_add(&b, ".", 1);
    if (r >= 0)
        r = add_base64url(&b, payload, strlen(payload));
    if (r >= 0)
        r = wire_key_sign(signer, b.data, b.size, signature);
    if (r >= 0)
        r = buf_add(&b, ".", 1);
    if (r >= 0)
        r = add_base64url(&b, signature, sizeof(signature));
    if (r >= 0)
        r = buf_add_u8(&b, 0);
    if (r < 0)
        return r;
    *ret = (char *)b.data;
    b = (struct buf){0};
    return 0;
}

/* Takes nats. */
static int issue(const struct wire_key *signer, const char *subject, const char *name, json_t *nats, int64_t expires,
                 int64_t now, char **ret)
{
    json_auto_t *claims = json_pack("{s:s, s:s, s:s, s:I, s:o}", "iss", wire_key_public(signer), "sub", subject, "name",
                                    name, "iat", (json_int_t)now, "nats", nats);

    if (!claims)
        return -ENOMEM;
    if (expires && json_object_set_new(claims, "exp", json_integer(expires)) < 0)
        return -ENOMEM;
    return sign(signer, claims, ret);
}

int jwt_operator(const struct wire_key *operator, const char * name, const char *system_account, int64_t now,
                 char **ret)
{
    json_t *nats = json_pack("{s:s, s:i, s:s}", "type", "operator", "version", 2, "system_account", system_account);

    return nats ? issue(operator, wire_key_public(operator), name, nats, 0, now, ret) : -ENOMEM;
}

static json_t *subjects(const char *const *list)
{
    json_t *array = json_array();

    for (; array && list && *list; list++)
        if (json_array_append_new(array, json_string(*list)) < 0) {
            json_decref(array);
            return NULL;
        }
    return array;
}

static json_t *scope_json(const struct jwt_scope *s)
{
    return json_pack("{s:s, s:s, s:s, s:s, s:{s:{s:o}, s:{s:o}, s:I, s:i, s:I}}", "kind", "user_scope", "key", s->key,
                     "role", s->role, "description", "", "template", "pub", "allow", subjects(s->publish), "sub",
                     "allow", subjects(s->subscribe), "subs", (json_int_t)s->subscriptions_max, "data", -1, "payload",
                     (json_int_t)s->payload_max);
}

static int add_lists(json_t *nats, const struct jwt_account *a)
{
    json_t *keys = json_object_get(nats, "signing_keys"), *revoked = json_object_get(nats, "revocations");

    for (size_t i = 0; i < a->n_scopes; i++)
        if (json_array_append_new(keys, scope_json(&a->scopes[i])) < 0)
            return -ENOMEM;
    for (size_t i = 0; i < a->n_revocations; i++)
        if (json_object_set_new(revoked, a->revocations[i].user, json_integer(a->revocations[i].before)) < 0)
            return -ENOMEM;
    return 0;
}

int jwt_account(const struct wire_key *operator, const struct jwt_account * account, int64_t now, char **ret)
{
    int store = account->jetstream ? -1 : 0;
    /* An account with no limits named has none of anything. */
    json_t *nats = json_pack("{s:s, s:i, s:[], s:{}, s:{s:i, s:i, s:i, s:i, s:i, s:b, s:i, s:i, s:i, s:i, s:i, s:i}}",
                             "type", "account", "version", 2, "signing_keys", "revocations", "limits", "subs", -1,
                             "data", -1, "payload", -1, "imports", 0, "exports", -1, "wildcards", 1, "conn", -1, "leaf",
                             -1, "mem_storage", store, "disk_storage", store, "streams", store, "consumer", store);

    if (!nats)
        return -ENOMEM;
    if (add_lists(nats, account) < 0) {
        json_decref(nats);
        return -ENOMEM;
    }
    return issue(operator, account->public, account->name, nats, 0, now, ret);
}

int jwt_user(const struct wire_key *signer, const struct jwt_user *user, int64_t now, char **ret)
{
    bool scoped = strcmp(wire_key_public(signer), user->account) != 0;
    json_t *nats = json_pack("{s:s, s:i, s:s, s:o}", "type", "user", "version", 2, "issuer_account", user->account,
                             "tags", subjects(user->tags));
    int r = nats ? 0 : -ENOMEM;

    /* With a scope, permissions of its own would void a user; without one, no limit named is a limit of 0. */
    if (r == 0 && !scoped) {
        static const char *const limits[] = {"subs", "data", "payload"};

        (void)json_object_del(nats, "issuer_account");
        for (size_t i = 0; i < sizeof(limits) / sizeof(*limits) && r == 0; i++)
            if (json_object_set_new(nats, limits[i], json_integer(-1)) < 0)
                r = -ENOMEM;
    }
    if (r < 0) {
        json_decref(nats);
        return r;
    }
    return issue(signer, user->public, user->name, nats, user->expires, now, ret);
}
