#pragma once

#include <stdbool.h>

/*
 * Closes a connection of somebody who must not be able to make us wait. What they sent and nobody read may hold the last reference to
 * descriptors of theirs, and giving that up can take as long as they like: a TCP socket lingers (SO_LINGER), a FUSE file is written
 * back. Such a connection is closed by a process of its own.
 */

/* The other side is shut out. True: there was nothing like that, and fd is closed. */
bool let_go_at_once(int fd);
/* Starts the process for one that holds something, and closes fd. A pidfd for let_go_is_done(), or -errno: fd is still open. */
int let_go_later(int fd);
/* Has it ended? Then its pidfd is closed as well. */
bool let_go_is_done(int closer);
