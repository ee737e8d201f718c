/*
 * kuraban-export as kuraband's child. Owns: its start with nothing but the descriptors it needs, and the socket to it. Must not: wait for
 * it, in the loop or at its end (it is nobody's child).
 */
#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/files.h"
#include "base/frame.h"
#include "base/log.h"
#include "base/text.h"
#include "config/config.h"
#include "ctl/server.h"
#include "daemon/daemon.h"
#include "daemon/exports_internal.h"
#include "device/block.h"
#include "export/ledger.h"
#include "kern/block.h"
#include "kern/spawn.h"

#define WORKER_NAME "kuraban-export"

enum {
    SEND_MS = 1000, /* the worker reads at once, or something is wrong with it */
};

/* --- starting it --- */

/* The node, and that it is that device. */
static int open_node(const struct daemon *d, const char *name, dev_t device)
{
    _cleanup_close_ int fd = -1;
    char node[BLOCK_NAME_SIZE];
    struct stat st;

    block_node(name, node);
    fd = openat(d->dev_fd, node, O_RDONLY | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
    if (fd < 0)
        return -errno;
    if (fstat(fd, &st) < 0)
        return -errno;
    return S_ISBLK(st.st_mode) && st.st_rdev == device ? TAKE_FD(fd) : -ENODEV;
}

static int open_disk(const struct daemon *d, const struct medium *m)
{
    char disk[BLOCK_NAME_SIZE];
    dev_t device;
    int r = block_disk(d->sys_fd, m->name, disk);

    if (r >= 0)
        r = block_read_device(d->sys_fd, disk, &device);
    return r < 0 ? r : open_node(d, disk, device);
}

static int spawn(const int *fds, size_t n)
{
    char program[PATH_MAX], name[] = WORKER_NAME;
    char *argv[] = {name, NULL};
    const struct spawn worker = {
        .program = program, .argv = argv, .fds = fds, .n = n, .first_fd = EXPORT_FD_CLIENT, .fresh_signals = true};

    daemon_find_program(WORKER_NAME, program);
    return spawn_detached(&worker);
}

static int on_life(sd_event_source *source, int fd, uint32_t events, void *userdata);
static int on_worker(sd_event_source *source, int fd, uint32_t events, void *userdata);

static int start(struct exporting *x)
{
    _cleanup_close_ int client = -1, control = -1, state = -1, node = -1, disk = -1, life = -1;
    struct daemon *d = x->daemon;
    const struct medium *m = block_manager_find(d->block, x->device);
    int pair[2], r;

    if (!m)
        return -ENODEV;
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return -errno;
    x->client = pair[0];
    client = pair[1];
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair) < 0)
        return -errno;
    x->control = pair[0];
    control = pair[1];
    if (pipe2(pair, O_CLOEXEC) < 0)
        return -errno;
    x->life = pair[0];
    life = pair[1];
    state = files_open_directory_at(d->state_fd, "export", 1, 0700);
    if (state < 0)
        return state;
    node = open_node(d, m->name, m->device);
    if (node < 0)
        return node;
    disk = open_disk(d, m);
    if (disk < 0)
        return disk;
    const int fds[] = {client, control, state, node, disk, life};

    r = spawn(fds, ELEMENTS(fds));
    if (r >= 0)
        r = sd_event_add_io(d->loop, &x->io, x->control, EPOLLIN, on_worker, x);
    return r < 0 ? r : sd_event_add_io(d->loop, &x->end, x->life, EPOLLHUP, on_life, x);
}

static void add_leftover(void *context, const struct ledger_export *e)
{
    struct buf *b = context;

    (void)buf_add_string(b, e->id); /* for who has no room it is one less to remove */
}

/* What a worker that did not end may have left on a medium. Without a ledger there is nothing that is known to be ours. */
static int add_leftovers(const struct exporting *x, struct buf *b)
{
    struct buf ids;
    int n, r;

    buf_init(&ids, EXPORT_LEFTOVERS_MAX * 64);
    n = ledger_leftovers(x->daemon->exports->ledger, add_leftover, &ids);
    r = buf_add_u32(b, n > 0 ? (uint32_t)n : 0);
    if (r >= 0 && n > 0)
        r = buf_add(b, ids.data, ids.size);
    buf_done(&ids);
    return r;
}

