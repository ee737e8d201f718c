#include "test.h"

#include <errno.h>
#include <fcntl.h>
#include <jansson.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/frame.h"
#include "ctl/client.h"
#include "ctl/protocol.h"

enum {
    DEADLINE_MS = 2000
};

struct pair {
    struct ctl_client client;
    int peer;
};

static int setup(void **state)
{
    static struct pair p;
    int fds[2];

    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds) < 0)
        return -1;
    p = (struct pair){.client = {.socket = fds[0]}, .peer = fds[1]};
    *state = &p;
    return 0;
}

static int teardown(void **state)
{
    struct pair *p = *state;

    ctl_client_close(&p->client);
    if (p->peer >= 0)
        (void)close(p->peer);
    return 0;
}

static void answer(const struct pair *p, uint16_t type, uint16_t flags, uint32_t code, const char *json, int fd)
{
    struct buf body;

    buf_init(&body, FRAME_BODY_MAX);
    assert_int_equal(buf_add_u32(&body, code), 0);
    assert_int_equal(buf_add(&body, json, strlen(json)), 0);
    assert_int_equal(frame_send(p->peer, type, flags, &body, fd, DEADLINE_MS), 0);
    buf_done(&body);
}

static int next(struct pair *p, uint32_t *ret_code, json_t **ret_json)
{
    return ctl_client_next(&p->client, DEADLINE_MS, ret_code, ret_json);
}

static void test_joins_frames(void **state)
{
    struct pair *p = *state;
    uint32_t code = 77;
    json_t *json = NULL;

    answer(p, CTL_ANSWER, FRAME_FLAG_MORE, CTL_CODE_FAILED, "{\"mess", -1);
    answer(p, CTL_ANSWER, 0, CTL_CODE_FAILED, "age\": \"no\"}", -1);
    assert_int_equal(next(p, &code, &json), 0);
    assert_int_equal(code, CTL_CODE_FAILED);
    assert_string_equal(json_string_value(json_object_get(json, "message")), "no");
    json_decref(json);
}

/* Nothing is handed out of an answer that is not one. */
static void refused(struct pair *p, int expected)
{
    uint32_t code = 77;
    json_t *json = NULL;

    assert_int_equal(next(p, &code, &json), expected);
    assert_int_equal(code, 77);
    assert_null(json);
}

static void test_refuses_another_type(void **state)
{
    answer(*state, CTL_STATUS, 0, CTL_CODE_OK, "{}", -1);
    refused(*state, -EBADMSG);
}

static void test_refuses_what_is_not_json(void **state)
{
    answer(*state, CTL_ANSWER, 0, CTL_CODE_OK, "{\"a\": 1, \"a\": 2}", -1);
    refused(*state, -EBADMSG);
}

static void test_refuses_more_of_nothing(void **state)
{
    answer(*state, CTL_ANSWER, FRAME_FLAG_MORE, CTL_CODE_OK, "", -1);
    refused(*state, -EBADMSG);
}

static void test_refuses_an_fd(void **state)
{
    int fd = open("/dev/null", O_RDONLY | O_CLOEXEC);

    assert_true(fd >= 0);
    answer(*state, CTL_ANSWER, 0, CTL_CODE_OK, "{}", fd);
    (void)close(fd);
    refused(*state, -EBADMSG);
}

static void test_tells_that_the_peer_is_gone(void **state)
{
    struct pair *p = *state;

    answer(p, CTL_ANSWER, FRAME_FLAG_MORE, CTL_CODE_OK, "[1", -1);
    (void)close(p->peer);
    p->peer = -1;
    refused(p, -ENODATA);
}

static void test_waits_no_longer_than_asked(void **state)
{
    struct pair *p = *state;
    uint32_t code = 77;
    json_t *json = NULL;

    assert_int_equal(ctl_client_next(&p->client, 10, &code, &json), -ETIMEDOUT);
    assert_null(json);
}

static void test_nobody_there(void **state)
{
    struct ctl_client c = {.socket = -1};
    char long_name[200];

    (void)state;
    assert_int_equal(ctl_client_open("/nonexistent", &c), -ENOENT);
    memset(long_name, 'a', sizeof(long_name) - 1);
    long_name[sizeof(long_name) - 1] = 0;
    assert_int_equal(ctl_client_open(long_name, &c), -ENAMETOOLONG);
    assert_int_equal(c.socket, -1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_joins_frames, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refuses_another_type, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refuses_what_is_not_json, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refuses_more_of_nothing, setup, teardown),
        cmocka_unit_test_setup_teardown(test_refuses_an_fd, setup, teardown),
        cmocka_unit_test_setup_teardown(test_tells_that_the_peer_is_gone, setup, teardown),
        cmocka_unit_test_setup_teardown(test_waits_no_longer_than_asked, setup, teardown),
        cmocka_unit_test(test_nobody_there),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
