#pragma once

/*
 * A directory that comes to its place whole: filled under another name beside it, then renamed. What a killed process left is cleared by the
 * next one; two at a time are told apart by a lock.
 */

struct staging {
    int parent, directory;
    char *name;      /* of the place, in parent */
    char *temporary; /* in parent */
    char *path;      /* the place, absolute */
};

enum staging_result {
    STAGING_OK = 0,
    STAGING_E_TAKEN, /* the place holds something, or is no directory */
    STAGING_E_BUSY,  /* another process is filling one */
};

/* enum staging_result or -errno. */
int staging_begin(const char *place, struct staging *ret);
/* All files in it were synced by who wrote them. The same; on failure it is still to be ended. */
int staging_commit(struct staging *s);
/* Clears what was not committed. */
void staging_end(struct staging *s);
