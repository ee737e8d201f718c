/* The centre at work: rollouts over a store that is opened again and again, terminals that judge and sign as kuraband does. */
#include "unit/hub_rollout/centre.h"

#include "hub/store/journal.h"

/* Ten terminals of kazei that hold version 5. */
static void settle(struct centre *c, size_t n)
{
    const struct digest five = (centre_add_root(c, signed_usual_root(3), 3), centre_add_policy(c, 5, NULL));

    centre_add_terminals(c, n, "kazei");
    assert_int_equal(centre_start(c, "kazei", &five, 0), HUB_ROLLOUT_OK);
    centre_pass(c);
    centre_turn(c);
    assert_int_equal(centre_having(c, 5), n);
    assert_int_equal(centre_rollout(c, "kazei").state, ROLLOUT_PUBLISHED);
    c->now_us += MINUTE;
}

static void minutes(struct centre *c, unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        c->now_us += MINUTE;
        centre_turn(c);
    }
}

static void test_no_root(void **state)
{
    struct centre *c = *state;
    struct trust_envelope *other;
    struct signed_root o = signed_root_version(3);

    assert_int_equal(rollout_work_pass(&c->work, c->now_us), ROLLOUT_WORK_E_NO_ROOT);
    o.keys[TRUST_ROLE_HEAD] = KEY(7);
    other = signed_make_root(&o, SIGNED_ROOT_SIGNERS);
    centre_add_root(c, other, 3);
    assert_int_equal(rollout_work_pass(&c->work, c->now_us), ROLLOUT_WORK_E_KEY);
    assert_int_equal(c->puts, 0);
}

/* Canary, wait, all; what is said twice changes nothing. */
static void test_all_good(void **state)
{
    struct centre *c = *state;
    struct digest six;
    unsigned puts;

    settle(c, 10);
    six = centre_add_policy(c, 6, NULL);
    centre_turn(c);
    assert_int_equal(centre_start(c, "kazei", &six, 2), HUB_ROLLOUT_OK);
    centre_turn(c);
    centre_turn(c);
    assert_int_equal(centre_having(c, 6), 2);
    puts = c->puts;
    centre_pass(c);
    assert_int_equal(c->puts, puts);
    minutes(c, 9);
    assert_int_equal(centre_having(c, 6), 2);
    minutes(c, 2);
    assert_int_equal(centre_rollout(c, "kazei").state, ROLLOUT_PUBLISHED);
    assert_int_equal(centre_having(c, 6), 10);
}

/* The canary refuses: it halts by itself, the others keep what they have and never get the new one. */
static void test_canary_fails(void **state)
{
    struct centre *c = *state;
    struct digest six;
    size_t canary = 0;

    settle(c, 10);
    six = centre_add_policy(c, 6, NULL);
    for (size_t i = 0; i < c->n; i++)
        c->terminals[i].broken = true;
    assert_int_equal(centre_start(c, "kazei", &six, 1), HUB_ROLLOUT_OK);
    minutes(c, 60);
    assert_int_equal(centre_rollout(c, "kazei").state, ROLLOUT_HALTED);
    assert_int_equal(centre_rollout(c, "kazei").reason, ROLLOUT_REASON_FAILED);
    for (size_t i = 0; i < c->n; i++)
        canary += centre_command(c, i, FLEET_COMMAND_BUNDLE) != NULL;
    assert_int_equal(canary, 1);
    assert_int_equal(centre_having(c, 5), 10);
    assert_int_equal(fixture_ask(c->f, "SELECT count(*) FROM act WHERE what = 'alarm-rollout-halt'"), 1);
    /* A person mends what was wrong, and says so. */
    for (size_t i = 0; i < c->n; i++)
        c->terminals[i].broken = false;
    assert_int_equal(hub_rollout_continue(c->f->store, &c->f->actor, "kazei"), HUB_ROLLOUT_E_NONE);
    c->f->actor.now_us = c->now_us;
    assert_int_equal(hub_rollout_resume(c->f->store, &c->f->actor, "kazei"), HUB_ROLLOUT_OK);
    minutes(c, 12);
    assert_int_equal(centre_having(c, 6), 10);
}

