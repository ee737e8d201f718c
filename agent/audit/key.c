/*
 * Owns: the terminal's signing key on disk, and what exactly is signed.
 * Must not: let the private key leave the process, or call a signature good on any path but the one that checked it.
 */
#include "audit/key.h"

#include <errno.h>
#include <inttypes.h>
#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/files.h"

DEFINE_CLEANUP(BIO *, BIO_free);
DEFINE_CLEANUP(EVP_MD_CTX *, EVP_MD_CTX_free);
DEFINE_CLEANUP(EVP_PKEY *, EVP_PKEY_free);

enum {
    PEM_MAX = 4096,
    MESSAGE_MAX = 256,
};

struct journal_key {
    EVP_PKEY *pkey;
    bool is_private;
    char id[DIGEST_HEX_SIZE];
};

struct journal_key *journal_key_free(struct journal_key *k)
{
    if (k) {
        EVP_PKEY_free(k->pkey);
        free(k);
    }
    return NULL;
}

void journal_key_id(const struct journal_key *k, char ret[static DIGEST_HEX_SIZE])
{
    memcpy(ret, k->id, sizeof(k->id));
}

int journal_key_public(const struct journal_key *k, uint8_t ret[static JOURNAL_PUBLIC_SIZE])
{
    size_t size = JOURNAL_PUBLIC_SIZE;

    return EVP_PKEY_get_raw_public_key(k->pkey, ret, &size) == 1 && size == JOURNAL_PUBLIC_SIZE ? 0 : -EIO;
}

EVP_PKEY *journal_key_signer(const struct journal_key *k)
{
    return k->pkey;
}

/* Takes the reference. */
static int key_wrap(EVP_PKEY *pkey, bool is_private, struct journal_key **ret)
{
    _cleanup_(EVP_PKEY_freep) EVP_PKEY *owned = pkey;
    uint8_t raw[JOURNAL_PUBLIC_SIZE];
    size_t size = sizeof(raw);
    struct journal_key *k;
    struct digest d;
    int r;

    if (EVP_PKEY_get_id(pkey) != EVP_PKEY_ED25519)
        return -EBADMSG;
    if (EVP_PKEY_get_raw_public_key(pkey, raw, &size) != 1 || size != sizeof(raw))
        return -EIO;
    r = digest_bytes(raw, size, &d);
    if (r < 0)
        return r;
    k = calloc(1, sizeof(*k));
    if (!k)
        return -ENOMEM;
    k->pkey = TAKE_PTR(owned);
    k->is_private = is_private;
    digest_to_hex(&d, k->id);
    *ret = k;
    return 0;
}

/* Never asks on the terminal for a passphrase. */
static int no_passphrase(char *buffer, int size, int writing, void *context)
{
    (void)buffer, (void)size, (void)writing, (void)context;
    return -1;
}

static int key_read(int dirfd, const char *name, bool is_private, struct journal_key **ret)
{
    _cleanup_(BIO_freep) BIO *bio = NULL;
    uint8_t *pem = NULL;
    EVP_PKEY *pkey;
    size_t size;
    int r;

    r = files_read_at(dirfd, name, PEM_MAX, &pem, &size);
    if (r < 0)
        return r;
    bio = BIO_new_mem_buf(pem, (int)size);
    pkey = !bio         ? NULL
           : is_private ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL)
                        : PEM_read_bio_PUBKEY(bio, NULL, no_passphrase, NULL);
    explicit_bzero(pem, size);
    free(pem);
    return pkey ? key_wrap(pkey, is_private, ret) : -EBADMSG;
}

int journal_key_read_public(int dirfd, const char *name, struct journal_key **ret)
{
    return key_read(dirfd, name, false, ret);
}

int journal_key_from_public(const uint8_t raw[static 32], struct journal_key **ret)
{
    EVP_PKEY *pkey = EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, NULL, raw, 32);

    return pkey ? key_wrap(pkey, false, ret) : -EBADMSG;
}

static int key_write(int dirfd, const char *name, mode_t mode, EVP_PKEY *pkey, bool is_private)
{
    _cleanup_(BIO_freep) BIO *bio = BIO_new(BIO_s_secmem());
    char *data = NULL;
    long size;
    int ok;

    if (!bio)
        return -ENOMEM;
    ok = is_private ? PEM_write_bio_PKCS8PrivateKey(bio, pkey, NULL, NULL, 0, NULL, NULL)
                    : PEM_write_bio_PUBKEY(bio, pkey);
    size = BIO_get_mem_data(bio, &data);
    if (ok != 1 || size <= 0)
        return -EIO;
    return files_write_atomic_at(dirfd, name, data, (size_t)size, mode);
}

