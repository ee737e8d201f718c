#pragma once

#include "audit/key.h"
#include "audit/record.h"
#include "policy/fleet/names.h"

/* A terminal's journal in memory, with a key of its own: its lines are what the terminal would send. Numbers of lines count from 1. */

enum {
    CHAIN_LINES_MAX = 8192
};

struct chain {
    struct journal_key *key;
    uint8_t public[FLEET_PUBLIC_SIZE];
    char terminal[FLEET_ID_SIZE];
    uint64_t seq; /* of the last line */
    struct digest hash;
    int64_t wall_us;
    struct buf lines;
    size_t ends[CHAIN_LINES_MAX + 1]; /* behind line n */
};

void chain_init(struct chain *c);
void chain_done(struct chain *c);
/* A second journal of the same terminal from here on. The key stays the first one's, which lives longer. */
void chain_copy(const struct chain *from, struct chain *ret);
void chain_done_copy(struct chain *c);

/* An open of `path` by user 1000, one second later. */
void chain_open(struct chain *c, const char *path, bool allowed);
void chain_add(struct chain *c, const struct audit_event *e, const char *name, json_t *value);
/* signer: NULL: the terminal's own. */
void chain_checkpoint(struct chain *c, const struct journal_key *signer);
/* "journal-released" up to and with a line. */
void chain_release(struct chain *c, uint64_t last);
void chain_fill(struct chain *c, unsigned lines); /* opens of different paths */

struct digest chain_hash(const struct chain *c, uint64_t seq);
/* Lines first..last; *ret_size bytes. */
const char *chain_lines(const struct chain *c, uint64_t first, uint64_t last, size_t *ret_size);
