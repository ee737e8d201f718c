/*
 * Owns: the schema of hub.db and how an older one becomes the present one: all steps in one transaction, or none.
 * Must not: touch a file that is not the centre's, or of a later version: going back is by the copy made before the upgrade.
 */
#include <errno.h>
#include <stdio.h>

#include "hub/store/internal.h"

enum {
    APPLICATION_ID = 0x6b687562, /* "khub" */
};

/* Step i makes version i + 1. A step that was released is never edited. */
static const char *const steps[HUB_STORE_VERSION] = {
    "CREATE TABLE setting(name TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID;"

    /* Every action of an administrator; each hash covers the one before. act_head shows that the last ones are missing. */
    "CREATE TABLE act(seq INTEGER PRIMARY KEY, at INTEGER NOT NULL, who TEXT NOT NULL, what TEXT NOT NULL,"
    " object TEXT NOT NULL, details TEXT NOT NULL, hash BLOB NOT NULL CHECK(length(hash) = 32)) STRICT;"
    "CREATE TABLE act_head(one INTEGER PRIMARY KEY CHECK(one = 1), seq INTEGER NOT NULL, hash BLOB NOT NULL) STRICT;"
    "INSERT INTO act_head VALUES(1, 0, zeroblob(32));"

    "CREATE TABLE terminal_group(name TEXT PRIMARY KEY, created INTEGER NOT NULL) STRICT, WITHOUT ROWID;"

    /* By its own key, which no other may bring again; name is for people. */
    "CREATE TABLE terminal(id TEXT PRIMARY KEY, name TEXT NOT NULL,"
    " journal_key BLOB NOT NULL UNIQUE CHECK(length(journal_key) = 32), wire_key TEXT NOT NULL UNIQUE, serial TEXT,"
    " enrolled INTEGER NOT NULL, revoked INTEGER) STRICT, WITHOUT ROWID;"
    "CREATE TABLE member(terminal TEXT NOT NULL REFERENCES terminal, group_name TEXT NOT NULL REFERENCES terminal_group,"
    " PRIMARY KEY(terminal, group_name)) STRICT, WITHOUT ROWID;"
    "CREATE INDEX member_by_group ON member(group_name);"

    "CREATE TABLE token(number INTEGER PRIMARY KEY AUTOINCREMENT, hash BLOB NOT NULL UNIQUE CHECK(length(hash) = 32),"
    " group_name TEXT NOT NULL REFERENCES terminal_group, serial TEXT, created INTEGER NOT NULL,"
    " expires INTEGER NOT NULL, used INTEGER, revoked INTEGER, terminal TEXT) STRICT;",

    /* What people signed, as it came; by the hash of the document inside, which is what a head names. */
    "CREATE TABLE policy(document BLOB PRIMARY KEY CHECK(length(document) = 32), version INTEGER NOT NULL,"
    " name TEXT NOT NULL, added INTEGER NOT NULL, envelope BLOB NOT NULL) STRICT;"
    "CREATE TABLE head(group_name TEXT PRIMARY KEY REFERENCES terminal_group, version INTEGER NOT NULL,"
    " policy BLOB NOT NULL REFERENCES policy, expires INTEGER NOT NULL, envelope BLOB NOT NULL) STRICT;",

    /* A person may have to let a terminal in (approved: when); a token that somebody else tried; what was enrolled twice. */
    "ALTER TABLE token ADD COLUMN approval INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE token ADD COLUMN misused INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE terminal ADD COLUMN host TEXT NOT NULL DEFAULT '';"
    "ALTER TABLE terminal ADD COLUMN token INTEGER NOT NULL DEFAULT 0;"
    "ALTER TABLE terminal ADD COLUMN approved INTEGER;"
    "ALTER TABLE terminal ADD COLUMN successor TEXT;"
    "UPDATE terminal SET approved = enrolled;"
    "CREATE INDEX terminal_by_serial ON terminal(serial);"
    "CREATE INDEX terminal_by_host ON terminal(host);"
    /* The membership that was signed last, and the root documents that are handed out. */
    "CREATE TABLE membership(terminal TEXT PRIMARY KEY REFERENCES terminal, serial INTEGER NOT NULL,"
    " envelope BLOB NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE root(version INTEGER PRIMARY KEY, added INTEGER NOT NULL, envelope BLOB NOT NULL) STRICT;",
    /* The terminals' records. A terminal's chain outlives the terminal. */
    "CREATE TABLE chain(terminal TEXT PRIMARY KEY, seq INTEGER NOT NULL, hash BLOB NOT NULL CHECK(length(hash) = 32),"
    " sealed INTEGER NOT NULL, stored INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE batch(id INTEGER PRIMARY KEY, terminal TEXT NOT NULL, first INTEGER NOT NULL, last INTEGER NOT NULL,"
    " hash BLOB NOT NULL CHECK(length(hash) = 32), from_us INTEGER NOT NULL, until_us INTEGER NOT NULL,"
    " received INTEGER NOT NULL, lines BLOB NOT NULL, UNIQUE(terminal, first)) STRICT;"
    "CREATE INDEX batch_by_time ON batch(from_us, until_us);"
    /* Each different text once, and in which batches it is. */
    "CREATE TABLE term(id INTEGER PRIMARY KEY, kind INTEGER NOT NULL, text TEXT NOT NULL, UNIQUE(kind, text)) STRICT;"
    "CREATE TABLE batch_term(term INTEGER NOT NULL, batch INTEGER NOT NULL, PRIMARY KEY(term, batch)) STRICT,"
    " WITHOUT ROWID;"
    "CREATE TABLE aside(id INTEGER PRIMARY KEY, terminal TEXT NOT NULL, first INTEGER NOT NULL, reason TEXT NOT NULL,"
    " received INTEGER NOT NULL, digest BLOB NOT NULL CHECK(length(digest) = 32), lines BLOB NOT NULL,"
    " UNIQUE(terminal, digest)) STRICT;"
    "CREATE INDEX aside_in_order ON aside(terminal, first, id);"
    "CREATE INDEX aside_waiting ON aside(received, terminal, first) WHERE reason = 'gap';"

    "CREATE TABLE alarm(number INTEGER PRIMARY KEY AUTOINCREMENT, kind TEXT NOT NULL, terminal TEXT NOT NULL,"
    " first INTEGER NOT NULL, last INTEGER NOT NULL, count INTEGER NOT NULL, details TEXT NOT NULL, closed INTEGER,"
    " closed_by TEXT) STRICT;"
    "CREATE UNIQUE INDEX alarm_open ON alarm(kind, terminal) WHERE closed IS NULL;",

    /* Rollouts: one alive in each group; whom each was sent to; what terminals say of themselves; what persons want of single ones. */
    "CREATE TABLE rollout(number INTEGER PRIMARY KEY AUTOINCREMENT, group_name TEXT NOT NULL REFERENCES terminal_group,"
    " policy BLOB NOT NULL REFERENCES policy, canary_group TEXT REFERENCES terminal_group, canaries INTEGER NOT NULL,"
    " percents TEXT NOT NULL, halt_failed INTEGER NOT NULL, halt_silent INTEGER NOT NULL, wait INTEGER NOT NULL,"
    " state INTEGER NOT NULL, stage INTEGER NOT NULL, reason INTEGER NOT NULL, since INTEGER NOT NULL,"
    " go_on INTEGER NOT NULL, created INTEGER NOT NULL, ended INTEGER, head_version INTEGER, head_expires INTEGER,"
    " head_envelope BLOB, bundle BLOB) STRICT;"
    "CREATE UNIQUE INDEX rollout_alive ON rollout(group_name) WHERE state < 3;"
    "CREATE TABLE rollout_terminal(rollout INTEGER NOT NULL REFERENCES rollout,"
    " terminal TEXT NOT NULL REFERENCES terminal, stage INTEGER NOT NULL, sent INTEGER NOT NULL,"
    " reachable INTEGER NOT NULL, asked INTEGER, forgiven INTEGER NOT NULL, PRIMARY KEY(rollout, terminal)) STRICT,"
    " WITHOUT ROWID;"
    "CREATE TABLE report(terminal TEXT PRIMARY KEY REFERENCES terminal, received INTEGER NOT NULL, policy BLOB,"
    " policy_version INTEGER NOT NULL, policy_name TEXT NOT NULL, bundle BLOB, failed INTEGER NOT NULL,"
    " reason TEXT NOT NULL, head_group TEXT NOT NULL, head_version INTEGER NOT NULL, journal_seq INTEGER NOT NULL,"
    " journal_hash BLOB NOT NULL, membership INTEGER NOT NULL, agent TEXT NOT NULL, envelope BLOB NOT NULL) STRICT,"
    " WITHOUT ROWID;"
    "CREATE TABLE contact(terminal TEXT PRIMARY KEY REFERENCES terminal, at INTEGER NOT NULL) STRICT, WITHOUT ROWID;"
    "CREATE TABLE terminal_order(terminal TEXT NOT NULL REFERENCES terminal, kind INTEGER NOT NULL,"
    " id BLOB NOT NULL CHECK(length(id) = 16), asked INTEGER NOT NULL, expires INTEGER NOT NULL, envelope BLOB,"
    " PRIMARY KEY(terminal, kind)) STRICT, WITHOUT ROWID;"
    "CREATE TABLE move(terminal TEXT PRIMARY KEY REFERENCES terminal) STRICT, WITHOUT ROWID;",
};

