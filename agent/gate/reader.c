/*
 * The reader: takes events out of the kernel and hands them on, and never waits for anything else.
 *
 * Owns: an event's descriptor from read(2) until queue_push() succeeded; what it cannot hand on it refuses itself, answers and closes.
 * Must not: open a file, allocate, log, take a lock. The kernel opens the descriptors inside read(2): that is why a FUSE or network
 * filesystem must never be marked (its server could make the reader wait).
 *
 *   who answers:   kernel → reader (read) → queue → worker (judge.c)
 *                           └ own opens, full queue, odd events: the reader, refused
 *
 * When the thread ends, events wait for the next holder of the group: they are never allowed by its end.
 */
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <sys/fanotify.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "gate/internal.h"
#include "kern/fanotify.h"

/* In monitor mode the refusals of the reader are only counted. */
static void refuse(struct gate *g, int group, int fd, enum gate_failure why)
{
    gate_fail(g, why);
    if (fanotify_answer(group, fd, atomic_load(&g->monitor)) < 0)
        gate_fail(g, GATE_FAILURE_ANSWER);
    (void)close_fd(fd);
    gate_wake_main(g);
}

/* The event names a thread; the cheapest question that needs no file is whether it is in our process. */
static bool is_ours(const struct gate *g, pid_t tid)
{
    pid_t keeper = atomic_load(&g->keeper);

    if (syscall(SYS_tgkill, g->pid, tid, 0) == 0)
        return true;
    return keeper > 0 && syscall(SYS_tgkill, keeper, tid, 0) == 0;
}

static void hand_on(struct gate *g, unsigned which, const struct fanotify_event *e)
{
    struct queue_item item = {.fd = e->fd, .pid = e->pid, .flags = which};

    if (e->mask & FAN_Q_OVERFLOW) {
        gate_fail(g, GATE_FAILURE_OVERFLOW);
        gate_wake_main(g);
        return;
    }
    if (e->fd < 0)
        return;
    if (!(e->mask & FANOTIFY_GUARD_MASK)) {
        (void)close_fd(e->fd); /* nobody waits */
        return;
    }
    if (e->fd >= FANOTIFY_DESCRIPTORS_MAX) {
        refuse(g, g->group[which], e->fd, GATE_FAILURE_DESCRIPTORS);
        return;
    }
    if (is_ours(g, e->pid)) {
        refuse(g, g->group[which], e->fd, GATE_FAILURE_SELF);
        return;
    }
    if (e->mask & FAN_OPEN_EXEC_PERM)
        item.flags |= READER_EVENT_EXECUTE;
    if (queue_push(g->events, &item) == 0)
        (void)sem_post(&g->pending);
    else
        refuse(g, g->group[which], e->fd, GATE_FAILURE_OVERLOAD);
}

/* 0, or -errno when the group cannot be read any more. */
static int take_events(struct gate *g, unsigned which)
{
    _Alignas(struct fanotify_event_metadata) uint8_t bytes[4096];
    struct fanotify_event e;
    size_t offset = 0;
    ssize_t n = read(g->group[which], bytes, sizeof(bytes));
    int r;

    if (n < 0 && (errno == EAGAIN || errno == EINTR))
        return 0;
    if (n == 0 || (n < 0 && (errno == EBADF || errno == EINVAL || errno == EFAULT)))
        return n < 0 ? -errno : -EIO;
    if (n < 0) {
        /* The descriptor for one event could not be made: too many, or a damaged filesystem said EIO. That one the kernel has refused
         * itself, and a crafted medium must not stop the reader. */
        gate_fail(g, GATE_FAILURE_DESCRIPTORS);
        gate_wake_main(g);
        return 0;
    }
    while ((r = fanotify_next_event(bytes, (size_t)n, &offset, &e)) > 0)
        hand_on(g, which, &e);
    if (r < 0)
        gate_fail(g, GATE_FAILURE_EVENT);
    return 0;
}

void *reader_run(void *gate)
{
    struct gate *g = gate;
    struct pollfd fds[GATE_GROUPS + 1];
    int r = 0;

    for (int i = 0; i < GATE_GROUPS; i++)
        fds[i] = (struct pollfd){.fd = g->group[i], .events = POLLIN};
    fds[GATE_GROUPS] = (struct pollfd){.fd = g->wake_fd, .events = POLLIN};
    while (r >= 0 && !atomic_load(&g->stopping)) {
        if (poll(fds, GATE_GROUPS + 1, -1) < 0 && errno != EINTR)
            r = -errno;
        for (unsigned i = 0; r >= 0 && i < GATE_GROUPS; i++)
            if (fds[i].revents != 0)
                r = take_events(g, i);
    }
    if (r < 0) {
        atomic_store(&g->reader_failed, true);
        gate_fail(g, GATE_FAILURE_READ);
        gate_wake_main(g);
    }
    return NULL;
}
