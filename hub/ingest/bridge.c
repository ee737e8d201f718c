/*
 * Owns: how a chain goes on past records that never come, and past records that nobody signed.
 * Must not: believe anything that the terminal's own key has not signed: whoever holds batches back on the wire, or speaks with a stolen wire
 * key, would else decide what is missing and what was said.
 *
 * Two things can be beside a chain and be right:
 *   a leap      the terminal released or lost records (its journal was full), and its journal says so: "journal-released",
 *               "journal-truncated", and a checkpoint behind it;
 *   a tail      what is stored behind the last checkpoint is another's, and the terminal's own records go on at or behind that checkpoint,
 *               up to one of their own.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "hub/ingest/internal.h"
#include "hub/store/alarms.h"

enum {
    RUN_MAX = 4096, /* batches; a longer one is looked at again when more of the chain is here */
};

/* Batches beside that go on, each behind the one before. */
struct run {
    bool any;
    uint64_t start;     /* its first record */
    struct digest prev; /* that this names */
    uint64_t next;      /* the number behind its last */
    struct digest hash;
    uint64_t told; /* by this record: why those before the start are missing; 0: by none */
    int64_t ids[RUN_MAX];
    uint64_t firsts[RUN_MAX];
    size_t n;
};

static void restart(struct run *run, const struct ingest_line *first)
{
    run->any = true;
    run->start = first->seq;
    run->prev = first->prev;
    run->told = 0;
    run->n = 0;
}

static void follow(struct run *run, const struct ingest_batch *b, int64_t id)
{
    const struct ingest_line *first = &b->lines[0], *last = &b->lines[b->n - 1];

    if (!run->any || first->seq != run->next || !digest_equal(&first->prev, &run->hash) || run->n == RUN_MAX)
        restart(run, first);
    run->ids[run->n] = id;
    run->firsts[run->n++] = first->seq;
    run->next = last->seq + 1;
    run->hash = last->hash;
    for (size_t i = 0; i < b->n_leaps && run->told == 0; i++)
        if (b->leaps[i].last + 1 == run->start &&
            (!b->leaps[i].has_hash || digest_equal(&b->leaps[i].hash, &run->prev)))
            run->told = b->leaps[i].told;
}

static bool is_leap(const struct run *run, const struct hub_chain *chain, uint64_t sealed)
{
    return run->start > chain->sequence + 1 && run->told > 0 && sealed >= run->told;
}

/* 1 it is. */
static int is_tail(struct ingest *i, const char *terminal, const struct run *run, const struct hub_chain *chain)
{
    struct digest stored;
    int r;

    if (run->start > chain->sequence || run->start <= chain->sealed)
        return 0;
    r = ingest_stored_hash(i, terminal, run->start - 1, &stored);
    return r <= 0 ? r : digest_equal(&stored, &run->prev);
}

/* What nobody signed goes beside; what of it was good as far as it went stays. */
static int put_beside(struct ingest *i, const struct journal_key *key, const struct hub_batch *taken, uint64_t start)
{
    _cleanup_(ingest_batch_freep) struct ingest_batch *batch = NULL;
    _cleanup_free_ char *bytes = malloc(taken->size);
    struct hub_aside aside = {.first = taken->first < start ? start : taken->first, .reason = "replaced"};
    struct arrival a = {.terminal = taken->terminal, .bytes = bytes};
    size_t keep = taken->first < start ? (size_t)(start - taken->first) : 0;
    int r;

    if (!bytes)
        return -ENOMEM;
    memcpy(bytes, taken->lines, taken->size);
    r = ingest_batch_read(bytes, taken->size, key, &batch);
    if (r != 0)
        return r < 0 ? r : -EUCLEAN;
    a.batch = batch;
    if (keep > 0)
        r = ingest_store(i, &a, 0, keep);
    aside.lines = bytes + (keep > 0 ? batch->lines[keep - 1].end : 0);
    aside.size = taken->size - (size_t)(aside.lines - bytes);
    return r < 0 ? r : hub_aside_add(i->settings.store, i->pack, i->now_us, taken->terminal, &aside);
}

static int cut_tail(struct ingest *i, const char *terminal, const struct journal_key *key, uint64_t start)
{
    struct hub_batch taken;
    int r;

    while ((r = hub_batch_take_last(i->settings.store, i->pack, terminal, start, &taken)) > 0) {
        r = put_beside(i, key, &taken, start);
        if (r < 0 || taken.first <= start)
            break;
    }
    return r;
}

/* Of what is beside, these and no others: another's lines may begin with the same number. */
static int take_run(struct ingest *i, const char *terminal, const struct journal_key *key, const struct run *run)
{
    int r = 1;

    for (size_t j = 0; r > 0 && j < run->n; j++) {
        struct hub_aside aside = {.first = run->firsts[j], .id = run->ids[j] - 1};

        r = hub_aside_next(i->settings.store, i->pack, terminal, run->firsts[j], &aside);
        if (r > 0)
            r = ingest_adopt_one(i, terminal, key, &aside);
    }
    if (r > 0)
        r = ingest_adopt(i, terminal, key);
    else if (r == 0)
        r = -EUCLEAN;
    return r < 0 ? r : ingest_close_gap(i, terminal);
}

/* The chain ends before the run, and goes on with it. */
static int apply(struct ingest *i, const char *terminal, const struct journal_key *key, const struct run *run,
                 struct hub_chain *chain)
{
    bool leap = run->start > chain->sequence + 1;
    int r = leap ? 0 : cut_tail(i, terminal, key, run->start);

    if (r >= 0)
        r = leap ? ingest_alarm(i, "record-missing", terminal, chain->sequence + 1, run->start - 1)
                 : ingest_alarm(i, "record-replaced", terminal, run->start, chain->sequence);
    chain->sequence = run->start - 1;
    chain->hash = run->prev;
    if (r >= 0)
        r = hub_chain_set(i->settings.store, terminal, chain);
    if (r >= 0)
        r = take_run(i, terminal, key, run);
    return r < 0 ? r : 1;
}

/* 1: the chain goes on with this run. */
static int look_at(struct ingest *i, const char *terminal, const struct journal_key *key, const struct hub_aside *aside,
                   const struct hub_chain *chain, struct run *run)
{
    _cleanup_(ingest_batch_freep) struct ingest_batch *batch = NULL;
    int r = ingest_batch_read(aside->lines, aside->size, key, &batch);

    if (r != 0)
        return r < 0 ? r : 0;
    follow(run, batch, aside->id);
    if (batch->sealed == 0)
        return 0;
    return is_leap(run, chain, batch->sealed) ? 1 : is_tail(i, terminal, run, chain);
}

int ingest_bridge(struct ingest *i, const char *terminal, const struct journal_key *key)
{
    _cleanup_free_ struct run *run = calloc(1, sizeof(*run));
    struct hub_aside aside = {0};
    struct hub_chain chain;
    int r = run ? hub_chain_get(i->settings.store, terminal, &chain) : -ENOMEM;

    while (r >= 0 && (r = hub_aside_next(i->settings.store, i->pack, terminal, chain.sealed + 1, &aside)) > 0) {
        r = look_at(i, terminal, key, &aside, &chain, run);
        if (r > 0)
            return apply(i, terminal, key, run, &chain);
    }
    return r;
}
