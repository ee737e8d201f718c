#pragma once

#include <stdbool.h>

#include "audit/key.h"

/* Verification of a journal from its files alone, in constant memory. A running writer does not disturb it. */

enum journal_flaw {
    JOURNAL_FLAW_NONE = 0,
    JOURNAL_FLAW_EMPTY,      /* no records and no head: there is nothing to trust */
    JOURNAL_FLAW_JSON,       /* a line is not a record */
    JOURNAL_FLAW_LONG,       /* a line is longer than the format allows */
    JOURNAL_FLAW_TORN,       /* a segment ends in the middle of a line */
    JOURNAL_FLAW_MISSING,    /* records are missing: removed, or a segment is gone, or the tail was cut */
    JOURNAL_FLAW_ORDER,      /* a record stands where an earlier one belongs: moved or repeated */
    JOURNAL_FLAW_EDITED,     /* a record is not the one its successor, or the head, names */
    JOURNAL_FLAW_START,      /* the first records are gone and no signed release says so */
    JOURNAL_FLAW_CHECKPOINT, /* a checkpoint is not signed by this key */
    JOURNAL_FLAW_HEAD,       /* the head is missing, not signed by this key, or not of this journal */
    JOURNAL_FLAW_REPLAYED,   /* the head, or the whole journal, is older than something that was signed later */
    JOURNAL_FLAW_FILE,       /* a segment cannot be opened as a regular file */
};
const char *journal_flaw_name(enum journal_flaw flaw); /* stable, for JSON: "edited" "missing" … */

struct journal_verify_options {
    const struct journal_key *key; /* required */
    uint64_t known_seq; /* an anchor kept elsewhere (the centre's acknowledgement): the journal must reach it */
    const struct digest *known_hash; /* and its record known_seq must have this hash; may be NULL */
};

struct journal_verify_result {
    bool ok;          /* false until everything was seen */
    uint64_t records; /* lines that are records */
    uint64_t first_seq, last_seq;
    uint64_t checkpoints; /* with a good signature */
    uint64_t head_seq;
    uint64_t flaws; /* how many places are wrong */
    /* the first of them */
    enum journal_flaw flaw;
    uint64_t first_bad; /* sequence number; 0 none */
    char file[64];
    uint64_t line; /* in that file, from 1; 0 when the place is the end or the head */
    char why[256]; /* English */
};

/* Returns 0 with the result, whatever it is; -errno when the files could not be read (then *ret says not ok). */
int journal_verify(int journal_dirfd, const struct journal_verify_options *options, struct journal_verify_result *ret);
