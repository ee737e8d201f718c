/*
 * The gate's life: threads, the published view, marks of media, status.
 *
 * Owns: the view (swapped under view_lock, which the reader never takes), the threads, the event and wake descriptors. Must not: own
 * the permission groups (holder.c does: they outlive the daemon), decide (judge.c), journal.
 * Order when something becomes guarded: mark, then tell the view. In between its files are unknown, which is refused.
 * Order when a verdict changes: publish the view, then flush the ignore marks; judge.c takes back what it adds in between.
 */
#include "gate/gate.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "gate/internal.h"
#include "gate/judge.h"
#include "gate/program.h"
#include "gate/selftest.h"
#include "gate/stores.h"
#include "kern/fanotify.h"
#include "kern/lease.h"
#include "policy/policy.h"

enum {
    WORKERS_DEFAULT = 2,
    QUEUE_DEFAULT = 512,
    RECORDS_DEFAULT = 4096
};

void gate_fail(struct gate *g, enum gate_failure f)
{
    atomic_fetch_add_explicit(&g->failures[f], 1, memory_order_relaxed);
}

void gate_wake_main(struct gate *g)
{
    uint64_t one = 1;

    if (!atomic_exchange(&g->woken, true))
        (void)!write(g->event_fd, &one, sizeof(one));
}

struct view *gate_take_view(struct gate *g)
{
    struct view *v;

    (void)pthread_mutex_lock(&g->view_lock);
    v = view_ref(g->view);
    (void)pthread_mutex_unlock(&g->view_lock);
    return v;
}

/* Takes the reference. */
static void publish(struct gate *g, struct view *v)
{
    struct view *old;

    (void)pthread_mutex_lock(&g->view_lock);
    old = g->view;
    g->view = v;
    atomic_store(&g->generation, v->generation);
    (void)pthread_mutex_unlock(&g->view_lock);
    (void)view_unref(old);
}

/* Ignore marks are the only inode marks of the exits group, but for the canary. */
static void ask_again(struct gate *g)
{
    if (fanotify_flush_inodes(g->options.ops, g->group[GATE_EXITS]) < 0 || selftest_mark(g, GATE_EXITS) < 0) {
        gate_fail(g, GATE_FAILURE_MARK);
        record_report(g, AUDIT_GATE_LOST_MARK, true, NULL, "the kernel may still allow by an old verdict", 0);
    }
}

static void set_defaults(struct gate_options *o)
{
    o->ops = o->ops ? o->ops : &fanotify_kernel;
    o->workers = o->workers ? o->workers : WORKERS_DEFAULT;
    o->queue = o->queue ? o->queue : QUEUE_DEFAULT;
    o->records = o->records ? o->records : RECORDS_DEFAULT;
}

static int init_parts(struct gate *g)
{
    struct stat st;
    int r;

    g->names = fanotify_new_names(g->options.ops);
    if (g->names < 0)
        return g->names;
    g->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    g->event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (g->wake_fd < 0 || g->event_fd < 0 || fstatat(g->options.proc_fd, "self/ns/user", &st, 0) < 0)
        return -errno;
    g->userns_inode = st.st_ino;
    r = queue_new(g->options.queue, &g->events);
    if (r >= 0)
        r = queue_new(g->options.records, &g->records);
    if (r >= 0)
        r = hashes_new(&g->hashes);
    if (r >= 0)
        r = view_new(NULL, &g->view);
    return r < 0 ? r : selftest_prepare(g);
}

int gate_new(const struct gate_options *o, struct gate **ret)
{
    struct gate *g;
    int r;

    if (o->workers > GATE_WORKERS_MAX)
        return -EINVAL;
    g = calloc(1, sizeof(*g));
    if (!g)
        return -ENOMEM;
    g->options = *o;
    set_defaults(&g->options);
    g->group[GATE_EXITS] = o->exits;
    g->group[GATE_STORES] = o->stores;
    g->names = g->wake_fd = g->event_fd = -1;
    g->pid = getpid();
    g->keeper = o->keeper;
    g->marks_whole = true;
    (void)pthread_mutex_init(&g->view_lock, NULL);
    exporter_init(&g->exporter);
    (void)sem_init(&g->pending, 0, 0);
    g->judges = calloc(g->options.workers, sizeof(*g->judges));
    r = g->judges ? init_parts(g) : -ENOMEM;
    if (r < 0) {
        (void)gate_free(g);
        return r;
    }
    *ret = g;
    return 0;
}

