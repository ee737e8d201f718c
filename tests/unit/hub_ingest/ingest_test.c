/*
 * What terminals send, on its way into the database: it goes on, it came before, it came too early, it is another's, nobody signed it, the
 * terminal itself says that some will never come. Nothing is lost, nothing stands there twice, nothing is put in place of something else.
 */
#include "unit/hub_store/fixture.h"

#include <openssl/evp.h>

#include "fake/chain.h"
#include "hub/ingest/ingest.h"
#include "hub/store/alarms.h"
#include "hub/store/events.h"
#include "hub/store/groups.h"
#include "hub/store/terminals.h"
#include "policy/trust/write.h"

static struct {
    struct fixture *f;
    struct ingest *ingest;
    struct pack *pack;
    EVP_PKEY *head;
    struct chain c, other;
} t;

static void enrol(const struct chain *c, const char *wire)
{
    struct hub_terminal terminal = {.enrolled_us = 1, .approved_us = 1};

    (void)snprintf(terminal.id, sizeof(terminal.id), "%s", c->terminal);
    (void)snprintf(terminal.name, sizeof(terminal.name), "kazei-%s", wire);
    assert_int_equal(hub_store_begin(t.f->store), 0);
    assert_int_equal(hub_terminal_add(t.f->store, &t.f->actor, &terminal, c->public, wire, "kazei"), HUB_TERMINAL_OK);
    assert_int_equal(hub_store_commit(t.f->store), 0);
}

static int begin(void **state)
{
    struct ingest_settings s = {.organization = "matsudo.example"};

    assert_int_equal(fixture_begin(state), 0);
    t.f = *state;
    assert_int_equal(hub_group_create(t.f->store, &t.f->actor, "kazei"), HUB_GROUP_OK);
    assert_int_equal(trust_key_generate(&t.head), TRUST_KEY_OK);
    s.store = t.f->store;
    s.head = t.head;
    assert_int_equal(ingest_new(&s, &t.ingest), 0);
    t.pack = pack_new();
    assert_non_null(t.pack);
    chain_init(&t.c);
    chain_init(&t.other);
    enrol(&t.c, "a");
    enrol(&t.other, "b");
    return 0;
}

static int end(void **state)
{
    chain_done(&t.c);
    chain_done(&t.other);
    t.ingest = ingest_free(t.ingest);
    t.pack = pack_free(t.pack);
    EVP_PKEY_free(t.head);
    return fixture_end(state);
}

/* --- sending --- */

static int take(const char *subject, const void *bytes, size_t size)
{
    int r, e;

    assert_int_equal(ingest_begin(t.ingest, t.f->actor.now_us), 0);
    r = ingest_take(t.ingest, subject, bytes, size);
    e = ingest_commit(t.ingest);
    assert_int_equal(e, 0);
    return r;
}

static int send_as(const char *terminal, const struct chain *c, uint64_t first, uint64_t last)
{
    char subject[FLEET_SUBJECT_SIZE];
    size_t size = 0;
    const char *lines = chain_lines(c, first, last, &size);

    assert_int_equal(fleet_subject_events(terminal, first, subject), 0);
    return take(subject, lines, size);
}

static int send_lines(uint64_t first, uint64_t last)
{
    return send_as(t.c.terminal, &t.c, first, last);
}

/* --- what is there --- */

static int collect(void *context, const struct hub_batch *b)
{
    assert_int_equal(buf_add(context, b->lines, b->size), 0);
    return 0;
}

/* The lines of the terminal are these, each once, byte for byte. */
static void assert_stored(const struct chain *c, uint64_t first, uint64_t last)
{
    const struct hub_event_query query = {.terminal = c->terminal};
    struct hub_chain chain;
    struct buf all;
    size_t size = 0;
    const char *lines = chain_lines(c, first, last, &size);

    buf_init(&all, 64 * 1024 * 1024);
    assert_int_equal(hub_batch_each(t.f->store, t.pack, &query, collect, &all), 0);
    assert_int_equal(all.size, size);
    assert_memory_equal(all.data, lines, size);
    buf_done(&all);
    assert_int_equal(hub_chain_get(t.f->store, c->terminal, &chain), 1);
    assert_int_equal(chain.sequence, last);
    assert_true(digest_equal(&chain.hash, &(struct digest[]){chain_hash(c, last)}[0]));
}

