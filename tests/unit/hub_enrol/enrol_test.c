/* Who becomes a terminal, and who does not: everything but the connection. What a terminal would do with the answer is done here. */
#include "test.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "fake/hub.h"
#include "hub/enrol/enrol.h"
#include "hub/enrol/root_chain.h"
#include "hub/store/journal.h"
#include "hub/store/terminals.h"
#include "hub/store/tokens.h"

static const int64_t minute = INT64_C(60) * 1000000;

struct fixture {
    struct fake_hub hub;
    struct hub_enrol *enrol;
    struct hub_store *store;
    int64_t now;
};

static int begin_bare(void **state)
{
    static struct fixture f;

    f = (struct fixture){.now = SIGNED_NOW};
    fake_hub_begin(&f.hub, SIGNED_NOW);
    assert_int_equal(hub_enrol_open(f.hub.place, f.now, &f.enrol), 0);
    f.store = fake_hub_store(&f.hub);
    *state = &f;
    return 0;
}

static int begin(void **state)
{
    (void)begin_bare(state);
    return fake_hub_add_root(&((struct fixture *)*state)->hub, signed_usual_root(1), SIGNED_NOW);
}

static int end(void **state)
{
    struct fixture *f = *state;

    f->enrol = hub_enrol_free(f->enrol);
    f->store = hub_store_free(f->store);
    fake_hub_end(&f->hub);
    return 0;
}

/* --- asking --- */

static json_t *ask_with(struct fixture *f, const char *body, unsigned status, const char *error)
{
    const struct hub_enrol_call call = {
        .body = (const uint8_t *)body, .size = strlen(body), .address = "192.0.2.7", .now_us = f->now};
    struct hub_enrol_answer answer = {0};

    assert_int_equal(hub_enrol_call(f->enrol, &call, &answer), 0);
    if (answer.status != status || !text_equal(answer.error, error))
        fail_msg("%u %s instead of %u %s", answer.status, answer.error, status, error);
    assert_non_null(answer.body);
    if (error)
        assert_string_equal(json_string_value(json_object_get(answer.body, "error")), error);
    return answer.body;
}

static json_t *ask(struct fixture *f, const struct fake_machine *m, const char *token, unsigned status,
                   const char *error)
{
    _cleanup_free_ char *body = fake_enrolment(&f->hub, m, token, f->now);

    return ask_with(f, body, status, error);
}

static void refused(struct fixture *f, const struct fake_machine *m, const char *token, unsigned status,
                    const char *error)
{
    json_decref(ask(f, m, token, status, error));
}

static void refused_body(struct fixture *f, const char *body, const char *error)
{
    json_decref(ask_with(f, body, 400, error));
}

static struct fake_machine other_machine(void)
{
    return (struct fake_machine){.journal = STATEMENT_OTHER,
                                 .wire = STATEMENT_OTHER + 1,
                                 .host = "kazei-08",
                                 .serial = "5CG9999XYZ",
                                 .nonce = 2};
}

/* --- looking --- */

struct counted {
    const char *what;
    int n;
};

static int count(void *context, const struct hub_record *record)
{
    struct counted *c = context;

    c->n += text_equal(record->what, c->what);
    return 0;
}

static int records(struct fixture *f, const char *what)
{
    struct counted counted = {.what = what};
    struct digest head;
    uint64_t seq = 0;

    assert_int_equal(hub_journal_walk(f->store, count, &counted, &seq, &head), HUB_JOURNAL_WHOLE);
    return counted.n;
}

static bool find(struct fixture *f, unsigned journal, struct hub_terminal *ret)
{
    char id[FLEET_ID_SIZE];

    statement_terminal(journal, id);
    return hub_terminal_get(f->store, id, ret, NULL) > 0;
}

/* The membership of an answer, as the terminal verifies it: under the root that came with it. */
static struct fleet_statement *membership_of(struct fixture *f, const json_t *answer)
{
    const json_t *roots = json_object_get(answer, "roots");
    _cleanup_free_ char *root = json_dumps(json_array_get(roots, json_array_size(roots) - 1), 0),
                        *membership = json_dumps(json_object_get(answer, "membership"), 0);
    struct trust_state *state = NULL;
    struct fleet_statement *s = NULL;

