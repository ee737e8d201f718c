/*
 * Owns: mfa.db: that it is the file that was written, that there is room for attempts on a full disk, and transactions.
 * Must not: know a secret or a code; what it holds of them is sealed or hashed. Rows are in rows.c.
 *
 * Room: the rollback journal stays (PERSIST) and is written over in place, and free pages inside the file take what a row grows by. Both
 * are made when the store is, so that an attempt needs no new block of the disk.
 */
#include <errno.h>
#include <fcntl.h>
#include <sqlite3.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "mfa/store_internal.h"
#include "sql/vfs.h"

#define DB "mfa.db"
#define JOURNAL "mfa.db-journal"
#define MARK "mfa.installed"
#define KEY "mfa.key" /* made with the first secret: where it is, there was a store */

enum {
    APPLICATION_ID = 0x6b6d6661, /* "kmfa" */
    FORMAT = 2,
    PATH_SIZE = 64,
    PAGE = 4096, /* SQLite's; the smallest file that was whole */
    PAGES_FREE_MIN = 8,
    RESERVE = 64 * 1024, /* of the journal, and of pages that are made free */
};

/* Of version 1; upgrade() brings every store to the present one. */
static const char schema[] =
    "CREATE TABLE store(one INTEGER PRIMARY KEY CHECK(one=1), key BLOB) STRICT;"
    "INSERT INTO store VALUES(1, NULL);"
    "CREATE TABLE credential(record INTEGER PRIMARY KEY AUTOINCREMENT, uid INTEGER NOT NULL UNIQUE, name TEXT NOT NULL,"
    " algorithm INTEGER NOT NULL, digits INTEGER NOT NULL, period INTEGER NOT NULL, nonce BLOB NOT NULL,"
    " secret BLOB NOT NULL, step INTEGER NOT NULL, failures INTEGER NOT NULL, failed_wall INTEGER NOT NULL,"
    " failed_boottime INTEGER NOT NULL, failed_boot TEXT NOT NULL, seen INTEGER NOT NULL, skew_step INTEGER NOT NULL,"
    " skew_from INTEGER NOT NULL, created INTEGER NOT NULL, used INTEGER NOT NULL, imported INTEGER NOT NULL) STRICT;"
    "CREATE TABLE recovery(record INTEGER NOT NULL REFERENCES credential ON DELETE CASCADE, number INTEGER NOT NULL,"
    " salt BLOB NOT NULL, hash BLOB NOT NULL, PRIMARY KEY(record, number)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE grace(uid INTEGER PRIMARY KEY, since INTEGER NOT NULL, seen INTEGER NOT NULL) STRICT;"
    "CREATE TABLE room(bytes BLOB) STRICT;";

int store_run(struct store *s, const char *sql)
{
    return sql_run(s->db, sql);
}

int store_begin(struct store *s)
{
    store_rollback(s);
    return store_run(s, "BEGIN IMMEDIATE");
}

static int commit(struct store *s)
{
    int r = store_run(s, "COMMIT");

    if (r < 0)
        store_rollback(s);
    return r;
}

int store_commit(struct store *s)
{
    int r = store_turn_next(s);

    if (r >= 0)
        return commit(s);
    store_rollback(s);
    return r;
}

void store_rollback(struct store *s)
{
    if (!sqlite3_get_autocommit(s->db))
        (void)store_run(s, "ROLLBACK");
}

/* --- the files --- */

/* A regular file of root's (or ours, in tests) alone, under one name. 1, 0 not there, -EUCLEAN something else, other -errno. */
static int look_at(int directory, const char *name, struct stat *ret)
{
    struct stat st;

    if (fstatat(directory, name, &st, AT_SYMLINK_NOFOLLOW) < 0)
        return errno == ENOENT ? 0 : -errno;
    if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || st.st_nlink != 1 || (st.st_mode & 077) != 0)
        return -EUCLEAN;
    *ret = st;
    return 1;
}

bool store_is_in_place(const struct store *s)
{
    struct stat st;

    return look_at(s->directory, DB, &st) > 0 && st.st_dev == s->device && st.st_ino == s->inode;
}

