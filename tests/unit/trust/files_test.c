/*
 * Signed files of this tree: what the fuzz targets start from is good where it says so (a fuzzer that never gets past the signatures tests
 * little), and what docs/FILEFORMAT.trust.md shows is what the programs read and write.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/files.h"
#include "fake/signed.h"
#include "policy/policy.h"
#include "test.h"

static struct signed_bytes file_of(const char *folder, const char *name)
{
    const char *source = getenv("KURABAN_SOURCE");
    struct signed_bytes b = {0};
    char *path = NULL;

    assert_non_null(source);
    assert_true(asprintf(&path, "%s/%s/%s", source, folder, name) > 0);
    if (files_read_at(AT_FDCWD, path, TRUST_BUNDLE_MAX, &b.data, &b.size) < 0)
        fail_msg("%s: %s", path, strerror(errno));
    free(path);
    return b;
}

/* Takes the file; the new state, or a failure. */
static struct trust_state *accepted(const struct trust_state *s, const struct trust_terminal *t, struct signed_bytes b)
{
    struct trust_complaint complaint = {0};
    struct trust_state *next = NULL;
    struct policy *p = NULL;
    int r = trust_apply(s, t, b.data, b.size, &next, &p, NULL, &complaint);

    if (r != TRUST_OK)
        fail_msg("%s: %s", trust_result_name((enum trust_result)r), complaint.text);
    (void)policy_unref(p);
    free(b.data);
    return next;
}

static void test_the_fuzz_corpus_gets_past_the_signatures(void **state)
{
    static const char *const bundles[] = {"good-policy", "good-head", "good-bundle"};
    static const char *const envelopes[] = {"good-root", "good-policy", "good-head"};
    struct trust_state *s = signed_settled(), *next = NULL;
    struct trust_root *root = NULL;
    struct trust_head *head = NULL;
    struct signed_bytes b;

    (void)state;
    for (size_t i = 0; i < ELEMENTS(bundles); i++)
        trust_state_free(accepted(s, &signed_terminal, file_of("tests/fuzz/corpus/trust", bundles[i])));
    b = file_of("tests/fuzz/corpus/trust", "good-state");
    assert_int_equal(trust_state_read(b.data, b.size, &next, NULL), TRUST_OK);
    free(b.data);
    for (size_t i = 0; i < ELEMENTS(envelopes); i++) {
        struct trust_envelope *e = NULL;

        b = file_of("tests/fuzz/corpus/envelope", envelopes[i]);
        assert_int_equal(trust_envelope_parse(b.data, b.size, &e, NULL), TRUST_OK);
        assert_int_equal(trust_envelope_verify(e, trust_state_root(s), trust_type_role(e->type), NULL, NULL), TRUST_OK);
        trust_envelope_free(e);
        free(b.data);
    }
    b = file_of("tests/fuzz/corpus/root", "good");
    assert_int_equal(trust_root_parse(b.data, b.size, &root, NULL), TRUST_OK);
    free(b.data);
    b = file_of("tests/fuzz/corpus/head", "good");
    assert_int_equal(trust_head_parse(b.data, b.size, &head, NULL), TRUST_OK);
    free(b.data);
    trust_head_free(head);
    trust_root_free(root);
    trust_state_free(next);
    trust_state_free(s);
}

#define EXAMPLES "docs/examples/trust"

/* A terminal that installs root 1 and takes the bundle stores trust.json, to the byte. */
static void test_the_examples_are_what_a_terminal_takes_and_stores(void **state)
{
    static const char *const groups[] = {"kazei"};
    struct trust_terminal t = {.groups = groups, .n_groups = 1};
    struct signed_bytes root = file_of(EXAMPLES, "root.1.json"), stored = file_of(EXAMPLES, "trust.json");
    struct trust_state *s = NULL, *next, *again = NULL;
    uint8_t *bytes = NULL;
    size_t size;

    (void)state;
    assert_int_equal(clock_parse_rfc3339("2026-12-01T00:00:00Z", &t.now_us), 0);
    assert_int_equal(trust_install_root(root.data, root.size, t.now_us, &s, NULL), TRUST_OK);
    next = accepted(s, &t, file_of(EXAMPLES, "kazei.bundle"));
    assert_int_equal(trust_state_root(next)->version, 2);
    assert_int_equal(trust_state_policy_version(next), 42);
    assert_int_equal(trust_state_head(next)->version, 7);
    assert_int_equal(trust_state_write(next, &bytes, &size), 0);
    assert_int_equal(size, stored.size);
    assert_memory_equal(bytes, stored.data, size);
    assert_int_equal(trust_state_read(stored.data, stored.size, &again, NULL), TRUST_OK);
    trust_state_free(again);
    trust_state_free(next);
    trust_state_free(s);
    free(bytes);
    free(root.data);
    free(stored.data);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_the_fuzz_corpus_gets_past_the_signatures),
        cmocka_unit_test(test_the_examples_are_what_a_terminal_takes_and_stores),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
