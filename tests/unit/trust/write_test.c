/* What people who sign use: keys in files, root and head documents, envelopes and what their signatures are worth. */
#include <errno.h>
#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "fake/signed.h"
#include "test.h"

#define PASSPHRASE "正しい馬 電池 ホチキス"

/* What the callback is to say, and how often it was asked. */
struct prompt {
    const char *answer;
    int asked;
};

static int answer(void *context, char *buffer, size_t size)
{
    struct prompt *p = context;
    size_t n = p->answer ? strlen(p->answer) : 0;

    p->asked++;
    if (!p->answer || n > size)
        return -1;
    memcpy(buffer, p->answer, n);
    return (int)n;
}

/* A file in a fresh directory; removed by the caller through gone(). */
struct keyfile {
    char directory[64], path[80], uri[96];
};

static struct keyfile keyfile_with(const char *text)
{
    struct keyfile f = {.directory = "/tmp/kuraban-key-XXXXXX"};
    FILE *out;

    assert_non_null(mkdtemp(f.directory));
    snprintf(f.path, sizeof(f.path), "%s/key.pem", f.directory);
    snprintf(f.uri, sizeof(f.uri), "file:%s", f.path);
    out = fopen(f.path, "we");
    assert_non_null(out);
    assert_true(fputs(text, out) >= 0);
    assert_int_equal(fclose(out), 0);
    return f;
}

static void gone(const struct keyfile *f)
{
    assert_int_equal(unlink(f->path), 0);
    assert_int_equal(rmdir(f->directory), 0);
}

static void test_a_key_is_written_encrypted_and_opened_with_its_passphrase(void **state)
{
    struct prompt right = {PASSPHRASE, 0}, wrong = {"wrong passphrase", 0}, none = {NULL, 0};
    uint8_t before[TRUST_PUBLIC_SIZE], after[TRUST_PUBLIC_SIZE];
    EVP_PKEY *key = NULL, *again = NULL;
    struct keyfile f;
    char *pem = NULL;

    (void)state;
    assert_int_equal(trust_key_generate(&key), 0);
    assert_int_equal(trust_key_write_private(key, PASSPHRASE, &pem), 0);
    assert_non_null(strstr(pem, "BEGIN ENCRYPTED PRIVATE KEY"));
    f = keyfile_with(pem);
    assert_int_equal(trust_key_load_private(f.path, answer, &wrong, &again), TRUST_KEY_E_PASSPHRASE);
    assert_int_equal(trust_key_load_private(f.path, answer, &none, &again), TRUST_KEY_E_PASSPHRASE);
    assert_int_equal(trust_key_load_private(f.path, NULL, NULL, &again), TRUST_KEY_E_PASSPHRASE);
    assert_null(again);
    assert_int_equal(trust_key_load_private(f.path, answer, &right, &again), TRUST_KEY_OK);
    assert_int_equal(right.asked, 1);
    assert_int_equal(trust_key_public(key, before), TRUST_KEY_OK);
    assert_int_equal(trust_key_public(again, after), TRUST_KEY_OK);
    assert_memory_equal(before, after, sizeof(before));
    EVP_PKEY_free(again);
    assert_int_equal(trust_key_load_private(f.uri, answer, &right, &again), TRUST_KEY_OK);
    EVP_PKEY_free(again);
    EVP_PKEY_free(key);
    pem = trust_secret_free(pem);
    gone(&f);
}

/* scrypt with what the header says, so that nobody lowers it in passing. */
static void test_the_encryption_is_strong(void **state)
{
    static const char command[] = "openssl asn1parse -in %s 2>/dev/null";
    struct keyfile f;
    char *pem = NULL, *line = NULL, out[8192];
    FILE *pipe;
    size_t n;

    (void)state;
    assert_int_equal(trust_key_write_private(signed_key(0), PASSPHRASE, &pem), 0);
    f = keyfile_with(pem);
    assert_true(asprintf(&line, command, f.path) > 0);
    pipe = popen(line, "re");
    assert_non_null(pipe);
    n = fread(out, 1, sizeof(out) - 1, pipe);
    out[n] = '\0';
    assert_int_equal(pclose(pipe), 0);
    assert_non_null(strstr(out, ":scrypt"));
    assert_non_null(strstr(out, "INTEGER           :4000\n")); /* N */
    assert_non_null(strstr(out, "INTEGER           :08\n"));   /* r, p */
    assert_non_null(strstr(out, ":aes-256-cbc"));
    free(line);
    trust_secret_free(pem);
    gone(&f);
}

