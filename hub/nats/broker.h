#pragma once

#include <stdint.h>

#include "base/buf.h"
#include "policy/fleet/wire_key.h"

/*
 * The broker of one centre: which accounts it has, what a terminal may say and hear there, and where it listens. One account carries
 * everything of kuraban's; a terminal's JWT is signed by a key whose scope names only its own subjects and its groups' policy.
 */

static const uint64_t BROKER_STORE_MAX = UINT64_C(16)
                                         << 30; /* bytes: what 10 000 terminals send in days without a hub */

struct broker_keys {
    const struct wire_key *operator, * account, *system, *terminals;
};

struct broker_settings {
    const char *organization;
    const char *address; /* to listen at */
    uint16_t port;
    const char *directory;              /* absolute; the broker's own */
    const char *certificate, *key, *ca; /* absolute files */
    uint64_t store_max;                 /* bytes of streams */
};

/* Appends the text of nats.conf. As server_conf_write(). */
int broker_write(const struct broker_keys *keys, const struct broker_settings *settings, int64_t now_s, struct buf *b);

/* JWTs: of the hub, which may do everything in the account, and of a terminal. expires: seconds since 1970, 0 never. 0, or as jwt_user(). */
int broker_hub_jwt(const struct broker_keys *keys, const char *public, int64_t now_s, int64_t expires_s, char **ret);
/* groups: ended by NULL, at most BROKER_GROUPS_MAX. */
int broker_terminal_jwt(const struct broker_keys *keys, const char *id, const char *public, const char *const *groups,
                        int64_t now_s, int64_t expires_s, char **ret);

enum {
    BROKER_GROUPS_MAX = 64,
    BROKER_PAYLOAD_MAX = 1024 * 1024, /* bytes of one message of a terminal */
    BROKER_SUBSCRIPTIONS_MAX = 256,
};
