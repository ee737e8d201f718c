/*
 * Speaking to kuraban-keeper, and starting it.
 *
 * Owns: the socket's name in the run directory. Must not: keep the groups (holder.c), run anything but
 * the given program.
 */
#include "kern/keeper.h"

#include <errno.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/frame.h"
#include "kern/spawn.h"

#define SOCKET_NAME "keeper.sock"

/* By the held directory, whatever its path is now, and short enough for sun_path. */
static void set_address(int run_fd, struct sockaddr_un *ret)
{
    *ret = (struct sockaddr_un){.sun_family = AF_UNIX};
    (void)snprintf(ret->sun_path, sizeof(ret->sun_path), "/proc/self/fd/%d/" SOCKET_NAME, run_fd);
}

int keeper_connect(int run_fd)
{
    _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un address;
    struct ucred peer;
    socklen_t size = sizeof(peer);

    if (fd < 0)
        return -errno;
    set_address(run_fd, &address);
    if (connect(fd, (const struct sockaddr *)&address, sizeof(address)) < 0)
        return -errno;
    if (getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) < 0)
        return -errno;
    if (peer.uid != geteuid())
        return -EPERM;
    return TAKE_FD(fd);
}

static int listen_fresh(int run_fd)
{
    _cleanup_close_ int fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
    struct sockaddr_un address;
    mode_t mask;
    int r;

    if (fd < 0)
        return -errno;
    set_address(run_fd, &address);
    if (unlinkat(run_fd, SOCKET_NAME, 0) < 0 && errno != ENOENT)
        return -errno;
    mask = umask(0177);
    r = bind(fd, (const struct sockaddr *)&address, sizeof(address)) < 0 ? -errno : 0;
    (void)umask(mask);
    if (r < 0)
        return r;
    if (listen(fd, 4) < 0)
        return -errno;
    return TAKE_FD(fd);
}

int keeper_start(int run_fd, const char *program, unsigned grace_ms)
{
    _cleanup_close_ int listener = listen_fresh(run_fd);
    char name[] = "kuraban-keeper", grace[32];
    char *argv[] = {name, grace, NULL};
    const struct spawn keeper = {
        .program = program, .argv = argv, .fds = &listener, .n = 1, .first_fd = KEEPER_LISTEN_FD};
    int r;

    if (listener < 0)
        return listener;
    (void)snprintf(grace, sizeof(grace), "--grace=%u", grace_ms);
    r = spawn_detached(&keeper);
    /* It waits in the backlog until the keeper accepts; if that never comes up, hello ends with ECONNRESET. */
    return r < 0 ? r : keeper_connect(run_fd);
}

static int parse_state(struct frame *f, struct keeper_state *ret)
{
    struct buf_reader in = {f->body.data, f->body.size, 0};
    uint32_t pid, groups;
    uint64_t refused;
    int r = buf_get_u32(&in, &pid);

    if (r >= 0)
        r = buf_get_u32(&in, &groups);
    if (r >= 0)
        r = buf_get_u64(&in, &refused);
    if (r >= 0)
        r = buf_get_end(&in);
    if (r < 0 || f->fd >= 0 || pid == 0 || pid > INT32_MAX)
        return -EBADMSG;
    *ret = (struct keeper_state){(pid_t)pid, groups, refused};
    return 0;
}

static int parse_group(struct frame *f, struct keeper_group *ret)
{
    struct buf_reader in = {f->body.data, f->body.size, 0};
    _cleanup_free_ char *name = NULL;

    if (f->fd < 0 || buf_get_string(&in, KEEPER_NAME_MAX, &name) < 0 || buf_get_end(&in) < 0)
        return -EBADMSG;
    (void)snprintf(ret->name, sizeof(ret->name), "%s", name);
    ret->fd = TAKE_FD(f->fd);
    return 0;
}

static int ask(int socket, enum keeper_frame type, const struct buf *body, int fd)
{
    struct buf empty;

    buf_init(&empty, 0);
    return frame_send(socket, (uint16_t)type, 0, body ? body : &empty, fd, KEEPER_DEADLINE_MS);
}

static int take_state(int socket, struct keeper_state *ret)
{
    struct frame f;
    int r;

    frame_init(&f);
    r = frame_receive(&f, socket, KEEPER_DEADLINE_MS);
    if (r >= 0)
        r = f.type == KEEPER_STATE ? parse_state(&f, ret) : -EBADMSG;
    frame_done(&f);
    return r;
}

static int take_groups(int socket, struct keeper_group *groups, size_t maximum, struct keeper_state *ret, size_t *n)
{
    for (;;) {
        struct frame f;
        bool last = false;
        int r;

        frame_init(&f);
        r = frame_receive(&f, socket, KEEPER_DEADLINE_MS);
        if (r >= 0 && f.type == KEEPER_STATE) {
            r = parse_state(&f, ret);
            last = true;
        } else if (r >= 0) {
            r = f.type != KEEPER_GROUP ? -EBADMSG : *n == maximum ? -E2BIG : parse_group(&f, &groups[*n]);
            if (r >= 0)
                (*n)++;
        }
        frame_done(&f);
        if (r < 0 || last)
            return r;
    }
}

int keeper_hello(int socket, struct keeper_group *ret_groups, size_t maximum, struct keeper_state *ret)
{
    size_t n = 0;
    int r = ask(socket, KEEPER_HELLO, NULL, -1);

    if (r >= 0)
        r = take_groups(socket, ret_groups, maximum, ret, &n);
    if (r >= 0)
        return (int)n;
    while (n > 0)
        (void)close_fd(ret_groups[--n].fd);
    return r;
}

int keeper_store(int socket, const char *name, int fd, struct keeper_state *ret)
{
    struct buf body;
    int r;

    buf_init(&body, KEEPER_NAME_MAX + 4);
    r = buf_add_string(&body, name);
    if (r >= 0)
        r = ask(socket, KEEPER_STORE, &body, fd);
    buf_done(&body);
    return r < 0 ? r : take_state(socket, ret);
}

int keeper_release(int socket, struct keeper_state *ret)
{
    int r = ask(socket, KEEPER_RELEASE, NULL, -1);

    return r < 0 ? r : take_state(socket, ret);
}
