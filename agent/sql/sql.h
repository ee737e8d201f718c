#pragma once

#include <sqlite3.h>
#include <stddef.h>
#include <stdint.h>

/*
 * SQLite as every store here uses it: codes as errors, values in and out of prepared statements with bounds. What a file holds may be
 * damaged or somebody else's: what is out of range is -EUCLEAN.
 */

/* -errno of a SQLite code, 0 for those that are none: -EUCLEAN damaged or against the schema, -ENOSPC, -EROFS, -EBUSY, -ENOMEM, -EIO. */
int sql_error(int code);
/* Statements without values. */
int sql_run(sqlite3 *db, const char *sql);
/* What the statement gives first, as a number; with text: whether it is that. -EUCLEAN: it gives nothing. */
int sql_ask(sqlite3 *db, const char *sql, const char *text, int64_t *ret);
/* What no file may make this process do: another schema's functions, triggers, views, attached files. */
void sql_harden(sqlite3 *db);

/* A statement that is kept in *statement, fresh. NULL and *ret on failure. */
sqlite3_stmt *sql_prepare(sqlite3 *db, sqlite3_stmt **statement, const char *sql, int *ret);
/* These collect failure in *r, and do nothing after one. Parameters count from 1. */
void sql_bind_number(sqlite3_stmt *q, int at, int64_t value, int *r);
void sql_bind_text(sqlite3_stmt *q, int at, const char *value, int *r); /* NULL: SQL's */
void sql_bind_bytes(sqlite3_stmt *q, int at, const void *bytes, size_t size, int *r);
/* 1 a row, 0 no more. Without a row the statement gives up its hold. */
int sql_step(sqlite3_stmt *q);
/* To the end, and it changed exactly this many rows, or any number when negative; r: what the binding came to. */
int sql_change(sqlite3 *db, sqlite3_stmt *q, int r, int rows);

/* Columns count from 0. 0 or -EUCLEAN. */
int sql_get_number(sqlite3_stmt *q, int at, int64_t minimum, int64_t maximum, int64_t *ret);
int sql_get_text(sqlite3_stmt *q, int at, char *ret, size_t size);
int sql_get_bytes(sqlite3_stmt *q, int at, void *ret, size_t minimum, size_t maximum, size_t *ret_size);
