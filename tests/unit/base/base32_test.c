/* base32: the vectors of RFC 4648 section 10, what people type, and what is not quite base32. */
#include <errno.h>
#include <string.h>

#include "base/base32.h"
#include "test.h"

static void test_vectors(void **state)
{
    static const struct {
        const char *bytes, *text;
    } cases[] = {
        {"", ""},
        {"f", "MY"},
        {"fo", "MZXQ"},
        {"foo", "MZXW6"},
        {"foob", "MZXW6YQ"},
        {"fooba", "MZXW6YTB"},
        {"foobar", "MZXW6YTBOI"},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        size_t n = strlen(cases[i].bytes), size = 99;
        uint8_t bytes[8] = {0};
        char text[BASE32_LENGTH(6) + 1];

        base32_write((const uint8_t *)cases[i].bytes, n, text);
        assert_string_equal(text, cases[i].text);
        assert_int_equal(strlen(text), BASE32_LENGTH(n));
        assert_int_equal(base32_read(text, strlen(text), false, bytes, sizeof(bytes), &size), 0);
        assert_int_equal(size, n);
        assert_memory_equal(bytes, cases[i].bytes, n);
    }
}

static void test_read(void **state)
{
    static const struct {
        const char *text;
        bool typed;
        int result;
    } cases[] = {
        {"mzxw6ytb", true, 0},
        {"MZXW-6YTB ", true, 0},
        {"MZXW6===", true, 0},
        {"mzxw6ytb", false, -EINVAL},
        {"MZXW6===", false, -EINVAL},
        {"MZXW 6YTB", false, -EINVAL},
        {"MZXW6YT1", true, -EINVAL},
        {"MZXW6YT!", true, -EINVAL},
        {"M", false, -EINVAL},
        {"MZ", false, -EINVAL},
        {"MZXW6YTBMZXW6YTBMZ", true, -ERANGE},
    };

    (void)state;
    for (size_t i = 0; i < sizeof(cases) / sizeof(*cases); i++) {
        static const uint8_t nothing[8];
        uint8_t bytes[8];
        size_t size = 99;

        memset(bytes, 'x', sizeof(bytes));
        assert_int_equal(base32_read(cases[i].text, strlen(cases[i].text), cases[i].typed, bytes, sizeof(bytes), &size),
                         cases[i].result);
        if (cases[i].result < 0) {
            assert_memory_equal(bytes, nothing, sizeof(bytes));
            assert_int_equal(size, 99);
        }
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_vectors),
        cmocka_unit_test(test_read),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
