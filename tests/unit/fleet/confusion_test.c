/*
 * No signature counts in another place than the one it was made for: each type of document in each place where one is taken, signed by each
 * kind of key; payloads under another type; types changed after signing; what the journal's key and the wire's sign besides.
 */
#include <stdlib.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "fake/statements.h"
#include "policy/policy.h"
#include "policy/trust/internal.h"
#include "test.h"

/* One of each type: the five statements, and what policy/trust knows. */
enum {
    ROOT = FLEET_KIND_COUNT_,
    POLICY,
    HEAD,
    TYPES,
};

static const char *type_of(int type)
{
    return type == ROOT     ? TRUST_TYPE_ROOT
           : type == POLICY ? TRUST_TYPE_POLICY
           : type == HEAD   ? TRUST_TYPE_HEAD
                            : fleet_kind_type((enum fleet_kind)type);
}

static struct trust_envelope *usual(int type)
{
    struct trust_envelope *p, *h;

    if (type == ROOT)
        return signed_usual_root(4);
    if (type < FLEET_KIND_COUNT_)
        return statement_usual_envelope((enum fleet_kind)type);
    p = signed_usual_policy(type == POLICY ? 6 : 5, NULL);
    if (type == POLICY)
        return p;
    h = signed_usual_head(8, p, 5);
    trust_envelope_free(p);
    return h;
}

/* The document of one type, in an envelope of another, signed by these. */
static struct signed_bytes packed(int document, int type, unsigned signers)
{
    struct trust_envelope *e = usual(document), *again;

    again = signed_envelope(type_of(type), e->payload, e->size, signers);
    trust_envelope_free(e);
    return signed_file(again);
}

#define EVERYBODY (SIGNED_ROOT_SIGNERS | SIGNED_POLICY_SIGNERS | KEY(6))

/* The keys one might take for each other. */
static const unsigned signers[] = {SIGNED_ROOT_SIGNERS, SIGNED_POLICY_SIGNERS, KEY(6),   KEY(STATEMENT_JOURNAL),
                                   KEY(STATEMENT_WIRE), KEY(STATEMENT_OTHER),  EVERYBODY};

/* Is the file taken in this place (a kind, or HEAD: by trust_apply() as what rules)? */
static bool taken(int place, struct signed_bytes b)
{
    struct fleet_statement *s = NULL;
    static struct trust_state *held;
    struct trust_state *next = NULL;
    struct policy *p = NULL;
    int r;

    if (place < FLEET_KIND_COUNT_) {
        r = statement_open((enum fleet_kind)place, b, &s, NULL);
        assert_true((r == TRUST_OK) == (s != NULL));
        assert_true(!s || (int)s->kind == place);
        fleet_statement_free(s);
        return r == TRUST_OK;
    }
    if (!held)
        held = signed_settled();
    r = trust_apply(held, &signed_terminal, b.data, b.size, &next, &p, NULL, NULL);
    assert_true((r == TRUST_OK) == (next != NULL));
    (void)policy_unref(p);
    trust_state_free(next);
    free(b.data);
    return r == TRUST_OK;
}

/* Whose signatures alone make it good in its own place. */
static bool is_right(int type, unsigned by)
{
    switch (type) {
    case ROOT:
        return by == SIGNED_ROOT_SIGNERS || by == EVERYBODY;
    case POLICY:
        return by == SIGNED_POLICY_SIGNERS || by == EVERYBODY;
    case FLEET_REPORT:
    case FLEET_ENROLMENT:
        return by == KEY(STATEMENT_JOURNAL);
    default:
        return by == KEY(6) || by == EVERYBODY;
    }
}

static void test_each_type_in_each_place(void **state)
{
    size_t good = 0, tried = 0;

    (void)state;
    for (int type = FLEET_MEMBERSHIP; type < TYPES; type++)
        for (int place = FLEET_MEMBERSHIP; place <= FLEET_KIND_COUNT_; place++)
            for (size_t i = 0; i < ELEMENTS(signers); i++) {
                bool fits = place == FLEET_KIND_COUNT_ ? type >= ROOT : type == place;
                bool is = taken(place, packed(type, type, signers[i]));

                tried++;
                good += is;
                if (is != (fits && is_right(type, signers[i])))
                    fail_msg("%s in place %d, signers %zu: %s", type_of(type), place, i, is ? "taken" : "refused");
            }
    printf("%zu tried, %zu taken\n", tried, good);
    assert_int_equal(good, 3 * 2 + 2 * 1 + 3 * 2);
}

