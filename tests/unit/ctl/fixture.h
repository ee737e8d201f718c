#pragma once

#include "test.h"

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
