/*
 * `kuraban-hub serve` with a real nats-server, over TLS: it says when it is ready, makes the broker's streams, puts back what somebody set
 * otherwise, outlives the broker, and ends when asked to.
 * Runs beside others.
 */
#include "component/centre_fixture.h"

#include <jansson.h>
#include <sys/un.h>

#include "hub/nats/streams.h"

struct run {
    struct centre_run centre;
    char log[128], notify[108];
    int notified;
    pid_t hub;
    struct centre_client client;
};

static struct run t;

static void listen_for_ready(void)
{
    struct sockaddr_un a = {.sun_family = AF_UNIX};

    (void)snprintf(t.notify, sizeof(t.notify), "%s/notify", t.centre.directory);
    memcpy(a.sun_path, t.notify, sizeof(a.sun_path));
    t.notified = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    assert_int_equal(bind(t.notified, (struct sockaddr *)&a, sizeof(a)), 0);
    assert_int_equal(setenv("NOTIFY_SOCKET", t.notify, 1), 0);
}

static void start_hub(void)
{
    static const char *const serve[] = {"serve", NULL};

    t.hub = centre_run_hub(&t.centre, t.log, serve);
}

static void stop_hub(void)
{
    int status = 0;

    assert_true(t.hub > 0); /* 0 and -1 are more than one process */
    assert_int_equal(kill(t.hub, SIGTERM), 0);
    assert_int_equal(waitpid(t.hub, &status, 0), t.hub);
    assert_true(WIFEXITED(status));
    assert_int_equal(WEXITSTATUS(status), 0);
}

static int begin(void **state)
{
    (void)state;
    centre_begin(&t.centre);
    (void)snprintf(t.log, sizeof(t.log), "%s/serve", t.centre.directory);
    listen_for_ready();
    start_hub();
    t.client = centre_connect(&t.centre, "localhost", t.centre.ca, NULL);
    return 0;
}

static int end(void **state)
{
    (void)state;
    centre_leave(&t.client);
    (void)close(t.notified);
    return centre_end(&t.centre);
}

/* The broker's answer, NULL where there is none at this moment; the caller's to free(). */
static char *ask(const char *verb, const char *stream, const char *body)
{
    natsMsg *m = NULL;
    char subject[64], *text = NULL;

    (void)snprintf(subject, sizeof(subject), "$JS.API.STREAM.%s.%s", verb, stream);
    if (natsConnection_RequestString(&m, link_connection(t.client.link), subject, body, 2000) == NATS_OK)
        text = strndup(natsMsg_GetData(m), (size_t)natsMsg_GetDataLength(m));
    natsMsg_Destroy(m);
    return text;
}

static bool stream_is_good(const struct stream *s)
{
    char *answer = ask("INFO", s->name, ""), *request = NULL;
    int r = answer ? stream_judge(s, answer, strlen(answer), &request) : STREAM_E_REFUSED;

    free(answer);
    free(request);
    return r == STREAM_GOOD;
}

static bool all_are_good(void *context)
{
    (void)context;
    for (size_t i = 0; i < STREAM_COUNT; i++)
        if (!stream_is_good(&streams[i]))
            return false;
    return true;
}

static bool log_has(void *text)
{
    char command[512];

    (void)snprintf(command, sizeof(command), "grep -q -e '%s' %s", (const char *)text, t.log);
    return system(command) == 0;
}

static void await_good(void)
{
    if (!broker_await(all_are_good, NULL, 30)) {
        char command[512];

        (void)snprintf(command, sizeof(command), "cat %s %s", t.log, t.centre.log);
        (void)system(command);
        fail_msg("the streams are not as they must be");
    }
}

static void test_ready_and_streams(void **state)
{
    char text[64] = "";

    (void)state;
    assert_true(recv(t.notified, text, sizeof(text) - 1, 0) > 0);
    assert_string_equal(text, "READY=1");
    assert_true(broker_await(broker_is_up, t.client.link, 30));
    await_good();
}

static void not_refused(const char *answer)
{
    json_t *document = json_loads(answer, 0, NULL);

    assert_null(json_object_get(document, "error"));
    json_decref(document);
}

/* While nobody looks the work queue is told to forget the oldest, and POL is deleted. */
static void test_put_back(void **state)
{
    char *answer;

    (void)state;
    stop_hub();
    answer = ask("UPDATE", "EVT",
                 "{\"name\":\"EVT\",\"subjects\":[\"evt.*.*\"],\"retention\":\"workqueue\",\"storage\":\"file\","
                 "\"num_replicas\":1,\"discard\":\"old\",\"duplicate_window\":1000000000,\"max_bytes\":1000000}");
    not_refused(answer);
    free(answer);
    answer = ask("DELETE", "POL", "");
    not_refused(answer);
    free(answer);
    assert_false(all_are_good(NULL));
    start_hub();
    await_good();
    assert_true(log_has((void *)"wire.stream.put-back stream=EVT"));
    answer = ask("INFO", "EVT", "");
    assert_non_null(strstr(answer, "\"max_bytes\":1000000,")); /* a size is the broker's administrators' */
    free(answer);
}

/* What cannot be changed is not worked with: it is said, again and again, until somebody has seen to it. */
static void test_cannot_be_put_back(void **state)
{
    char *answer;

    (void)state;
    stop_hub();
    answer = ask("DELETE", "REP", "");
    not_refused(answer);
    free(answer);
    answer =
        ask("CREATE", "REP", "{\"name\":\"REP\",\"subjects\":[\"rep.*\"],\"storage\":\"memory\",\"num_replicas\":1}");
    not_refused(answer);
    free(answer);
    start_hub();
    assert_true(broker_await(log_has, (void *)"wire.stream stream=REP verb=UPDATE answer=.*error", 30));
    answer = ask("DELETE", "REP", "");
    free(answer);
    await_good();
}

static void test_broker_dies(void **state)
{
    (void)state;
    broker_kill(t.centre.broker);
    assert_true(broker_await(log_has, (void *)"wire.down", 30));
    centre_start_broker(&t.centre);
    await_good();
    stop_hub();
}

/* Its part that lets terminals in answers over HTTPS. */
static void test_lets_in(void **state)
{
    char command[512];

    (void)state;
    (void)snprintf(command, sizeof(command),
                   "curl --silent --fail-with-body --max-time 30 --cacert %s --header 'Content-Type: application/json' "
                   "--data '{}' https://localhost:%u/v1/enrol | grep -q '\"error\":\"malformed\"'",
                   t.centre.ca, t.centre.https);
    assert_int_equal(system(command), 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_ready_and_streams),  cmocka_unit_test(test_lets_in),     cmocka_unit_test(test_put_back),
        cmocka_unit_test(test_cannot_be_put_back), cmocka_unit_test(test_broker_dies),
    };

    if (system("nats-server --version > /dev/null 2>&1") != 0) {
        puts("SKIP: nats-server is not installed");
        return TEST_EXIT_SKIP;
    }
    return cmocka_run_group_tests(tests, begin, end);
}
