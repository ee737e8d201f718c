/* Answers that come later, bring a descriptor, or are fields instead of JSON; and who stands behind a call. */
#include "unit/ctl/fixture.h"

#include <errno.h>
#include <grp.h>
#include <jansson.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/frame.h"
#include "ctl/protocol.h"
#include "fake/people.h"

enum {
    DEADLINE_MS = 10000,
    WAITS_MAX = 4,
};

static struct ctl_server *server;
static uint64_t waiting[WAITS_MAX];
static size_t n_waiting;

/* CTL_UNLOCK waits until somebody asks for CTL_GRANTS, which answers all that wait when there are as many as it names. */
static enum ctl_code on_wait(void *context, const struct ctl_call *call, json_t **ret_answer)
{
    (void)context;
    (void)ret_answer;
    assert_int_not_equal(call->ticket, 0);
    if (n_waiting == WAITS_MAX)
        return CTL_CODE_FAILED;
    waiting[n_waiting++] = call->ticket;
    return CTL_CODE_LATER;
}

static enum ctl_code on_wake(void *context, const struct ctl_call *call, json_t **ret_answer)
{
    json_t *results = json_array();
    uint8_t n = 0;
    int ends[2];

    (void)context;
    *ret_answer = results;
    if (buf_get_u8(call->fields, &n) < 0 || n_waiting < n)
        return CTL_CODE_OK;
    for (size_t i = 0; i < n_waiting; i++) {
        json_t *answer = json_pack("{s:i}", "place", (int)i);

        assert_int_equal(pipe(ends), 0);
        assert_int_equal(write(ends[1], "kura", 4), 4);
        json_array_append_new(
            results, json_integer(ctl_server_answer(server, waiting[i], CTL_CODE_OK, answer, i == 0 ? ends[0] : -1)));
        json_array_append_new(results, json_integer(ctl_server_answer(server, waiting[i], CTL_CODE_OK, NULL, -1)));
        json_decref(answer);
        close(ends[0]);
        close(ends[1]);
    }
    n_waiting = 0;
    return CTL_CODE_OK;
}

static enum ctl_code on_fields(void *context, const struct ctl_call *call, json_t **ret_answer)
{
    uint8_t n = 0;

    (void)context;
    (void)ret_answer;
    if (buf_get_u8(call->fields, &n) < 0 || buf_get_end(call->fields) < 0)
        return CTL_CODE_INVALID;
    assert_non_null(call->reply);
    assert_int_equal(buf_add_u32(call->reply, n * 2U), 0);
    return CTL_CODE_OK;
}

static enum ctl_code on_groups(void *context, const struct ctl_call *call, json_t **ret_answer)
{
    gid_t *groups = NULL;
    size_t n = 0;

    (void)context;
    if (ctl_call_groups(call, &groups, &n) < 0)
        return CTL_CODE_FAILED;
    *ret_answer = json_array();
    for (size_t i = 0; i < n; i++)
        json_array_append_new(*ret_answer, json_integer(groups[i]));
    free(groups);
    return CTL_CODE_OK;
}

static const struct ctl_verb verbs[] = {
    {CTL_UNLOCK, CTL_PERMIT_ANYBODY, on_wait},
    {CTL_GRANTS, CTL_PERMIT_ANYBODY, on_wake},
    {CTL_MFA_LOGIN, CTL_PERMIT_ANYBODY | CTL_FIELDS, on_fields},
    {CTL_STATUS, CTL_PERMIT_ANYBODY, on_groups},
};

static void keep_server(sd_event *loop, struct ctl_server *s)
{
    (void)loop;
    server = s;
}

static int setup(void **state)
{
    return fixture_start(state, verbs, ELEMENTS(verbs), keep_server);
}

static void ask_later(const struct ctl_client *c)
{
    assert_int_equal(frame_send(c->socket, CTL_UNLOCK, 0, NULL, -1, DEADLINE_MS), 0);
}

/* Answers those that wait, once they are n: what ctl_server_answer() returned, twice for each. */
static json_t *wake(const struct fake_ctl *f, uint8_t n)
{
    uint64_t end = clock_boottime_us() + DEADLINE_MS * UINT64_C(1000);
    struct ctl_client c = fixture_connect(f);
    uint32_t code = CTL_CODE_FAILED;
    json_t *answer = NULL;
    struct buf fields;

    buf_init(&fields, 16);
    assert_int_equal(buf_add_u8(&fields, n), 0);
    do {
        json_decref(answer);
        answer = NULL;
        assert_int_equal(ctl_client_ask(&c, CTL_GRANTS, &fields, DEADLINE_MS, &code, &answer), 0);
    } while (json_array_size(answer) == 0 && clock_boottime_us() < end);
    buf_done(&fields);
    ctl_client_close(&c);
    return answer;
}

static void expect_wake(const struct fake_ctl *f, uint8_t n, int first, int again)
{
    json_t *answer = wake(f, n);

    assert_int_equal(json_array_size(answer), 2 * n);
    for (size_t i = 0; i < 2U * n; i++)
        assert_int_equal(json_integer_value(json_array_get(answer, i)), i % 2 == 0 ? first : again);
    json_decref(answer);
}

