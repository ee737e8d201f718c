/*
 * Owns: one frame on a stream socket, in and out, with a deadline (docs/PROTOCOL.frame.md).
 * Must not: know frame types, read past the frame it was asked for, or keep an fd that it does not hand over.
 *
 * Reading past a frame would mix up which frame an fd came with, so the header and the body are asked for separately.
 */
#include "base/frame.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/clock.h"

enum {
    FRAME_FLAGS_KNOWN = FRAME_FLAG_MORE,
    FRAME_FDS_SEEN_MAX =
        16, /* surplus that is received to be closed; the kernel drops what does not fit (MSG_CTRUNC) */
};

struct frame_header {
    uint32_t length;
    uint16_t type, flags;
};

void frame_init(struct frame *f)
{
    *f = (struct frame){.fd = -1};
    buf_init(&f->body, FRAME_BODY_MAX);
}

void frame_done(struct frame *f)
{
    buf_done(&f->body);
    f->fd = close_fd(f->fd);
}

static int header_parse(const uint8_t bytes[static FRAME_HEADER_SIZE], struct frame_header *ret)
{
    struct buf_reader r = {.data = bytes, .size = FRAME_HEADER_SIZE};
    struct frame_header h;

    if (buf_get_u32(&r, &h.length) < 0 || buf_get_u16(&r, &h.type) < 0 || buf_get_u16(&r, &h.flags) < 0)
        return -EBADMSG;
    if (h.length > FRAME_BODY_MAX || (h.flags & ~FRAME_FLAGS_KNOWN) != 0)
        return -EBADMSG;
    *ret = h;
    return 0;
}

static uint64_t deadline_from(int deadline_ms)
{
    return clock_boottime_us() + (uint64_t)(deadline_ms > 0 ? deadline_ms : 0) * 1000;
}

/* 0 when the socket is ready for events or has an error to tell, -ETIMEDOUT past the deadline. */
static int wait_for(int socket, short events, uint64_t deadline_us)
{
    for (;;) {
        struct pollfd p = {.fd = socket, .events = events};
        uint64_t now = clock_boottime_us();
        uint64_t left_ms = deadline_us > now ? (deadline_us - now + 999) / 1000 : 0;
        int r = poll(&p, 1, left_ms > INT_MAX ? INT_MAX : (int)left_ms);

        if (r > 0)
            return (p.revents & POLLNVAL) ? -EBADF : 0;
        if (r < 0 && errno != EINTR)
            return -errno;
        if (r == 0 && clock_boottime_us() >= deadline_us)
            return -ETIMEDOUT;
    }
}

int frame_take_fds(struct msghdr *m, int *fd)
{
    int r = (m->msg_flags & MSG_CTRUNC) ? -EBADMSG : 0;

    for (struct cmsghdr *c = CMSG_FIRSTHDR(m); c; c = CMSG_NXTHDR(m, c)) {
        size_t n;

        if (c->cmsg_level != SOL_SOCKET || c->cmsg_type != SCM_RIGHTS)
            continue;
        n = (c->cmsg_len - CMSG_LEN(0)) / sizeof(int);
        for (size_t i = 0; i < n; i++) {
            int received;

            memcpy(&received, CMSG_DATA(c) + i * sizeof(int), sizeof(int));
            if (*fd < 0) {
                *fd = received;
                continue;
            }
            close_fd(received);
            r = -EBADMSG;
        }
    }
    return r;
}