/* Properly signed by whoever may sign that type, but another document is in it. */
static void test_each_document_in_each_type(void **state)
{
    (void)state;
    for (int document = FLEET_MEMBERSHIP; document < TYPES; document++)
        for (int type = FLEET_MEMBERSHIP; type < TYPES; type++) {
            unsigned by = type == FLEET_REPORT || type == FLEET_ENROLMENT ? KEY(STATEMENT_JOURNAL) : EVERYBODY;
            int place = type < FLEET_KIND_COUNT_ ? type : FLEET_KIND_COUNT_;

            if (taken(place, packed(document, type, by)) != (document == type))
                fail_msg("%s in an envelope for %s", type_of(document), type_of(type));
        }
}

/* Signed for one type, then called another. */
static void test_relabelled(void **state)
{
    (void)state;
    for (int from = FLEET_MEMBERSHIP; from < TYPES; from++)
        for (int to = FLEET_MEMBERSHIP; to < TYPES; to++) {
            struct signed_bytes b = signed_edited(signed_file(usual(from)), type_of(from), type_of(to));

            if (taken(to < FLEET_KIND_COUNT_ ? to : FLEET_KIND_COUNT_, b) != (from == to))
                fail_msg("%s called %s", type_of(from), type_of(to));
        }
}

/* The functions below those: a role's type never counts by one key, nor the other way round. */
static void test_verifiers(void **state)
{
    struct trust_root *root = statement_root();
    uint8_t public[TRUST_PUBLIC_SIZE];

    (void)state;
    for (int type = FLEET_MEMBERSHIP; type < TYPES; type++) {
        bool by_key = type == FLEET_REPORT || type == FLEET_ENROLMENT;
        enum trust_role own = type == ROOT ? TRUST_ROLE_ROOT : type == POLICY ? TRUST_ROLE_POLICY : TRUST_ROLE_HEAD;
        struct trust_envelope *e = usual(type), *all = signed_envelope(e->type, e->payload, e->size, EVERYBODY), *one;
        struct trust_votes votes;

        assert_int_equal(trust_type_role(e->type), by_key ? TRUST_ROLE_NONE : own);
        for (enum trust_role role = 0; role <= TRUST_ROLE_NONE; role++) {
            memset(&votes, 0xff, sizeof(votes));
            assert_int_equal(trust_envelope_verify(all, root, role, &votes, NULL),
                             !by_key && role == own ? TRUST_OK : TRUST_E_PAYLOAD_TYPE);
            if (by_key || role != own)
                assert_true(votes.n == 0 && votes.n_good == 0 && votes.threshold == 0);
        }
        for (unsigned key = 0; key <= STATEMENT_OTHER; key++) {
            one = signed_envelope(e->type, e->payload, e->size, KEY(key));
            signed_public(key, public);
            for (int as = FLEET_MEMBERSHIP; as < TYPES; as++)
                assert_int_equal(trust_envelope_verify_key(one, type_of(as), public, NULL),
                                 as == type && by_key ? TRUST_OK : TRUST_E_PAYLOAD_TYPE);
            trust_envelope_free(one);
        }
        trust_envelope_free(e);
        trust_envelope_free(all);
    }
    assert_int_equal(trust_type_role("application/vnd.kuraban.report.v2+json"), TRUST_ROLE_NONE);
    assert_int_equal(trust_type_role("text/plain"), TRUST_ROLE_NONE);
    trust_root_free(root);
}

