#pragma once

#include "base/digest.h"
#include "hub/store/store.h"

/*
 * The administrators' journal: every action that changes the centre, in the transaction that changes it. A record's hash covers the
 * record before it, so that an edit, a removal or a reordering shows. Who has the file and this program can write another one from the
 * beginning: the head is what is written down elsewhere and compared.
 */

struct hub_record {
    uint64_t seq; /* from 1 */
    int64_t at_us;
    const char *who, *what, *object, *details; /* details: JSON or "" */
    struct digest hash;
};

/* The last record's number, 0: none. Rises with everything that an administrator, or who enrols, changes. */
int hub_journal_sequence(struct hub_store *s, uint64_t *ret);

enum hub_journal_result {
    HUB_JOURNAL_WHOLE = 0,
    HUB_JOURNAL_BROKEN, /* a record was changed, removed or put in */
    HUB_JOURNAL_SHORT,  /* the last ones are missing */
};

/* In the caller's transaction. object: what it was done to; details: NULL or a JSON text. */
int hub_journal_add(struct hub_store *s, const struct hub_actor *actor, const char *what, const char *object,
                    const char *details);
struct json_t;
/* The same with details as a value, which it takes; NULL is a failed allocation. */
int hub_journal_add_json(struct hub_store *s, const struct hub_actor *actor, const char *what, const char *object,
                         struct json_t *details);
/*
 * Walks it from the first record, verifies, and hands each to each() (may be NULL; a negative answer ends the walk) as long as all is
 * well. enum hub_journal_result; ret_seq: the last good record's, ret_head: its hash.
 */
int hub_journal_walk(struct hub_store *s, int (*each)(void *context, const struct hub_record *record), void *context,
                     uint64_t *ret_seq, struct digest *ret_head);
