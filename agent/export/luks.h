#pragma once

#include <stdint.h>

#include "export/sectors.h"

enum {
    LUKS_HEADER_SIZE = 1024 * 1024 /* what is encrypted begins behind it */
};

/*
 * Writes a LUKS2 header for the sectors behind it (sectors.h, this key) into the file, which has its full size; the password opens it. Needs
 * neither root nor device mapper. 0 or -errno.
 */
int luks_format(int fd, const char *password, const uint8_t key[static SECTORS_KEY_SIZE]);
