#pragma once

#include "test.h"

#include <string.h>
#include <sys/socket.h>

#include "ctl/client.h"
#include "fake/ctl_server.h"

/* A server for each test, with the verbs of its file, and a client of it. */

static inline int fixture_start(void **state, const struct ctl_verb *verbs, size_t n,
                                void (*after_start)(struct sd_event *loop, struct ctl_server *s))
{
    static struct fake_ctl f;

    f = (struct fake_ctl){0};
    *state = &f;
    return fake_ctl_start(&f, verbs, n, after_start);
}

/* A server that crashed or leaked fails the test that made it do so. */
static inline int fixture_stop(void **state)
{
    return fake_ctl_stop(*state) == 0 ? 0 : -1;
}

static inline struct ctl_client fixture_connect(const struct fake_ctl *f)
{
    struct ctl_client c = {.socket = -1};

    assert_int_equal(ctl_client_open(f->directory, &c), 0);
    return c;
}

enum {
    FIXTURE_FDS_MAX = 16
};

/* These bytes with the same descriptor n times, by hand: frame_send() sends whole frames with one. What sendmsg(2) says. */
static inline ssize_t fixture_send_fds(int socket, const void *bytes, size_t size, int flags, int fd, size_t n)
{
    union {
        struct cmsghdr align;
        char space[CMSG_SPACE(FIXTURE_FDS_MAX * sizeof(int))];
    } control = {0};
    struct iovec iov = {.iov_base = (void *)(uintptr_t)bytes, .iov_len = size};
    struct msghdr m = {
        .msg_iov = &iov, .msg_iovlen = 1, .msg_control = &control, .msg_controllen = CMSG_SPACE(n * sizeof(int))};
    struct cmsghdr *c = CMSG_FIRSTHDR(&m);

    c->cmsg_level = SOL_SOCKET;
    c->cmsg_type = SCM_RIGHTS;
    c->cmsg_len = CMSG_LEN(n * sizeof(int));
    for (size_t i = 0; i < n; i++)
        memcpy(CMSG_DATA(c) + i * sizeof(int), &fd, sizeof(int));
    return sendmsg(socket, &m, MSG_NOSIGNAL | flags);
}
