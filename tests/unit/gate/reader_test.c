/* The reader alone: a socket pair is the group, nobody takes from the queue. */
#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/fanotify.h>
#include <sys/socket.h>
#include <unistd.h>

#include "gate/internal.h"

enum {
    CAPACITY = 2
};

static struct gate gate;
static int kernel_end[GATE_GROUPS];
static pthread_t thread;

static int begin(void **state)
{
    (void)state;
    memset(&gate, 0, sizeof(gate));
    for (int i = 0; i < GATE_GROUPS; i++) {
        int pair[2];

        assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC | SOCK_NONBLOCK, 0, pair), 0);
        gate.group[i] = pair[0];
        kernel_end[i] = pair[1];
    }
    gate.pid = getpid();
    gate.wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    gate.event_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    assert_int_equal(queue_new(CAPACITY, &gate.events), 0);
    assert_int_equal(sem_init(&gate.pending, 0, 0), 0);
    assert_int_equal(pthread_create(&thread, NULL, reader_run, &gate), 0);
    return 0;
}

static int end(void **state)
{
    struct queue_item item;
    uint64_t one = 1;

    (void)state;
    atomic_store(&gate.stopping, true);
    assert_int_equal(write(gate.wake_fd, &one, sizeof(one)), sizeof(one));
    pthread_join(thread, NULL);
    while (queue_pop(gate.events, &item) == 0)
        close(item.fd);
    queue_free(gate.events);
    for (int i = 0; i < GATE_GROUPS; i++) {
        close(gate.group[i]);
        close(kernel_end[i]);
    }
    close(gate.wake_fd);
    close(gate.event_fd);
    sem_destroy(&gate.pending);
    return 0;
}

static struct fanotify_event_metadata event(uint64_t mask, pid_t pid)
{
    return (struct fanotify_event_metadata){.event_len = FAN_EVENT_METADATA_LEN,
                                            .vers = FANOTIFY_METADATA_VERSION,
                                            .metadata_len = FAN_EVENT_METADATA_LEN,
                                            .mask = mask,
                                            .fd = open("/dev/null", O_RDONLY | O_CLOEXEC),
                                            .pid = pid};
}

static int tell(int group, const struct fanotify_event_metadata *m)
{
    assert_int_equal(write(kernel_end[group], m, sizeof(*m)), sizeof(*m));
    return m->fd;
}

static void expect_answer(int group, int fd, unsigned answer)
{
    struct pollfd p = {.fd = kernel_end[group], .events = POLLIN};
    struct fanotify_response r = {0};

    assert_int_equal(poll(&p, 1, 10000), 1);
    assert_int_equal(read(kernel_end[group], &r, sizeof(r)), sizeof(r));
    assert_int_equal(r.fd, fd);
    assert_int_equal(r.response, answer);
}

static void expect_failures(enum gate_failure f, uint64_t n)
{
    for (int i = 0; i < 2000 && atomic_load(&gate.failures[f]) < n; i++)
        (void)poll(NULL, 0, 5);
    assert_int_equal(atomic_load(&gate.failures[f]), n);
}

static void wait_for_queued(int n)
{
    int queued = 0;

    for (int i = 0; i < 2000 && queued < n; i++) {
        assert_int_equal(sem_getvalue(&gate.pending, &queued), 0);
        (void)poll(NULL, 0, queued < n ? 5 : 0);
    }
    assert_int_equal(queued, n);
}

static void wait_for_close(int fd)
{
    for (int i = 0; i < 2000 && fcntl(fd, F_GETFD) >= 0; i++)
        (void)poll(NULL, 0, 5);
    assert_int_equal(fcntl(fd, F_GETFD), -1);
}

/* pid 1 is never a thread of ours. */
static void test_full_queue_refuses(void **state)
{
    struct fanotify_event_metadata m;
    struct queue_item item;

    (void)state;
    for (int i = 0; i < CAPACITY; i++) {
        m = event(i == 0 ? FAN_OPEN_PERM : FAN_OPEN_EXEC_PERM, 1);
        (void)tell(GATE_STORES, &m);
    }
    wait_for_queued(CAPACITY);
    for (int i = 0; i < 3; i++) {
        m = event(FAN_OPEN_PERM, 1);
        expect_answer(GATE_EXITS, tell(GATE_EXITS, &m), FAN_DENY);
        wait_for_close(m.fd);
    }
    expect_failures(GATE_FAILURE_OVERLOAD, 3);
    assert_int_equal(queue_pop(gate.events, &item), 0);
    assert_int_equal(item.flags, GATE_STORES);
    close(item.fd);
    assert_int_equal(queue_pop(gate.events, &item), 0);
    assert_int_equal(item.flags, GATE_STORES | READER_EVENT_EXECUTE);
    close(item.fd);
}

static void test_full_queue_in_monitor_mode_only_counts(void **state)
{
    struct fanotify_event_metadata m;

    (void)state;
    atomic_store(&gate.monitor, true);
    for (int i = 0; i < CAPACITY; i++) {
        m = event(FAN_OPEN_PERM, 1);
        (void)tell(GATE_EXITS, &m);
    }
    wait_for_queued(CAPACITY);
    m = event(FAN_OPEN_PERM, 1);
    expect_answer(GATE_EXITS, tell(GATE_EXITS, &m), FAN_ALLOW);
    expect_failures(GATE_FAILURE_OVERLOAD, 1);
}

static void test_own_open_is_refused(void **state)
{
    struct fanotify_event_metadata m = event(FAN_OPEN_PERM, getpid());

    (void)state;
    expect_answer(GATE_EXITS, tell(GATE_EXITS, &m), FAN_DENY);
    expect_failures(GATE_FAILURE_SELF, 1);
}

static void test_odd_events(void **state)
{
    struct fanotify_event_metadata m = event(FAN_CLOSE, 1);

    (void)state;
    (void)tell(GATE_EXITS, &m); /* nobody waits for that: closed, no answer */
    m = event(FAN_Q_OVERFLOW, 1);
    close(m.fd);
    m.fd = FAN_NOFD;
    (void)tell(GATE_EXITS, &m);
    expect_failures(GATE_FAILURE_OVERFLOW, 1);
    m.vers++;
    (void)tell(GATE_EXITS, &m);
    expect_failures(GATE_FAILURE_EVENT, 1);
    m = event(FAN_OPEN_PERM, getpid());
    expect_answer(GATE_EXITS, tell(GATE_EXITS, &m), FAN_DENY); /* still alive, and the first answer ever */
}

static void test_dead_group_is_noticed(void **state)
{
    (void)state;
    assert_int_equal(shutdown(kernel_end[GATE_EXITS], SHUT_RDWR), 0);
    expect_failures(GATE_FAILURE_READ, 1);
    assert_true(atomic_load(&gate.reader_failed));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_full_queue_refuses, begin, end),
        cmocka_unit_test_setup_teardown(test_full_queue_in_monitor_mode_only_counts, begin, end),
        cmocka_unit_test_setup_teardown(test_own_open_is_refused, begin, end),
        cmocka_unit_test_setup_teardown(test_odd_events, begin, end),
        cmocka_unit_test_setup_teardown(test_dead_group_is_noticed, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
