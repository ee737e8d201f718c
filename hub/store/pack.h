#pragma once

#include <stddef.h>
#include <stdint.h>

/* Journal lines as they lie in hub.db: compressed (zstd), and exactly the same bytes when they come out. */

enum {
    PACK_MAX = 256 * 1024, /* bytes of lines */
};

struct pack;

/* One per thread. NULL: no memory. */
struct pack *pack_new(void);
struct pack *pack_free(struct pack *p);
/* What is returned lives until the next call. 0; -EINVAL: empty or longer than PACK_MAX; -EIO. */
int pack_lines(struct pack *p, const void *lines, size_t size, const uint8_t **ret, size_t *ret_size);
/* The lines end with a NUL behind them. 0; -EUCLEAN: nothing that was packed here. */
int pack_open(struct pack *p, const void *bytes, size_t size, const char **ret, size_t *ret_size);
