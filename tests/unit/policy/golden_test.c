/*
 * Every document below tests/data/policy/good passes without a word. Every one below bad is refused and every one below warn is
 * accepted, with exactly the findings of the .expected file beside it, as people see them: LINE:COL, message, source line, caret and
 * hint. For a changed message write what the test prints into the file, after reading it.
 */
#include "test.h"

#include <dirent.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "policy/findings.h"
#include "policy/warn.h"
#include "slurp.h"

static char *slurp_of(const char *folder, const char *name, size_t *ret_size)
{
    char path[512];

    (void)snprintf(path, sizeof(path), KURABAN_TEST_DATA "/policy/%s/%s", folder, name);
    return slurp(path, ret_size);
}

static void check(const char *folder, const char *name, int expected_result)
{
    struct policy_findings findings = {0};
    struct policy *p = NULL;
    _cleanup_free_ char *bytes = NULL, *expected = NULL, *seen = NULL;
    size_t size = 0, expected_size = 0, seen_size = 0;
    char sidecar[300];
    FILE *out = open_memstream(&seen, &seen_size);
    int r;

    bytes = slurp_of(folder, name, &size);
    (void)snprintf(sidecar, sizeof(sidecar), "%.*s.expected", (int)(strlen(name) - 5), name);
    expected = slurp_of(folder, sidecar, &expected_size);
    r = policy_load(name, (const uint8_t *)bytes, size, &findings, &p);
    policy_findings_print(&findings, out, name, (const uint8_t *)bytes, size);
    assert_int_equal(fclose(out), 0);
    if (r != expected_result || strcmp(seen, expected) != 0)
        fail_msg("%s/%s gives %d and:\n%s", folder, name, r, seen);
    assert_true((r == 0) == (p != NULL));
    assert_true((r == 0) == (findings.n_errors == 0));
    (void)policy_unref(p);
    policy_findings_done(&findings);
}

static void check_folder(const char *folder, int expected_result, size_t at_least)
{
    const struct dirent *entry;
    char path[512];
    size_t n = 0;
    DIR *dir;

    (void)snprintf(path, sizeof(path), KURABAN_TEST_DATA "/policy/%s", folder);
    dir = opendir(path);
    assert_non_null(dir);
    while ((entry = readdir(dir))) {
        size_t length = strlen(entry->d_name);

        if (length < 6 || strcmp(entry->d_name + length - 5, ".yaml") != 0)
            continue;
        check(folder, entry->d_name, expected_result);
        n++;
    }
    (void)closedir(dir);
    assert_true(n >= at_least);
}

/* A policy that is in order is not warned of, in no month but its last. */
static void check_quiet(const char *path)
{
    struct policy_findings findings = {0};
    struct policy *p = NULL;
    size_t size = 0;
    _cleanup_free_ char *bytes = slurp(path, &size);

    if (policy_load(path, (const uint8_t *)bytes, size, &findings, &p) == 0)
        policy_warn_expiry(p, INT64_C(1795395600000000), &findings); /* 2026-11-23 */
    if (!p || findings.n > 0) {
        policy_findings_print(&findings, stderr, path, (const uint8_t *)bytes, size);
        fail_msg("%s is in order, and this was said", path);
    }
    (void)policy_unref(p);
    policy_findings_done(&findings);
}

static void test_good_documents(void **state)
{
    char path[512], *source = getenv("KURABAN_SOURCE");
    const struct dirent *entry;
    unsigned n = 0;
    DIR *dir = opendir(KURABAN_TEST_DATA "/policy/good");

    (void)state;
    assert_true(dir && source);
    while ((entry = readdir(dir))) {
        if (entry->d_name[0] == '.')
            continue;
        (void)snprintf(path, sizeof(path), KURABAN_TEST_DATA "/policy/good/%s", entry->d_name);
        check_quiet(path);
        n++;
    }
    (void)closedir(dir);
    assert_true(n >= 6);
    check_quiet(KURABAN_TEST_DATA "/policy/full.yaml");
    (void)snprintf(path, sizeof(path), "%s/docs/examples/policy.yaml", source);
    check_quiet(path);
}

static void test_bad_documents(void **state)
{
    (void)state;
    check_folder("bad", POLICY_E_INVALID, 110);
}

static void test_odd_documents(void **state)
{
    (void)state;
    check_folder("warn", 0, 16);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_good_documents),
        cmocka_unit_test(test_bad_documents),
        cmocka_unit_test(test_odd_documents),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
