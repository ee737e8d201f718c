#pragma once

enum cage {
    CAGE_LOCAL = 0, /* no socket but local ones */
    CAGE_NETWORK,   /* the network as well */
};
/* From here on this process writes to no file, starts no program, looks into no other and has these sockets only. What the kernel has no means for is
 * left out. All threads that come later are in it. 0 or -errno. */
int cage_enter(enum cage kind);
