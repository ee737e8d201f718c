/*
 * The privileged side of the control socket. Owns the listening socket and every accepted connection with its buffers.
 * A peer is identified by SO_PEERCRED once, at accept. It must not: block, trust lengths, keep a peer that sent something
 * that is not in the table, or let one uid use up connections, memory, processor time or log lines: a connection has one
 * request at work at a time, and while its answer waits nothing more is read from it.
 */
#include "ctl/server.h"

#include <errno.h>
#include <fcntl.h>
#include <inttypes.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/queue.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/frame.h"
#include "base/log.h"
#include "ctl/let_go.h"

#ifndef SO_PEERPIDFD /* 6.5; asm-generic */
#    define SO_PEERPIDFD 77
#endif

enum {
    CONNECTIONS_MAX = 128,
    CONNECTIONS_PER_UID = 16, /* root is not counted: an administrator always gets in */
    IDLE_LIMIT_US = 30 * 1000000,
    ACCEPT_PAUSE_US = 1000000, /* without free descriptors the listening socket would wake the loop for ever */
    LOG_INTERVAL_US = 1000000, /* one line about misbehaving peers in this time */
    READ_MAX = FRAME_HEADER_SIZE + FRAME_BODY_MAX,
    OUTPUT_MAX = CTL_ANSWER_MAX + CTL_ANSWER_MAX / 64, /* JSON and its frame headers */
};

struct connection {
    TAILQ_ENTRY(connection) link;
    struct ctl_server *server;
    struct ctl_peer peer;
    int fd;
    int passed;    /* the fd that came with the frame in `in`; -1 none */
    bool unwanted; /* one came that is not taken; nothing is read after it */
    bool streaming;
    sd_event_source *io, *idle;
    struct buf in, out;
    size_t sent; /* bytes of out that are gone already */
};

struct ctl_server {
    sd_event *loop;
    int listen_fd;
    sd_event_source *accept_source;
    const struct ctl_verb *verbs;
    size_t n_verbs;
    void *context;
    TAILQ_HEAD(, connection) connections;
    sd_event_source *accept_again;
    uint64_t logged_at; /* 0: never */
    uint64_t unlogged;
};

static uint64_t now_us(const struct ctl_server *s)
{
    uint64_t now = 0;

    (void)sd_event_now(s->loop, CLOCK_MONOTONIC, &now);
    return now;
}

/* Anybody can make the server say this, as often as they like: the log must not be theirs to fill. */
static void log_peer(struct ctl_server *s, const char *id, const struct ctl_peer *peer, const char *reason)
{
    uint64_t now = now_us(s);

    if (s->logged_at != 0 && now - s->logged_at < LOG_INTERVAL_US) {
        s->unlogged++;
        return;
    }
    log_notice(id, "uid=%u pid=%d reason=%s unlogged=%" PRIu64, peer->uid, peer->pid, reason, s->unlogged);
    s->logged_at = now;
    s->unlogged = 0;
}

static void close_connection(struct ctl_server *s, int fd, const struct ctl_peer *peer)
{
    int r = 0;

    if (peer->uid == 0)
        close_fd(fd);
    else
        r = let_go(fd);
    if (r < 0)
        log_peer(s, "control.peer-held", peer, strerrorname_np(-r));
}

static void connection_drop(struct connection *c)
{
    struct ctl_server *s = c->server;

    TAILQ_REMOVE(&s->connections, c, link);
    sd_event_source_disable_unref(c->io);
    sd_event_source_disable_unref(c->idle);
    close_connection(s, c->fd, &c->peer);
    close_fd(c->passed);
    close_fd(c->peer.pidfd);
    buf_done(&c->in);
    buf_done(&c->out);
    free(c);
}

/* Gives the peer another IDLE_LIMIT_US to say or take something. Only a stream that has taken everything may be silent. */
static int connection_touch(struct connection *c)
{
    int r;

    if (c->streaming && c->out.size == 0)
        return sd_event_source_set_enabled(c->idle, SD_EVENT_OFF);
    r = sd_event_source_set_time(c->idle, now_us(c->server) + IDLE_LIMIT_US);
    return r < 0 ? r : sd_event_source_set_enabled(c->idle, SD_EVENT_ONESHOT);
}

/* While an answer waits for a slow reader nothing is read from it: its next request would only pile up. EPOLLIN must go,
 * or what it sent meanwhile would wake the loop again and again. A reader that takes nothing is not given more time. */
static int connection_wait(struct connection *c, bool progress)
{
    int r = sd_event_source_set_io_events(c->io, EPOLLOUT);

    return r < 0 || !progress ? r : connection_touch(c);
}