static int add_version(struct hub_store *s, int version, int64_t now_us)
{
    char sql[96];

    (void)snprintf(sql, sizeof(sql), "INSERT INTO version VALUES(%d, %lld)", version, (long long)now_us);
    return sql_run(s->db, sql);
}

static int run_steps(struct hub_store *s, int64_t from, int64_t now_us)
{
    int r = 0;

    for (int64_t i = from; r >= 0 && i < HUB_STORE_VERSION; i++) {
        r = sql_run(s->db, steps[i]);
        if (r >= 0)
            r = add_version(s, (int)i + 1, now_us);
    }
    return r;
}

static int make_version_table(struct hub_store *s)
{
    char sql[160];

    (void)snprintf(sql, sizeof(sql),
                   "PRAGMA application_id=%d;"
                   "CREATE TABLE version(number INTEGER PRIMARY KEY, at INTEGER NOT NULL) STRICT;",
                   APPLICATION_ID);
    return sql_run(s->db, sql);
}

/* The version as the table tells it, after looking whose file this is. */
static int read_version(struct hub_store *s, int64_t *ret)
{
    int64_t id = 0, whole = 0, last = 0;
    int r = sql_ask(s->db, "PRAGMA application_id", NULL, &id);

    if (r >= 0 && id != APPLICATION_ID)
        r = -EUCLEAN;
    if (r >= 0)
        r = sql_ask(s->db, "SELECT coalesce(max(number), 0) FROM version", NULL, &last);
    if (r >= 0)
        r = sql_ask(s->db, "SELECT count(*) = max(number) FROM version", NULL, &whole);
    if (r == -EIO)
        r = -EUCLEAN; /* no such table */
    if (r < 0)
        return r;
    if (last > HUB_STORE_VERSION)
        return -EOPNOTSUPP;
    if (last < 1 || !whole)
        return -EUCLEAN;
    *ret = last;
    return 0;
}

int hub_store_migrate(struct hub_store *s, int64_t now_us, bool fresh)
{
    int64_t version = 0;
    int r = fresh ? 0 : read_version(s, &version);

    if (r < 0 || version == HUB_STORE_VERSION)
        return r;
    r = hub_store_begin(s);
    /* Another process may have done it while this one waited. */
    if (r >= 0)
        r = fresh ? make_version_table(s) : read_version(s, &version);
    if (r >= 0)
        r = run_steps(s, version, now_us);
    if (r >= 0)
        r = hub_store_commit(s);
    hub_store_rollback(s);
    return r;
}