/* One key's statement has one signature, which claims to be that key's and is. */
static void test_one_key(void **state)
{
    struct trust_envelope *e = statement_usual_envelope(FLEET_REPORT), *two, *none;
    struct trust_signature other;
    uint8_t public[TRUST_PUBLIC_SIZE];

    (void)state;
    signed_public(STATEMENT_JOURNAL, public);
    assert_int_equal(trust_envelope_verify_key(e, TRUST_TYPE_REPORT, public, NULL), TRUST_OK);
    two = signed_envelope(e->type, e->payload, e->size, KEY(STATEMENT_JOURNAL) | KEY(STATEMENT_OTHER));
    assert_int_equal(trust_envelope_verify_key(two, TRUST_TYPE_REPORT, public, NULL), TRUST_E_THRESHOLD);
    none = signed_envelope(e->type, e->payload, e->size, 0);
    assert_int_equal(trust_envelope_verify_key(none, TRUST_TYPE_REPORT, public, NULL), TRUST_E_THRESHOLD);
    assert_int_equal(trust_envelope_verify_key(e, "text/plain", public, NULL), TRUST_E_PAYLOAD_TYPE);
    other = two->signatures[1];
    e->signatures[0].bytes[0] ^= 1;
    assert_int_equal(trust_envelope_verify_key(e, TRUST_TYPE_REPORT, public, NULL), TRUST_E_BAD_SIGNATURE);
    e->signatures[0] = other; /* good, by another */
    assert_int_equal(trust_envelope_verify_key(e, TRUST_TYPE_REPORT, public, NULL), TRUST_E_THRESHOLD);
    memcpy(e->signatures[0].key.bytes, two->signatures[0].key.bytes, DIGEST_SIZE); /* and under this key's name */
    assert_int_equal(trust_envelope_verify_key(e, TRUST_TYPE_REPORT, public, NULL), TRUST_E_BAD_SIGNATURE);
    trust_envelope_free(none);
    trust_envelope_free(two);
    trust_envelope_free(e);
}

/* A terminal speaks of itself only, whatever it signs. */
static void test_of_another(void **state)
{
    struct fleet_statement s = statement_usual(FLEET_REPORT);
    struct signed_bytes b = {0};

    (void)state;
    statement_terminal(STATEMENT_OTHER, s.report.terminal);
    assert_false(taken(FLEET_REPORT, signed_file(statement_envelope(&s, KEY(STATEMENT_JOURNAL)))));
    assert_false(taken(FLEET_REPORT, signed_file(statement_envelope(&s, KEY(STATEMENT_OTHER)))));
    assert_int_equal(fleet_statement_seal(&s, signed_key(STATEMENT_JOURNAL), &b.data, &b.size, NULL), TRUST_E_SCOPE);
    s = statement_usual(FLEET_ENROLMENT);
    assert_int_equal(fleet_statement_seal(&s, signed_key(STATEMENT_WIRE), &b.data, &b.size, NULL), TRUST_E_SCOPE);
    assert_null(b.data);
    for (enum fleet_kind kind = FLEET_MEMBERSHIP; kind < FLEET_KIND_COUNT_; kind++) {
        bool own = kind == FLEET_REPORT || kind == FLEET_ENROLMENT;

        s = statement_usual(kind);
        assert_int_equal(fleet_statement_seal(&s, signed_key(own ? STATEMENT_JOURNAL : 6), &b.data, &b.size, NULL), 0);
        assert_true(taken((int)kind, b));
    }
}

/* In a bundle, and bare where a bundle may be: the role `head` signs more than heads. */
static void test_bundles(void **state)
{
    (void)state;
    for (int type = FLEET_MEMBERSHIP; type < TYPES; type++) {
        struct trust_envelope *p = signed_usual_policy(5, NULL), *e = usual(type);
        struct trust_bundle bundle = {0};
        struct signed_bytes b = signed_file(usual(type));
        int expected = type >= ROOT ? TRUST_OK : TRUST_E_PAYLOAD_TYPE;

        assert_int_equal(trust_bundle_parse(b.data, b.size, &bundle, NULL), expected);
        trust_bundle_done(&bundle);
        free(b.data);
        b = signed_bundle(NULL, 0, p, e);
        expected = type == HEAD ? TRUST_OK : TRUST_E_PAYLOAD_TYPE;
        assert_int_equal(trust_bundle_parse(b.data, b.size, &bundle, NULL), expected);
        trust_bundle_done(&bundle);
        free(b.data);
    }
}

