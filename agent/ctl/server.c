/*
 * The privileged side of the control socket. Owns the listening sockets and the list of connections (connection.c). A peer is identified by
 * SO_PEERCRED once, at accept. It must not: block, or let one uid use up connections, memory, processor time or log lines.
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
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "ctl/internal.h"

#ifndef SO_PEERPIDFD /* 6.5; asm-generic */
#    define SO_PEERPIDFD 77
#endif

enum {
    CONNECTIONS_MAX = 128,
    CONNECTIONS_PER_UID = 16,  /* root is not counted: an administrator always gets in */
    ACCEPT_PAUSE_US = 1000000, /* without free descriptors a listening socket would wake the loop for ever */
};

uint64_t ctl_server_now_us(const struct ctl_server *s)
{
    uint64_t now = 0;

    (void)sd_event_now(s->loop, CLOCK_MONOTONIC, &now);
    return now;
}

/* Anybody can make the server say this, as often as they like: the log must not be theirs to fill. */
void ctl_server_log_peer(struct ctl_server *s, const char *id, const struct ctl_peer *peer, const char *reason)
{
    uint64_t unlogged;

    if (log_limit_is_due(&s->logged, ctl_server_now_us(s), &unlogged))
        log_notice(id, "uid=%u pid=%d reason=%s unlogged=%" PRIu64, peer->uid, peer->pid, reason, unlogged);
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
    own += leaving_of(&s->leaving, uid);
    return all < CONNECTIONS_MAX && own < CONNECTIONS_PER_UID;
}

static int on_accept_again(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct listener *l = userdata;

    (void)source;
    (void)usec;
    return sd_event_source_set_enabled(l->accept, SD_EVENT_ON);
}

static void pause_accepting(struct listener *l, int error)
{
    log_warning("control.accept-failed", "error=%s", strerrorname_np(error));
    if (sd_event_source_set_time(l->again, ctl_server_now_us(l->server) + ACCEPT_PAUSE_US) >= 0 &&
        sd_event_source_set_enabled(l->again, SD_EVENT_ONESHOT) >= 0)
        (void)sd_event_source_set_enabled(l->accept, SD_EVENT_OFF);
}

/* The process behind a number, so that another one that gets the number later is not taken for it. */
static int open_peer(int fd, const struct ucred *credentials)
{
    socklen_t size = sizeof(int);
    int pidfd = -1;

    if (getsockopt(fd, SOL_SOCKET, SO_PEERPIDFD, &pidfd, &size) == 0)
        return pidfd;
    return errno == ENOPROTOOPT ? pidfd_open(credentials->pid, 0) : -1;
}

