#pragma once

#include <stddef.h>
#include <stdint.h>

/* SHA-256 by OpenSSL EVP. */
enum {
    DIGEST_SIZE = 32,
    DIGEST_HEX_SIZE = 65
};

struct digest {
    uint8_t bytes[DIGEST_SIZE];
};

/* 0 or -EIO when OpenSSL fails. */
int digest_bytes(const void *data, size_t size, struct digest *ret);
/* Reads the fd from its current offset to the end, at most maximum bytes: -EFBIG past it. */
int digest_fd(int fd, uint64_t maximum, struct digest *ret);

/* Over several fields, each with its length in front (u64 little endian), so that no two field lists share a digest. */
struct digest_fields;
int digest_fields_new(struct digest_fields **ret);
struct digest_fields *digest_fields_free(struct digest_fields *d);
int digest_fields_add(struct digest_fields *d, const void *data, size_t size);
int digest_fields_finish(struct digest_fields *d, struct digest *ret);

void digest_to_hex(const struct digest *d, char ret[static DIGEST_HEX_SIZE]);
int digest_from_hex(const char *hex, struct digest *ret);         /* exactly 64 hex digits, else -EINVAL */
int digest_equal(const struct digest *a, const struct digest *b); /* constant time; 1 or 0 */
