#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"
#include "export/place.h"

/*
 * Onto the medium, given the root of its mounted filesystem. Everything is written into a directory of its own with a name that says that
 * it is not finished, made durable and read back past the cache; only then it gets its place.
 */

struct put_item {
    int fd; /* what is written: size bytes from offset on */
    uint64_t offset, size;
    const char *name;     /* one safe component (export/names.h) */
    struct digest sha256; /* of it */
};
struct put_options {
    int root;
    const char *id; /* of this export; letters and digits */
    /* The file's name when there is one item, else the directory's. Gets " (2)" … when taken, also by one of the same fold
     * (export/names.h). */
    const char *final;
    const struct put_item *items;
    size_t n;
    /* Called with every chunk and file; anything but 0 ends it and is its result. check: what was written is being read back. */
    int (*progress)(void *context, bool check, uint64_t done, uint64_t total);
    void *context;
};

enum {
    PUT_E_FULL = 1, /* the medium has no room */
    PUT_E_DIFFERS,  /* what is read back is not what was written */
    PUT_E_TAKEN,    /* no free name, too many there to look for one, or two that the filesystem takes for one */
    PUT_E_STOPPED,  /* for progress() to say */
    PUT_E_LARGE,    /* its filesystem takes no file of that size; nothing was written */
};

/* vfat's sizes have 32 bits; others end where no medium does. filesystem: statfs(2)'s f_type. */
bool put_is_too_large(long filesystem, uint64_t size);
/* Removes what exports of these ids, which did not end, left behind: their directories and the files in them. What else is called like that is
 * somebody's and stays, as does what does not let itself be removed. How many. */
unsigned put_clean(int root, const char *const *ids, size_t n);
/* Is there room for it, a free name, and does the filesystem take files of that size? 0, PUT_E_FULL, PUT_E_TAKEN, PUT_E_LARGE, PUT_E_STOPPED, -errno. Writes nothing.
 * place comes empty and is for put_commit(); the caller releases it. */
int put_check(const struct put_options *o, struct place *place);
/* 0: all is on the medium, the same as it was staged, under a name that nobody takes for whole; PUT_E_*; -errno. On failure what there was
 * of it is removed as far as the medium lets it. */
int put_write(const struct put_options *o);
/* Gives it its name, durably. ret_name, of 256 bytes, is that name. After this returned 0 it is whole. */
int put_commit(const struct put_options *o, const struct place *place, char ret_name[static 256]);
/* Instead of put_commit(). */
void put_abort(const struct put_options *o);