/* The hub is ended and begun again before each of its turns: the same end. */
static void test_restarted(void **state)
{
    struct centre *c = *state;
    struct digest six;

    settle(c, 8);
    six = centre_add_policy(c, 6, NULL);
    assert_int_equal(centre_start(c, "kazei", &six, 2), HUB_ROLLOUT_OK);
    for (unsigned i = 0; i < 14; i++) {
        const int64_t listening = c->work.listening_us;

        centre_restart(c);
        c->work.listening_us = listening;
        minutes(c, 1);
        if (i < 8)
            assert_int_equal(centre_having(c, 6), i == 0 ? 0 : 2);
    }
    assert_int_equal(centre_having(c, 6), 8);
    assert_int_equal(fixture_ask(c->f, "SELECT count(*) FROM rollout_terminal WHERE rollout = 2"), 2);
}

/* The wire is down: what is to be said is said when it is up. */
static void test_wire_down(void **state)
{
    struct centre *c = *state;
    struct digest six;

    settle(c, 4);
    six = centre_add_policy(c, 6, NULL);
    c->cut = true;
    assert_int_equal(centre_start(c, "kazei", &six, 0), HUB_ROLLOUT_OK);
    centre_turn(c);
    assert_true(c->work.refused > 0);
    assert_int_equal(centre_having(c, 5), 4);
    c->cut = false;
    centre_turn(c);
    centre_turn(c);
    assert_int_equal(c->work.refused, 0);
    assert_int_equal(centre_having(c, 6), 4);
}

/* Off while it came, and back a month later: the head was renewed meanwhile, and it has the policy of today. */
static void test_comes_back(void **state)
{
    struct centre *c = *state;
    struct digest six;
    struct hub_head before = {0}, after = {0};
    uint8_t *bytes = NULL;
    size_t size = 0;

    settle(c, 5);
    c->off[3] = true;
    six = centre_add_policy(c, 6, NULL);
    assert_int_equal(centre_start(c, "kazei", &six, 1), HUB_ROLLOUT_OK);
    minutes(c, 13);
    assert_int_equal(centre_having(c, 6), 4);
    assert_int_equal(hub_head_get(c->f->store, "kazei", &before, &bytes, &size), 1);
    free(bytes);
    for (unsigned day = 0; day < 40; day += 4) {
        c->now_us += 4 * SIGNED_DAY;
        centre_turn(c);
    }
    assert_int_equal(hub_head_get(c->f->store, "kazei", &after, &bytes, &size), 1);
    free(bytes);
    assert_true(after.version > before.version);
    assert_true(after.expires_us > c->now_us + 6 * SIGNED_DAY);
    assert_int_equal(fake_terminal_version(&c->terminals[3]), 5);
    c->off[3] = false;
    centre_turn(c);
    assert_int_equal(fake_terminal_version(&c->terminals[3]), 6);
    assert_false(c->terminals[3].failed);
}

/* Halted for weeks: who has the new one keeps it, by heads above the group's. Nobody fails, whichever comes first. */
static void test_halted_for_weeks(void **state)
{
    struct centre *c = *state;
    struct digest six;

    settle(c, 6);
    six = centre_add_policy(c, 6, NULL);
    assert_int_equal(centre_start(c, "kazei", &six, 2), HUB_ROLLOUT_OK);
    minutes(c, 3);
    c->f->actor.now_us = c->now_us;
    assert_int_equal(hub_rollout_halt(c->f->store, &c->f->actor, "kazei"), HUB_ROLLOUT_OK);
    for (unsigned day = 0; day < 40; day += 4) {
        c->now_us += 4 * SIGNED_DAY;
        centre_turn(c);
        for (size_t i = 0; i < c->n; i++)
            assert_true(trust_state_head(c->terminals[i].state)->expires_us > c->now_us);
    }
    assert_int_equal(centre_having(c, 6), 2);
    assert_int_equal(centre_having(c, 5), 4);
    for (size_t i = 0; i < c->n; i++)
        assert_false(c->terminals[i].failed);
}

