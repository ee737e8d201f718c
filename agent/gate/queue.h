#pragma once

#include <stddef.h>
#include <sys/types.h>

/*
 * A bounded queue that never blocks and takes no lock: many may push, many may pop. The reader of the group must not wait for a
 * worker, nor a worker for the journal.
 */

struct queue_item {
    void *pointer;
    int fd;
    pid_t pid;
    unsigned flags;
};

struct queue;

/* capacity: a power of two, 2 … 65536. 0, -EINVAL or -ENOMEM. */
int queue_new(size_t capacity, struct queue **ret);
/* Items still inside are the caller's to take out first. Returns NULL. */
struct queue *queue_free(struct queue *q);

enum {
    QUEUE_E_FULL = 1,
    QUEUE_E_EMPTY = 1
};
/* 0: the queue has the item; QUEUE_E_FULL: the caller keeps it. */
int queue_push(struct queue *q, const struct queue_item *item);
/* 0 and an item, or QUEUE_E_EMPTY. */
int queue_pop(struct queue *q, struct queue_item *ret);
