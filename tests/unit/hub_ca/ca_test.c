/* The authority: what it signs is taken by a strict verifier, and what it may not sign is not. */
#include "test.h"

#include <errno.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>
#include <stdlib.h>
#include <string.h>

#include "hub/ca/ca.h"
#include "hub/ca/internal.h"

#define NOW INT64_C(1800000000)
#define DAY INT64_C(86400)

static const char *const names[] = {"hub.matsudo.example", "192.0.2.7", "2001:db8::7", NULL};
static const char *const other_names[] = {"bank.example", NULL};

struct made {
    struct hub_ca *ca;
    char *authority, *certificate, *key;
};

static int begin(void **state)
{
    static struct made m;

    assert_int_equal(hub_ca_new("松戸市", names, NOW, &m.ca), 0);
    assert_int_equal(hub_ca_certificate(m.ca, &m.authority), 0);
    assert_int_equal(hub_ca_issue(m.ca, names, NOW, &m.certificate, &m.key), 0);
    *state = &m;
    return 0;
}

static int end(void **state)
{
    struct made *m = *state;

    m->ca = hub_ca_free(m->ca);
    free(m->authority);
    free(m->certificate);
    m->key = hub_ca_secret_free(m->key);
    return 0;
}

static void test_good(void **state)
{
    static const char *const local[] = {"localhost", "127.0.0.1", "::1", NULL};
    struct made *m = *state;
    const char *detail = NULL;

    assert_int_equal(hub_ca_check(m->certificate, m->key, m->authority, names, NOW, &detail), HUB_CA_GOOD);
    assert_int_equal(hub_ca_check(m->certificate, m->key, m->authority, local, NOW, &detail), HUB_CA_GOOD);
    /* A terminal's clock may be late. */
    assert_int_equal(hub_ca_check(m->certificate, m->key, m->authority, names, NOW - DAY + 1, &detail), HUB_CA_GOOD);
}

static void test_times(void **state)
{
    struct made *m = *state;
    char *certificate = NULL, *key = NULL;

    assert_int_equal(hub_ca_check(m->certificate, m->key, m->authority, names, NOW - DAY - 1, NULL), HUB_CA_E_EXPIRED);
    assert_int_equal(
        hub_ca_check(m->certificate, m->key, m->authority, names, NOW + HUB_CA_SERVER_DAYS * DAY - 1, NULL),
        HUB_CA_GOOD);
    assert_int_equal(
        hub_ca_check(m->certificate, m->key, m->authority, names, NOW + HUB_CA_SERVER_DAYS * DAY + 1, NULL),
        HUB_CA_E_EXPIRED);
    /* Near its end it still issues, behind it no more. */
    assert_int_equal(hub_ca_issue(m->ca, names, NOW + 3652 * DAY, &certificate, &key), 0);
    free(certificate);
    key = hub_ca_secret_free(key);
    certificate = NULL;
    assert_int_equal(hub_ca_issue(m->ca, names, NOW + 3654 * DAY, &certificate, &key), -EINVAL);
    assert_null(certificate);
    assert_null(key);
}

