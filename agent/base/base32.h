#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* base32 of RFC 4648 section 6, without padding. What is written may be a secret: nothing of it is left behind. */

/* Characters of that many bytes. */
#define BASE32_LENGTH(size) (((size)*8 + 4) / 5)

/* ret holds BASE32_LENGTH(size) + 1 bytes. */
void base32_write(const uint8_t *bytes, size_t size, char *ret);
/*
 * As people type it: any case; spaces, dashes and padding at the end do not matter; otherwise exactly what base32_write() writes.
 * 0; -EINVAL: another character, or bits that belong to no byte; -ERANGE: more than maximum bytes. ret holds maximum bytes, which are
 * wiped on failure.
 */
int base32_read(const char *text, size_t length, bool typed, uint8_t *ret, size_t maximum, size_t *ret_size);
