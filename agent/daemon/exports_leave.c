/*
 * Giving the medium back. Owns: that nobody is shown a medium which a worker may still have mounted. Must not: wait for it, but at kuraband's own
 * end and then for seconds only.
 *
 * A worker that was stopped may be in the middle of an fsync that takes as long as the stick takes. Until it has unmounted, who mounts
 * the medium for a person would share the writable filesystem (6.8 and later), whatever the flag says.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/frame.h"
#include "base/log.h"
#include "daemon/daemon.h"
#include "daemon/exports_internal.h"
#include "device/block.h"
#include "export/ledger.h"
#include "export/link.h"
#include "kern/block.h"

enum {
    POLL_US = 100 * 1000,
    STOP_PATIENCE_US = 5 * 1000 * 1000, /* less than systemd's for us */
};

struct exports_leaving {
    struct exports_leaving *next;
    struct daemon *daemon;
    dev_t device;
    char medium_id[EXIT_ID_SIZE], id[32]; /* id: the export's */
    uid_t uid;                            /* for whom */
    int control;            /* to the worker: it ends when that has ended; -1: it was another kuraband's */
    bool mounted, said_end; /* the worker: it may have had the medium; it has ended */
    struct buf in;
    struct sd_event_source *timer;
};

/* Out of the list, and freed. Who hangs still, though the medium is gone, is one left behind. */
static void forget(struct exports_leaving *l)
{
    struct exports_leaving **at = &l->daemon->exports->leaving;

    while (*at != l)
        at = &(*at)->next;
    *at = l->next;
    (void)sd_event_source_disable_unref(l->timer);
    exports_behind_take(l->daemon, l->control, l->uid);
    buf_done(&l->in);
    free(l);
}

static const struct medium *find(const struct daemon *d, dev_t device, const char *id)
{
    const struct medium *m = d->block ? block_manager_find(d->block, device) : NULL;

    return m && strcmp(m->id, id) == 0 ? m : NULL;
}

/* Read-only first, then to be seen again. */
void exports_show(struct daemon *d, dev_t device)
{
    if (!d->block)
        return;
    (void)block_manager_set_export(d->block, device, MEDIUM_EXPORT_CLOSED, clock_wall_us());
    (void)block_manager_set_export(d->block, device, MEDIUM_EXPORT_NONE, clock_wall_us());
}

/* The kernel refuses it while a filesystem holds the device, also one that has no place in any namespace. */
static bool is_free(const struct daemon *d, const struct medium *m)
{
    _cleanup_close_ int fd = -1;
    char node[BLOCK_NAME_SIZE];

    block_node(m->name, node);
    fd = openat(d->dev_fd, node, O_RDONLY | O_EXCL | O_NONBLOCK | O_NOFOLLOW | O_CLOEXEC);
    return fd >= 0;
}

bool exports_reason_is_end(const char *reason)
{
    return strcmp(reason, "hangs") != 0;
}

static bool is_end(struct frame_view *f)
{
    _cleanup_free_ char *reason = NULL;

    return f->type == EXPORT_FAILED && buf_get_string(&f->body, 31, &reason) >= 0 && exports_reason_is_end(reason);
}

