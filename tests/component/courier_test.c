/*
 * kuraban-courier between a real kuraband and a real nats-server, which is what `kuraban-hub init` configures, over TLS; the test is the hub.
 * A report arrives, the record arrives byte for byte, an acknowledgement, a bundle and an order come to the terminal, and what happens while the
 * broker is dead, or kuraband, is not lost.
 */
#include "component/broker_fixture.h"
#include "component/fleet_fixture.h"

#include "hub/keys/keys.h"
#include "hub/nats/broker.h"

enum {
    SECONDS = 60 /* within which everything must happen; nothing takes as long */
};

static struct setting {
    struct fleet_terminal t;
    char directory[64], conf[128], log[128], courier_log[128];
    uint16_t port;
    pid_t broker, courier;
    struct hub_keys keys;
    struct broker_keys signers;
    struct link *hub;
    jsCtx *js;
    natsSubscription *events, *reports;
    /* The record as it arrived. */
    char *lines;
    size_t size;
    uint64_t next; /* number of the record that is wanted next */
} s;

/* --- the centre --- */

static void make_streams(void)
{
    static const char *const streams[][2] = {
        {"POL", "\"subjects\":[\"pol.*\"],\"max_msgs_per_subject\":1,\"allow_direct\":true,\"retention\":\"limits\""},
        {"CMD", "\"subjects\":[\"cmd.*.*\"],\"max_msgs_per_subject\":1,\"allow_direct\":true,\"retention\":\"limits\""},
        {"ACK", "\"subjects\":[\"ack.*\"],\"max_msgs_per_subject\":1,\"allow_direct\":true,\"retention\":\"limits\""},
        {"REP", "\"subjects\":[\"rep.*\"],\"max_msgs_per_subject\":1,\"retention\":\"limits\""},
        {"EVT", "\"subjects\":[\"evt.*.*\"],\"discard\":\"new\",\"duplicate_window\":600000000000,"
                "\"retention\":\"workqueue\""},
    };

    for (size_t i = 0; i < ELEMENTS(streams); i++) {
        char subject[64], config[512];
        natsMsg *m = NULL;

        (void)snprintf(subject, sizeof(subject), "$JS.API.STREAM.CREATE.%s", streams[i][0]);
        (void)snprintf(config, sizeof(config), "{\"name\":\"%s\",\"storage\":\"file\",\"num_replicas\":1,%s}",
                       streams[i][0], streams[i][1]);
        assert_int_equal(natsConnection_RequestString(&m, link_connection(s.hub), subject, config, 10000), NATS_OK);
        if (strstr(natsMsg_GetData(m), "\"error\""))
            fail_msg("%s", natsMsg_GetData(m));
        natsMsg_Destroy(m);
    }
}

static void connect_hub(void)
{
    char url[64], ca[160], *jwt = NULL;
    const char *urls[] = {url, NULL};
    struct link_settings o = {.urls = urls, .name = "hub", .ca = ca, .pending_max = 1 << 20, .key = s.keys.hub};

    (void)snprintf(url, sizeof(url), "tls://localhost:%u", s.port);
    (void)snprintf(ca, sizeof(ca), "%s/centre/tls/ca.pem", s.directory);
    assert_int_equal(broker_hub_jwt(&s.signers, wire_key_public(s.keys.hub), time(NULL), 0, &jwt), 0);
    o.jwt = jwt;
    assert_int_equal(link_open(&o, &s.hub), 0);
    free(jwt);
    assert_true(broker_await(broker_is_up, s.hub, 30));
    make_streams();
    assert_int_equal(natsConnection_JetStream(&s.js, link_connection(s.hub), NULL), NATS_OK);
    assert_int_equal(js_PullSubscribe(&s.events, s.js, "evt.>", "hub", NULL, NULL, NULL), NATS_OK);
    assert_int_equal(natsConnection_SubscribeSync(&s.reports, link_connection(s.hub), "rep.>"), NATS_OK);
    assert_int_equal(natsConnection_Flush(link_connection(s.hub)), NATS_OK);
}

