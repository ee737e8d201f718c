/*
 * The client side of the control socket, used by the CLI. Owns one connected socket. It trusts the peer only after
 * SO_PEERCRED says root (or the caller's own uid, for a private instance that a developer runs) listens.
 */
#include "ctl/client.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/frame.h"
#include "ctl/protocol.h"

enum {
    CONNECT_DEADLINE_MS = 5000,
    FRAME_DEADLINE_MS = 30000, /* for the rest of an answer that has begun */
};

static int check_peer(int fd)
{
    struct ucred peer = {0};
    socklen_t size = sizeof(peer);

    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
        return -errno;
    return peer.uid == 0 || peer.uid == geteuid() ? 0 : -EPERM;
}

static int open_socket(const char *run_directory, const char *name, int *ret)
{
    _cleanup_close_ int fd = -1;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    struct timeval limit = {.tv_sec = CONNECT_DEADLINE_MS / 1000};
    int n, r;

    n = snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", run_directory, name);
    if (n < 0 || (size_t)n >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    if (fd < 0)
        return -errno;
    /* A full backlog blocks connect(2) for as long as the send timeout says. */
    if (setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof(limit)) < 0)
        return -errno;
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
        return -errno;
    r = check_peer(fd);
    if (r < 0)
        return r;
    *ret = TAKE_FD(fd);
    return 0;
}

int ctl_client_open(const char *run_directory, struct ctl_client *ret)
{
    int r = geteuid() == 0 ? open_socket(run_directory, CTL_ROOT_SOCKET_NAME, &ret->socket) : -ENOENT;

    return r < 0 ? open_socket(run_directory, CTL_SOCKET_NAME, &ret->socket) : r;
}

void ctl_client_close(struct ctl_client *c)
{
    c->socket = close_fd(c->socket);
}

/* frame_receive() has a deadline always; a watcher waits here until there is something to receive. */
static int wait_for_ever(int fd)
{
    struct pollfd p = {.fd = fd, .events = POLLIN};

    while (poll(&p, 1, -1) < 0)
        if (errno != EINTR)
            return -errno;
    return 0;
}

static int receive(struct frame *f, int fd, int deadline_ms)
{
    if (deadline_ms < 0) {
        int r = wait_for_ever(fd);

        if (r < 0)
            return r;
        deadline_ms = FRAME_DEADLINE_MS;
    }
    return frame_receive(f, fd, deadline_ms);
}

/* Appends the JSON of one answer frame; 1 when more follows. A frame that says so must bring something, or a peer could
 * keep its reader for ever. An fd is taken where one is wanted (*fd is -1 and may come once); fd NULL: none may come. */
static int take_chunk(struct frame *f, struct buf *json, uint32_t *code, int *fd)
{
    struct buf_reader r = {.data = f->body.data, .size = f->body.size};
    bool more = (f->flags & FRAME_FLAG_MORE) != 0;
    int e;

    if (f->type != CTL_ANSWER || (f->fd >= 0 && (!fd || *fd >= 0)))
        return -EBADMSG;
    if (f->fd >= 0)
        *fd = TAKE_FD(f->fd);
    e = buf_get_u32(&r, code);
    if (e < 0)
        return e;
    if (more && r.offset == r.size)
        return -EBADMSG;
    e = buf_add(json, r.data + r.offset, r.size - r.offset);
    if (e < 0)
        return e;
    return more;
}

static int next_answer(struct ctl_client *c, int deadline_ms, uint32_t *ret_code, json_t **ret_json, int *fd)
{
    struct buf json;
    uint32_t code = CTL_CODE_FAILED;
    json_t *parsed;
    int more;

    buf_init(&json, CTL_ANSWER_MAX);
    do {
        struct frame f;

        frame_init(&f);
        more = receive(&f, c->socket, deadline_ms);
        if (more >= 0)
            more = take_chunk(&f, &json, &code, fd);
        frame_done(&f);
    } while (more > 0);
    if (more < 0) {
        buf_done(&json);
        return more;
    }
    parsed = json_loadb((const char *)json.data, json.size, JSON_REJECT_DUPLICATES | JSON_DECODE_ANY, NULL);
    buf_done(&json);
    if (!parsed)
        return -EBADMSG;
    *ret_code = code;
    *ret_json = parsed;
    return 0;
}

int ctl_client_next(struct ctl_client *c, int deadline_ms, uint32_t *ret_code, json_t **ret_json)
{
    return next_answer(c, deadline_ms, ret_code, ret_json, NULL);
}

int ctl_client_ask_for_fd(struct ctl_client *c, uint16_t request, const struct buf *fields, int deadline_ms,
                          uint32_t *ret_code, json_t **ret_json, int *ret_fd)
{
    _cleanup_close_ int fd = -1;
    int r = frame_send(c->socket, request, 0, fields, -1, deadline_ms < 0 ? CONNECT_DEADLINE_MS : deadline_ms);

    if (r >= 0)
        r = next_answer(c, deadline_ms, ret_code, ret_json, &fd);
    if (r < 0)
        return r;
    *ret_fd = TAKE_FD(fd);
    return 0;
}

int ctl_client_ask(struct ctl_client *c, uint16_t request, const struct buf *fields, int deadline_ms,
                   uint32_t *ret_code, json_t **ret_json)
{
    return ctl_client_ask_fd(c, request, fields, -1, deadline_ms, ret_code, ret_json);
}

int ctl_client_ask_fd(struct ctl_client *c, uint16_t request, const struct buf *fields, int fd, int deadline_ms,
                      uint32_t *ret_code, json_t **ret_json)
{
    int r = frame_send(c->socket, request, 0, fields, fd, deadline_ms < 0 ? CONNECT_DEADLINE_MS : deadline_ms);

    if (r < 0)
        return r;
    return ctl_client_next(c, deadline_ms, ret_code, ret_json);
}
