/*
 * Owns: hub.db as a file: that it is the one that was made, how safely it is written, transactions.
 * Must not: know what its rows mean; the schema is in migrate.c, rows are in a file each.
 *
 * Write-ahead log with synchronous=FULL: a commit is one fsync of the log instead of three of journal and file, readers never wait for
 * the writer nor the writer for readers, and what was committed stands after a power cut (sqlite.org/wal.html). docs/HUB.md has figures.
 */
#include "hub/store/store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "hub/store/internal.h"
#include "sql/vfs.h"

#define DB "hub.db"

enum {
    PATH_SIZE = 64,
    BUSY_MS = 10 * 1000, /* a batch of records and a verb at the command line wait for each other */
};

int hub_store_begin(struct hub_store *s)
{
    hub_store_rollback(s);
    return sql_run(s->db, "BEGIN IMMEDIATE");
}

int hub_store_commit(struct hub_store *s)
{
    int r = sql_run(s->db, "COMMIT");

    if (r < 0)
        hub_store_rollback(s);
    return r;
}

void hub_store_rollback(struct hub_store *s)
{
    if (!sqlite3_get_autocommit(s->db))
        (void)sql_run(s->db, "ROLLBACK");
}

int hub_store_finish(struct hub_store *s, int r)
{
    if (r == 0)
        r = hub_store_commit(s);
    hub_store_rollback(s);
    return r;
}

/* --- the file --- */

/* Its log and index are looked at as well: SQLite would follow a link. */
static int check_files(int directory)
{
    static const char *const names[] = {DB, DB "-wal", DB "-shm"};
    struct stat st;

    for (size_t i = 0; i < ELEMENTS(names); i++) {
        if (fstatat(directory, names[i], &st, AT_SYMLINK_NOFOLLOW) < 0) {
            if (errno == ENOENT && i > 0)
                continue;
            return -errno;
        }
        if (!S_ISREG(st.st_mode) || st.st_uid != geteuid() || st.st_nlink != 1 || (st.st_mode & 077) != 0)
            return -EUCLEAN;
    }
    return 0;
}

static int connect_file(struct hub_store *s)
{
    char path[PATH_SIZE];
    const char *vfs = vfs_as_given();
    int64_t logged = 0;
    int code, r;

    if (!vfs)
        return -EIO;
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d/" DB, s->directory);
    code = sqlite3_open_v2(path, &s->db, SQLITE_OPEN_READWRITE | SQLITE_OPEN_NOMUTEX | SQLITE_OPEN_EXRESCODE, vfs);
    if (code != SQLITE_OK)
        return sql_error(code);
    sql_harden(s->db);
    if (sqlite3_db_readonly(s->db, "main") != 0)
        return -EROFS;
    (void)sqlite3_busy_timeout(s->db, BUSY_MS);
    r = sql_run(s->db,
                "PRAGMA temp_store=MEMORY; PRAGMA cell_size_check=ON; PRAGMA foreign_keys=ON; PRAGMA mmap_size=0;"
                "PRAGMA trusted_schema=OFF; PRAGMA synchronous=FULL;");
    if (r < 0)
        return r;
    r = sql_ask(s->db, "PRAGMA journal_mode=WAL", "wal", &logged);
    return r < 0 ? r : logged ? 0 : -EIO;
}

static int open_store(int directory, int64_t now_us, bool fresh, struct hub_store **ret)
{
    struct hub_store *s;
    int r = check_files(directory);

    if (r < 0)
        return r;
    s = calloc(1, sizeof(*s));
    if (!s)
        return -ENOMEM;
    s->directory = directory;
    r = connect_file(s);
    if (r >= 0)
        r = hub_store_migrate(s, now_us, fresh);
    if (r >= 0)
        *ret = TAKE_PTR(s);
    (void)hub_store_free(s);
    return r < 0 ? r : 0;
}

