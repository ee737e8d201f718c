#pragma once

#include <stdint.h>
#include <sys/types.h>

/*
 * What kuraband must not forget about exports: how much each person took out by each rule today, and which exports have begun and not ended.
 * SQLite, export.db in the state directory; every change is durable when its call returns.
 */
struct ledger;

/* 0, -EBADMSG: damaged, other -errno. Without a ledger nothing is exported. */
int ledger_open(int state_directory, struct ledger **ret);
struct ledger *ledger_free(struct ledger *l);

/* A number that grows from day to day of the local calendar. */
int64_t ledger_day(int64_t wall_us);

/* What is counted for the day, or for the latest day that was ever counted when the clock says an earlier one: setting it back gives nothing
 * back. 0 or -EIO. */
struct ledger_use {
    uint64_t files, bytes;
};
int ledger_used(struct ledger *l, uid_t uid, const char *rule, int64_t day, struct ledger_use *ret);

enum {
    LEDGER_BEGUN = 0,
    LEDGER_COMMITTED = 1, /* counted; its bytes may be on the medium, and all of it */
    LEDGER_LEAVING = 2,   /* its end is recorded; its worker may still have the medium */
    LEDGER_LEFT = 3,      /* it is over; what it had not finished may still be on the medium */
};
enum {
    LEDGER_LEFT_MAX = 64 /* the latest of those are remembered */
};
struct ledger_export {
    const char *id, *device, *text; /* text: for people */
    uid_t uid;
    int phase;
};
int ledger_begin(struct ledger *l, const struct ledger_export *e);
/* One transaction: the export may be written now, and this much more counts for the day. */
struct ledger_count {
    const char *rule;
    uint64_t files, bytes;
};
int ledger_commit(struct ledger *l, const char *id, uid_t uid, int64_t day, const struct ledger_count *counts,
                  size_t n);
int ledger_end(struct ledger *l, const char *id);
/* For what did not end well: first LEAVING, then, if it was that, LEFT. */
int ledger_set_leaving(struct ledger *l, const char *id);
int ledger_set_left(struct ledger *l, const char *id);
/* Calls back for every export that has begun and not ended, LEAVING among them; how many, or -errno. */
int ledger_unfinished(struct ledger *l, void (*each)(void *context, const struct ledger_export *e), void *context);
/* The same for those that are LEFT, the latest first. */
int ledger_leftovers(struct ledger *l, void (*each)(void *context, const struct ledger_export *e), void *context);