/* Writes what the socket takes. Negative: the peer is gone. */
static int connection_push(struct connection *c)
{
    size_t before = c->sent;
    int r;

    while (c->sent < c->out.size) {
        ssize_t n = send(c->fd, c->out.data + c->sent, c->out.size - c->sent, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0 && errno == EAGAIN)
            return connection_wait(c, c->sent > before);
        if (n < 0)
            return -errno;
        c->sent += (size_t)n;
    }
    buf_done(&c->out); /* a large answer does not stay in memory */
    c->sent = 0;
    if (c->unwanted)
        return -ECONNRESET;
    r = sd_event_source_set_io_events(c->io, EPOLLIN);
    return r < 0 ? r : connection_touch(c);
}

static int add_answer_frame(struct buf *out, uint32_t code, const char *json, size_t size, bool more)
{
    int r = buf_add_u32(out, (uint32_t)(size + sizeof(code)));

    if (r >= 0)
        r = buf_add_u16(out, CTL_ANSWER);
    if (r >= 0)
        r = buf_add_u16(out, more ? FRAME_FLAG_MORE : 0);
    if (r >= 0)
        r = buf_add_u32(out, code);
    if (r >= 0)
        r = buf_add(out, json, size);
    return r;
}

static int connection_answer(struct connection *c, uint32_t code, json_t *answer)
{
    _cleanup_free_ char *text = answer ? json_dumps(answer, JSON_COMPACT | JSON_ENCODE_ANY) : strdup("null");
    bool waiting = c->out.size > 0;
    size_t size, offset = 0;
    int r;

    if (!text)
        return -ENOMEM;
    size = strlen(text);
    if (size > CTL_ANSWER_MAX)
        return -ENOBUFS;
    do {
        size_t chunk = size - offset < CTL_CHUNK ? size - offset : CTL_CHUNK;

        r = add_answer_frame(&c->out, code, text + offset, chunk, offset + chunk < size);
        if (r < 0)
            return r;
        offset += chunk;
    } while (offset < size);
    if (!waiting) {
        r = connection_touch(c);
        if (r < 0)
            return r;
    }
    return connection_push(c);
}

static const struct ctl_verb *find_verb(const struct ctl_server *s, uint16_t request)
{
    for (size_t i = 0; i < s->n_verbs; i++)
        if (s->verbs[i].request == request)
            return &s->verbs[i];
    return NULL;
}

static bool is_permitted(const struct connection *c, const struct ctl_verb *verb)
{
    return c->peer.uid == 0 || (verb->flags & CTL_PERMIT_ANYBODY);
}

static int connection_dispatch(struct connection *c, struct frame_view *f)
{
    const struct ctl_verb *verb = find_verb(c->server, f->type);
    struct ctl_call call = {.peer = &c->peer, .fields = &f->body, .fd = c->passed};
    json_t *answer = NULL;
    enum ctl_code code;
    int r;

    if (!verb || f->flags != 0 || c->streaming)
        return -EBADMSG;
    if ((c->passed >= 0 || c->unwanted) && !(verb->flags & CTL_FD))
        return -EBADMSG;
    if (!is_permitted(c, verb))
        code = CTL_CODE_DENIED;
    else if ((verb->flags & CTL_FD) && c->passed < 0)
        code = CTL_CODE_INVALID;
    else
        code = verb->handler(c->server->context, &call, &answer);
    if (code == CTL_CODE_OK && (verb->flags & CTL_STREAM))
        c->streaming = true;
    r = connection_answer(c, code, answer);
    json_decref(answer);
    return r;
}

/* How many bytes are missing to the end of the header, then to the end of the frame. */
static int connection_missing(const struct connection *c, size_t *ret)
{
    struct buf_reader r = {.data = c->in.data, .size = c->in.size};
    uint32_t length = 0;

    if (c->in.size < FRAME_HEADER_SIZE) {
        *ret = FRAME_HEADER_SIZE - c->in.size;
        return 0;
    }
    if (buf_get_u32(&r, &length) < 0 || length > FRAME_BODY_MAX)
        return -EBADMSG;
    *ret = FRAME_HEADER_SIZE + (size_t)length - c->in.size;
    return 0;
}

/* Takes the frame when it is whole. */
static int connection_take_frame(struct connection *c)
{
    struct frame_view f;
    size_t used = 0;
    int r = frame_parse(c->in.data, c->in.size, &f, &used);

    if (r <= 0)
        return r < 0 || !c->unwanted ? r : -EBADMSG;
    r = connection_dispatch(c, &f);
    buf_clear(&c->in); /* it held exactly this frame */
    c->passed = close_fd(c->passed);
    return r;
}

/* Whoever may use no verb that takes an fd cannot make us hold one, nor be the last who held it: giving it up would wait for its
 * owner (ctl/let_go.h). */
