#pragma once

#include <stddef.h>
#include <stdint.h>

#include "export/pack.h"

/* What every container is made with: the files' content in chunks, which has the digest it was staged with or the packing fails. */
struct packing {
    const struct pack_options *options;
    uint8_t *chunk;
    uint64_t done, total;
};

/* When everything that has to be opened is open: enters the cage. 0, -ENOMEM, what enter() says that is not 0. packing_done() wipes the chunk; also
 * after a failure. */
int packing_init(struct packing *p, const struct pack_options *o);
void packing_done(struct packing *p);
/* Hands every chunk of the file to put(), then tells of it. 0, PACK_E_*, -errno; what put() and progress() say that is not 0. */
int packing_content(struct packing *p, const struct export_member *m,
                    int (*put)(void *context, const uint8_t *data, size_t size), void *context);