static void test_passphrases_have_limits(void **state)
{
    char longest[TRUST_PASSPHRASE_MAX + 2], *pem = NULL;

    (void)state;
    memset(longest, 'x', sizeof(longest));
    longest[sizeof(longest) - 1] = '\0';
    assert_int_equal(trust_key_write_private(signed_key(0), "seven77", &pem), -EINVAL);
    assert_int_equal(trust_key_write_private(signed_key(0), "", &pem), -EINVAL);
    assert_int_equal(trust_key_write_private(signed_key(0), longest, &pem), -EINVAL);
    assert_null(pem);
}

static char *pem_of(EVP_PKEY *key, bool private)
{
    BIO *bio = BIO_new(BIO_s_mem());
    char *data = NULL, *text;
    long size;

    assert_non_null(bio);
    assert_int_equal(private ? PEM_write_bio_PKCS8PrivateKey(bio, key, NULL, NULL, 0, NULL, NULL)
                             : PEM_write_bio_PUBKEY(bio, key),
                     1);
    size = BIO_get_mem_data(bio, &data);
    text = text_copy(data, (size_t)size);
    BIO_free(bio);
    return text;
}

static void test_only_ed25519_keys_are_keys(void **state)
{
    EVP_PKEY *rsa = EVP_PKEY_Q_keygen(NULL, NULL, "RSA", (size_t)2048), *out = NULL;
    char *private = pem_of(rsa, true), *public = pem_of(rsa, false);
    uint8_t raw[TRUST_PUBLIC_SIZE];
    struct keyfile f = keyfile_with(private);
    struct trust_envelope *e = signed_text(TRUST_TYPE_POLICY, "x", 0);

    (void)state;
    assert_int_equal(trust_key_load_private(f.path, NULL, NULL, &out), TRUST_KEY_E_KIND);
    assert_int_equal(trust_key_read_public((uint8_t *)public, strlen(public), raw), TRUST_KEY_E_KIND);
    assert_int_equal(trust_envelope_sign(e, rsa), -EINVAL);
    assert_int_equal(e->n_signatures, 0);
    assert_int_equal(trust_key_load_private("/nonexistent/key.pem", NULL, NULL, &out), TRUST_KEY_E_NONE);
    gone(&f);
    f = keyfile_with(public);
    assert_int_equal(trust_key_load_private(f.path, NULL, NULL, &out), TRUST_KEY_E_NONE);
    gone(&f);
    f = keyfile_with("no key at all\n");
    assert_int_equal(trust_key_load_private(f.path, NULL, NULL, &out), TRUST_KEY_E_NONE);
    gone(&f);
    assert_null(out);
    trust_envelope_free(e);
    EVP_PKEY_free(rsa);
    free(private);
    free(public);
}

static void test_a_public_key_has_one_spelling(void **state)
{
    uint8_t expected[TRUST_PUBLIC_SIZE], raw[TRUST_PUBLIC_SIZE];
    char *pem = NULL, other[512];
    static const char *const wrong[] = {"%s%s", "comment\n%s", "%s\n", " %s"};

    (void)state;
    signed_public(0, expected);
    assert_int_equal(trust_key_write_public(signed_key(0), &pem), 0);
    assert_int_equal(trust_key_read_public((uint8_t *)pem, strlen(pem), raw), TRUST_KEY_OK);
    assert_memory_equal(raw, expected, sizeof(raw));
    assert_int_equal(trust_key_read_public((uint8_t *)pem, strlen(pem) - 1, raw), TRUST_KEY_OK);
    for (size_t i = 0; i < ELEMENTS(wrong); i++) {
#pragma GCC diagnostic push
#pragma GCC diagnostic ignored "-Wformat-nonliteral"
        snprintf(other, sizeof(other), wrong[i], pem, pem);
#pragma GCC diagnostic pop
        assert_int_equal(trust_key_read_public((uint8_t *)other, strlen(other), raw), TRUST_KEY_E_NONE);
    }
    assert_int_equal(trust_key_read_public((const uint8_t *)"", 0, raw), TRUST_KEY_E_NONE);
    free(pem);
}