static bool may_pass_fd(const struct connection *c)
{
    for (size_t i = 0; i < c->server->n_verbs; i++)
        if ((c->server->verbs[i].flags & CTL_FD) && is_permitted(c, &c->server->verbs[i]))
            return true;
    return false;
}

/* As recv(2), unless an fd came along: then what it came with is only looked at, and stays where it is. */
static ssize_t receive_bytes(struct connection *c, struct msghdr *m)
{
    ssize_t n = recvmsg(c->fd, m, MSG_DONTWAIT | MSG_PEEK);

    if (n < 0)
        return -errno;
    c->unwanted = m->msg_flags & MSG_CTRUNC;
    if (c->unwanted || n == 0)
        return n;
    n = recv(c->fd, m->msg_iov->iov_base, (size_t)n, MSG_DONTWAIT);
    return n < 0 ? -errno : n;
}

/* As recv(2), with the fds that came along. */
static ssize_t receive_with_fds(struct connection *c, struct msghdr *m)
{
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(4 * sizeof(int))]; /* more than one is an error, and told as one */
    } control;
    ssize_t n;
    int r;

    m->msg_control = &control;
    m->msg_controllen = sizeof(control);
    n = recvmsg(c->fd, m, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (n < 0)
        return -errno;
    r = frame_take_fds(m, &c->passed);
    return r < 0 ? r : n;
}

static ssize_t connection_receive(struct connection *c, void *bytes, size_t size)
{
    struct iovec iov = {.iov_base = bytes, .iov_len = size};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};

    return may_pass_fd(c) ? receive_with_fds(c, &m) : receive_bytes(c, &m);
}

/* One frame is asked for at a time, so that a burst of requests does not hold the loop: the rest stays in the socket and the
 * other sources get their turn in between. */
static int connection_read(struct connection *c)
{
    uint8_t bytes[4096];
    size_t want = sizeof(bytes);
    ssize_t n;
    int r;

    r = connection_missing(c, &want);
    if (r < 0)
        return r;
    n = connection_receive(c, bytes, want < sizeof(bytes) ? want : sizeof(bytes));
    if (n < 0)
        return n == -EAGAIN || n == -EINTR ? 0 : (int)n;
    if (n == 0)
        return c->in.size == 0 ? -ECONNRESET : -EBADMSG;
    r = buf_add(&c->in, bytes, (size_t)n);
    return r < 0 ? r : connection_take_frame(c);
}

static int on_connection(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    struct connection *c = userdata;
    int r = 0;

    (void)source;
    (void)fd;
    if (events & EPOLLOUT)
        r = connection_push(c);
    if (r >= 0 && (events & EPOLLIN) && c->out.size == 0)
        r = connection_read(c);
    if (r >= 0 && (events & (EPOLLHUP | EPOLLERR)))
        r = -ECONNRESET;
    if (r < 0) {
        if (r != -ECONNRESET && r != -EPIPE)
            log_peer(c->server, "control.peer-dropped", &c->peer, strerrorname_np(-r));
        connection_drop(c);
    }
    return 0;
}

static int on_idle(sd_event_source *source, uint64_t usec, void *userdata)
{
    (void)source;
    (void)usec;
    connection_drop(userdata);
    return 0;
}

static bool has_room(const struct ctl_server *s, uid_t uid)
{
    const struct connection *c;
    size_t all = 0, own = 0;

    if (uid == 0)
        return true;
    TAILQ_FOREACH(c, &s->connections, link)
    {
        all += c->peer.uid != 0;
        own += c->peer.uid == uid;
    }
    return all < CONNECTIONS_MAX && own < CONNECTIONS_PER_UID;
}

/* Takes over fd and peer->pidfd, on errors as well. */
static int connection_new(struct ctl_server *s, int fd, const struct ctl_peer *peer)
{
    struct connection *c = calloc(1, sizeof(*c));
    int r;

    if (!c) {
        close_connection(s, fd, peer);
        close_fd(peer->pidfd);
        return -ENOMEM;
    }
    c->server = s;
    c->fd = fd;
    c->passed = -1;
    c->peer = *peer;
    buf_init(&c->in, READ_MAX);
    buf_init(&c->out, OUTPUT_MAX);
    TAILQ_INSERT_TAIL(&s->connections, c, link);
    r = sd_event_add_io(s->loop, &c->io, fd, EPOLLIN, on_connection, c);
    if (r >= 0)
        r = sd_event_add_time(s->loop, &c->idle, CLOCK_MONOTONIC, now_us(s) + IDLE_LIMIT_US, 1000000, on_idle, c);
    if (r < 0)
        connection_drop(c);
    return r;
}

static int on_accept_again(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct ctl_server *s = userdata;

    (void)source;
    (void)usec;
    return sd_event_source_set_enabled(s->accept_source, SD_EVENT_ON);
}

