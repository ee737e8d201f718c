#pragma once

#include <stddef.h>
#include <stdint.h>

#include "mfa/mfa.h"

/* Secrets at rest: AES-256-GCM, bound to their record. For the files of mfa/ only. */

enum {
    SEAL_NONCE_SIZE = 12,
    SEAL_TAG_SIZE = 16,
    SEAL_MAX = TOTP_SECRET_MAX + SEAL_TAG_SIZE,
    KEY_ID_SIZE = 8,
};

struct key_id {
    uint8_t bytes[KEY_ID_SIZE];
};
struct key {
    uint8_t bytes[MFA_KEY_SIZE];
};
void key_wipe(struct key *k);
/* A name of the key that tells nothing about it. 0 or -EIO. */
int key_identify(const struct key *k, struct key_id *ret);

struct sealed {
    uint8_t nonce[SEAL_NONCE_SIZE];
    uint8_t bytes[SEAL_MAX]; /* secret, tag */
    size_t size;
};
/* What a secret belongs to: moved to another record, person or setting it does not open. */
struct seal_place {
    uint64_t record;
    uid_t uid;
    struct totp_settings settings;
};

/* nonce: never the same twice under one key. 0, -EINVAL, -EIO. */
int seal(const struct key *k, const struct seal_place *place, const uint8_t nonce[static SEAL_NONCE_SIZE],
         const uint8_t *secret, size_t size, struct sealed *ret);
/* ret holds TOTP_SECRET_MAX bytes, which the caller wipes. 0; -EBADMSG: changed, or of another place or key; -EIO. */
int unseal(const struct key *k, const struct seal_place *place, const struct sealed *s, uint8_t *ret, size_t *ret_size);
