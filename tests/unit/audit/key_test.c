#include "unit/audit/journal_fixture.h"

#define TIME "2026-11-23T01:02:03.000004Z"
#define HASH "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"
#define DOMAIN JOURNAL_DOMAIN_CHECKPOINT

static void test_sign_and_check(void **state)
{
    struct fixture *f = *state;
    struct journal_key *key = NULL, *same = NULL, *public_key = NULL;
    char signature[JOURNAL_SIGNATURE_TEXT], id[DIGEST_HEX_SIZE], same_id[DIGEST_HEX_SIZE];
    char bad[JOURNAL_SIGNATURE_TEXT];

    assert_int_equal(journal_key_open(f->state, &key), JOURNAL_KEY_CREATED);
    assert_int_equal(journal_key_open(f->state, &same), 0);
    assert_int_equal(journal_key_read_public(f->state, JOURNAL_KEY_PUBLIC, &public_key), 0);
    journal_key_id(key, id);
    journal_key_id(public_key, same_id);
    assert_string_equal(id, same_id);
    assert_int_equal(journal_key_sign(same, DOMAIN, 7, HASH, TIME, signature), 0);
    assert_int_equal(journal_key_check(public_key, DOMAIN, 7, HASH, TIME, signature), 0);
    assert_int_equal(journal_key_check(public_key, JOURNAL_DOMAIN_HEAD, 7, HASH, TIME, signature), -EKEYREJECTED);
    assert_int_equal(journal_key_check(public_key, DOMAIN, 8, HASH, TIME, signature), -EKEYREJECTED);
    assert_int_equal(journal_key_check(public_key, DOMAIN, 7, HASH "0", TIME, signature), -EKEYREJECTED);
    assert_int_equal(journal_key_check(public_key, DOMAIN, 7, HASH, "2027", signature), -EKEYREJECTED);
    assert_int_equal(journal_key_check(public_key, DOMAIN, 7, HASH "\n" TIME, "", signature), -EBADMSG);
    assert_int_equal(journal_key_check(public_key, DOMAIN, 7, HASH, TIME, ""), -EBADMSG);
    assert_int_equal(journal_key_check(public_key, DOMAIN, 7, HASH, TIME, signature + 4), -EBADMSG);
    memcpy(bad, signature, sizeof(bad));
    bad[3] = bad[3] == 'A' ? 'B' : 'A';
    assert_int_equal(journal_key_check(public_key, DOMAIN, 7, HASH, TIME, bad), -EKEYREJECTED);
    bad[3] = '!';
    assert_int_equal(journal_key_check(public_key, DOMAIN, 7, HASH, TIME, bad), -EBADMSG);
    assert_int_equal(journal_key_sign(public_key, DOMAIN, 7, HASH, TIME, signature), -EPERM);
    journal_key_free(key);
    journal_key_free(same);
    journal_key_free(public_key);
}

static void test_broken_key_is_replaced(void **state)
{
    struct fixture *f = *state;
    struct journal_key *key = NULL;

    assert_int_equal(files_write_atomic_at(f->state, JOURNAL_KEY_PRIVATE, "no key", 6, 0600), 0);
    assert_int_equal(journal_key_open(f->state, &key), JOURNAL_KEY_CREATED);
    assert_int_equal(faccessat(f->state, JOURNAL_KEY_PRIVATE ".broken", F_OK, 0), 0);
    journal_key_free(key);
    key = NULL;
    assert_int_equal(journal_key_open(f->state, &key), 0);
    journal_key_free(key);
    key = NULL;
    assert_int_equal(journal_key_read_public(f->state, JOURNAL_KEY_PRIVATE, &key), -EBADMSG);
    assert_null(key);
    assert_int_equal(journal_key_read_public(f->state, "none", &key), -ENOENT);
}

static void test_only_ed25519(void **state)
{
    /* P-256 public key made for this test */
    static const char pem[] = "-----BEGIN PUBLIC KEY-----\n"
                              "MFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAEnpgf7oceWY5KM3hTk6KYJYtzgDmb\n"
                              "AjfTrmn8idSd3A/8646k54uKMOMeimZoZ99g6bhGVzUj1C1fXAWAeXtjZA==\n"
                              "-----END PUBLIC KEY-----\n";
    struct fixture *f = *state;
    struct journal_key *key = NULL;

    assert_int_equal(files_write_atomic_at(f->state, "p256", pem, sizeof(pem) - 1, 0600), 0);
    assert_int_equal(journal_key_read_public(f->state, "p256", &key), -EBADMSG);
    assert_null(key);
}

int main(void)
{
#define T(t) cmocka_unit_test_setup_teardown(t, fixture_setup, fixture_teardown)
    const struct CMUnitTest tests[] = {
        T(test_sign_and_check),
        T(test_broken_key_is_replaced),
        T(test_only_ed25519),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