static int key_create(int dirfd, struct journal_key **ret)
{
    struct journal_key *k = NULL;
    EVP_PKEY *pkey = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");
    int r;

    if (!pkey)
        return -EIO;
    r = key_wrap(pkey, true, &k);
    if (r < 0)
        return r;
    /* The private key last: where it exists, the public one does as well. */
    r = key_write(dirfd, JOURNAL_KEY_PUBLIC, 0644, k->pkey, false);
    if (r >= 0)
        r = key_write(dirfd, JOURNAL_KEY_PRIVATE, 0600, k->pkey, true);
    if (r < 0) {
        journal_key_free(k);
        return r;
    }
    *ret = k;
    return JOURNAL_KEY_CREATED;
}

int journal_key_open(int key_dirfd, struct journal_key **ret)
{
    int r = key_read(key_dirfd, JOURNAL_KEY_PRIVATE, true, ret);

    if (r == -ENOENT)
        return key_create(key_dirfd, ret);
    if (r == -EBADMSG || r == -EFBIG) {
        /* A terminal without a working key could record nothing at all; the loss shows in every later verification. */
        if (renameat(key_dirfd, JOURNAL_KEY_PRIVATE, key_dirfd, JOURNAL_KEY_PRIVATE ".broken") < 0)
            return -errno;
        return key_create(key_dirfd, ret);
    }
    return r;
}

/* Fields hold no newline: the domain is ours, seq a number, hash hex, and a timestamp with one would fail to compare. */
static int signed_message(const char *domain, uint64_t seq, const char *hash, const char *timestamp, char *ret,
                          size_t size)
{
    int n = snprintf(ret, size, "%s\n%" PRIu64 "\n%s\n%s\n", domain, seq, hash, timestamp);

    return n < 0 || (size_t)n >= size || strchr(hash, '\n') || strchr(timestamp, '\n') ? -EBADMSG : n;
}

int journal_key_sign(const struct journal_key *k, const char *domain, uint64_t seq, const char *hash,
                     const char *timestamp, char ret[static JOURNAL_SIGNATURE_TEXT])
{
    _cleanup_(EVP_MD_CTX_freep) EVP_MD_CTX *context = EVP_MD_CTX_new();
    uint8_t signature[JOURNAL_SIGNATURE_SIZE];
    size_t size = sizeof(signature);
    char message[MESSAGE_MAX];
    int n;

    if (!k->is_private)
        return -EPERM;
    n = signed_message(domain, seq, hash, timestamp, message, sizeof(message));
    if (n < 0)
        return n;
    if (!context || EVP_DigestSignInit(context, NULL, NULL, NULL, k->pkey) != 1 ||
        EVP_DigestSign(context, signature, &size, (const uint8_t *)message, (size_t)n) != 1 ||
        size != sizeof(signature))
        return -EIO;
    (void)EVP_EncodeBlock((uint8_t *)ret, signature, JOURNAL_SIGNATURE_SIZE);
    return 0;
}

int journal_key_check(const struct journal_key *k, const char *domain, uint64_t seq, const char *hash,
                      const char *timestamp, const char *signature)
{
    _cleanup_(EVP_MD_CTX_freep) EVP_MD_CTX *context = NULL;
    uint8_t raw[JOURNAL_SIGNATURE_SIZE + 2]; /* EVP_DecodeBlock counts the padding as bytes */
    char message[MESSAGE_MAX];
    int n, r = -EKEYREJECTED;

    n = signed_message(domain, seq, hash, timestamp, message, sizeof(message));
    if (n < 0)
        return n;
    if (strlen(signature) != JOURNAL_SIGNATURE_TEXT - 1 ||
        EVP_DecodeBlock(raw, (const uint8_t *)signature, JOURNAL_SIGNATURE_TEXT - 1) != sizeof(raw))
        return -EBADMSG;
    context = EVP_MD_CTX_new();
    if (!context || EVP_DigestVerifyInit(context, NULL, NULL, NULL, k->pkey) != 1)
        return -EIO;
    if (EVP_DigestVerify(context, raw, JOURNAL_SIGNATURE_SIZE, (const uint8_t *)message, (size_t)n) == 1)
        r = 0;
    return r;
}