    assert_int_equal(trust_install_root((const uint8_t *)root, strlen(root), f->now, &state, NULL), TRUST_OK);
    assert_int_equal(fleet_open_from_centre((const uint8_t *)membership, strlen(membership),
                                            FLEET_KIND(FLEET_MEMBERSHIP), trust_state_root(state), f->now, &s, NULL),
                     TRUST_OK);
    (void)trust_state_free(state);
    return s;
}

static uint64_t serial_of(struct fixture *f, const json_t *answer)
{
    struct fleet_statement *s = membership_of(f, answer);
    uint64_t serial = s->membership.serial;

    (void)fleet_statement_free(s);
    return serial;
}

/* --- tests --- */

static void test_let_in(void **state)
{
    struct fixture *f = *state;
    struct fake_token token = fake_hub_token(&f->hub, NULL, false, f->now);
    json_t *answer = ask(f, &fake_machine_usual, token.text, 200, NULL);
    struct fleet_statement *s = membership_of(f, answer);
    struct fleet_self self = {.organization = SIGNED_ORGANIZATION};
    struct hub_terminal t;

    signed_public(STATEMENT_JOURNAL, self.journal);
    statement_wire(STATEMENT_WIRE, self.wire);
    assert_int_equal(fleet_membership_is_for(s, &self), FLEET_OK);
    assert_int_equal(s->membership.groups.n, 1);
    assert_string_equal(s->membership.groups.names[0], "kazei");
    assert_int_equal(s->membership.serial, SIGNED_NOW / 1000000);
    assert_string_equal(json_string_value(json_array_get(json_object_get(answer, "urls"), 0)),
                        "tls://hub.example:4222");
    assert_true(text_starts(json_string_value(json_object_get(answer, "jwt")), "eyJ"));
    assert_true(find(f, STATEMENT_JOURNAL, &t));
    assert_string_equal(t.name, "kazei-07");
    assert_string_equal(t.serial, "5CG1234ABC");
    assert_int_equal(t.token, token.number);
    assert_int_equal(records(f, "terminal-enrol"), 1);
    (void)fleet_statement_free(s);
    json_decref(answer);
}

/* The answer was lost: the same request, or a new one by the same keys with the same token, is answered the same. */
static void test_again(void **state)
{
    struct fixture *f = *state;
    struct fake_token token = fake_hub_token(&f->hub, NULL, false, f->now);
    struct fake_machine m = fake_machine_usual;
    json_t *first = ask(f, &m, token.text, 200, NULL), *second;

    f->now += 5 * minute;
    second = ask(f, &m, token.text, 200, NULL);
    assert_true(json_equal(json_object_get(first, "membership"), json_object_get(second, "membership")));
    json_decref(second);
    m.nonce++;
    f->now += 100 * 60 * minute; /* the token itself is over */
    second = ask(f, &m, token.text, 200, NULL);
    assert_true(json_equal(json_object_get(first, "membership"), json_object_get(second, "membership")));
    json_decref(second);
    json_decref(first);
    assert_int_equal(records(f, "terminal-enrol"), 1);
    assert_int_equal(records(f, "alarm-token-misused"), 0);
    m.wire = STATEMENT_OTHER + 2; /* but not with another key of the wire */
    refused(f, &m, token.text, 403, "token-used");
    assert_int_equal(records(f, "alarm-token-misused"), 1);
}

static void test_token_of_another(void **state)
{
    struct fixture *f = *state;
    struct fake_token token = fake_hub_token(&f->hub, NULL, false, f->now);
    struct fake_machine other = other_machine();
    struct hub_terminal t;

    json_decref(ask(f, &fake_machine_usual, token.text, 200, NULL));
    for (int i = 0; i < 2 * HUB_TOKEN_MISUSED_MAX; i++)
        refused(f, &other, token.text, 403, "token-used");
    assert_false(find(f, STATEMENT_OTHER, &t));
    /* Told, and not so often that the journal is full of it. */
    assert_int_equal(records(f, "alarm-token-misused"), HUB_TOKEN_MISUSED_MAX);
}

