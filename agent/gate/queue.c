/*
 * Bounded lock-free queue (a ring whose slots carry the turn they are good for).
 *
 * Owns: the slots. Must not: own what items point to, wait.
 * A slot with turn == position is free for the push at that position; turn == position + 1 holds its item. A thread that is
 * preempted between claiming and filling delays only the poppers behind it, never a pusher.
 */
#include "gate/queue.h"

#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>

struct slot {
    _Atomic size_t turn;
    struct queue_item item;
};

struct queue {
    size_t mask;
    _Alignas(64) _Atomic size_t head; /* next push; each on its own cache line */
    _Alignas(64) _Atomic size_t tail; /* next pop */
    _Alignas(64) struct slot slots[];
};

int queue_new(size_t capacity, struct queue **ret)
{
    struct queue *q;
    size_t size;

    if (capacity < 2 || capacity > 65536 || (capacity & (capacity - 1)) != 0)
        return -EINVAL;
    size = sizeof(*q) + capacity * sizeof(struct slot);
    q = aligned_alloc(64, (size + 63) / 64 * 64);
    if (!q)
        return -ENOMEM;
    q->mask = capacity - 1;
    atomic_init(&q->head, 0);
    atomic_init(&q->tail, 0);
    for (size_t i = 0; i < capacity; i++)
        atomic_init(&q->slots[i].turn, i);
    *ret = q;
    return 0;
}

struct queue *queue_free(struct queue *q)
{
    free(q);
    return NULL;
}

int queue_push(struct queue *q, const struct queue_item *item)
{
    size_t at = atomic_load_explicit(&q->head, memory_order_relaxed);

    for (;;) {
        struct slot *s = &q->slots[at & q->mask];
        size_t turn = atomic_load_explicit(&s->turn, memory_order_acquire);
        intptr_t ahead = (intptr_t)(turn - at);

        if (ahead < 0)
            return QUEUE_E_FULL;
        if (ahead > 0) {
            at = atomic_load_explicit(&q->head, memory_order_relaxed);
        } else if (atomic_compare_exchange_weak_explicit(&q->head, &at, at + 1, memory_order_relaxed,
                                                         memory_order_relaxed)) {
            s->item = *item;
            atomic_store_explicit(&s->turn, at + 1, memory_order_release);
            return 0;
        }
    }
}

int queue_pop(struct queue *q, struct queue_item *ret)
{
    size_t at = atomic_load_explicit(&q->tail, memory_order_relaxed);

    for (;;) {
        struct slot *s = &q->slots[at & q->mask];
        size_t turn = atomic_load_explicit(&s->turn, memory_order_acquire);
        intptr_t ahead = (intptr_t)(turn - (at + 1));

        if (ahead < 0)
            return QUEUE_E_EMPTY;
        if (ahead > 0) {
            at = atomic_load_explicit(&q->tail, memory_order_relaxed);
        } else if (atomic_compare_exchange_weak_explicit(&q->tail, &at, at + 1, memory_order_relaxed,
                                                         memory_order_relaxed)) {
            *ret = s->item;
            atomic_store_explicit(&s->turn, at + q->mask + 1, memory_order_release);
            return 0;
        }
    }
}
