/* trust_apply() on what a terminal is given: every refusal there is (fake/attacks.h), and what is accepted. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "fake/attacks.h"
#include "policy/findings.h"
#include "policy/policy.h"
#include "test.h"

DEFINE_CLEANUP(struct trust_state *, trust_state_free);

static bool seen[TRUST_RESULT_COUNT_];

static struct signed_bytes of_root(struct trust_envelope *e)
{
    return signed_bundle(&e, 1, NULL, NULL);
}

/* --- Offering it --- */

static int offer_at(const struct trust_state *s, int64_t now_us, struct signed_bytes b, struct trust_state **ret,
                    struct trust_complaint *complaint)
{
    struct trust_terminal t = signed_terminal;
    struct policy_findings findings = {0};
    struct policy *p = NULL;
    struct trust_state *next = NULL;
    int r;

    t.now_us = now_us;
    r = trust_apply(s, &t, b.data, b.size, &next, &p, &findings, complaint);
    assert_true(r >= 0 && r < TRUST_RESULT_COUNT_);
    assert_true((r == TRUST_OK) == (next != NULL));
    assert_true(r == TRUST_OK || !p);
    seen[r] = true;
    free(b.data);
    policy_findings_done(&findings);
    (void)policy_unref(p);
    if (ret)
        *ret = next;
    else
        trust_state_free(next);
    return r;
}

static int offer(const struct trust_state *s, struct signed_bytes b)
{
    return offer_at(s, SIGNED_NOW, b, NULL, NULL);
}

/* Offers and takes what is accepted. */
static void must_take(struct trust_state **s, struct signed_bytes b)
{
    struct trust_complaint complaint = {0};
    struct trust_state *next = NULL;
    int r = offer_at(*s, SIGNED_NOW, b, &next, &complaint);

    if (r != TRUST_OK)
        fail_msg("%s: %s", trust_result_name((enum trust_result)r), complaint.text);
    trust_state_free(*s);
    *s = next;
}

static void must_refuse(const struct trust_state *s, const struct attack *attacks, size_t n)
{
    for (size_t i = 0; i < n; i++) {
        struct trust_complaint complaint = {0};
        int r = offer_at(s, SIGNED_NOW, attacks[i].make(), NULL, &complaint);

        if (r != (int)attacks[i].result)
            fail_msg("%s: %s instead of %s (%s)", attacks[i].name, trust_result_name((enum trust_result)r),
                     trust_result_name(attacks[i].result), complaint.text);
        assert_int_equal(trust_state_policy_version(s), 5);
    }
}

static void test_every_attack_is_refused_for_its_own_reason(void **state)
{
    _cleanup_(trust_state_freep) struct trust_state *s = signed_settled();

    (void)state;
    must_refuse(s, attacks_of_form, attacks_of_form_n);
    must_refuse(s, attacks_of_content, attacks_of_content_n);
    printf("%zu attacks, each refused for its reason\n", attacks_of_form_n + attacks_of_content_n);
}

static void test_nothing_is_accepted_without_a_root(void **state)
{
    (void)state;
    assert_int_equal(offer(NULL, signed_file(signed_usual_policy(1, NULL))), TRUST_E_NO_ROOT);
    assert_int_equal(offer(NULL, signed_file(signed_usual_root(1))), TRUST_E_NO_ROOT);
}

static void test_a_cut_bundle_is_never_accepted(void **state)
{
    _cleanup_(trust_state_freep) struct trust_state *s = signed_settled();
    struct trust_envelope *p = signed_usual_policy(6, NULL), *h = signed_usual_head(8, p, 6),
                          *r4 = signed_usual_root(4);
    struct signed_bytes whole = signed_bundle(&r4, 1, p, h);

    (void)state;
    for (size_t n = 0; n + 1 < whole.size; n++) { /* the last byte is the newline */
        struct signed_bytes cut = {malloc(n + 1), n};

        assert_non_null(cut.data);
        memcpy(cut.data, whole.data, n);
        assert_int_equal(offer(s, cut), TRUST_E_MALFORMED);
    }
    assert_int_equal(offer(s, whole), TRUST_OK);
}