static void test_tokens_refused(void **state)
{
    struct fixture *f = *state;
    struct fake_token token = fake_hub_token(&f->hub, "5CG9999XYZ", false, f->now), revoked, over;
    const struct hub_actor actor = {.name = "local:tanaka", .now_us = f->now};
    struct fake_machine silent = fake_machine_usual;
    struct hub_terminal t;

    refused(f, &fake_machine_usual, "AAAA-AAAA-AAAA-AAAA-AAAA-AAAA-AAAA-AAAA", 403, "token-unknown");
    refused(f, &fake_machine_usual, "x", 403, "token-unknown");
    refused(f, &fake_machine_usual, token.text, 403, "token-machine");
    silent.serial = NULL;
    refused(f, &silent, token.text, 403, "token-machine");
    revoked = fake_hub_token(&f->hub, NULL, false, f->now);
    assert_int_equal(hub_token_revoke(f->store, &actor, revoked.number), HUB_TOKEN_OK);
    refused(f, &fake_machine_usual, revoked.text, 403, "token-revoked");
    over = fake_hub_token(&f->hub, NULL, false, f->now);
    f->now += 72 * 60 * minute;
    refused(f, &fake_machine_usual, over.text, 403, "token-expired");
    assert_false(find(f, STATEMENT_JOURNAL, &t));
    assert_int_equal(records(f, "alarm-token-misused"), 4);
}

static void test_requests_refused(void **state)
{
    struct fixture *f = *state;
    struct fake_token token = fake_hub_token(&f->hub, NULL, false, f->now);
    _cleanup_free_ char *good = fake_enrolment(&f->hub, &fake_machine_usual, token.text, f->now), *body = NULL;
    struct fake_hub another = f->hub;
    struct hub_terminal t;

    refused_body(f, "", "malformed");
    refused_body(f, "[]", "malformed");
    refused_body(f, "{\"token\": \"x\"}", "malformed");
    refused_body(f, "{\"token\": \"x\", \"enrolment\": {}}", "malformed");
    refused_body(f, "{\"token\": \"x\", \"token\": \"x\", \"enrolment\": {}}", "duplicate-key");
    refused_body(f, "{\"token\": \"\\u0000x\", \"enrolment\": {}}", "malformed");
    /* The signature is of other bytes. */
    memcpy(strstr(good, "\"sig\": \"") + strlen("\"sig\": \""), "AAAA", 4);
    refused_body(f, good, "bad-signature");
    /* With a token it was not made for. */
    body = fake_enrolment(&f->hub, &fake_machine_usual, token.text, f->now);
    strstr(body, token.text)[0] = token.text[0] == 'A' ? 'B' : 'A';
    refused_body(f, body, "token");
    free(body);
    another.ca.bytes[0] ^= 1;
    body = fake_enrolment(&another, &fake_machine_usual, token.text, f->now);
    refused_body(f, body, "centre");
    free(body);
    body = fake_enrolment(&f->hub, &fake_machine_usual, token.text, f->now - 25 * 60 * minute);
    refused_body(f, body, "expired");
    free(body);
    body = fake_enrolment(&f->hub, &fake_machine_usual, token.text, f->now + 25 * 60 * minute);
    refused_body(f, body, "not-yet");
    assert_false(find(f, STATEMENT_JOURNAL, &t));
    json_decref(ask(f, &fake_machine_usual, token.text, 200, NULL)); /* and nothing of it used the token up */
}

static void test_keys_of_another(void **state)
{
    struct fixture *f = *state;
    struct fake_token one = fake_hub_token(&f->hub, NULL, false, f->now),
                      two = fake_hub_token(&f->hub, NULL, false, f->now);
    struct fake_machine thief = other_machine();

    json_decref(ask(f, &fake_machine_usual, one.text, 200, NULL));
    thief.wire = fake_machine_usual.wire;
    refused(f, &thief, two.text, 409, "keys");
    thief.wire = STATEMENT_OTHER + 1;
    json_decref(ask(f, &thief, two.text, 200, NULL)); /* the token was not used up */
}

