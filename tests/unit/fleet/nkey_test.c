/* Keys of the wire as NATS writes them: what nsc and nats-server made, and what is not quite such a key. */
#include <errno.h>
#include <string.h>

#include "policy/fleet/nkey.h"
#include "policy/fleet/wire_key.h"
#include "test.h"

/* A pair that the tests of NATS' own C client use. */
static const char SEED[] = "SUACSSL3UAHUDXKFSNVUZRF5UHPMWZ6BFDTJ7M6USDXIEDNPPQYYYCU3VY";
static const char PUBLIC[] = "UDXU4RCSJNZOIQHZNWXHXORDPRTGNJAHAHFRGZNEEJCPQTT2M7NLCNF4";

static void test_known(void **state)
{
    struct wire_key *k = NULL;
    char seed[NKEY_SEED_SIZE];
    uint8_t raw[NKEY_RAW_SIZE];

    (void)state;
    assert_int_equal(wire_key_read(SEED, strlen(SEED), NKEY_USER, &k), 0);
    assert_string_equal(wire_key_public(k), PUBLIC);
    assert_int_equal(wire_key_seed(k, seed), 0);
    assert_string_equal(seed, SEED);
    assert_int_equal(nkey_public_read(PUBLIC, strlen(PUBLIC), NKEY_USER, raw), 0);
    k = wire_key_free(k);
}

static void test_kinds(void **state)
{
    static const enum nkey_kind kinds[] = {NKEY_OPERATOR, NKEY_ACCOUNT, NKEY_USER};

    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct wire_key *k = NULL, *again = NULL;
        char seed[NKEY_SEED_SIZE];

        assert_int_equal(wire_key_new(kinds[i], &k), 0);
        assert_int_equal(wire_key_public(k)[0], kinds[i]);
        assert_int_equal(wire_key_seed(k, seed), 0);
        assert_int_equal(seed[0], 'S');
        assert_int_equal(seed[1], kinds[i]);
        for (size_t j = 0; j < 3; j++)
            if (j != i)
                assert_int_equal(wire_key_read(seed, strlen(seed), kinds[j], &again), -EBADMSG);
        assert_int_equal(wire_key_read(seed, strlen(seed), kinds[i], &again), 0);
        assert_string_equal(wire_key_public(again), wire_key_public(k));
        k = wire_key_free(k);
        again = wire_key_free(again);
    }
}

static void test_damaged(void **state)
{
    char text[NKEY_SEED_SIZE];
    uint8_t raw[NKEY_RAW_SIZE];

    (void)state;
    for (size_t i = 0; i < strlen(PUBLIC); i++) {
        memcpy(text, PUBLIC, sizeof(PUBLIC));
        text[i] = text[i] == 'B' ? 'C' : 'B';
        assert_int_equal(nkey_public_read(text, strlen(PUBLIC), NKEY_USER, raw), -EBADMSG);
        assert_int_equal(nkey_public_read(PUBLIC, i, NKEY_USER, raw), -EBADMSG);
    }
    memcpy(text, PUBLIC, sizeof(PUBLIC));
    text[1] = 'a';
    assert_int_equal(nkey_public_read(text, strlen(PUBLIC), NKEY_USER, raw), -EBADMSG);
    assert_int_equal(nkey_public_read(SEED, strlen(SEED), NKEY_USER, raw), -EBADMSG);
    assert_int_equal(nkey_seed_read(PUBLIC, strlen(PUBLIC), NKEY_USER, raw), -EBADMSG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_known),
        cmocka_unit_test(test_kinds),
        cmocka_unit_test(test_damaged),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