struct wanted_alarm {
    const char *kind, *details;
    bool found, open;
};

static int see_alarm(void *context, const struct hub_alarm *a)
{
    struct wanted_alarm *w = context;

    if (strcmp(a->kind, w->kind) != 0)
        return 0;
    w->found = true;
    w->open |= a->closed_us == 0;
    if (w->details)
        assert_string_equal(a->details, w->details);
    return 0;
}

static void assert_alarm(const char *kind, const char *details)
{
    struct wanted_alarm w = {.kind = kind, .details = details};

    assert_int_equal(hub_alarm_each(t.f->store, false, see_alarm, &w), 0);
    if (!w.open)
        fail_msg("no alarm %s", kind);
}

static void assert_no_alarm(void)
{
    assert_int_equal(fixture_ask(t.f, "SELECT count(*) FROM alarm WHERE closed IS NULL"), 0);
}

static int beside(void)
{
    return fixture_ask(t.f, "SELECT count(*) FROM aside");
}

struct last_ack {
    unsigned n;
    uint64_t sequence;
    struct digest hash;
    char terminal[FLEET_ID_SIZE];
};

static int see_ack(void *context, const char *subject, const uint8_t *envelope, size_t size)
{
    struct trust_envelope *e = NULL;
    struct fleet_statement *s = NULL;
    struct last_ack *ack = context;
    uint8_t public[TRUST_PUBLIC_SIZE];

    assert_int_equal(trust_key_public(t.head, public), TRUST_KEY_OK);
    assert_int_equal(trust_envelope_parse(envelope, size, &e, NULL), TRUST_OK);
    assert_int_equal(fleet_statement_parse(FLEET_ACK, e->payload, e->size, &s, NULL), TRUST_OK);
    ack->n++;
    ack->sequence = s->ack.sequence;
    ack->hash = s->ack.hash;
    memcpy(ack->terminal, s->ack.terminal, sizeof(ack->terminal));
    assert_string_equal(s->ack.organization, "matsudo.example");
    assert_true(strncmp(subject, "ack.", 4) == 0 && strcmp(subject + 4, ack->terminal) == 0);
    fleet_statement_free(s);
    trust_envelope_free(e);
    return 0;
}

static struct last_ack acknowledged(void)
{
    struct last_ack ack = {0};

    assert_int_equal(ingest_acknowledge(t.ingest, see_ack, &ack), 0);
    return ack;
}

/* --- tests --- */

static void test_goes_on(void **state)
{
    struct last_ack ack;

    (void)state;
    chain_fill(&t.c, 20);
    chain_checkpoint(&t.c, NULL);
    chain_fill(&t.c, 9);
    assert_int_equal(send_lines(1, 1), INGEST_STORED);
    assert_int_equal(send_lines(2, 21), INGEST_STORED);
    assert_int_equal(send_lines(22, 30), INGEST_STORED);
    ack = acknowledged();
    assert_int_equal(ack.n, 1);
    assert_int_equal(ack.sequence, 30);
    assert_true(digest_equal(&ack.hash, &t.c.hash));
    assert_string_equal(ack.terminal, t.c.terminal);
    assert_stored(&t.c, 1, 30);
    assert_no_alarm();
    assert_int_equal(fixture_ask(t.f, "SELECT sealed FROM chain"), 21);
}

static void test_twice(void **state)
{
    (void)state;
    chain_fill(&t.c, 30);
    assert_int_equal(send_lines(1, 20), INGEST_STORED);
    assert_int_equal(send_lines(1, 20), INGEST_KNOWN);
    assert_int_equal(acknowledged().sequence, 20); /* who sends it again has not heard it */
    assert_int_equal(send_lines(3, 7), INGEST_KNOWN);
    assert_int_equal(send_lines(15, 30), INGEST_STORED); /* cut in other pieces */
    assert_int_equal(send_lines(1, 30), INGEST_KNOWN);
    assert_stored(&t.c, 1, 30);
    assert_no_alarm();
    assert_int_equal(beside(), 0);
}