static int create_file(int directory)
{
    _cleanup_close_ int fd = -1;

    if (unlinkat(directory, JOURNAL, 0) < 0 && errno != ENOENT)
        return -errno;
    fd = openat(directory, DB, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);
    return fd < 0 ? -errno : 0;
}

/* From now on a store that is missing is damage. After the store, before the first credential. */
static int set_mark(int directory)
{
    _cleanup_close_ int fd = openat(directory, MARK, O_WRONLY | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0600);

    if (fd < 0)
        return -errno;
    return fsync(fd) < 0 || fsync(directory) < 0 ? -errno : 0;
}

/* --- opening --- */

static int connect(struct store *s, bool unsynced)
{
    char path[PATH_SIZE], sql[64];
    const char *vfs = vfs_as_given();
    int64_t kept = 0;
    int code;

    if (!vfs)
        return -EIO;
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d/" DB, s->directory);
    code = sqlite3_open_v2(path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, vfs);
    if (code != SQLITE_OK)
        return sql_error(code);
    sql_harden(s->db);
    if (sqlite3_db_readonly(s->db, "main") != 0)
        return -EROFS;
    (void)snprintf(sql, sizeof(sql), "PRAGMA synchronous=%s", unsynced ? "OFF" : "FULL");
    if (store_run(s, "PRAGMA locking_mode=EXCLUSIVE; PRAGMA temp_store=MEMORY; PRAGMA cell_size_check=ON;") < 0 ||
        store_run(
            s, "PRAGMA foreign_keys=ON; PRAGMA secure_delete=ON; PRAGMA mmap_size=0; PRAGMA trusted_schema=OFF;") < 0 ||
        store_run(s, sql) < 0)
        return -EIO;
    code = sql_ask(s->db, "PRAGMA journal_mode=PERSIST", "persist", &kept);
    return code < 0 ? code : kept ? 0 : -EIO;
}

static int make_tables(struct store *s)
{
    char sql[96];
    int r = store_begin(s);

    if (r >= 0)
        r = store_run(s, schema);
    (void)snprintf(sql, sizeof(sql), "PRAGMA application_id=%d; PRAGMA user_version=1;", APPLICATION_ID);
    if (r >= 0)
        r = store_run(s, sql);
    if (r >= 0)
        r = commit(s);
    store_rollback(s);
    return r;
}

static int upgrade(struct store *s)
{
    int r = store_begin(s);

    if (r >= 0)
        r = store_run(s, "ALTER TABLE store ADD COLUMN id BLOB NOT NULL DEFAULT x'';"
                         "ALTER TABLE store ADD COLUMN turn INTEGER NOT NULL DEFAULT 0;"
                         "UPDATE store SET id = randomblob(16); PRAGMA user_version=2;");
    if (r >= 0)
        r = commit(s);
    store_rollback(s);
    return r;
}

/* 0; -EUCLEAN; -EOPNOTSUPP: of a later version. An older one is brought up to the present. */
static int check_whole(struct store *s)
{
    int64_t id = 0, format = 0, whole = 0;
    int r = sql_ask(s->db, "PRAGMA application_id", NULL, &id);

    if (r >= 0)
        r = sql_ask(s->db, "PRAGMA user_version", NULL, &format);
    if (r < 0)
        return r;
    if (id != APPLICATION_ID || format < 1)
        return -EUCLEAN;
    if (format > FORMAT)
        return -EOPNOTSUPP;
    r = sql_ask(s->db, "PRAGMA integrity_check(1)", "ok", &whole);
    if (r >= 0 && !whole)
        r = -EUCLEAN;
    if (r >= 0 && format < FORMAT)
        r = upgrade(s);
    if (r >= 0)
        r = sql_ask(s->db, "SELECT count(*)=1 FROM store WHERE one=1", NULL, &whole);
    return r < 0 ? r : whole ? 0 : -EUCLEAN;
}

