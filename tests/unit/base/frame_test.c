#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/frame.h"

enum {
    SOON_MS = 5000
};

struct pair {
    int a, b;
};

static struct pair pair_new(void)
{
    int fds[2];

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    return (struct pair){fds[0], fds[1]};
}

static void pair_done(struct pair *p)
{
    p->a = close_fd(p->a);
    p->b = close_fd(p->b);
}

static unsigned int open_fds(void)
{
    unsigned int n = 0;

    for (int fd = 0; fd < 256; fd++)
        n += fcntl(fd, F_GETFD) >= 0;
    return n;
}

/* Sends raw bytes with n copies of fd. */
static void send_raw(int socket, const void *bytes, size_t size, int fd, size_t n)
{
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(32 * sizeof(int))];
    } control = {0};
    struct iovec iov = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = size};
    struct msghdr m = {.msg_iov = &iov, .msg_iovlen = 1};

    if (n > 0) {
        struct cmsghdr *c;

        m.msg_control = &control;
        m.msg_controllen = CMSG_SPACE(n * sizeof(int));
        c = CMSG_FIRSTHDR(&m);
        c->cmsg_level = SOL_SOCKET;
        c->cmsg_type = SCM_RIGHTS;
        c->cmsg_len = CMSG_LEN(n * sizeof(int));
        for (size_t i = 0; i < n; i++)
            memcpy(CMSG_DATA(c) + i * sizeof(int), &fd, sizeof(int));
    }
    assert_int_equal(sendmsg(socket, &m, MSG_NOSIGNAL), (ssize_t)size);
}

static void test_roundtrip_with_fd(void **state)
{
    struct pair p = pair_new();
    struct buf body;
    struct frame f;
    int memory = memfd_create("frame", MFD_CLOEXEC);
    char got[4] = "";

    (void)state;
    assert_int_equal(write(memory, "abc", 3), 3);
    buf_init(&body, FRAME_BODY_MAX);
    assert_int_equal(buf_add_string(&body, "hello"), 0);
    assert_int_equal(frame_send(p.a, 7, FRAME_FLAG_MORE, &body, memory, SOON_MS), 0);
    assert_int_equal(frame_send(p.a, 8, 0, NULL, -1, SOON_MS), 0);
    frame_init(&f);
    assert_int_equal(frame_receive(&f, p.b, SOON_MS), 0);
    assert_int_equal(f.type, 7);
    assert_int_equal(f.flags, FRAME_FLAG_MORE);
    assert_int_equal(f.body.size, body.size);
    assert_memory_equal(f.body.data, body.data, body.size);
    assert_true(f.fd >= 0);
    assert_true(fcntl(f.fd, F_GETFD) & FD_CLOEXEC);
    assert_int_equal(pread(f.fd, got, 3, 0), 3);
    assert_string_equal(got, "abc");
    assert_int_equal(frame_receive(&f, p.b, SOON_MS), 0); /* the same frame struct again: the old fd is closed */
    assert_int_equal(f.type, 8);
    assert_int_equal(f.body.size, 0);
    assert_int_equal(f.fd, -1);
    frame_done(&f);
    buf_done(&body);
    close(memory);
    pair_done(&p);
}

static void test_largest_frame_in_pieces(void **state)
{
    struct pair p = pair_new();
    struct buf body;
    struct frame f;
    int status;
    pid_t child;

    (void)state;
    buf_init(&body, FRAME_BODY_MAX + 1);
    for (unsigned int i = 0; i < FRAME_BODY_MAX / 4; i++)
        assert_int_equal(buf_add_u32(&body, i), 0);
    assert_int_equal(setsockopt(p.a, SOL_SOCKET, SO_SNDBUF, &(int){2048}, sizeof(int)), 0); /* many short writes */
    child = fork();
    assert_true(child >= 0);
    if (child == 0)
        _exit(frame_send(p.a, 1, 0, &body, -1, SOON_MS) < 0);
    frame_init(&f);
    assert_int_equal(frame_receive(&f, p.b, SOON_MS), 0);
    assert_int_equal(f.body.size, FRAME_BODY_MAX);
    assert_memory_equal(f.body.data, body.data, FRAME_BODY_MAX);
    assert_int_equal(waitpid(child, &status, 0), child);
    assert_int_equal(status, 0);
    assert_int_equal(buf_add(&body, "x", 1), 0);
    assert_int_equal(frame_send(p.a, 1, 0, &body, -1, SOON_MS), -EBADMSG);
    frame_done(&f);
    buf_done(&body);
    pair_done(&p);
}

static void test_bad_headers(void **state)
{
    static const uint8_t bad[][FRAME_HEADER_SIZE] = {
        {1, 0, 1, 0, 1, 0, 0, 0},    /* 65537 bytes */
        {0xff, 0xff, 0xff, 0xff, 1}, /* huge */
        {0, 0, 0, 0, 1, 0, 2, 0},    /* unknown flag */
        {0, 0, 0, 0, 1, 0, 0, 0x80}, /* unknown flag */
    };

    (void)state;
    for (size_t i = 0; i < ELEMENTS(bad); i++) {
        struct pair p = pair_new();
        struct frame_view v;
        size_t used = 77;
        struct frame f;

        frame_init(&f);
        send_raw(p.a, bad[i], FRAME_HEADER_SIZE, -1, 0);
        assert_int_equal(frame_receive(&f, p.b, SOON_MS), -EBADMSG);
        assert_int_equal(frame_parse(bad[i], FRAME_HEADER_SIZE, &v, &used), -EBADMSG);
        assert_int_equal(used, 77);
        frame_done(&f);
        pair_done(&p);
    }
}

