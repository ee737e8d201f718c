/* What a terminal holds, as a file: only what is signed is believed, and nothing of it can be exchanged. */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "fake/attacks.h"
#include "policy/policy.h"
#include "test.h"

DEFINE_CLEANUP(struct trust_state *, trust_state_free);

static struct signed_bytes written(const struct trust_state *s)
{
    struct signed_bytes b = {0};

    assert_int_equal(trust_state_write(s, &b.data, &b.size), 0);
    return b;
}

/* Reads and takes the file. */
static int reads(struct signed_bytes b)
{
    struct trust_complaint complaint = {0};
    struct trust_state *s = NULL;
    int r = trust_state_read(b.data, b.size, &s, &complaint);

    assert_true((r == TRUST_OK) == (s != NULL));
    trust_state_free(s);
    free(b.data);
    return r;
}

static void take(struct trust_state **s, struct signed_bytes b)
{
    struct trust_state *next = NULL;
    struct policy *p = NULL;

    assert_int_equal(trust_apply(*s, &signed_terminal, b.data, b.size, &next, &p, NULL, NULL), TRUST_OK);
    (void)policy_unref(p);
    trust_state_free(*s);
    free(b.data);
    *s = next;
}

static void test_written_and_read_back_is_the_same(void **state)
{
    _cleanup_(trust_state_freep) struct trust_state *s = signed_settled(), *again = NULL;
    struct signed_bytes a = written(s), b;

    (void)state;
    assert_int_equal(trust_state_read(a.data, a.size, &again, NULL), TRUST_OK);
    b = written(again);
    assert_int_equal(a.size, b.size);
    assert_memory_equal(a.data, b.data, a.size);
    assert_int_equal(trust_state_root(again)->version, 3);
    assert_int_equal(trust_state_policy_version(again), 5);
    assert_int_equal(trust_state_head(again)->version, 7);
    free(a.data);
    free(b.data);
}

static void test_a_fresh_root_holds_nothing_else(void **state)
{
    _cleanup_(trust_state_freep) struct trust_state *s = signed_install(signed_usual_root(1));
    const struct trust_key *signers[TRUST_SIGNATURES_MAX];
    size_t size;

    (void)state;
    assert_null(trust_state_policy(s, &size));
    assert_null(trust_state_policy_sha256(s));
    assert_null(trust_state_head(s));
    assert_int_equal(trust_state_policy_version(s), 0);
    assert_int_equal(trust_state_signers(s, signers), 0);
    assert_int_equal(reads(written(s)), TRUST_OK);
}

static void test_a_damaged_file_is_refused(void **state)
{
    _cleanup_(trust_state_freep) struct trust_state *s = signed_settled();
    struct signed_bytes whole = written(s);

    (void)state;
    for (size_t n = 0; n + 1 < whole.size; n += 7) {
        struct signed_bytes cut = {malloc(n + 1), n};

        assert_non_null(cut.data);
        memcpy(cut.data, whole.data, n);
        assert_int_equal(reads(cut), TRUST_E_MALFORMED);
    }
    /* A wrong letter at any place: hardly one is not noticed, and then only a blank changed. */
    for (size_t i = 0; i < whole.size; i += 11) {
        struct signed_bytes b = {malloc(whole.size), whole.size};

        assert_non_null(b.data);
        memcpy(b.data, whole.data, b.size);
        if (b.data[i] == ' ' || b.data[i] == '\n') {
            free(b.data);
            continue;
        }
        b.data[i] = b.data[i] == 'x' ? 'y' : 'x';
        assert_int_not_equal(reads(b), TRUST_OK);
    }
    free(whole.data);
}

static void test_the_form_is_strict(void **state)
{
    _cleanup_(trust_state_freep) struct trust_state *s = signed_settled();

    (void)state;
    assert_int_equal(reads(signed_edited(written(s), "{", "{\"version\":1,")), TRUST_E_MALFORMED);
    assert_int_equal(reads(signed_edited(written(s), "kuraban-trust/1", "kuraban-trust/2")), TRUST_E_FORMAT);
    assert_int_equal(reads(signed_edited(written(s), "{", "{\"format\":\"kuraban-trust/1\",")), TRUST_E_DUPLICATE_KEY);
    assert_int_equal(reads(signed_edited(written(s), "\"root\"", "\"other\"")), TRUST_E_MALFORMED);
    assert_int_equal(reads(signed_edited(written(s), "\"head\"", "\"policy-root\"")), TRUST_E_PAYLOAD_TYPE);
    assert_int_equal(reads(signed_text_bytes("")), TRUST_E_MALFORMED);
}

static struct signed_bytes assembled(struct trust_envelope *root, struct trust_envelope *policy_root,
                                     struct trust_envelope *policy, struct trust_envelope *head)
{
    struct trust_envelope *const parts[] = {root, policy_root, policy, head};
    static const char *const keys[] = {"root", "policy-root", "policy", "head"};
    char *text = strdup("{\"format\":\"kuraban-trust/1\"");

    for (size_t i = 0; i < ELEMENTS(parts); i++) {
        struct signed_bytes b;
        char *longer = NULL;

        if (!parts[i])
            continue;
        b = signed_file(parts[i]);
        assert_true(asprintf(&longer, "%s,\"%s\":%.*s", text, keys[i], (int)b.size, (char *)b.data) > 0);
        free(text);
        free(b.data);
        text = longer;
    }
    text = realloc(text, strlen(text) + 2);
    assert_non_null(text);
    strcat(text, "}");
    return (struct signed_bytes){(uint8_t *)text, strlen(text)};
}