static void test_approval(void **state)
{
    struct fixture *f = *state;
    struct fake_token token = fake_hub_token(&f->hub, NULL, true, f->now);
    const struct hub_actor actor = {.name = "local:tanaka", .now_us = f->now};
    struct hub_terminal t;
    json_t *answer;

    for (int i = 0; i < 2; i++) {
        answer = ask(f, &fake_machine_usual, token.text, 202, NULL);
        assert_string_equal(json_string_value(json_object_get(answer, "state")), "waits");
        assert_int_equal(json_object_size(answer), 1);
        json_decref(answer);
    }
    assert_true(find(f, STATEMENT_JOURNAL, &t));
    assert_int_equal(hub_terminal_approve(f->store, &actor, "tnobody"), HUB_TERMINAL_E_UNKNOWN);
    assert_int_equal(hub_terminal_approve(f->store, &actor, t.id), HUB_TERMINAL_OK);
    assert_int_equal(hub_terminal_approve(f->store, &actor, t.id), HUB_TERMINAL_E_UNKNOWN);
    answer = ask(f, &fake_machine_usual, token.text, 200, NULL);
    assert_true(serial_of(f, answer) > 0);
    json_decref(answer);
}

static void test_revoked(void **state)
{
    struct fixture *f = *state;
    struct fake_token one = fake_hub_token(&f->hub, NULL, false, f->now),
                      two = fake_hub_token(&f->hub, NULL, false, f->now);
    const struct hub_actor actor = {.name = "local:tanaka", .now_us = f->now};
    struct hub_terminal t;

    json_decref(ask(f, &fake_machine_usual, one.text, 200, NULL));
    assert_true(find(f, STATEMENT_JOURNAL, &t));
    assert_int_equal(hub_terminal_revoke(f->store, &actor, t.id), HUB_TERMINAL_OK);
    assert_int_equal(hub_terminal_revoke(f->store, &actor, t.id), HUB_TERMINAL_E_UNKNOWN);
    refused(f, &fake_machine_usual, one.text, 403, "revoked");
    refused(f, &fake_machine_usual, two.text, 403, "revoked");
}

/* By its own key with a new token: another key of the wire, a later membership. */
static void test_enrolled_anew(void **state)
{
    struct fixture *f = *state;
    struct fake_token one = fake_hub_token(&f->hub, NULL, false, f->now),
                      two = fake_hub_token(&f->hub, NULL, false, f->now);
    struct fake_machine m = fake_machine_usual;
    json_t *first = ask(f, &m, one.text, 200, NULL), *second;

    m.wire = STATEMENT_OTHER + 1;
    second = ask(f, &m, two.text, 200, NULL);
    assert_true(serial_of(f, second) > serial_of(f, first));
    assert_int_equal(records(f, "terminal-enrol-again"), 1);
    json_decref(first);
    json_decref(second);
    refused(f, &m, one.text, 403, "token-used"); /* the first token was for the first time */
}

static void test_superseded(void **state)
{
    struct fixture *f = *state;
    struct fake_machine anew = other_machine();
    struct fake_token token = fake_hub_token(&f->hub, NULL, false, f->now);
    struct hub_terminal old, new;

    json_decref(ask(f, &fake_machine_usual, token.text, 200, NULL));
    anew.serial = fake_machine_usual.serial; /* the same machine, installed anew */
    token = fake_hub_token(&f->hub, NULL, true, f->now);
    json_decref(ask(f, &anew, token.text, 202, NULL));
    assert_true(find(f, STATEMENT_JOURNAL, &old));
    assert_string_equal(old.successor, ""); /* not before a person believes it */
    assert_true(find(f, STATEMENT_OTHER, &new));
    assert_int_equal(
        hub_terminal_approve(f->store, &(struct hub_actor){.name = "local:tanaka", .now_us = f->now}, new.id),
        HUB_TERMINAL_OK);
    assert_true(find(f, STATEMENT_JOURNAL, &old));
    assert_string_equal(old.successor, new.id);
    assert_int_equal(old.revoked_us, 0);
    assert_int_equal(records(f, "terminal-supersede"), 1);
}

/* A store that was brought back from a copy knows an older serial than its terminals. */
static void test_serial_after_a_restore(void **state)
{
    struct fixture *f = *state;
    struct fake_token token = fake_hub_token(&f->hub, NULL, false, f->now);
    json_t *answer;

    f->now += 1000 * minute;
    answer = ask(f, &fake_machine_usual, token.text, 200, NULL);
    assert_int_equal(serial_of(f, answer), f->now / 1000000);
    json_decref(answer);
}

