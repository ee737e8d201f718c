/* Streams: who asked for one gets that one, and of a personal one what is of its uid; who does not read is dropped, and holds up nobody. */
#include "unit/ctl/fixture.h"

#include <errno.h>
#include <jansson.h>
#include <poll.h>
#include <signal.h>
#include <stdbool.h>
#include <systemd/sd-event.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "ctl/protocol.h"
#include "fake/people.h"

enum {
    DEADLINE_MS = 10000,
    EVERY_US = 1000,
    PAYLOAD = 1000,
};

/* --- the server's side, in the child --- */

static enum ctl_code on_nothing(void *context, const struct ctl_call *call, json_t **ret_answer)
{
    (void)context;
    (void)ret_answer;
    return buf_get_end(call->fields) < 0 ? CTL_CODE_INVALID : CTL_CODE_OK;
}

static const struct ctl_verb verbs[] = {
    {CTL_STATUS, CTL_PERMIT_ANYBODY, on_nothing},
    {CTL_WATCH, CTL_PERMIT_ANYBODY | CTL_STREAM, on_nothing},
    {CTL_NOTICES, CTL_PERMIT_ANYBODY | CTL_STREAM | CTL_BRIEF, on_nothing},
};

static struct ctl_server *publishing;

static void publish(uint16_t request, const uid_t *only)
{
    json_t *answer;
    char text[PAYLOAD + 1];

    if (!ctl_server_has_watchers(publishing, request, only))
        return;
    memset(text, 'x', PAYLOAD);
    text[PAYLOAD] = '\0';
    answer = json_pack("{s:i, s:i, s:s}", "request", request, "only", only ? (int)*only : -1, "text", text);
    ctl_server_publish(publishing, request, only, answer);
    json_decref(answer);
}

static int on_publish(sd_event_source *source, uint64_t usec, void *userdata)
{
    static const uid_t root = 0, nobody = NOBODY;

    (void)userdata;
    publish(CTL_WATCH, NULL);
    publish(CTL_NOTICES, &root);
    publish(CTL_NOTICES, &nobody);
    (void)sd_event_source_set_time(source, usec + EVERY_US);
    (void)sd_event_source_set_enabled(source, SD_EVENT_ONESHOT);
    return 0;
}

static void publish_always(sd_event *loop, struct ctl_server *s)
{
    publishing = s;
    (void)sd_event_add_time_relative(loop, NULL, CLOCK_MONOTONIC, EVERY_US, 0, on_publish, NULL);
}

static int setup(void **state)
{
    return fixture_start(state, verbs, ELEMENTS(verbs), publish_always);
}

/* --- the client's side --- */

static bool begin(const struct fake_ctl *f, uint16_t request, struct ctl_client *ret)
{
    uint32_t code = CTL_CODE_FAILED;
    json_t *answer = NULL;
    bool ok = ctl_client_open(f->directory, ret) == 0 &&
              ctl_client_ask(ret, request, NULL, DEADLINE_MS, &code, &answer) == 0 && code == CTL_CODE_OK;

    json_decref(answer);
    return ok;
}

static bool next_is(struct ctl_client *c, uint16_t request, int only)
{
    uint32_t code = CTL_CODE_FAILED;
    json_t *answer = NULL;
    bool ok = ctl_client_next(c, DEADLINE_MS, &code, &answer) == 0 && code == CTL_CODE_OK &&
              json_integer_value(json_object_get(answer, "request")) == request &&
              json_integer_value(json_object_get(answer, "only")) == only;

    json_decref(answer);
    return ok;
}

static int nobody_listens(const struct fake_ctl *f)
{
    struct ctl_client c = {.socket = -1};

    if (!begin(f, CTL_NOTICES, &c))
        return 1;
    for (int i = 0; i < 50; i++)
        if (!next_is(&c, CTL_NOTICES, NOBODY))
            return 2;
    ctl_client_close(&c);
    return 0;
}

static void test_each_gets_its_own(void **state)
{
    struct ctl_client watch = {.socket = -1}, own = {.socket = -1};
    pid_t pid;

    if (getuid() != 0)
        skip_because("needs root to become another user");
    assert_true(begin(*state, CTL_WATCH, &watch));
    assert_true(begin(*state, CTL_NOTICES, &own));
    (void)fflush(NULL);
    pid = fork();
    assert_true(pid >= 0);
    if (pid == 0) {
        become(NOBODY);
        _exit(nobody_listens(*state));
    }
    for (int i = 0; i < 50; i++) {
        assert_true(next_is(&own, CTL_NOTICES, 0));
        assert_true(next_is(&watch, CTL_WATCH, -1));
    }
    assert_int_equal(exit_status_of(pid), 0);
    ctl_client_close(&watch);
    ctl_client_close(&own);
}

static size_t received(const struct ctl_client *c)
{
    char bytes[65536];
    size_t all = 0;
    ssize_t n;

    while ((n = recv(c->socket, bytes, sizeof(bytes), 0)) > 0)
        all += (size_t)n;
    return all;
}

/* Little waits for who listens to short answers and does not read: what the kernel's socket holds and CTL_BRIEF_WAITING. Others get theirs
 * all the while. */
static void test_slow_listener_is_dropped_soon(void **state)
{
    struct ctl_client slow = {.socket = -1}, good = {.socket = -1};
    uint64_t until = clock_boottime_us() + 60 * UINT64_C(1000000);
    bool dropped = false;
    int only = (int)geteuid();

    if (only != 0)
        skip_because("what is published here is root's");
    assert_true(begin(*state, CTL_NOTICES, &slow));
    assert_true(begin(*state, CTL_NOTICES, &good));
    while (!dropped && clock_boottime_us() < until) {
        struct pollfd p = {.fd = slow.socket, .events = POLLRDHUP};

        assert_true(next_is(&good, CTL_NOTICES, only));
        dropped = poll(&p, 1, 0) > 0 && (p.revents & (POLLRDHUP | POLLHUP)) != 0;
    }
    assert_true(dropped);
    assert_true(received(&slow) < 1024 * 1024);
    ctl_client_close(&slow);
    ctl_client_close(&good);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_each_gets_its_own, setup, fixture_stop),
        cmocka_unit_test_setup_teardown(test_slow_listener_is_dropped_soon, setup, fixture_stop),
    };

    (void)signal(SIGPIPE, SIG_IGN);
    return cmocka_run_group_tests(tests, NULL, NULL);
}
