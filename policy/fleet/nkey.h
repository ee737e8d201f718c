#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * How NATS writes Ed25519 keys (nkeys): base32 of a prefix byte, the key and a CRC-16/XMODEM, little endian; a seed has two prefix bytes.
 * Seeds are secrets: whoever holds one wipes it.
 */

enum nkey_kind {
    NKEY_NONE = 0,
    NKEY_OPERATOR = 'O',
    NKEY_ACCOUNT = 'A',
    NKEY_USER = 'U',
};

enum {
    NKEY_RAW_SIZE = 32,    /* bytes of a public key, and of a seed */
    NKEY_PUBLIC_SIZE = 57, /* characters with NUL: "UA…" */
    NKEY_SEED_SIZE = 59,   /* the same: "SUA…" */
};

void nkey_public_write(enum nkey_kind kind, const uint8_t public[static NKEY_RAW_SIZE],
                       char ret[static NKEY_PUBLIC_SIZE]);
void nkey_seed_write(enum nkey_kind kind, const uint8_t seed[static NKEY_RAW_SIZE], char ret[static NKEY_SEED_SIZE]);
/* 0, or -EBADMSG: not such a key of this kind. text need not end. */
int nkey_public_read(const char *text, size_t length, enum nkey_kind kind, uint8_t ret[static NKEY_RAW_SIZE]);
int nkey_seed_read(const char *text, size_t length, enum nkey_kind kind, uint8_t ret[static NKEY_RAW_SIZE]);