static void test_a_key_signs_once(void **state)
{
    struct trust_envelope *e = signed_text(TRUST_TYPE_POLICY, "x", 0);

    (void)state;
    assert_int_equal(trust_envelope_sign(e, signed_key(3)), TRUST_OK);
    assert_int_equal(trust_envelope_sign(e, signed_key(3)), TRUST_E_REPEATED_KEY);
    assert_int_equal(e->n_signatures, 1);
    for (unsigned i = 0; i < SIGNED_KEYS; i++)
        (void)trust_envelope_sign(e, signed_key(i));
    assert_int_equal(e->n_signatures, TRUST_SIGNATURES_MAX);
    {
        EVP_PKEY *one_more = EVP_PKEY_Q_keygen(NULL, NULL, "ED25519");

        assert_int_equal(trust_envelope_sign(e, one_more), TRUST_E_TOO_LONG);
        EVP_PKEY_free(one_more);
    }
    trust_envelope_free(e);
}

static void test_envelopes_have_limits(void **state)
{
    uint8_t *large = calloc(1, TRUST_BUNDLE_MAX);
    struct trust_envelope *e = NULL;

    (void)state;
    assert_int_equal(trust_envelope_new(TRUST_TYPE_HEAD, large, TRUST_HEAD_MAX + 1, &e), TRUST_E_TOO_LONG);
    assert_int_equal(trust_envelope_new(TRUST_TYPE_ROOT, large, TRUST_ROOT_MAX + 1, &e), TRUST_E_TOO_LONG);
    assert_int_equal(trust_envelope_new(TRUST_TYPE_POLICY, large, 256 * 1024 + 1, &e), TRUST_E_TOO_LONG);
    assert_int_equal(trust_envelope_new("text/plain", large, 1, &e), TRUST_E_PAYLOAD_TYPE);
    assert_null(e);
    free(large);
}

static void test_votes_tell_who_is_missing(void **state)
{
    struct trust_envelope *r = signed_usual_root(1), *e = signed_policy_six(KEY(3) | KEY(4) | KEY(0) | KEY(9));
    struct trust_root *root = NULL;
    struct trust_votes v = {0};
    uint8_t public[TRUST_PUBLIC_SIZE];

    (void)state;
    assert_int_equal(trust_root_parse(r->payload, r->size, &root, NULL), TRUST_OK);
    assert_int_equal(trust_envelope_verify(e, root, TRUST_ROLE_POLICY, &v, NULL), TRUST_OK);
    assert_int_equal(v.n, 4);
    assert_int_equal(v.n_good, 2);
    assert_int_equal(v.threshold, 2);
    assert_int_equal(v.of[0].kind, TRUST_VOTE_NONE); /* key 0: root's */
    assert_string_equal(v.of[0].key->name, "職員 0");
    assert_int_equal(v.of[1].kind, TRUST_VOTE_GOOD);
    assert_null(v.of[3].key); /* key 9: nobody knows it */
    e->signatures[2].bytes[0] ^= 1;
    assert_int_equal(trust_envelope_verify(e, root, TRUST_ROLE_POLICY, &v, NULL), TRUST_E_BAD_SIGNATURE);
    assert_int_equal(v.n_good, 1);
    assert_int_equal(v.of[2].kind, TRUST_VOTE_BAD);
    /* An envelope that was put together by hand: one key is one vote there too. */
    e->signatures[2] = e->signatures[1];
    assert_int_equal(trust_envelope_verify(e, root, TRUST_ROLE_POLICY, &v, NULL), TRUST_E_REPEATED_KEY);
    signed_public(3, public);
    assert_int_equal(trust_envelope_check(e, 1, public), TRUST_OK);
    assert_int_equal(trust_envelope_check(e, 0, public), TRUST_E_BAD_SIGNATURE);
    assert_int_equal(trust_envelope_check(e, 4, public), TRUST_E_BAD_SIGNATURE);
    /* A role without keys is a threshold nobody reaches. */
    root->roles[TRUST_ROLE_POLICY].n = 0;
    root->roles[TRUST_ROLE_POLICY].threshold = 0;
    assert_int_equal(trust_envelope_verify(e, root, TRUST_ROLE_POLICY, &v, NULL), TRUST_E_THRESHOLD);
    trust_root_free(root);
    trust_envelope_free(r);
    trust_envelope_free(e);
}

