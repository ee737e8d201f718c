/*
 * Owns: the text form of NATS keys.
 * Must not: leave a seed behind, or take one that is not written exactly as NATS writes it.
 */
#include "policy/fleet/nkey.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <string.h>

#include "base/base32.h"

enum {
    PREFIX_SEED = 18 << 3, /* "S" */
    CRC_SIZE = 2,
    RAW_MAX = 2 + NKEY_RAW_SIZE + CRC_SIZE,
};

/* The prefix whose first character the kind is; its low 3 bits are 0. */
static uint8_t prefix_of(enum nkey_kind kind)
{
    return (uint8_t)((kind - 'A') << 3);
}

static uint16_t crc16(const uint8_t *bytes, size_t size)
{
    uint16_t crc = 0;

    for (size_t i = 0; i < size; i++) {
        crc = (uint16_t)(crc ^ bytes[i] << 8);
        for (int bit = 0; bit < 8; bit++)
            crc = (uint16_t)(crc & 0x8000 ? crc << 1 ^ 0x1021 : crc << 1);
    }
    return crc;
}

/* The prefix of a seed holds the one of its kind, moved by five bits. */
static size_t seed_prefix(enum nkey_kind kind, uint8_t to[static 2])
{
    to[0] = (uint8_t)(PREFIX_SEED | prefix_of(kind) >> 5);
    to[1] = (uint8_t)((prefix_of(kind) & 31) << 3);
    return 2;
}

static size_t public_prefix(enum nkey_kind kind, uint8_t to[static 2])
{
    to[0] = prefix_of(kind);
    return 1;
}

static void write_key(const uint8_t *prefix, size_t n, const uint8_t *key, char *ret)
{
    uint8_t raw[RAW_MAX];
    uint16_t crc;

    memcpy(raw, prefix, n);
    memcpy(raw + n, key, NKEY_RAW_SIZE);
    crc = crc16(raw, n + NKEY_RAW_SIZE);
    raw[n + NKEY_RAW_SIZE] = (uint8_t)(crc & 255);
    raw[n + NKEY_RAW_SIZE + 1] = (uint8_t)(crc >> 8);
    base32_write(raw, n + NKEY_RAW_SIZE + CRC_SIZE, ret);
    OPENSSL_cleanse(raw, sizeof(raw));
}

static int read_key(const char *text, size_t length, const uint8_t *prefix, size_t n, uint8_t *ret)
{
    uint8_t raw[RAW_MAX];
    size_t size = 0;
    int r = -EBADMSG;

    if (base32_read(text, length, false, raw, sizeof(raw), &size) == 0 && size == n + NKEY_RAW_SIZE + CRC_SIZE &&
        memcmp(raw, prefix, n) == 0) {
        uint16_t crc = crc16(raw, n + NKEY_RAW_SIZE);

        if (raw[size - 2] == (crc & 255) && raw[size - 1] == crc >> 8) {
            memcpy(ret, raw + n, NKEY_RAW_SIZE);
            r = 0;
        }
    }
    OPENSSL_cleanse(raw, sizeof(raw));
    return r;
}

void nkey_public_write(enum nkey_kind kind, const uint8_t public[static NKEY_RAW_SIZE],
                       char ret[static NKEY_PUBLIC_SIZE])
{
    uint8_t prefix[2];

    write_key(prefix, public_prefix(kind, prefix), public, ret);
}

void nkey_seed_write(enum nkey_kind kind, const uint8_t seed[static NKEY_RAW_SIZE], char ret[static NKEY_SEED_SIZE])
{
    uint8_t prefix[2];

    write_key(prefix, seed_prefix(kind, prefix), seed, ret);
}

int nkey_public_read(const char *text, size_t length, enum nkey_kind kind, uint8_t ret[static NKEY_RAW_SIZE])
{
    uint8_t prefix[2];

    return read_key(text, length, prefix, public_prefix(kind, prefix), ret);
}

int nkey_seed_read(const char *text, size_t length, enum nkey_kind kind, uint8_t ret[static NKEY_RAW_SIZE])
{
    uint8_t prefix[2];

    return read_key(text, length, prefix, seed_prefix(kind, prefix), ret);
}
