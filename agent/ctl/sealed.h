#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * Bytes that are too many for a frame, passed as a memfd that nobody can change any more (memfd_create(2), F_ADD_SEALS of fcntl(2)).
 */

/* A sealed copy of the bytes. Returns the fd or -errno. */
int sealed_make(const void *bytes, size_t size);

enum {
    SEALED_E_NOT_SEALED = 1, /* no memfd, or one that its owner could still change */
    SEALED_E_TOO_LONG,
};
/* Reads what somebody else passed; nothing is read of what is not sealed in every way, so a peer can neither make us wait nor change
 * the bytes under our hands. 0, SEALED_E_*, -errno. The buffer is NUL-terminated past ret_size; caller frees. */
int sealed_read(int fd, size_t maximum, uint8_t **ret, size_t *ret_size);