static struct trust_root *small_root(void)
{
    struct trust_root *root = NULL;
    uint8_t public[TRUST_PUBLIC_SIZE];
    size_t index;

    signed_public(0, public);
    assert_int_equal(trust_root_new(SIGNED_ORGANIZATION, 1, SIGNED_NOW, &root), 0);
    assert_int_equal(trust_root_add_key(root, "総務課 田中", public, &index), 0);
    assert_int_equal(trust_root_add_key(root, "again", public, &index), 0);
    assert_int_equal(root->n_keys, 1);
    assert_string_equal(root->keys[0].name, "総務課 田中");
    assert_int_equal(trust_root_add_role(root, TRUST_ROLE_ROOT, 0), 0);
    assert_int_equal(trust_root_add_role(root, TRUST_ROLE_ROOT, 0), -EEXIST);
    assert_int_equal(trust_root_add_role(root, TRUST_ROLE_POLICY, 0), 0);
    assert_int_equal(trust_root_add_role(root, TRUST_ROLE_POLICY, 1), -EINVAL);
    root->roles[TRUST_ROLE_ROOT].threshold = root->roles[TRUST_ROLE_POLICY].threshold = 1;
    return root;
}

static void test_a_root_is_written_and_read(void **state)
{
    struct trust_root *root = small_root(), *again = NULL;
    uint8_t *bytes = NULL;
    size_t size;

    (void)state;
    assert_int_equal(trust_root_write(root, &bytes, &size, NULL), TRUST_OK);
    assert_int_equal(trust_root_parse(bytes, size, &again, NULL), TRUST_OK);
    assert_string_equal(again->keys[0].name, "総務課 田中");
    assert_int_equal(again->expires_us, SIGNED_NOW);
    assert_int_equal(again->roles[TRUST_ROLE_HEAD].n, 0);
    free(bytes);
    trust_root_free(again);
    trust_root_free(root);
}

static void test_what_would_not_be_read_is_not_written(void **state)
{
    struct trust_complaint complaint = {0};
    uint8_t *bytes = NULL;
    size_t size;

    (void)state;
    for (int wrong = 0; wrong < 6; wrong++) {
        struct trust_root *root = small_root();

        root->roles[TRUST_ROLE_POLICY].threshold = wrong == 0 ? 0 : wrong == 1 ? 2 : 1;
        root->version = wrong == 2 ? 0 : wrong == 3 ? TRUST_VERSION_MAX + 1 : 1;
        if (wrong == 4)
            root->organization[0] = '\0';
        if (wrong == 5)
            root->roles[TRUST_ROLE_ROOT].n = 0;
        assert_int_equal(trust_root_write(root, &bytes, &size, &complaint), TRUST_E_MALFORMED);
        assert_true(complaint.text[0] != '\0');
        trust_root_free(root);
    }
    assert_null(bytes);
}