static void test_answers_later_with_a_descriptor(void **state)
{
    struct ctl_client first = fixture_connect(*state), second = fixture_connect(*state);
    char bytes[8] = "";
    uint32_t code = CTL_CODE_FAILED;
    json_t *answer = NULL;
    struct frame f;

    ask_later(&first);
    ask_later(&second);
    expect_wake(*state, 2, 0, -ESTALE);
    frame_init(&f);
    assert_int_equal(frame_receive(&f, first.socket, DEADLINE_MS), 0);
    assert_int_equal(f.type, CTL_ANSWER);
    assert_true(f.fd >= 0);
    assert_int_equal(read(f.fd, bytes, sizeof(bytes)), 4);
    assert_string_equal(bytes, "kura");
    frame_done(&f);
    assert_int_equal(ctl_client_next(&second, DEADLINE_MS, &code, &answer), 0);
    assert_int_equal(json_integer_value(json_object_get(answer, "place")), 1);
    json_decref(answer);
    ctl_client_close(&first);
    ctl_client_close(&second);
}

static void test_client_takes_the_descriptor(void **state)
{
    struct ctl_client c = fixture_connect(*state);
    const struct fake_ctl *f = *state;
    uint32_t code = CTL_CODE_FAILED;
    json_t *answer = NULL;
    char bytes[8] = "";
    int fd = -1;
    pid_t waker;

    (void)fflush(NULL);
    waker = fork();
    assert_true(waker >= 0);
    if (waker == 0) {
        json_decref(wake(f, 1));
        _exit(0);
    }
    assert_int_equal(ctl_client_ask_for_fd(&c, CTL_UNLOCK, NULL, DEADLINE_MS, &code, &answer, &fd), 0);
    assert_int_equal(code, CTL_CODE_OK);
    assert_int_equal(read(fd, bytes, sizeof(bytes)), 4);
    json_decref(answer);
    close(fd);
    assert_int_equal(exit_status_of(waker), 0);
    ctl_client_close(&c);
}

/* One that did not ask for a descriptor is not given one. */
static void test_unwanted_descriptor_is_an_error(void **state)
{
    struct ctl_client c = fixture_connect(*state);
    uint32_t code = CTL_CODE_FAILED;
    json_t *answer = NULL;

    ask_later(&c);
    expect_wake(*state, 1, 0, -ESTALE);
    assert_int_equal(ctl_client_next(&c, DEADLINE_MS, &code, &answer), -EBADMSG);
    assert_null(answer);
    ctl_client_close(&c);
}

static void test_peer_that_left_is_stale(void **state)
{
    struct ctl_client c = fixture_connect(*state);

    ask_later(&c);
    ctl_client_close(&c);
    expect_wake(*state, 1, -ESTALE, -ESTALE);
}

/* What is sent while the answer waits is not looked at before. */
static void test_nothing_is_read_meanwhile(void **state)
{
    struct ctl_client c = fixture_connect(*state);
    struct pollfd p = {.fd = c.socket, .events = POLLIN};
    uint32_t code = CTL_CODE_FAILED;
    uint32_t doubled = 0;
    struct buf_reader r;
    struct buf fields;
    struct frame f;

    ask_later(&c);
    buf_init(&fields, 16);
    assert_int_equal(buf_add_u8(&fields, 21), 0);
    assert_int_equal(frame_send(c.socket, CTL_MFA_LOGIN, 0, &fields, -1, DEADLINE_MS), 0);
    buf_done(&fields);
    assert_int_equal(poll(&p, 1, 0), 0);
    expect_wake(*state, 1, 0, -ESTALE);
    frame_init(&f);
    assert_int_equal(frame_receive(&f, c.socket, DEADLINE_MS), 0);
    assert_int_equal(f.type, CTL_ANSWER);
    assert_int_equal(frame_receive(&f, c.socket, DEADLINE_MS), 0);
    assert_int_equal(f.type, CTL_ANSWER_FIELDS);
    r = (struct buf_reader){.data = f.body.data, .size = f.body.size};
    assert_int_equal(buf_get_u32(&r, &code), 0);
    assert_int_equal(code, CTL_CODE_OK);
    assert_int_equal(buf_get_u32(&r, &doubled), 0);
    assert_int_equal(doubled, 42);
    assert_int_equal(buf_get_end(&r), 0);
    frame_done(&f);
    ctl_client_close(&c);
}

static void test_groups_of_the_caller(void **state)
{
    const struct fake_ctl *f = *state;
    pid_t child;

    if (geteuid() != 0)
        skip_because("root is needed to take on groups");
    (void)fflush(NULL);
    child = fork();
    assert_true(child >= 0);
    if (child == 0) {
        const gid_t groups[] = {4711, 4712};
        struct ctl_client c = {.socket = -1};
        uint32_t code = CTL_CODE_FAILED;
        json_t *answer = NULL;

        if (setgroups(2, groups) < 0 || ctl_client_open(f->directory, &c) < 0 ||
            ctl_client_ask(&c, CTL_STATUS, NULL, DEADLINE_MS, &code, &answer) < 0)
            _exit(1);
        _exit(json_array_size(answer) == 2 && json_integer_value(json_array_get(answer, 0)) == 4711 ? 0 : 2);
    }
    assert_int_equal(exit_status_of(child), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_answers_later_with_a_descriptor, setup, fixture_stop),
        cmocka_unit_test_setup_teardown(test_client_takes_the_descriptor, setup, fixture_stop),
        cmocka_unit_test_setup_teardown(test_unwanted_descriptor_is_an_error, setup, fixture_stop),
        cmocka_unit_test_setup_teardown(test_peer_that_left_is_stale, setup, fixture_stop),
        cmocka_unit_test_setup_teardown(test_nothing_is_read_meanwhile, setup, fixture_stop),
        cmocka_unit_test_setup_teardown(test_groups_of_the_caller, setup, fixture_stop),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