int hub_store_create(int directory, int64_t now_us, struct hub_store **ret)
{
    _cleanup_close_ int fd = openat(directory, DB, O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC | O_NOFOLLOW, 0600);

    return fd < 0 ? -errno : open_store(directory, now_us, true, ret);
}

int hub_store_open(int directory, int64_t now_us, struct hub_store **ret)
{
    return open_store(directory, now_us, false, ret);
}

struct hub_store *hub_store_free(struct hub_store *s)
{
    if (!s)
        return NULL;
    for (size_t i = 0; i < ELEMENTS(s->statements); i++)
        (void)sqlite3_finalize(s->statements[i]);
    (void)sqlite3_close(s->db);
    free(s);
    return NULL;
}

int hub_store_check(struct hub_store *s)
{
    int64_t whole = 0;
    int r = sql_ask(s->db, "PRAGMA integrity_check(1)", "ok", &whole);

    return r < 0 ? r : whole ? 0 : -EUCLEAN;
}

int hub_store_turn(struct hub_store *s, int64_t *ret)
{
    return sql_ask(s->db, "PRAGMA data_version", NULL, ret);
}

/* --- statements --- */

#define TOKEN_COLUMNS "number, group_name, serial, created, expires, used, revoked, terminal, approval, misused"
#define TERMINAL_COLUMNS "id, name, serial, enrolled, revoked, host, token, approved, successor, journal_key, wire_key"

