#include "test.h"

#include "gate/queue.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

static void test_order_and_bounds(void **state)
{
    struct queue *q;
    struct queue_item item = {0};

    (void)state;
    assert_int_equal(queue_new(3, &q), -EINVAL);
    assert_int_equal(queue_new(1, &q), -EINVAL);
    assert_int_equal(queue_new(4, &q), 0);
    assert_int_equal(queue_pop(q, &item), QUEUE_E_EMPTY);
    for (int round = 0; round < 3; round++) {
        for (int i = 0; i < 4; i++)
            assert_int_equal(queue_push(q, &(struct queue_item){.fd = i}), 0);
        assert_int_equal(queue_push(q, &(struct queue_item){.fd = 9}), QUEUE_E_FULL);
        for (int i = 0; i < 4; i++) {
            assert_int_equal(queue_pop(q, &item), 0);
            assert_int_equal(item.fd, i);
        }
        assert_int_equal(queue_pop(q, &item), QUEUE_E_EMPTY);
    }
    assert_null(queue_free(q));
    assert_null(queue_free(NULL));
}

enum {
    THREADS = 4,
    ITEMS = 20000
};

static struct queue *shared;
static _Atomic int popped;
static _Atomic unsigned char seen[THREADS * ITEMS];

static void *push_all(void *first)
{
    int base = *(int *)first;

    for (int i = 0; i < ITEMS;)
        if (queue_push(shared, &(struct queue_item){.fd = base + i}) == 0)
            i++;
    return NULL;
}

static void *pop_all(void *unused)
{
    struct queue_item item;

    (void)unused;
    while (atomic_load(&popped) < THREADS * ITEMS) {
        if (queue_pop(shared, &item) != 0)
            continue;
        atomic_fetch_add(&seen[item.fd], 1);
        atomic_fetch_add(&popped, 1);
    }
    return NULL;
}

/* Every item exactly once, whoever pushes and pops. */
static void test_many_threads(void **state)
{
    pthread_t pushers[THREADS], poppers[THREADS];
    int first[THREADS];

    (void)state;
    assert_int_equal(queue_new(64, &shared), 0);
    for (int i = 0; i < THREADS; i++) {
        first[i] = i * ITEMS;
        assert_int_equal(pthread_create(&pushers[i], NULL, push_all, &first[i]), 0);
        assert_int_equal(pthread_create(&poppers[i], NULL, pop_all, NULL), 0);
    }
    for (int i = 0; i < THREADS; i++) {
        pthread_join(pushers[i], NULL);
        pthread_join(poppers[i], NULL);
    }
    for (int i = 0; i < THREADS * ITEMS; i++)
        assert_int_equal(seen[i], 1);
    shared = queue_free(shared);
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_order_and_bounds), cmocka_unit_test(test_many_threads)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
