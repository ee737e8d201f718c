#pragma once

#include <stddef.h>
#include <sys/types.h>

/* Whose permissions decide what can be read. */
struct export_identity {
    uid_t uid;
    gid_t gid;
    gid_t *gids; /* supplementary (SO_PEERGROUPS) */
    size_t n_gids;
};

/* For good: files are opened as that person (effective ids, those of files, groups), without any capability, not dumpable, no_new_privs. The real
 * and the saved user stay root, so that the person can neither trace nor stop it. 0 or -errno; then the process must end. */
int identity_take(const struct export_identity *id);
/* The same rights as before, less every capability. */
int identity_drop_capabilities(void);
