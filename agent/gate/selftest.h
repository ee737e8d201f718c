#pragma once

#include "gate/internal.h"

/* Makes the canary files anew and marks them. 0 or -errno. */
int selftest_prepare(struct gate *g);
/* Marks one canary again (after the group's inode marks were flushed). 0 or -errno. */
int selftest_mark(struct gate *g, enum gate_group which);
const char *selftest_canary_name(enum gate_group which);
enum {
    SELFTEST_CHILD_FAILED = 125
};
/* Forks a child that runs the task (system calls only, the daemon has threads) and exits with what it returns. It holds the run directory
 * and no other descriptor, and is killed with its parent. Its pid, or -1 as fork(2). */
pid_t selftest_child(int run_fd, int (*task)(int run_fd));
/* Exit status of a child, or -1 when it did not end in time (it is killed) or by itself. */
int selftest_wait(pid_t child, int deadline_ms);
#define SELFTEST_PROBE_DIRECTORY "probe"
/* Removes the files. */
void selftest_remove(struct gate *g);