/* Somebody with the authority's key, and OpenSSL's tools instead of ours. */
static char *forge(const struct hub_ca *ca, const char *name, bool authority)
{
    EVP_PKEY *key = EVP_EC_gen("P-256");
    X509 *x = X509_new();
    X509V3_CTX context;
    time_t now = NOW;
    char value[128], *text = NULL;
    struct {
        int nid;
        const char *value;
    } extensions[] = {{NID_basic_constraints, authority ? "critical,CA:TRUE" : "critical,CA:FALSE"},
                      {NID_subject_alt_name, value}};

    (void)snprintf(value, sizeof(value), "DNS:%s", name);
    X509_set_version(x, X509_VERSION_3);
    ASN1_INTEGER_set(X509_get_serialNumber(x), 7);
    X509_time_adj_ex(X509_getm_notBefore(x), -1, 0, &now);
    X509_time_adj_ex(X509_getm_notAfter(x), 30, 0, &now);
    X509_set_pubkey(x, key);
    X509_NAME_add_entry_by_NID(X509_get_subject_name(x), NID_commonName, MBSTRING_UTF8,
                               (const unsigned char *)(authority ? "below" : "x"), -1, -1, 0);
    X509_set_issuer_name(x, X509_get_subject_name(ca->certificate));
    X509V3_set_ctx(&context, ca->certificate, x, NULL, NULL, 0);
    for (size_t i = 0; i < ELEMENTS(extensions); i++) {
        X509_EXTENSION *e = X509V3_EXT_conf_nid(NULL, &context, extensions[i].nid, extensions[i].value);

        assert_non_null(e);
        X509_add_ext(x, e, -1);
        X509_EXTENSION_free(e);
    }
    assert_true(X509_sign(x, ca->key, EVP_sha256()) > 0);
    assert_int_equal(hub_pem_certificate(x, &text), 0);
    if (authority) { /* signs one below it */
        struct hub_ca below = {.certificate = x, .key = key};
        char *leaf = forge(&below, name, false), *both = NULL;

        assert_true(asprintf(&both, "%s%s", leaf, text) > 0);
        free(leaf);
        free(text);
        text = both;
    }
    X509_free(x);
    EVP_PKEY_free(key);
    return text;
}

/* Does the chain lead to the authority? The key is not looked at here. */
static int chain(const char *text, const char *authority)
{
    X509_STORE *store = X509_STORE_new();
    X509_STORE_CTX *context = X509_STORE_CTX_new();
    STACK_OF(X509) *between = sk_X509_new_null();
    X509 *ca = hub_pem_read_certificate(authority), *x, *first = NULL;
    BIO *bio = BIO_new_mem_buf(text, -1);
    int error;

    while ((x = PEM_read_bio_X509(bio, NULL, NULL, NULL))) {
        if (first)
            sk_X509_push(between, x);
        else
            first = x;
    }
    X509_STORE_add_cert(store, ca);
    X509_STORE_CTX_init(context, store, first, between);
    X509_VERIFY_PARAM_set_time(X509_STORE_CTX_get0_param(context), (time_t)NOW);
    error = X509_verify_cert(context) == 1 ? X509_V_OK : X509_STORE_CTX_get_error(context);
    X509_STORE_CTX_free(context);
    X509_STORE_free(store);
    sk_X509_pop_free(between, X509_free);
    X509_free(first);
    X509_free(ca);
    BIO_free(bio);
    return error;
}

static void test_bounds_of_the_authority(void **state)
{
    struct made *m = *state;
    char *certificate = NULL, *key = NULL;
    static const struct {
        const char *name;
        bool authority;
        int error;
    } cases[] = {
        {"hub.matsudo.example", false, X509_V_OK},
        {"bank.example", false, X509_V_ERR_PERMITTED_VIOLATION},
        {"matsudo.example", false, X509_V_ERR_PERMITTED_VIOLATION},
        {"hub.matsudo.example", true, X509_V_ERR_PATH_LENGTH_EXCEEDED},
    };

    assert_int_equal(hub_ca_issue(m->ca, other_names, NOW, &certificate, &key), -EINVAL);
    assert_null(certificate);
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        char *text = forge(m->ca, cases[i].name, cases[i].authority);

        assert_int_equal(chain(text, m->authority), cases[i].error);
        free(text);
    }
}

