/* The digest of the list, against the one that docs/PROTOCOL.export.md shows (made with Python's hashlib). */
#include "export/list.h"

#include "test.h"

#include "base/cleanup.h"

struct entry {
    const char *name;
    uint64_t size;
};

static void digest_of(const struct entry *entries, size_t n, char ret[static DIGEST_HEX_SIZE])
{
    struct digest_fields *list = NULL;
    struct digest digest;

    assert_int_equal(export_list_new(n, &list), 0);
    for (size_t i = 0; i < n; i++)
        assert_int_equal(export_list_add(list, entries[i].name, entries[i].size), 0);
    assert_int_equal(digest_fields_finish(list, &digest), 0);
    assert_null(digest_fields_free(list));
    digest_to_hex(&digest, ret);
}

static void test_vectors(void **state)
{
    static const struct entry list[] = {{"a.csv", 7}, {"名簿.csv", (uint64_t)1 << 40}};
    char hex[DIGEST_HEX_SIZE];

    (void)state;
    digest_of(list, 1, hex);
    assert_string_equal(hex, "ab25c66bce98e615a180998fa95f02a1b54fac1e5f73d9b733e315a3b23d4d39");
    digest_of(list, 2, hex);
    assert_string_equal(hex, "0e341d52bc4f4b1b92c70309fcd11a69eac28cfe6ac26160c21bb5e6db644879");
}

/* No two lists that a person would tell apart. */
static void test_differences(void **state)
{
    static const struct entry lists[][2] = {{{"a", 1}, {"b", 2}}, {{"b", 2}, {"a", 1}}, {{"a", 2}, {"b", 1}},
                                            {{"ab", 1}, {"", 2}}, {{"a", 1}, {"b", 3}}, {{"a", 1}, {"b", 0}}};
    char hex[ELEMENTS(lists) + 1][DIGEST_HEX_SIZE];

    (void)state;
    for (size_t i = 0; i < ELEMENTS(lists); i++)
        digest_of(lists[i], 2, hex[i]);
    digest_of(lists[0], 1, hex[ELEMENTS(lists)]);
    for (size_t i = 0; i < ELEMENTS(hex); i++)
        for (size_t j = 0; j < i; j++)
            assert_string_not_equal(hex[i], hex[j]);
}

int main(void)
{
    static const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_differences),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
