#pragma once

#include "gate/internal.h"

/* Makes the canary files anew and marks them. 0 or -errno. */
int selftest_prepare(struct gate *g);
/* Marks one canary again (after the group's inode marks were flushed). 0 or -errno. */
int selftest_mark(struct gate *g, enum gate_group which);
const char *selftest_canary_name(enum gate_group which);
/* Exit status of a child, or -1 when it did not end in time (it is killed) or by itself. */
int selftest_wait(pid_t child, int deadline_ms);
#define SELFTEST_PROBE_DIRECTORY "probe"
/* Removes the files. */
void selftest_remove(struct gate *g);
