/*
 * A taken centre: somebody has its online key, as `kuraban-hub init` made it, and writes whatever they like with it. What a terminal takes
 * from them is a choice among policies that two people signed, a membership, requests and the end of permissions; and nothing else, each tried.
 * Runs beside others.
 */
#include "component/people_fixture.h"

#include <string.h>

#include "fake/terminal.h"
#include "hub/rollout/intake.h"

#define ISSUED (clock_wall_us() / 1000000 * 1000000)

struct taken {
    char directory[64];
    EVP_PKEY *head; /* in the attacker's hands */
    struct signed_bytes root;
    struct fake_terminal terminal; /* of kazei, ruled by version 5 */
    uint64_t heads;
    unsigned tried, refused;
};

/* --- what the attacker can write --- */

static struct signed_bytes sealed(struct taken *t, struct trust_envelope *e)
{
    assert_int_equal(trust_envelope_sign(e, t->head), TRUST_OK);
    return signed_file(e);
}

static struct trust_head head_for(struct taken *t, const struct trust_envelope *policy, uint64_t version)
{
    static char organization[] = SIGNED_ORGANIZATION, group[] = "kazei";
    struct trust_head h = {.organization = organization,
                           .group = group,
                           .version = ++t->heads,
                           .issued_us = ISSUED,
                           .expires_us = ISSUED + 14 * SIGNED_DAY,
                           .policy_version = version};

    assert_int_equal(digest_bytes(policy->payload, policy->size, &h.policy_sha256), 0);
    return h;
}

/* A bundle of this policy, which is taken, and a head by the taken key. */
static struct signed_bytes bundled(struct taken *t, struct trust_envelope *policy, const struct trust_head *head)
{
    struct trust_envelope *e = NULL;
    uint8_t *payload = NULL;
    size_t size = 0;

    assert_int_equal(trust_head_write(head, &payload, &size, NULL), TRUST_OK);
    assert_int_equal(trust_envelope_new(TRUST_TYPE_HEAD, payload, size, &e), TRUST_OK);
    assert_int_equal(trust_envelope_sign(e, t->head), TRUST_OK);
    free(payload);
    return signed_bundle(NULL, 0, policy, e);
}

static struct trust_envelope *policy_of(uint64_t version, const char *more, unsigned signers)
{
    return signed_make_policy(&(struct signed_policy){SIGNED_ORGANIZATION, version, more}, signers);
}

#define PEOPLE (KEY(2) | KEY(3))

/* Selects it with a good head. */
static struct signed_bytes selected(struct taken *t, uint64_t version, const char *more, unsigned signers)
{
    struct trust_envelope *policy = policy_of(version, more, signers);
    const struct trust_head head = head_for(t, policy, version);

    return bundled(t, policy, &head);
}

/* --- what the terminal says to it --- */

static void tried(struct taken *t, const char *what, int result, int want)
{
    t->tried++;
    t->refused += result != TRUST_OK;
    printf("  %-66s %s\n", what, result == TRUST_OK ? "taken" : trust_result_name((enum trust_result)result));
    assert_int_equal(result, want);
}

static void give(struct taken *t, const char *what, struct signed_bytes b, int want)
{
    const uint64_t before = fake_terminal_version(&t->terminal);
    int r = fake_terminal_bundle(&t->terminal, b.data, b.size, clock_wall_us());

    free(b.data);
    tried(t, what, r, want);
    if (want != TRUST_OK)
        assert_int_equal(fake_terminal_version(&t->terminal), before);
}

static int begin(void **state)
{
    static struct taken t;
    char command[256], place[80];

    t = (struct taken){0};
    *state = &t;
    (void)snprintf(t.directory, sizeof(t.directory), "/tmp/kuraban-taken.XXXXXX");
    assert_non_null(mkdtemp(t.directory));
    (void)snprintf(place, sizeof(place), "%s/centre", t.directory);
    (void)snprintf(command, sizeof(command),
                   "%s/bin/kuraban-hub --directory %s init --organization " SIGNED_ORGANIZATION
                   " --address hub.example > %s/out",
                   getenv("KURABAN_BUILD"), place, t.directory);
    assert_int_equal(system(command), 0);
    t.head = people_head(place);
    t.root = people_root(t.head, 1);
    fake_terminal_begin(&t.terminal, 1, t.root.data, t.root.size, "kazei", clock_wall_us());
    t.heads = 100;
    {
        struct signed_bytes b = selected(&t, 5, NULL, PEOPLE);

        assert_int_equal(fake_terminal_bundle(&t.terminal, b.data, b.size, clock_wall_us()), TRUST_OK);
        free(b.data);
    }
    return 0;
}

