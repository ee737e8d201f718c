#pragma once

#include <sqlite3.h>
#include <sys/stat.h>

#include "mfa/store.h"
#include "sql/sql.h"

/* Between store.c and rows.c. */

enum query {
    QUERY_LOAD = 0,
    QUERY_EACH,
    QUERY_SAVE_STATE,
    QUERY_SAVE_SECRET,
    QUERY_INSERT,
    QUERY_REMOVE,
    QUERY_RECOVERY_CLEAR,
    QUERY_RECOVERY_ADD,
    QUERY_RECOVERY_LOAD,
    QUERY_RECOVERY_USE,
    QUERY_GRACE_LOAD,
    QUERY_GRACE_SAVE,
    QUERY_GRACE_FORGET,
    QUERY_KEY_LOAD,
    QUERY_KEY_SAVE,
    QUERY_TURN_LOAD,
    QUERY_TURN_NEXT,
    QUERY_TURN_VOID_STEPS,
    QUERY_TURN_VOID_RECOVERY,
    QUERY_TURN_SET,
    QUERY_COUNT_,
};

struct store {
    sqlite3 *db;
    int directory; /* borrowed */
    dev_t device;  /* of mfa.db */
    ino_t inode;
    bool unreserved; /* a full disk could stop attempts */
    sqlite3_stmt *statements[QUERY_COUNT_];
};

int store_run(struct store *s, const char *sql);
int store_turn_next(struct store *s); /* in every transaction */