static void test_nothing_without_commit(void **state)
{
    size_t size = 0;
    char subject[FLEET_SUBJECT_SIZE];
    const char *lines;

    (void)state;
    chain_fill(&t.c, 4);
    lines = chain_lines(&t.c, 1, 4, &size);
    assert_int_equal(fleet_subject_events(t.c.terminal, 1, subject), 0);
    assert_int_equal(ingest_begin(t.ingest, 1), 0);
    assert_int_equal(ingest_take(t.ingest, subject, lines, size), INGEST_STORED);
    ingest_rollback(t.ingest);
    assert_int_equal(acknowledged().n, 0);
    assert_int_equal(ingest_counts(t.ingest).events, 0);
    assert_int_equal(fixture_ask(t.f, "SELECT count(*) FROM batch"), 0);
}

static void test_too_early(void **state)
{
    (void)state;
    chain_fill(&t.c, 40);
    assert_int_equal(send_lines(1, 10), INGEST_STORED);
    assert_int_equal(send_lines(31, 40), INGEST_BESIDE);
    assert_int_equal(acknowledged().sequence, 10);
    assert_int_equal(send_lines(21, 30), INGEST_BESIDE);
    assert_int_equal(send_lines(21, 30), INGEST_BESIDE); /* again: kept once */
    assert_int_equal(beside(), 2);
    assert_int_equal(ingest_watch(t.ingest, t.f->actor.now_us + INGEST_GAP_US), 0);
    assert_no_alarm(); /* it may only be out of its turn */
    for (int i = 0; i < 2; i++)
        assert_int_equal(ingest_watch(t.ingest, t.f->actor.now_us + INGEST_GAP_US + 1), 0);
    assert_alarm("record-gap", "{\"first\":11,\"last\":20}");
    assert_int_equal(fixture_ask(t.f, "SELECT count FROM alarm"), 1);
    assert_int_equal(send_lines(11, 20), INGEST_STORED);
    assert_int_equal(acknowledged().sequence, 40);
    assert_stored(&t.c, 1, 40);
    assert_int_equal(beside(), 0);
    assert_no_alarm();
}

static void test_first_is_missing(void **state)
{
    (void)state;
    chain_fill(&t.c, 10);
    assert_int_equal(send_lines(5, 10), INGEST_BESIDE);
    assert_int_equal(acknowledged().n, 0);
    assert_int_equal(ingest_watch(t.ingest, t.f->actor.now_us + INGEST_GAP_US + 1), 0);
    assert_alarm("record-gap", "{\"first\":1,\"last\":4}");
}

/* Another history behind what a checkpoint has sealed: beside, whatever signs it. */
static void test_fork(void **state)
{
    struct chain *fork = malloc(sizeof(*fork));

    (void)state;
    assert_non_null(fork);
    chain_fill(&t.c, 10);
    chain_copy(&t.c, fork);
    chain_checkpoint(&t.c, NULL);
    chain_fill(&t.c, 10);
    chain_fill(fork, 5);
    chain_checkpoint(fork, NULL);
    assert_int_equal(send_lines(1, 15), INGEST_STORED);
    assert_int_equal(send_as(t.c.terminal, fork, 11, 16), INGEST_BESIDE);
    assert_int_equal(send_as(t.c.terminal, fork, 11, 14), INGEST_BESIDE);
    assert_alarm("record-fork", "{\"first\":11,\"last\":11}");
    assert_int_equal(send_lines(16, 21), INGEST_STORED);
    assert_stored(&t.c, 1, 21);
    assert_int_equal(beside(), 2);
    chain_done_copy(fork);
    free(fork);
}

static void test_bad_signature(void **state)
{
    (void)state;
    chain_fill(&t.c, 3);
    chain_checkpoint(&t.c, t.other.key);
    assert_int_equal(send_lines(1, 4), INGEST_BESIDE);
    assert_alarm("record-signature", NULL);
    assert_int_equal(acknowledged().n, 0);
    assert_int_equal(fixture_ask(t.f, "SELECT count(*) FROM batch"), 0);
}

