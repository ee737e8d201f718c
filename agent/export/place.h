#pragma once

#include <stddef.h>

/*
 * The names that are where an export gets its place. Read once, before anything is written: the medium is mounted where nobody else is. Whoever
 * prepared the medium decides what lies there, so how long this takes has a limit.
 */

enum {
    PLACE_NAMES = 1000,        /* an export is called as it wants, or " (2)" … up to this */
    PLACE_ENTRIES_MAX = 20000, /* of a directory; in a larger one nothing gets its place */
};

struct place {
    char **folded; /* sorted (export/names.h) */
    size_t n;
};

/* goes_on: called now and then; anything but 0 ends it and is its result. May be NULL. 0; -E2BIG: too many entries; -errno. */
int place_look(int directory, int (*goes_on)(void *context), void *context, struct place *ret);
/* Is there a name that others take for this one? This kernel's vfat has both, and Windows opens the first it finds. 1, 0 or -errno. */
int place_has(const struct place *place, const char *name);
void place_done(struct place *place);