static void *work(void *gate)
{
    struct gate *g = gate;
    struct judge *j = &g->judges[atomic_fetch_add(&g->next_judge, 1)];
    struct queue_item item;

    judge_init(j);

    for (;;) {
        while (sem_wait(&g->pending) < 0)
            ;
        if (queue_pop(g->events, &item) == 0)
            judge_event(g, j, &item);
        else if (atomic_load(&g->stopping))
            break;
        else
            (void)sem_post(&g->pending); /* the item before ours is being filled: it was counted, so it comes */
    }
    judge_done(j);
    return NULL;
}

static void track(struct gate *g)
{
    struct view *v = gate_take_view(g);

    if (v->stores && stores_track(v->stores) < 0) {
        gate_fail(g, GATE_FAILURE_OVERFLOW);
        gate_wake_main(g);
        (void)stores_mark(v->stores);
    }
    (void)view_unref(v);
}

static void *track_run(void *gate)
{
    struct gate *g = gate;
    struct pollfd fds[2] = {{.fd = g->names, .events = POLLIN}, {.fd = g->wake_fd, .events = POLLIN}};

    while (!atomic_load(&g->stopping))
        if (poll(fds, 2, -1) > 0 && fds[0].revents)
            track(g);
    return NULL;
}

int gate_start(struct gate *g)
{
    int r = lease_ignore_signal();

    if (r < 0)
        return r;
    for (; g->n_workers < g->options.workers; g->n_workers++) {
        r = pthread_create(&g->workers[g->n_workers], NULL, work, g);
        if (r != 0)
            return -r;
    }
    r = pthread_create(&g->tracker, NULL, track_run, g);
    if (r != 0)
        return -r;
    g->has_tracker = true;
    r = pthread_create(&g->reader, NULL, reader_run, g);
    if (r != 0)
        return -r;
    g->has_reader = true;
    return 0;
}

void gate_stop(struct gate *g)
{
    uint64_t one = 1;

    atomic_store(&g->stopping, true);
    if (g->wake_fd >= 0)
        (void)!write(g->wake_fd, &one, sizeof(one));
    /* The reader first: after it nothing is added, and the workers end when the queue is empty. */
    if (g->has_reader)
        (void)pthread_join(g->reader, NULL);
    if (g->has_tracker)
        (void)pthread_join(g->tracker, NULL);
    for (unsigned i = 0; i < g->n_workers; i++)
        (void)sem_post(&g->pending);
    for (unsigned i = 0; i < g->n_workers; i++)
        (void)pthread_join(g->workers[i], NULL);
    g->has_reader = g->has_tracker = false;
    g->n_workers = 0;
}

void gate_set_keeper(struct gate *g, pid_t keeper)
{
    atomic_store(&g->keeper, keeper);
}

struct gate *gate_free(struct gate *g)
{
    struct queue_item item;

    if (!g)
        return NULL;
    gate_stop(g);
    selftest_remove(g);
    while (g->records && queue_pop(g->records, &item) == 0)
        (void)record_free(item.pointer);
    free(g->judges);
    (void)queue_free(g->events);
    (void)queue_free(g->records);
    (void)hashes_free(g->hashes);
    (void)view_unref(g->view);
    (void)close_fd(g->names);
    (void)close_fd(g->wake_fd);
    (void)close_fd(g->event_fd);
    (void)sem_destroy(&g->pending);
    (void)pthread_mutex_destroy(&g->view_lock);
    exporter_done(&g->exporter);
    free(g);
    return NULL;
}

/* What is known of one medium, into a new view; then everything is asked again. */
static int know_medium(struct gate *g, const struct gate_medium *m)
{
    struct view *v;
    int r = view_new(g->view, &v);

    if (r < 0)
        return r;
    r = view_put_medium(v, m);
    if (r < 0) {
        (void)view_unref(v);
        return r;
    }
    publish(g, v);
    ask_again(g);
    return 0;
}

