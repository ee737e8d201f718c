#pragma once

#include "test.h"

#include <stdlib.h>

enum {
    SLURP_MAX = 1 << 20
};

/* The whole file, with a NUL behind it; the caller frees it. Fails the test when it cannot be read or does not fit. */
static inline char *slurp(const char *path, size_t *ret_size)
{
    char *bytes = malloc(SLURP_MAX);
    FILE *f = fopen(path, "re");
    size_t n;

    if (!f || !bytes)
        fail_msg("%s cannot be read", path);
    n = fread(bytes, 1, SLURP_MAX, f);
    if (ferror(f) || n == SLURP_MAX)
        fail_msg("%s cannot be read to its end", path);
    (void)fclose(f);
    bytes[n] = '\0';
    if (ret_size)
        *ret_size = n;
    return bytes;
}
