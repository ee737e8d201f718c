#pragma once

/*
 * Closes a connection of somebody who must not be able to make us wait. What they sent and nobody read may hold the last reference to
 * descriptors of theirs, and giving that up can take as long as they like: a TCP socket lingers (SO_LINGER), a FUSE file is written
 * back. Such a connection is closed by a process of its own.
 * 0, or -errno: that process could not be started, and the connection stays open for ever rather than to be waited for.
 */
int let_go(int fd);
