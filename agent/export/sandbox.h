#pragma once

#include <stdbool.h>
#include <stdint.h>

enum sandbox {
    SANDBOX_OPENS,   /* the stager: opens files for reading, as whoever it has become (the caller) */
    SANDBOX_NOTHING, /* the packer: what it needs is open */
};

/* For good: no file is written beyond what is open, size_max bytes long at most; no program is started, nothing connected to, and only what
 * copying and packing need is called: by the list of system calls, and once more by Landlock where the kernel has it. identity_drop_capabilities()
 * was called before. 0 or -errno. */
int sandbox_enter(enum sandbox what, uint64_t size_max);

/* The second of these alone: 0, -EOPNOTSUPP where the kernel has it not (sandbox_enter() goes on without it), other -errno. */
int sandbox_enter_landlock(enum sandbox what);
bool sandbox_has_landlock(void);