static void test_no_root(void **state)
{
    struct fixture *f = *state;
    struct fake_token token = fake_hub_token(&f->hub, NULL, false, f->now);

    refused(f, &fake_machine_usual, token.text, 503, "no-root");
    assert_int_equal(fake_hub_add_root(&f->hub, signed_usual_root(1), f->now), ROOT_CHAIN_OK);
    json_decref(ask(f, &fake_machine_usual, token.text, 200, NULL));
    f->now = signed_root_default.expires_us;
    refused(f, &fake_machine_usual, token.text, 503, "root-expired");
}

static void test_roots(void **state)
{
    struct fixture *f = *state;
    struct signed_root other = signed_root_version(1);
    struct fake_token token = fake_hub_token(&f->hub, NULL, false, f->now);
    json_t *answer;

    other.organization = "yokohama.example";
    assert_int_equal(fake_hub_add_root(&f->hub, signed_make_root(&other, SIGNED_ROOT_SIGNERS), f->now),
                     ROOT_CHAIN_E_ORGANIZATION);
    other = signed_root_version(1);
    other.keys[TRUST_ROLE_HEAD] = KEY(7);
    assert_int_equal(fake_hub_add_root(&f->hub, signed_make_root(&other, SIGNED_ROOT_SIGNERS), f->now),
                     ROOT_CHAIN_E_HEAD);
    other.keys[TRUST_ROLE_HEAD] = KEY(6) | KEY(7);
    other.thresholds[TRUST_ROLE_HEAD] = 2;
    assert_int_equal(fake_hub_add_root(&f->hub, signed_make_root(&other, SIGNED_ROOT_SIGNERS), f->now),
                     ROOT_CHAIN_E_HEAD);
    other = signed_root_version(1);
    assert_int_equal(fake_hub_add_root(&f->hub, signed_make_root(&other, KEY(0)), f->now), ROOT_CHAIN_E_REFUSED);
    other.expires_us = f->now;
    assert_int_equal(fake_hub_add_root(&f->hub, signed_make_root(&other, SIGNED_ROOT_SIGNERS), f->now),
                     ROOT_CHAIN_E_REFUSED);
    assert_int_equal(fake_hub_add_root(&f->hub, signed_usual_policy(1, NULL), f->now), ROOT_CHAIN_E_REFUSED);
    assert_int_equal(records(f, "root-add"), 0);
    assert_int_equal(fake_hub_add_root(&f->hub, signed_usual_root(1), f->now), ROOT_CHAIN_OK);
    assert_int_equal(fake_hub_add_root(&f->hub, signed_usual_root(1), f->now), ROOT_CHAIN_E_KNOWN);
    assert_int_equal(fake_hub_add_root(&f->hub, signed_usual_root(3), f->now), ROOT_CHAIN_E_REFUSED); /* skips one */
    assert_int_equal(fake_hub_add_root(&f->hub, signed_usual_root(2), f->now), ROOT_CHAIN_OK);
    assert_int_equal(records(f, "root-add"), 2);
    answer = ask(f, &fake_machine_usual, token.text, 200, NULL);
    assert_int_equal(json_array_size(json_object_get(answer, "roots")), 2);
    (void)serial_of(f, answer);
    json_decref(answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_let_in, begin, end),
        cmocka_unit_test_setup_teardown(test_again, begin, end),
        cmocka_unit_test_setup_teardown(test_token_of_another, begin, end),
        cmocka_unit_test_setup_teardown(test_tokens_refused, begin, end),
        cmocka_unit_test_setup_teardown(test_requests_refused, begin, end),
        cmocka_unit_test_setup_teardown(test_keys_of_another, begin, end),
        cmocka_unit_test_setup_teardown(test_approval, begin, end),
        cmocka_unit_test_setup_teardown(test_revoked, begin, end),
        cmocka_unit_test_setup_teardown(test_enrolled_anew, begin, end),
        cmocka_unit_test_setup_teardown(test_superseded, begin, end),
        cmocka_unit_test_setup_teardown(test_serial_after_a_restore, begin, end),
        cmocka_unit_test_setup_teardown(test_no_root, begin_bare, end),
        cmocka_unit_test_setup_teardown(test_roots, begin_bare, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
