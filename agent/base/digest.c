/*
 * Owns: SHA-256 by OpenSSL, over bytes, files and lists of fields.
 * Must not: hold a hash of its own making, or compare digests in variable time.
 */
#include "base/digest.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"

DEFINE_CLEANUP(EVP_MD_CTX *, EVP_MD_CTX_free);

static int digest_start(EVP_MD_CTX **ret)
{
    EVP_MD_CTX *context = EVP_MD_CTX_new();

    if (!context)
        return -ENOMEM;
    if (EVP_DigestInit_ex2(context, EVP_sha256(), NULL) != 1) {
        EVP_MD_CTX_free(context);
        return -EIO;
    }
    *ret = context;
    return 0;
}

static int digest_end(EVP_MD_CTX *context, struct digest *ret)
{
    struct digest d;
    unsigned int size = 0;

    if (EVP_DigestFinal_ex(context, d.bytes, &size) != 1 || size != DIGEST_SIZE)
        return -EIO;
    *ret = d;
    return 0;
}

int digest_bytes(const void *data, size_t size, struct digest *ret)
{
    _cleanup_(EVP_MD_CTX_freep) EVP_MD_CTX *context = NULL;
    int r = digest_start(&context);

    if (r < 0)
        return r;
    if (size > 0 && EVP_DigestUpdate(context, data, size) != 1)
        return -EIO;
    return digest_end(context, ret);
}

int digest_fd(int fd, uint64_t maximum, struct digest *ret)
{
    _cleanup_(EVP_MD_CTX_freep) EVP_MD_CTX *context = NULL;
    _cleanup_free_ uint8_t *chunk = NULL;
    const size_t chunk_size = 128 * 1024;
    uint64_t total = 0;
    ssize_t n;
    int r;

    r = digest_start(&context);
    if (r < 0)
        return r;
    chunk = malloc(chunk_size);
    if (!chunk)
        return -ENOMEM;
    for (;;) {
        n = read(fd, chunk, chunk_size);
        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return -errno;
        if (n == 0)
            return digest_end(context, ret);
        if ((uint64_t)n > maximum - total)
            return -EFBIG;
        total += (uint64_t)n;
        if (EVP_DigestUpdate(context, chunk, (size_t)n) != 1)
            return -EIO;
    }
}

struct digest_fields {
    EVP_MD_CTX *context;
};

int digest_fields_new(struct digest_fields **ret)
{
    struct digest_fields *d = calloc(1, sizeof(*d));
    int r;

    if (!d)
        return -ENOMEM;
    r = digest_start(&d->context);
    if (r < 0) {
        free(d);
        return r;
    }
    *ret = d;
    return 0;
}

struct digest_fields *digest_fields_free(struct digest_fields *d)
{
    if (d) {
        EVP_MD_CTX_free(d->context);
        free(d);
    }
    return NULL;
}

int digest_fields_add(struct digest_fields *d, const void *data, size_t size)
{
    uint8_t length[8];

    for (size_t i = 0; i < sizeof(length); i++)
        length[i] = (uint8_t)((uint64_t)size >> (8 * i));
    if (EVP_DigestUpdate(d->context, length, sizeof(length)) != 1)
        return -EIO;
    if (size > 0 && EVP_DigestUpdate(d->context, data, size) != 1)
        return -EIO;
    return 0;
}

int digest_fields_finish(struct digest_fields *d, struct digest *ret)
{
    return digest_end(d->context, ret);
}

void digest_to_hex(const struct digest *d, char ret[static DIGEST_HEX_SIZE])
{
    static const char digits[] = "0123456789abcdef";

    for (size_t i = 0; i < DIGEST_SIZE; i++) {
        ret[2 * i] = digits[d->bytes[i] >> 4];
        ret[2 * i + 1] = digits[d->bytes[i] & 0x0f];
    }
    ret[2 * DIGEST_SIZE] = 0;
}

static int nibble(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -EINVAL;
}

int digest_from_hex(const char *hex, struct digest *ret)
{
    struct digest d;

    if (strnlen(hex, DIGEST_HEX_SIZE) != DIGEST_HEX_SIZE - 1)
        return -EINVAL;
    for (size_t i = 0; i < DIGEST_SIZE; i++) {
        int high = nibble(hex[2 * i]), low = nibble(hex[2 * i + 1]);

        if (high < 0 || low < 0)
            return -EINVAL;
        d.bytes[i] = (uint8_t)(high << 4 | low);
    }
    *ret = d;
    return 0;
}

int digest_equal(const struct digest *a, const struct digest *b)
{
    return CRYPTO_memcmp(a->bytes, b->bytes, DIGEST_SIZE) == 0;
}
