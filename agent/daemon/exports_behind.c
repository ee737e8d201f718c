/*
 * Those who were left behind: they read a file that does not answer (FUSE, a dead network drive) or wrote to a medium that does not, and the kernel lets nobody
 * kill them. Owns: how many
 * there are, and of whom. Must not: wait for one.
 *
 * Each is a process of root's for as long as its filesystem likes, which may be a person's program.
 */
#include <inttypes.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/log.h"
#include "daemon/daemon.h"
#include "daemon/exports_internal.h"
#include "export/link.h"

static void tidy(struct exports *x)
{
    size_t n = 0;

    for (size_t i = 0; i < x->n_behind; i++)
        if (link_is_gone(x->behind[i].control))
            close_fd(x->behind[i].control);
        else
            x->behind[n++] = x->behind[i];
    x->n_behind = n;
}

void exports_behind_add(struct exporting *x)
{
    if (x->phase >= EXPORTS_HIDING || x->control < 0)
        return;
    (void)shutdown(x->control, SHUT_WR); /* for them kuraband is gone */
    exports_behind_take(x->daemon, TAKE_FD(x->control), x->person.uid);
}

void exports_behind_take(struct daemon *d, int control, uid_t uid)
{
    struct exports *all = d->exports;

    tidy(all);
    if (control >= 0 && !link_is_gone(control) &&
        all->n_behind < EXPORTS_BEHIND_MAX) /* none begins when there are so many */
        all->behind[all->n_behind++] = (struct exports_behind){control, uid};
    else
        close_fd(control);
}

bool exports_behind_is_full(struct daemon *d, uid_t uid)
{
    struct exports *x = d->exports;
    unsigned own = exports_count_leaving(d, &uid), all = exports_count_leaving(d, NULL);
    uint64_t unlogged;

    tidy(x);
    all += (unsigned)x->n_behind;
    for (size_t i = 0; i < x->n_behind; i++)
        own += x->behind[i].uid == uid;
    if (own < EXPORTS_BEHIND_PER_UID && all < EXPORTS_BEHIND_MAX)
        return false;
    if (log_limit_is_due(&x->behind_logged, clock_boottime_us(), &unlogged))
        log_warning("export.behind", "uid=%u own=%u all=%u unlogged=%" PRIu64, uid, own, all, unlogged);
    return true;
}

void exports_behind_stop(struct daemon *d)
{
    for (size_t i = 0; i < d->exports->n_behind; i++)
        close_fd(d->exports->behind[i].control);
    d->exports->n_behind = 0;
}
