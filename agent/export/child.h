#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/* A child of the worker, until it ends or is given up. */
struct child {
    pid_t pid;
    const int *sockets; /* looked at when one of them ends */
    unsigned n;
    bool (*is_left)(const void *context); /* it is to be stopped */
    const void *context;
    const uint64_t *pulse; /* shared with it; NULL: it takes as long as it takes */
    int pulse_ms; /* in which that changes at least once; time in which this machine or this process sleeps does not count */
    int start_ms,
        beat_ms; /* from the first beat on it has so long in all, and so much more with every beat; 0: no such limit */
};

/* Its exit status. -ECHILD: killed, by us because somebody left, or by somebody. -ETIMEDOUT: it did nothing, or too little, for too long. A killed child that does
 * not end (it waits in the kernel for a filesystem that does not answer) is left behind after two seconds. */
int child_wait(const struct child *c);

/* Shared with children that are forked from now on, zero. NULL: no memory. The other two take NULL. */
void *child_share(size_t size);
void child_unshare(void *p, size_t size);
uint64_t *child_pulse_new(void);
void child_pulse_free(uint64_t *pulse);
/* In the child: so many beats. */
void child_pulse_beat(uint64_t *pulse, uint64_t n);
