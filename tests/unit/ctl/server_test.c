#include "unit/ctl/fixture.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
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
    BIG = 3 * CTL_CHUNK + 17, /* several frames */
    PUBLISH_EVERY_US = 1000,
};

/* --- the server's side, in the child --- */

static enum ctl_code on_status(void *context, const struct ctl_call *call, json_t **ret_answer)
{
    (void)context;
    if (buf_get_end(call->fields) < 0)
        return CTL_CODE_INVALID;
    *ret_answer = json_pack("{s:i}", "uid", (int)call->peer->uid);
    return CTL_CODE_OK;
}

static enum ctl_code on_big(void *context, const struct ctl_call *call, json_t **ret_answer)
{
    static char text[BIG + 1];

    (void)context;
    (void)call;
    memset(text, 'x', BIG);
    *ret_answer = json_string(text);
    return CTL_CODE_OK;
}

static enum ctl_code on_nothing(void *context, const struct ctl_call *call, json_t **ret_answer)
{
    (void)context;
    (void)call;
    (void)ret_answer;
    return CTL_CODE_OK;
}

/* Processor time this process has used, so that a client can see whether the loop spins. */
static enum ctl_code on_cpu(void *context, const struct ctl_call *call, json_t **ret_answer)
{
    struct timespec t;

    (void)context;
    (void)call;
    (void)clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t);
    *ret_answer = json_integer((json_int_t)t.tv_sec * 1000 + t.tv_nsec / 1000000);
    return CTL_CODE_OK;
}

static const struct ctl_verb verbs[] = {
    {CTL_STATUS, CTL_PERMIT_ANYBODY, on_status},
    {CTL_DEVICES, CTL_PERMIT_ANYBODY, on_big},
    {CTL_WATCH, CTL_PERMIT_ANYBODY | CTL_STREAM, on_nothing},
    {CTL_DOCTOR, CTL_PERMIT_ANYBODY, on_cpu},
    {CTL_PURGE, CTL_PERMIT_ROOT, on_status},
};

static struct ctl_server *publishing;

static int on_publish(sd_event_source *source, uint64_t usec, void *userdata)
{
    json_t *answer = NULL;

    (void)userdata;
    if (ctl_server_has_watchers(publishing, CTL_WATCH, NULL)) {
        (void)on_big(NULL, NULL, &answer);
        ctl_server_publish(publishing, CTL_WATCH, NULL, answer);
        json_decref(answer);
    }
    (void)sd_event_source_set_time(source, usec + PUBLISH_EVERY_US);
    (void)sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
    return 0;
}

static void publish_always(sd_event *loop, struct ctl_server *s)
{
    publishing = s;
    (void)sd_event_add_time_relative(loop, NULL, CLOCK_MONOTONIC, PUBLISH_EVERY_US, 0, on_publish, NULL);
}

static int setup(void **state)
{
    return fixture_start(state, verbs, ELEMENTS(verbs), NULL);
}

static int setup_publishing(void **state)
{
    return fixture_start(state, verbs, ELEMENTS(verbs), publish_always);
}

/* --- the client's side --- */

static void send_raw(const struct ctl_client *c, const void *bytes, size_t size)
{
    assert_int_equal(send(c->socket, bytes, size, MSG_NOSIGNAL), (ssize_t)size);
}

/* The server closes: end of file or a reset, within the deadline. */
static bool is_dropped(const struct ctl_client *c)
{
    char bytes[65536];

    for (;;) {
        struct pollfd p = {.fd = c->socket, .events = POLLIN};
        ssize_t n;

        if (poll(&p, 1, DEADLINE_MS) <= 0)
            return false;
        n = recv(c->socket, bytes, sizeof(bytes), 0);
        if (n == 0 || (n < 0 && errno == ECONNRESET))
            return true;
        if (n < 0)
            return false;
    }
}

static bool still_serves(const struct fake_ctl *f)
{
    struct ctl_client c = {.socket = -1};
    uint32_t code = CTL_CODE_FAILED;
    json_t *answer = NULL;
    int r = ctl_client_open(f->directory, &c);

    if (r == 0)
        r = ctl_client_ask(&c, CTL_STATUS, NULL, DEADLINE_MS, &code, &answer);
    ctl_client_close(&c);
    json_decref(answer);
    return r == 0 && code == CTL_CODE_OK;
}

static void test_answers(void **state)
{
    struct ctl_client c = fixture_connect(*state);
    uint32_t code = CTL_CODE_FAILED;
    json_t *answer = NULL;

    /* Several requests one after the other on one connection. */
    for (int i = 0; i < 3; i++) {
        assert_int_equal(ctl_client_ask(&c, CTL_STATUS, NULL, DEADLINE_MS, &code, &answer), 0);
        assert_int_equal(code, CTL_CODE_OK);
        assert_int_equal(json_integer_value(json_object_get(answer, "uid")), getuid());
        json_decref(answer);
    }
    assert_int_equal(ctl_client_ask(&c, CTL_DEVICES, NULL, DEADLINE_MS, &code, &answer), 0);
    assert_int_equal(json_string_length(answer), BIG);
    json_decref(answer);
    assert_int_equal(ctl_client_ask(&c, CTL_WATCH, NULL, DEADLINE_MS, &code, &answer), 0);
    assert_true(json_is_null(answer));
    json_decref(answer);
    ctl_client_close(&c);
}

