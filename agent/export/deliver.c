/*
 * Delivering. Owns: who writes to the medium, a child, and how long a medium may do nothing. Must not: touch the medium but for its flag: who waits for a
 * medium that never answers waits where the kernel lets nobody be killed, and so could tell nobody.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "export/child.h"
#include "export/link.h"
#include "export/worker_internal.h"

void worker_delivery_free(struct worker *w)
{
    child_unshare(w->delivery, sizeof(*w->delivery));
    w->delivery = NULL;
}

static _Noreturn void writer_main(struct worker *w)
{
    struct delivery *d = w->delivery;
    int r;

    close_fd(EXPORT_FD_STATE);
    close_fd(EXPORT_FD_LIFE);
    w->beats = &d->pulse;
    explicit_bzero(w->password, sizeof(w->password));
    r = worker_write(w);
    if (r != 0) {
        (void)snprintf(d->reason, sizeof(d->reason), "%s", w->reason);
        (void)snprintf(d->detail, sizeof(d->detail), "%s", w->detail);
    } else {
        (void)snprintf(d->final, sizeof(d->final), "%s", w->final);
    }
    _exit(r == 0 ? EXIT_SUCCESS : EXIT_FAILURE);
}

/* It sees that itself, and takes away what it wrote. */
static bool is_left(const void *context)
{
    (void)context;
    return false;
}

/* A writer that hangs may have been about to set the flag. */
static int fail_writer(struct worker *w, int r)
{
    const struct delivery *d = w->delivery;

    if (r == EXIT_FAILURE && d->reason[0] != '\0')
        return worker_fail(w, d->reason, d->detail);
    (void)medium_protect(&w->medium);
    if (r == -ETIMEDOUT)
        return worker_fail(w, "hangs", "the medium does not answer any more");
    return worker_fail_errno(w, "writing", r < 0 ? r : -EIO);
}

int worker_deliver(struct worker *w)
{
    struct child writer = {.is_left = is_left, .pulse_ms = (int)w->patience_s * 1000};
    int r;

    if (link_send(EXPORT_FD_CONTROL, EXPORT_READY, "8", worker_items_size(w)) < 0)
        return worker_fail_left(w);
    r = worker_await(w, EXPORT_OPEN, NULL);
    if (r != 0)
        return r;
    w->delivery = child_share(sizeof(*w->delivery));
    if (!w->delivery)
        return worker_fail_errno(w, "writing", -ENOMEM);
    writer.pulse = &w->delivery->pulse;
    writer.pid = fork();
    if (writer.pid < 0)
        return worker_fail_errno(w, "writing", -errno);
    if (writer.pid == 0)
        writer_main(w);
    r = child_wait(&writer);
    w->committed = w->delivery->committed;
    w->writes = w->delivery->writes;
    if (r != EXIT_SUCCESS)
        return fail_writer(w, r);
    memcpy(w->final, w->delivery->final, sizeof(w->final));
    return 0;
}
