/*
 * Owns: one question to kuraband that is answered by fields, and the doubt about who answers it. Must not: use jansson or keep anything
 * between two questions; its callers live in processes of others, where a descriptor or a signal left behind is somebody else's trouble.
 */
#include "ctl/fields.h"

#include <errno.h>
#include <stdio.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/frame.h"
#include "ctl/protocol.h"

static int left_ms(uint64_t deadline_us)
{
    uint64_t now = clock_boottime_us();

    return now < deadline_us ? (int)((deadline_us - now + 999) / 1000) : 0;
}

/* Whoever may write there could put a socket of their own in place of kuraband's. */
static int check_directory(const char *directory)
{
    struct stat st;

    if (lstat(directory, &st) < 0)
        return -errno;
    return S_ISDIR(st.st_mode) && st.st_uid == 0 && (st.st_mode & (S_IWGRP | S_IWOTH)) == 0 ? 0 : -EPERM;
}

static int check_peer(int fd)
{
    struct ucred peer = {.uid = (uid_t)-1};
    socklen_t size = sizeof(peer);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
        return -errno;
    return peer.uid == 0 ? 0 : -EPERM;
}

static int connect_before(int fd, const struct sockaddr_un *address, uint64_t deadline_us)
{
    for (;;) {
        int ms = left_ms(deadline_us);
        struct timeval limit = {.tv_sec = ms / 1000, .tv_usec = (ms % 1000) * 1000};

        if (ms == 0)
            return -ETIMEDOUT; /* and no limit of zero, which means none */
        /* A full backlog blocks connect(2) for as long as the send timeout says. */
        if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0)
            return -errno;
        if (connect(fd, (const struct sockaddr *)address, sizeof(*address)) == 0)
            return 0;
        if (errno != EINTR && errno != EAGAIN)
            return -errno;
    }
}

static int open_named(const char *directory, const char *name, uint64_t deadline_us, int *ret)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    _cleanup_close_ int fd = -1;
    int n, r;

    n = snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", directory, name);
    if (n < 0 || (size_t)n >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    r = connect_before(fd, &address, deadline_us);
    if (r >= 0)
        r = check_peer(fd);
    if (r < 0)
        return r;
    *ret = TAKE_FD(fd);
    return 0;
}

/* Root has a socket that people cannot keep full. */
static int open_socket(const char *directory, uint64_t deadline_us, int *ret)
{
    int r = check_directory(directory);

    if (r < 0)
        return r;
    r = geteuid() == 0 ? open_named(directory, CTL_ROOT_SOCKET_NAME, deadline_us, ret) : -ENOENT;
    return r < 0 ? open_named(directory, CTL_SOCKET_NAME, deadline_us, ret) : r;
}

/* Moves the body into answer. */
static int take_answer(struct frame *f, struct buf *answer, uint32_t *ret_code, struct buf_reader *ret_fields)
{
    struct buf_reader r = {.data = f->body.data, .size = f->body.size};
    uint32_t code;

    if (f->type != CTL_ANSWER_FIELDS || f->flags != 0 || f->fd >= 0 || buf_get_u32(&r, &code) < 0)
        return -EBADMSG;
    buf_done(answer);
    *answer = f->body;
    buf_init(&f->body, FRAME_BODY_MAX);
    *ret_code = code;
    *ret_fields = r;
    return 0;
}

static int ask(const char *directory, uint16_t request, const struct buf *fields, uint64_t deadline_us, struct frame *f)
{
    _cleanup_close_ int fd = -1;
    int r;

    r = open_socket(directory, deadline_us, &fd);
    if (r >= 0)
        r = frame_send(fd, request, 0, fields, -1, left_ms(deadline_us));
    if (r >= 0)
        r = frame_receive(f, fd, left_ms(deadline_us));
    return r;
}

int ctl_fields_ask(const char *directory, uint16_t request, const struct buf *fields, int *budget_ms,
                   struct buf *answer, uint32_t *ret_code, struct buf_reader *ret_fields)
{
    uint64_t deadline_us = clock_boottime_us() + (uint64_t)(*budget_ms > 0 ? *budget_ms : 0) * 1000;
    struct frame f;
    int r;

    frame_init(&f);
    r = ask(directory, request, fields, deadline_us, &f);
    if (r >= 0)
        r = take_answer(&f, answer, ret_code, ret_fields);
    frame_done(&f);
    *budget_ms = left_ms(deadline_us);
    return r;
}