/* Who has a terminal's wire key says something in its name; what the terminal signs takes that place, and what was said is kept. */
static void test_stolen_wire_key(void **state)
{
    struct chain *thief = malloc(sizeof(*thief));

    (void)state;
    assert_non_null(thief);
    chain_fill(&t.c, 10);
    chain_checkpoint(&t.c, NULL);
    chain_fill(&t.c, 1);
    chain_copy(&t.c, thief);
    chain_fill(thief, 1);
    chain_open(thief, "/srv/residents/planted", true);
    chain_fill(thief, 20);
    chain_open(&t.c, "/srv/residents/what-he-took", true);
    chain_fill(&t.c, 7);
    chain_checkpoint(&t.c, NULL);
    chain_fill(&t.c, 2);
    assert_int_equal(send_lines(1, 11), INGEST_STORED);
    assert_int_equal(send_as(t.c.terminal, thief, 12, 20), INGEST_STORED); /* nobody can know yet */
    assert_int_equal(send_as(t.c.terminal, thief, 21, 34), INGEST_STORED);
    assert_int_equal(send_lines(12, 15), INGEST_BESIDE);
    assert_alarm("record-fork", NULL);
    assert_int_equal(send_lines(16, t.c.seq), INGEST_STORED);
    assert_alarm("record-replaced", NULL);
    assert_stored(&t.c, 1, t.c.seq);
    assert_int_equal(acknowledged().sequence, t.c.seq);
    assert_int_equal(fixture_ask(t.f, "SELECT count(*) FROM aside WHERE reason = 'replaced'"), 2);
    assert_int_equal(beside(), 2);
    chain_done_copy(thief);
    free(thief);
}

static void test_other_terminal(void **state)
{
    (void)state;
    chain_fill(&t.c, 3);
    chain_checkpoint(&t.c, NULL);
    assert_int_equal(send_as(t.other.terminal, &t.c, 1, 4), INGEST_BESIDE);
    assert_alarm("record-signature", NULL);
    assert_int_equal(send_as("taaaaaaaaaaaaaaaaaaaa", &t.c, 1, 4), INGEST_BESIDE);
    assert_alarm("record-unknown", NULL);
    assert_int_equal(take("evt.x.1", "{}\n", 3), INGEST_BESIDE);
    assert_int_equal(acknowledged().n, 0);
    fixture_change(t.f, "UPDATE terminal SET approved = NULL");
    assert_int_equal(send_lines(1, 4), INGEST_BESIDE);
    assert_int_equal(
        fixture_ask(t.f,
                    "SELECT count FROM alarm WHERE kind = 'record-unknown' AND terminal != '-' ORDER BY number DESC"),
        1);
    fixture_change(t.f, "UPDATE terminal SET approved = 1, revoked = 5");
    assert_int_equal(send_lines(1, 4), INGEST_BESIDE);
    assert_alarm("record-revoked", NULL);
    assert_int_equal(fixture_ask(t.f, "SELECT count(*) FROM batch"), 0);
}

static void test_damaged(void **state)
{
    char subject[FLEET_SUBJECT_SIZE];

    (void)state;
    chain_fill(&t.c, 3);
    assert_int_equal(fleet_subject_events(t.c.terminal, 2, subject), 0);
    {
        size_t size = 0;
        const char *lines = chain_lines(&t.c, 1, 3, &size);

        assert_int_equal(take(subject, lines, size), INGEST_BESIDE); /* the subject names another number */
    }
    assert_int_equal(take(subject, "", 0), INGEST_BESIDE);
    assert_int_equal(take(subject, "x\n", 2), INGEST_BESIDE);
    assert_alarm("record-damaged", "{\"first\":2,\"last\":2}");
    assert_int_equal(beside(), 3);
}

