#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"

/*
 * The frame between our processes (docs/PROTOCOL.frame.md): u32 length of the body, u16 type, u16 flags, body; little endian;
 * body at most 64 KiB; at most one fd rides along.
 */
enum {
    FRAME_HEADER_SIZE = 8,
    FRAME_BODY_MAX = 64 * 1024,
};

enum {
    FRAME_FLAG_MORE = 1 << 0, /* another frame of the same answer follows */
};

struct frame {
    uint16_t type;
    uint16_t flags;
    struct buf body;
    int fd; /* owned; -1 when none */
};

void frame_init(struct frame *f);
void frame_done(struct frame *f);

/* Blocking with a deadline in milliseconds for the whole frame. Returns 0, -ETIMEDOUT, -ECONNRESET (peer gone in the middle),
 * -ENODATA (peer gone between frames), -EBADMSG (too long, unknown flags, more than one fd), other -errno.
 * Source: unix(7), cmsg(3). Surplus fds are closed. */
int frame_receive(struct frame *f, int socket, int deadline_ms);
int frame_send(int socket, uint16_t type, uint16_t flags, const struct buf *body, int fd, int deadline_ms);

struct iovec;
struct msghdr;
/* For event loops: one sendmsg(2) that does not wait. fd, borrowed, rides with the first byte the kernel takes; -1: none. The bytes taken,
 * or -errno. */
ssize_t frame_send_some(int socket, struct iovec *iov, size_t n_iov, int fd);
/* For event loops: the fds that came with one recvmsg(2). The first goes to *fd while that is -1; any further one is closed, and then,
 * or when the kernel had no room for one (MSG_CTRUNC), -EBADMSG. */
int frame_take_fds(struct msghdr *m, int *fd);

/* For event loops: takes a whole frame from the front of bytes. 1: a frame, *ret_used bytes consumed; 0: more bytes needed;
 * -EBADMSG. The body is a view into bytes. */
struct frame_view {
    uint16_t type;
    uint16_t flags;
    struct buf_reader body;
};
int frame_parse(const uint8_t *bytes, size_t size, struct frame_view *ret, size_t *ret_used);
