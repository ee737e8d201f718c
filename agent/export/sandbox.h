#pragma once

#include <stdint.h>

/* What a child of the worker may still do: the system calls it needs, all others fail with EPERM; files no larger than size_max, no new
 * processes. 0 or -errno; then the process must end. */
int sandbox_enter(uint64_t size_max);
