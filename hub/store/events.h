#pragma once

#include "base/digest.h"
#include "hub/store/pack.h"
#include "hub/store/store.h"
#include "hub/store/tokens.h"

/*
 * The terminals' records: lines of their journals exactly as they stood, in batches as they came, with an index of what is in which batch. Who
 * calls has verified them (hub/ingest). Everything that writes is in the caller's transaction.
 */

/* How far a terminal's journal is here. */
struct hub_chain {
    uint64_t sequence;  /* of the last record; 0: none yet */
    struct digest hash; /* of its line */
    uint64_t sealed;    /* the last record that a checkpoint vouches for */
    int64_t stored_us;
};

/* 1; 0 and all zero: nothing came of it yet. */
int hub_chain_get(struct hub_store *s, const char *terminal, struct hub_chain *ret);
int hub_chain_set(struct hub_store *s, const char *terminal, const struct hub_chain *chain);

struct hub_batch {
    char terminal[HUB_TERMINAL_ID_MAX + 1];
    uint64_t first, last;
    struct digest hash;        /* of the last line */
    int64_t from_us, until_us; /* the earliest and the latest of its lines, by the terminal's clock */
    int64_t received_us;
    const char *lines; /* each ends with a newline */
    size_t size;
};

/* What can be asked for: 1 … HUB_TERM_COUNT_ - 1. */
enum hub_term {
    HUB_TERM_NONE = 0,
    HUB_TERM_USER,   /* user.id, kuraban.login_uid */
    HUB_TERM_DEVICE, /* device.id, device.serial_number */
    HUB_TERM_RULE,
    HUB_TERM_VERDICT, /* "allow", "deny", "would-refuse" */
    HUB_TERM_ACTION,
    HUB_TERM_COUNT_,
};
enum {
    HUB_TERM_MAX = 255 /* bytes that are looked at */
};

int hub_batch_add(struct hub_store *s, struct pack *p, const struct hub_batch *batch, int64_t *ret_id);
/* This is in it. */
int hub_batch_term(struct hub_store *s, int64_t id, enum hub_term kind, const char *text);
/* The one that record seq is in: 1, lines as long as pack_open(); 0 none. */
int hub_batch_find(struct hub_store *s, struct pack *p, const char *terminal, uint64_t seq, struct hub_batch *ret);
/* The chain ends before `first` again: 1 and the batch that was last and is no more, 0 there is none from there on. */
int hub_batch_take_last(struct hub_store *s, struct pack *p, const char *terminal, uint64_t first,
                        struct hub_batch *ret);

struct hub_event_query {
    const char *terminal;               /* NULL: all */
    const char *terms[HUB_TERM_COUNT_]; /* NULL: any */
    int64_t since_us, until_us;         /* 0: open; until is exclusive */
};
/* All batches that may hold such records, by when they begin; a positive answer ends the walk, a negative one is forwarded. */
int hub_batch_each(struct hub_store *s, struct pack *p, const struct hub_event_query *query,
                   int (*each)(void *context, const struct hub_batch *batch), void *context);

/* --- What came and is not part of a chain, kept beside --- */

enum {
    HUB_ASIDE_MAX = 64 * 1024 * 1024, /* bytes of one terminal, packed */
};

struct hub_aside {
    int64_t id;
    uint64_t first; /* as its subject said */
    char reason[HUB_NAME_MAX + 1];
    const char *lines; /* as long as pack_open() */
    size_t size;
};

enum hub_aside_result {
    HUB_ASIDE_OK = 0,
    HUB_ASIDE_KNOWN, /* the same bytes are there */
    HUB_ASIDE_FULL,  /* the terminal has HUB_ASIDE_MAX */
};

/* What is longer than PACK_MAX is cut. enum hub_aside_result. */
int hub_aside_add(struct hub_store *s, struct pack *p, int64_t now_us, const char *terminal, const struct hub_aside *a);
/* The first behind the one with this id and `first` that is from `from` on: start with {0}. 1 or 0. */
int hub_aside_next(struct hub_store *s, struct pack *p, const char *terminal, uint64_t from, struct hub_aside *ret);
/* Terminals of which something has waited for what comes before ("gap") since a time; first: the lowest number. */
int hub_aside_waiting(struct hub_store *s, int64_t since_us,
                      int (*each)(void *context, const char *terminal, uint64_t first), void *context);
int hub_aside_remove(struct hub_store *s, int64_t id);
