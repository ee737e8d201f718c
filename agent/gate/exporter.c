/*
 * The exception for an export. Owns: who it is for, and which stores it opened. Must not: permit anything but reading, to anybody but
 * that very process, or under another policy than the one it was made for.
 */
#include "gate/exporter.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "gate/internal.h"
#include "kern/proc.h"
#include "policy/policy.h"

void exporter_init(struct exporter *x)
{
    *x = (struct exporter){.seen = EXPORTER_NONE};
    (void)pthread_mutex_init(&x->lock, NULL);
}

void exporter_done(struct exporter *x)
{
    free(x->permitted);
    (void)pthread_mutex_destroy(&x->lock);
}

bool exporter_decides(struct exporter *x, const struct asker *a, const struct policy *p, size_t store, bool certain,
                      bool write, struct verdict *ret)
{
    bool decided = false;

    (void)pthread_mutex_lock(&x->lock);
    /* A start time of 0 is one that could not be read. */
    if (x->pid != 0 && a->pid == x->pid && a->start_time != 0 && a->start_time == x->start_time && x->policy == p &&
        store < x->n) {
        x->seen = !certain || (x->seen != EXPORTER_NONE && x->seen != (int)store) ? EXPORTER_MIXED : (int)store;
        decided = certain && !write && x->permitted[store];
    }
    (void)pthread_mutex_unlock(&x->lock);
    if (decided)
        *ret = (struct verdict){.kind = VERDICT_ALLOW,
                                .ruled = VERDICT_ALLOW,
                                .allow = POLICY_READ,
                                .reason = REASON_RULE,
                                .rule = p->stores[store].id};
    return decided;
}

static int read_start_time(const struct gate *g, pid_t pid, uint64_t *ret)
{
    _cleanup_close_ int directory = proc_open(g->options.proc_fd, pid);

    return directory < 0 ? directory : proc_read_start_time(directory, ret);
}

int gate_set_exporter(struct gate *g, pid_t pid, const struct policy *p, const bool *permitted)
{
    _cleanup_free_ bool *copy = calloc(p->n_stores + 1, sizeof(*copy));
    struct exporter *x = &g->exporter;
    uint64_t start_time = 0;
    int r;

    if (!copy)
        return -ENOMEM;
    r = read_start_time(g, pid, &start_time);
    if (r < 0)
        return r;
    for (size_t i = 0; i < p->n_stores; i++)
        copy[i] = permitted[i];
    (void)pthread_mutex_lock(&x->lock);
    free(x->permitted);
    x->permitted = TAKE_PTR(copy);
    x->n = p->n_stores;
    x->policy = p;
    x->pid = pid;
    x->start_time = start_time;
    x->seen = EXPORTER_NONE;
    (void)pthread_mutex_unlock(&x->lock);
    return 0;
}

void gate_clear_exporter(struct gate *g)
{
    (void)pthread_mutex_lock(&g->exporter.lock);
    g->exporter.pid = 0;
    (void)pthread_mutex_unlock(&g->exporter.lock);
}

int gate_exporter_store(struct gate *g)
{
    int seen;

    (void)pthread_mutex_lock(&g->exporter.lock);
    seen = g->exporter.seen;
    g->exporter.seen = EXPORTER_NONE;
    (void)pthread_mutex_unlock(&g->exporter.lock);
    return seen == EXPORTER_MIXED ? -EXDEV : seen;
}