static int end(void **state)
{
    struct taken *t = *state;
    char command[128];

    printf("  %u tried, %u refused\n", t->tried, t->refused);
    fake_terminal_end(&t->terminal);
    EVP_PKEY_free(t->head);
    free(t->root.data);
    (void)snprintf(command, sizeof(command), "rm -rf %s", t->directory);
    return system(command);
}

/* --- policies --- */

static void test_can_choose(void **state)
{
    struct taken *t = *state;

    give(t, "a later policy that two people signed", selected(t, 6, NULL, PEOPLE), TRUST_OK);
    assert_int_equal(fake_terminal_version(&t->terminal), 6);
    give(t, "the same again, with another head", selected(t, 6, NULL, PEOPLE), TRUST_OK);
}

static void test_cannot_add(void **state)
{
    struct taken *t = *state;
    struct trust_envelope *own = policy_of(7, NULL, 0), *half = policy_of(7, NULL, KEY(2));
    struct trust_head h = head_for(t, own, 7);

    assert_int_equal(trust_envelope_sign(own, t->head), TRUST_OK);
    assert_int_equal(trust_envelope_sign(half, t->head), TRUST_OK);
    give(t, "a policy that the centre's key signed", bundled(t, own, &h), TRUST_E_THRESHOLD);
    h.version = ++t->heads;
    give(t, "a policy of one person and the centre's key", bundled(t, half, &h), TRUST_E_THRESHOLD);
    give(t, "a policy that nobody signed", selected(t, 7, NULL, 0), TRUST_E_THRESHOLD);
    give(t, "the version that rules with other content, signed by people", selected(t, 6, "mode: enforce\n", PEOPLE),
         TRUST_E_SAME_VERSION);
    {
        struct trust_envelope *seven = policy_of(7, NULL, PEOPLE), *eight = policy_of(8, NULL, PEOPLE);

        h = head_for(t, eight, 8);
        give(t, "a head for one policy beside another", bundled(t, seven, &h), TRUST_E_HEAD_MISMATCH);
        trust_envelope_free(eight);
    }
    give(t, "a bare document", signed_text_bytes("format: kuraban-policy/1\nversion: 9\n"), TRUST_E_UNSIGNED);
}

static void test_cannot_go_back(void **state)
{
    struct taken *t = *state;

    give(t, "an older policy that two people signed", selected(t, 5, NULL, PEOPLE), TRUST_E_ROLLBACK);
    give(t, "the first one there was", selected(t, 1, NULL, PEOPLE), TRUST_E_ROLLBACK);
}

static void test_cannot_stretch(void **state)
{
    struct taken *t = *state;
    struct trust_envelope *seven = policy_of(7, NULL, PEOPLE);
    struct trust_head h = head_for(t, seven, 7);
    struct trust_envelope *e = NULL;
    struct signed_bytes b = {0};

    give(t, "a policy whose own time is over, with a head of two weeks",
         selected(t, 7, "valid: {until: 2026-01-01T00:00:00Z}\n", PEOPLE), TRUST_E_EXPIRED);
    give(t, "a policy whose time has not come", selected(t, 7, "valid: {from: 2099-01-01T00:00:00Z}\n", PEOPLE),
         TRUST_E_NOT_YET);
    h.issued_us += 2 * SIGNED_DAY;
    h.expires_us += 2 * SIGNED_DAY;
    give(t, "a head from the day after tomorrow", bundled(t, seven, &h), TRUST_E_NOT_YET);
    seven = policy_of(7, NULL, PEOPLE);
    h = head_for(t, seven, 7);
    assert_int_equal(trust_head_write(&h, &b.data, &b.size, NULL), TRUST_OK);
    b = signed_edited(b, "\"expires\": \"20", "\"expires\": \"21"); /* a century more */
    assert_int_equal(trust_envelope_new(TRUST_TYPE_HEAD, b.data, b.size, &e), TRUST_OK);
    assert_int_equal(trust_envelope_sign(e, t->head), TRUST_OK);
    free(b.data);
    give(t, "a head for a century", signed_bundle(NULL, 0, seven, e), TRUST_E_MALFORMED);
    seven = policy_of(7, NULL, PEOPLE);
    h = head_for(t, seven, 7);
    h.issued_us -= 20 * SIGNED_DAY;
    h.expires_us -= 20 * SIGNED_DAY;
    give(t, "a head that is over", bundled(t, seven, &h), TRUST_E_HEAD_EXPIRED);
}

