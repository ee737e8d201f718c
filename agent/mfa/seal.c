/*
 * Owns: how a secret stands on disk, and the names of keys.
 * Must not: keep a key or a secret, or choose a nonce.
 */
#include "mfa/seal.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "base/digest.h"

enum {
    AAD_MAX = 128
};

static void free_cipher(EVP_CIPHER_CTX **c)
{
    EVP_CIPHER_CTX_free(*c);
}

void key_wipe(struct key *k)
{
    OPENSSL_cleanse(k, sizeof(*k));
}

int key_identify(const struct key *k, struct key_id *ret)
{
    static const char label[] = "kuraban-mfa/1 key id";
    struct digest_fields *fields = NULL;
    struct digest digest;
    int r = digest_fields_new(&fields);

    if (r >= 0)
        r = digest_fields_add(fields, label, sizeof(label) - 1);
    if (r >= 0)
        r = digest_fields_add(fields, k->bytes, sizeof(k->bytes));
    if (r >= 0)
        r = digest_fields_finish(fields, &digest);
    (void)digest_fields_free(fields);
    if (r < 0)
        return -EIO;
    memcpy(ret->bytes, digest.bytes, sizeof(ret->bytes));
    return 0;
}

/* "kuraban-mfa/1", the purpose, then what the secret belongs to, all of fixed length. */
static int make_aad(const struct seal_place *place, struct buf *ret)
{
    int r = buf_add_string(ret, "kuraban-mfa/1 totp");

    if (r >= 0)
        r = buf_add_u64(ret, place->record);
    if (r >= 0)
        r = buf_add_u32(ret, place->uid);
    if (r >= 0)
        r = buf_add_u32(ret, (uint32_t)place->settings.algorithm);
    if (r >= 0)
        r = buf_add_u32(ret, place->settings.digits);
    if (r >= 0)
        r = buf_add_u32(ret, place->settings.period);
    return r;
}

static EVP_CIPHER_CTX *begin(const struct key *k, const struct seal_place *place, const uint8_t *nonce, int encrypt)
{
    _cleanup_(free_cipher) EVP_CIPHER_CTX *c = EVP_CIPHER_CTX_new();
    struct buf aad;
    int n = 0;
    bool ok;

    buf_init(&aad, AAD_MAX);
    ok = c && make_aad(place, &aad) >= 0 &&
         EVP_CipherInit_ex(c, EVP_aes_256_gcm(), NULL, k->bytes, nonce, encrypt) == 1 &&
         EVP_CipherUpdate(c, NULL, &n, aad.data, (int)aad.size) == 1;
    buf_done(&aad);
    return ok ? TAKE_PTR(c) : NULL;
}

int seal(const struct key *k, const struct seal_place *place, const uint8_t nonce[static SEAL_NONCE_SIZE],
         const uint8_t *secret, size_t size, struct sealed *ret)
{
    _cleanup_(free_cipher) EVP_CIPHER_CTX *c = NULL;
    struct sealed s = {.size = size + SEAL_TAG_SIZE};
    int n = 0, rest = 0;

    if (size < TOTP_SECRET_MIN || size > TOTP_SECRET_MAX)
        return -EINVAL;
    memcpy(s.nonce, nonce, sizeof(s.nonce));
    c = begin(k, place, nonce, 1);
    if (!c || EVP_CipherUpdate(c, s.bytes, &n, secret, (int)size) != 1 ||
        EVP_CipherFinal_ex(c, s.bytes + n, &rest) != 1 || (size_t)n + (size_t)rest != size ||
        EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_GET_TAG, SEAL_TAG_SIZE, s.bytes + size) != 1)
        return -EIO;
    *ret = s;
    return 0;
}

int unseal(const struct key *k, const struct seal_place *place, const struct sealed *s, uint8_t *ret, size_t *ret_size)
{
    _cleanup_(free_cipher) EVP_CIPHER_CTX *c = NULL;
    uint8_t tag[SEAL_TAG_SIZE];
    size_t size;
    int n = 0, rest = 0;

    if (s->size < TOTP_SECRET_MIN + SEAL_TAG_SIZE || s->size > SEAL_MAX)
        return -EBADMSG;
    size = s->size - SEAL_TAG_SIZE;
    memcpy(tag, s->bytes + size, sizeof(tag));
    c = begin(k, place, s->nonce, 0);
    if (!c || EVP_CipherUpdate(c, ret, &n, s->bytes, (int)size) != 1 ||
        EVP_CIPHER_CTX_ctrl(c, EVP_CTRL_AEAD_SET_TAG, SEAL_TAG_SIZE, tag) != 1) {
        OPENSSL_cleanse(ret, TOTP_SECRET_MAX);
        return -EIO;
    }
    if (EVP_CipherFinal_ex(c, ret + n, &rest) != 1 || (size_t)n + (size_t)rest != size) {
        OPENSSL_cleanse(ret, TOTP_SECRET_MAX);
        return -EBADMSG;
    }
    *ret_size = size;
    return 0;
}
