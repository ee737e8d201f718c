/*
 * Owns: export.db. Must not: decide by the counts (decide/ does), write the journal (the daemon does).
 */
#include "export/ledger.h"

#include <errno.h>
#include <limits.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "base/cleanup.h"

enum {
    YEAR_DAYS = 400 /* more than any year has, so that days never count backwards */
};

struct ledger {
    sqlite3 *db;
};

DEFINE_CLEANUP(sqlite3_stmt *, sqlite3_finalize);

static int from_sqlite(int e)
{
    switch (e & 0xff) {
    case SQLITE_OK:
    case SQLITE_DONE:
    case SQLITE_ROW:
        return 0;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
        return -EBADMSG;
    case SQLITE_FULL:
        return -ENOSPC;
    case SQLITE_NOMEM:
        return -ENOMEM;
    default:
        return -EIO;
    }
}

static int run(struct ledger *l, const char *sql)
{
    return from_sqlite(sqlite3_exec(l->db, sql, NULL, NULL, NULL));
}

static int open_db(int state_directory, sqlite3 **ret)
{
    char link[64], path[PATH_MAX + 16], directory[PATH_MAX];
    ssize_t n;

    /* By its place as it is now: SQLite refuses to follow a link itself, and wants a path. */
    (void)snprintf(link, sizeof(link), "/proc/self/fd/%d", state_directory);
    n = readlink(link, directory, sizeof(directory) - 1);
    if (n < 0)
        return -errno;
    directory[n] = '\0';
    (void)snprintf(path, sizeof(path), "%s/export.db", directory);
    return from_sqlite(sqlite3_open_v2(path, ret,
                                       SQLITE_OPEN_READWRITE | SQLITE_OPEN_CREATE | SQLITE_OPEN_NOFOLLOW |
                                           SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE,
                                       NULL));
}

int ledger_open(int state_directory, struct ledger **ret)
{
    struct ledger *l = calloc(1, sizeof(*l));
    int r;

    if (!l)
        return -ENOMEM;
    r = open_db(state_directory, &l->db);
    if (r >= 0)
        r = run(l,
                "PRAGMA journal_mode = DELETE; PRAGMA synchronous = FULL; PRAGMA trusted_schema = OFF;"
                "BEGIN IMMEDIATE;"
                "CREATE TABLE IF NOT EXISTS used (uid INTEGER NOT NULL, rule TEXT NOT NULL, day INTEGER NOT NULL,"
                " files INTEGER NOT NULL, bytes INTEGER NOT NULL, PRIMARY KEY (uid, rule, day)) STRICT;"
                "CREATE TABLE IF NOT EXISTS exports (id TEXT PRIMARY KEY, uid INTEGER NOT NULL, device TEXT NOT NULL,"
                " text TEXT NOT NULL, phase INTEGER NOT NULL) STRICT;"
                "COMMIT");
    if (r < 0) {
        (void)ledger_free(l);
        return r;
    }
    *ret = l;
    return 0;
}

struct ledger *ledger_free(struct ledger *l)
{
    if (l)
        (void)sqlite3_close(l->db);
    free(l);
    return NULL;
}

int64_t ledger_day(int64_t wall_us)
{
    time_t seconds = (time_t)(wall_us / 1000000);
    struct tm tm;

    if (!localtime_r(&seconds, &tm))
        return INT64_MAX; /* counts together with whatever else has no date */
    return (int64_t)tm.tm_year * YEAR_DAYS + tm.tm_yday;
}

static int prepare(struct ledger *l, const char *sql, sqlite3_stmt **ret)
{
    return from_sqlite(sqlite3_prepare_v2(l->db, sql, -1, ret, NULL));
}

/* What is given as text lives until the statement ends. */
static int bind(sqlite3_stmt *s, int at, const char *text)
{
    return from_sqlite(sqlite3_bind_text(s, at, text, -1, SQLITE_STATIC));
}

static int bind_number(sqlite3_stmt *s, int at, int64_t number)
{
    return from_sqlite(sqlite3_bind_int64(s, at, number));
}