/* Of "sdb1-12". Where there is none it is 0, which no disk has: then nothing is mounted. */
static uint64_t medium_diskseq(const struct exporting *x)
{
    const char *dash = strrchr(x->medium_id, '-');
    uint64_t diskseq = 0;

    if (dash)
        (void)text_to_u64(dash + 1, UINT64_MAX, &diskseq);
    return diskseq;
}

static int send_begin(struct exporting *x, gid_t gid, const char *filesystem, const char *name)
{
    size_t n = x->person.n_gids - 1; /* the first is the primary one */
    struct buf b;
    int r;

    if (n > EXPORT_GROUPS_MAX)
        return -E2BIG;
    buf_init(&b, FRAME_BODY_MAX);
    r = buf_add_u32(&b, x->person.uid);
    if (r >= 0)
        r = buf_add_u32(&b, gid);
    if (r >= 0)
        r = buf_add_u32(&b, (uint32_t)n);
    for (size_t i = 0; i < n && r >= 0; i++)
        r = buf_add_u32(&b, x->person.gids[1 + i]);
    if (r >= 0)
        r = buf_add_string(&b, filesystem);
    if (r >= 0)
        r = buf_add_string(&b, name);
    if (r >= 0)
        r = buf_add_string(&b, x->id);
    if (r >= 0)
        r = buf_add_u64(&b, medium_diskseq(x));
    if (r >= 0)
        r = buf_add_u32(&b, x->daemon->config->medium_patience_seconds);
    if (r >= 0)
        r = add_leftovers(x, &b);
    if (r >= 0)
        r = frame_send(x->control, EXPORT_BEGIN, 0, &b, -1, SEND_MS);
    buf_done(&b);
    return r;
}

int exports_spawn(struct exporting *x, gid_t gid, const char *filesystem, const char *name)
{
    int r = start(x);

    return r < 0 ? r : send_begin(x, gid, filesystem, name);
}

/* --- talking to it --- */

int exports_send(struct exporting *x, uint16_t type, const char *picture, ...)
{
    struct buf b;
    va_list ap;
    int r = 0;

    buf_init(&b, FRAME_BODY_MAX);
    va_start(ap, picture);
    for (const char *p = picture; *p && r >= 0; p++)
        r = *p == '1' ? buf_add_u8(&b, (uint8_t)va_arg(ap, unsigned)) : buf_add_string(&b, va_arg(ap, const char *));
    va_end(ap);
    if (r >= 0)
        r = frame_send(x->control, type, 0, &b, -1, SEND_MS);
    buf_done(&b);
    return r;
}

static void worker_ended(struct exporting *x)
{
    if (x->phase == EXPORTS_ENDED)
        exports_end(x, NULL, "");
    else
        exports_end(x, "killed", "the exporting process ended");
}

/* 1: x is gone. */
static int take_frames(struct exporting *x)
{
    for (;;) {
        struct frame_view f;
        size_t used = 0;
        int r = frame_parse(x->in.data, x->in.size, &f, &used);

        if (r == 0)
            return 0;
        if (r > 0)
            r = f.flags == 0 ? exports_on_frame(x, f.type, &f.body) : -EBADMSG;
        if (r > 0)
            return 1;
        if (r == -EPIPE) { /* it ended before it could hear the answer */
            worker_ended(x);
            return 1;
        }
        if (r < 0) {
            log_error("export.protocol", "phase=%d error=%s", (int)x->phase, strerrorname_np(-r));
            exports_stop_by(x, "failed", "the exporting process does not keep to the protocol");
            return 1;
        }
        memmove(x->in.data, x->in.data + used, x->in.size - used);
        x->in.size -= used;
    }
}

/* 0: there is nothing more now; 1: x is gone. */
static int take(struct exporting *x)
{
    uint8_t bytes[4096];
    ssize_t n = recv(x->control, bytes, sizeof(bytes), MSG_DONTWAIT);

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (n > 0 && buf_add(&x->in, bytes, (size_t)n) >= 0)
        return take_frames(x) > 0 ? 1 : take(x);
    worker_ended(x);
    return 1;
}

static int on_worker(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    (void)source;
    (void)fd;
    (void)events;
    (void)take(userdata);
    return 0;
}

/* It has ended. The socket may be open still, in the hands of a child that it had to leave behind. */
static int on_life(sd_event_source *source, int fd, uint32_t events, void *userdata)
{
    (void)source;
    (void)fd;
    (void)events;
    if (take(userdata) == 0)
        worker_ended(userdata);
    return 0;
}
