/*
 * Owns: where lines of a terminal belong: behind its chain, nowhere because they are there, or beside.
 * Must not: change or drop what was taken, acknowledge what is not committed, or let one terminal's lines into another's chain.
 */
#include "hub/ingest/ingest.h"

#include <errno.h>
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "hub/ingest/internal.h"
#include "hub/store/alarms.h"
#include "hub/store/terminals.h"

enum place {
    PLACE_BEHIND = 0, /* it was stored */
    PLACE_KNOWN,
    PLACE_GAP,  /* others should come before */
    PLACE_FORK, /* something else stands there */
};

int ingest_alarm(struct ingest *i, const char *kind, const char *terminal, uint64_t first, uint64_t last)
{
    char details[96];
    int r;

    (void)snprintf(details, sizeof(details), "{\"first\":%" PRIu64 ",\"last\":%" PRIu64 "}", first, last);
    r = hub_alarm_raise(i->settings.store, i->now_us, kind, terminal, details);
    if (r > 0)
        log_warning("ingest.alarm", "kind=%s terminal=%s details=%s", kind, terminal, details);
    return r < 0 ? r : 0;
}

/* --- storing --- */

static void bounds(const struct ingest_line *lines, size_t from, size_t to, struct hub_batch *b)
{
    b->from_us = b->until_us = lines[from].at_us;
    for (size_t j = from; j < to; j++) {
        b->from_us = lines[j].at_us < b->from_us ? lines[j].at_us : b->from_us;
        b->until_us = lines[j].at_us > b->until_us ? lines[j].at_us : b->until_us;
    }
}

int ingest_store(struct ingest *i, const struct arrival *a, size_t from, size_t to)
{
    const struct ingest_line *lines = a->batch->lines;
    size_t begin = from > 0 ? lines[from - 1].end : 0;
    struct hub_batch b = {.first = lines[from].seq,
                          .last = lines[to - 1].seq,
                          .hash = lines[to - 1].hash,
                          .received_us = i->now_us,
                          .lines = a->bytes + begin,
                          .size = lines[to - 1].end - begin};
    int64_t id = 0;
    int r;

    (void)snprintf(b.terminal, sizeof(b.terminal), "%s", a->terminal);
    bounds(lines, from, to, &b);
    r = hub_batch_add(i->settings.store, i->pack, &b, &id);
    for (int kind = 1; r >= 0 && kind < HUB_TERM_COUNT_; kind++) {
        const char *text;
        json_t *value;

        json_object_foreach(a->batch->terms[kind], text, value)
        {
            r = hub_batch_term(i->settings.store, id, (enum hub_term)kind, text);
            if (r < 0)
                break;
        }
    }
    if (r >= 0)
        i->counts.bytes += b.size;
    return r;
}

static int go_on(struct ingest *i, const struct arrival *a, size_t from, struct hub_chain *chain)
{
    const struct ingest_line *last = &a->batch->lines[a->batch->n - 1];
    int r = ingest_store(i, a, from, a->batch->n);

    if (r < 0)
        return r;
    chain->sequence = last->seq;
    chain->hash = last->hash;
    chain->stored_us = i->now_us;
    if (a->batch->sealed > chain->sealed)
        chain->sealed = a->batch->sealed;
    i->counts.events += a->batch->n - from;
    i->counts.batches++;
    return hub_chain_set(i->settings.store, a->terminal, chain);
}

/* --- where it belongs --- */

/* In a batch that ends behind seq: the link of the line after it names it. */
static int hash_inside(const struct hub_batch *b, uint64_t seq, struct digest *ret)
{
    const char *line = b->lines, *end = b->lines + b->size;

    for (uint64_t at = b->first; line < end; at++) {
        const char *newline = memchr(line, '\n', (size_t)(end - line));

        if (!newline)
            return -EUCLEAN;
        if (at == seq) {
            int r = digest_bytes(line, (size_t)(newline - line), ret);

            return r < 0 ? r : 1;
        }
        line = newline + 1;
    }
    return -EUCLEAN;
}

