#pragma once

#include "test.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "export/pack.h"

/* What the tests of every container pack. */

#define PASSWORD "AAAAA-BBBBB-CCCCC-DDDDD-EEEEE"

struct fixture {
    int staged, out;
    struct export_members members;
    unsigned stop_after, told;
};

static inline void add(struct fixture *x, const char *name, const void *content, size_t size)
{
    struct export_member m = {.offset = export_members_size(&x->members), .size = size};

    (void)snprintf(m.name, sizeof(m.name), "%s", name);
    assert_int_equal(write(x->staged, content, size), size);
    assert_int_equal(digest_bytes(content, size, &m.sha256), 0);
    assert_int_equal(export_members_add(&x->members, &m), 0);
}

static char large[600 * 1024];

static inline int setup(void **state)
{
    struct fixture *x = calloc(1, sizeof(*x));

    assert_non_null(setlocale(LC_CTYPE, "C.UTF-8"));
    for (size_t i = 0; i < sizeof(large); i++)
        large[i] = (char)(i * 7 + i / 256);
    x->staged = memfd_create("staged", MFD_CLOEXEC);
    x->out = memfd_create("out", MFD_CLOEXEC);
    add(x, "a.txt", "one", 3);
    add(x, "名簿 (2).csv", large, sizeof(large));
    add(x, "empty", "", 0);
    *state = x;
    return 0;
}

static inline int teardown(void **state)
{
    struct fixture *x = *state;

    export_members_done(&x->members);
    close(x->staged);
    close(x->out);
    free(x);
    return 0;
}

static inline int on_progress(void *context, uint64_t done, uint64_t total)
{
    struct fixture *x = context;

    assert_true(done <= total && total == export_members_size(&x->members));
    x->told++;
    return x->stop_after != 0 && x->told > x->stop_after ? PACK_E_STOPPED : 0;
}

static inline struct pack_options options_of(struct fixture *x)
{
    return (struct pack_options){.staged = x->staged,
                                 .members = &x->members,
                                 .password = PASSWORD,
                                 .out = x->out,
                                 .wall_us = INT64_C(1795450000000000),
                                 .progress = on_progress,
                                 .context = x};
}