/* Every single bit of a small signed bundle; what is not under a signature may be written otherwise, but never says more. */
static void test_a_flipped_bit_never_brings_other_content(void **state)
{
    _cleanup_(trust_state_freep) struct trust_state *s = signed_settled();
    struct signed_bytes whole = signed_file(signed_usual_policy(6, NULL));
    const struct digest *sha256;
    struct trust_state *good = NULL;
    struct digest expected;
    size_t accepted = 0;

    (void)state;
    assert_int_equal(offer_at(s, SIGNED_NOW,
                              (struct signed_bytes){memcpy(malloc(whole.size), whole.data, whole.size), whole.size},
                              &good, NULL),
                     TRUST_OK);
    expected = *trust_state_policy_sha256(good);
    trust_state_free(good);
    for (size_t bit = 0; bit < whole.size * 8; bit += 5) {
        struct trust_state *next = NULL;
        uint8_t *copy = malloc(whole.size);

        assert_non_null(copy);
        memcpy(copy, whole.data, whole.size);
        copy[bit / 8] = (uint8_t)(copy[bit / 8] ^ (1U << (bit % 8)));
        if (offer_at(s, SIGNED_NOW, (struct signed_bytes){copy, whole.size}, &next, NULL) != TRUST_OK)
            continue;
        accepted++; /* a blank became another blank */
        sha256 = trust_state_policy_sha256(next);
        assert_true(digest_equal(sha256, &expected));
        trust_state_free(next);
    }
    assert_true(accepted < whole.size / 10);
    free(whole.data);
}

static void test_a_policy_and_its_head_are_accepted(void **state)
{
    _cleanup_(trust_state_freep) struct trust_state *s = signed_settled();
    struct trust_envelope *p =
        signed_usual_policy(6, "scope: {groups: [kazei]}\nvalid: {until: 2027-01-15T08:00:00Z}\n");
    const struct trust_key *signers[TRUST_SIGNATURES_MAX];
    const uint8_t *bytes;
    size_t size;

    (void)state;
    must_take(&s, signed_bundle(NULL, 0, p, signed_usual_head(8, p, 6)));
    assert_int_equal(trust_state_policy_version(s), 6);
    assert_int_equal(trust_state_head(s)->version, 8);
    assert_int_equal(trust_state_signers(s, signers), 2);
    assert_string_equal(signers[0]->name, "職員 3");
    assert_string_equal(signers[1]->name, "職員 4");
    bytes = trust_state_policy(s, &size);
    assert_non_null(bytes);
    assert_memory_equal(bytes, "format: kuraban-policy/1\n", 25);
}

static void test_strangers_beside_the_threshold_are_ignored(void **state)
{
    _cleanup_(trust_state_freep) struct trust_state *s = signed_settled();
    struct trust_envelope *e = signed_policy_six(SIGNED_POLICY_SIGNERS | KEY(9) | KEY(0));

    (void)state;
    for (size_t i = 0; i < e->n_signatures; i++)
        e->signatures[i].bytes[0] ^= (uint8_t)(i == 0 || i == 3); /* of keys 0 and 9: nobody asks whether they fit */
    assert_int_equal(offer(s, signed_file(e)), TRUST_OK);
}

static void test_the_terminal_alone_may_be_in_scope(void **state)
{
    _cleanup_(trust_state_freep) struct trust_state *s = signed_settled();

    (void)state;
    assert_int_equal(offer(s, signed_file(signed_usual_policy(6, "scope: {terminals: [kz-041, kz-042]}\n"))), TRUST_OK);
    assert_int_equal(offer(s, signed_file(signed_usual_policy(6, "scope: {groups: [juki, zeimu]}\n"))), TRUST_OK);
}

static void test_a_terminal_without_name_and_groups_takes_policies_without_scope(void **state)
{
    _cleanup_(trust_state_freep) struct trust_state *s = signed_settled();
    const struct trust_terminal nameless = {.now_us = SIGNED_NOW};
    struct signed_bytes b = signed_file(signed_usual_policy(6, "scope: {terminals: [kz-042]}\n"));
    struct signed_bytes open = signed_file(signed_usual_policy(6, NULL));
    struct trust_state *next = NULL;
    struct policy *p = NULL;

    (void)state;
    assert_int_equal(trust_apply(s, &nameless, b.data, b.size, &next, &p, NULL, NULL), TRUST_E_SCOPE);
    assert_int_equal(trust_apply(s, &nameless, open.data, open.size, &next, &p, NULL, NULL), TRUST_OK);
    (void)policy_unref(p);
    trust_state_free(next);
    free(b.data);
    free(open.data);
}