static void pause_accepting(struct ctl_server *s)
{
    log_warning("control.accept-failed", "error=%s", strerrorname_np(errno));
    if (sd_event_source_set_time(s->accept_again, now_us(s) + ACCEPT_PAUSE_US) >= 0 &&
        sd_event_source_set_enabled(s->accept_again, SD_EVENT_ONESHOT) >= 0)
        (void)sd_event_source_set_enabled(s->accept_source, SD_EVENT_OFF);
}

/* The process behind a number, so that another one that gets the number later is not taken for it. */
static int open_peer(int fd, const struct ucred *credentials)
{
    socklen_t size = sizeof(int);
    int pidfd = -1;

    if (credentials->uid != 0)
        return -1;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &size) == 0)
        return pidfd;
    return errno == ENOPROTOOPT ? pidfd_open(credentials->pid, 0) : -1;
}

static int on_accept(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    struct ctl_server *s = userdata;
    int peer_fd = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    struct ucred credentials = {.uid = (uid_t)-1};
    struct ctl_peer peer = {.uid = (uid_t)-1, .pidfd = -1};
    socklen_t size = sizeof(credentials);
    int on = 1;

    (void)source;
    (void)events;
    if (peer_fd < 0) {
        if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
            pause_accepting(s);
        return 0;
    }
    /* An urgent byte that was passed over would be given up by the kernel, with the fd that came with it. */
    if (getsockopt(peer_fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0 ||
        setsockopt(peer_fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on)) < 0) {
        close_connection(s, peer_fd, &peer);
        return 0;
    }
    peer = (struct ctl_peer){.pid = credentials.pid, .uid = credentials.uid, .gid = credentials.gid, .pidfd = -1};
    if (!has_room(s, peer.uid)) {
        log_peer(s, "control.peer-refused", &peer, "too-many");
        close_connection(s, peer_fd, &peer);
        return 0;
    }
    peer.pidfd = open_peer(peer_fd, &credentials);
    (void)connection_new(s, peer_fd, &peer);
    return 0;
}

int ctl_server_new(sd_event *loop, int listen_fd, const struct ctl_verb *verbs, size_t n_verbs, void *context,
                   struct ctl_server **ret)
{
    struct ctl_server *s = calloc(1, sizeof(*s));
    int r;

    if (!s) {
        close_fd(listen_fd);
        return -ENOMEM;
    }
    s->loop = sd_event_ref(loop);
    s->listen_fd = listen_fd;
    s->verbs = verbs;
    s->n_verbs = n_verbs;
    s->context = context;
    TAILQ_INIT(&s->connections);
    r = sd_event_add_io(loop, &s->accept_source, listen_fd, EPOLLIN, on_accept, s);
    if (r >= 0)
        r = sd_event_add_time(loop, &s->accept_again, CLOCK_MONOTONIC, 0, 0, on_accept_again, s);
    if (r >= 0)
        r = sd_event_source_set_enabled(s->accept_again, SD_EVENT_OFF);
    if (r < 0) {
        (void)ctl_server_free(s);
        return r;
    }
    *ret = s;
    return 0;
}

struct ctl_server *ctl_server_free(struct ctl_server *s)
{
    if (!s)
        return NULL;
    while (!TAILQ_EMPTY(&s->connections))
        connection_drop(TAILQ_FIRST(&s->connections));
    sd_event_source_disable_unref(s->accept_source);
    sd_event_source_disable_unref(s->accept_again);
    close_fd(s->listen_fd);
    sd_event_unref(s->loop);
    free(s);
    return NULL;
}

void ctl_server_publish(struct ctl_server *s, json_t *answer)
{
    struct connection *c, *next;

    for (c = TAILQ_FIRST(&s->connections); c; c = next) {
        next = TAILQ_NEXT(c, link);
        if (c->streaming && connection_answer(c, CTL_CODE_OK, answer) < 0)
            connection_drop(c);
    }
}

bool ctl_server_has_watchers(const struct ctl_server *s)
{
    const struct connection *c;

    TAILQ_FOREACH(c, &s->connections, link)
    if (c->streaming)
        return true;
    return false;
}

int ctl_listen_at(int run_directory_fd, const char *run_directory)
{
    _cleanup_close_ int fd = -1;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int n = snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", run_directory, CTL_SOCKET_NAME);

    if (n < 0 || (size_t)n >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    if (unlinkat(run_directory_fd, CTL_SOCKET_NAME, 0) < 0 && errno != ENOENT)
        return -errno;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
        return -errno;
    if (fchmodat(run_directory_fd, CTL_SOCKET_NAME, 0666, 0) < 0)
        return -errno;
    if (listen(fd, 64) < 0)
        return -errno;
    return TAKE_FD(fd);
}
