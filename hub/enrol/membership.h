#pragma once

#include <openssl/types.h>
#include <stddef.h>
#include <stdint.h>

#include "hub/store/terminals.h"

/*
 * The membership of a terminal as the store has it: the one that was signed last when it still says so, else a new one. Its serial is beyond
 * the last one, and no less than the seconds since 1970: a centre whose store was brought back from a copy is not older than its terminals
 * remember. In the caller's transaction. 0 or -errno; the envelope is the caller's to free().
 */
int hub_membership_of(struct hub_store *s, EVP_PKEY *head, const char *organization,
                      const struct hub_terminal *terminal, const char *const *groups, int64_t now_us, uint8_t **ret,
                      size_t *ret_size);