static void test_the_same_policy_again_changes_nothing_and_may_be_expired(void **state)
{
    _cleanup_(trust_state_freep) struct trust_state *s = signed_settled();
    const char *more = "valid: {until: 2027-01-20T00:00:00Z}\n";
    struct trust_state *next = NULL;

    (void)state;
    must_take(&s, signed_file(signed_usual_policy(6, more)));
    assert_int_equal(offer_at(s, SIGNED_NOW + 6 * SIGNED_DAY, signed_file(signed_usual_policy(6, more)), &next, NULL),
                     TRUST_OK);
    assert_int_equal(trust_state_policy_version(next), 6);
    trust_state_free(next);
    assert_int_equal(offer_at(s, SIGNED_NOW + 6 * SIGNED_DAY, signed_file(signed_usual_policy(7, more)), NULL, NULL),
                     TRUST_E_EXPIRED);
}

/* A stick brings a newer policy where the hub has not selected it yet: two people signed it, that is enough. */
static void test_a_newer_policy_without_head_is_accepted(void **state)
{
    _cleanup_(trust_state_freep) struct trust_state *s = signed_settled();
    struct trust_envelope *p;

    (void)state;
    must_take(&s, signed_file(signed_usual_policy(9, NULL)));
    assert_int_equal(trust_state_policy_version(s), 9);
    assert_int_equal(trust_state_head(s)->policy_version, 5);
    p = signed_usual_policy(9, NULL);
    must_take(&s, signed_file(signed_usual_head(8, p, 9))); /* names the one that is held */
    trust_envelope_free(p);
    assert_int_equal(trust_state_head(s)->policy_version, 9);
}

static void test_an_expired_root_accepts_only_a_new_one(void **state)
{
    _cleanup_(trust_state_freep) struct trust_state *s = signed_settled();
    const int64_t later = SIGNED_NOW + 366 * SIGNED_DAY;
    struct signed_root o = signed_root_version(4), after = signed_root_version(5);
    struct trust_envelope *two[2], *e;

    (void)state;
    assert_int_equal(offer_at(s, later, signed_file(signed_usual_policy(6, NULL)), NULL, NULL), TRUST_E_ROOT_EXPIRED);
    assert_int_equal(offer_at(s, later, signed_file(signed_usual_root(4)), NULL, NULL), TRUST_E_ROOT_EXPIRED);
    o.expires_us = later + 365 * SIGNED_DAY;
    e = signed_make_root(&o, SIGNED_ROOT_SIGNERS);
    assert_int_equal(offer_at(s, later, signed_bundle(&e, 1, signed_usual_policy(6, NULL), NULL), NULL, NULL),
                     TRUST_OK);
    /* Only the last root's end counts: the ones between were over before they came. */
    after.expires_us = later + SIGNED_DAY;
    two[0] = signed_usual_root(4);
    two[1] = signed_make_root(&after, SIGNED_ROOT_SIGNERS);
    assert_int_equal(offer_at(s, later, of_root(signed_usual_root(4)), NULL, NULL), TRUST_E_ROOT_EXPIRED);
    assert_int_equal(offer_at(s, later, signed_bundle(two, 2, NULL, NULL), NULL, NULL), TRUST_OK);
}

static struct trust_state *reread(struct trust_state *s)
{
    struct trust_complaint complaint = {0};
    struct trust_state *again = NULL;
    uint8_t *bytes = NULL;
    size_t size;
    int r;

    assert_int_equal(trust_state_write(s, &bytes, &size), 0);
    r = trust_state_read(bytes, size, &again, &complaint);
    if (r != TRUST_OK)
        fail_msg("%s: %s", trust_result_name((enum trust_result)r), complaint.text);
    free(bytes);
    trust_state_free(s);
    return again;
}

/* 田中 leaves: what he signed keeps ruling, across restarts, until the next policy; he signs nothing more. */
static void test_a_rotation_that_removes_a_signer_keeps_the_policy(void **state)
{
    _cleanup_(trust_state_freep) struct trust_state *s = signed_settled();
    struct signed_root o = signed_root_version(4);
    const struct trust_key *signers[TRUST_SIGNATURES_MAX];

    (void)state;
    o.keys[TRUST_ROLE_POLICY] = KEY(4) | KEY(5) | KEY(7);
    must_take(&s, of_root(signed_make_root(&o, SIGNED_ROOT_SIGNERS)));
    s = reread(s);
    assert_int_equal(trust_state_root(s)->version, 4);
    assert_int_equal(trust_state_policy_version(s), 5);
    assert_int_equal(trust_state_signers(s, signers), 2);
    assert_string_equal(signers[0]->name, "職員 3");
    assert_int_equal(offer(s, signed_file(signed_usual_policy(6, NULL))), TRUST_E_THRESHOLD);
    o.version = 5; /* and once more, while the old policy rules */
    must_take(&s, of_root(signed_make_root(&o, SIGNED_ROOT_SIGNERS)));
    s = reread(s);
    assert_int_equal(trust_state_signers(s, signers), 2);
    must_take(&s, signed_file(signed_policy_six(KEY(5) | KEY(7))));
    s = reread(s);
    assert_int_equal(trust_state_policy_version(s), 6);
    assert_int_equal(trust_state_signers(s, signers), 2);
    assert_string_equal(signers[1]->name, "職員 7");
}

