/*
 * Waiting for those who handle other people's files. Owns: how long that may take. Must not: wait for ever: what a person brings may lie on a
 * filesystem of their own that never answers, and one export runs at a time.
 */
#include "export/child.h"

#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/pidfd.h>
#include <sys/wait.h>

#include "base/cleanup.h"
#include "base/clock.h"

enum {
    SOCKETS_MAX = 2,
    LOOK_MS = 1000, /* at most */
    LOOKS = 4,      /* while nothing is done, at least */
    LEAVE_MS = 2000,
};

void *child_share(size_t size)
{
    void *p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

    return p == MAP_FAILED ? NULL : p;
}

void child_unshare(void *p, size_t size)
{
    if (p)
        (void)munmap(p, size);
}

uint64_t *child_pulse_new(void)
{
    return child_share(sizeof(uint64_t));
}

void child_pulse_free(uint64_t *pulse)
{
    child_unshare(pulse, sizeof(*pulse));
}

void child_pulse_beat(uint64_t *pulse, uint64_t n)
{
    if (pulse)
        (void)__atomic_add_fetch(pulse, n, __ATOMIC_RELAXED);
}

static bool has_ended(int pidfd, int ms)
{
    struct pollfd p = {.fd = pidfd, .events = POLLIN};

    return poll(&p, 1, ms) > 0 && (p.revents & POLLIN);
}

/* On a clock of its own, which stands still while nobody looks. */
struct pulse {
    uint64_t beats, looked_us, awake_us, since_us, first_us;
};

static int look_ms(const struct child *c)
{
    return !c->pulse ? -1 : c->pulse_ms / LOOKS > LOOK_MS ? LOOK_MS : c->pulse_ms / LOOKS + 1;
}

/* After twice as long as between two looks this machine, or this process, has slept. */
static uint64_t read_awake_us(const struct child *c, struct pulse *p)
{
    uint64_t at = clock_boottime_us(), most = (uint64_t)look_ms(c) * 2 * 1000;

    p->awake_us += at - p->looked_us < most ? at - p->looked_us : most;
    p->looked_us = at;
    return p->awake_us;
}

/* Who does a little now and then is as bad as who does nothing: others wait as long. */
static bool is_too_slow(const struct child *c, struct pulse *p)
{
    uint64_t beats = __atomic_load_n(c->pulse, __ATOMIC_RELAXED), now = read_awake_us(c, p);

    if (beats != p->beats) {
        p->first_us = p->beats == 0 ? now : p->first_us;
        p->since_us = now;
        p->beats = beats;
    }
    if (c->start_ms > 0 && beats > 0 &&
        now - p->first_us >= ((uint64_t)c->start_ms + beats * (uint64_t)c->beat_ms) * 1000)
        return true;
    return now - p->since_us >= (uint64_t)c->pulse_ms * 1000;
}

/* 0: it has ended; -ECHILD, -ETIMEDOUT: it is to be ended. */
static int watch(const struct child *c, int pidfd)
{
    struct pulse pulse = {.looked_us = clock_boottime_us()};
    struct pollfd p[1 + SOCKETS_MAX] = {{.fd = pidfd, .events = POLLIN}};

    for (unsigned i = 0; i < SOCKETS_MAX; i++)
        p[1 + i] = (struct pollfd){.fd = i < c->n ? c->sockets[i] : -1, .events = POLLRDHUP};
    for (;;) {
        (void)poll(p, ELEMENTS(p), look_ms(c));
        if (p[0].revents & POLLIN)
            return 0;
        if (c->is_left(c->context))
            return -ECHILD;
        if (c->pulse && is_too_slow(c, &pulse))
            return -ETIMEDOUT;
    }
}

int child_wait(const struct child *c)
{
    _cleanup_close_ int pidfd = pidfd_open(c->pid, 0);
    int status, r = pidfd < 0 ? -errno : watch(c, pidfd);

    if (r < 0)
        (void)kill(c->pid, SIGKILL);
    if (r < 0 && pidfd >= 0 && !has_ended(pidfd, LEAVE_MS))
        return r;
    while (waitpid(c->pid, &status, 0) < 0)
        if (errno != EINTR)
            return -errno;
    return r < 0 ? r : WIFEXITED(status) ? WEXITSTATUS(status) : -ECHILD;
}
