#pragma once

#include <stdint.h>

/*
 * kuraban-keeper: holds the permission groups while no daemon runs, so that the kernel never finds the last descriptor closed
 * (it would allow everything that waits).
 */

struct keeper_options {
    int listener;      /* listening socket; the keeper's from here on */
    unsigned grace_ms; /* how long opens wait for a daemon before they are refused */
};

enum {
    KEEPER_GRACE_DEFAULT_MS = 10000
};

/* Runs until a daemon releases it, or until the grace time is over without ever having held a group. 0 or -errno. */
int keeper_run(const struct keeper_options *o);