static void test_a_rotation_with_its_policy_in_one_bundle(void **state)
{
    _cleanup_(trust_state_freep) struct trust_state *s = signed_settled();
    struct signed_root o4 = signed_root_version(4), o5 = signed_root_version(5);
    struct trust_envelope *roots[4];

    (void)state;
    /* All root keys change in two steps; the bundle also carries what the terminal has had. */
    o4.keys[TRUST_ROLE_ROOT] = KEY(0) | KEY(1) | KEY(8) | KEY(9);
    o5.keys[TRUST_ROLE_ROOT] = KEY(8) | KEY(9) | KEY(10);
    o5.keys[TRUST_ROLE_POLICY] = KEY(11) | KEY(12);
    roots[0] = signed_usual_root(2);
    roots[1] = signed_usual_root(3);
    roots[2] = signed_make_root(&o4, SIGNED_ROOT_SIGNERS);
    roots[3] = signed_make_root(&o5, KEY(8) | KEY(9));
    must_take(&s, signed_bundle(roots, 4, signed_policy_six(KEY(11) | KEY(12)), NULL));
    assert_int_equal(trust_state_root(s)->version, 5);
    assert_int_equal(trust_state_policy_version(s), 6);
    s = reread(s);
    assert_int_equal(trust_state_root(s)->version, 5);
}

/* From 1 to 3: the bundle must bring 2 as well, between them, and each step is verified. */
static void test_a_skipped_version_needs_the_chain(void **state)
{
    _cleanup_(trust_state_freep) struct trust_state *s = signed_install(signed_usual_root(1));
    struct signed_root two = signed_root_version(2);
    struct trust_envelope *chain[2] = {signed_usual_root(2), signed_usual_root(3)},
                          *turned[2] = {signed_usual_root(3), signed_usual_root(2)}, *weak[2], *other[2];

    (void)state;
    assert_int_equal(offer(s, signed_file(signed_usual_root(3))), TRUST_E_ROOT_CHAIN);
    assert_int_equal(offer(s, signed_bundle(turned, 2, NULL, NULL)), TRUST_E_ROOT_CHAIN);
    weak[0] = signed_make_root(&two, KEY(0));
    weak[1] = signed_usual_root(3);
    assert_int_equal(offer(s, signed_bundle(weak, 2, NULL, NULL)), TRUST_E_ROOT_CHAIN);
    /* The step between took the root keys away: who signed 1 cannot sign 3. */
    two.keys[TRUST_ROLE_ROOT] = KEY(0) | KEY(1) | KEY(8) | KEY(9) | KEY(10);
    two.thresholds[TRUST_ROLE_ROOT] = 3;
    other[0] = signed_make_root(&two, KEY(0) | KEY(1) | KEY(8));
    other[1] = signed_usual_root(3);
    assert_int_equal(offer(s, signed_bundle(other, 2, NULL, NULL)), TRUST_E_ROOT_CHAIN);
    must_take(&s, signed_bundle(chain, 2, signed_usual_policy(1, NULL), NULL));
    assert_int_equal(trust_state_root(s)->version, 3);
    assert_int_equal(trust_state_policy_version(s), 1);
}

