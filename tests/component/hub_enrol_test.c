/*
 * Enrolment over real HTTPS, with curl(1) as the terminal: what comes back over a connection to the authority that was pinned; what is no
 * request; who sends too much, too slowly, too often; and that none of it stands in the log.
 * Runs beside others.
 */
#include "component/broker_fixture.h"

#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>
#include <string.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "base/files.h"
#include "fake/hub.h"
#include "hub/api/rate.h"
#include "hub/centre/tls.h"
#include "hub/enrol/routes.h"

struct run {
    struct fake_hub hub;
    struct hub_enrol *enrol;
    struct hub_api *api;
    struct hub_api_route routes[ENROL_ROUTES];
    uint16_t port;
    char other_ca[128];
    int log, stderr_before;
};

static void start_api(struct run *r)
{
    struct centre_tls tls = {0};
    struct hub_api_settings s = {
        .address = "127.0.0.1", .port = r->port, .routes = r->routes, .n_routes = ENROL_ROUTES};

    assert_int_equal(centre_tls_read(r->hub.directory, &tls), 0);
    s.certificate = tls.chain;
    s.key = tls.key;
    assert_int_equal(hub_api_start(&s, &r->api), 0);
    centre_tls_done(&tls);
}

static int begin(void **state)
{
    static struct run r;
    char log[128];
    int fd;

    r = (struct run){.port = broker_free_port()};
    fake_hub_begin(&r.hub, clock_wall_us());
    assert_int_equal(fake_hub_add_root(&r.hub, signed_usual_root(1), clock_wall_us()), 0);
    assert_int_equal(hub_enrol_open(r.hub.place, clock_wall_us(), &r.enrol), 0);
    enrol_routes(r.enrol, r.routes);
    (void)snprintf(log, sizeof(log), "%s/log", r.hub.path);
    fd = open(log, O_RDWR | O_CREAT | O_APPEND | O_CLOEXEC, 0600);
    r.stderr_before = dup(2);
    assert_true(fd >= 0 && dup2(fd, 2) == 2);
    r.log = fd;
    start_api(&r);
    *state = &r;
    return 0;
}

/* --- curl --- */

static void put(const char *name, const char *text)
{
    FILE *f = fopen(name, "we");

    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
}

/* What curl was answered: its exit code; the status of HTTP; headers and body in files. */
static int curl(const struct run *r, const char *options, unsigned *ret_status)
{
    char command[1024], status[16] = "";
    FILE *f;
    int code;

    (void)snprintf(command, sizeof(command),
                   "curl --silent --max-time 60 --noproxy '*' --output %s/body --dump-header %s/headers --write-out "
                   "'%%{http_code}' %s",
                   r->hub.path, r->hub.path, options);
    f = popen(command, "re");
    assert_non_null(f);
    (void)!fgets(status, sizeof(status), f);
    code = pclose(f);
    *ret_status = (unsigned)strtoul(status, NULL, 10);
    return WIFEXITED(code) ? WEXITSTATUS(code) : -1;
}

static char *read_back(const struct run *r, const char *name)
{
    char path[128], *text = NULL;

    (void)snprintf(path, sizeof(path), "%s/%s", r->hub.path, name);
    assert_int_equal(files_read_text_at(AT_FDCWD, path, 4 << 20, &text), 0);
    return text;
}

static int end(void **state)
{
    struct run *r = *state;
    char *log = read_back(r, "log");

    (void)fputs(log, stdout); /* what failed stands in it too */
    free(log);
    r->api = hub_api_stop(r->api);
    r->enrol = hub_enrol_free(r->enrol);
    (void)dup2(r->stderr_before, 2);
    (void)close(r->stderr_before);
    (void)close(r->log);
    fake_hub_end(&r->hub);
    return 0;
}

/* POST of a body from a file. */
static unsigned post(const struct run *r, const char *path, const char *body, const char *more)
{
    char options[512], file[128];
    unsigned status = 0;

    (void)snprintf(file, sizeof(file), "%s/request", r->hub.path);
    put(file, body);
    (void)snprintf(options, sizeof(options), "--cacert %s/tls/ca.pem %s --data-binary @%s %s https://localhost:%u%s",
                   r->hub.place, strstr(more, "Content-Type") ? "" : "--header 'Content-Type: application/json'", file,
                   more, r->port, path);
    assert_int_equal(curl(r, options, &status), 0);
    return status;
}

static json_t *answered(const struct run *r)
{
    char *text = read_back(r, "body");
    json_t *j = json_loads(text, 0, NULL);

    assert_non_null(j);
    free(text);
    return j;
}

static void answered_error(const struct run *r, const char *error)
{
    json_t *j = answered(r);

    assert_string_equal(json_string_value(json_object_get(j, "error")), error);
    json_decref(j);
}