/* The policy's own end: no head goes beyond it, none is made after it, and nothing is signed every second. */
static void test_policy_ends(void **state)
{
    struct centre *c = *state;
    struct digest six;
    struct hub_head head = {0};
    uint8_t *bytes = NULL;
    size_t size = 0;
    int heads;

    settle(c, 3);
    six = centre_add_policy(c, 6, "valid: {until: 2027-01-20T00:00:00Z}\n"); /* in five days */
    assert_int_equal(centre_start(c, "kazei", &six, 0), HUB_ROLLOUT_OK);
    minutes(c, 3);
    assert_int_equal(centre_having(c, 6), 3);
    assert_int_equal(hub_head_get(c->f->store, "kazei", &head, &bytes, &size), 1);
    free(bytes);
    assert_int_equal(head.expires_us, INT64_C(1800403200) * 1000000);
    heads = fixture_ask(c->f, "SELECT count(*) FROM act WHERE what = 'head-set'");
    minutes(c, 5);
    c->now_us += 10 * SIGNED_DAY;
    minutes(c, 5);
    assert_int_equal(fixture_ask(c->f, "SELECT count(*) FROM act WHERE what = 'head-set'"), heads);
    /* And one that is over is not begun. */
    six = centre_add_policy(c, 7, "valid: {until: 2027-01-21T00:00:00Z}\n");
    assert_int_equal(centre_start(c, "kazei", &six, 1), HUB_ROLLOUT_OK);
    centre_turn(c);
    assert_int_equal(centre_rollout(c, "kazei").state, ROLLOUT_HALTED);
    assert_int_equal(centre_rollout(c, "kazei").reason, ROLLOUT_REASON_EXPIRED);
}

static void test_older(void **state)
{
    struct centre *c = *state;
    struct digest four, six, other, none = {0};

    settle(c, 4);
    four = centre_add_policy(c, 4, NULL);
    six = centre_add_policy(c, 6, NULL);
    other = centre_add_policy(c, 6, "mode: enforce\n");
    assert_int_equal(centre_start(c, "kazei", &four, 0), HUB_ROLLOUT_E_OLDER);
    assert_int_equal(centre_start(c, "nobody", &six, 0), HUB_ROLLOUT_E_GROUP);
    assert_int_equal(centre_start(c, "kazei", &none, 0), HUB_ROLLOUT_E_POLICY);
    assert_int_equal(centre_start(c, "kazei", &six, 1), HUB_ROLLOUT_OK);
    assert_int_equal(centre_start(c, "kazei", &other, 1), HUB_ROLLOUT_OK); /* nobody was sent the first one yet */
    minutes(c, 1);
    assert_int_equal(centre_start(c, "kazei", &six, 1), HUB_ROLLOUT_E_OLDER); /* the canary has another 6 */
    assert_int_equal(centre_start(c, "kazei", &other, 2), HUB_ROLLOUT_OK);    /* the same again, otherwise */
    minutes(c, 13);
    assert_int_equal(centre_having(c, 6), 4);
    assert_int_equal(centre_start(c, "kazei", &other, 0), HUB_ROLLOUT_E_RULES);
}

/* A terminal moves: membership first, then the other group's policy, although that group's head was older than what it holds. */
static void test_moves(void **state)
{
    static const char *const juki[] = {"juki", NULL}, *const nowhere[] = {"nowhere", NULL}, *const none[] = {NULL};
    struct centre *c = *state;
    struct digest nine;
    const char *id;

    settle(c, 3);
    id = c->terminals[1].id;
    nine = centre_add_policy(c, 9, NULL);
    assert_int_equal(centre_start(c, "juki", &nine, 0), HUB_ROLLOUT_OK);
    centre_turn(c);
    c->now_us += 8 * SIGNED_DAY; /* kazei's head is renewed in between */
    centre_turn(c);
    assert_int_equal(hub_terminal_move(c->f->store, &c->f->actor, id, nowhere), HUB_COMMAND_E_GROUP);
    assert_int_equal(hub_terminal_move(c->f->store, &c->f->actor, id, none), HUB_COMMAND_E_GROUP);
    assert_int_equal(hub_terminal_move(c->f->store, &c->f->actor, "tnobody", juki), HUB_COMMAND_E_TERMINAL);
    assert_int_equal(hub_terminal_move(c->f->store, &c->f->actor, id, juki), HUB_COMMAND_OK);
    assert_int_equal(hub_terminal_move(c->f->store, &c->f->actor, id, juki), HUB_COMMAND_E_SAME);
    centre_pass(c);
    assert_non_null(centre_command(c, 1, FLEET_COMMAND_MEMBERSHIP));
    centre_turn(c);
    centre_turn(c);
    assert_int_equal(c->terminals[1].n_groups, 1);
    assert_string_equal(c->terminals[1].groups[0], "juki");
    assert_int_equal(fake_terminal_version(&c->terminals[1]), 9);
    assert_false(c->terminals[1].failed);
    assert_int_equal(centre_having(c, 5), 2);
    assert_int_equal(fixture_ask(c->f, "SELECT count(*) FROM move"), 0);
}

