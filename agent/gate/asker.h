#pragma once

#include "gate/internal.h"
#include "kern/proc.h"

/*
 * Who asks: person and program of the thread that waits. One of these per worker, no locks.
 */

enum {
    ASKERS_KEPT = 16,
    ASKERS_AGE_US = 1000 * 1000
};

struct askers {
    unsigned next;
    struct asker_kept {
        pid_t tid; /* 0: free */
        int pid_fd, status_fd;
        uint64_t read_us;
        struct asker asker;
        char *program;
    } kept[ASKERS_KEPT];
};

struct facts {
    int pid_fd; /* borrowed from the askers until the next event */
    struct asker asker;
    struct proc_status status;
    const char *program; /* path for the journal; borrowed likewise; may be NULL */
    bool person_known, exe_known;
    bool steered; /* traced, or (asked for stores only) in a user namespace of its own */
};

void askers_init(struct askers *a);
void askers_done(struct askers *a);

/* Identity (fsuid, groups, tracer, executable) is read each time; start time, login and session of a thread that was seen less than
 * ASKERS_AGE_US ago with the same executable are remembered. 0, or -errno at the first thing that cannot be had: what is known up
 * to there is set. */
int askers_gather(struct askers *a, const struct gate *g, pid_t tid, bool store, uint64_t now_us, struct facts *ret);