static int finish(sqlite3_stmt *s)
{
    int e = sqlite3_step(s);

    return e == SQLITE_DONE ? 0 : e == SQLITE_ROW ? -EIO : from_sqlite(e);
}

/* The later of the day and the last one that this person's exports were counted on. */
static int effective_day(struct ledger *l, uid_t uid, int64_t day, int64_t *ret)
{
    _cleanup_(sqlite3_finalizep) sqlite3_stmt *s = NULL;
    int r = prepare(l, "SELECT max(day) FROM used WHERE uid = ?", &s), e;

    if (r >= 0)
        r = bind_number(s, 1, uid);
    if (r < 0)
        return r;
    e = sqlite3_step(s);
    if (e != SQLITE_ROW)
        return -EIO;
    *ret = day;
    if (sqlite3_column_type(s, 0) == SQLITE_INTEGER && sqlite3_column_int64(s, 0) > day)
        *ret = sqlite3_column_int64(s, 0);
    return 0;
}

int ledger_used(struct ledger *l, uid_t uid, const char *rule, int64_t day, struct ledger_use *ret)
{
    _cleanup_(sqlite3_finalizep) sqlite3_stmt *s = NULL;
    int64_t files, bytes;
    int r = effective_day(l, uid, day, &day), e;

    if (r >= 0)
        r = prepare(l, "SELECT files, bytes FROM used WHERE uid = ? AND rule = ? AND day = ?", &s);
    if (r >= 0)
        r = bind_number(s, 1, uid);
    if (r >= 0)
        r = bind(s, 2, rule);
    if (r >= 0)
        r = bind_number(s, 3, day);
    if (r < 0)
        return r;
    e = sqlite3_step(s);
    if (e == SQLITE_DONE) {
        *ret = (struct ledger_use){0};
        return 0;
    }
    if (e != SQLITE_ROW)
        return -EIO;
    files = sqlite3_column_int64(s, 0);
    bytes = sqlite3_column_int64(s, 1);
    if (files < 0 || bytes < 0)
        return -EBADMSG;
    *ret = (struct ledger_use){(uint64_t)files, (uint64_t)bytes};
    return 0;
}

int ledger_begin(struct ledger *l, const struct ledger_export *e)
{
    _cleanup_(sqlite3_finalizep) sqlite3_stmt *s = NULL;
    int r = prepare(l, "INSERT INTO exports (id, uid, device, text, phase) VALUES (?, ?, ?, ?, ?)", &s);

    if (r >= 0)
        r = bind(s, 1, e->id);
    if (r >= 0)
        r = bind_number(s, 2, e->uid);
    if (r >= 0)
        r = bind(s, 3, e->device);
    if (r >= 0)
        r = bind(s, 4, e->text);
    if (r >= 0)
        r = bind_number(s, 5, LEDGER_BEGUN);
    return r < 0 ? r : finish(s);
}

static int add_count(struct ledger *l, uid_t uid, int64_t day, const struct ledger_count *c)
{
    _cleanup_(sqlite3_finalizep) sqlite3_stmt *s = NULL;
    int r;

    if (c->files > INT64_MAX / 2 || c->bytes > INT64_MAX / 2)
        return -ERANGE;
    r = prepare(l,
                "INSERT INTO used (uid, rule, day, files, bytes) VALUES (?, ?, ?, ?, ?) ON CONFLICT (uid, rule, day) DO"
                " UPDATE SET files = files + excluded.files, bytes = bytes + excluded.bytes",
                &s);
    if (r >= 0)
        r = bind_number(s, 1, uid);
    if (r >= 0)
        r = bind(s, 2, c->rule);
    if (r >= 0)
        r = bind_number(s, 3, day);
    if (r >= 0)
        r = bind_number(s, 4, (int64_t)c->files);
    if (r >= 0)
        r = bind_number(s, 5, (int64_t)c->bytes);
    return r < 0 ? r : finish(s);
}