static void test_orders(void **state)
{
    struct centre *c = *state;
    const struct message *m;
    enum fleet_order_kind kind = FLEET_ORDER_NONE;

    settle(c, 2);
    assert_int_equal(hub_order_add(c->f->store, &c->f->actor, "tnobody", FLEET_ORDER_REPORT), HUB_COMMAND_E_TERMINAL);
    assert_int_equal(hub_order_add(c->f->store, &c->f->actor, c->terminals[0].id, FLEET_ORDER_END_GRANTS),
                     HUB_COMMAND_OK);
    assert_int_equal(hub_order_add(c->f->store, &c->f->actor, c->terminals[0].id, FLEET_ORDER_REPORT), HUB_COMMAND_OK);
    centre_pass(c);
    m = centre_command(c, 0, FLEET_COMMAND_END_GRANTS);
    assert_non_null(m);
    assert_int_equal(fake_terminal_statement(&c->terminals[0], m->bytes, m->size, c->now_us, &kind), TRUST_OK);
    assert_int_equal(kind, FLEET_ORDER_END_GRANTS);
    assert_int_equal(fake_terminal_statement(&c->terminals[1], m->bytes, m->size, c->now_us, &kind), TRUST_OK);
    assert_int_equal(kind, FLEET_ORDER_NONE); /* another terminal's */
    assert_non_null(centre_command(c, 0, FLEET_COMMAND_REPORT));
    assert_null(centre_command(c, 1, FLEET_COMMAND_REPORT));
}

/* An emergency replaces what runs. */
static void test_replaced(void **state)
{
    struct centre *c = *state;
    struct digest six, seven;

    settle(c, 6);
    six = centre_add_policy(c, 6, NULL);
    seven = centre_add_policy(c, 7, NULL);
    assert_int_equal(centre_start(c, "kazei", &six, 2), HUB_ROLLOUT_OK);
    minutes(c, 3);
    assert_int_equal(centre_start(c, "kazei", &seven, 0), HUB_ROLLOUT_OK);
    minutes(c, 2);
    assert_int_equal(centre_having(c, 7), 6);
    assert_int_equal(fixture_ask(c->f, "SELECT state FROM rollout WHERE number = 2"), ROLLOUT_REPLACED);
    assert_int_equal(fixture_ask(c->f, "SELECT count(*) FROM rollout WHERE state < 3"), 0);
}

/* A new root: bundles carry the chain, terminals that held the old one follow. */
static void test_root_rotates(void **state)
{
    struct centre *c = *state;
    struct digest six;

    settle(c, 3);
    centre_add_root(c, signed_usual_root(4), 4);
    six = centre_add_policy(c, 6, NULL);
    assert_int_equal(centre_start(c, "kazei", &six, 0), HUB_ROLLOUT_OK);
    minutes(c, 2);
    assert_int_equal(centre_having(c, 6), 3);
    for (size_t i = 0; i < c->n; i++)
        assert_int_equal(trust_state_root(c->terminals[i].state)->version, 4);
}

/* --- reports --- */

