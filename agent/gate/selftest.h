#pragma once

#include "gate/internal.h"

/* Makes the canary files anew and marks them. 0 or -errno. */
int selftest_prepare(struct gate *g);
/* Marks one canary again (after the group's inode marks were flushed). 0 or -errno. */
int selftest_mark(struct gate *g, enum gate_group which);
/* Removes the files. */
void selftest_remove(struct gate *g);