static void test_fields_out_of_place(void **state)
{
    struct ctl_client c = fixture_connect(*state);
    struct buf fields;
    uint32_t code = CTL_CODE_OK;
    json_t *answer = NULL;

    buf_init(&fields, 16);
    assert_int_equal(buf_add_u32(&fields, 7), 0);
    assert_int_equal(ctl_client_ask(&c, CTL_STATUS, &fields, DEADLINE_MS, &code, &answer), 0);
    assert_int_equal(code, CTL_CODE_INVALID);
    json_decref(answer);
    buf_done(&fields);
    ctl_client_close(&c);
}

static void test_drops_what_is_not_in_the_table(void **state)
{
    static const uint8_t oversize[] = {1, 0, 1, 0, CTL_STATUS, 0, 0, 0}; /* 65537 bytes */
    static const uint8_t huge[] = {0xff, 0xff, 0xff, 0xff, CTL_STATUS, 0, 0, 0};
    static const uint8_t unknown[] = {0, 0, 0, 0, 99, 0, 0, 0};
    static const uint8_t answer[] = {0, 0, 0, 0, 0, 0x80, 0, 0};
    static const uint8_t flagged[] = {0, 0, 0, 0, CTL_STATUS, 0, 1, 0};
    static const uint8_t unknown_flag[] = {0, 0, 0, 0, CTL_STATUS, 0, 2, 0};
    static const uint8_t *const bad[] = {oversize, huge, unknown, answer, flagged, unknown_flag};

    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        struct ctl_client c = fixture_connect(*state);

        send_raw(&c, bad[i], FRAME_HEADER_SIZE);
        assert_true(is_dropped(&c));
        ctl_client_close(&c);
    }
    assert_true(still_serves(*state));
}

static void test_drops_second_request_on_a_stream(void **state)
{
    static const uint8_t status[] = {0, 0, 0, 0, CTL_STATUS, 0, 0, 0};
    struct ctl_client c = fixture_connect(*state);
    uint32_t code = CTL_CODE_FAILED;
    json_t *answer = NULL;

    assert_int_equal(ctl_client_ask(&c, CTL_WATCH, NULL, DEADLINE_MS, &code, &answer), 0);
    json_decref(answer);
    send_raw(&c, status, sizeof(status));
    assert_true(is_dropped(&c));
    ctl_client_close(&c);
    assert_true(still_serves(*state));
}

static void test_peer_that_goes_in_the_middle(void **state)
{
    static const uint8_t half[] = {100, 0, 0, 0, CTL_STATUS};
    struct ctl_client c = fixture_connect(*state);

    send_raw(&c, half, sizeof(half));
    ctl_client_close(&c);
    assert_true(still_serves(*state));
}

static json_int_t server_cpu_ms(const struct fake_ctl *f)
{
    struct ctl_client c = fixture_connect(f);
    uint32_t code = CTL_CODE_FAILED;
    json_t *answer = NULL;
    json_int_t ms;

    assert_int_equal(ctl_client_ask(&c, CTL_DOCTOR, NULL, DEADLINE_MS, &code, &answer), 0);
    ms = json_integer_value(answer);
    json_decref(answer);
    ctl_client_close(&c);
    return ms;
}

/* A peer that sends requests and never reads: its answers stop being made when the socket is full, the loop sleeps, others are
 * served. */
static void test_slow_reader_costs_nothing(void **state)
{
    static const uint8_t big[] = {0, 0, 0, 0, CTL_DEVICES, 0, 0, 0};
    struct ctl_client c = fixture_connect(*state);
    json_int_t before;
    uint64_t until;

    for (int i = 0; i < 200; i++)
        send_raw(&c, big, sizeof(big));
    assert_true(still_serves(*state));
    before = server_cpu_ms(*state);
    for (until = clock_boottime_us() + 1000000; clock_boottime_us() < until;)
        (void)poll(NULL, 0, 50); /* time passing is what is measured here */
    assert_true(server_cpu_ms(*state) - before < 300);
    ctl_client_close(&c);
}