/* What is asked for beside each other; and what is not asked for by mistake. */
static void test_kinds(void **state)
{
    const unsigned wanted = FLEET_KIND(FLEET_MEMBERSHIP) | FLEET_KIND(FLEET_ORDER);
    struct trust_root *root = statement_root();

    (void)state;
    for (int type = FLEET_MEMBERSHIP; type < TYPES; type++) {
        struct trust_envelope *e = usual(type), *all = signed_envelope(e->type, e->payload, e->size, EVERYBODY);
        struct signed_bytes b = signed_file(all);
        struct fleet_statement *s = NULL;
        bool good = type == FLEET_MEMBERSHIP || type == FLEET_ORDER;

        assert_int_equal(fleet_open_from_centre(b.data, b.size, wanted, root, SIGNED_NOW, &s, NULL),
                         good ? TRUST_OK : TRUST_E_PAYLOAD_TYPE);
        fleet_statement_free(s);
        s = NULL;
        assert_int_equal(fleet_open_from_centre(b.data, b.size, 0, root, SIGNED_NOW, &s, NULL), TRUST_E_PAYLOAD_TYPE);
        /* All kinds: a caller's mistake. One key's are refused all the same. */
        good = type == FLEET_MEMBERSHIP || type == FLEET_ORDER || type == FLEET_ACK;
        assert_int_equal(fleet_open_from_centre(b.data, b.size, UINT32_MAX, root, SIGNED_NOW, &s, NULL),
                         good ? TRUST_OK : TRUST_E_PAYLOAD_TYPE);
        fleet_statement_free(s);
        s = NULL;
        assert_int_equal(fleet_open_from_centre(b.data, b.size, wanted, root, root->expires_us, &s, NULL),
                         type == FLEET_MEMBERSHIP || type == FLEET_ORDER ? TRUST_E_ROOT_EXPIRED : TRUST_E_PAYLOAD_TYPE);
        assert_null(s);
        trust_envelope_free(e);
        free(b.data);
    }
    trust_root_free(root);
}

static void test_too_long(void **state)
{
    struct signed_bytes b = {malloc(FLEET_ENVELOPE_MAX + 1), FLEET_ENVELOPE_MAX + 1};
    struct fleet_statement *s = NULL;
    struct trust_envelope *e = NULL;

    (void)state;
    memset(b.data, ' ', b.size);
    for (enum fleet_kind kind = FLEET_MEMBERSHIP; kind < FLEET_KIND_COUNT_; kind++) {
        uint8_t *copy = malloc(b.size);

        memcpy(copy, b.data, b.size);
        assert_int_equal(statement_open(kind, (struct signed_bytes){copy, b.size}, &s, NULL), TRUST_E_TOO_LONG);
        assert_int_equal(fleet_statement_parse(kind, b.data, TRUST_STATEMENT_MAX + 1, &s, NULL), TRUST_E_TOO_LONG);
        assert_int_equal(trust_envelope_new(fleet_kind_type(kind), b.data, TRUST_STATEMENT_MAX + 1, &e),
                         TRUST_E_TOO_LONG);
    }
    free(b.data);
}

/* The journal's key signs checkpoints besides, and the wire's whatever the broker asks: neither begins as an envelope's bytes do. */
static void test_other_signatures(void **state)
{
    static const char *const domains[] = {"kuraban-journal-checkpoint/1\n", "kuraban-journal-head/1\n"};
    struct buf b;

    (void)state;
    for (int type = FLEET_MEMBERSHIP; type < TYPES; type++) {
        struct trust_envelope *e = usual(type);

        buf_init(&b, 1 << 20);
        assert_int_equal(trust_envelope_pae(e, &b), 0);
        for (size_t i = 0; i < ELEMENTS(domains); i++)
            assert_true(b.data[0] != (uint8_t)domains[i][0]);
        buf_done(&b);
        trust_envelope_free(e);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_each_type_in_each_place),
        cmocka_unit_test(test_each_document_in_each_type),
        cmocka_unit_test(test_relabelled),
        cmocka_unit_test(test_verifiers),
        cmocka_unit_test(test_one_key),
        cmocka_unit_test(test_of_another),
        cmocka_unit_test(test_bundles),
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_too_long),
        cmocka_unit_test(test_other_signatures),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
