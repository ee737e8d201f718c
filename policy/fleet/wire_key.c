/*
 * Owns: key pairs of the wire.
 * Must not: leave a seed behind.
 */
#include "policy/fleet/wire_key.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>

struct wire_key {
    EVP_PKEY *pkey;
    enum nkey_kind kind;
    char public[NKEY_PUBLIC_SIZE];
};

/* Takes pkey, NULL: OpenSSL failed. */
static int key_of(EVP_PKEY *pkey, enum nkey_kind kind, struct wire_key **ret)
{
    uint8_t public[NKEY_RAW_SIZE];
    size_t size = sizeof(public);
    struct wire_key *k;

    if (!pkey)
        return -EIO;
    if (EVP_PKEY_get_raw_public_key(pkey, public, &size) != 1 || size != sizeof(public)) {
        EVP_PKEY_free(pkey);
        return -EIO;
    }
    k = calloc(1, sizeof(*k));
    if (!k) {
        EVP_PKEY_free(pkey);
        return -ENOMEM;
    }
    k->pkey = pkey;
    k->kind = kind;
    nkey_public_write(kind, public, k->public);
    *ret = k;
    return 0;
}

int wire_key_new(enum nkey_kind kind, struct wire_key **ret)
{
    return key_of(EVP_PKEY_Q_keygen(NULL, NULL, "ED25519"), kind, ret);
}

int wire_key_read(const char *seed, size_t length, enum nkey_kind kind, struct wire_key **ret)
{
    uint8_t raw[NKEY_RAW_SIZE];
    int r = nkey_seed_read(seed, length, kind, raw);

    if (r < 0)
        return r;
    r = key_of(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, NULL, raw, sizeof(raw)), kind, ret);
    OPENSSL_cleanse(raw, sizeof(raw));
    return r;
}

struct wire_key *wire_key_free(struct wire_key *k)
{
    if (k) {
        EVP_PKEY_free(k->pkey);
        free(k);
    }
    return NULL;
}

const char *wire_key_public(const struct wire_key *k)
{
    return k->public;
}

int wire_key_seed(const struct wire_key *k, char ret[static NKEY_SEED_SIZE])
{
    uint8_t raw[NKEY_RAW_SIZE];
    size_t size = sizeof(raw);

    if (EVP_PKEY_get_raw_private_key(k->pkey, raw, &size) != 1 || size != sizeof(raw))
        return -EIO;
    nkey_seed_write(k->kind, raw, ret);
    OPENSSL_cleanse(raw, sizeof(raw));
    return 0;
}

int wire_key_sign(const struct wire_key *k, const void *bytes, size_t size, uint8_t ret[static WIRE_SIGNATURE_SIZE])
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();
    size_t n = WIRE_SIGNATURE_SIZE;
    int r = -EIO;

    if (!context)
        return -ENOMEM;
    if (EVP_DigestSignInit(context, NULL, NULL, NULL, k->pkey) == 1 &&
        EVP_DigestSign(context, ret, &n, bytes, size) == 1 && n == WIRE_SIGNATURE_SIZE)
        r = 0;
    EVP_MD_CTX_free(context);
    return r;
}