/* The rate begins anew. */
static void restart(struct run *r)
{
    r->api = hub_api_stop(r->api);
    start_api(r);
}

/* --- tests --- */

static void test_enrolled(void **state)
{
    struct run *r = *state;
    struct fake_token token = fake_hub_token(&r->hub, NULL, false, clock_wall_us());
    char *body = fake_enrolment(&r->hub, &fake_machine_usual, token.text, clock_wall_us()), *headers;
    json_t *first, *again;

    assert_int_equal(post(r, "/v1/enrol", body, ""), 200);
    first = answered(r);
    assert_int_equal(json_object_size(first), 4);
    headers = read_back(r, "headers");
    assert_non_null(strcasestr(headers, "connection: close"));
    assert_non_null(strcasestr(headers, "cache-control: no-store"));
    assert_non_null(strcasestr(headers, "x-content-type-options: nosniff"));
    assert_non_null(strcasestr(headers, "strict-transport-security:"));
    free(headers);
    assert_int_equal(post(r, "/v1/enrol", body, "--tls-max 1.2"), 200);
    again = answered(r);
    assert_true(json_equal(json_object_get(first, "membership"), json_object_get(again, "membership")));
    json_decref(first);
    json_decref(again);
    free(body);
}

static void test_other_authority(void **state)
{
    struct run *r = *state;
    char options[512];
    unsigned status = 0;

    (void)snprintf(options, sizeof(options), "https://localhost:%u/v1/enrol", r->port);
    assert_int_equal(curl(r, options, &status), 60); /* CURLE_PEER_FAILED_VERIFICATION: nobody's public authority */
    /* By a name the certificate is not for. */
    (void)snprintf(options, sizeof(options),
                   "--cacert %s/tls/ca.pem --resolve other.example:%u:127.0.0.1 https://other.example:%u/v1/enrol",
                   r->hub.place, r->port, r->port);
    assert_int_equal(curl(r, options, &status), 60);
    (void)snprintf(options, sizeof(options), "--cacert %s/tls/ca.pem --tls-max 1.1 https://localhost:%u/v1/enrol",
                   r->hub.place, r->port);
    assert_int_not_equal(curl(r, options, &status), 0);
    (void)snprintf(options, sizeof(options), "http://localhost:%u/v1/enrol", r->port);
    assert_int_not_equal(curl(r, options, &status), 0);
}

static void test_no_request(void **state)
{
    struct run *r = *state;
    char *long_one = malloc(HUB_API_BODY_MAX + 4096), options[512], *headers;
    unsigned status = 0;

    assert_non_null(long_one);
    memset(long_one, ' ', HUB_API_BODY_MAX + 4095);
    long_one[HUB_API_BODY_MAX + 4095] = '\0';
    assert_int_equal(post(r, "/v1/enrol", "{", ""), 400);
    answered_error(r, "malformed");
    assert_int_equal(post(r, "/v1/enrol/../secret?token=abc", "{}", "--path-as-is"), 404);
    answered_error(r, "not-found");
    assert_int_equal(post(r, "/v1/enrol", "{}", "--header 'Content-Type: text/plain'"), 415);
    answered_error(r, "content-type");
    assert_int_equal(post(r, "/v1/enrol", long_one, "--header 'Expect:'"), 413);
    answered_error(r, "too-long");
    assert_int_equal(post(r, "/v1/enrol", long_one, "--header 'Transfer-Encoding: chunked'"), 413);
    answered_error(r, "too-long");
    long_one[HUB_API_BODY_MAX] = '\0';
    assert_int_equal(post(r, "/v1/enrol", long_one, ""), 400); /* as long as it may be */
    answered_error(r, "malformed");
    (void)snprintf(options, sizeof(options), "--cacert %s/tls/ca.pem https://localhost:%u/v1/enrol", r->hub.place,
                   r->port);
    assert_int_equal(curl(r, options, &status), 0);
    assert_int_equal(status, 405);
    answered_error(r, "method");
    headers = read_back(r, "headers");
    assert_non_null(strcasestr(headers, "allow: POST"));
    free(headers);
    free(long_one);
    restart(r);
}

static void test_too_often(void **state)
{
    struct run *r = *state;
    char *headers;
    unsigned status = 0;
    int n = 0;

    do {
        status = post(r, "/v1/enrol", "{", "");
        assert_true(status == 400 || status == 429);
        assert_true(++n <= 2 * RATE_CAPACITY / RATE_REFUSED);
    } while (status != 429);
    answered_error(r, "too-many");
    headers = read_back(r, "headers");
    assert_non_null(strcasestr(headers, "retry-after:"));
    free(headers);
    restart(r);
}

