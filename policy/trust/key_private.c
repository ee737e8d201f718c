/*
 * Owns: private keys of people who sign: made, encrypted, written, loaded from a file or a token.
 * Must not: leave a passphrase or an unencrypted key in memory that was freed, or ask on a terminal itself.
 */
#include <errno.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/err.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/pkcs12.h>
#include <openssl/store.h>
#include <openssl/ui.h>
#include <openssl/x509.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "policy/trust/internal.h"

DEFINE_CLEANUP(BIO *, BIO_free);

enum {
    /* 16 MiB and eight rounds: OWASP's scrypt advice within the 32 MiB OpenSSL allows a reader by default. */
    SCRYPT_N = 1 << 14,
    SCRYPT_R = 8,
    SCRYPT_P = 8,
    SALT_SIZE = 16,
};

char *trust_secret_free(char *secret)
{
    if (secret) {
        OPENSSL_cleanse(secret, strlen(secret));
        free(secret);
    }
    return NULL;
}

int trust_key_generate(EVP_PKEY **ret)
{
    EVP_PKEY *key = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");

    if (!key)
        return -EIO;
    *ret = key;
    return 0;
}

/* The key as encrypted PKCS#8; NULL when OpenSSL fails. */
static X509_SIG *encrypt(const EVP_PKEY *key, const char *passphrase)
{
    PKCS8_PRIV_KEY_INFO *plain = EVP_PKEY2PKCS8(key);
    X509_ALGOR *algorithm =
        PKCS5_pbe2_set_scrypt(EVP_aes_256_cbc(), NULL, SALT_SIZE, NULL, SCRYPT_N, SCRYPT_R, SCRYPT_P);
    X509_SIG *sealed = NULL;

    if (plain && algorithm)
        sealed = PKCS8_set0_pbe(passphrase, (int)strlen(passphrase), plain, algorithm);
    if (!sealed)
        X509_ALGOR_free(algorithm);  /* else it belongs to sealed */
    PKCS8_PRIV_KEY_INFO_free(plain); /* wipes the key */
    return sealed;
}

int trust_key_write_private(const EVP_PKEY *key, const char *passphrase, char **ret_pem)
{
    _cleanup_(BIO_freep) BIO *bio = NULL;
    size_t length = strlen(passphrase);
    X509_SIG *sealed;
    char *data = NULL, *text;
    long size = 0;

    if (length < TRUST_PASSPHRASE_MIN || length > TRUST_PASSPHRASE_MAX)
        return -EINVAL;
    sealed = encrypt(key, passphrase);
    bio = BIO_new(BIO_s_mem());
    if (sealed && bio && PEM_write_bio_PKCS8(bio, sealed) == 1)
        size = BIO_get_mem_data(bio, &data);
    X509_SIG_free(sealed);
    ERR_clear_error();
    if (size <= 0)
        return -EIO;
    text = text_copy(data, (size_t)size);
    if (!text)
        return -ENOMEM;
    *ret_pem = text;
    return 0;
}

/* The caller's question in the form OpenSSL asks it. */
struct question {
    int (*passphrase)(void *context, char *buffer, size_t size);
    void *context;
    bool asked;
};

static int ask(char *buffer, int size, int writing, void *context)
{
    struct question *q = context;
    int n;

    (void)writing;
    q->asked = true;
    if (!q->passphrase || size <= 0)
        return -1;
    n = q->passphrase(q->context, buffer, (size_t)size);
    return n > size ? -1 : n;
}

/* The first private key the store has; NULL: none that opens. */
static EVP_PKEY *load(OSSL_STORE_CTX *store)
{
    EVP_PKEY *key = NULL;

    while (!key && !OSSL_STORE_eof(store)) {
        OSSL_STORE_INFO *info = OSSL_STORE_load(store);

        if (!info)
            break; /* an object that does not open ends the search: nothing after it was asked for */
        if (OSSL_STORE_INFO_get_type(info) == OSSL_STORE_INFO_PKEY)
            key = OSSL_STORE_INFO_get1_PKEY(info);
        OSSL_STORE_INFO_free(info);
    }
    return key;
}

int trust_key_load_private(const char *uri, int (*passphrase)(void *context, char *buffer, size_t size), void *context,
                           EVP_PKEY **ret)
{
    struct question q = {.passphrase = passphrase, .context = context};
    UI_METHOD *method = UI_UTIL_wrap_read_pem_callback(ask, 0);
    EVP_PKEY *key = NULL;
    OSSL_STORE_CTX *store;

    if (!method)
        return -ENOMEM;
    store = OSSL_STORE_open(uri, method, &q, NULL, NULL);
    if (store && OSSL_STORE_expect(store, OSSL_STORE_INFO_PKEY) == 1)
        key = load(store);
    (void)OSSL_STORE_close(store);
    UI_destroy_method(method);
    ERR_clear_error();
    if (!key)
        return q.asked ? TRUST_KEY_E_PASSPHRASE : TRUST_KEY_E_NONE;
    if (EVP_PKEY_get_id(key) != EVP_PKEY_ED25519) {
        EVP_PKEY_free(key);
        return TRUST_KEY_E_KIND;
    }
    *ret = key;
    return TRUST_KEY_OK;
}