static void start_centre(void)
{
    char command[512], keys[128];
    int fd;

    (void)snprintf(s.directory, sizeof(s.directory), "/tmp/kuraban-courier.XXXXXX");
    assert_non_null(mkdtemp(s.directory));
    s.port = broker_free_port();
    (void)snprintf(command, sizeof(command),
                   "%s/bin/kuraban-hub --directory %s/centre init --organization " SIGNED_ORGANIZATION
                   " --address hub.example --listen 0.0.0.0:%u > %s/out",
                   getenv("KURABAN_BUILD"), s.directory, s.port, s.directory);
    assert_int_equal(system(command), 0);
    (void)snprintf(s.conf, sizeof(s.conf), "%s/centre/nats/nats.conf", s.directory);
    (void)snprintf(s.log, sizeof(s.log), "%s/log", s.directory);
    (void)snprintf(keys, sizeof(keys), "%s/centre/keys", s.directory);
    fd = open(keys, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(hub_keys_read(fd, &s.keys), 0);
    (void)close(fd);
    s.signers = (struct broker_keys){s.keys.operator, s.keys.account, s.keys.system, s.keys.terminals};
    s.broker = broker_run(s.conf, s.log);
    connect_hub();
}

/* --- the courier --- */

static void write_centre(void)
{
    const char *groups[3] = {"kazei", NULL, NULL};
    char token[FLEET_TOKEN_SIZE], url[64], hub[] = "https://localhost:8443", ca[160], *jwt = NULL, *pem = NULL;
    struct centre c = {.urls = {url}, .n_urls = 1, .hub = hub};

    assert_int_equal(fleet_group_token("税務課", token), 0);
    groups[1] = token;
    (void)snprintf(url, sizeof(url), "tls://localhost:%u", s.port);
    (void)snprintf(ca, sizeof(ca), "%s/centre/tls/ca.pem", s.directory);
    {
        uint8_t *bytes = NULL;
        size_t size = 0;

        assert_int_equal(files_read_at(AT_FDCWD, ca, 1 << 16, &bytes, &size), 0);
        pem = (char *)bytes;
    }
    assert_int_equal(broker_terminal_jwt(&s.signers, s.t.id, s.t.wire, groups, time(NULL), 0, &jwt), 0);
    c.jwt = jwt;
    c.ca = pem;
    assert_int_equal(centre_write(s.t.folder, &c, NULL), 0);
    free(jwt);
    free(pem);
}

static void start_courier(void)
{
    char program[256];

    (void)snprintf(program, sizeof(program), "%s/bin/kuraban-courier", getenv("KURABAN_BUILD"));
    (void)snprintf(s.courier_log, sizeof(s.courier_log), "%s/courier.log", s.directory);
    s.courier = fork();
    if (s.courier == 0) {
        int fd = open(s.courier_log, O_WRONLY | O_CREAT | O_APPEND, 0600);

        (void)dup2(fd, 2);
        (void)execl(program, program, "--config", s.t.config, "--spread", "1", "--debug", (char *)NULL);
        _exit(127);
    }
}

/* --- waiting --- */

static bool link_says(const char *word)
{
    json_t *status = fleet_status(&s.t);
    const char *link = json_string_value(json_object_get(json_object_get(status, "fleet"), "link"));
    bool says = link && strcmp(link, word) == 0;

    json_decref(status);
    return says;
}

static bool is_up(void *context)
{
    (void)context;
    return link_says("up");
}

static bool is_down(void *context)
{
    (void)context;
    return link_says("down");
}

static void sync_journal(uint64_t *ret)
{
    json_t *answer = NULL;

    assert_int_equal(fleet_ask(&s.t, 0, CTL_SYNC, NULL, &answer, NULL), CTL_CODE_OK);
    *ret = (uint64_t)json_integer_value(json_object_get(answer, "sequence"));
    json_decref(answer);
}

static void cause_records(unsigned n)
{
    for (unsigned i = 0; i < n; i++) {
        json_t *answer = NULL;

        assert_int_equal(fleet_ask(&s.t, 0, CTL_RESCAN, NULL, &answer, NULL), CTL_CODE_OK);
        json_decref(answer);
    }
}

/* One batch; what was there already is passed over. */
static void take_batch(natsMsg *m)
{
    struct fleet_place place;
    const char *subject = natsMsg_GetSubject(m), *id = NULL, *data = natsMsg_GetData(m);
    size_t size = (size_t)natsMsg_GetDataLength(m), at = 0;
    char want[FLEET_MESSAGE_SIZE];
    uint64_t seq;

    assert_int_equal(fleet_subject_read(subject, strlen(subject), &place), 0);
    assert_string_equal(place.terminal, s.t.id);
    assert_true(size > 0 && size <= 256 * 1024 && data[size - 1] == '\n');
    assert_true(place.first <= s.next); /* no gap */
    seq = place.first;
    for (size_t end = 0; at < size; at = end, seq++) {
        const char *newline = memchr(data + at, '\n', size - at);

        end = (size_t)(newline - data) + 1;
        if (seq != s.next)
            continue;
        s.lines = realloc(s.lines, s.size + (end - at));
        assert_non_null(s.lines);
        memcpy(s.lines + s.size, data + at, end - at);
        s.size += end - at;
        s.next++;
    }
    assert_int_equal(fleet_message_id(s.t.id, place.first, seq - 1, want), 0);
    assert_int_equal(natsMsgHeader_Get(m, "Nats-Msg-Id", &id), NATS_OK);
    assert_string_equal(id, want);
}

/* Everything up to what is on disk now has arrived, and is what stands there. */
static void all_arrives(void)
{
    char path[160], command[640];
    uint64_t last;
    FILE *f;

    sync_journal(&last);
    for (int i = 0; i < SECONDS && s.next <= last; i++) {
        natsMsgList list = {0};

        if (natsSubscription_Fetch(&list, s.events, 64, 1000, NULL) != NATS_OK)
            continue;
        for (int k = 0; k < list.Count; k++) {
            take_batch(list.Msgs[k]);
            assert_int_equal(natsMsg_Ack(list.Msgs[k], NULL), NATS_OK);
        }
        natsMsgList_Destroy(&list);
    }
    if (s.next <= last)
        fail_msg("%llu of %llu records", (unsigned long long)s.next - 1, (unsigned long long)last);
    (void)snprintf(path, sizeof(path), "%s/lines", s.directory);
    f = fopen(path, "we");
    assert_non_null(f);
    assert_int_equal(fwrite(s.lines, 1, s.size, f), s.size);
    assert_int_equal(fclose(f), 0);
    (void)snprintf(command, sizeof(command), "cat %s/state/journal/journal-*.ndjson | cmp -n %zu - %s", s.t.path,
                   s.size, path);
    assert_int_equal(system(command), 0);
}

/* The next report that the wanted one may be. */
static struct fleet_statement *next_report(bool (*wanted)(const struct fleet_report *r))
{
    for (int i = 0; i < SECONDS; i++) {
        struct fleet_statement *report = NULL;
        natsMsg *m = NULL;

        if (natsSubscription_NextMsg(&m, s.reports, 1000) != NATS_OK)
            continue;
        assert_int_equal(fleet_open_report((const uint8_t *)natsMsg_GetData(m), (size_t)natsMsg_GetDataLength(m),
                                           s.t.journal, &report, NULL),
                         TRUST_OK);
        natsMsg_Destroy(m);
        if (wanted(&report->report))
            return report;
        fleet_statement_free(report);
    }
    fail_msg("no such report");
    return NULL;
}

static void publish(const char *subject, struct signed_bytes b)
{
    natsMsg *m = NULL;

    assert_int_equal(
        natsConnection_Request(&m, link_connection(s.hub), subject, (const char *)b.data, (int)b.size, 10000), NATS_OK);
    assert_non_null(strstr(natsMsg_GetData(m), "\"seq\""));
    natsMsg_Destroy(m);
    free(b.data);
}

/* --- tests --- */

static bool any_report(const struct fleet_report *r)
{
    return r->membership == 3;
}

static void test_comes_up(void **state)
{
    struct fleet_statement *report;

    (void)state;
    assert_true(fleet_await(is_up, NULL, SECONDS));
    report = next_report(any_report);
    assert_string_equal(report->report.terminal, s.t.id);
    fleet_statement_free(report);
    all_arrives();
}

static bool is_acknowledged(void *context)
{
    return fleet_number(&s.t, "acknowledged") == (int64_t) * (uint64_t *)context;
}

static void test_ack_releases(void **state)
{
    uint64_t last = s.next - 1;
    size_t begin = s.size - 1;
    struct digest hash;
    char subject[FLEET_SUBJECT_SIZE];

    (void)state;
    while (begin > 0 && s.lines[begin - 1] != '\n')
        begin--;
    assert_int_equal(digest_bytes(s.lines + begin, s.size - begin - 1, &hash), 0);
    assert_int_equal(fleet_subject_terminal(FLEET_SUBJECT_ACKS, s.t.id, subject), 0);
    assert_int_equal(fleet_number(&s.t, "acknowledged"), 0);
    publish(subject, fleet_ack(&s.t, last, &hash));
    assert_true(fleet_await(is_acknowledged, &last, SECONDS));
}

static bool two_applied(const struct fleet_report *r)
{
    return r->has_outcome && r->outcome.status == FLEET_STATUS_APPLIED && r->policy.version == 2;
}

static bool three_applied(const struct fleet_report *r)
{
    return r->has_outcome && r->outcome.status == FLEET_STATUS_APPLIED && r->policy.version == 3;
}

static void test_bundle(void **state)
{
    char subject[FLEET_SUBJECT_SIZE];

    (void)state;
    publish("pol.kazei", fleet_bundle(&s.t, 5, 2, "scope: {groups: [kazei]}\n"));
    fleet_statement_free(next_report(two_applied));
    assert_int_equal(fleet_subject_command(s.t.id, FLEET_COMMAND_BUNDLE, subject), 0);
    publish(subject, fleet_bundle(&s.t, 6, 3, "scope: {groups: [kazei]}\n"));
    fleet_statement_free(next_report(three_applied));
}

static bool has_order(void *context)
{
    char command[256];

    (void)context;
    (void)snprintf(command, sizeof(command), "cat %s/state/journal/journal-*.ndjson | grep -q '\"fleet-order\"'",
                   s.t.path);
    return system(command) == 0;
}

static void test_order(void **state)
{
    struct fleet_statement order = statement_usual(FLEET_ORDER);
    char subject[FLEET_SUBJECT_SIZE];

    (void)state;
    assert_int_equal(fleet_subject_command(s.t.id, FLEET_COMMAND_END_GRANTS, subject), 0);
    publish(subject, fleet_sign(&s.t, &order));
    assert_true(fleet_await(has_order, NULL, SECONDS));
    all_arrives();
}

static bool four_applied(const struct fleet_report *r)
{
    return r->policy.version == 4;
}

/* While nobody is there records are made; afterwards they arrive, in their order, each once or more. */
static void test_broker_dies(void **state)
{
    (void)state;
    broker_kill(s.broker);
    cause_records(20);
    assert_true(fleet_await(is_down, NULL, SECONDS));
    cause_records(20);
    s.broker = broker_run(s.conf, s.log);
    assert_true(broker_await(broker_is_up, s.hub, SECONDS));
    assert_true(fleet_await(is_up, NULL, SECONDS));
    all_arrives();
}

/* What was published while the courier was away is found when it has come back. */
static void test_courier_dies(void **state)
{
    (void)state;
    broker_kill(s.courier);
    cause_records(5);
    publish("pol.kazei", fleet_bundle(&s.t, 7, 4, "scope: {groups: [kazei]}\n"));
    start_courier();
    fleet_statement_free(next_report(four_applied));
    all_arrives();
}

static void test_kuraband_dies(void **state)
{
    (void)state;
    fleet_end(&s.t, SIGKILL);
    fleet_start(&s.t);
    cause_records(5);
    assert_true(fleet_await(is_up, NULL, SECONDS));
    all_arrives();
    fleet_statement_free(next_report(four_applied));
}

/* Its own user, no capability, in the cage. */
static void test_cage(void **state)
{
    char command[256];

    (void)state;
    (void)snprintf(command, sizeof(command),
                   "awk '/^Uid:/ {u=$2} /^CapPrm:|^CapEff:/ {c+=($2!=\"0000000000000000\")} /^Seccomp:/ {f=$2} "
                   "/^NoNewPrivs:/ {n=$2} END {exit !(u==%u && c==0 && f==2 && n==1)}' /proc/%d/status",
                   s.t.courier, s.courier);
    assert_int_equal(system(command), 0);
}

static int begin(void **state)
{
    (void)state;
    s.next = 1;
    start_centre();
    fleet_make(&s.t, NULL);
    write_centre();
    start_courier();
    return 0;
}

static int end(void **state)
{
    char command[128], *log = NULL;
    int status = 0;
    pid_t ended;

    (void)state;
    /* First of all: whoever runs the tests waits for what this one leaves behind. */
    (void)kill(s.courier, SIGTERM);
    ended = waitpid(s.courier, &status, 0);
    natsSubscription_Destroy(s.events);
    natsSubscription_Destroy(s.reports);
    jsCtx_Destroy(s.js);
    s.hub = link_free(s.hub);
    broker_kill(s.broker);
    assert_int_equal(ended, s.courier);
    assert_int_equal(files_read_text_at(AT_FDCWD, s.courier_log, 1 << 22, &log), 0);
    if (!WIFEXITED(status) || WEXITSTATUS(status) != 0 || strstr(log, "Sanitizer") || strstr(log, "runtime error"))
        fail_msg("status %d: %s", status, log);
    free(log);
    hub_keys_done(&s.keys);
    fleet_done(&s.t);
    free(s.lines);
    (void)snprintf(command, sizeof(command), "rm -rf %s", s.directory);
    return system(command);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_comes_up),     cmocka_unit_test(test_ack_releases),  cmocka_unit_test(test_bundle),
        cmocka_unit_test(test_order),        cmocka_unit_test(test_cage),          cmocka_unit_test(test_broker_dies),
        cmocka_unit_test(test_courier_dies), cmocka_unit_test(test_kuraband_dies),
    };

    if (geteuid() != 0) {
        puts("SKIP: needs root");
        return TEST_EXIT_SKIP;
    }
    if (system("nats-server --version > /dev/null 2>&1") != 0) {
        puts("SKIP: nats-server is not installed");
        return TEST_EXIT_SKIP;
    }
    return cmocka_run_group_tests(tests, begin, end);
}
