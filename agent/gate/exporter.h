#pragma once

#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * The one process that takes files out of stores for an export (gate_set_exporter()). Workers ask, the main thread sets; the lock is held
 * for a few instructions and never by the reader.
 */

struct asker;
struct policy;
struct verdict;

struct exporter {
    pthread_mutex_t lock;
    pid_t pid; /* 0: none */
    uint64_t start_time;
    const struct policy *policy; /* whose stores `permitted` counts; compared, never read */
    bool *permitted;
    size_t n;
    int seen; /* what it opened since it was asked last: index, EXPORTER_NONE, EXPORTER_MIXED */
};

enum {
    EXPORTER_NONE = -1,
    EXPORTER_MIXED = -2
};

void exporter_init(struct exporter *x);
void exporter_done(struct exporter *x);
/* A worker decides about an open in a store. True when it is the exporter's and permitted: then ret is set. In any case what it opened is
 * remembered. certain: which store it is, is known for certain; only reading is ever permitted. */
bool exporter_decides(struct exporter *x, const struct asker *a, const struct policy *p, size_t store, bool certain,
                      bool write, struct verdict *ret);