int ingest_stored_hash(struct ingest *i, const char *terminal, uint64_t seq, struct digest *ret)
{
    struct hub_chain chain;
    struct hub_batch b;
    int r = hub_chain_get(i->settings.store, terminal, &chain);

    if (r < 0)
        return r;
    if (seq == 0 || seq == chain.sequence) {
        *ret = seq == 0 ? (struct digest){0} : chain.hash;
        return 1;
    }
    r = hub_batch_find(i->settings.store, i->pack, terminal, seq, &b);
    if (r > 0 && b.last == seq)
        *ret = b.hash;
    else if (r > 0)
        r = hash_inside(&b, seq, ret);
    return r;
}

/* All of it is older than the chain's end: is it the same? One hash tells, for each covers what is before it. */
static int compare(struct ingest *i, const struct arrival *a)
{
    const struct ingest_line *last = &a->batch->lines[a->batch->n - 1];
    struct digest stored;
    int r = ingest_stored_hash(i, a->terminal, last->seq, &stored);

    if (r <= 0)
        return r < 0 ? r : PLACE_FORK;
    return digest_equal(&stored, &last->hash) ? PLACE_KNOWN : PLACE_FORK;
}

static int place(struct ingest *i, const struct arrival *a)
{
    const struct ingest_batch *b = a->batch;
    struct hub_chain chain;
    size_t from;
    int r = hub_chain_get(i->settings.store, a->terminal, &chain);

    if (r < 0)
        return r;
    if (b->lines[0].seq > chain.sequence + 1)
        return PLACE_GAP;
    if (b->lines[b->n - 1].seq <= chain.sequence)
        return compare(i, a);
    from = (size_t)(chain.sequence + 1 - b->lines[0].seq);
    if (!digest_equal(&b->lines[from].prev, &chain.hash)) /* of an empty chain: zero */
        return PLACE_FORK;
    r = go_on(i, a, from, &chain);
    return r < 0 ? r : PLACE_BEHIND;
}

/* --- beside --- */

static int beside(struct ingest *i, const char *terminal, uint64_t first, const char *reason, const char *bytes,
                  size_t size)
{
    struct hub_aside aside = {.first = first, .lines = bytes, .size = size};
    char kind[HUB_ALARM_KIND_MAX + 1];
    int r, e = 0;

    (void)snprintf(aside.reason, sizeof(aside.reason), "%s", reason);
    r = hub_aside_add(i->settings.store, i->pack, i->now_us, terminal, &aside);
    if (r < 0)
        return r;
    (void)snprintf(kind, sizeof(kind), "record-%s", r == HUB_ASIDE_FULL ? "full" : reason);
    if (r == HUB_ASIDE_FULL || strcmp(reason, "gap") != 0)
        e = ingest_alarm(i, kind, terminal, first, first);
    if (r == HUB_ASIDE_FULL)
        i->counts.refused++;
    else
        i->counts.beside++;
    return e < 0 ? e : r == HUB_ASIDE_FULL ? INGEST_REFUSED : INGEST_BESIDE;
}

int ingest_adopt_one(struct ingest *i, const char *terminal, const struct journal_key *key,
                     const struct hub_aside *aside)
{
    _cleanup_(ingest_batch_freep) struct ingest_batch *batch = NULL;
    _cleanup_free_ char *bytes = malloc(aside->size);
    struct arrival a = {.terminal = terminal, .bytes = bytes};
    int r;

    if (!bytes)
        return -ENOMEM;
    memcpy(bytes, aside->lines, aside->size);
    r = ingest_batch_read(bytes, aside->size, key, &batch);
    if (r != 0)
        return r < 0 ? r : 0;
    a.batch = batch;
    r = place(i, &a);
    if (r != PLACE_BEHIND && r != PLACE_KNOWN)
        return r < 0 ? r : 0;
    r = hub_aside_remove(i->settings.store, aside->id);
    return r < 0 ? r : 1;
}

