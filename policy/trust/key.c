/*
 * Owns: Ed25519 public keys: their one PEM form, their id, and whether a signature is theirs.
 * Must not: hold a private key, or call a signature good on any path but the one that checked it.
 */
#include <errno.h>
#include <openssl/bio.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "policy/trust/internal.h"

DEFINE_CLEANUP(BIO *, BIO_free);
DEFINE_CLEANUP(EVP_MD_CTX *, EVP_MD_CTX_free);
DEFINE_CLEANUP(EVP_PKEY *, EVP_PKEY_free);

static EVP_PKEY *key_from_raw(const uint8_t public[static TRUST_PUBLIC_SIZE])
{
    return EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, public, TRUST_PUBLIC_SIZE);
}

/* Empties OpenSSL's queue. Without memory it says no as well, and that is no answer about the bytes. */
static bool was_out_of_memory(void)
{
    unsigned long e;
    bool yes = false;

    while ((e = ERR_get_error()) != 0)
        yes = yes || ERR_GET_REASON(e) == ERR_R_MALLOC_FAILURE;
    return yes;
}

int trust_key_verify(const uint8_t public[static TRUST_PUBLIC_SIZE],
                     const uint8_t signature[static TRUST_SIGNATURE_SIZE], const uint8_t *message, size_t size)
{
    _cleanup_(EVP_MD_CTX_freep) EVP_MD_CTX *context = EVP_MD_CTX_new();
    _cleanup_(EVP_PKEY_freep) EVP_PKEY *key = key_from_raw(public);
    int good;

    if (!context || !key)
        return -ENOMEM;
    ERR_clear_error();
    if (EVP_DigestVerifyInit(context, NULL, NULL, NULL, key) != 1)
        return was_out_of_memory() ? -ENOMEM : -EIO;
    good = EVP_DigestVerify(context, signature, TRUST_SIGNATURE_SIZE, message, size);
    if (was_out_of_memory() && good != 1)
        return -ENOMEM;
    if (good < 0)
        return -EIO;
    return good == 1;
}

int trust_key_id(const uint8_t public[static TRUST_PUBLIC_SIZE], struct digest *ret)
{
    _cleanup_(EVP_PKEY_freep) EVP_PKEY *key = key_from_raw(public);
    unsigned char *der = NULL;
    int n, r;

    if (!key)
        return -ENOMEM;
    n = i2d_PUBKEY(key, &der);
    if (n <= 0)
        return -EIO;
    r = digest_bytes(der, (size_t)n, ret);
    OPENSSL_free(der);
    return r;
}

static int bio_text(BIO *bio, char **ret)
{
    char *data = NULL, *text;
    long size = BIO_get_mem_data(bio, &data);

    if (size <= 0)
        return -EIO;
    text = text_copy(data, (size_t)size);
    if (!text)
        return -ENOMEM;
    *ret = text;
    return 0;
}

int trust_key_write_public(const EVP_PKEY *key, char **ret_pem)
{
    _cleanup_(BIO_freep) BIO *bio = BIO_new(BIO_s_mem());

    if (!bio)
        return -ENOMEM;
    if (PEM_write_bio_PUBKEY(bio, key) != 1)
        return -EIO;
    return bio_text(bio, ret_pem);
}

int trust_key_to_pem(const uint8_t public[static TRUST_PUBLIC_SIZE], char **ret)
{
    _cleanup_(EVP_PKEY_freep) EVP_PKEY *key = key_from_raw(public);

    return key ? trust_key_write_public(key, ret) : -ENOMEM;
}

int trust_key_public(const EVP_PKEY *key, uint8_t ret[static TRUST_PUBLIC_SIZE])
{
    uint8_t raw[TRUST_PUBLIC_SIZE];
    size_t size = sizeof(raw);

    if (EVP_PKEY_get_id(key) != EVP_PKEY_ED25519)
        return TRUST_KEY_E_KIND;
    if (EVP_PKEY_get_raw_public_key(key, raw, &size) != 1 || size != sizeof(raw))
        return -EIO;
    memcpy(ret, raw, sizeof(raw));
    return TRUST_KEY_OK;
}

bool trust_key_is_weak(const uint8_t public[static TRUST_PUBLIC_SIZE])
{
    static const uint8_t small[][TRUST_PUBLIC_SIZE] = {
        {0}, /* order 4 */
        {1}, /* the neutral element */
        {0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
         0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05}, /* order 8 */
        {0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
         0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a}, /* order 8 */
    };
    uint8_t y[TRUST_PUBLIC_SIZE];
    bool ends = true;

    memcpy(y, public, sizeof(y));
    y[31] &= 0x7f; /* the sign of x */
    for (size_t i = 0; i < ELEMENTS(small); i++)
        if (memcmp(y, small[i], sizeof(y)) == 0)
            return true;
    for (size_t i = 1; i < 31; i++)
        ends = ends && y[i] == 0xff;
    return ends && y[31] == 0x7f && y[0] >= 0xec; /* p - 1 has order 2; from p on the y is not reduced */
}

/* Never asks on the terminal for a passphrase. */
static int no_passphrase(char *buffer, int size, int writing, void *context)
{
    (void)buffer, (void)size, (void)writing, (void)context;
    return -1;
}

int trust_key_read_public(const uint8_t *pem, size_t size, uint8_t ret[static TRUST_PUBLIC_SIZE])
{
    _cleanup_(BIO_freep) BIO *bio = NULL;
    _cleanup_(EVP_PKEY_freep) EVP_PKEY *key = NULL;
    _cleanup_free_ char *again = NULL;
    uint8_t raw[TRUST_PUBLIC_SIZE];
    size_t length;
    int r;

    if (size == 0 || size > TRUST_KEY_PEM_MAX)
        return TRUST_KEY_E_NONE;
    bio = BIO_new_mem_buf(pem, (int)size);
    if (!bio)
        return -ENOMEM;
    ERR_clear_error();
    key = PEM_read_bio_PUBKEY(bio, NULL, no_passphrase, NULL);
    if (was_out_of_memory() && !key)
        return -ENOMEM;
    if (!key)
        return TRUST_KEY_E_NONE;
    r = trust_key_public(key, raw);
    if (r != TRUST_KEY_OK)
        return r;
    if (trust_key_is_weak(raw))
        return TRUST_KEY_E_WEAK;
    r = trust_key_to_pem(raw, &again);
    if (r < 0)
        return r;
    /* One spelling; the last newline may be missing. */
    length = strlen(again);
    if (!(size == length || size + 1 == length) || memcmp(pem, again, size) != 0)
        return TRUST_KEY_E_NONE;
    memcpy(ret, raw, sizeof(raw));
    return TRUST_KEY_OK;
}