static const char *const queries[HUB_QUERY_COUNT_] = {
    [HUB_SETTING_GET] = "SELECT value FROM setting WHERE name = ?1",
    [HUB_SETTING_SET] = "INSERT INTO setting VALUES(?1, ?2) ON CONFLICT(name) DO UPDATE SET value = ?2",
    [HUB_JOURNAL_HEAD] = "SELECT seq, hash FROM act_head WHERE one = 1",
    [HUB_JOURNAL_ADD] = "INSERT INTO act VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7)",
    [HUB_JOURNAL_TURN] = "UPDATE act_head SET seq = ?1, hash = ?2 WHERE one = 1",
    [HUB_JOURNAL_EACH] = "SELECT seq, at, who, what, object, details, hash FROM act ORDER BY seq",
    [HUB_GROUP_ADD] = "INSERT INTO terminal_group VALUES(?1, ?2) ON CONFLICT DO NOTHING",
    [HUB_GROUP_FIND] = "SELECT created FROM terminal_group WHERE name = ?1",
    [HUB_GROUP_EACH] =
        "SELECT name, created, (SELECT count(*) FROM member WHERE member.group_name = terminal_group.name)"
        " FROM terminal_group ORDER BY name",
    [HUB_TOKEN_ADD] = "INSERT INTO token(hash, group_name, serial, created, expires, approval)"
                      " VALUES(?1, ?2, ?3, ?4, ?5, ?6)",
    [HUB_TOKEN_EACH] = "SELECT " TOKEN_COLUMNS " FROM token ORDER BY number",
    [HUB_TOKEN_FIND] = "SELECT " TOKEN_COLUMNS " FROM token WHERE hash = ?1",
    [HUB_TOKEN_USE] =
        "UPDATE token SET used = ?2, terminal = ?3 WHERE number = ?1 AND used IS NULL AND revoked IS NULL",
    [HUB_TOKEN_REVOKE] = "UPDATE token SET revoked = ?2 WHERE number = ?1 AND used IS NULL AND revoked IS NULL",
    [HUB_TOKEN_MISUSED] = "UPDATE token SET misused = misused + 1 WHERE number = ?1 AND misused < ?2",
    [HUB_TERMINAL_ADD] =
        "INSERT INTO terminal(id, name, journal_key, wire_key, serial, enrolled, host, token, approved)"
        " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9) ON CONFLICT DO NOTHING",
    [HUB_TERMINAL_EACH] = "SELECT " TERMINAL_COLUMNS " FROM terminal ORDER BY name, id",
    [HUB_TERMINAL_GET] = "SELECT " TERMINAL_COLUMNS " FROM terminal WHERE id = ?1",
    [HUB_TERMINAL_AGAIN] = "UPDATE OR IGNORE terminal SET wire_key = ?2, serial = ?3, host = ?4, token = ?5,"
                           " approved = ?6, successor = NULL WHERE id = ?1 AND revoked IS NULL",
    [HUB_TERMINAL_APPROVE] = "UPDATE terminal SET approved = ?2 WHERE id = ?1 AND approved IS NULL AND revoked IS NULL",
    [HUB_TERMINAL_REVOKE] = "UPDATE terminal SET revoked = ?2 WHERE id = ?1 AND revoked IS NULL",
    [HUB_TERMINAL_OLDER] = "SELECT id FROM terminal WHERE id <> ?1 AND (serial = ?2 OR host = ?3) AND revoked IS NULL"
                           " AND successor IS NULL",
    [HUB_TERMINAL_SUPERSEDE] = "UPDATE terminal SET successor = ?2 WHERE id = ?1",
    [HUB_MEMBER_ADD] = "INSERT INTO member VALUES(?1, ?2)",
    [HUB_POLICY_ADD] = "INSERT INTO policy VALUES(?1, ?2, ?3, ?4, ?5) ON CONFLICT DO NOTHING",
    [HUB_POLICY_GET] = "SELECT envelope FROM policy WHERE document = ?1",
    [HUB_POLICY_EACH] = "SELECT document, version, name, added FROM policy ORDER BY added DESC, version DESC",
    [HUB_HEAD_SET] = "INSERT INTO head VALUES(?1, ?2, ?3, ?4, ?5) ON CONFLICT(group_name) DO UPDATE SET version = ?2,"
                     " policy = ?3, expires = ?4, envelope = ?5 WHERE ?2 > version",
    [HUB_HEAD_GET] = "SELECT version, policy, expires, envelope FROM head WHERE group_name = ?1",
    [HUB_HEAD_SELECTS] = "SELECT 1 FROM head WHERE policy = ?1 AND group_name = ?2",
    /* Over all groups: a terminal that changes its group takes no lower one. */
    [HUB_HEAD_HIGHEST] = "SELECT max(coalesce((SELECT max(version) FROM head), 0),"
                         " coalesce((SELECT max(head_version) FROM rollout), 0))",
    [HUB_POLICY_VERSION] = "SELECT version FROM policy WHERE document = ?1",
    [HUB_ROLLOUT_ADD] = "INSERT INTO rollout(policy, group_name, canary_group, canaries, percents, halt_failed,"
                        " halt_silent, wait, state, stage, reason, since, go_on, created)"
                        " VALUES(?2, ?1, ?3, ?4, ?5, ?6, ?7, ?8, 1, 0, 0, ?9, 0, ?9)",
    [HUB_ROLLOUT_EACH] =
        "SELECT number, group_name, rollout.policy, policy.version, policy.name, canary_group, canaries,"
        " percents, halt_failed, halt_silent, wait, state, stage, reason, since, go_on, created, ended"
        " FROM rollout JOIN policy ON policy.document = rollout.policy"
        " WHERE (?1 IS NULL OR group_name = ?1) AND (NOT ?2 OR state < 3) ORDER BY number DESC",
    /* Of other policies than this, what some of the group may hold. */
    [HUB_ROLLOUT_HIGHEST] =
        "SELECT coalesce(max(version), 0) FROM policy WHERE document <> ?1 AND document IN"
        " (SELECT policy FROM head WHERE group_name = ?2 UNION SELECT policy FROM rollout WHERE group_name = ?2"
        " AND EXISTS(SELECT 1 FROM rollout_terminal WHERE rollout = rollout.number))",
    [HUB_ROLLOUT_TURN] = "UPDATE rollout SET state = ?2, stage = ?3, reason = ?4, since = ?5, go_on = ?6, ended = ?7"
                         " WHERE number = ?1",
    [HUB_ROLLOUT_FORGIVE] = "UPDATE rollout_terminal SET forgiven = 1 WHERE rollout = ?1 AND sent > ?2",
    [HUB_ROLLOUT_RESTAMP] = "UPDATE rollout SET since = ?2 WHERE number = ?1 AND since > ?2",
    [HUB_ROLLOUT_RESTAMP_TERMINALS] =
        "UPDATE rollout_terminal SET sent = ?2, asked = NULL WHERE rollout = ?1 AND sent > ?2",
    [HUB_ROLLOUT_HEAD_SET] =
        "UPDATE rollout SET head_version = ?2, head_expires = ?3, head_envelope = ?4 WHERE number = ?1",
    [HUB_ROLLOUT_HEAD_GET] = "SELECT head_version, policy, head_expires, head_envelope FROM rollout"
                             " WHERE number = ?1 AND head_version IS NOT NULL",
    [HUB_ROLLOUT_HEAD_AGAIN] = "UPDATE rollout SET head_expires = 0 WHERE number = ?1 AND head_expires > ?2",
    [HUB_ROLLOUT_BUNDLE_SET] = "UPDATE rollout SET bundle = ?2 WHERE number = ?1 AND bundle IS NOT ?2",
    [HUB_ROLLOUT_TERMINALS] =
        "SELECT member.terminal, EXISTS(SELECT 1 FROM member AS other WHERE other.terminal = member.terminal"
        " AND other.group_name = rollout.canary_group), nullif(max(coalesce(contact.at, 0), coalesce(chain.stored, 0)), 0),"
        " report.policy = rollout.policy,"
        " report.failed AND (report.bundle = rollout.bundle OR rollout.state = 3), sent, rollout_terminal.stage, reachable, asked, forgiven"
        " FROM rollout JOIN member ON member.group_name = rollout.group_name"
        " JOIN terminal ON terminal.id = member.terminal"
        " LEFT JOIN report ON report.terminal = terminal.id LEFT JOIN contact ON contact.terminal = terminal.id"
        " LEFT JOIN chain ON chain.terminal = terminal.id"
        " LEFT JOIN rollout_terminal ON rollout_terminal.rollout = rollout.number"
        " AND rollout_terminal.terminal = terminal.id"
        " WHERE rollout.number = ?1 AND terminal.revoked IS NULL ORDER BY terminal.id",
    [HUB_ROLLOUT_SENT] = "INSERT INTO rollout_terminal(rollout, terminal, stage, sent, reachable, forgiven)"
                         " VALUES(?1, ?2, ?3, ?4, ?5, 0)",
    [HUB_ROLLOUT_ASKED] = "UPDATE rollout_terminal SET asked = ?3 WHERE rollout = ?1 AND terminal = ?2",
    [HUB_REPORT_SET] = "INSERT OR REPLACE INTO report"
                       " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11, ?12, ?13, ?14, ?15)",
    [HUB_REPORT_GET] = "SELECT * FROM report WHERE terminal = ?1",
    [HUB_CONTACT_SET] = "INSERT INTO contact VALUES(?1, ?2) ON CONFLICT(terminal) DO UPDATE SET at = ?2",
    [HUB_CONTACT_GET] = "SELECT max(coalesce((SELECT at FROM contact WHERE terminal = ?1), 0),"
                        " coalesce((SELECT stored FROM chain WHERE terminal = ?1), 0))",
    [HUB_ORDER_SET] = "INSERT OR REPLACE INTO terminal_order(terminal, kind, id, asked, expires)"
                      " VALUES(?1, ?2, ?3, ?4, ?5)",
    [HUB_ORDER_EACH] = "SELECT terminal, kind, id, asked, expires, envelope FROM terminal_order WHERE expires > ?1"
                       " ORDER BY terminal, kind",
    [HUB_ORDER_SIGNED] = "UPDATE terminal_order SET envelope = ?3 WHERE terminal = ?1 AND id = ?2",
    [HUB_MOVE_ADD] = "INSERT OR IGNORE INTO move VALUES(?1)",
    [HUB_MOVE_EACH] = "SELECT terminal FROM move",
    [HUB_MOVE_DONE] = "DELETE FROM move WHERE terminal = ?1",
    [HUB_MEMBERSHIP_DUE] = "SELECT membership.terminal, membership.envelope FROM membership"
                           " JOIN terminal ON terminal.id = membership.terminal"
                           " JOIN report ON report.terminal = membership.terminal"
                           " WHERE terminal.revoked IS NULL AND membership.serial > report.membership",
    [HUB_MOVED_EACH] =
        "SELECT report.terminal, min(member.group_name) FROM report JOIN terminal ON terminal.id = report.terminal"
        " JOIN member ON member.terminal = report.terminal JOIN head ON head.group_name = member.group_name"
        " WHERE terminal.revoked IS NULL AND report.head_group <> ''"
        " AND NOT EXISTS(SELECT 1 FROM member AS held WHERE held.terminal = report.terminal"
        " AND held.group_name = report.head_group)"
        " AND NOT EXISTS(SELECT 1 FROM rollout_terminal JOIN rollout ON number = rollout WHERE state < 3"
        " AND rollout_terminal.terminal = report.terminal AND rollout.group_name = member.group_name)"
        " GROUP BY report.terminal",
    [HUB_MEMBER_EACH] = "SELECT group_name FROM member WHERE terminal = ?1 ORDER BY group_name",
    [HUB_MEMBER_CLEAR] = "DELETE FROM member WHERE terminal = ?1",
    [HUB_MEMBERSHIP_SET] = "INSERT INTO membership VALUES(?1, ?2, ?3) ON CONFLICT(terminal) DO UPDATE SET serial = ?2,"
                           " envelope = ?3 WHERE ?2 > serial",
    [HUB_MEMBERSHIP_GET] = "SELECT serial, envelope FROM membership WHERE terminal = ?1",
    [HUB_ROOT_ADD] = "INSERT INTO root VALUES(?1, ?2, ?3) ON CONFLICT DO NOTHING",
    [HUB_ROOT_EACH] = "SELECT version, added, envelope FROM root ORDER BY version DESC LIMIT ?1",
    [HUB_ALARM_ADD] = "INSERT INTO alarm(kind, terminal, first, last, count, details) VALUES(?1, ?2, ?3, ?3, 1, ?4)",
    [HUB_ALARM_AGAIN] = "UPDATE alarm SET last = ?3, count = count + 1"
                        " WHERE kind = ?1 AND terminal = ?2 AND closed IS NULL",
    [HUB_ALARM_FIND] = "SELECT number FROM alarm WHERE kind = ?1 AND terminal = ?2 AND closed IS NULL",
    [HUB_ALARM_OVER] = "UPDATE alarm SET closed = ?3 WHERE kind = ?1 AND terminal = ?2 AND closed IS NULL",
    [HUB_ALARM_CLOSE] = "UPDATE alarm SET closed = ?2, closed_by = ?3 WHERE number = ?1 AND closed IS NULL",
    [HUB_ALARM_EACH] = "SELECT number, kind, terminal, first, last, count, details, closed, closed_by FROM alarm"
                       " WHERE ?1 OR closed IS NULL ORDER BY number DESC",
    [HUB_CHAIN_GET] = "SELECT seq, hash, sealed, stored FROM chain WHERE terminal = ?1",
    [HUB_CHAIN_SET] = "INSERT INTO chain VALUES(?1, ?2, ?3, ?4, ?5) ON CONFLICT(terminal) DO UPDATE SET seq = ?2,"
                      " hash = ?3, sealed = ?4, stored = ?5",
    [HUB_BATCH_ADD] = "INSERT INTO batch(terminal, first, last, hash, from_us, until_us, received, lines)"
                      " VALUES(?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
    [HUB_BATCH_GET] = "SELECT terminal, first, last, hash, from_us, until_us, received, lines FROM batch WHERE id = ?1",
    [HUB_BATCH_FIND] = "SELECT terminal, first, last, hash, from_us, until_us, received, lines FROM batch"
                       " WHERE terminal = ?1 AND first <= ?2 ORDER BY first DESC LIMIT 1",
    [HUB_BATCH_LAST] = "SELECT id FROM batch WHERE terminal = ?1 AND last >= ?2 ORDER BY first DESC LIMIT 1",
    [HUB_BATCH_REMOVE] = "DELETE FROM batch WHERE id = ?1",
    [HUB_BATCH_TERM] = "INSERT INTO batch_term VALUES(?1, ?2) ON CONFLICT DO NOTHING",
    [HUB_TERM_FIND] = "SELECT id FROM term WHERE kind = ?1 AND text = ?2",
    [HUB_TERM_ADD] = "INSERT INTO term(kind, text) VALUES(?1, ?2)",
    [HUB_ASIDE_ADD] = "INSERT INTO aside(terminal, first, reason, received, digest, lines)"
                      " VALUES(?1, ?2, ?3, ?4, ?5, ?6) ON CONFLICT DO NOTHING",
    [HUB_ASIDE_SIZE] = "SELECT coalesce(sum(length(lines)), 0) FROM aside WHERE terminal = ?1",
    [HUB_ASIDE_NEXT] = "SELECT id, first, reason, lines FROM aside WHERE terminal = ?1 AND first >= ?2"
                       " AND (first > ?3 OR id > ?4) ORDER BY first, id LIMIT 1",
    [HUB_ASIDE_WAITING] = "SELECT terminal, min(first) FROM aside WHERE reason = 'gap' AND received < ?1"
                          " GROUP BY terminal",
    [HUB_ASIDE_REMOVE] = "DELETE FROM aside WHERE id = ?1",
};

