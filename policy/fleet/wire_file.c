/*
 * Owns: seeds of the wire as files. Must not: read one that others can read, follow a link, or leave a seed behind in memory.
 */
#include "policy/fleet/wire_file.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/files.h"

enum {
    FILE_SIZE_MAX = 128
};

int wire_file_create(int directory, const char *name, enum nkey_kind kind, struct wire_key **ret)
{
    _cleanup_(wire_key_freep) struct wire_key *k = NULL;
    char seed[NKEY_SEED_SIZE] = "", line[NKEY_SEED_SIZE + 1] = "";
    int r = wire_key_new(kind, &k);

    if (r >= 0)
        r = wire_key_seed(k, seed);
    if (r >= 0) {
        (void)snprintf(line, sizeof(line), "%s\n", seed);
        r = files_write_atomic_at(directory, name, line, strlen(line), 0600);
    }
    OPENSSL_cleanse(seed, sizeof(seed));
    OPENSSL_cleanse(line, sizeof(line));
    if (r >= 0)
        *ret = TAKE_PTR(k);
    return r;
}

int wire_file_read(int directory, const char *name, enum nkey_kind kind, struct wire_key **ret)
{
    char *seed = NULL;
    int r = files_read_private_at(directory, name, FILE_SIZE_MAX, &seed);

    if (r < 0)
        return r;
    r = wire_key_read(seed, strlen(seed), kind, ret);
    OPENSSL_cleanse(seed, strlen(seed));
    free(seed);
    return r;
}