/* 1 there was one that begins with this record. */
static int adopt_next(struct ingest *i, const char *terminal, const struct journal_key *key, uint64_t next)
{
    struct hub_aside aside = {0};
    int r;

    while ((r = hub_aside_next(i->settings.store, i->pack, terminal, next, &aside)) > 0 && aside.first == next) {
        r = ingest_adopt_one(i, terminal, key, &aside);
        if (r != 0)
            return r;
    }
    return r < 0 ? r : 0;
}

int ingest_close_gap(struct ingest *i, const char *terminal)
{
    struct hub_aside aside = {0};
    struct hub_chain chain;
    int r = hub_chain_get(i->settings.store, terminal, &chain);

    if (r >= 0)
        r = hub_aside_next(i->settings.store, i->pack, terminal, chain.sequence + 1, &aside);
    return r == 0 ? hub_alarm_over(i->settings.store, i->now_us, "record-gap", terminal) : r;
}

int ingest_adopt(struct ingest *i, const char *terminal, const struct journal_key *key)
{
    struct hub_chain chain;
    int r, n = 0;

    for (;;) {
        r = hub_chain_get(i->settings.store, terminal, &chain);
        if (r >= 0)
            r = adopt_next(i, terminal, key, chain.sequence + 1);
        if (r <= 0)
            break;
        n++;
    }
    if (r >= 0 && n > 0)
        r = ingest_close_gap(i, terminal);
    return r < 0 ? r : n;
}

static int take_read(struct ingest *i, const struct arrival *a, size_t size, const struct journal_key *key)
{
    static const char *const reasons[] = {[PLACE_GAP] = "gap", [PLACE_FORK] = "fork"};
    int r = place(i, a), e;

    if (r < 0)
        return r;
    if (r == PLACE_KNOWN) {
        i->counts.known++;
        return INGEST_KNOWN;
    }
    if (r == PLACE_BEHIND) {
        r = ingest_adopt(i, a->terminal, key);
        return r < 0 ? r : INGEST_STORED;
    }
    r = beside(i, a->terminal, a->batch->lines[0].seq, reasons[r], a->bytes, size);
    e = r >= 0 && a->batch->sealed > 0 ? ingest_bridge(i, a->terminal, key) : 0;
    return e < 0 ? e : e > 0 ? INGEST_STORED : r;
}

static int take_known(struct ingest *i, const struct fleet_place *p, const uint8_t raw[static NKEY_RAW_SIZE],
                      const char *bytes, size_t size)
{
    static const char *const reasons[] = {[INGEST_E_SIZE] = "damaged",
                                          [INGEST_E_LINE] = "damaged",
                                          [INGEST_E_ORDER] = "damaged",
                                          [INGEST_E_LINK] = "damaged",
                                          [INGEST_E_SEAL] = "signature"};
    _cleanup_(ingest_batch_freep) struct ingest_batch *batch = NULL;
    struct arrival a = {.terminal = p->terminal, .bytes = bytes};
    struct journal_key *key = NULL;
    int r = journal_key_from_public(raw, &key);

    if (r < 0)
        return r == -EBADMSG ? -EUCLEAN : r;
    r = ingest_batch_read(bytes, size, key, &batch);
    if (r > 0 || (r == 0 && batch->lines[0].seq != p->first)) {
        r = beside(i, p->terminal, p->first, r > 0 ? reasons[r] : "damaged", bytes, size);
    } else if (r == 0) {
        a.batch = batch;
        r = take_read(i, &a, size, key);
    }
    (void)journal_key_free(key);
    return r;
}

int ingest_take(struct ingest *i, const char *subject, const void *bytes, size_t size)
{
    struct hub_terminal terminal = {0};
    struct fleet_place p;
    int r;

    if (fleet_subject_read(subject, strlen(subject), &p) < 0 || p.subject != FLEET_SUBJECT_EVENTS)
        return beside(i, "-", 0, "unknown", bytes, size);
    r = hub_terminal_get(i->settings.store, p.terminal, &terminal, NULL);
    if (r == 0 || (r > 0 && terminal.approved_us == 0))
        return beside(i, p.terminal, p.first, "unknown", bytes, size);
    if (r > 0 && terminal.revoked_us > 0)
        return beside(i, p.terminal, p.first, "revoked", bytes, size);
    r = r < 0 ? r : take_known(i, &p, terminal.journal_key, bytes, size);
    if (r >= 0 && json_object_set_new(i->touched, p.terminal, json_true()) < 0)
        r = -ENOMEM;
    return r;
}

