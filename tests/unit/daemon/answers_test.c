/* What others named must not keep the answer from being given. */
#include "test.h"

#include <jansson.h>
#include <string.h>

#include "daemon/answers.h"

static void test_names_that_are_not_text(void **state)
{
    struct audit_event e;
    json_t *answer;

    (void)state;
    audit_event_init(&e, AUDIT_FILE_OPEN);
    memcpy(e.path, "/media/\xff\x1b[2J", sizeof("/media/\xff\x1b[2J"));
    memcpy(e.program, "\x80", 2);
    memcpy(e.device_id, "sdb1", 5);
    memcpy(e.device_name, "\xc3", 2);
    answer = answer_refusal(&e);
    assert_non_null(answer);
    assert_string_equal(json_string_value(json_object_get(answer, "path")), "/media/\\xff\\x1b[2J");
    assert_string_equal(json_string_value(json_object_get(json_object_get(answer, "device"), "name")), "\\xc3");
    json_decref(answer);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names_that_are_not_text),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