static int connect_to(const struct run *r)
{
    struct sockaddr_in a = {.sin_family = AF_INET, .sin_port = htons(r->port), .sin_addr = {htonl(INADDR_LOOPBACK)}};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    assert_int_equal(connect(fd, (struct sockaddr *)&a, sizeof(a)), 0);
    return fd;
}

/* Who opens connections and says nothing keeps nobody else out: there is a limit for one address, and they are ended. */
static void test_silent_ones(void **state)
{
    struct run *r = *state;
    struct fake_token token = fake_hub_token(&r->hub, NULL, false, clock_wall_us());
    struct fake_machine m = fake_machine_usual;
    int fds[2 * HUB_API_PER_ADDRESS_MAX];
    uint64_t start = clock_boottime_us();
    char *body;

    for (size_t i = 0; i < ELEMENTS(fds); i++)
        fds[i] = connect_to(r);
    for (size_t i = 0; i < ELEMENTS(fds); i++) {
        struct timeval limit = {.tv_sec = HUB_API_IDLE_S + 20};
        char bytes[64];
        ssize_t n;

        (void)setsockopt(fds[i], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof(limit));
        while ((n = read(fds[i], bytes, sizeof(bytes))) > 0) /* TLS says that it ends */
            continue;
        assert_true(n == 0 || errno == ECONNRESET);
        (void)close(fds[i]);
    }
    assert_true(clock_boottime_us() - start < (HUB_API_IDLE_S + 20) * UINT64_C(1000000));
    m.journal = STATEMENT_OTHER;
    m.wire = STATEMENT_OTHER + 1;
    m.host = "kazei-09";
    m.serial = NULL;
    body = fake_enrolment(&r->hub, &m, token.text, clock_wall_us());
    assert_int_equal(post(r, "/v1/enrol", body, ""), 200);
    free(body);
}

/* A byte of a header every second keeps no connection open for ever. */
static void test_slow_one(void **state)
{
    struct run *r = *state;
    uint64_t start = clock_boottime_us(), took;
    char command[512];

    (void)snprintf(command, sizeof(command),
                   "(printf 'POST /v1/enrol HTTP/1.1\\r\\nX-Slow: '; while sleep 1 && printf x; do :; done) | "
                   "timeout %d openssl s_client -quiet -verify_quiet -connect 127.0.0.1:%u > /dev/null 2>&1",
                   HUB_API_CONNECTION_S + 30, r->port);
    (void)!system(command);
    took = clock_boottime_us() - start;
    assert_true(took < (HUB_API_CONNECTION_S + 20) * UINT64_C(1000000));
    assert_true(took > (HUB_API_IDLE_S + 5) * UINT64_C(1000000)); /* it was not ended for being idle */
}

static void test_log(void **state)
{
    struct run *r = *state;
    struct fake_token token = fake_hub_token(&r->hub, NULL, false, clock_wall_us());
    char *body = fake_enrolment(&r->hub, &fake_machine_usual, token.text, clock_wall_us()), *log, id[FLEET_ID_SIZE];

    (void)post(r, "/v1/enrol", body, "");
    statement_terminal(STATEMENT_JOURNAL, id);
    log = read_back(r, "log");
    assert_non_null(strstr(log, "api.request address=127.0.0.1 method=POST path=/v1/enrol status=200"));
    assert_non_null(strstr(log, id));
    assert_non_null(strstr(log, "path=- status=404"));
    assert_null(strstr(log, token.text));
    assert_null(strstr(log, "secret"));
    assert_null(strstr(log, "eyJ"));
    free(log);
    free(body);
}

static void test_cannot_listen(void **state)
{
    struct run *r = *state;
    struct centre_tls tls = {0};
    struct hub_api_settings s = {.address = "127.0.0.1", .port = r->port};
    struct hub_api *second = NULL;

    assert_int_equal(centre_tls_read(r->hub.directory, &tls), 0);
    s.certificate = tls.chain;
    s.key = tls.key;
    assert_int_equal(hub_api_start(&s, &second), -EADDRINUSE);
    s.address = "hub.example";
    assert_int_equal(hub_api_start(&s, &second), -EINVAL);
    s.address = "127.0.0.1";
    s.port = broker_free_port();
    s.key = "no key";
    assert_int_equal(hub_api_start(&s, &second), -EBADMSG);
    assert_null(second);
    centre_tls_done(&tls);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_enrolled),  cmocka_unit_test(test_other_authority), cmocka_unit_test(test_no_request),
        cmocka_unit_test(test_too_often), cmocka_unit_test(test_silent_ones),     cmocka_unit_test(test_slow_one),
        cmocka_unit_test(test_log),       cmocka_unit_test(test_cannot_listen),
    };

    if (system("curl --version > /dev/null 2>&1") != 0) {
        puts("SKIP: curl is not installed");
        return TEST_EXIT_SKIP;
    }
    return cmocka_run_group_tests(tests, begin, end);
}
