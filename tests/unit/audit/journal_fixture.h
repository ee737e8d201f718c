#pragma once

#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "audit/journal.h"
#include "audit/key.h"
#include "audit/verify.h"
#include "base/cleanup.h"
#include "base/files.h"
#include "scratch.h"

/* A state directory of its own, a clock that the test turns, and the journal in it. */

enum {
    FIXTURE_SECOND = 1000000
};

struct fixture {
    char path[64];
    int state, dir; /* dir: state/journal, -1 until opened */
    struct journal *journal;
    int64_t wall_us;
    uint64_t boottime_us;
    struct journal_options options;
    uint64_t added; /* events given to the journal */
};

/* On a disk by default: its filesystem is the one that must do. Tests of many small journals take memory. */
static const char *fixture_root = "/tmp";

static inline void fixture_use_memory(void)
{
    if (access("/dev/shm", W_OK) == 0)
        fixture_root = "/dev/shm";
}

static inline int fixture_setup(void **state)
{
    struct fixture *f = calloc(1, sizeof(*f));

    assert_non_null(f);
    (void)snprintf(f->path, sizeof(f->path), "%s/kuraban-journal-XXXXXX", fixture_root);
    assert_non_null(mkdtemp(f->path));
    f->state = open(f->path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(f->state >= 0);
    f->dir = -1;
    f->wall_us = 1795395723000004; /* 2026-11-23T01:02:03.000004Z */
    f->boottime_us = 1000 * FIXTURE_SECOND;
    f->options.fold.refused = f->options.fold.allowed = UINT32_MAX; /* fold_test.c has the limits */
    f->options.boot_id = "6d012a34-8c0b-4849-b656-6217fdcb05e0";
    *state = f;
    return 0;
}

static inline int fixture_teardown(void **state)
{
    struct fixture *f = *state;

    f->journal = journal_free(f->journal);
    close_fd(f->dir);
    close_fd(f->state);
    scratch_remove(f->path);
    free(f);
    return 0;
}

static inline int fixture_open_result(struct fixture *f)
{
    int r;

    f->options.wall_us = f->wall_us;
    f->options.boottime_us = f->boottime_us;
    r = journal_open(f->state, &f->options, &f->journal);
    if (f->dir < 0)
        f->dir = files_open_directory_at(f->state, "journal", 0, 0);
    return r;
}

static inline void fixture_open(struct fixture *f)
{
    assert_int_equal(fixture_open_result(f), 0);
    assert_true(f->dir >= 0);
}

static inline void fixture_tick(struct fixture *f, int64_t us)
{
    f->wall_us += us;
    f->boottime_us += (uint64_t)us;
}

/* A refusal (or permission) of a path that no other call uses, so that nothing is folded. */
static inline void fixture_event(struct fixture *f, struct audit_event *e, bool allowed)
{
    audit_event_init(e, AUDIT_FILE_OPEN);
    fixture_tick(f, 1000);
    e->wall_us = f->wall_us;
    e->boottime_us = f->boottime_us;
    e->has_verdict = true;
    e->allowed = allowed;
    e->has_uid = true;
    e->uid = 1000;
    e->pid = 4321;
    (void)snprintf(e->path, sizeof(e->path), "/srv/juki/%06u", (unsigned int)++f->added);
    audit_set(e->program, sizeof(e->program), "/usr/bin/cp");
    audit_set(e->rule, sizeof(e->rule), "juki");
    audit_set(e->reason, sizeof(e->reason), "program");
}

static inline int fixture_append(struct fixture *f, bool allowed)
{
    struct audit_event e;

    fixture_event(f, &e, allowed);
    return journal_append(f->journal, &e);
}

static inline int fixture_commit(struct fixture *f)
{
    return journal_commit(f->journal, f->wall_us, f->boottime_us);
}

static inline void fixture_add(struct fixture *f, unsigned int n)
{
    for (unsigned int i = 0; i < n; i++)
        assert_int_equal(fixture_append(f, false), JOURNAL_OK);
    assert_int_equal(fixture_commit(f), JOURNAL_OK);
}

static inline void fixture_close(struct fixture *f)
{
    int r = journal_close(f->journal, f->wall_us, f->boottime_us);

    f->journal = NULL;
    assert_int_equal(r, JOURNAL_OK);
}

/* As after kill -9: nothing is flushed. */
static inline void fixture_kill(struct fixture *f)
{
    f->journal = journal_free(f->journal);
}

static inline struct journal_key *fixture_key(struct fixture *f)
{
    _cleanup_close_ int dir = files_open_directory_at(f->state, "key", 0, 0);
    struct journal_key *key = NULL;

    assert_true(dir >= 0);
    assert_int_equal(journal_key_read_public(dir, JOURNAL_KEY_PUBLIC, &key), 0);
    return key;
}

static inline struct journal_verify_result fixture_verify(struct fixture *f)
{
    struct journal_verify_options options = {.key = fixture_key(f)};
    struct journal_verify_result result;

    assert_int_equal(journal_verify(f->dir, &options, &result), 0);
    journal_key_free((struct journal_key *)(uintptr_t)options.key);
    return result;
}

static inline void fixture_assert_ok(struct fixture *f)
{
    struct journal_verify_result r = fixture_verify(f);

    if (!r.ok)
        print_error("%s: %s at %llu in %s:%llu\n", journal_flaw_name(r.flaw), r.why, (unsigned long long)r.first_bad,
                    r.file, (unsigned long long)r.line);
    assert_true(r.ok);
}

static inline char *fixture_load(struct fixture *f, const char *name, size_t *ret_size)
{
    uint8_t *data = NULL;

    assert_int_equal(files_read_at(f->dir, name, 64 << 20, &data, ret_size), 0);
    return (char *)data;
}

static inline void fixture_store(struct fixture *f, const char *name, const char *data, size_t size)
{
    assert_int_equal(files_write_atomic_at(f->dir, name, data, size, 0600), 0);
}

static inline bool fixture_exists(struct fixture *f, const char *name)
{
    return faccessat(f->dir, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

/* How often text occurs in the segments. */
static inline unsigned int fixture_count(struct fixture *f, const char *text)
{
    _cleanup_closedir_ DIR *d = NULL;
    const struct dirent *entry;
    char path[128];
    unsigned int n = 0;

    (void)snprintf(path, sizeof(path), "%s/journal", f->path);
    d = opendir(path);
    assert_non_null(d);
    while ((entry = readdir(d))) {
        _cleanup_free_ char *data = NULL;
        size_t size;

        if (strncmp(entry->d_name, "journal-", 8) != 0)
            continue;
        data = fixture_load(f, entry->d_name, &size);
        for (const char *at = strstr(data, text); at; at = strstr(at + 1, text))
            n++;
    }
    return n;
}

/* The line of number n (from 1) in data: start and size with its newline. */
static inline char *fixture_line(char *data, unsigned int n, size_t *ret_size)
{
    char *at = data, *end;

    for (unsigned int i = 1; i < n; i++) {
        at = strchr(at, '\n');
        assert_non_null(at);
        at++;
    }
    end = strchr(at, '\n');
    assert_non_null(end);
    *ret_size = (size_t)(end - at) + 1;
    return at;
}

#define FIRST_SEGMENT "journal-00000000000000000001.ndjson"
