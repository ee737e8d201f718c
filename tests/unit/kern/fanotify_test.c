#include "test.h"

#include "kern/fanotify.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/fanotify.h>
#include <sys/socket.h>
#include <unistd.h>

static struct fanotify_event_metadata record(uint64_t mask, int fd, int pid)
{
    return (struct fanotify_event_metadata){.event_len = FAN_EVENT_METADATA_LEN,
                                            .vers = FANOTIFY_METADATA_VERSION,
                                            .metadata_len = FAN_EVENT_METADATA_LEN,
                                            .mask = mask,
                                            .fd = fd,
                                            .pid = pid};
}

static void test_events(void **state)
{
    struct fanotify_event_metadata m[2] = {record(FAN_OPEN_PERM, 5, 42), record(FAN_OPEN_EXEC_PERM, 6, 43)};
    struct fanotify_event e = {0};
    size_t offset = 0;

    (void)state;
    assert_int_equal(fanotify_next_event(m, sizeof(m), &offset, &e), 1);
    assert_int_equal(e.fd, 5);
    assert_int_equal(e.pid, 42);
    assert_true(e.mask == FAN_OPEN_PERM);
    assert_int_equal(fanotify_next_event(m, sizeof(m), &offset, &e), 1);
    assert_int_equal(e.fd, 6);
    assert_int_equal(fanotify_next_event(m, sizeof(m), &offset, &e), 0);
}

static void test_odd_bytes_end_the_walk(void **state)
{
    struct fanotify_event_metadata m = record(FAN_OPEN_PERM, 5, 42);
    struct fanotify_event e;
    size_t offset = 0;

    (void)state;
    assert_int_equal(fanotify_next_event(&m, sizeof(m) - 1, &offset, &e), -EBADMSG);
    m.event_len = 0;
    assert_int_equal(fanotify_next_event(&m, sizeof(m), &offset, &e), -EBADMSG);
    m.event_len = 4000;
    assert_int_equal(fanotify_next_event(&m, sizeof(m), &offset, &e), -EBADMSG);
    m = record(FAN_OPEN_PERM, 5, 42);
    m.vers++;
    assert_int_equal(fanotify_next_event(&m, sizeof(m), &offset, &e), -EBADMSG);
    assert_int_equal(offset, 0);
}

/* Flags and masks as the kernel wants them; the last call. */
static struct {
    unsigned flags;
    uint64_t mask;
    const char *path;
} last;

static int record_init(unsigned flags, unsigned event_flags)
{
    last.flags = flags;
    last.mask = event_flags;
    return 9;
}

static int record_mark(int group, unsigned flags, uint64_t mask, int dirfd, const char *path)
{
    (void)group;
    (void)dirfd;
    last.flags = flags;
    last.mask = mask;
    last.path = path;
    return 0;
}

static void test_flags(void **state)
{
    const struct fanotify_ops ops = {.init = record_init, .mark = record_mark};

    (void)state;
    assert_int_equal(fanotify_new_guard(&ops), 9);
    assert_true(last.flags & FAN_UNLIMITED_QUEUE); /* a full queue would allow */
    assert_true((last.flags & FAN_ALL_CLASS_BITS) == FAN_CLASS_CONTENT);
    assert_true((last.mask & O_ACCMODE) == O_RDONLY); /* or the lease probe cannot work */
    assert_true(last.mask & O_NONBLOCK);              /* or a lease holds the reader */
    assert_int_equal(fanotify_guard_filesystem(&ops, 9, 3, "."), 0);
    assert_true(last.flags == (FAN_MARK_ADD | FAN_MARK_FILESYSTEM));
    assert_true(last.mask == (FAN_OPEN_PERM | FAN_OPEN_EXEC_PERM));
    assert_int_equal(fanotify_ignore_open(&ops, 9, 3), 0);
    assert_true(last.mask == FAN_OPEN_PERM); /* execution stays asked */
    assert_int_equal(fanotify_flush_inodes(&ops, 9), 0);
    assert_true(last.flags == FAN_MARK_FLUSH); /* filesystem marks stay */
}

static void test_answer(void **state)
{
    struct fanotify_response response;
    int pair[2];

    (void)state;
    assert_int_equal(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair), 0);
    assert_int_equal(fanotify_answer(pair[0], 12, false), 0);
    assert_int_equal(read(pair[1], &response, sizeof(response)), sizeof(response));
    assert_int_equal(response.fd, 12);
    assert_int_equal(response.response, FAN_DENY);
    assert_int_equal(fanotify_answer(pair[0], 12, true), 0);
    assert_int_equal(read(pair[1], &response, sizeof(response)), sizeof(response));
    assert_int_equal(response.response, FAN_ALLOW);
    close(pair[0]);
    close(pair[1]);
    assert_int_equal(fanotify_answer(-1, 12, true), -EBADF);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_events),
        cmocka_unit_test(test_odd_bytes_end_the_walk),
        cmocka_unit_test(test_flags),
        cmocka_unit_test(test_answer),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