static void test_cannot_cross(void **state)
{
    static char juki[] = "juki", other[] = "other.example";
    struct taken *t = *state;
    struct trust_envelope *seven = policy_of(7, NULL, PEOPLE);
    struct trust_head h = head_for(t, seven, 7);

    h.group = juki;
    give(t, "a head for another group", bundled(t, seven, &h), TRUST_E_SCOPE);
    give(t, "a policy for another group", selected(t, 7, "scope: {groups: [juki]}\n", PEOPLE), TRUST_E_SCOPE);
    seven = policy_of(7, NULL, PEOPLE);
    h = head_for(t, seven, 7);
    h.organization = other;
    give(t, "a head for another organization", bundled(t, seven, &h), TRUST_E_ORGANIZATION);
    seven = signed_make_policy(&(struct signed_policy){"other.example", 7, NULL}, PEOPLE);
    h = head_for(t, seven, 7);
    give(t, "a policy for another organization", bundled(t, seven, &h), TRUST_E_ORGANIZATION);
}

static void test_cannot_rule(void **state)
{
    struct taken *t = *state;
    struct signed_bytes document = people_root_document(t->head, 2);
    struct trust_envelope *root = NULL;

    assert_int_equal(trust_envelope_new(TRUST_TYPE_ROOT, document.data, document.size, &root), TRUST_OK);
    give(t, "a root document that the centre's key signed", sealed(t, root), TRUST_E_ROOT_CHAIN);
    root = signed_envelope(TRUST_TYPE_ROOT, document.data, document.size, KEY(0));
    give(t, "a root document of one person and the centre's key", sealed(t, root), TRUST_E_ROOT_CHAIN);
    free(document.data);
}

/* --- statements --- */

static struct fleet_statement order(struct taken *t, enum fleet_order_kind kind)
{
    static char organization[] = SIGNED_ORGANIZATION;
    struct fleet_statement s = {
        .kind = FLEET_ORDER,
        .order = {.organization = organization, .kind = kind, .issued_us = ISSUED, .expires_us = ISSUED + SIGNED_DAY}};

    memcpy(s.order.terminal, t->terminal.id, sizeof(s.order.terminal));
    memset(s.order.id, 1, sizeof(s.order.id));
    return s;
}

static int tell(struct taken *t, struct signed_bytes b, enum fleet_order_kind *ret)
{
    int r = fake_terminal_statement(&t->terminal, b.data, b.size, clock_wall_us(), ret);

    free(b.data);
    return r;
}

static struct signed_bytes statement(struct taken *t, const struct fleet_statement *s)
{
    struct signed_bytes b = {0};

    assert_int_equal(fleet_statement_seal(s, t->head, &b.data, &b.size, NULL), TRUST_OK);
    return b;
}

static void test_can_ask_and_take_away(void **state)
{
    static char organization[] = SIGNED_ORGANIZATION, juki[] = "juki";
    struct taken *t = *state;
    struct fleet_statement s = order(t, FLEET_ORDER_REPORT);
    enum fleet_order_kind kind = FLEET_ORDER_NONE;

    tried(t, "the order to report", tell(t, statement(t, &s), &kind), TRUST_OK);
    assert_int_equal(kind, FLEET_ORDER_REPORT);
    s = order(t, FLEET_ORDER_END_GRANTS);
    tried(t, "the order to end temporary permissions", tell(t, statement(t, &s), &kind), TRUST_OK);
    assert_int_equal(kind, FLEET_ORDER_END_GRANTS);
    s = (struct fleet_statement){
        .kind = FLEET_MEMBERSHIP,
        .membership = {
            .organization = organization, .groups = {.names = {juki}, .n = 1}, .serial = 9, .issued_us = ISSUED}};
    memcpy(s.membership.terminal, t->terminal.id, sizeof(s.membership.terminal));
    memcpy(s.membership.journal, t->terminal.journal, sizeof(s.membership.journal));
    memcpy(s.membership.wire, t->terminal.wire, sizeof(s.membership.wire));
    tried(t, "another group, and with it that group's signed policies", tell(t, statement(t, &s), &kind), TRUST_OK);
    assert_string_equal(t->terminal.groups[0], "juki");
}

/* The payload of an order, changed, and signed by the taken key all the same. */
static struct signed_bytes changed_order(struct taken *t, const char *from, const char *to)
{
    const struct fleet_statement s = order(t, FLEET_ORDER_REPORT);
    struct trust_envelope *e = NULL;
    struct signed_bytes b = {0};

    assert_int_equal(fleet_statement_write(&s, &b.data, &b.size, NULL), TRUST_OK);
    b = signed_edited(b, from, to);
    assert_int_equal(trust_envelope_new(TRUST_TYPE_ORDER, b.data, b.size, &e), TRUST_OK);
    free(b.data);
    return sealed(t, e);
}