/* A thief of the head key signed version 2^53−1: a new root with another head key is the way out. */
static void test_a_new_head_key_lets_heads_count_anew(void **state)
{
    _cleanup_(trust_state_freep) struct trust_state *s = signed_settled();
    struct signed_root same = signed_root_version(4), o = signed_root_version(5);
    struct trust_envelope *p = signed_usual_policy(5, NULL), *h = signed_usual_head(TRUST_VERSION_MAX, p, 5);
    struct signed_head fresh = {SIGNED_ORGANIZATION, "kazei", 1, 5, SIGNED_NOW, SIGNED_NOW + SIGNED_DAY, p};

    (void)state;
    must_take(&s, signed_file(h));
    assert_int_equal(offer(s, signed_file(signed_usual_head(8, p, 5))), TRUST_E_ROLLBACK);
    must_take(&s, of_root(signed_make_root(&same, SIGNED_ROOT_SIGNERS)));
    assert_non_null(trust_state_head(s)); /* the same head key: its heads still count */
    o.keys[TRUST_ROLE_HEAD] = KEY(7);
    must_take(&s, of_root(signed_make_root(&o, SIGNED_ROOT_SIGNERS)));
    assert_null(trust_state_head(s));
    assert_int_equal(offer(s, signed_file(signed_usual_head(8, p, 5))), TRUST_E_THRESHOLD);
    must_take(&s, signed_file(signed_make_head(&fresh, KEY(7))));
    assert_int_equal(trust_state_head(s)->version, 1);
    trust_envelope_free(p);
}

/* A taken hub signs head after head, each a little further ahead: a terminal whose time followed would take nothing new any more. */
static void test_heads_do_not_carry_the_time_away(void **state)
{
    _cleanup_(trust_state_freep) struct trust_state *s = signed_settled();
    struct trust_envelope *p = signed_usual_policy(5, NULL);
    struct signed_head h = {SIGNED_ORGANIZATION,          "kazei", 8, 5, SIGNED_NOW + SIGNED_DAY,
                            SIGNED_NOW + 31 * SIGNED_DAY, p};

    (void)state;
    must_take(&s, signed_file(signed_make_head(&h, KEY(6))));
    h.version = 9;
    h.issued_us += SIGNED_DAY;
    assert_int_equal(offer(s, signed_file(signed_make_head(&h, KEY(6)))), TRUST_E_NOT_YET);
    assert_int_equal(offer_at(s, SIGNED_NOW + SIGNED_DAY, signed_file(signed_make_head(&h, KEY(6))), NULL, NULL),
                     TRUST_OK);
    /* What has ended by the newest head has ended, whatever the clock says. */
    assert_int_equal(offer(s, signed_file(signed_usual_policy(6, "valid: {until: 2027-01-15T20:00:00Z}\n"))),
                     TRUST_E_EXPIRED);
    trust_envelope_free(p);
}

/* Whoever carries a bundle can put a signature of a stranger beside the good ones. Some day the stranger may get the role. */
static void test_a_stranger_does_not_stand_in_the_way_of_a_later_root(void **state)
{
    _cleanup_(trust_state_freep) struct trust_state *s = signed_settled();
    struct signed_root o = signed_root_version(4);
    struct trust_envelope *p = signed_usual_policy(5, NULL);
    struct trust_envelope *h = signed_make_head(
        &(struct signed_head){SIGNED_ORGANIZATION, "kazei", 8, 5, SIGNED_NOW, SIGNED_NOW + SIGNED_DAY, p},
        KEY(6) | KEY(9));

    (void)state;
    assert_int_equal(h->n_signatures, 2);
    h->signatures[1].bytes[0] ^= 1;
    must_take(&s, signed_file(h));
    o.keys[TRUST_ROLE_HEAD] = KEY(6) | KEY(9);
    must_take(&s, of_root(signed_make_root(&o, SIGNED_ROOT_SIGNERS)));
    assert_int_equal(trust_state_head(s)->version, 8);
    trust_envelope_free(p);
}

static void test_a_root_without_head_keys_accepts_no_head(void **state)
{
    struct signed_root o = signed_root_default;
    _cleanup_(trust_state_freep) struct trust_state *s = NULL;
    struct trust_envelope *p = signed_usual_policy(1, NULL), *h;

    (void)state;
    o.keys[TRUST_ROLE_HEAD] = 0;
    o.thresholds[TRUST_ROLE_HEAD] = 0;
    s = signed_install(signed_make_root(&o, SIGNED_ROOT_SIGNERS));
    h = signed_usual_head(1, p, 1);
    assert_int_equal(offer(s, signed_bundle(NULL, 0, p, h)), TRUST_E_THRESHOLD);
    p = signed_usual_policy(1, NULL);
    h = signed_make_head(
        &(struct signed_head){SIGNED_ORGANIZATION, "kazei", 1, 1, SIGNED_NOW, SIGNED_NOW + SIGNED_DAY, p}, 0);
    assert_int_equal(offer(s, signed_bundle(NULL, 0, p, h)), TRUST_E_THRESHOLD);
}