/* A watcher that reads nothing is dropped once too much waits, and a reading one is not. */
static void test_slow_watcher_is_dropped(void **state)
{
    struct ctl_client slow = fixture_connect(*state), good = fixture_connect(*state);
    uint32_t code = CTL_CODE_FAILED;
    json_t *answer = NULL;
    struct pollfd p = {.fd = slow.socket, .events = POLLRDHUP};
    bool dropped = false;
    uint64_t until = clock_boottime_us() + 60 * 1000000ULL;

    assert_int_equal(ctl_client_ask(&slow, CTL_WATCH, NULL, DEADLINE_MS, &code, &answer), 0);
    json_decref(answer);
    assert_int_equal(ctl_client_ask(&good, CTL_WATCH, NULL, DEADLINE_MS, &code, &answer), 0);
    json_decref(answer);
    while (!dropped && clock_boottime_us() < until) {
        assert_int_equal(ctl_client_next(&good, -1, &code, &answer), 0);
        assert_int_equal(json_string_length(answer), BIG);
        json_decref(answer);
        dropped = poll(&p, 1, 0) > 0 && (p.revents & (POLLRDHUP | POLLHUP)) != 0;
    }
    assert_true(dropped);
    ctl_client_close(&slow);
    ctl_client_close(&good);
}

/* --- other people --- */

/* Runs check in a child that has become nobody; its return value. */
static int as_nobody(int (*check)(const struct fake_ctl *f), const struct fake_ctl *f)
{
    pid_t pid;

    (void)fflush(NULL);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        become(NOBODY);
        _exit(check(f));
    }
    return exit_status_of(pid);
}

static int ask_code(const struct fake_ctl *f, uint16_t request)
{
    struct ctl_client c = {.socket = -1};
    uint32_t code = 90;
    json_t *answer = NULL;

    if (ctl_client_open(f->directory, &c) < 0)
        return 91;
    if (ctl_client_ask(&c, request, NULL, DEADLINE_MS, &code, &answer) < 0)
        return 92;
    json_decref(answer);
    ctl_client_close(&c);
    return (int)code;
}

static int nobody_asks_status(const struct fake_ctl *f)
{
    return ask_code(f, CTL_STATUS);
}

static int nobody_asks_purge(const struct fake_ctl *f)
{
    return ask_code(f, CTL_PURGE);
}

static void test_root_verbs_are_denied_to_others(void **state)
{
    if (getuid() != 0)
        skip_because("needs root to become another user");
    assert_int_equal(ask_code(*state, CTL_PURGE), CTL_CODE_OK);
    assert_int_equal(as_nobody(nobody_asks_purge, *state), CTL_CODE_DENIED);
    assert_int_equal(as_nobody(nobody_asks_status, *state), CTL_CODE_OK);
}

static bool answers(const struct ctl_client *c)
{
    struct ctl_client copy = *c;
    uint32_t code = 90;
    json_t *answer = NULL;
    bool ok = ctl_client_ask(&copy, CTL_STATUS, NULL, DEADLINE_MS, &code, &answer) == 0 && code == CTL_CODE_OK;

    json_decref(answer);
    return ok;
}

/* 16 connections of one uid are served, the next one is not, and after one is closed it is again. */
static int nobody_connects_often(const struct fake_ctl *f)
{
    struct ctl_client c[17];
    uint64_t until = clock_boottime_us() + DEADLINE_MS * 1000ULL;

    for (size_t i = 0; i < 16; i++)
        if (ctl_client_open(f->directory, &c[i]) < 0 || !answers(&c[i]))
            return 1;
    if (ctl_client_open(f->directory, &c[16]) < 0)
        return 2;
    if (answers(&c[16]))
        return 3;
    ctl_client_close(&c[0]);
    do {
        ctl_client_close(&c[16]);
        if (ctl_client_open(f->directory, &c[16]) < 0)
            return 4;
    } while (!answers(&c[16]) && clock_boottime_us() < until);
    return answers(&c[16]) ? 0 : 5;
}

static void test_connections_of_one_uid_are_limited(void **state)
{
    struct ctl_client c[20];

    if (getuid() != 0)
        skip_because("needs root to become another user");
    assert_int_equal(as_nobody(nobody_connects_often, *state), 0);
    for (size_t i = 0; i < sizeof(c) / sizeof(c[0]); i++) {
        c[i] = fixture_connect(*state);
        assert_true(answers(&c[i]));
    }
    for (size_t i = 0; i < sizeof(c) / sizeof(c[0]); i++)
        ctl_client_close(&c[i]);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_answers, setup, fixture_stop),
        cmocka_unit_test_setup_teardown(test_fields_out_of_place, setup, fixture_stop),
        cmocka_unit_test_setup_teardown(test_drops_what_is_not_in_the_table, setup, fixture_stop),
        cmocka_unit_test_setup_teardown(test_drops_second_request_on_a_stream, setup, fixture_stop),
        cmocka_unit_test_setup_teardown(test_peer_that_goes_in_the_middle, setup, fixture_stop),
        cmocka_unit_test_setup_teardown(test_slow_reader_costs_nothing, setup, fixture_stop),
        cmocka_unit_test_setup_teardown(test_slow_watcher_is_dropped, setup_publishing, fixture_stop),
        cmocka_unit_test_setup_teardown(test_root_verbs_are_denied_to_others, setup, fixture_stop),
        cmocka_unit_test_setup_teardown(test_connections_of_one_uid_are_limited, setup, fixture_stop),
    };

    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