/* The journal was full and its oldest records were released before they were sent: the terminal says so and signs it. */
static void test_leap(void **state)
{
    (void)state;
    chain_fill(&t.c, 30);
    assert_int_equal(send_lines(1, 10), INGEST_STORED);
    chain_release(&t.c, 20);
    assert_int_equal(send_lines(21, 31), INGEST_BESIDE); /* said, and not signed yet */
    chain_fill(&t.c, 2);
    chain_checkpoint(&t.c, NULL);
    assert_int_equal(acknowledged().sequence, 10);
    assert_int_equal(send_lines(32, 34), INGEST_STORED);
    assert_alarm("record-missing", "{\"first\":11,\"last\":20}");
    assert_int_equal(acknowledged().sequence, 34);
    assert_int_equal(beside(), 0);
    assert_int_equal(fixture_ask(t.f, "SELECT sum(last - first + 1) FROM batch"), 24);
    assert_int_equal(fixture_ask(t.f, "SELECT count(*) FROM alarm WHERE kind = 'record-gap' AND closed IS NULL"), 0);
}

/* Who holds batches back on the wire cannot make the centre acknowledge over them. */
static void test_no_leap(void **state)
{
    (void)state;
    chain_fill(&t.c, 30);
    chain_release(&t.c, 5); /* of others */
    chain_checkpoint(&t.c, NULL);
    assert_int_equal(send_lines(1, 10), INGEST_STORED);
    assert_int_equal(send_lines(21, 32), INGEST_BESIDE);
    assert_int_equal(acknowledged().sequence, 10);
    assert_int_equal(send_lines(11, 20), INGEST_STORED);
    assert_stored(&t.c, 1, 32);
    assert_no_alarm();
}

static int count(void *context, const struct hub_batch *b)
{
    (void)b;
    ++*(unsigned *)context;
    return 0;
}

static unsigned ask(enum hub_term kind, const char *text, int64_t since_us, int64_t until_us)
{
    struct hub_event_query q = {.since_us = since_us, .until_us = until_us};
    unsigned n = 0;

    q.terms[kind] = text;
    assert_int_equal(hub_batch_each(t.f->store, t.pack, &q, count, &n), 0);
    return n;
}

static void test_index(void **state)
{
    int64_t from = t.c.wall_us;

    (void)state;
    chain_open(&t.c, "/a", true);
    chain_fill(&t.c, 8);
    assert_int_equal(send_lines(1, 1), INGEST_STORED);
    assert_int_equal(send_lines(2, 9), INGEST_STORED);
    assert_int_equal(ask(HUB_TERM_NONE, NULL, 0, 0), 2);
    assert_int_equal(ask(HUB_TERM_VERDICT, "allow", 0, 0), 2);
    assert_int_equal(ask(HUB_TERM_VERDICT, "deny", 0, 0), 1);
    assert_int_equal(ask(HUB_TERM_USER, "1000", 0, 0), 2);
    assert_int_equal(ask(HUB_TERM_USER, "1001", 0, 0), 0);
    assert_int_equal(ask(HUB_TERM_RULE, "default", 0, 0), 1);
    assert_int_equal(ask(HUB_TERM_ACTION, "file-open", 0, 0), 2);
    assert_int_equal(ask(HUB_TERM_NONE, NULL, 0, from + 1), 1);
    assert_int_equal(ask(HUB_TERM_NONE, NULL, from + 1, 0), 1);
    assert_int_equal(ask(HUB_TERM_NONE, NULL, 0, from), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_goes_on, begin, end),
        cmocka_unit_test_setup_teardown(test_twice, begin, end),
        cmocka_unit_test_setup_teardown(test_nothing_without_commit, begin, end),
        cmocka_unit_test_setup_teardown(test_too_early, begin, end),
        cmocka_unit_test_setup_teardown(test_first_is_missing, begin, end),
        cmocka_unit_test_setup_teardown(test_fork, begin, end),
        cmocka_unit_test_setup_teardown(test_bad_signature, begin, end),
        cmocka_unit_test_setup_teardown(test_stolen_wire_key, begin, end),
        cmocka_unit_test_setup_teardown(test_other_terminal, begin, end),
        cmocka_unit_test_setup_teardown(test_damaged, begin, end),
        cmocka_unit_test_setup_teardown(test_leap, begin, end),
        cmocka_unit_test_setup_teardown(test_no_leap, begin, end),
        cmocka_unit_test_setup_teardown(test_index, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