static void test_surplus_fds_are_closed(void **state)
{
    static const uint8_t header[FRAME_HEADER_SIZE] = {0, 0, 0, 0, 1, 0, 0, 0};
    static const size_t counts[] = {2, 16, 17, 32};
    int memory = memfd_create("frame", MFD_CLOEXEC);

    (void)state;
    for (size_t i = 0; i < ELEMENTS(counts); i++) {
        struct pair p = pair_new();
        unsigned int before = open_fds();
        struct frame f;

        frame_init(&f);
        send_raw(p.a, header, sizeof(header), memory, counts[i]);
        assert_int_equal(frame_receive(&f, p.b, SOON_MS), -EBADMSG);
        assert_int_equal(f.fd, -1);
        frame_done(&f);
        assert_int_equal(open_fds(), before);
        pair_done(&p);
    }
    close(memory);
}

static void test_peer_gone(void **state)
{
    static const uint8_t part[] = {4, 0, 0, 0, 1, 0, 0, 0, 'a', 'b'};
    static const struct {
        size_t size;
        int expected;
    } cases[] = {{0, -ENODATA}, {3, -ECONNRESET}, {8, -ECONNRESET}, {10, -ECONNRESET}};

    (void)state;
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        struct pair p = pair_new();
        struct frame f;

        frame_init(&f);
        if (cases[i].size > 0)
            send_raw(p.a, part, cases[i].size, -1, 0);
        p.a = close_fd(p.a);
        assert_int_equal(frame_receive(&f, p.b, SOON_MS), cases[i].expected);
        assert_int_equal(frame_send(p.b, 1, 0, NULL, -1, SOON_MS), -ECONNRESET); /* and no SIGPIPE */
        frame_done(&f);
        pair_done(&p);
    }
}

static void test_deadline(void **state)
{
    struct pair p = pair_new();
    struct buf body;
    struct frame f;
    int r = 0;

    (void)state;
    frame_init(&f);
    assert_int_equal(frame_receive(&f, p.b, 0), -ETIMEDOUT);
    send_raw(p.a, "\1\0", 2, -1, 0); /* a peer that stops in the middle */
    assert_int_equal(frame_receive(&f, p.b, 20), -ETIMEDOUT);
    buf_init(&body, FRAME_BODY_MAX);
    while (body.size < FRAME_BODY_MAX)
        assert_int_equal(buf_add_u64(&body, 0), 0);
    for (int i = 0; i < 1000 && r == 0; i++)
        r = frame_send(p.a, 1, 0, &body, -1, 20); /* a peer that does not read */
    assert_int_equal(r, -ETIMEDOUT);
    buf_done(&body);
    frame_done(&f);
    pair_done(&p);
}

static void test_parse(void **state)
{
    static const uint8_t bytes[] = {2, 0, 0, 0, 9, 0, 1, 0, 'h', 'i', 0, 0};
    struct frame_view v = {.type = 99};
    size_t used = 0;

    (void)state;
    for (size_t size = 0; size < 10; size++) {
        assert_int_equal(frame_parse(bytes, size, &v, &used), 0);
        assert_int_equal(v.type, 99);
    }
    assert_int_equal(frame_parse(bytes, sizeof(bytes), &v, &used), 1);
    assert_int_equal(used, 10);
    assert_int_equal(v.type, 9);
    assert_int_equal(v.flags, FRAME_FLAG_MORE);
    assert_int_equal(v.body.size, 2);
    assert_ptr_equal(v.body.data, bytes + 8);
}

/* docs/PROTOCOL.frame.md shows these bytes. */
static void test_documented_example(void **state)
{
    static const uint8_t bytes[] = {8, 0, 0, 0, 7, 0, 0, 0, 4, 0, 0, 0, 'k', 'u', 'r', 'a'};
    struct pair p = pair_new();
    uint8_t got[sizeof(bytes) + 1];
    struct buf body;

    (void)state;
    buf_init(&body, FRAME_BODY_MAX);
    assert_int_equal(buf_add_string(&body, "kura"), 0);
    assert_int_equal(frame_send(p.a, 7, 0, &body, -1, SOON_MS), 0);
    assert_int_equal(recv(p.b, got, sizeof(got), 0), sizeof(bytes));
    assert_memory_equal(got, bytes, sizeof(bytes));
    buf_done(&body);
    pair_done(&p);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_roundtrip_with_fd),
        cmocka_unit_test(test_largest_frame_in_pieces),
        cmocka_unit_test(test_bad_headers),
        cmocka_unit_test(test_surplus_fds_are_closed),
        cmocka_unit_test(test_peer_gone),
        cmocka_unit_test(test_deadline),
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_documented_example),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
