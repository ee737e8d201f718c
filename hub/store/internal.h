#pragma once

#include <sqlite3.h>

#include "hub/store/store.h"
#include "sql/sql.h"

/* For the files of hub/store only. */

enum hub_query {
    HUB_SETTING_GET = 0,
    HUB_SETTING_SET,
    HUB_JOURNAL_HEAD,
    HUB_JOURNAL_ADD,
    HUB_JOURNAL_TURN,
    HUB_JOURNAL_EACH,
    HUB_GROUP_ADD,
    HUB_GROUP_FIND,
    HUB_GROUP_EACH,
    HUB_TOKEN_ADD,
    HUB_TOKEN_EACH,
    HUB_TOKEN_FIND,
    HUB_TOKEN_USE,
    HUB_TOKEN_REVOKE,
    HUB_TOKEN_MISUSED,
    HUB_TERMINAL_ADD,
    HUB_TERMINAL_EACH,
    HUB_TERMINAL_GET,
    HUB_TERMINAL_AGAIN,
    HUB_TERMINAL_APPROVE,
    HUB_TERMINAL_REVOKE,
    HUB_TERMINAL_OLDER,
    HUB_TERMINAL_SUPERSEDE,
    HUB_MEMBER_ADD,
    HUB_MEMBER_EACH,
    HUB_MEMBER_CLEAR,
    HUB_MEMBERSHIP_SET,
    HUB_MEMBERSHIP_GET,
    HUB_ROOT_ADD,
    HUB_ROOT_EACH,
    HUB_POLICY_ADD,
    HUB_POLICY_GET,
    HUB_POLICY_EACH,
    HUB_HEAD_SET,
    HUB_HEAD_GET,
    HUB_ALARM_ADD,
    HUB_ALARM_AGAIN,
    HUB_ALARM_FIND,
    HUB_ALARM_OVER,
    HUB_ALARM_CLOSE,
    HUB_ALARM_EACH,
    HUB_CHAIN_GET,
    HUB_CHAIN_SET,
    HUB_BATCH_ADD,
    HUB_BATCH_GET,
    HUB_BATCH_FIND,
    HUB_BATCH_LAST,
    HUB_BATCH_REMOVE,
    HUB_BATCH_TERM,
    HUB_TERM_FIND,
    HUB_TERM_ADD,
    HUB_ASIDE_ADD,
    HUB_ASIDE_SIZE,
    HUB_ASIDE_NEXT,
    HUB_ASIDE_WAITING,
    HUB_ASIDE_REMOVE,
    HUB_HEAD_SELECTS,
    HUB_HEAD_HIGHEST,
    HUB_POLICY_VERSION,
    HUB_ROLLOUT_ADD,
    HUB_ROLLOUT_EACH,
    HUB_ROLLOUT_HIGHEST,
    HUB_ROLLOUT_TURN,
    HUB_ROLLOUT_FORGIVE,
    HUB_ROLLOUT_RESTAMP,
    HUB_ROLLOUT_RESTAMP_TERMINALS,
    HUB_ROLLOUT_HEAD_SET,
    HUB_ROLLOUT_HEAD_GET,
    HUB_ROLLOUT_HEAD_AGAIN,
    HUB_ROLLOUT_BUNDLE_SET,
    HUB_ROLLOUT_TERMINALS,
    HUB_ROLLOUT_SENT,
    HUB_ROLLOUT_ASKED,
    HUB_REPORT_SET,
    HUB_REPORT_GET,
    HUB_CONTACT_SET,
    HUB_CONTACT_GET,
    HUB_ORDER_SET,
    HUB_ORDER_EACH,
    HUB_ORDER_SIGNED,
    HUB_MOVE_ADD,
    HUB_MOVE_EACH,
    HUB_MOVE_DONE,
    HUB_MEMBERSHIP_DUE,
    HUB_MOVED_EACH,
    HUB_QUERY_COUNT_,
};

struct hub_store {
    sqlite3 *db;
    int directory; /* borrowed */
    sqlite3_stmt *statements[HUB_QUERY_COUNT_];
};

/* The statement, fresh; NULL and *ret on failure. */
sqlite3_stmt *hub_query(struct hub_store *s, enum hub_query what, int *ret);
/* To the end; how many rows it changed. */
int hub_change(struct hub_store *s, sqlite3_stmt *q, int r);
/* Columns that may be NULL: then 0 or "". */
int hub_get_time(sqlite3_stmt *q, int at, int64_t *ret);
int hub_get_text(sqlite3_stmt *q, int at, char *ret, size_t size);
/* A head's row: version, policy, expires, envelope. r: what the binding came to. 1, 0 there is none. */
struct hub_head;
int hub_get_head(sqlite3_stmt *q, int r, struct hub_head *ret, uint8_t **ret_envelope, size_t *ret_size);
/* A copy of a column of bytes, at least one and at most maximum; the caller's to free(). */
int hub_get_envelope(sqlite3_stmt *q, int at, size_t maximum, uint8_t **ret, size_t *ret_size);
/* 0 or -errno of migrating an empty or older file; of a later one -EOPNOTSUPP, of a foreign one -EUCLEAN. */
int hub_store_migrate(struct hub_store *s, int64_t now_us, bool fresh);
