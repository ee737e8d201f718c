/* Owns: how values and errors pass between SQLite and us. Must not: know a table. */
#include "sql/sql.h"

#include <errno.h>
#include <string.h>

#include "base/text.h"

int sql_error(int code)
{
    switch (code & 0xff) {
    case SQLITE_OK:
    case SQLITE_ROW:
    case SQLITE_DONE:
        return 0;
    case SQLITE_CORRUPT:
    case SQLITE_NOTADB:
    case SQLITE_CONSTRAINT:
    case SQLITE_MISMATCH:
        return -EUCLEAN;
    case SQLITE_FULL:
        return -ENOSPC;
    case SQLITE_READONLY:
        return -EROFS;
    case SQLITE_BUSY:
    case SQLITE_LOCKED:
        return -EBUSY;
    case SQLITE_NOMEM:
        return -ENOMEM;
    default:
        return -EIO;
    }
}

/* The index of a write-ahead log that does not fit comes as an I/O error (SQLITE_IOERR_SHMSIZE). */
static int error_of(sqlite3 *db, int code)
{
    int r = sql_error(code);

    return r == -EIO && (sqlite3_system_errno(db) == ENOSPC || sqlite3_system_errno(db) == EDQUOT) ? -ENOSPC : r;
}

int sql_run(sqlite3 *db, const char *sql)
{
    return error_of(db, sqlite3_exec(db, sql, NULL, NULL, NULL));
}

int sql_ask(sqlite3 *db, const char *sql, const char *text, int64_t *ret)
{
    sqlite3_stmt *statement = NULL;
    int code = sqlite3_prepare_v2(db, sql, -1, &statement, NULL);

    if (code == SQLITE_OK)
        code = sqlite3_step(statement);
    if (code == SQLITE_ROW)
        *ret = text ? text_equal((const char *)sqlite3_column_text(statement, 0), text)
                    : sqlite3_column_int64(statement, 0);
    (void)sqlite3_finalize(statement);
    return code == SQLITE_ROW ? 0 : code == SQLITE_DONE ? -EUCLEAN : error_of(db, code);
}

void sql_harden(sqlite3 *db)
{
    (void)sqlite3_db_config(db, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
    (void)sqlite3_db_config(db, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
    (void)sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
    (void)sqlite3_db_config(db, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
    (void)sqlite3_limit(db, SQLITE_LIMIT_ATTACHED, 0);
}

sqlite3_stmt *sql_prepare(sqlite3 *db, sqlite3_stmt **statement, const char *sql, int *ret)
{
    int code = SQLITE_OK;

    if (!*statement)
        code = sqlite3_prepare_v3(db, sql, -1, SQLITE_PREPARE_PERSISTENT, statement, NULL);
    *ret = sql_error(code);
    if (code != SQLITE_OK)
        return NULL;
    (void)sqlite3_reset(*statement);
    (void)sqlite3_clear_bindings(*statement);
    return *statement;
}

void sql_bind_number(sqlite3_stmt *q, int at, int64_t value, int *r)
{
    if (*r >= 0)
        *r = sql_error(sqlite3_bind_int64(q, at, value));
}

void sql_bind_text(sqlite3_stmt *q, int at, const char *value, int *r)
{
    if (*r >= 0)
        *r = sql_error(sqlite3_bind_text(q, at, value, -1, SQLITE_TRANSIENT));
}

void sql_bind_bytes(sqlite3_stmt *q, int at, const void *bytes, size_t size, int *r)
{
    if (*r >= 0)
        *r = sql_error(sqlite3_bind_blob(q, at, bytes, (int)size, SQLITE_TRANSIENT));
}

int sql_step(sqlite3_stmt *q)
{
    int code = sqlite3_step(q);

    if (code == SQLITE_ROW)
        return 1;
    (void)sqlite3_reset(q);
    return error_of(sqlite3_db_handle(q), code);
}

int sql_change(sqlite3 *db, sqlite3_stmt *q, int r, int rows)
{
    if (r >= 0)
        r = sql_step(q);
    if (r < 0)
        return r;
    return rows < 0 || sqlite3_changes(db) == rows ? 0 : -EUCLEAN;
}

int sql_get_bytes(sqlite3_stmt *q, int at, void *ret, size_t minimum, size_t maximum, size_t *ret_size)
{
    const void *bytes = sqlite3_column_blob(q, at);
    int size = sqlite3_column_bytes(q, at);

    if (size < 0 || (size_t)size < minimum || (size_t)size > maximum || (size > 0 && !bytes))
        return -EUCLEAN;
    if (size > 0)
        memcpy(ret, bytes, (size_t)size);
    if (ret_size)
        *ret_size = (size_t)size;
    return 0;
}

int sql_get_text(sqlite3_stmt *q, int at, char *ret, size_t size)
{
    const unsigned char *text = sqlite3_column_text(q, at);
    size_t length = text ? strlen((const char *)text) : 0;

    if (!text || length >= size || length != (size_t)sqlite3_column_bytes(q, at))
        return -EUCLEAN;
    memcpy(ret, text, length + 1);
    return 0;
}

int sql_get_number(sqlite3_stmt *q, int at, int64_t minimum, int64_t maximum, int64_t *ret)
{
    *ret = sqlite3_column_int64(q, at);
    return *ret < minimum || *ret > maximum ? -EUCLEAN : 0;
}
