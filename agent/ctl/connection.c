/*
 * One peer of the control socket. Owns its buffers, what it passed, and the order of request and answer: one request is at work at a
 * time, and while its answer waits nothing more is read. Must not: block, trust lengths, or keep a peer that sent something that is not
 * in the table.
 */
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/uio.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/frame.h"
#include "ctl/answer.h"
#include "ctl/internal.h"
#include "json/whole.h"

enum {
    READ_MAX = FRAME_HEADER_SIZE + FRAME_BODY_MAX,
    OUTPUT_MAX = CTL_ANSWER_MAX + CTL_ANSWER_MAX / 64, /* JSON and its frame headers */
};

void connection_close(struct ctl_server *s, int fd, const struct ctl_peer *peer)
{
    int r = 0;

    if (peer->uid == 0)
        close_fd(fd);
    else
        r = leaving_add(&s->leaving, fd, peer->uid);
    if (r < 0)
        ctl_server_log_peer(s, "control.peer-held", peer, strerrorname_np(-r));
}

void connection_drop(struct connection *c)
{
    struct ctl_server *s = c->server;

    TAILQ_REMOVE(&s->connections, c, link);
    sd_event_source_disable_unref(c->io);
    sd_event_source_disable_unref(c->idle);
    connection_close(s, c->fd, &c->peer);
    close_fd(c->passed);
    close_fd(c->passing);
    close_fd(c->peer.pidfd);
    buf_done(&c->in);
    buf_done(&c->out);
    free(c);
}

/* Gives the peer another CTL_IDLE_LIMIT_US to say or take something. Only a stream that has taken everything may be silent. */
static int connection_touch(struct connection *c)
{
    int r;

    if (c->stream != 0 && c->out.size == 0)
        return sd_event_source_set_enabled(c->idle, SD_EVENT_OFF);
    r = sd_event_source_set_time(c->idle, ctl_server_now_us(c->server) + CTL_IDLE_LIMIT_US);
    return r < 0 ? r : sd_event_source_set_enabled(c->idle, SD_EVENT_ONESHOT);
}

/* While an answer waits for a slow reader nothing is read from it: its next request would only pile up. EPOLLIN must go,
 * or what it sent meanwhile would wake the loop again and again. A reader that takes nothing is not given more time. */
static int connection_wait(struct connection *c, bool progress)
{
    int r = sd_event_source_set_io_events(c->io, EPOLLOUT);

    return r < 0 || !progress ? r : connection_touch(c);
}

static ssize_t connection_send(struct connection *c)
{
    struct iovec iov = {.iov_base = c->out.data + c->sent, .iov_len = c->out.size - c->sent};
    ssize_t n = frame_send_some(c->fd, &iov, 1, c->passing);

    if (n > 0)
        c->passing = close_fd(c->passing);
    return n;
}

/* Writes what the socket takes. Negative: the peer is gone. */
static int connection_push(struct connection *c)
{
    size_t before = c->sent;
    int r;

    while (c->sent < c->out.size) {
        ssize_t n = connection_send(c);

        if (n == -EINTR)
            continue;
        if (n == -EAGAIN)
            return connection_wait(c, c->sent > before);
        if (n < 0)
            return (int)n;
        c->sent += (size_t)n;
    }
    buf_done(&c->out); /* a large answer does not stay in memory */
    c->sent = 0;
    if (c->unwanted)
        return -ECONNRESET;
    r = sd_event_source_set_io_events(c->io, EPOLLIN);
    return r < 0 ? r : connection_touch(c);
}

/* What was added to out goes on its way. */
static int connection_go(struct connection *c, bool waiting)
{
    if (!waiting) {
        int r = connection_touch(c);

        if (r < 0)
            return r;
    }
    return connection_push(c);
}

int connection_answer(struct connection *c, uint32_t code, json_t *answer)
{
    _cleanup_free_ char *text = NULL;
    bool waiting = c->out.size > 0;
    json_t *none = json_null();
    int r = whole_text(answer ? answer : none, JSON_COMPACT | JSON_ENCODE_ANY, &text);

    if (r < 0)
        return r;
    r = ctl_answer_json(&c->out, code, text);
    explicit_bzero(text, strlen(text));
    return r < 0 ? r : connection_go(c, waiting);
}

