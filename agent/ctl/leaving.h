#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <sys/types.h>

enum {
    LEAVING_CLOSERS = 64,
    LEAVING_CLOSERS_PER_UID = 16, /* the rest is for the others */
    LEAVING_MAX = 256,            /* then nobody but root is let in before one has gone */
    LEAVING_ROOM = 512            /* and what was let in before that */
};

/* Connections of people that are gone for us and not yet for the kernel: each is closed by a process of its own, which its former owner
 * may make wait (let_go.h), or kept open while that process cannot be started or there are too many. {0} is empty. */
struct leaving {
    struct {
        int fd;     /* kept open; -1: a process has it */
        int closer; /* let_go()'s; -1: none */
        uid_t uid;
    } them[LEAVING_ROOM];
    size_t n;
};

/* Takes fd over. 0, or -errno: it is kept open (-EBUSY: there are too many closers) until leaving_tidy() can begin to close it. */
int leaving_add(struct leaving *l, int fd, uid_t uid);
/* Forgets those that are closed, and begins to close what was kept open. */
void leaving_tidy(struct leaving *l);
bool leaving_is_full(const struct leaving *l);
size_t leaving_of(const struct leaving *l, uid_t uid);
/* Forgets them all: processes that wait go on doing so, and what is kept open stays so until we end. */
void leaving_done(struct leaving *l);
