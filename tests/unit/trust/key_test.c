/*
 * Ed25519 by OpenSSL, where the verifiers of this world differ: what a second signature for the same bytes could be, and keys for
 * which everybody can sign. One person must be one key, and one key one vote.
 */
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "fake/signed.h"
#include "policy/policy.h"
#include "policy/trust/internal.h"
#include "test.h"

/* The order of the base point, little endian. */
static const uint8_t order[32] = {0xed, 0xd3, 0xf5, 0x5c, 0x1a, 0x63, 0x12, 0x58, 0xd6, 0x9c, 0xf7,
                                  0xa2, 0xde, 0xf9, 0xde, 0x14, 0,    0,    0,    0,    0,    0,
                                  0,    0,    0,    0,    0,    0,    0,    0,    0,    0x10};

/* S becomes S + L: the equation still holds. */
static void add_order(uint8_t s[static 32])
{
    unsigned carry = 0;

    for (size_t i = 0; i < 32; i++) {
        carry += (unsigned)s[i] + order[i];
        s[i] = (uint8_t)carry;
        carry >>= 8;
    }
    assert_int_equal(carry, 0);
}

static int offer(struct signed_bytes b)
{
    struct trust_state *s = signed_settled(), *next = NULL;
    struct policy *p = NULL;
    int r = trust_apply(s, &signed_terminal, b.data, b.size, &next, &p, NULL, NULL);

    (void)policy_unref(p);
    trust_state_free(next);
    trust_state_free(s);
    free(b.data);
    return r;
}

static void test_a_signature_cannot_be_written_in_a_second_way(void **state)
{
    struct trust_envelope *e = signed_policy_six(SIGNED_POLICY_SIGNERS);
    const uint8_t top[] = {0x20, 0x40, 0x80};
    uint8_t public[TRUST_PUBLIC_SIZE], was;

    (void)state;
    signed_public(3, public);
    assert_int_equal(trust_envelope_check(e, 0, public), TRUST_OK);
    /* The bits above 2^253 of S, which some verifiers mask. */
    was = e->signatures[0].bytes[63];
    for (size_t i = 0; i < ELEMENTS(top); i++) {
        e->signatures[0].bytes[63] = was | top[i];
        assert_int_equal(trust_envelope_check(e, 0, public), TRUST_E_BAD_SIGNATURE);
    }
    e->signatures[0].bytes[63] = was;
    /* The sign of R's x. */
    e->signatures[0].bytes[31] ^= 0x80;
    assert_int_equal(trust_envelope_check(e, 0, public), TRUST_E_BAD_SIGNATURE);
    e->signatures[0].bytes[31] ^= 0x80;
    assert_int_equal(trust_envelope_check(e, 0, public), TRUST_OK);
    add_order(e->signatures[0].bytes + 32);
    assert_int_equal(trust_envelope_check(e, 0, public), TRUST_E_BAD_SIGNATURE);
    assert_int_equal(offer(signed_file(e)), TRUST_E_BAD_SIGNATURE);
}

/* The second spelling beside the first: still one key. */
static void test_both_spellings_are_one_key(void **state)
{
    struct trust_envelope *e = signed_policy_six(KEY(3));

    (void)state;
    e->signatures[1] = e->signatures[0];
    add_order(e->signatures[1].bytes + 32);
    e->n_signatures = 2;
    assert_int_equal(offer(signed_file(e)), TRUST_E_REPEATED_KEY);
}

