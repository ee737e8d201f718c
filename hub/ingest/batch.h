#pragma once

#include <jansson.h>

#include "audit/key.h"
#include "base/cleanup.h"
#include "hub/store/events.h"

/*
 * Journal lines as a terminal sent them (docs/FILEFORMAT.journal.md), read and verified as far as they go by themselves: no store, no clock.
 */

enum {
    INGEST_LINES_MAX = 4096, /* in one batch of at most PACK_MAX bytes */
    INGEST_LEAPS_MAX = 16,
};

enum ingest_verdict {
    INGEST_GOOD = 0,
    INGEST_E_SIZE,  /* empty, or more than PACK_MAX bytes or INGEST_LINES_MAX lines */
    INGEST_E_LINE,  /* something that is not a record, or no whole line */
    INGEST_E_ORDER, /* numbers that do not go on by one */
    INGEST_E_LINK,  /* a record is not the one that the next one names */
    INGEST_E_SEAL,  /* a checkpoint is not signed by this key */
};

struct ingest_line {
    size_t end; /* behind its newline */
    uint64_t seq;
    struct digest prev, hash;
    int64_t at_us;
};

/* A record that says why others never come: they were released, or lost at the terminal. */
struct ingest_leap {
    uint64_t told;        /* by this record */
    uint64_t first, last; /* these */
    bool has_hash;
    struct digest hash; /* of the last */
};

struct ingest_batch {
    struct ingest_line *lines;
    size_t n;
    json_t *terms[HUB_TERM_COUNT_];             /* what is in it: the keys of an object for each kind */
    uint64_t sealed;                            /* the last record with a good signature; 0: none */
    struct ingest_leap leaps[INGEST_LEAPS_MAX]; /* the last ones */
    size_t n_leaps;
};

/* enum ingest_verdict or -ENOMEM, -EIO; *ret is only set when it is good. */
int ingest_batch_read(const char *bytes, size_t size, const struct journal_key *key, struct ingest_batch **ret);
struct ingest_batch *ingest_batch_free(struct ingest_batch *b);
DEFINE_CLEANUP(struct ingest_batch *, ingest_batch_free);