static void test_a_head_comes_again_until_it_ends(void **state)
{
    _cleanup_(trust_state_freep) struct trust_state *s = signed_settled();
    struct trust_envelope *p = signed_usual_policy(5, NULL);

    (void)state;
    assert_int_equal(offer(s, signed_file(signed_usual_head(7, p, 5))), TRUST_OK);
    assert_int_equal(offer_at(s, SIGNED_NOW + 13 * SIGNED_DAY, signed_file(signed_usual_head(7, p, 5)), NULL, NULL),
                     TRUST_E_HEAD_EXPIRED);
    trust_envelope_free(p);
}

static void test_a_head_needs_a_policy(void **state)
{
    _cleanup_(trust_state_freep) struct trust_state *s = signed_install(signed_usual_root(3));

    (void)state;
    assert_int_equal(offer(s, signed_file(signed_usual_head(1, NULL, 1))), TRUST_E_HEAD_MISMATCH);
}

/* The complaint is for people's eyes: foreign names come out clean and whole, and it never stays from an earlier step. */
static void test_the_complaint_is_printable_and_new(void **state)
{
    _cleanup_(trust_state_freep) struct trust_state *s = signed_settled();
    struct trust_complaint complaint = {.text = "stale"};
    struct trust_envelope *roots[] = {signed_usual_root(2), signed_usual_root(3)};

    (void)state;
    assert_int_equal(offer_at(s, SIGNED_NOW,
                              signed_edited(signed_file(signed_usual_policy(6, NULL)), "{", "{\"\\u001b[2J\\n\":1,"),
                              NULL, &complaint),
                     TRUST_E_MALFORMED);
    assert_non_null(strstr(complaint.text, "[2J"));
    assert_null(strchr(complaint.text, '\033'));
    assert_null(strchr(complaint.text, '\n'));
    assert_int_equal(offer_at(s, SIGNED_NOW, signed_bundle(roots, 2, NULL, NULL), NULL, &complaint), TRUST_OK);
    assert_string_equal(complaint.text, "");
}

static void test_every_result_was_seen(void **state)
{
    (void)state;
    for (int i = 0; i < TRUST_RESULT_COUNT_; i++) {
        if (!seen[i])
            fail_msg("no test reaches %s", trust_result_name((enum trust_result)i));
        assert_true(strlen(trust_result_text((enum trust_result)i)) > 0);
        for (int j = 0; j < i; j++)
            assert_string_not_equal(trust_result_name((enum trust_result)i), trust_result_name((enum trust_result)j));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_every_attack_is_refused_for_its_own_reason),
        cmocka_unit_test(test_nothing_is_accepted_without_a_root),
        cmocka_unit_test(test_a_cut_bundle_is_never_accepted),
        cmocka_unit_test(test_a_flipped_bit_never_brings_other_content),
        cmocka_unit_test(test_a_policy_and_its_head_are_accepted),
        cmocka_unit_test(test_strangers_beside_the_threshold_are_ignored),
        cmocka_unit_test(test_the_terminal_alone_may_be_in_scope),
        cmocka_unit_test(test_a_terminal_without_name_and_groups_takes_policies_without_scope),
        cmocka_unit_test(test_the_same_policy_again_changes_nothing_and_may_be_expired),
        cmocka_unit_test(test_a_newer_policy_without_head_is_accepted),
        cmocka_unit_test(test_an_expired_root_accepts_only_a_new_one),
        cmocka_unit_test(test_a_rotation_that_removes_a_signer_keeps_the_policy),
        cmocka_unit_test(test_a_rotation_with_its_policy_in_one_bundle),
        cmocka_unit_test(test_a_skipped_version_needs_the_chain),
        cmocka_unit_test(test_a_new_head_key_lets_heads_count_anew),
        cmocka_unit_test(test_heads_do_not_carry_the_time_away),
        cmocka_unit_test(test_a_stranger_does_not_stand_in_the_way_of_a_later_root),
        cmocka_unit_test(test_a_root_without_head_keys_accepts_no_head),
        cmocka_unit_test(test_a_head_comes_again_until_it_ends),
        cmocka_unit_test(test_a_head_needs_a_policy),
        cmocka_unit_test(test_the_complaint_is_printable_and_new),
        cmocka_unit_test(test_every_result_was_seen),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
