#pragma once

#include <stdbool.h>
#include <stddef.h>

enum {
    SPAWN_FDS_MAX = 8
};

/* A program of our own that outlives who starts it, or ends without anybody having to wait for it. */
struct spawn {
    const char *program; /* absolute path */
    char *const *argv;
    const int *
        fds; /* the program finds them from first_fd on, and /dev/null as its input and output; no other but the error stream */
    size_t n;
    int first_fd;
    bool fresh_signals; /* none blocked, SIGIO as at first; else as they are here */
};

/* No environment, "/" as directory, a session of its own. 0 when it was forked; that it could not be executed, its end tells. -errno. */
int spawn_detached(const struct spawn *s);
