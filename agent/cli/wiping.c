/* Owns: OpenSSL's and jansson's heap in the program that handles people's keys. Must not: be linked into a daemon, which has none and counts time. */
#include "cli/wiping.h"

#include <jansson.h>
#include <malloc.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

static void *wiping_malloc(size_t size, const char *file, int line)
{
    (void)file, (void)line;
    return malloc(size);
}

static void wiping_free(void *p, const char *file, int line)
{
    (void)file, (void)line;
    if (p)
        OPENSSL_cleanse(p, malloc_usable_size(p));
    free(p);
}

/* realloc() could move the block and free the old one as it is. */
static void *wiping_realloc(void *p, size_t size, const char *file, int line)
{
    size_t before = p ? malloc_usable_size(p) : 0;
    void *moved;

    if (size == 0) {
        wiping_free(p, file, line);
        return NULL;
    }
    moved = malloc(size);
    if (!moved)
        return NULL;
    if (p)
        memcpy(moved, p, before < size ? before : size);
    wiping_free(p, file, line);
    return moved;
}

static void *plain_malloc(size_t size)
{
    return malloc(size);
}

static void wiping_json_free(void *p)
{
    wiping_free(p, NULL, 0);
}

void wiping_begin(void)
{
    json_set_alloc_funcs(plain_malloc, wiping_json_free);
    (void)CRYPTO_set_mem_functions(wiping_malloc, wiping_realloc, wiping_free);
}
