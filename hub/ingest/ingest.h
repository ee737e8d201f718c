#pragma once

#include <openssl/types.h>

#include "hub/store/store.h"
#include "policy/fleet/statement.h"

/*
 * The record of terminals on its way into hub.db: batches are taken within one transaction, committed, and only then acknowledged, to the
 * terminal by a signed ack, to the broker by its caller. What came twice is stored once; what fits no chain is kept beside it, with an alarm.
 */

struct ingest;

struct ingest_settings {
    struct hub_store *store; /* borrowed, for this thread alone */
    const char *organization;
    EVP_PKEY *head; /* borrowed: signs acknowledgements */
};

enum ingest_outcome {
    INGEST_STORED = 0, /* the chain goes on */
    INGEST_KNOWN,      /* all of it is here already */
    INGEST_BESIDE,     /* it fits no chain: kept beside, an alarm */
    INGEST_REFUSED,    /* not kept at all: a terminal that has sent too much of that */
};

#define INGEST_GAP_US (INT64_C(60) * 1000000)

struct ingest_counts {
    uint64_t events, batches, known, beside, refused, bytes;
};

int ingest_new(const struct ingest_settings *settings, struct ingest **ret);
struct ingest *ingest_free(struct ingest *i);

int ingest_begin(struct ingest *i, int64_t now_us);
/* A message as it came. enum ingest_outcome; a negative error is the store's: roll back, and try all of them again later. */
int ingest_take(struct ingest *i, const char *subject, const void *bytes, size_t size);
int ingest_commit(struct ingest *i);
void ingest_rollback(struct ingest *i);
/* After the commit: a signed acknowledgement for each terminal of which something was taken. A negative answer of publish() ends it. */
int ingest_acknowledge(struct ingest *i,
                       int (*publish)(void *context, const char *subject, const uint8_t *envelope, size_t size),
                       void *context);
/* In a transaction of its own: what has waited for others for longer than INGEST_GAP_US is an alarm. A batch that comes out of its turn, as
 * after a restart, is none. */
int ingest_watch(struct ingest *i, int64_t now_us);
struct ingest_counts ingest_counts(const struct ingest *i);

DEFINE_CLEANUP(struct ingest *, ingest_free);
