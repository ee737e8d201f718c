/*
 * SHA-256 while something is copied. Owns: an OpenSSL context.
 */
#include "export/hash.h"

#include <errno.h>
#include <openssl/evp.h>

/* Never defined: it is OpenSSL's context by another name. */
static EVP_MD_CTX *context(struct hash *h)
{
    return (EVP_MD_CTX *)h;
}

int hash_new(struct hash **ret)
{
    EVP_MD_CTX *c = EVP_MD_CTX_new();

    if (!c)
        return -ENOMEM;
    if (EVP_DigestInit_ex2(c, EVP_sha256(), NULL) != 1) {
        EVP_MD_CTX_free(c);
        return -EIO;
    }
    *ret = (struct hash *)c;
    return 0;
}

struct hash *hash_free(struct hash *h)
{
    EVP_MD_CTX_free(context(h));
    return NULL;
}

int hash_add(struct hash *h, const void *bytes, size_t size)
{
    return EVP_DigestUpdate(context(h), bytes, size) == 1 ? 0 : -EIO;
}

int hash_end(struct hash *h, struct digest *ret)
{
    struct digest d;
    unsigned size = 0;

    if (EVP_DigestFinal_ex(context(h), d.bytes, &size) != 1 || size != DIGEST_SIZE)
        return -EIO;
    *ret = d;
    return 0;
}