/* --- transactions, acknowledgements --- */

int ingest_begin(struct ingest *i, int64_t now_us)
{
    i->now_us = now_us;
    i->before = i->counts;
    (void)json_object_clear(i->touched);
    return hub_store_begin(i->settings.store);
}

int ingest_commit(struct ingest *i)
{
    int r = hub_store_commit(i->settings.store);

    if (r < 0)
        i->counts = i->before;
    return r;
}

void ingest_rollback(struct ingest *i)
{
    hub_store_rollback(i->settings.store);
    i->counts = i->before;
    (void)json_object_clear(i->touched);
}

static int waits_too_long(void *context, const char *terminal, uint64_t first)
{
    struct ingest *i = context;
    struct hub_chain chain;
    int r = hub_alarm_is_open(i->settings.store, "record-gap", terminal);

    if (r != 0)
        return r < 0 ? r : 0;
    r = hub_chain_get(i->settings.store, terminal, &chain);
    return r < 0 ? r : ingest_alarm(i, "record-gap", terminal, chain.sequence + 1, first - 1);
}

int ingest_watch(struct ingest *i, int64_t now_us)
{
    int r = ingest_begin(i, now_us);

    if (r >= 0)
        r = hub_aside_waiting(i->settings.store, now_us - INGEST_GAP_US, waits_too_long, i);
    if (r >= 0)
        r = ingest_commit(i);
    else
        ingest_rollback(i);
    return r;
}

static int seal_ack(struct ingest *i, const char *terminal, const struct hub_chain *chain, uint8_t **ret,
                    size_t *ret_size)
{
    struct fleet_statement s = {.kind = FLEET_ACK,
                                .ack = {.organization = (char *)i->settings.organization,
                                        .sequence = chain->sequence,
                                        .hash = chain->hash,
                                        .issued_us = i->now_us}};
    int r;

    (void)snprintf(s.ack.terminal, sizeof(s.ack.terminal), "%s", terminal);
    r = fleet_statement_seal(&s, i->settings.head, ret, ret_size, NULL);
    return r > 0 ? -EIO : r;
}

int ingest_acknowledge(struct ingest *i,
                       int (*publish)(void *context, const char *subject, const uint8_t *envelope, size_t size),
                       void *context)
{
    const char *terminal;
    json_t *value;
    int r = 0;

    json_object_foreach(i->touched, terminal, value)
    {
        _cleanup_free_ uint8_t *envelope = NULL;
        char subject[FLEET_SUBJECT_SIZE];
        struct hub_chain chain;
        size_t size = 0;

        r = hub_chain_get(i->settings.store, terminal, &chain);
        if (r > 0 && chain.sequence > 0)
            r = seal_ack(i, terminal, &chain, &envelope, &size);
        if (r >= 0)
            r = fleet_subject_terminal(FLEET_SUBJECT_ACKS, terminal, subject);
        if (r >= 0 && envelope)
            r = publish(context, subject, envelope, size);
        if (r < 0)
            break;
    }
    return r < 0 ? r : 0;
}

struct ingest_counts ingest_counts(const struct ingest *i)
{
    return i->counts;
}

int ingest_new(const struct ingest_settings *settings, struct ingest **ret)
{
    _cleanup_(ingest_freep) struct ingest *i = calloc(1, sizeof(*i));

    if (!i)
        return -ENOMEM;
    i->settings = *settings;
    i->pack = pack_new();
    i->touched = json_object();
    if (!i->pack || !i->touched)
        return -ENOMEM;
    *ret = TAKE_PTR(i);
    return 0;
}

struct ingest *ingest_free(struct ingest *i)
{
    if (!i)
        return NULL;
    i->pack = pack_free(i->pack);
    json_decref(i->touched);
    free(i);
    return NULL;
}
