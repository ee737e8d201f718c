#include "test.h"

#include <locale.h>
#include <stdlib.h>
#include <string.h>

#include "cli/table.h"

static char *print(const struct table *t, int indent)
{
    char *out = NULL;
    size_t size = 0;
    FILE *f = open_memstream(&out, &size);

    assert_non_null(f);
    table_print(t, f, indent);
    assert_int_equal(fclose(f), 0);
    return out;
}

static void test_width(void **state)
{
    (void)state;
    assert_int_equal(text_width(""), 0);
    assert_int_equal(text_width("abc"), 3);
    assert_int_equal(text_width("課税課"), 6);
    assert_int_equal(text_width("ｱ"), 1);        /* half-width katakana */
    assert_int_equal(text_width("か\u3099"), 2); /* combining voiced mark */
    assert_int_equal(text_width("a\xff"
                                "b"),
                     3);
}

static void test_columns_line_up(void **state)
{
    struct table *t = table_new(3);
    char *out;

    (void)state;
    table_add(t, (const char *[]){"名前", "a", "x"});
    table_add(t, (const char *[]){"b", NULL, "y"});
    table_add(t, (const char *[]){"c", "d", ""});
    out = print(t, 2);
    assert_string_equal(out, "  名前  a  x\n"
                             "  b        y\n"
                             "  c     d\n");
    free(out);
    assert_null(table_free(t));
}

static void test_cells_cannot_move_the_cursor(void **state)
{
    struct table *t = table_new(2);
    char *out;

    (void)state;
    table_add(t, (const char *[]){"a\nb\033[2J", "c\\d"});
    out = print(t, 0);
    assert_string_equal(out, "a\\x0ab\\x1b[2J  c\\x5cd\n");
    free(out);
    (void)table_free(t);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_width),
        cmocka_unit_test(test_columns_line_up),
        cmocka_unit_test(test_cells_cannot_move_the_cursor),
    };

    if (!setlocale(LC_ALL, "C.UTF-8"))
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
