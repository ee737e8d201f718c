#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/buf.h"
#include "base/frame.h"

/* One end of a socket of docs/PROTOCOL.export.md, blocking. */

enum {
    LINK_SEND_MS = 30 * 1000,
    LINK_WAIT_MS = 30 * 60 * 1000, /* somebody may have to be asked: udev, a slow journal */
};

/* Fields by a printf-like picture: 1 u8, 4 u32, 8 u64, s string. -ECONNRESET when the other side is gone, other -errno. */
int link_send(int socket, uint16_t type, const char *picture, ...);
/* The next frame, of this type and without a descriptor, and its fields by the same picture (pointers; strings of at most EXPORT_TEXT_MAX
 * bytes are the caller's to free). -ENODATA: the other side is gone; -ECANCELED: EXPORT_STOP came instead, and is left there for who can say why
 * it ended; -EBADMSG: anything else. */
int link_receive(int socket, uint16_t type, int deadline_ms, const char *picture, ...);
/* Has the other side closed? Does not read. */
bool link_is_gone(int socket);
