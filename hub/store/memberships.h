#pragma once

#include <stddef.h>

#include "hub/store/store.h"

/* The membership that was signed last for each terminal, as it stands. */

/* In the caller's transaction. 1 it is kept; 0 one with this serial or a later one is there already. */
int hub_membership_set(struct hub_store *s, const char *terminal, uint64_t serial, const void *envelope, size_t size);
/* 1, 0 none was signed. The envelope is the caller's to free(). */
int hub_membership_get(struct hub_store *s, const char *terminal, uint64_t *ret_serial, uint8_t **ret,
                       size_t *ret_size);
