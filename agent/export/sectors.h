#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * A device whose bytes lie encrypted in a file, as dm-crypt reads them: aes-xts-plain64 (IEEE 1619; the tweak counts 512 bytes, also where a
 * sector has more), sectors of SECTORS_SIZE. What was never written reads as zeros.
 */
enum {
    SECTORS_SIZE = 4096,
    SECTORS_KEY_SIZE = 64, /* two keys of 256 bits */
};
struct sectors;

/* n sectors in fd from offset on. The key is copied. 0, -ENOMEM, -EIO. */
int sectors_new(int fd, uint64_t offset, uint64_t n, const uint8_t key[static SECTORS_KEY_SIZE], struct sectors **ret);
struct sectors *sectors_free(struct sectors *s);
/* Of the device, at any place in it. 0, -ERANGE past its end, -errno. */
int sectors_read(struct sectors *s, uint64_t at, void *data, size_t size);
int sectors_write(struct sectors *s, uint64_t at, const void *data, size_t size);
/* The rest: zeros, encrypted. The file tells nobody then which sectors are in use. */
int sectors_fill(struct sectors *s);
