/* JSON that is whole, or not there. */
#include "json/whole.h"

#include "test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

static void text_is_what_was_made(void **state)
{
    json_t *j = json_pack("{s:s, s:[i,i]}", "name", "名簿", "sizes", 1, 2);
    char *text = NULL;

    (void)state;
    assert_int_equal(whole_text(j, JSON_COMPACT, &text), 0);
    assert_string_equal(text, "{\"name\":\"名簿\",\"sizes\":[1,2]}");
    free(text);
    json_decref(j);
}

static void what_could_not_be_made_has_no_text(void **state)
{
    char *text = NULL;

    (void)state;
    assert_int_equal(whole_text(NULL, JSON_COMPACT | JSON_ENCODE_ANY, &text), -EINVAL);
    assert_int_equal(whole_print(NULL, JSON_COMPACT, stdout), -EINVAL);
    assert_null(text);
}

static void a_file_that_is_full_is_an_error(void **state)
{
    FILE *full = fopen("/dev/full", "w");
    json_t *j = json_pack("{s:s}", "name", "x");

    (void)state;
    assert_non_null(full);
    assert_int_equal(setvbuf(full, NULL, _IONBF, 0), 0);
    assert_int_equal(whole_print(j, 0, full), -EIO);
    fclose(full);
    json_decref(j);
}

static void what_fails_takes_the_whole_with_it(void **state)
{
    json_t *inner = json_object(), *outer = json_array(), *answer;

    (void)state;
    whole_set(&inner, "a", json_integer(1));
    assert_int_equal(json_integer_value(json_object_get(inner, "a")), 1);
    whole_set(&inner, "b", NULL); /* memory ran out for it */
    assert_null(inner);
    whole_set(&inner, "c", json_integer(3)); /* taken, and given back */
    assert_null(inner);
    whole_add(&outer, json_integer(1));
    assert_int_equal(json_array_size(outer), 1);
    whole_add(&outer, inner);
    assert_null(outer);
    whole_add(&outer, json_integer(2));
    assert_null(outer);
    answer = json_pack("{s:s, s:o}", "id", "x", "list", outer);
    assert_null(answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(text_is_what_was_made),
        cmocka_unit_test(what_could_not_be_made_has_no_text),
        cmocka_unit_test(a_file_that_is_full_is_an_error),
        cmocka_unit_test(what_fails_takes_the_whole_with_it),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
