#include "test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"

static void test_numbers(void **state)
{
    static const char *const bad[] = {"", " 1", "1 ", "+1", "-1", "0x1", "1a", "１"};
    uint64_t v = 5;

    (void)state;
    assert_int_equal(text_to_u64("18446744073709551615", UINT64_MAX, &v), 0);
    assert_true(v == UINT64_MAX);
    v = 5;
    assert_int_equal(text_to_u64("18446744073709551616", UINT64_MAX, &v), -ERANGE);
    assert_int_equal(text_to_u64("256", 255, &v), -ERANGE);
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
        assert_int_equal(text_to_u64(bad[i], UINT64_MAX, &v), -EINVAL);
    assert_int_equal(text_to_u64(NULL, 1, &v), -EINVAL);
    assert_true(v == 5);
    assert_int_equal(text_hex_to_u64("Ff", 255, &v), 0);
    assert_true(v == 255);
    assert_int_equal(text_hex_to_u64("fffffffffffffffff", UINT64_MAX, &v), -ERANGE);
    assert_int_equal(text_hex_to_u64("g", 255, &v), -EINVAL);
}

static void test_sizes(void **state)
{
    uint64_t v = 5;

    (void)state;
    assert_int_equal(text_to_size("512", &v), 0);
    assert_true(v == 512);
    assert_int_equal(text_to_size("100M", &v), 0);
    assert_true(v == 100ULL << 20);
    assert_int_equal(text_to_size("16777215T", &v), 0);
    assert_true(v == 16777215ULL << 40);
    assert_int_equal(text_to_size("16777216T", &v), -ERANGE);
    assert_int_equal(text_to_size("M", &v), -EINVAL);
    assert_int_equal(text_to_size("1m", &v), -EINVAL);
    assert_int_equal(text_to_size("1MB", &v), -EINVAL);
    assert_int_equal(text_to_size("", &v), -EINVAL);
}

static void test_compare(void **state)
{
    (void)state;
    assert_true(text_equal(NULL, NULL));
    assert_false(text_equal(NULL, ""));
    assert_true(text_equal("a", "a"));
    assert_true(text_starts("abc", "ab"));
    assert_false(text_starts("a", "ab"));
    assert_false(text_starts(NULL, ""));
    assert_int_equal(text_distance("serial", "serial", 5), 0);
    assert_int_equal(text_distance("seriel", "serial", 5), 1);
    assert_int_equal(text_distance("kitten", "sitting", 5), 3);
    assert_int_equal(text_distance("", "abc", 5), 3);
    assert_int_equal(text_distance("abcdef", "uvwxyz", 3), 3);
    assert_int_equal(text_distance("a", "abcdefgh", 3), 3);
}

static void check_printable(const char *bytes, size_t size, const char *expected, bool already)
{
    char *copy = text_make_printable(bytes, size), *raw = strndup(bytes, size);

    assert_non_null(copy);
    assert_non_null(raw);
    assert_string_equal(copy, expected);
    assert_true(text_is_printable_utf8(copy));
    if (strlen(raw) == size)
        assert_int_equal(text_is_printable_utf8(raw), already);
    free(copy);
    free(raw);
}

static void test_printable(void **state)
{
    (void)state;
    check_printable("", 0, "", true);
    check_printable("住民票 a~", 12, "住民票 a~", true);
    check_printable("a\0b", 3, "a\\x00b", false);
    check_printable("a\tb\nc\x7f", 6, "a\\x09b\\x0ac\\x7f", false);
    check_printable("\\x0a", 4, "\\x5cx0a", true); /* not to be taken for an escaped newline */
    check_printable("\xff\xfe", 2, "\\xff\\xfe", false);
    check_printable("\xc0\xaf", 2, "\\xc0\\xaf", false);          /* overlong slash */
    check_printable("\xed\xa0\x80", 3, "\\xed\\xa0\\x80", false); /* surrogate */
    check_printable("\xf4\x90\x80\x80", 4, "\\xf4\\x90\\x80\\x80", false);
    check_printable("\xe4\xbd", 2, "\\xe4\\xbd", false);                           /* cut in the middle */
    check_printable("a\xe2\x80\xaegpj.exe", 11, "a\\xe2\\x80\\xaegpj.exe", false); /* right-to-left override */
    check_printable("\xc2\x9b"
                    "1m",
                    4, "\\xc2\\x9b1m", false); /* C1 CSI */
    check_printable("\xf0\x9f\x98\x80", 4, "\xf0\x9f\x98\x80", true);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_numbers),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_compare),
        cmocka_unit_test(test_printable),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