/* From a phase that lies between these two. */
static int set_phase(struct ledger *l, const char *id, int phase, int from, int to)
{
    _cleanup_(sqlite3_finalizep) sqlite3_stmt *s = NULL;
    int r = prepare(l, "UPDATE exports SET phase = ? WHERE id = ? AND phase BETWEEN ? AND ?", &s);

    if (r >= 0)
        r = bind_number(s, 1, phase);
    if (r >= 0)
        r = bind(s, 2, id);
    if (r >= 0)
        r = bind_number(s, 3, from);
    if (r >= 0)
        r = bind_number(s, 4, to);
    if (r >= 0)
        r = finish(s);
    return r >= 0 && sqlite3_changes(l->db) != 1 ? -ENOENT : r;
}

int ledger_commit(struct ledger *l, const char *id, uid_t uid, int64_t day, const struct ledger_count *counts, size_t n)
{
    int r = run(l, "BEGIN IMMEDIATE");

    if (r < 0)
        return r;
    r = effective_day(l, uid, day, &day);
    for (size_t i = 0; i < n && r >= 0; i++)
        r = add_count(l, uid, day, &counts[i]);
    if (r >= 0)
        r = set_phase(l, id, LEDGER_COMMITTED, LEDGER_BEGUN, LEDGER_COMMITTED);
    if (r >= 0)
        r = run(l, "COMMIT");
    if (r < 0)
        (void)run(l, "ROLLBACK");
    return r;
}

int ledger_end(struct ledger *l, const char *id)
{
    _cleanup_(sqlite3_finalizep) sqlite3_stmt *s = NULL;
    int r = prepare(l, "DELETE FROM exports WHERE id = ?", &s);

    if (r >= 0)
        r = bind(s, 1, id);
    return r < 0 ? r : finish(s);
}

int ledger_set_leaving(struct ledger *l, const char *id)
{
    return set_phase(l, id, LEDGER_LEAVING, LEDGER_BEGUN, LEDGER_LEAVING);
}

/* Numbered by when they began (rowid); the oldest are forgotten. */
static int prune(struct ledger *l)
{
    _cleanup_(sqlite3_finalizep) sqlite3_stmt *s = NULL;
    int r = prepare(l,
                    "DELETE FROM exports WHERE phase = ?1 AND rowid NOT IN"
                    " (SELECT rowid FROM exports WHERE phase = ?1 ORDER BY rowid DESC LIMIT ?2)",
                    &s);

    if (r >= 0)
        r = bind_number(s, 1, LEDGER_LEFT);
    if (r >= 0)
        r = bind_number(s, 2, LEDGER_LEFT_MAX);
    return r < 0 ? r : finish(s);
}

int ledger_set_left(struct ledger *l, const char *id)
{
    int r = set_phase(l, id, LEDGER_LEFT, LEDGER_LEAVING, LEDGER_LEFT);

    return r < 0 ? r : prune(l);
}

static int for_each(struct ledger *l, const char *sql, void (*each)(void *context, const struct ledger_export *e),
                    void *context)
{
    _cleanup_(sqlite3_finalizep) sqlite3_stmt *s = NULL;
    int r = prepare(l, sql, &s), n = 0, e;

    if (r >= 0)
        r = bind_number(s, 1, LEDGER_LEFT);
    if (r < 0)
        return r;
    while ((e = sqlite3_step(s)) == SQLITE_ROW) {
        const struct ledger_export found = {.id = (const char *)sqlite3_column_text(s, 0),
                                            .uid = (uid_t)sqlite3_column_int64(s, 1),
                                            .device = (const char *)sqlite3_column_text(s, 2),
                                            .text = (const char *)sqlite3_column_text(s, 3),
                                            .phase = sqlite3_column_int(s, 4)};

        if (!found.id || !found.device || !found.text)
            return -ENOMEM;
        each(context, &found);
        n++;
    }
    return e == SQLITE_DONE ? n : from_sqlite(e);
}

int ledger_unfinished(struct ledger *l, void (*each)(void *context, const struct ledger_export *e), void *context)
{
    return for_each(l, "SELECT id, uid, device, text, phase FROM exports WHERE phase < ? ORDER BY id", each, context);
}

int ledger_leftovers(struct ledger *l, void (*each)(void *context, const struct ledger_export *e), void *context)
{
    return for_each(l, "SELECT id, uid, device, text, phase FROM exports WHERE phase = ? ORDER BY rowid DESC", each,
                    context);
}
