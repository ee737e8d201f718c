#pragma once

#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hub/store/store.h"

/* A store in a directory of its own. */

#define HOUR_US (INT64_C(3600) * 1000000)

struct fixture {
    char path[64];
    int fd;
    struct hub_store *store;
    struct hub_actor actor;
};

static inline int fixture_begin(void **state)
{
    static struct fixture f;

    f = (struct fixture){.actor = {.name = "local:tanaka", .now_us = INT64_C(1800000000) * 1000000}};
    (void)snprintf(f.path, sizeof(f.path), "/tmp/kuraban-hub.XXXXXX");
    assert_non_null(mkdtemp(f.path));
    f.fd = open(f.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_true(f.fd >= 0);
    assert_int_equal(hub_store_create(f.fd, f.actor.now_us, &f.store), 0);
    *state = &f;
    return 0;
}

static inline int fixture_end(void **state)
{
    struct fixture *f = *state;
    char command[128];

    f->store = hub_store_free(f->store);
    (void)close(f->fd);
    (void)snprintf(command, sizeof(command), "rm -rf %s", f->path);
    return system(command);
}

static inline int fixture_reopen(struct fixture *f)
{
    f->store = hub_store_free(f->store);
    return hub_store_open(f->fd, f->actor.now_us, &f->store);
}

static inline sqlite3 *fixture_connect(struct fixture *f)
{
    char path[128];
    sqlite3 *db = NULL;

    (void)snprintf(path, sizeof(path), "%s/hub.db", f->path);
    assert_int_equal(sqlite3_open_v2(path, &db, SQLITE_OPEN_READWRITE, NULL), SQLITE_OK);
    return db;
}

/* As somebody with the file's rights may do it, beside us. */
static inline void fixture_change(struct fixture *f, const char *sql)
{
    sqlite3 *db = fixture_connect(f);

    assert_int_equal(sqlite3_exec(db, sql, NULL, NULL, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
}

static inline int fixture_ask(struct fixture *f, const char *sql)
{
    sqlite3 *db = fixture_connect(f);
    sqlite3_stmt *q = NULL;
    int answer;

    assert_int_equal(sqlite3_prepare_v2(db, sql, -1, &q, NULL), SQLITE_OK);
    assert_int_equal(sqlite3_step(q), SQLITE_ROW);
    answer = sqlite3_column_int(q, 0);
    (void)sqlite3_finalize(q);
    assert_int_equal(sqlite3_close(db), SQLITE_OK);
    return answer;
}