int gate_guard_medium(struct gate *g, int dirfd, const struct gate_medium *m)
{
    int r = fanotify_guard_filesystem(g->options.ops, g->group[GATE_EXITS], dirfd, ".");

    if (r >= 0)
        r = know_medium(g, m);
    if (r >= 0)
        record_report(g, AUDIT_GATE_MARKED, false, m->node, NULL, 0);
    return r < 0 ? r : 0;
}

int gate_update_medium(struct gate *g, const struct gate_medium *m)
{
    if (!view_find_medium(g->view, m->device))
        return -ENOENT;
    return know_medium(g, m);
}

int gate_unguard_medium(struct gate *g, dev_t device)
{
    struct view *v;
    int r = view_new(g->view, &v);

    if (r < 0)
        return r;
    r = view_drop_medium(v, device);
    if (r < 0) {
        (void)view_unref(v);
        return r;
    }
    publish(g, v);
    ask_again(g);
    record_report(g, AUDIT_GATE_UNMARKED, false, NULL, NULL, 0);
    return 0;
}

static void report_stores(struct gate *g, struct stores *s, const struct policy *p)
{
    for (size_t i = 0; i < stores_count(s); i++) {
        enum store_state state = stores_state(s, i);
        bool wrong = state == STORE_INCOMPLETE;

        if (wrong)
            gate_fail(g, GATE_FAILURE_MARK);
        record_report(g, wrong ? AUDIT_GATE_LOST_MARK : AUDIT_GATE_MARKED, wrong, p->stores[i].path,
                      gate_store_state(g, i), 0);
    }
}

int gate_set_policy(struct gate *g, struct policy *p)
{
    struct stores_options o = {
        .ops = g->options.ops,
        .group = g->group[GATE_STORES],
        .names = g->names,
        .proc_fd = g->options.proc_fd,
        .maximum = g->options.store_inodes,
    };
    struct stores *stores, *old;
    struct view *v;
    int r = stores_new(p, &o, &stores);

    if (r < 0)
        return r;
    r = view_new(g->view, &v);
    if (r < 0) {
        (void)stores_unref(stores);
        return r;
    }
    old = v->stores;
    if (v->policy)
        (void)policy_unref(v->policy);
    v->policy = policy_ref(p);
    v->stores = stores;
    atomic_store(&g->monitor, p->mode == POLICY_MONITOR);
    publish(g, v);
    ask_again(g);
    if (old)
        stores_unmark(old, stores);
    (void)stores_unref(old);
    report_stores(g, stores, p);
    return 0;
}

void gate_set_journal_full(struct gate *g, bool full)
{
    if (atomic_exchange(&g->journal_full, full) != full)
        ask_again(g);
}

/* A refused medium is detached as soon as it is mounted: its mark is there for programs that were inside, and dies with the filesystem
 * when the last of them is gone. That is no loss. */
static bool media_are_marked(struct gate *g)
{
    bool whole = true;

    for (size_t i = 0; i < g->view->n_media; i++) {
        const struct gate_medium *m = &g->view->media[i].m;

        whole &= m->verdict.kind != VERDICT_ALLOW ||
                 fanotify_has_filesystem_mark(g->options.proc_fd, g->group[GATE_EXITS], m->device) == 1;
    }
    return whole;
}

void gate_rescan(struct gate *g)
{
    if (g->view->stores) {
        (void)stores_mark(g->view->stores);
        report_stores(g, g->view->stores, g->view->policy);
    }
}

int gate_tick(struct gate *g)
{
    bool stores = !g->view->stores || stores_verify(g->view->stores) == 1;
    bool media = media_are_marked(g);

    if (g->view->stores)
        (void)programs_refresh(stores_programs(g->view->stores));
    if (!stores || !media) {
        gate_fail(g, GATE_FAILURE_MARK);
        record_report(g, AUDIT_GATE_LOST_MARK, true, NULL, stores ? "mark of a medium" : "mark of a store", 0);
    }
    if (!stores)
        gate_rescan(g);
    /* A medium's mark can only be set again by whoever knows where it is mounted: the daemon, by gate_guard_medium(). */
    g->marks_whole = media && (stores || stores_verify(g->view->stores) == 1);
    return stores && media;
}

int gate_event_fd(const struct gate *g)
{
    return g->event_fd;
}
