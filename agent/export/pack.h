#pragma once

#include <stdint.h>

#include "export/members.h"

enum {
    /* 25 characters of 5 bits in five groups: 125 bits, "XXXXX-XXXXX-XXXXX-XXXXX-XXXXX". */
    PACK_PASSWORD_SIZE = 30
};

/* Random, from an alphabet without letters that look like digits (Crockford's base 32). Wipe it. 0 or -EIO. */
int pack_password(char ret[static PACK_PASSWORD_SIZE]);

struct pack_options {
    int staged; /* the files, one after the other */
    const struct export_members *members;
    const char *password;
    int out;         /* empty, open for writing */
    int64_t wall_us; /* what the entries bear as their time */
    /* Called once, when everything that has to be opened is open and before a staged byte is read; anything but 0 ends it as well. */
    int (*enter)(void *context);
    /* Called with every chunk; anything but 0 ends the packing and is its result. */
    int (*progress)(void *context, uint64_t done, uint64_t total);
    void *context;
};

enum {
    PACK_E_DIFFERS = 1, /* what is staged is not what was staged */
    PACK_E_FULL,        /* no room for the container */
    PACK_E_STOPPED,     /* for progress() to say */
};

/* Both: 0, PACK_E_*, -errno. */

/* A zip with AES-256 (WinZip AE-2) and UTF-8 names, by libarchive. */
int pack_zip(const struct pack_options *o);
/* A LUKS2 image with a filesystem that is only read; `cryptsetup open` and desktops open it with the password. out is a regular file. */
int pack_luks(const struct pack_options *o);
