#pragma once

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

/* Scope-bound release of what a function owns. Everything starts as NULL or -1. */

#define _cleanup_(f) __attribute__((cleanup(f)))

/* Defines f##p(T *p) that calls f(*p): for _cleanup_(f##p). */
#define DEFINE_CLEANUP(type, f)                                                                                        \
    static inline void f##p(type *p)                                                                                   \
    {                                                                                                                  \
        if (*p)                                                                                                        \
            (void)f(*p);                                                                                               \
    }                                                                                                                  \
    struct cleanup_eats_semicolon_##f

static inline void cleanup_freep(void *p)
{
    free(*(void **)p);
}

/* Closes and returns -1; errno is kept. fd < 0 is fine. */
static inline int close_fd(int fd)
{
    if (fd >= 0) {
        int saved = errno;
        (void)close(fd);
        errno = saved;
    }
    return -1;
}

static inline void cleanup_closep(int *fd)
{
    *fd = close_fd(*fd);
}

static inline void cleanup_fclosep(FILE **f)
{
    if (*f)
        (void)fclose(*f);
}

static inline void cleanup_closedirp(DIR **d)
{
    if (*d)
        (void)closedir(*d);
}

#define _cleanup_free_ _cleanup_(cleanup_freep)
#define _cleanup_close_ _cleanup_(cleanup_closep)
#define _cleanup_fclose_ _cleanup_(cleanup_fclosep)
#define _cleanup_closedir_ _cleanup_(cleanup_closedirp)

#define TAKE_PTR(p)                                                                                                    \
    ({                                                                                                                 \
        __typeof__(p) *take_pp_ = &(p);                                                                                \
        __typeof__(p) take_p_ = *take_pp_;                                                                             \
        *take_pp_ = NULL;                                                                                              \
        take_p_;                                                                                                       \
    })

#define TAKE_FD(fd)                                                                                                    \
    ({                                                                                                                 \
        int *take_fdp_ = &(fd);                                                                                        \
        int take_fd_ = *take_fdp_;                                                                                     \
        *take_fdp_ = -1;                                                                                               \
        take_fd_;                                                                                                      \
    })

#define ELEMENTS(a) (sizeof(a) / sizeof((a)[0]))