static void listen_to(struct exports_leaving *l)
{
    struct frame_view f;
    uint8_t bytes[512];
    size_t used = 0;
    ssize_t n;

    while (l->control >= 0 && (n = recv(l->control, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
        if (buf_add(&l->in, bytes, (size_t)n) < 0)
            return;
    while (frame_parse(l->in.data, l->in.size, &f, &used) > 0) {
        l->mounted = l->mounted || f.type == EXPORT_MOUNTED;
        l->said_end = l->said_end || is_end(&f);
        memmove(l->in.data, l->in.data + used, l->in.size - used);
        l->in.size -= used;
    }
}

/* It is gone, or nobody has it any more; or the worker never got it: then it is of no interest who has, and for how long. */
static bool has_left(void *context)
{
    struct exports_leaving *l = context;
    const struct medium *m = find(l->daemon, l->device, l->medium_id);

    listen_to(l);
    return !m || (l->said_end && !l->mounted) ||
           ((l->control < 0 || link_is_gone(l->control)) && is_free(l->daemon, m));
}

/* Only then: a kuraband that starts before this hides the medium again. */
static void note_left(struct daemon *d, const char *id)
{
    if (d->exports->ledger)
        (void)ledger_set_left(d->exports->ledger, id);
}

static void finish(struct exports_leaving *l)
{
    struct daemon *d = l->daemon;

    note_left(d, l->id);
    if (find(d, l->device, l->medium_id))
        exports_show(d, l->device);
    forget(l);
    daemon_changed(d);
}

static int on_poll(sd_event_source *source, uint64_t usec, void *userdata)
{
    struct exports_leaving *l = userdata;

    (void)usec;
    if (has_left(l)) {
        finish(l);
        return 0;
    }
    (void)sd_event_source_set_time(source, clock_boottime_us() + POLL_US);
    return sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
}

/* Without memory or a timer it stays hidden until it is plugged in anew. */
static void begin(struct daemon *d, dev_t device, const char *medium_id, const char *id, uid_t uid, int control,
                  bool mounted)
{
    struct exports_leaving *l = calloc(1, sizeof(*l));

    if (d->block)
        (void)block_manager_set_export(d->block, device, MEDIUM_EXPORT_CLOSED, clock_wall_us());
    if (!l) {
        close_fd(control);
        return;
    }
    *l = (struct exports_leaving){.daemon = d, .device = device, .uid = uid, .control = control, .mounted = mounted};
    buf_init(&l->in, FRAME_HEADER_SIZE + FRAME_BODY_MAX);
    (void)snprintf(l->medium_id, sizeof(l->medium_id), "%s", medium_id);
    (void)snprintf(l->id, sizeof(l->id), "%s", id);
    l->next = d->exports->leaving;
    d->exports->leaving = l;
    if (control >= 0)
        (void)shutdown(control, SHUT_WR); /* for the worker kuraband is gone */
    if (has_left(l))
        finish(l);
    else if (sd_event_add_time(d->loop, &l->timer, CLOCK_BOOTTIME, clock_boottime_us() + POLL_US, 1000, on_poll, l) < 0)
        log_error("export.leaving", "device=%s", l->medium_id);
}

/* Once it has had the medium, what it says of itself is looked at: somebody may have a file of it open. */
static bool has_closed(const struct exporting *x)
{
    const struct medium *m = find(x->daemon, x->device, x->medium_id);

    return x->said_end && (x->phase == EXPORTS_MOUNT || !m || is_free(x->daemon, m));
}

void exports_let_go(struct exporting *x)
{
    if (x->phase < EXPORTS_HIDING)
        return; /* nobody has noticed yet */
    if (x->phase < EXPORTS_MOUNT || has_closed(x)) {
        exports_show(x->daemon, x->device);
        note_left(x->daemon, x->id);
    } else if (x->phase < EXPORTS_ENDED) {
        begin(x->daemon, x->device, x->medium_id, x->id, x->person.uid, TAKE_FD(x->control),
              x->phase != EXPORTS_MOUNT || x->in.size > 0);
    }
}

void exports_let_go_of(struct daemon *d, const struct exports_held *held)
{
    for (size_t i = 0; d->block && i < block_manager_count(d->block); i++) {
        const struct medium *m = block_manager_at(d->block, i);

        if (strcmp(m->id, held->device) != 0)
            continue;
        begin(d, m->device, held->device, held->id, 0, -1, true);
        return;
    }
    note_left(d, held->id);
}

unsigned exports_count_leaving(const struct daemon *d, const uid_t *uid)
{
    unsigned n = 0;

    for (const struct exports_leaving *l = d->exports->leaving; l; l = l->next)
        n += l->control >= 0 && !link_is_gone(l->control) && (!uid || l->uid == *uid);
    return n;
}

bool exports_is_leaving(const struct daemon *d, dev_t device)
{
    for (const struct exports_leaving *l = d->exports->leaving; l; l = l->next)
        if (l->device == device && find(d, device, l->medium_id))
            return true;
    return false;
}

void exports_leave_stop(struct daemon *d)
{
    int64_t patience_us = STOP_PATIENCE_US;

    while (d->exports->leaving)
        if (clock_wait_until(&patience_us, has_left, d->exports->leaving))
            finish(d->exports->leaving);
        else
            forget(d->exports->leaving); /* it stays hidden */
}