/* y and the sign bit of each point of small order, reduced or not. */
static const struct {
    uint8_t first, middle, last;
} edges[] = {
    {0x00, 0x00, 0x00}, {0x00, 0x00, 0x80}, {0x01, 0x00, 0x00}, {0x01, 0x00, 0x80}, {0xec, 0xff, 0x7f},
    {0xec, 0xff, 0xff}, {0xed, 0xff, 0x7f}, {0xed, 0xff, 0xff}, {0xee, 0xff, 0x7f}, {0xee, 0xff, 0xff},
};
static const uint8_t order8[][32] = {
    {0x26, 0xe8, 0x95, 0x8f, 0xc2, 0xb2, 0x27, 0xb0, 0x45, 0xc3, 0xf4, 0x89, 0xf2, 0xef, 0x98, 0xf0,
     0xd5, 0xdf, 0xac, 0x05, 0xd3, 0xc6, 0x33, 0x39, 0xb1, 0x38, 0x02, 0x88, 0x6d, 0x53, 0xfc, 0x05},
    {0xc7, 0x17, 0x6a, 0x70, 0x3d, 0x4d, 0xd8, 0x4f, 0xba, 0x3c, 0x0b, 0x76, 0x0d, 0x10, 0x67, 0x0f,
     0x2a, 0x20, 0x53, 0xfa, 0x2c, 0x39, 0xcc, 0xc6, 0x4e, 0xc7, 0xfd, 0x77, 0x92, 0xac, 0x03, 0x7a},
};

/* With R neutral and S zero: without any private key, for about one message in the point's order. */
static bool everybody_signs(const uint8_t public[static TRUST_PUBLIC_SIZE])
{
    static const uint8_t nothing[TRUST_SIGNATURE_SIZE] = {1};

    for (uint8_t message = 0; message < 200; message++)
        if (trust_key_verify(public, nothing, &message, 1) == 1)
            return true;
    return false;
}

/* What a root document says of a key; the first signed key's place is taken by this one. */
static int root_with(const uint8_t public[static TRUST_PUBLIC_SIZE])
{
    struct trust_root *root = NULL;
    uint8_t mine[TRUST_PUBLIC_SIZE], *bytes = NULL;
    size_t size, index;
    int r;

    signed_public(0, mine);
    assert_int_equal(trust_root_new(SIGNED_ORGANIZATION, 1, SIGNED_NOW, &root), 0);
    assert_int_equal(trust_root_add_key(root, "職員", mine, &index), 0);
    assert_int_equal(trust_root_add_role(root, TRUST_ROLE_ROOT, index), 0);
    assert_int_equal(trust_root_add_role(root, TRUST_ROLE_POLICY, index), 0);
    assert_int_equal(trust_root_add_key(root, "誰でも", public, &index), 0);
    assert_int_equal(trust_root_add_role(root, TRUST_ROLE_POLICY, index), 0);
    root->roles[TRUST_ROLE_ROOT].threshold = 1;
    root->roles[TRUST_ROLE_POLICY].threshold = 2;
    r = trust_root_write(root, &bytes, &size, NULL);
    free(bytes);
    trust_root_free(root);
    return r;
}

static void check_weak(const uint8_t public[static TRUST_PUBLIC_SIZE])
{
    uint8_t raw[TRUST_PUBLIC_SIZE];
    char *pem = NULL;

    assert_true(everybody_signs(public)); /* OpenSSL lets them: were that to change, this line says so */
    assert_int_equal(trust_key_to_pem(public, &pem), 0);
    assert_int_equal(trust_key_read_public((uint8_t *)pem, strlen(pem), raw), TRUST_KEY_E_WEAK);
    assert_int_equal(root_with(public), TRUST_E_MALFORMED);
    free(pem);
}

static void test_a_key_for_which_everybody_signs_is_none(void **state)
{
    uint8_t public[TRUST_PUBLIC_SIZE];

    (void)state;
    for (size_t i = 0; i < ELEMENTS(edges); i++) {
        memset(public, edges[i].middle, sizeof(public));
        public[0] = edges[i].first;
        public[31] = edges[i].last;
        check_weak(public);
    }
    for (size_t i = 0; i < ELEMENTS(order8) * 2; i++) {
        memcpy(public, order8[i / 2], sizeof(public));
        public[31] = (uint8_t)(public[31] | (i % 2 ? 0x80 : 0));
        check_weak(public);
    }
    signed_public(1, public);
    assert_false(everybody_signs(public));
    assert_int_equal(root_with(public), TRUST_OK);
}

