#pragma once

#include "audit/key.h"
#include "base/buf.h"
#include "base/clock.h"
#include "base/digest.h"

/* The head: a signed statement of the last durable record, replaced after every commit. */

#define HEAD_NAME "head"
#define HEAD_SPARE "head.spare" /* the next head is written here, then the two change places */

enum {
    HEAD_MAX = 1024
};

struct journal_head {
    uint64_t seq;
    struct digest hash; /* of the line of record seq, without newline */
    char timestamp[CLOCK_RFC3339_SIZE];
    char key[DIGEST_HEX_SIZE];
    char signature[JOURNAL_SIGNATURE_TEXT];
};

/* 0, -ENOENT, -EBADMSG (not a head), -errno. The signature is not checked. */
int head_read(int dirfd, struct journal_head *ret);
/* Results as journal_key_check. */
int head_check(const struct journal_head *h, const struct journal_key *k);
/* The signed head as a file: one line of JSON. */
int head_format(const struct journal_key *k, uint64_t seq, const struct digest *hash, int64_t wall_us, struct buf *out);
