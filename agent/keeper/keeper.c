/*
 * The second holder of the permission groups.
 *
 * Owns: its copies of the group descriptors; the answer to every waiting open while no daemon is connected for longer than the grace
 * time (then it is always "refused"). Must not: allow anything, open a file, end on its own while it holds a group, read from a group
 * while a daemon is connected (the daemon answers then).
 *
 * Who answers: daemon connected → daemon. No daemon, within grace → nobody, openers wait. After → the keeper: first by number what the
 * dead daemon had read, then what is queued.
 */
#include "keeper/keeper.h"

#include <errno.h>
#include <poll.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/frame.h"
#include "kern/fanotify.h"
#include "kern/keeper.h"

struct keeper {
    struct keeper_options options;
    int peer; /* the daemon, -1 none */
    struct keeper_group groups[KEEPER_GROUPS_MAX];
    size_t n;
    uint64_t alone_since_us;
    uint64_t refused;
    bool refusing, released;
};

static int send_state(struct keeper *k)
{
    struct buf body;
    int r;

    buf_init(&body, 64);
    r = buf_add_u32(&body, (uint32_t)getpid());
    if (r >= 0)
        r = buf_add_u32(&body, (uint32_t)k->n);
    if (r >= 0)
        r = buf_add_u64(&body, k->refused);
    if (r >= 0)
        r = frame_send(k->peer, KEEPER_STATE, 0, &body, -1, KEEPER_DEADLINE_MS);
    buf_done(&body);
    return r;
}

static int send_group(struct keeper *k, const struct keeper_group *g)
{
    struct buf body;
    int r;

    buf_init(&body, 64);
    r = buf_add_string(&body, g->name);
    if (r >= 0)
        r = frame_send(k->peer, KEEPER_GROUP, FRAME_FLAG_MORE, &body, g->fd, KEEPER_DEADLINE_MS);
    buf_done(&body);
    return r;
}

static int on_hello(struct keeper *k, struct frame *f)
{
    int r = f->body.size == 0 && f->fd < 0 ? 0 : -EBADMSG;

    for (size_t i = 0; r >= 0 && i < k->n; i++)
        r = send_group(k, &k->groups[i]);
    return r;
}

static struct keeper_group *slot_for(struct keeper *k, const char *name)
{
    for (size_t i = 0; i < k->n; i++)
        if (strcmp(k->groups[i].name, name) == 0)
            return &k->groups[i];
    if (k->n == KEEPER_GROUPS_MAX)
        return NULL;
    k->groups[k->n].fd = -1;
    return &k->groups[k->n++];
}

static int on_store(struct keeper *k, struct frame *f)
{
    struct buf_reader in = {f->body.data, f->body.size, 0};
    _cleanup_free_ char *name = NULL;
    struct keeper_group *g;

    if (f->fd < 0 || buf_get_string(&in, KEEPER_NAME_MAX, &name) < 0 || buf_get_end(&in) < 0 || name[0] == '\0')
        return -EBADMSG;
    g = slot_for(k, name);
    if (!g)
        return -ENOBUFS;
    (void)close_fd(g->fd);
    g->fd = TAKE_FD(f->fd);
    (void)snprintf(g->name, sizeof(g->name), "%s", name);
    return 0;
}

static int on_release(struct keeper *k, struct frame *f)
{
    if (f->body.size != 0 || f->fd >= 0)
        return -EBADMSG;
    k->released = true;
    return 0;
}

static const struct {
    uint16_t type;
    int (*handle)(struct keeper *k, struct frame *f);
} requests[] = {
    {KEEPER_HELLO, on_hello},
    {KEEPER_STORE, on_store},
    {KEEPER_RELEASE, on_release},
};

static void drop_peer(struct keeper *k)
{
    k->peer = close_fd(k->peer);
    k->alone_since_us = clock_boottime_us();
    k->refusing = false;
}

