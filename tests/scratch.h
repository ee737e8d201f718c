#pragma once

#include "test.h"

#include <stdlib.h>

/* What a test has left in a directory of its own, and the directory. */
static inline void scratch_remove(const char *path)
{
    char command[512];

    (void)snprintf(command, sizeof(command), "rm -rf -- '%s'", path);
    assert_int_equal(system(command), 0);
}
