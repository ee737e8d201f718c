#include "export/names.h"

#include "test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"

static void test_made_safe(void **state)
{
    static const struct {
        const char *from, *to;
    } cases[] = {
        {"report.csv", "report.csv"},
        {"住民一覧 令和8年.xlsx", "住民一覧 令和8年.xlsx"},
        {"../../etc/passwd", ".._.._etc_passwd"},
        {"a\nb\tc\x7f", "a_b_c_"},
        {"a\xc2\x85z", "a_z"}, /* C1 */
        {"invoice\xe2\x80\xae"
         "fdp.exe",
         "invoice_fdp.exe"}, /* right-to-left override */
        {"\xe2\x81\xa7x\xe2\x81\xa9\xe2\x80\x8b", "_x__"},
        {"\xef\xbb\xbfname", "_name"},
        {"what? \"it\" <is>|*:\\", "what_ _it_ _is_____"},
        {"dot.", "dot_"},
        {"space ", "space_"},
        {"...", ".._"},
        {"con", "_con"},
        {"NUL.txt", "_NUL.txt"},
        {"com1.tar.gz", "_com1.tar.gz"},
        {"comma", "comma"},
        {"\xf0\x9f\x93\x84.txt", "\xf0\x9f\x93\x84.txt"},
    };

    (void)state;
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        char name[EXPORT_NAME_MAX + 1];

        assert_int_equal(export_name_make(cases[i].from, name), 0);
        assert_string_equal(name, cases[i].to);
        /* What is safe stays as it is. */
        assert_int_equal(export_name_make(cases[i].to, name), 0);
        assert_string_equal(name, cases[i].to);
    }
}

static void test_other_characters(void **state)
{
    static const struct {
        const char *from, *to;
    } cases[] = {
        {"\xff", "_"},
        {"\x96\xbc\x95\xeb.csv" /* Shift_JIS */, "____.csv"},
        {"a\xc0\xaf" /* overlong */, "a__"},
        {"\xed\xa0\x80" /* surrogate */, "___"},
        {"a\xe3\x81", "a__"},
        {"\xf4\x90\x80\x80", "____"},
    };

    (void)state;
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        char name[EXPORT_NAME_MAX + 1];

        assert_int_equal(export_name_make(cases[i].from, name), 0);
        assert_string_equal(name, cases[i].to);
    }
}

static void test_refused(void **state)
{
    static const char *const cases[] = {"", ".", ".."};
    char name[EXPORT_NAME_MAX + 1];

    (void)state;
    for (size_t i = 0; i < ELEMENTS(cases); i++)
        assert_int_equal(export_name_make(cases[i], name), -EINVAL);
}

static void test_length(void **state)
{
    char longest[EXPORT_NAME_MAX + 2], name[EXPORT_NAME_MAX + 1];

    (void)state;
    memset(longest, 'a', sizeof(longest));
    longest[EXPORT_NAME_MAX + 1] = '\0';
    assert_int_equal(export_name_make(longest, name), -ENAMETOOLONG);
    longest[EXPORT_NAME_MAX] = '\0';
    assert_int_equal(export_name_make(longest, name), 0);
    assert_string_equal(name, longest);
    memcpy(longest, "con.", 4);
    assert_int_equal(export_name_make(longest, name), -ENAMETOOLONG);
}

static void test_told_apart(void **state)
{
    struct export_names names = {0};
    char name[EXPORT_NAME_MAX + 1];

    (void)state;
    assert_int_equal(export_names_add(&names, "a.csv", name), 0);
    assert_string_equal(name, "a.csv");
    assert_int_equal(export_names_add(&names, "A.CSV", name), 0);
    assert_string_equal(name, "A (2).CSV");
    assert_int_equal(export_names_add(&names, "a.csv", name), 0);
    assert_string_equal(name, "a (3).csv");
    assert_int_equal(export_names_add(&names, "a (2).csv", name), 0);
    assert_string_equal(name, "a (2) (2).csv");
    assert_int_equal(export_names_add(&names, ".profile", name), 0);
    assert_int_equal(export_names_add(&names, ".profile", name), 0);
    assert_string_equal(name, ".profile (2)");
    export_names_done(&names);
}

/* What one filesystem or another takes for one name: case, and how a character is composed. */
static void test_the_same_on_media(void **state)
{
    static const struct {
        const char *first, *second, *becomes;
    } cases[] = {
        {"\u00e9t\u00e9.csv", "\u00c9T\u00c9.csv", "\u00c9T\u00c9 (2).csv"},
        {"\u00c9.csv", "E\u0301.csv", "E\u0301 (2).csv"},
        {"\uff41.csv", "\uff21.csv", "\uff21 (2).csv"},                                     /* fullwidth */
        {"\u30c7\u30fc\u30bf", "\u30c6\u3099\u30fc\u30bf", "\u30c6\u3099\u30fc\u30bf (2)"}, /* as macOS composes them */
        {"\u03c3.csv", "\u03a3.csv", "\u03a3 (2).csv"},
        {"\u042f.csv", "\u044f.csv", "\u044f (2).csv"},
        {"\u01c6.csv", "\u01c5.csv", "\u01c5 (2).csv"},
        /* Two, for everybody. */
        {"e.csv", "\u00e9.csv", "\u00e9.csv"},
        {"\u306f", "\u3070", "\u3070"},
        {"\u3042", "\u30a2", "\u30a2"},
        {"\uff71", "\u30a2", "\u30a2"}, /* halfwidth */
        {"\U0001f4c4", "\U0001f4c5", "\U0001f4c5"},
    };

    (void)state;
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        struct export_names names = {0};
        char name[EXPORT_NAME_MAX + 1];

        assert_int_equal(export_names_add(&names, cases[i].first, name), 0);
        assert_string_equal(name, cases[i].first);
        assert_int_equal(export_names_add(&names, cases[i].second, name), 0);
        assert_string_equal(name, cases[i].becomes);
        export_names_done(&names);
    }
}

static void test_limit(void **state)
{
    struct export_names names = {0};
    char name[EXPORT_NAME_MAX + 1], wanted[32];

    (void)state;
    for (unsigned i = 0; i < EXPORT_FILES_MAX; i++) {
        (void)snprintf(wanted, sizeof(wanted), "file%u", i);
        assert_int_equal(export_names_add(&names, wanted, name), 0);
    }
    assert_int_equal(export_names_add(&names, "one more", name), -E2BIG);
    export_names_done(&names);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_made_safe), cmocka_unit_test(test_refused),    cmocka_unit_test(test_other_characters),
        cmocka_unit_test(test_length),    cmocka_unit_test(test_told_apart), cmocka_unit_test(test_the_same_on_media),
        cmocka_unit_test(test_limit),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
