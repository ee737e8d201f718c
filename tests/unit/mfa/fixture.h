#pragma once

/* A verifier in a directory of its own, and the codes of what is enrolled in it. */

#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/files.h"
#include "mfa/mfa.h"

#define SECOND INT64_C(1000000)
#define START (INT64_C(1795395600) * SECOND) /* 2026-11-23 */
enum {
    TANAKA = 1001,
    SUZUKI = 1002
};
#define TANAKAS_BOOT "11111111-1111-1111-1111-111111111111"

struct fixture {
    char path[160];
    int fd;
    struct mfa *mfa;
    struct mfa_options options;
    struct mfa_now now;
    char base32[TOTP_BASE32_MAX + 1]; /* of the last enrolment */
    struct mfa_recovery recovery;
};

/* What a power failure leaves is not what these tests ask. */
static const struct mfa_ops quick = {.unsynced = true};
static const struct mfa_limits usual_limits = {.failures = 10, .delay = false, .lock_us = 900 * SECOND, .window = 1};

static inline void pass(struct fixture *f, int64_t seconds)
{
    f->now.wall_us += seconds * SECOND;
    f->now.boottime_us += (uint64_t)seconds * 1000000;
}

static inline void reopen(struct fixture *f)
{
    f->mfa = mfa_free(f->mfa);
    assert_int_equal(mfa_open(&f->options, &f->mfa), 0);
    mfa_set_limits(f->mfa, &usual_limits);
}

static inline int setup_at(void **state, const char *parent)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    (void)snprintf(f->path, sizeof(f->path), "%s/mfa-XXXXXX", parent);
    assert_non_null(mkdtemp(f->path));
    f->fd = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(f->fd >= 0);
    f->options = (struct mfa_options){.state_directory = f->fd, .boot_id = TANAKAS_BOOT, .ops = &quick};
    f->now = (struct mfa_now){.wall_us = START, .boottime_us = 1000000000};
    reopen(f);
    *state = f;
    return 0;
}

static inline int setup(void **state)
{
    return setup_at(state, "/tmp");
}

static inline void remove_all(int directory)
{
    DIR *d = fdopendir(openat(directory, ".", O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    struct dirent *e;

    while (d && (e = readdir(d)))
        if (unlinkat(directory, e->d_name, 0) < 0)
            (void)unlinkat(directory, e->d_name, AT_REMOVEDIR);
    if (d)
        (void)closedir(d);
}

static inline int teardown(void **state)
{
    struct fixture *f = *state;

    (void)mfa_free(f->mfa);
    remove_all(f->fd);
    close_fd(f->fd);
    assert_int_equal(rmdir(f->path), 0);
    free(f);
    return 0;
}

/* The code of base32 so many steps from now. */
static inline const char *code_of(const struct fixture *f, const char *base32, const struct totp_settings *s,
                                  int offset)
{
    static char codes[4][TOTP_CODE_SIZE];
    static unsigned next;
    char *code = codes[next++ % ELEMENTS(codes)];
    uint8_t secret[TOTP_SECRET_MAX];
    size_t size = 0;

    assert_int_equal(totp_base32_read(base32, secret, &size), 0);
    assert_int_equal(totp_code(s, secret, size, totp_step(s, f->now.wall_us) + (uint64_t)(int64_t)offset, code), 0);
    return code;
}

static inline const char *code_at(const struct fixture *f, int offset)
{
    return code_of(f, f->base32, &totp_default, offset);
}

/* A code that is right for no step around now. */
static inline const char *wrong_code(const struct fixture *f)
{
    static char code[7];

    for (unsigned n = 0;; n++) {
        bool right = false;

        (void)snprintf(code, sizeof(code), "%06u", n);
        for (int i = -25; i <= 25; i++)
            right |= strcmp(code, code_at(f, i)) == 0;
        if (!right)
            return code;
    }
}

/* Enrolled with the codes of this step and the next; afterwards it is two steps later. */
static inline void enrol(struct fixture *f, uid_t uid, const char *name)
{
    struct mfa_offer offer;
    char first[TOTP_CODE_SIZE];
    int minutes = 0;

    assert_int_equal(mfa_enrol_begin(f->mfa, uid, name, "Matsudo", NULL, &f->now, &offer), 0);
    (void)strcpy(f->base32, offer.base32);
    (void)strcpy(first, code_at(f, 0));
    pass(f, 30);
    assert_int_equal(mfa_enrol_confirm(f->mfa, uid, first, code_at(f, 0), &f->now, &f->recovery, &minutes), 0);
    pass(f, 30);
}

/* The same at once and without recovery codes, which are slow to make. Nobody has another's secret. */
static inline void bring(struct fixture *f, uid_t uid, const char *name)
{
    (void)strcpy(f->base32, "GEZDGNBVGY3TQOJQGEZDGNBVGY3TQOJA");
    f->base32[30] = (char)('A' + uid / 26 % 26);
    f->base32[31] = (char)('A' + uid % 26);
    assert_int_equal(mfa_import(f->mfa, uid, name, f->base32, &totp_default,
                                totp_step(&totp_default, f->now.wall_us) - 2, &f->now, NULL),
                     0);
}

static inline enum mfa_outcome verify(struct fixture *f, const char *code, struct mfa_result *ret)
{
    struct mfa_result result;

    mfa_verify(f->mfa, TANAKA, code, &f->now, ret ? ret : &result);
    return ret ? ret->outcome : result.outcome;
}

static inline unsigned failures(struct fixture *f)
{
    struct mfa_credential c;

    assert_int_equal(mfa_find(f->mfa, TANAKA, &f->now, &c), 0);
    return c.failures;
}

/* --- the store from outside --- */

static inline void put_key(const char *path, const char *name, int fill, size_t size)
{
    char full[256];
    uint8_t bytes[64];
    int fd;

    memset(bytes, fill, sizeof(bytes));
    (void)snprintf(full, sizeof(full), "%s/%s", path, name);
    (void)unlink(full);
    fd = open(full, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0400);
    assert_true(fd >= 0);
    assert_int_equal(write(fd, bytes, size), size);
    close_fd(fd);
}

static inline bool exists(const struct fixture *f, const char *name)
{
    return faccessat(f->fd, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static inline void assert_unavailable(struct fixture *f, enum mfa_condition condition)
{
    struct mfa_credential c;
    struct mfa_result r;

    assert_int_equal(mfa_condition(f->mfa), condition);
    assert_true(strlen(mfa_complaint(f->mfa)) > 0);
    assert_int_equal(verify(f, "123456", &r), MFA_UNAVAILABLE);
    mfa_verify(f->mfa, SUZUKI, "123456", &f->now, &r);
    assert_int_equal(r.outcome, MFA_UNAVAILABLE);
    mfa_grace(f->mfa, SUZUKI, 86400 * SECOND, &f->now, &r);
    assert_int_equal(r.outcome, MFA_UNAVAILABLE);
    assert_int_equal(mfa_find(f->mfa, SUZUKI, &f->now, &c), MFA_E_UNAVAILABLE);
    assert_int_equal(mfa_remove(f->mfa, TANAKA), MFA_E_UNAVAILABLE);
}

static inline bool holds(const struct fixture *f, const char *name, const void *bytes, size_t size)
{
    uint8_t *data = NULL;
    size_t n = 0;
    bool found;

    assert_int_equal(files_read_at(f->fd, name, 1 << 20, &data, &n), 0);
    found = memmem(data, n, bytes, size) != NULL;
    free(data);
    return found;
}
