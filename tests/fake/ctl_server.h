#pragma once

#include <stddef.h>
#include <sys/types.h>

#include "ctl/server.h"

/* A control socket in its own process: the real server with the caller's handlers. */
struct fake_ctl {
    pid_t pid; /* 0 when stopped */
    char directory[64];
};

/* Makes a fresh run directory that every uid may enter, listens there and serves in a child until fake_ctl_stop().
 * after_start, if given, is called once in the child before the loop runs. 0 or -errno. */
int fake_ctl_start(struct fake_ctl *f, const struct ctl_verb *verbs, size_t n_verbs,
                   void (*after_start)(struct sd_event *loop, struct ctl_server *s));
/* Ends the child and removes the directory. The child's exit status: 0 when it ended as it should or
 * was stopped before. */
int fake_ctl_stop(struct fake_ctl *f);
