/* What people are told: their own refusals, newest first, and no more than that. */
#include "test.h"

#include <jansson.h>
#include <string.h>

#include "daemon/refusals.h"

static void remember(struct refusals *r, bool has_uid, uid_t uid, int64_t at, const char *path)
{
    struct audit_event e;

    audit_event_init(&e, AUDIT_FILE_OPEN);
    e.has_verdict = true;
    e.has_uid = has_uid;
    e.uid = uid;
    e.wall_us = at;
    audit_set(e.path, sizeof(e.path), path);
    refusals_remember(r, &e);
}

static const char *path_at(json_t *array, size_t i)
{
    return json_string_value(json_object_get(json_array_get(array, i), "path"));
}

static void test_own_and_everybodys(void **state)
{
    struct refusals *r = NULL;
    json_t *answer;

    (void)state;
    assert_int_equal(refusals_new(&r), 0);
    remember(r, true, 1000, 10, "/mine");
    remember(r, true, 1001, 20, "/hers");
    remember(r, false, 0, 30, "/device");
    answer = refusals_answer(r, 1000, false, 10);
    assert_int_equal(json_array_size(answer), 2);
    assert_string_equal(path_at(answer, 0), "/device");
    assert_string_equal(path_at(answer, 1), "/mine");
    json_decref(answer);
    answer = refusals_answer(r, 0, true, 10);
    assert_int_equal(json_array_size(answer), 3);
    assert_string_equal(path_at(answer, 1), "/hers");
    json_decref(answer);
    assert_null(refusals_free(r));
}

static void test_noise_of_one_keeps_the_other(void **state)
{
    struct refusals *r = NULL;
    json_t *answer;

    (void)state;
    assert_int_equal(refusals_new(&r), 0);
    remember(r, true, 1000, 1, "/mine");
    for (int i = 0; i < 1000; i++)
        remember(r, true, 1001, 100 + i, "/noise");
    answer = refusals_answer(r, 1000, false, 32);
    assert_int_equal(json_array_size(answer), 1);
    assert_string_equal(path_at(answer, 0), "/mine");
    json_decref(answer);
    answer = refusals_answer(r, 1001, false, 32);
    assert_int_equal(json_array_size(answer), 16);
    json_decref(answer);
    assert_null(refusals_free(r));
}

static void test_quietest_person_makes_room(void **state)
{
    struct refusals *r = NULL;
    json_t *answer;

    (void)state;
    assert_int_equal(refusals_new(&r), 0);
    for (uid_t uid = 1; uid <= 17; uid++)
        remember(r, true, uid, (int64_t)uid, "/x");
    answer = refusals_answer(r, 1, false, 32);
    assert_int_equal(json_array_size(answer), 0);
    json_decref(answer);
    answer = refusals_answer(r, 0, true, 32);
    assert_int_equal(json_array_size(answer), 16);
    json_decref(answer);
    assert_null(refusals_free(r));
}

static void test_what_was_allowed_is_not_remembered(void **state)
{
    struct refusals *r = NULL;
    struct audit_event e;
    json_t *answer;

    (void)state;
    assert_int_equal(refusals_new(&r), 0);
    audit_event_init(&e, AUDIT_FILE_OPEN);
    e.has_verdict = e.allowed = true;
    refusals_remember(r, &e);
    audit_event_init(&e, AUDIT_DAEMON_STARTED);
    refusals_remember(r, &e);
    answer = refusals_answer(r, 0, true, 32);
    assert_int_equal(json_array_size(answer), 0);
    json_decref(answer);
    audit_event_init(&e, AUDIT_FILE_OPEN);
    e.has_verdict = e.allowed = e.would_refuse = true; /* monitor mode */
    refusals_remember(r, &e);
    answer = refusals_answer(r, 0, true, 32);
    assert_int_equal(json_array_size(answer), 1);
    json_decref(answer);
    assert_null(refusals_free(r));
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_own_and_everybodys),
        cmocka_unit_test(test_noise_of_one_keeps_the_other),
        cmocka_unit_test(test_quietest_person_makes_room),
        cmocka_unit_test(test_what_was_allowed_is_not_remembered),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