/* Edits of a good root document, each refused. */
static void test_a_root_is_read_strictly(void **state)
{
    static const struct {
        const char *from, *to;
    } edits[] = {
        {"\"version\": 1", "\"version\": 0"},
        {"\"version\": 1", "\"version\": 1.0"},
        {"\"version\": 1", "\"version\": \"1\""},
        {"\"version\": 1", "\"version\": 9007199254740992"},
        {"\"version\": 1,", ""},
        {"2028-01-15T08:00:00Z", "2028-01-15"},
        {"2028-01-15T08:00:00Z", "2028-01-15T17:00:00+09:00"},
        {"2028-01-15T08:00:00Z", "2028-13-15T08:00:00Z"},
        {"\"threshold\": 2", "\"threshold\": 0"},
        {"\"threshold\": 2", "\"threshold\": 4"},
        {"\"threshold\": 2", "\"threshold\": -1"},
        {"\"threshold\": 2", "\"threshold\": 4294967298"},
        {"\"name\": \"職員 0\"", "\"name\": \"\""},
        {"\"name\": \"職員 0\"", "\"name\": \"\\u001b[2J\""},
        {"BEGIN PUBLIC KEY", "BEGIN PRIVATE KEY"},
        {"kuraban-root/1", "kuraban-head/1"},
    };
    struct trust_envelope *e = signed_usual_root(1);

    (void)state;
    for (size_t i = 0; i < ELEMENTS(edits); i++) {
        struct signed_bytes b = {(uint8_t *)text_copy((const char *)e->payload, e->size), e->size};
        struct trust_root *root = NULL;
        int r;

        b = signed_edited(b, edits[i].from, edits[i].to);
        r = trust_root_parse(b.data, b.size, &root, NULL);
        if (r != TRUST_E_MALFORMED)
            fail_msg("%s: %s", edits[i].to, trust_result_name((enum trust_result)r));
        free(b.data);
    }
    trust_envelope_free(e);
}

/* The id of every key is computed; a key under a foreign id, or there twice, is none. */
static void test_key_ids_are_computed(void **state)
{
    struct trust_envelope *e = signed_usual_root(1);
    struct signed_bytes b = {(uint8_t *)text_copy((const char *)e->payload, e->size), e->size};
    struct trust_root *root = NULL;
    char *id, *key, hex[DIGEST_HEX_SIZE], *twice = NULL;

    (void)state;
    id = strstr((char *)b.data, "\"id\": \"") + strlen("\"id\": \"");
    memcpy(hex, id, 64);
    hex[64] = '\0';
    id[5] = id[5] == '0' ? '1' : '0';
    assert_int_equal(trust_root_parse(b.data, b.size, &root, NULL), TRUST_E_MALFORMED);
    memcpy(id, hex, 64);
    key = strstr((char *)b.data, "{\n      \"id\"");
    assert_non_null(key);
    assert_true(asprintf(&twice, "%.*s,", (int)(strchr(key, '}') + 1 - key), key) > 0);
    b = signed_edited(b, "\"keys\": [", "\"keys\": [@");
    b = signed_edited(b, "@", twice);
    assert_int_equal(trust_root_parse(b.data, b.size, &root, NULL), TRUST_E_MALFORMED);
    free(twice);
    free(b.data);
    trust_envelope_free(e);
}

static void test_a_head_is_short_lived(void **state)
{
    char organization[] = SIGNED_ORGANIZATION, group[] = "kazei";
    struct trust_head h = {.organization = organization,
                           .group = group,
                           .version = 1,
                           .policy_version = 1,
                           .issued_us = SIGNED_NOW,
                           .expires_us = SIGNED_NOW + TRUST_HEAD_DAYS_MAX * SIGNED_DAY};
    uint8_t *bytes = NULL;
    size_t size;

    (void)state;
    assert_int_equal(trust_head_write(&h, &bytes, &size, NULL), TRUST_OK);
    free(bytes);
    h.expires_us += 1000000;
    assert_int_equal(trust_head_write(&h, &bytes, &size, NULL), TRUST_E_MALFORMED);
    h.expires_us = h.issued_us;
    assert_int_equal(trust_head_write(&h, &bytes, &size, NULL), TRUST_E_MALFORMED);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_a_key_is_written_encrypted_and_opened_with_its_passphrase),
        cmocka_unit_test(test_the_encryption_is_strong),
        cmocka_unit_test(test_passphrases_have_limits),
        cmocka_unit_test(test_only_ed25519_keys_are_keys),
        cmocka_unit_test(test_a_public_key_has_one_spelling),
        cmocka_unit_test(test_a_key_signs_once),
        cmocka_unit_test(test_envelopes_have_limits),
        cmocka_unit_test(test_votes_tell_who_is_missing),
        cmocka_unit_test(test_a_root_is_written_and_read),
        cmocka_unit_test(test_what_would_not_be_read_is_not_written),
        cmocka_unit_test(test_a_root_is_read_strictly),
        cmocka_unit_test(test_key_ids_are_computed),
        cmocka_unit_test(test_a_head_is_short_lived),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
