#pragma once

#include <stdbool.h>
#include <stdint.h>

/* What surrounds the exporting process in fault/export, beside fault.h: its medium is a directory, and its children are counted with it. */

/* Shared by all its processes. */
struct export_around {
    uint64_t calls, faults;
    bool mounted;    /* ever */
    bool unguarded;  /* mounted, and the flag was not set since */
    bool sanitizer;  /* it had something to say */
    char medium[64]; /* the directory */
};

/* Before the first process is forked. NULL: no memory. */
struct export_around *export_around_new(void);
