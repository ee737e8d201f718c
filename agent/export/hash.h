#pragma once

#include <stddef.h>

#include "base/digest.h"

/* SHA-256 of what passes by, by OpenSSL EVP. */
struct hash;

int hash_new(struct hash **ret);
struct hash *hash_free(struct hash *h);
int hash_add(struct hash *h, const void *bytes, size_t size);
/* Once; then it is to be freed. */
int hash_end(struct hash *h, struct digest *ret);