static int serve(struct keeper *k)
{
    struct frame f;
    int r;

    frame_init(&f);
    r = frame_receive(&f, k->peer, KEEPER_DEADLINE_MS);
    if (r >= 0) {
        r = -EBADMSG;
        for (size_t i = 0; i < ELEMENTS(requests); i++)
            if (requests[i].type == f.type && f.flags == 0)
                r = requests[i].handle(k, &f);
    }
    frame_done(&f);
    return r < 0 ? r : send_state(k);
}

/* kuraband is root; the keeper itself may be a user of its own (the packaged unit). */
static bool may_ask(uid_t uid)
{
    return uid == 0 || uid == geteuid();
}

/* One daemon at a time. */
static void on_connect(struct keeper *k)
{
    _cleanup_close_ int fd = accept4(k->options.listener, NULL, NULL, SOCK_CLOEXEC);
    struct ucred peer;
    socklen_t size = sizeof(peer);

    if (fd < 0 || k->peer >= 0 || getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0 || !may_ask(peer.uid))
        return;
    k->peer = TAKE_FD(fd);
    k->refusing = false;
}

/* Queued events: read, refuse, close. */
static void refuse_queued(struct keeper *k, int group)
{
    _Alignas(struct fanotify_event_metadata) uint8_t bytes[4096];
    struct fanotify_event e;
    size_t offset = 0;
    ssize_t n = read(group, bytes, sizeof(bytes));

    while (n > 0 && fanotify_next_event(bytes, (size_t)n, &offset, &e) > 0) {
        if (e.fd < 0)
            continue;
        if (fanotify_answer(group, e.fd, false) == 0)
            k->refused++;
        (void)close_fd(e.fd);
    }
}

/* What the dead daemon had read is answered by number, before a number of ours can be the same. */
static void start_refusing(struct keeper *k)
{
    for (size_t i = 0; i < k->n; i++)
        k->refused += fanotify_sweep(k->groups[i].fd, FANOTIFY_DESCRIPTORS_MAX);
    k->refusing = true;
}

/* Milliseconds until the grace time is over; -1 while there is nothing to wait for. */
static int time_left(const struct keeper *k)
{
    uint64_t gone_ms = (clock_boottime_us() - k->alone_since_us) / 1000;

    if (k->peer >= 0 || k->refusing)
        return -1;
    return gone_ms >= k->options.grace_ms ? 0 : (int)(k->options.grace_ms - gone_ms) + 1;
}

static int step(struct keeper *k)
{
    struct pollfd fds[2 + KEEPER_GROUPS_MAX] = {
        {.fd = k->peer, .events = POLLIN},
        {.fd = k->options.listener, .events = POLLIN},
    };

    for (size_t i = 0; i < k->n; i++)
        fds[2 + i] = (struct pollfd){.fd = k->refusing ? k->groups[i].fd : -1, .events = POLLIN};
    if (poll(fds, (nfds_t)(2 + k->n), time_left(k)) < 0)
        return errno == EINTR ? 0 : -errno;
    for (size_t i = 0; i < k->n; i++)
        if (fds[2 + i].revents)
            refuse_queued(k, k->groups[i].fd);
    if (fds[0].revents && serve(k) < 0)
        drop_peer(k);
    if (fds[1].revents)
        on_connect(k);
    if (time_left(k) == 0)
        start_refusing(k);
    return 0;
}

int keeper_run(const struct keeper_options *o)
{
    struct keeper k = {.options = *o, .peer = -1, .alone_since_us = clock_boottime_us()};
    int r = 0;

    /* Refusing without a group means that nobody came in time: there is nothing to keep. */
    while (r >= 0 && !k.released && !(k.refusing && k.n == 0))
        r = step(&k);
    for (size_t i = 0; i < k.n; i++)
        (void)close_fd(k.groups[i].fd);
    (void)close_fd(k.peer);
    (void)close_fd(k.options.listener);
    return r;
}
