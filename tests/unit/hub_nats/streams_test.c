/* What a broker answers of its streams: as they must be, missing, with other settings, or rubbish. */
#include "test.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "hub/nats/streams.h"

static const struct stream *find(const char *name)
{
    for (size_t i = 0; i < STREAM_COUNT; i++)
        if (strcmp(streams[i].name, name) == 0)
            return &streams[i];
    fail_msg("no stream %s", name);
    return NULL;
}

static int judge(const struct stream *s, const char *answer, char **ret)
{
    return stream_judge(s, answer, strlen(answer), ret);
}

static char *answer_of(const char *request)
{
    char *answer = NULL;

    assert_true(
        asprintf(&answer, "{\"type\":\"io.nats.jetstream.api.v1.stream_info_response\",\"config\":%s}", request) > 0);
    return answer;
}

static void test_missing_is_made(void **state)
{
    (void)state;
    for (size_t i = 0; i < STREAM_COUNT; i++) {
        char *request = NULL, *answer, *none = NULL;
        json_t *config;

        assert_int_equal(judge(&streams[i], "{\"error\":{\"code\":404,\"err_code\":10059}}", &request),
                         STREAM_E_MISSING);
        config = json_loads(request, 0, NULL);
        assert_string_equal(json_string_value(json_object_get(config, "name")), streams[i].name);
        assert_int_equal(json_array_size(json_object_get(config, "subjects")), 1);
        json_decref(config);
        answer = answer_of(request);
        assert_int_equal(judge(&streams[i], answer, &none), STREAM_GOOD);
        assert_null(none);
        free(answer);
        free(request);
    }
}

/* Ours is put back; what an administrator of the broker has set beside it stays. */
static void test_other_is_put_back(void **state)
{
    char *request = NULL;
    json_t *config;

    (void)state;
    assert_int_equal(judge(find("EVT"),
                           "{\"config\":{\"name\":\"EVT\",\"subjects\":[\"evt.*.*\"],\"retention\":\"workqueue\","
                           "\"storage\":\"file\",\"discard\":\"old\",\"duplicate_window\":600000000000,"
                           "\"num_replicas\":3,\"max_bytes\":1}}",
                           &request),
                     STREAM_E_OTHER);
    config = json_loads(request, 0, NULL);
    assert_string_equal(json_string_value(json_object_get(config, "discard")), "new");
    assert_int_equal(json_integer_value(json_object_get(config, "num_replicas")), 3);
    assert_int_equal(json_integer_value(json_object_get(config, "max_bytes")), 1);
    json_decref(config);
    free(request);
}

static void test_rubbish(void **state)
{
    static const char *const answers[] = {
        "",
        "x",
        "[]",
        "{}",
        "{\"config\":1}",
        "{\"error\":{\"code\":503}}",
        "{\"error\":1}",
        "{\"error\":{\"code\":\"404\"}}",
        "{\"config\":{},\"config\":{}}",
    };

    (void)state;
    for (size_t i = 0; i < ELEMENTS(answers); i++) {
        char *request = NULL;

        assert_int_equal(judge(find("POL"), answers[i], &request), STREAM_E_REFUSED);
        assert_null(request);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_missing_is_made),
        cmocka_unit_test(test_other_is_put_back),
        cmocka_unit_test(test_rubbish),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
