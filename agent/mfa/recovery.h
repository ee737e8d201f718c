#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "mfa/mfa.h"

/* Recovery codes: 60 random bits as three groups of four letters and digits. For the files of mfa/ only. */

enum {
    RECOVERY_SALT_SIZE = 16,
    RECOVERY_HASH_SIZE = 32,
    RECOVERY_CHARACTERS = 12,
};

/* How a set stands in the store. */
struct recovery_hashes {
    uint8_t salt[RECOVERY_SALT_SIZE]; /* of the set: one slow hash answers for all of its codes */
    uint8_t hashes[MFA_RECOVERY_COUNT][RECOVERY_HASH_SIZE];
    bool used[MFA_RECOVERY_COUNT];
};

/* 0, -EIO, or what ops->random returned. */
int recovery_make(const struct mfa_ops *ops, struct mfa_recovery *ret, struct recovery_hashes *ret_hashes);
/* Could text be one? Case, spaces and dashes do not matter. */
bool recovery_is_code(const char *text);
/* 1 and its number; 0: none of them; -EIO. Looks at all of them. */
int recovery_find(const struct recovery_hashes *h, const char *text, unsigned *ret_number);