static void test_intake(void **state)
{
    struct centre *c = *state;
    uint8_t *first = NULL, *second = NULL, *fork = NULL;
    size_t first_size = 0, second_size = 0, fork_size = 0;
    struct hub_report report = {0};
    int64_t contact = 0;

    settle(c, 2);
    fake_terminal_report(&c->terminals[0], c->now_us, &first, &first_size);
    fake_terminal_report(&c->terminals[0], c->now_us, &second, &second_size);
    assert_int_equal(centre_intake(c, c->terminals[0].id, second, second_size), ROLLOUT_INTAKE_OK);
    assert_int_equal(centre_intake(c, c->terminals[0].id, first, first_size), ROLLOUT_INTAKE_KNOWN); /* replayed */
    assert_int_equal(centre_intake(c, c->terminals[0].id, second, second_size), ROLLOUT_INTAKE_KNOWN);
    assert_int_equal(centre_intake(c, c->terminals[1].id, second, second_size), ROLLOUT_INTAKE_E_BAD); /* as another */
    assert_int_equal(centre_intake(c, "taaaaaaaaaaaaaaaaaaaa", second, second_size), ROLLOUT_INTAKE_E_NOBODY);
    second[second_size / 2] ^= 1;
    assert_int_equal(centre_intake(c, c->terminals[0].id, second, second_size), ROLLOUT_INTAKE_E_BAD);
    assert_int_equal(centre_intake(c, c->terminals[0].id, (const uint8_t *)"{}", 2), ROLLOUT_INTAKE_E_BAD);
    assert_int_equal(centre_intake(c, c->terminals[0].id, (const uint8_t *)"", 0), ROLLOUT_INTAKE_E_BAD);
    c->terminals[0].records += 256; /* the same hash as before, further */
    assert_int_equal(hub_report_get(c->f->store, c->terminals[0].id, &report, NULL, NULL), 1);
    assert_int_equal(report.policy_version, 5);
    assert_string_equal(report.head_group, "kazei");
    assert_false(report.failed);
    c->terminals[0].records = report.journal_sequence;
    {
        struct fleet_statement *s = NULL;
        struct trust_envelope *e = NULL;

        fake_terminal_report(&c->terminals[0], c->now_us, &fork, &fork_size);
        assert_int_equal(trust_envelope_parse(fork, fork_size, &e, NULL), TRUST_OK);
        assert_int_equal(fleet_statement_parse(FLEET_REPORT, e->payload, e->size, &s, NULL), TRUST_OK);
        free(fork);
        s->report.journal.hash.bytes[0] ^= 1;
        assert_int_equal(fleet_statement_seal(s, c->terminals[0].key, &fork, &fork_size, NULL), TRUST_OK);
        (void)fleet_statement_free(s);
        trust_envelope_free(e);
    }
    assert_int_equal(centre_intake(c, c->terminals[0].id, fork, fork_size), ROLLOUT_INTAKE_E_FORK);
    assert_int_equal(hub_contact_get(c->f->store, c->terminals[0].id, &contact), 1);
    assert_int_equal(contact, c->now_us);
    fixture_change(c->f, "UPDATE terminal SET revoked = 1");
    assert_int_equal(centre_intake(c, c->terminals[0].id, first, first_size), ROLLOUT_INTAKE_E_NOBODY);
    free(first);
    free(second);
    free(fork);
}

/* Records are a sign of life as well as reports are. */
static void test_heard_by_records(void **state)
{
    struct centre *c = *state;
    int64_t contact = 0;
    char sql[256];

    settle(c, 2);
    assert_int_equal(hub_contact_get(c->f->store, "taaaaaaaaaaaaaaaaaaaa", &contact), 0);
    (void)snprintf(sql, sizeof(sql), "INSERT INTO chain VALUES('%s', 1, zeroblob(32), 0, %lld)", c->terminals[0].id,
                   (long long)c->now_us + 7);
    fixture_change(c->f, sql);
    assert_int_equal(hub_contact_get(c->f->store, c->terminals[0].id, &contact), 1);
    assert_int_equal(contact, c->now_us + 7);
    assert_int_equal(hub_contact_get(c->f->store, c->terminals[1].id, &contact), 1);
    assert_true(contact < c->now_us);
}

/* Everything a person and the hub did stands in the journal, and that is whole. */
static void test_journal(void **state)
{
    struct centre *c = *state;
    struct digest six, head;
    uint64_t seq = 0;

    settle(c, 4);
    six = centre_add_policy(c, 6, NULL);
    assert_int_equal(centre_start(c, "kazei", &six, 1), HUB_ROLLOUT_OK);
    minutes(c, 13);
    assert_int_equal(hub_journal_walk(c->f->store, NULL, NULL, &seq, &head), HUB_JOURNAL_WHOLE);
    assert_int_equal(fixture_ask(c->f, "SELECT count(*) FROM act WHERE what = 'rollout-start'"), 2);
    assert_int_equal(fixture_ask(c->f, "SELECT count(*) FROM act WHERE what = 'rollout-publish'"), 2);
}

#define CASE(test) cmocka_unit_test_setup_teardown(test, centre_begin, centre_end)

int main(void)
{
    const struct CMUnitTest tests[] = {
        CASE(test_no_root),      CASE(test_all_good),   CASE(test_canary_fails),     CASE(test_restarted),
        CASE(test_wire_down),    CASE(test_comes_back), CASE(test_halted_for_weeks), CASE(test_policy_ends),
        CASE(test_older),        CASE(test_moves),      CASE(test_orders),           CASE(test_replaced),
        CASE(test_root_rotates), CASE(test_intake),     CASE(test_journal),          CASE(test_heard_by_records),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