static int on_accept(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    struct listener *l = userdata;
    struct ctl_server *s = l->server;
    struct ucred credentials = {.uid = (uid_t)-1};
    struct ctl_peer peer = {.uid = (uid_t)-1, .pidfd = -1};
    socklen_t size = sizeof(credentials);
    int on = 1, peer_fd;

    (void)source;
    (void)events;
    leaving_tidy(&s->leaving);
    if (l == &s->people && leaving_is_full(&s->leaving)) {
        pause_accepting(l, EBUSY);
        return 0;
    }
    peer_fd = accept4(fd, NULL, NULL, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (peer_fd < 0) {
        if (errno != EAGAIN && errno != EINTR && errno != ECONNABORTED)
            pause_accepting(l, errno);
        return 0;
    }
    /* An urgent byte that was passed over would be given up by the kernel, with the fd that came with it. */
    if (getsockopt(peer_fd, SOL_SOCKET, SO_PEERCRED, &credentials, &size) < 0 ||
        setsockopt(peer_fd, SOL_SOCKET, SO_OOBINLINE, &on, sizeof(on)) < 0) {
        connection_close(s, peer_fd, &peer);
        return 0;
    }
    peer = (struct ctl_peer){.pid = credentials.pid, .uid = credentials.uid, .gid = credentials.gid, .pidfd = -1};
    if (!has_room(s, peer.uid)) {
        ctl_server_log_peer(s, "control.peer-refused", &peer, "too-many");
        connection_close(s, peer_fd, &peer);
        return 0;
    }
    peer.pidfd = open_peer(peer_fd, &credentials);
    (void)connection_new(s, peer_fd, &peer);
    return 0;
}

static int listener_start(struct listener *l, struct ctl_server *s, int fd)
{
    int r;

    l->server = s;
    l->fd = fd;
    r = sd_event_add_io(s->loop, &l->accept, fd, EPOLLIN, on_accept, l);
    if (r >= 0)
        r = sd_event_add_time(s->loop, &l->again, CLOCK_MONOTONIC, 0, 0, on_accept_again, l);
    return r < 0 ? r : sd_event_source_set_enabled(l->again, SD_EVENT_OFF);
}

static void listener_stop(struct listener *l)
{
    sd_event_source_disable_unref(l->accept);
    sd_event_source_disable_unref(l->again);
    close_fd(l->fd);
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
    s->root.fd = -1;
    s->courier = (uid_t)-1;
    s->verbs = verbs;
    s->n_verbs = n_verbs;
    s->context = context;
    TAILQ_INIT(&s->connections);
    r = listener_start(&s->people, s, listen_fd);
    if (r < 0) {
        (void)ctl_server_free(s);
        return r;
    }
    *ret = s;
    return 0;
}

int ctl_server_listen_for_root(struct ctl_server *s, int listen_fd)
{
    return listener_start(&s->root, s, listen_fd);
}

void ctl_server_set_courier(struct ctl_server *s, uid_t uid)
{
    s->courier = uid;
}

struct ctl_server *ctl_server_free(struct ctl_server *s)
{
    if (!s)
        return NULL;
    while (!TAILQ_EMPTY(&s->connections))
        connection_drop(TAILQ_FIRST(&s->connections));
    leaving_done(&s->leaving);
    listener_stop(&s->people);
    listener_stop(&s->root);
    sd_event_unref(s->loop);
    free(s);
    return NULL;
}

static bool has_stream(const struct connection *c, uint16_t request, const uid_t *only)
{
    return c->stream == request && (!only || c->peer.uid == *only);
}

void ctl_server_publish(struct ctl_server *s, uint16_t request, const uid_t *only, json_t *answer)
{
    struct connection *c, *next;

    for (c = TAILQ_FIRST(&s->connections); c; c = next) {
        next = TAILQ_NEXT(c, link);
        if (has_stream(c, request, only) && connection_answer(c, CTL_CODE_OK, answer) < 0)
            connection_drop(c);
    }
}

int ctl_server_answer(struct ctl_server *s, uint64_t ticket, enum ctl_code code, json_t *answer, int fd)
{
    struct connection *c;
    int r = 0;

    TAILQ_FOREACH(c, &s->connections, link)
    if (ticket != 0 && c->ticket == ticket)
        break;
    if (!c)
        return -ESTALE;
    c->ticket = 0;
    if (fd >= 0) {
        c->passing = fcntl(fd, F_DUPFD_CLOEXEC, 0);
        r = c->passing < 0 ? -errno : 0;
    }
    if (r >= 0)
        r = connection_answer(c, code, answer);
    if (r < 0)
        connection_drop(c);
    return r;
}

bool ctl_server_has_watchers(const struct ctl_server *s, uint16_t request, const uid_t *only)
{
    const struct connection *c;

    TAILQ_FOREACH(c, &s->connections, link)
    if (has_stream(c, request, only))
        return true;
    return false;
}

static int listen_at(int run_directory_fd, const char *run_directory, const char *name, mode_t mode)
{
    _cleanup_close_ int fd = -1;
    struct sockaddr_un address = {.sun_family = AF_UNIX};
    int n = snprintf(address.sun_path, sizeof(address.sun_path), "%s/%s", run_directory, name);

    if (n < 0 || (size_t)n >= sizeof(address.sun_path))
        return -ENAMETOOLONG;
    if (unlinkat(run_directory_fd, name, 0) < 0 && errno != ENOENT)
        return -errno;
    fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0)
        return -errno;
    if (bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
        return -errno;
    /* Nobody connects before listen(). */
    if (fchmodat(run_directory_fd, name, mode, 0) < 0)
        return -errno;
    if (listen(fd, 64) < 0)
        return -errno;
    return TAKE_FD(fd);
}

int ctl_listen_at(int run_directory_fd, const char *run_directory)
{
    return listen_at(run_directory_fd, run_directory, CTL_SOCKET_NAME, 0666);
}

int ctl_listen_for_root_at(int run_directory_fd, const char *run_directory)
{
    return listen_at(run_directory_fd, run_directory, CTL_ROOT_SOCKET_NAME, 0600);
}
