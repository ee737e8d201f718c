#pragma once

#include <stdint.h>

/*
 * The medium while one export writes to it. It is mounted to a descriptor alone (fsmount(2)): no mount namespace has it, no path leads
 * to it, and when the descriptor is closed, also by the end of the process, it is unmounted.
 */
struct medium_nodes {
    int node, disk;         /* block devices, open for reading; the same device for a whole disk. Borrowed */
    const char *filesystem; /* the kernel's name of it: vfat exfat ext4 … */
    uint64_t diskseq;       /* of the medium that was decided about */
};

enum {
    MEDIUM_E_BUSY = 1,   /* somebody has it mounted, or files of it open */
    MEDIUM_E_READ_ONLY,  /* a write-protect switch, or an error on the medium */
    MEDIUM_E_FILESYSTEM, /* not one that is written to, or damaged */
};

/* Is this a filesystem that exports are written to? */
int medium_knows(const char *filesystem);
/* Sees that the device still is that medium (-ENODEV), clears the read-only flags, mounts, sets them again before anything else.
 * The kernel asks the flag when something is opened or mounted, not
 * when a mounted filesystem writes (6.1 to 6.18; tests/vm/facts/export-reach.py), so from here on only the holder of the descriptor
 * writes. Returns 0 and the root of the filesystem, MEDIUM_E_*, -errno; the flags are set in any case. */
int medium_mount(const struct medium_nodes *m, int *ret_root);
/* After the root was closed: nobody has it mounted and both flags are set. 0, MEDIUM_E_BUSY, -errno. */
int medium_check_closed(const struct medium_nodes *m);
/* Both flags; for the way out of anything that failed. 0 or -errno. */
int medium_protect(const struct medium_nodes *m);