static void test_given(void **state)
{
    struct made *m = *state;
    struct hub_ca *stranger = NULL;
    char *authority = NULL, *certificate = NULL, *key = NULL, *two = NULL;
    const char *detail = NULL;

    assert_int_equal(hub_ca_new("柏市", names, NOW, &stranger), 0);
    assert_int_equal(hub_ca_certificate(stranger, &authority), 0);
    assert_int_equal(hub_ca_issue(stranger, names, NOW, &certificate, &key), 0);
    assert_true(asprintf(&two, "%s%s", m->authority, authority) > 0);
    assert_int_equal(hub_ca_check(m->certificate, m->key, authority, names, NOW, &detail), HUB_CA_E_CHAIN);
    assert_int_equal(hub_ca_check(m->certificate, key, m->authority, names, NOW, &detail), HUB_CA_E_MISMATCH);
    assert_int_equal(hub_ca_check(m->certificate, m->key, m->authority, other_names, NOW, &detail), HUB_CA_E_NAME);
    assert_string_equal(detail, "bank.example");
    assert_int_equal(hub_ca_check("", m->key, m->authority, names, NOW, &detail), HUB_CA_E_CERTIFICATE);
    assert_int_equal(hub_ca_check(m->key, m->key, m->authority, names, NOW, &detail), HUB_CA_E_CERTIFICATE);
    assert_int_equal(hub_ca_check(m->certificate, "", m->authority, names, NOW, &detail), HUB_CA_E_KEY);
    assert_int_equal(hub_ca_check(m->certificate, m->key, "x", names, NOW, &detail), HUB_CA_E_CA);
    assert_int_equal(hub_ca_check(m->certificate, m->key, m->certificate, names, NOW, &detail), HUB_CA_E_CA);
    assert_int_equal(hub_ca_check(m->certificate, m->key, two, names, NOW, &detail), HUB_CA_E_CA);
    stranger = hub_ca_free(stranger);
    free(authority);
    free(certificate);
    free(two);
    key = hub_ca_secret_free(key);
}

static void test_weak(void **state)
{
    struct made *m = *state;
    EVP_PKEY *key = EVP_RSA_gen(1024);
    X509 *x = hub_pem_read_certificate(m->certificate);
    char *certificate = NULL, *text = NULL;

    X509_set_pubkey(x, key);
    assert_true(X509_sign(x, m->ca->key, EVP_sha256()) > 0);
    assert_int_equal(hub_pem_certificate(x, &certificate), 0);
    assert_int_equal(hub_pem_key(key, &text), 0);
    assert_int_equal(hub_ca_check(certificate, text, m->authority, names, NOW, NULL), HUB_CA_E_WEAK);
    X509_free(x);
    EVP_PKEY_free(key);
    free(certificate);
    text = hub_ca_secret_free(text);
}

static void test_read(void **state)
{
    struct made *m = *state;
    struct hub_ca *again = NULL;
    char *key = NULL, *certificate = NULL, *leaf_key = NULL;

    assert_int_equal(hub_ca_key(m->ca, &key), 0);
    assert_int_equal(hub_ca_read(m->authority, key, &again), 0);
    assert_int_equal(hub_ca_issue(again, names, NOW, &certificate, &leaf_key), 0);
    assert_int_equal(hub_ca_check(certificate, leaf_key, m->authority, names, NOW, NULL), HUB_CA_GOOD);
    again = hub_ca_free(again);
    assert_int_equal(hub_ca_read(m->authority, leaf_key, &again), -EBADMSG);
    assert_int_equal(hub_ca_read(certificate, leaf_key, &again), -EBADMSG);
    assert_int_equal(hub_ca_read("", "", &again), -EBADMSG);
    free(certificate);
    key = hub_ca_secret_free(key);
    leaf_key = hub_ca_secret_free(leaf_key);
}