/* y = p + 3 is the same point as y = 3 under another id: one person would be two. */
static void test_a_point_has_one_spelling(void **state)
{
    uint8_t public[TRUST_PUBLIC_SIZE];

    (void)state;
    for (unsigned first = 0xef; first <= 0xff; first++) {
        memset(public, 0xff, sizeof(public));
        public[0] = (uint8_t)first;
        public[31] = first % 2 ? 0x7f : 0xff;
        assert_int_equal(root_with(public), TRUST_E_MALFORMED);
    }
}

/* The same key under two names, by the document's own hand. */
static void test_one_key_under_two_names_is_refused(void **state)
{
    static const char second[] = "{\"id\": \"%s\", \"name\": \"別人\", \"public\": \"%s\"},";
    struct trust_envelope *e = signed_usual_root(4);
    struct trust_complaint complaint = {0};
    char hex[DIGEST_HEX_SIZE], *pem = NULL, *key = NULL, *to = NULL;
    uint8_t public[TRUST_PUBLIC_SIZE];
    struct trust_root *root = NULL;
    struct signed_bytes b;
    struct digest id;

    (void)state;
    signed_public(3, public);
    assert_int_equal(trust_key_id(public, &id), 0);
    digest_to_hex(&id, hex);
    assert_int_equal(trust_key_to_pem(public, &pem), 0);
    for (char *c = strchr(pem, '\n'); c; c = strchr(c, '\n')) { /* as JSON writes it */
        char *longer = NULL;

        assert_true(asprintf(&longer, "%.*s\\n%s", (int)(c - pem), pem, c + 1) > 0);
        c = longer + (c - pem) + 2;
        free(pem);
        pem = longer;
    }
    assert_true(asprintf(&key, second, hex, pem) > 0);
    assert_true(asprintf(&to, "\"keys\": [%s", key) > 0);
    b = signed_payload(e);
    b = signed_edited(b, "\"keys\": [", to);
    assert_int_equal(trust_root_parse(b.data, b.size, &root, &complaint), TRUST_E_MALFORMED);
    assert_non_null(strstr(complaint.text, "twice"));
    free(b.data);
    assert_int_equal(offer(signed_payload_edited(signed_usual_root(4), "\"keys\": [", to, SIGNED_ROOT_SIGNERS)),
                     TRUST_E_MALFORMED);
    /* And once more in the list of a role. */
    free(to);
    assert_true(asprintf(&to, "\"policy\": {\n      \"keys\": [\n        \"%s\",", hex) > 0);
    assert_int_equal(
        offer(signed_payload_edited(signed_usual_root(4), "\"policy\": {\n      \"keys\": [", to, SIGNED_ROOT_SIGNERS)),
        TRUST_E_MALFORMED);
    free(to);
    free(key);
    free(pem);
}

/* The bytes that are signed, as the specification of DSSE has them. */
static void test_what_is_signed(void **state)
{
    struct trust_envelope *e = signed_text(TRUST_TYPE_HEAD, "hello", KEY(6));
    static const char expected[] = "DSSEv1 36 application/vnd.kuraban.head.v1+json 5 hello";
    uint8_t public[TRUST_PUBLIC_SIZE];
    struct buf b;

    (void)state;
    buf_init(&b, 256);
    assert_int_equal(trust_envelope_pae(e, &b), 0);
    assert_int_equal(b.size, strlen(expected));
    assert_memory_equal(b.data, expected, b.size);
    signed_public(6, public);
    assert_int_equal(trust_key_verify(public, e->signatures[0].bytes, (const uint8_t *)expected, b.size), 1);
    buf_done(&b);
    trust_envelope_free(e);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_signature_cannot_be_written_in_a_second_way),
        cmocka_unit_test(test_both_spellings_are_one_key),
        cmocka_unit_test(test_a_key_for_which_everybody_signs_is_none),
        cmocka_unit_test(test_a_point_has_one_spelling),
        cmocka_unit_test(test_one_key_under_two_names_is_refused),
        cmocka_unit_test(test_what_is_signed),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