int store_reserve(struct store *s)
{
    int64_t pages = 0;
    struct stat st;
    char sql[64];
    int r = sql_ask(s->db, "PRAGMA freelist_count", NULL, &pages);

    if (r < 0)
        return r;
    if (pages >= PAGES_FREE_MIN && look_at(s->directory, JOURNAL, &st) > 0 && st.st_size >= RESERVE)
        return 0;
    /* No turn: nothing that counts changes. Bytes that compress and deduplicate to nothing would reserve nothing. What is deleted is written over, by way of the journal. */
    (void)snprintf(sql, sizeof(sql), "INSERT INTO room VALUES(randomblob(%d))", 2 * RESERVE);
    r = store_begin(s);
    if (r >= 0)
        r = store_run(s, sql);
    if (r >= 0)
        r = commit(s);
    if (r >= 0)
        r = store_begin(s);
    if (r >= 0)
        r = store_run(s, "DELETE FROM room");
    if (r >= 0)
        r = commit(s);
    store_rollback(s);
    return r;
}

static int remember_place(struct store *s)
{
    struct stat st;
    int r = look_at(s->directory, DB, &st);

    if (r <= 0)
        return r < 0 ? r : -EUCLEAN;
    s->device = st.st_dev;
    s->inode = st.st_ino;
    return 0;
}

/* 1 when the mark is there, 0 when not; -EUCLEAN: what must be there is missing, or of a strange kind. */
static int find_files(int directory, bool *ret_there, const char **ret_complaint)
{
    struct stat db, mark;
    int there = look_at(directory, DB, &db), marked = look_at(directory, MARK, &mark);

    *ret_complaint = "mfa.db or mfa.installed is no private regular file of root's";
    if (there < 0 || marked < 0)
        return there < 0 ? there : marked;
    *ret_complaint = "mfa.db is missing, and there was one";
    if (!there && (marked || faccessat(directory, KEY, F_OK, AT_SYMLINK_NOFOLLOW) == 0))
        return -EUCLEAN;
    *ret_complaint = "mfa.db is cut short";
    if (there && marked && db.st_size < PAGE)
        return -EUCLEAN;
    *ret_there = there;
    return marked;
}

/* A store that was killed while it was made is empty, and has no mark yet. */
static int make_tables_once(struct store *s)
{
    int64_t pages = 0;
    int r = sql_ask(s->db, "PRAGMA page_count", NULL, &pages);

    return r < 0 || pages > 0 ? r : make_tables(s);
}

static int open_store(struct store *s, bool unsynced, const char **ret_complaint)
{
    bool there = false;
    int marked = find_files(s->directory, &there, ret_complaint);
    int r = marked < 0 ? marked : there ? 0 : create_file(s->directory);

    *ret_complaint = r < 0 ? *ret_complaint : "mfa.db is not what was written";
    if (r >= 0)
        r = connect(s, unsynced);
    if (r >= 0 && !marked)
        r = make_tables_once(s);
    if (r >= 0)
        r = check_whole(s);
    if (r >= 0)
        r = remember_place(s);
    if (r < 0)
        return r;
    r = store_reserve(s);
    /* A full disk does not close a store; what could stop attempts is told. */
    s->unreserved = r < 0;
    if (marked)
        return r == -EUCLEAN ? r : 0;
    return r < 0 ? r : set_mark(s->directory);
}

int store_open(int directory, bool unsynced, struct store **ret, const char **ret_complaint)
{
    struct store *s = calloc(1, sizeof(*s));
    int r;

    if (!s)
        return -ENOMEM;
    s->directory = directory;
    r = open_store(s, unsynced, ret_complaint);
    if (r >= 0) {
        *ret = s;
        return MFA_GOOD;
    }
    (void)store_free(s);
    if (r == -EUCLEAN)
        return MFA_DAMAGED;
    *ret_complaint = r == -EOPNOTSUPP ? "mfa.db is of a later version"
                     : r == -ENOSPC   ? "no space for mfa.db"
                     : r == -EROFS    ? "the state directory is read-only"
                     : r == -EBUSY    ? "somebody else has mfa.db open"
                                      : "mfa.db cannot be opened or made";
    return r == -ENOMEM ? -ENOMEM : MFA_CLOSED;
}

bool store_is_reserved(const struct store *s)
{
    return !s->unreserved;
}

struct store *store_free(struct store *s)
{
    if (!s)
        return NULL;
    for (size_t i = 0; i < ELEMENTS(s->statements); i++)
        (void)sqlite3_finalize(s->statements[i]);
    (void)sqlite3_close(s->db);
    free(s);
    return NULL;
}
