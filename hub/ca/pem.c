/* Owns: certificates and keys as text. Must not: ask for a passphrase, or leave a key's text behind. */
#include <errno.h>
#include <openssl/bio.h>
#include <openssl/crypto.h>
#include <openssl/pem.h>
#include <string.h>

#include "base/digest.h"
#include "base/text.h"
#include "hub/ca/internal.h"

char *hub_ca_secret_free(char *secret)
{
    if (secret)
        OPENSSL_cleanse(secret, strlen(secret));
    free(secret);
    return NULL;
}

/* Takes the BIO. */
static int take_text(BIO *bio, int written, char **ret)
{
    char *bytes = NULL, *text;
    long size = written == 1 ? BIO_get_mem_data(bio, &bytes) : 0;

    text = size > 0 ? text_copy(bytes, (size_t)size) : NULL;
    BIO_free(bio); /* of BIO_s_secmem(): wiped */
    if (size <= 0)
        return -EIO;
    if (!text)
        return -ENOMEM;
    *ret = text;
    return 0;
}

int hub_pem_certificate(X509 *certificate, char **ret)
{
    BIO *bio = BIO_new(BIO_s_mem());

    return bio ? take_text(bio, PEM_write_bio_X509(bio, certificate), ret) : -ENOMEM;
}

int hub_pem_key(const EVP_PKEY *key, char **ret)
{
    BIO *bio = BIO_new(BIO_s_secmem());

    return bio ? take_text(bio, PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL), ret) : -ENOMEM;
}

static int no_passphrase(char *buffer, int size, int writing, void *context)
{
    (void)buffer, (void)size, (void)writing, (void)context;
    return -1;
}

X509 *hub_pem_read_certificate(const char *text)
{
    BIO *bio = BIO_new_mem_buf(text, -1);
    X509 *certificate = bio ? PEM_read_bio_X509(bio, NULL, no_passphrase, NULL) : NULL;

    BIO_free(bio);
    return certificate;
}

EVP_PKEY *hub_pem_read_key(const char *text)
{
    BIO *bio = BIO_new_mem_buf(text, -1);
    EVP_PKEY *key = bio ? PEM_read_bio_PrivateKey(bio, NULL, no_passphrase, NULL) : NULL;

    BIO_free(bio);
    return key;
}

int hub_ca_pin(const char *certificate, char ret[static HUB_CA_PIN_SIZE])
{
    X509 *x = hub_pem_read_certificate(certificate);
    char hex[DIGEST_HEX_SIZE];
    unsigned char *der = NULL;
    struct digest digest;
    int size, r;

    if (!x)
        return -EBADMSG;
    size = i2d_X509_PUBKEY(X509_get_X509_PUBKEY(x), &der);
    X509_free(x);
    if (size <= 0)
        return -EIO;
    r = digest_bytes(der, (size_t)size, &digest);
    OPENSSL_free(der);
    if (r < 0)
        return r;
    digest_to_hex(&digest, hex);
    (void)snprintf(ret, HUB_CA_PIN_SIZE, "sha256:%s", hex);
    return 0;
}