/* As `openssl x509 -pubkey -noout | openssl pkey -pubin -outform DER | sha256sum` has it. */
static void test_pin(void **state)
{
    struct made *m = *state;
    char pin[HUB_CA_PIN_SIZE], other[HUB_CA_PIN_SIZE];

    static const char known[] = "-----BEGIN CERTIFICATE-----\n"
                                "MIICAzCCAamgAwIBAgIQU3hLvJ1Swyz1a/jD0sxebDAKBggqhkjOPQQDAjArMRQw\n"
                                "EgYDVQQKDAtNYXRzdWRvIOW4gjETMBEGA1UEAwwKa3VyYWJhbiBDQTAeFw0yNjEx\n"
                                "MjMwMDE4NTRaFw0zNjExMjQwMDE4NTRaMCsxFDASBgNVBAoMC01hdHN1ZG8g5biC\n"
                                "MRMwEQYDVQQDDAprdXJhYmFuIENBMFkwEwYHKoZIzj0CAQYIKoZIzj0DAQcDQgAE\n"
                                "0RA3T+6No7s56O0VK5KmMkzTnR8m/tVJNLnx01EHPZirXOkl2mguCHE4I2UiduUe\n"
                                "EEQXkyIcjn29Oyqq82e4HKOBrjCBqzASBgNVHRMBAf8ECDAGAQH/AgEAMA4GA1Ud\n"
                                "DwEB/wQEAwIBBjAdBgNVHQ4EFgQUok66cofha/6WB6i+L0mPDfeyuhUwZgYDVR0e\n"
                                "AQH/BFwwWqBYMA2CC2h1Yi5leGFtcGxlMAqHCH8AAAH/////MAuCCWxvY2FsaG9z\n"
                                "dDAKhwh/AAAB/////zAihyAAAAAAAAAAAAAAAAAAAAAB////////////////////\n"
                                "/zAKBggqhkjOPQQDAgNIADBFAiBP3fPsKMeYAQVfcQyjbJ9nC7AdN7AwK0FUJda5\n"
                                "onukjQIhALhkP1sad/4I3jBoDGyd1IH2UFVWsC5mA5/tCr8fJbW7\n"
                                "-----END CERTIFICATE-----\n";

    assert_int_equal(hub_ca_pin(known, pin), 0);
    assert_string_equal(pin, "sha256:4fc6486aaaa6fa6e7044c6d2c1e926eee2629c0f89eff3842e14fe3ed4be5ee9");
    assert_int_equal(hub_ca_pin(m->authority, pin), 0);
    assert_int_equal(hub_ca_pin(m->certificate, other), 0);
    assert_string_not_equal(pin, other);
    assert_int_equal(hub_ca_pin("x", pin), -EBADMSG);
}

static void test_names(void **state)
{
    static const char *const good[] = {"a", "hub", "hub-1.matsudo.example", "10.1.2.3", "fe80::1", "1hub.example"};
    static const char *const bad[] = {
        "",           ".",         "a..b",
        "-a",         "a-",        "a.-b",
        "a-.b",       "*.example", "a b",
        "a,DNS:b",    "a;b",       "10.1.2",
        "10.1.2.300", "課税",      "a/b",
        "a.",         "http://a",  "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa.example"};
    struct hub_ca *ca = NULL;

    (void)state;
    for (size_t i = 0; i < ELEMENTS(good); i++)
        assert_true(hub_ca_name_is_good(good[i]));
    for (size_t i = 0; i < ELEMENTS(bad); i++) {
        const char *const one[] = {bad[i], NULL};

        assert_false(hub_ca_name_is_good(bad[i]));
        assert_int_equal(hub_ca_new("x", one, NOW, &ca), -EINVAL);
    }
    assert_int_equal(hub_ca_new("", names, NOW, &ca), -EINVAL);
    assert_int_equal(hub_ca_new("x", names + 3, NOW, &ca), -EINVAL); /* no name at all */
    assert_null(ca);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good),  cmocka_unit_test(test_times), cmocka_unit_test(test_bounds_of_the_authority),
        cmocka_unit_test(test_given), cmocka_unit_test(test_weak),  cmocka_unit_test(test_read),
        cmocka_unit_test(test_pin),   cmocka_unit_test(test_names),
    };

    return cmocka_run_group_tests(tests, begin, end);
}