/* Fills bytes completely. *got counts what came, also on error. */
static int receive_bytes(int socket, uint8_t *bytes, size_t size, uint64_t deadline_us, int *fd, size_t *got)
{
    *got = 0;
    while (*got < size) {
        union {
            struct cmsghdr align;
            char space[CMSG_SPACE(FRAME_FDS_SEEN_MAX * sizeof(int))];
        } control;
        struct iovec iov = {.iov_base = bytes + *got, .iov_len = size - *got};
        struct msghdr m = {
            .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = sizeof(control)};
        ssize_t n;
        int r;

        r = wait_for(socket, POLLIN, deadline_us);
        if (r < 0)
            return r;
        n = recvmsg(socket, &m, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
        if (n < 0 && (errno == EINTR || errno == EAGAIN))
            continue;
        if (n < 0)
            return -errno;
        r = frame_take_fds(&m, fd);
        if (r < 0)
            return r;
        if (n == 0)
            return -ECONNRESET;
        *got += (size_t)n;
    }
    return 0;
}

static int receive_body(int socket, struct buf *body, size_t length, uint64_t deadline_us, int *fd)
{
    uint8_t chunk[4096];
    size_t got;
    int r;

    while (length > 0) {
        size_t part = length < sizeof(chunk) ? length : sizeof(chunk);

        r = receive_bytes(socket, chunk, part, deadline_us, fd, &got);
        if (r >= 0)
            r = buf_add(body, chunk, part);
        if (r < 0)
            break;
        length -= part;
    }
    explicit_bzero(chunk, sizeof(chunk));
    return length > 0 ? r : 0;
}

int frame_receive(struct frame *f, int socket, int deadline_ms)
{
    uint64_t deadline_us = deadline_from(deadline_ms);
    uint8_t header[FRAME_HEADER_SIZE];
    _cleanup_close_ int fd = -1;
    struct frame_header h;
    size_t got;
    int r;

    frame_done(f);
    frame_init(f);
    r = receive_bytes(socket, header, sizeof(header), deadline_us, &fd, &got);
    if (r == -ECONNRESET && got == 0)
        return -ENODATA;
    if (r >= 0)
        r = header_parse(header, &h);
    if (r >= 0)
        r = receive_body(socket, &f->body, h.length, deadline_us, &fd);
    if (r < 0) {
        buf_clear(&f->body);
        return r;
    }
    f->type = h.type;
    f->flags = h.flags;
    f->fd = TAKE_FD(fd);
    return 0;
}

ssize_t frame_send_some(int socket, struct iovec *iov, size_t n_iov, int fd)
{
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(sizeof(int))];
    } control = {0};
    struct msghdr m = {.msg_iov = iov, .msg_iovlen = n_iov};
    ssize_t n;

    if (fd >= 0) {
        struct cmsghdr *c;

        m.msg_control = &control;
        m.msg_controllen = sizeof(control);
        c = CMSG_FIRSTHDR(&m);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(sizeof(int));
        memcpy(CMSG_DATA(c), &fd, sizeof(int));
    }
    n = sendmsg(socket, &m, MSG_NOSIGNAL | MSG_DONTWAIT);
    return n < 0 ? -errno : n;
}

static int send_bytes(int socket, struct iovec *iov, size_t n_iov, int fd, uint64_t deadline_us)
{
    while (n_iov > 0) {
        ssize_t n;
        int r;

        r = wait_for(socket, POLLOUT, deadline_us);
        if (r < 0)
            return r;
        n = frame_send_some(socket, iov, n_iov, fd);
        if (n == -EINTR || n == -EAGAIN)
            continue;
        if (n < 0)
            return n == -EPIPE ? -ECONNRESET : (int)n;
        fd = -1;
        while (n_iov > 0 && (size_t)n >= iov->iov_len) {
            n -= (ssize_t)iov->iov_len;
            iov++;
            n_iov--;
        }
        if (n_iov > 0) {
            iov->iov_base = (uint8_t *)iov->iov_base + n;
            iov->iov_len -= (size_t)n;
        }
    }
    return 0;
}

int frame_send(int socket, uint16_t type, uint16_t flags, const struct buf *body, int fd, int deadline_ms)
{
    size_t length = body ? body->size : 0;
    uint8_t header[FRAME_HEADER_SIZE] = {
        (uint8_t)length, (uint8_t)(length >> 8), (uint8_t)(length >> 16), (uint8_t)(length >> 24),
        (uint8_t)type,   (uint8_t)(type >> 8),   (uint8_t)flags,          (uint8_t)(flags >> 8),
    };
    struct iovec iov[2] = {{.iov_base = header, .iov_len = sizeof(header)}};

    if (length > FRAME_BODY_MAX || (flags & ~FRAME_FLAGS_KNOWN) != 0)
        return -EBADMSG;
    if (length > 0)
        iov[1] = (struct iovec){.iov_base = body->data, .iov_len = length};
    return send_bytes(socket, iov, length > 0 ? 2 : 1, fd, deadline_from(deadline_ms));
}

int frame_parse(const uint8_t *bytes, size_t size, struct frame_view *ret, size_t *ret_used)
{
    struct frame_header h;
    int r;

    if (size < FRAME_HEADER_SIZE)
        return 0;
    r = header_parse(bytes, &h);
    if (r < 0)
        return r;
    if (size - FRAME_HEADER_SIZE < h.length)
        return 0;
    *ret = (struct frame_view){
        .type = h.type,
        .flags = h.flags,
        .body = {.data = bytes + FRAME_HEADER_SIZE, .size = h.length},
    };
    *ret_used = FRAME_HEADER_SIZE + h.length;
    return 1;
}
