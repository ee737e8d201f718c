#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "policy/fleet/nkey.h"

/* A key pair of the wire: operator, account, one who signs for an account, or a user. It opens the broker, and nothing on a terminal. */

struct wire_key;

/* 0, -ENOMEM, -EIO (OpenSSL). */
int wire_key_new(enum nkey_kind kind, struct wire_key **ret);
/* -EBADMSG: not a seed of this kind. text is the caller's to wipe. */
int wire_key_read(const char *seed, size_t length, enum nkey_kind kind, struct wire_key **ret);
struct wire_key *wire_key_free(struct wire_key *k);

const char *wire_key_public(const struct wire_key *k); /* "UA…", as long as the key lives */
/* A secret. 0 or -EIO. */
int wire_key_seed(const struct wire_key *k, char ret[static NKEY_SEED_SIZE]);

enum {
    WIRE_SIGNATURE_SIZE = 64
};
int wire_key_sign(const struct wire_key *k, const void *bytes, size_t size, uint8_t ret[static WIRE_SIGNATURE_SIZE]);

DEFINE_CLEANUP(struct wire_key *, wire_key_free);
