#pragma once

#include <stddef.h>

#include "hub/store/store.h"

/* The root documents that terminals are handed, each signed by the one before. Whoever adds one has verified it as a terminal does. */

struct hub_root {
    uint64_t version;
    int64_t added_us;
    const uint8_t *envelope; /* as long as the call */
    size_t size;
};

/* In the caller's transaction, with its record. 1 added, 0 this version is there. fingerprint: for the record. */
int hub_root_add(struct hub_store *s, const struct hub_actor *actor, const struct hub_root *root,
                 const char *fingerprint);
/* The newest first, at most `maximum`; a negative answer ends the walk. */
int hub_root_each(struct hub_store *s, unsigned maximum, int (*each)(void *context, const struct hub_root *root),
                  void *context);