/* Parts that are each properly signed, but do not belong together. */
static void test_parts_are_verified_against_each_other(void **state)
{
    struct signed_root other = signed_root_version(2), stranger = signed_root_version(3);
    struct trust_envelope *p = signed_usual_policy(5, NULL);

    (void)state;
    other.organization = "kashiwa.example";
    stranger.keys[TRUST_ROLE_POLICY] = KEY(8) | KEY(9);
    assert_int_equal(reads(assembled(signed_usual_root(3), NULL, signed_usual_policy(5, NULL), NULL)), TRUST_OK);
    assert_int_equal(reads(assembled(signed_usual_root(3), NULL, signed_policy_six(KEY(3)), NULL)), TRUST_E_THRESHOLD);
    assert_int_equal(
        reads(assembled(signed_make_root(&stranger, SIGNED_ROOT_SIGNERS), NULL, signed_usual_policy(5, NULL), NULL)),
        TRUST_E_THRESHOLD);
    /* The root it was accepted under explains it; one that is not older, or of others, does not. */
    assert_int_equal(reads(assembled(signed_make_root(&stranger, SIGNED_ROOT_SIGNERS), signed_usual_root(2),
                                     signed_usual_policy(5, NULL), NULL)),
                     TRUST_OK);
    assert_int_equal(reads(assembled(signed_make_root(&stranger, SIGNED_ROOT_SIGNERS), signed_usual_root(3),
                                     signed_usual_policy(5, NULL), NULL)),
                     TRUST_E_MALFORMED);
    assert_int_equal(reads(assembled(signed_usual_root(3), signed_make_root(&other, SIGNED_ROOT_SIGNERS),
                                     signed_usual_policy(5, NULL), NULL)),
                     TRUST_E_ORGANIZATION);
    assert_int_equal(reads(assembled(signed_usual_root(3), signed_usual_root(2), NULL, NULL)), TRUST_E_MALFORMED);
    assert_int_equal(reads(assembled(signed_usual_root(3), NULL, NULL, signed_usual_head(7, p, 5))),
                     TRUST_E_HEAD_MISMATCH);
    assert_int_equal(
        reads(assembled(signed_usual_root(3), NULL, signed_usual_policy(6, NULL), signed_usual_head(7, p, 6))),
        TRUST_E_HEAD_MISMATCH);
    assert_int_equal(reads(assembled(signed_usual_policy(5, NULL), NULL, NULL, NULL)), TRUST_E_PAYLOAD_TYPE);
    assert_int_equal(reads(assembled(signed_usual_root(3), NULL, signed_usual_root(3), NULL)), TRUST_E_PAYLOAD_TYPE);
    trust_envelope_free(p);
}

static void test_the_first_root_signs_itself(void **state)
{
    struct trust_complaint complaint = {0};
    struct trust_state *s = NULL;
    struct signed_root over = signed_root_default;
    struct trust_envelope *const wrong[] = {signed_make_root(&signed_root_default, KEY(0)),
                                            signed_make_root(&signed_root_default, KEY(3) | KEY(4)),
                                            signed_usual_policy(1, NULL)};
    static const enum trust_result expected[] = {TRUST_E_THRESHOLD, TRUST_E_THRESHOLD, TRUST_E_PAYLOAD_TYPE};
    struct signed_bytes b;

    (void)state;
    for (size_t i = 0; i < ELEMENTS(wrong); i++) {
        b = signed_file(wrong[i]);
        assert_int_equal(trust_install_root(b.data, b.size, SIGNED_NOW, &s, &complaint), expected[i]);
        assert_null(s);
        free(b.data);
    }
    over.expires_us = SIGNED_NOW;
    b = signed_file(signed_make_root(&over, SIGNED_ROOT_SIGNERS));
    assert_int_equal(trust_install_root(b.data, b.size, SIGNED_NOW, &s, &complaint), TRUST_E_ROOT_EXPIRED);
    assert_int_equal(trust_install_root(b.data, b.size, SIGNED_NOW - 1, &s, &complaint), TRUST_OK);
    trust_state_free(s);
    free(b.data);
}

/* The largest policy, the largest bundle parts: the state that holds them can be read again. */
static void test_the_largest_policy_fits(void **state)
{
    struct trust_state *s = signed_install(signed_usual_root(3));
    char *more = malloc(POLICY_DOCUMENT_MAX);
    struct trust_envelope *p;
    size_t n;

    (void)state;
    assert_non_null(more);
    p = signed_usual_policy(5, "");
    n = POLICY_DOCUMENT_MAX - p->size;
    trust_envelope_free(p);
    memset(more, '#', n);
    more[n - 1] = '\n';
    more[n] = '\0';
    p = signed_usual_policy(5, more);
    assert_int_equal(p->size, POLICY_DOCUMENT_MAX);
    take(&s, signed_bundle(NULL, 0, p, signed_usual_head(7, p, 5)));
    assert_int_equal(reads(written(s)), TRUST_OK);
    free(more);
    trust_state_free(s);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_written_and_read_back_is_the_same),
        cmocka_unit_test(test_a_fresh_root_holds_nothing_else),
        cmocka_unit_test(test_a_damaged_file_is_refused),
        cmocka_unit_test(test_the_form_is_strict),
        cmocka_unit_test(test_parts_are_verified_against_each_other),
        cmocka_unit_test(test_the_first_root_signs_itself),
        cmocka_unit_test(test_the_largest_policy_fits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