sqlite3_stmt *hub_query(struct hub_store *s, enum hub_query what, int *ret)
{
    return sql_prepare(s->db, &s->statements[what], queries[what], ret);
}

int hub_change(struct hub_store *s, sqlite3_stmt *q, int r)
{
    r = sql_change(s->db, q, r, -1);
    return r < 0 ? r : sqlite3_changes(s->db);
}

int hub_get_time(sqlite3_stmt *q, int at, int64_t *ret)
{
    *ret = 0;
    return sqlite3_column_type(q, at) == SQLITE_NULL ? 0 : sql_get_number(q, at, 1, INT64_MAX, ret);
}

int hub_get_text(sqlite3_stmt *q, int at, char *ret, size_t size)
{
    *ret = '\0';
    return sqlite3_column_type(q, at) == SQLITE_NULL ? 0 : sql_get_text(q, at, ret, size);
}

int hub_get_envelope(sqlite3_stmt *q, int at, size_t maximum, uint8_t **ret, size_t *ret_size)
{
    _cleanup_free_ uint8_t *bytes = malloc(maximum);
    size_t size = 0;
    int r = bytes ? sql_get_bytes(q, at, bytes, 1, maximum, &size) : -ENOMEM;

    if (r < 0)
        return r;
    *ret = TAKE_PTR(bytes);
    *ret_size = size;
    return 0;
}

/* --- settings --- */

int hub_setting_get(struct hub_store *s, const char *name, char **ret)
{
    int r = 0;
    sqlite3_stmt *q = hub_query(s, HUB_SETTING_GET, &r);
    char *value;

    if (!q)
        return r;
    sql_bind_text(q, 1, name, &r);
    if (r >= 0)
        r = sql_step(q);
    if (r > 0) {
        value = strdup((const char *)sqlite3_column_text(q, 0));
        r = value ? 1 : -ENOMEM;
        if (value)
            *ret = value;
    }
    (void)sqlite3_reset(q);
    return r;
}

int hub_setting_set(struct hub_store *s, const char *name, const char *value)
{
    int r = 0;
    sqlite3_stmt *q = hub_query(s, HUB_SETTING_SET, &r);

    if (!q)
        return r;
    sql_bind_text(q, 1, name, &r);
    sql_bind_text(q, 2, value, &r);
    return sql_change(s->db, q, r, 1);
}
