/* What the centre takes as a signed policy is what a terminal would take; nothing is taken because a person brings it. */
#include "unit/hub_rollout/centre.h"

#include "hub/rollout/documents.h"
#include "policy/policy.h"

static int check(const struct rollout_roots *roots, struct signed_bytes b, struct trust_votes *ret_votes)
{
    struct trust_complaint complaint = {0};
    struct rollout_document d = {0};
    int r = rollout_document_check(roots, b.data, b.size, SIGNED_NOW, &d, ret_votes, NULL, &complaint);

    if (r == TRUST_OK)
        assert_non_null(d.policy);
    else
        assert_null(d.envelope);
    rollout_document_done(&d);
    free(b.data);
    return r;
}

static struct signed_bytes policy_of(const char *organization, const char *more, unsigned signers)
{
    return signed_file(signed_make_policy(&(struct signed_policy){organization, 6, more}, signers));
}

static void test_refused(void **state)
{
    struct centre *c = *state;
    struct rollout_roots roots = {0};
    struct trust_votes votes = {0};
    const struct {
        struct signed_bytes bytes;
        int result;
    } cases[] = {
        {signed_text_bytes("format: kuraban-policy/1\nversion: 6\n"), TRUST_E_UNSIGNED},
        {signed_text_bytes(""), TRUST_E_MALFORMED},
        {signed_text_bytes("{}"), TRUST_E_MALFORMED},
        {signed_file(signed_usual_root(3)), TRUST_E_PAYLOAD_TYPE}, /* a root is no policy */
        {policy_of(SIGNED_ORGANIZATION, NULL, 0), TRUST_E_THRESHOLD},
        {policy_of(SIGNED_ORGANIZATION, NULL, KEY(3)), TRUST_E_THRESHOLD},
        {policy_of(SIGNED_ORGANIZATION, NULL, KEY(3) | KEY(6)),
         TRUST_E_THRESHOLD}, /* the centre's key is none of them */
        {policy_of("other.example", NULL, SIGNED_POLICY_SIGNERS), TRUST_E_ORGANIZATION},
        {policy_of(SIGNED_ORGANIZATION, "valid: {until: 2026-01-01T00:00:00Z}\n", SIGNED_POLICY_SIGNERS),
         TRUST_E_EXPIRED},
        {policy_of(SIGNED_ORGANIZATION, "nonsense: 1\n", SIGNED_POLICY_SIGNERS), TRUST_E_POLICY},
    };

    assert_int_equal(rollout_roots_read(c->f->store, &roots), 0);
    assert_int_equal(check(&roots, signed_file(signed_usual_policy(6, NULL)), &votes), TRUST_E_NO_ROOT);
    centre_add_root(c, signed_usual_root(3), 3);
    assert_int_equal(rollout_roots_read(c->f->store, &roots), 0);
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        int r = check(&roots, cases[i].bytes, &votes);

        if (r != cases[i].result)
            fail_msg("case %zu: %s", i, trust_result_name((enum trust_result)r));
    }
    rollout_roots_done(&roots);
}

static void test_taken(void **state)
{
    struct centre *c = *state;
    struct rollout_roots roots = {0};
    struct trust_votes votes = {0};

    centre_add_root(c, signed_usual_root(3), 3);
    assert_int_equal(rollout_roots_read(c->f->store, &roots), 0);
    assert_int_equal(check(&roots, signed_file(signed_usual_policy(6, NULL)), &votes), TRUST_OK);
    assert_int_equal(votes.n_good, 2);
    assert_string_equal(votes.of[0].key->name, "職員 3");
    /* Out of a bundle, for any group, and before its time: it is begun then. */
    assert_int_equal(check(&roots, signed_bundle(NULL, 0, signed_usual_policy(6, NULL), NULL), &votes), TRUST_OK);
    assert_int_equal(check(&roots, signed_file(signed_usual_policy(6, "scope: {groups: [juki]}\n")), &votes), TRUST_OK);
    assert_int_equal(check(&roots, signed_file(signed_usual_policy(6, "scope: {terminals: [pc-1]}\n")), &votes),
                     TRUST_OK);
    assert_int_equal(
        check(&roots, signed_file(signed_usual_policy(6, "valid: {from: 2027-06-01T00:00:00Z}\n")), &votes), TRUST_OK);
    rollout_roots_done(&roots);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_refused, centre_begin, centre_end),
        cmocka_unit_test_setup_teardown(test_taken, centre_begin, centre_end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