static int connection_answer_fields(struct connection *c, uint32_t code, const struct buf *fields)
{
    int r = ctl_answer_fields(&c->out, code, fields);

    return r < 0 ? r : connection_go(c, false);
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
    if (verb->flags & CTL_PERMIT_COURIER)
        return c->server->courier != (uid_t)-1 && c->peer.uid == c->server->courier;
    return c->peer.uid == 0 || (verb->flags & CTL_PERMIT_ANYBODY);
}

static enum ctl_code call_handler(struct connection *c, const struct ctl_verb *verb, struct ctl_call *call,
                                  json_t **ret_answer)
{
    if (!is_permitted(c, verb))
        return CTL_CODE_DENIED;
    if ((verb->flags & CTL_FD) && c->passed < 0)
        return CTL_CODE_INVALID;
    return verb->handler(c->server->context, call, ret_answer);
}

/* Nothing is read from a peer that waits, and it may wait as long as the daemon needs. */
static int connection_put_off(struct connection *c)
{
    int r = sd_event_source_set_io_events(c->io, 0);

    c->ticket = c->calls;
    return r < 0 ? r : sd_event_source_set_enabled(c->idle, SD_EVENT_OFF);
}

static void connection_begin_stream(struct connection *c, const struct ctl_verb *verb)
{
    c->stream = verb->request;
    if (verb->flags & CTL_BRIEF)
        c->out.maximum = CTL_BRIEF_WAITING;
}

static int connection_dispatch(struct connection *c, struct frame_view *f)
{
    const struct ctl_verb *verb = find_verb(c->server, f->type);
    _cleanup_close_ int passing = -1;
    struct ctl_call call = {.peer = &c->peer, .fields = &f->body, .connection = c, .fd = c->passed, .ret_fd = &passing};
    struct buf reply;
    json_t *answer = NULL;
    enum ctl_code code;
    int r;

    if (!verb || f->flags != 0 || c->stream != 0)
        return -EBADMSG;
    if ((c->passed >= 0 || c->unwanted) && !(verb->flags & CTL_FD))
        return -EBADMSG;
    c->calls = ++c->server->calls;
    call.ticket = c->calls;
    buf_init(&reply, CTL_CHUNK);
    if (verb->flags & CTL_FIELDS)
        call.reply = &reply;
    code = call_handler(c, verb, &call, &answer);
    if (code == CTL_CODE_OK && (verb->flags & CTL_STREAM))
        connection_begin_stream(c, verb);
    if (code == CTL_CODE_OK)
        c->passing = TAKE_FD(passing);
    if (verb->flags & CTL_FIELDS)
        r = connection_answer_fields(c, code, &reply);
    else
        r = code == CTL_CODE_LATER ? connection_put_off(c) : connection_answer(c, code, answer);
    buf_done(&reply);
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
    explicit_bzero(bytes, (size_t)n);
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
            ctl_server_log_peer(c->server, "control.peer-dropped", &c->peer, strerrorname_np(-r));
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

int connection_new(struct ctl_server *s, int fd, const struct ctl_peer *peer)
{
    struct connection *c = calloc(1, sizeof(*c));
    int r;

    if (!c) {
        connection_close(s, fd, peer);
        close_fd(peer->pidfd);
        return -ENOMEM;
    }
    c->server = s;
    c->fd = fd;
    c->passed = c->passing = -1;
    c->peer = *peer;
    buf_init(&c->in, READ_MAX);
    buf_init(&c->out, OUTPUT_MAX);
    TAILQ_INSERT_TAIL(&s->connections, c, link);
    r = sd_event_add_io(s->loop, &c->io, fd, EPOLLIN, on_connection, c);
    if (r >= 0)
        r = sd_event_add_time(s->loop, &c->idle, CLOCK_MONOTONIC, ctl_server_now_us(s) + CTL_IDLE_LIMIT_US, 1000000,
                              on_idle, c);
    if (r < 0)
        connection_drop(c);
    return r;
}

int ctl_call_groups(const struct ctl_call *call, gid_t **ret, size_t *ret_n)
{
    _cleanup_free_ gid_t *groups = NULL;
    socklen_t size = 0;

    if (getsockopt(call->connection->fd, SOL_SOCKET, SO_PEERGROUPS, NULL, &size) < 0 && errno != ERANGE)
        return -errno;
    groups = malloc(size > 0 ? size : sizeof(*groups));
    if (!groups)
        return -ENOMEM;
    if (size > 0 && getsockopt(call->connection->fd, SOL_SOCKET, SO_PEERGROUPS, groups, &size) < 0)
        return -errno;
    *ret_n = size / sizeof(*groups);
    *ret = TAKE_PTR(groups);
    return 0;
}