/* An export, a permission, a second factor: no statement of the centre's says so, whatever it is called. */
static void test_cannot_give(void **state)
{
    static const char *const kinds[] = {"\"grant\"", "\"approve-export\"", "\"enrol-factor\"", "\"unlock\""};
    static const char *const types[] = {"approval", "grant", "export"};
    struct taken *t = *state;
    enum fleet_order_kind kind = FLEET_ORDER_NONE;
    const struct fleet_statement s = order(t, FLEET_ORDER_REPORT);
    char what[96], type[64];

    for (size_t i = 0; i < ELEMENTS(kinds); i++) {
        (void)snprintf(what, sizeof(what), "an order of kind %s", kinds[i]);
        tried(t, what, tell(t, changed_order(t, "\"report\"", kinds[i]), &kind), TRUST_E_MALFORMED);
        assert_int_equal(kind, FLEET_ORDER_NONE);
    }
    tried(t, "an order with one key more", tell(t, changed_order(t, "\"kind\"", "\"export\": 1, \"kind\""), &kind),
          TRUST_E_MALFORMED);
    for (size_t i = 0; i < ELEMENTS(types); i++) {
        (void)snprintf(what, sizeof(what), "a statement of type %s", types[i]);
        (void)snprintf(type, sizeof(type), "vnd.kuraban.%s.v1", types[i]);
        tried(t, what, tell(t, signed_edited(statement(t, &s), "vnd.kuraban.order.v1", type), &kind),
              TRUST_E_PAYLOAD_TYPE);
    }
    give(t, "an order in the place of a policy", statement(t, &s), TRUST_E_PAYLOAD_TYPE);
}

/* --- the record --- */

static void test_cannot_lie(void **state)
{
    struct taken *t = *state;
    struct fleet_statement *report = NULL;
    struct trust_envelope *e = NULL, *forged = NULL;
    struct signed_bytes b = {0};
    uint8_t *bytes = NULL;
    size_t size = 0;

    fake_terminal_report(&t->terminal, clock_wall_us(), &bytes, &size);
    assert_int_equal(trust_envelope_parse(bytes, size, &e, NULL), TRUST_OK);
    assert_int_equal(trust_envelope_new(TRUST_TYPE_REPORT, e->payload, e->size, &forged), TRUST_OK);
    b = sealed(t, forged);
    tried(t, "a report in a terminal's name, to who asks the centre's store",
          fleet_open_report(b.data, b.size, t->terminal.journal, &report, NULL), TRUST_E_THRESHOLD);
    trust_envelope_free(e);
    free(b.data);
    free(bytes);
}

static void test_cannot_release(void **state)
{
    static char organization[] = SIGNED_ORGANIZATION;
    struct taken *t = *state;
    struct fleet_statement s = {.kind = FLEET_ACK,
                                .ack = {.organization = organization, .sequence = 1000, .issued_us = ISSUED}};
    struct fleet_statement *ack = NULL;
    struct digest own = {.bytes = {1}};
    struct signed_bytes b;

    memcpy(s.ack.terminal, t->terminal.id, sizeof(s.ack.terminal));
    b = statement(t, &s);
    assert_int_equal(fleet_open_from_centre(b.data, b.size, FLEET_KIND(FLEET_ACK), trust_state_root(t->terminal.state),
                                            clock_wall_us(), &ack, NULL),
                     TRUST_OK);
    assert_int_equal(fleet_ack_judge(ack, SIGNED_ORGANIZATION, t->terminal.id, 10, NULL), FLEET_E_AHEAD);
    assert_int_equal(fleet_ack_judge(ack, SIGNED_ORGANIZATION, t->terminal.id, 10, &own), FLEET_E_FORK);
    assert_int_equal(fleet_ack_judge(ack, SIGNED_ORGANIZATION, t->terminal.id, 2000, &own), FLEET_E_ROLLBACK);
    printf("  %-66s %s\n", "an acknowledgement of records that do not exist", "ahead");
    printf("  %-66s %s\n", "an acknowledgement with another hash than the record's", "fork");
    (void)fleet_statement_free(ack);
    free(b.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_can_choose),     cmocka_unit_test(test_cannot_add),
        cmocka_unit_test(test_cannot_go_back), cmocka_unit_test(test_cannot_stretch),
        cmocka_unit_test(test_cannot_cross),   cmocka_unit_test(test_cannot_rule),
        cmocka_unit_test(test_cannot_give),    cmocka_unit_test(test_cannot_lie),
        cmocka_unit_test(test_cannot_release), cmocka_unit_test(test_can_ask_and_take_away),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
