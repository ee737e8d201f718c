#pragma once

#include <stdio.h>

#include "kern/block.h"

/* One block device inside a udev rule: classify, set read-only, say what udev shall do. Directory fds: */
struct helper_roots {
    int sysfs, proc; /* /sys, /proc */
    int run, state;  /* kuraband's; -1: not there */
    const struct block_ops *ops;
};

/* Writes KEY=VALUE lines for IMPORT{program}:
 *   KURABAN_EXIT=1 KURABAN_BUS=… KURABAN_DISK=…   it is an exit (nothing at all is written for other devices)
 *   KURABAN_READ_ONLY=1 | KURABAN_ERROR=errno      whether the kernel's flag is set now
 *   KURABAN_HIDDEN=1 UDISKS_IGNORE=1 UDISKS_AUTO=0 kuraband has not allowed this medium (yet)
 *   KURABAN_MONITOR=1                              only watched: neither read-only nor hidden
 * 0, or -errno: then the rule itself refuses what looks removable. */
int helper_run(const struct helper_roots *roots, const char *name, FILE *out);
