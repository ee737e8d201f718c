#pragma once

#include "hub/ingest/batch.h"
#include "hub/ingest/ingest.h"

/* For the files of hub/ingest only. */

struct ingest {
    struct ingest_settings settings;
    struct pack *pack;
    int64_t now_us;
    json_t *touched; /* terminals of which something was taken: keys of an object */
    struct ingest_counts counts, before;
};

/* Lines of a terminal, read. */
struct arrival {
    const char *terminal;
    const char *bytes; /* not the pack's */
    const struct ingest_batch *batch;
};

/* Lines from..to - 1, as a batch. */
int ingest_store(struct ingest *i, const struct arrival *a, size_t from, size_t to);
/* 1 and the hash of record seq as it is stored, zero for 0; 0 there is none. */
int ingest_stored_hash(struct ingest *i, const char *terminal, uint64_t seq, struct digest *ret);
/* One that is beside: 1 it is in the chain now, or was already; 0 it does not fit. */
int ingest_adopt_one(struct ingest *i, const char *terminal, const struct journal_key *key,
                     const struct hub_aside *aside);
/* Everything beside that goes on where the chain ends. How many batches. */
int ingest_adopt(struct ingest *i, const char *terminal, const struct journal_key *key);
/* When nothing is beside that should come later, the alarm of the gap is over. */
int ingest_close_gap(struct ingest *i, const char *terminal);
/* Is there something beside, signed, that says how the chain goes on? 1 and it has; 0. */
int ingest_bridge(struct ingest *i, const char *terminal, const struct journal_key *key);
/* details may be NULL. */
int ingest_alarm(struct ingest *i, const char *kind, const char *terminal, uint64_t first, uint64_t last);
