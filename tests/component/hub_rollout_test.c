/*
 * Rollouts with a real nats-server and a real `kuraban-hub serve`: terminals with connections, JWTs and keys of their own judge what comes as
 * kuraband does and sign real reports. All good: everybody has it. The canary fails: it halts by itself and the others never get it. The hub is
 * killed in the middle; a terminal is off and comes back; one moves to another group; an emergency.
 * Runs beside others.
 */
#include "component/centre_fixture.h"

#include <jansson.h>
#include <openssl/evp.h>
#include <pthread.h>
#include <stdatomic.h>

#include "base/clock.h"
#include "component/people_fixture.h"
#include "fake/terminal.h"
#include "hub/store/terminals.h"

enum {
    TERMINALS = 20,
    PATIENCE_S = 180,
};

struct member {
    struct fleet_run *run;
    struct fake_terminal terminal;
    struct centre_client client;
    natsSubscription *commands, *group;
    unsigned bundles; /* that came */
    int64_t applied_us;
};

struct fleet_run {
    struct centre_run centre;
    char hub_log[128];
    pid_t hub;
    EVP_PKEY *head;
    struct signed_bytes root;
    pthread_mutex_t lock; /* of the members: libnats calls from threads of its own */
    struct member members[TERMINALS];
};

/* --- the centre --- */

static void hub(struct fleet_run *f, const char *arguments, int want)
{
    char command[1024];

    (void)snprintf(command, sizeof(command), "%s/bin/kuraban-hub --directory %s --json %s > %s/out 2>&1",
                   getenv("KURABAN_BUILD"), f->centre.place, arguments, f->centre.directory);
    if (WEXITSTATUS(system(command)) != want) {
        (void)snprintf(command, sizeof(command), "cat %s/out", f->centre.directory);
        (void)system(command);
        fail_msg("%s", arguments);
    }
}

static json_t *answer(struct fleet_run *f, const char *arguments)
{
    char path[128];
    json_t *j;

    hub(f, arguments, 0);
    (void)snprintf(path, sizeof(path), "%s/out", f->centre.directory);
    j = json_load_file(path, 0, NULL);
    assert_non_null(j);
    return j;
}

static void start_hub(struct fleet_run *f)
{
    static const char *const arguments[] = {"serve", NULL};

    f->hub = centre_run_hub(&f->centre, f->hub_log, arguments);
}

static void write_file(struct fleet_run *f, const char *name, struct signed_bytes b)
{
    char path[128];
    FILE *file;

    (void)snprintf(path, sizeof(path), "%s/%s", f->centre.directory, name);
    file = fopen(path, "we");
    assert_non_null(file);
    assert_int_equal(fwrite(b.data, 1, b.size, file), b.size);
    assert_int_equal(fclose(file), 0);
}

static void add_policy(struct fleet_run *f, unsigned version)
{
    char arguments[256];
    struct signed_bytes b =
        signed_file(signed_make_policy(&(struct signed_policy){SIGNED_ORGANIZATION, version, NULL}, KEY(2) | KEY(3)));

    write_file(f, "policy", b);
    free(b.data);
    (void)snprintf(arguments, sizeof(arguments), "policy add %s/policy", f->centre.directory);
    hub(f, arguments, 0);
}

static void rollout(struct fleet_run *f, const char *options)
{
    char arguments[256];

    (void)snprintf(arguments, sizeof(arguments), "rollout start --group kazei %s", options);
    hub(f, arguments, 0);
}

static bool is_state(struct fleet_run *f, const char *state)
{
    json_t *j = answer(f, "rollout status --group kazei");
    const char *now = json_string_value(json_object_get(json_array_get(j, 0), "state"));
    const bool is = now && strcmp(now, state) == 0;

    json_decref(j);
    return is;
}

/* --- terminals --- */

static void report(struct member *m)
{
    char subject[FLEET_SUBJECT_SIZE];
    uint8_t *bytes = NULL;
    size_t size = 0;

    fake_terminal_report(&m->terminal, clock_wall_us(), &bytes, &size);
    assert_int_equal(fleet_subject_terminal(FLEET_SUBJECT_REPORTS, m->terminal.id, subject), 0);
    (void)natsConnection_Publish(link_connection(m->client.link), subject, bytes, (int)size);
    free(bytes);
}

static void on_bundle(struct member *m, const uint8_t *bytes, size_t size)
{
    const uint64_t before = fake_terminal_version(&m->terminal);

    m->bundles++;
    (void)fake_terminal_bundle(&m->terminal, bytes, size, clock_wall_us());
    if (fake_terminal_version(&m->terminal) != before)
        m->applied_us = clock_wall_us();
    report(m);
}

static void on_message(natsConnection *connection, natsSubscription *subscription, natsMsg *msg, void *context)
{
    struct member *m = context;
    const uint8_t *bytes = (const uint8_t *)natsMsg_GetData(msg);
    const size_t size = (size_t)natsMsg_GetDataLength(msg);
    const char *subject = natsMsg_GetSubject(msg);
    struct fleet_place place = {0};
    enum fleet_order_kind order;

    (void)connection, (void)subscription;
    (void)pthread_mutex_lock(&m->run->lock);
    assert_int_equal(fleet_subject_read(subject, strlen(subject), &place), 0);
    if (place.subject == FLEET_SUBJECT_POLICY || place.command == FLEET_COMMAND_BUNDLE) {
        on_bundle(m, bytes, size);
    } else {
        assert_int_equal(fake_terminal_statement(&m->terminal, bytes, size, clock_wall_us(), &order), TRUST_OK);
        report(m);
    }
    (void)pthread_mutex_unlock(&m->run->lock);
    natsMsg_Destroy(msg);
}

static void ask_for_last(struct member *m)
{
    char inbox[FLEET_SUBJECT_SIZE];
    natsSubscription *answers = NULL;
    natsMsg *msg = NULL;

    (void)snprintf(inbox, sizeof(inbox), "_INBOX.%s.1", m->terminal.id);
    assert_int_equal(natsConnection_SubscribeSync(&answers, link_connection(m->client.link), inbox), NATS_OK);
    assert_int_equal(natsConnection_PublishRequestString(link_connection(m->client.link),
                                                         "$JS.API.DIRECT.GET.POL.pol.kazei", inbox, ""),
                     NATS_OK);
    assert_int_equal(natsSubscription_NextMsg(&msg, answers, 10000), NATS_OK);
    (void)pthread_mutex_lock(&m->run->lock);
    if (natsMsg_GetDataLength(msg) > 0)
        on_bundle(m, (const uint8_t *)natsMsg_GetData(msg), (size_t)natsMsg_GetDataLength(msg));
    (void)pthread_mutex_unlock(&m->run->lock);
    natsMsg_Destroy(msg);
    natsSubscription_Destroy(answers);
}

static void connect_member(struct member *m)
{
    char subject[FLEET_SUBJECT_SIZE];
    natsConnection *c;

    m->client = centre_connect(&m->run->centre, "localhost", m->run->centre.ca, m->terminal.id);
    assert_true(broker_await(broker_is_up, m->client.link, PATIENCE_S));
    c = link_connection(m->client.link);
    (void)snprintf(subject, sizeof(subject), "cmd.%s.*", m->terminal.id);
    assert_int_equal(natsConnection_Subscribe(&m->commands, c, subject, on_message, m), NATS_OK);
    assert_int_equal(natsConnection_Subscribe(&m->group, c, "pol.kazei", on_message, m), NATS_OK);
    assert_int_equal(natsConnection_Flush(c), NATS_OK);
    (void)pthread_mutex_lock(&m->run->lock);
    report(m);
    (void)pthread_mutex_unlock(&m->run->lock);
}

static void disconnect_member(struct member *m)
{
    natsSubscription_Destroy(m->commands);
    natsSubscription_Destroy(m->group);
    m->commands = m->group = NULL;
    centre_leave(&m->client);
}

static void enrol(struct fleet_run *f, struct hub_store *store, unsigned i)
{
    const struct hub_actor actor = {.name = "test", .now_us = clock_wall_us()};
    struct member *m = &f->members[i];
    struct hub_terminal row = {.enrolled_us = actor.now_us, .approved_us = actor.now_us};

    m->run = f;
    fake_terminal_begin(&m->terminal, i, f->root.data, f->root.size, "kazei", actor.now_us);
    memcpy(row.id, m->terminal.id, sizeof(m->terminal.id));
    (void)snprintf(row.name, sizeof(row.name), "kazei-%02u", i);
    (void)snprintf(row.host, sizeof(row.host), "%s", row.name);
    assert_int_equal(hub_store_begin(store), 0);
    assert_int_equal(hub_terminal_add(store, &actor, &row, m->terminal.journal, m->terminal.wire, "kazei"),
                     HUB_TERMINAL_OK);
    assert_int_equal(hub_store_commit(store), 0);
}

static void enrol_all(struct fleet_run *f)
{
    struct hub_store *store = NULL;
    int fd = open(f->centre.place, O_RDONLY | O_DIRECTORY | O_CLOEXEC);

    assert_int_equal(hub_store_open(fd, clock_wall_us(), &store), 0);
    for (unsigned i = 0; i < TERMINALS; i++)
        enrol(f, store, i);
    (void)hub_store_free(store);
    (void)close(fd);
}

static int begin(void **state)
{
    static struct fleet_run f;
    char path[128];

    f = (struct fleet_run){.lock = PTHREAD_MUTEX_INITIALIZER};
    *state = &f;
    centre_begin(&f.centre);
    (void)snprintf(f.hub_log, sizeof(f.hub_log), "%s/hub.log", f.centre.directory);
    f.head = people_head(f.centre.place);
    f.root = people_root(f.head, 1);
    write_file(&f, "root.json", f.root);
    (void)snprintf(path, sizeof(path), "root add %s/root.json", f.centre.directory);
    hub(&f, path, 0);
    hub(&f, "group create kazei", 0);
    hub(&f, "group create juki", 0);
    enrol_all(&f);
    start_hub(&f);
    for (unsigned i = 0; i < TERMINALS; i++)
        connect_member(&f.members[i]);
    return 0;
}

static int end(void **state)
{
    struct fleet_run *f = *state;

    for (unsigned i = 0; i < TERMINALS; i++) {
        disconnect_member(&f->members[i]);
        fake_terminal_end(&f->members[i].terminal);
    }
    (void)kill(f->hub, SIGTERM);
    (void)waitpid(f->hub, NULL, 0);
    EVP_PKEY_free(f->head);
    free(f->root.data);
    return centre_end(&f->centre);
}

/* --- what is waited for --- */

struct expected {
    struct fleet_run *f;
    uint64_t version;
    size_t n;
};

static size_t having(struct fleet_run *f, uint64_t version)
{
    size_t n = 0;

    (void)pthread_mutex_lock(&f->lock);
    for (unsigned i = 0; i < TERMINALS; i++)
        n += fake_terminal_version(&f->members[i].terminal) == version;
    (void)pthread_mutex_unlock(&f->lock);
    return n;
}

static bool have_it(void *context)
{
    const struct expected *e = context;

    return having(e->f, e->version) >= e->n;
}

static void await_having(struct fleet_run *f, uint64_t version, size_t n)
{
    struct expected e = {f, version, n};
    char command[256];

    if (broker_await(have_it, &e, PATIENCE_S))
        return;
    (void)snprintf(command, sizeof(command), "cat %s", f->hub_log);
    (void)system(command);
    (void)json_dumpf(answer(f, "rollout status --group kazei"), stderr, JSON_INDENT(1));
    fail_msg("version %llu: %zu of %zu", (unsigned long long)version, having(f, version), n);
}

static bool shows_applied(void *context)
{
    const struct expected *e = context;
    json_t *j = answer(e->f, "rollout status --group kazei");
    const json_t *o = json_array_get(j, 0);
    const bool is =
        json_integer_value(json_object_get(o, "applied")) == (json_int_t)e->n &&
        json_integer_value(json_object_get(json_object_get(o, "policy"), "version")) == (json_int_t)e->version;

    json_decref(j);
    return is;
}

static bool is_halted(void *f)
{
    return is_state(f, "halted");
}

static bool is_published(void *f)
{
    return is_state(f, "published");
}

static int by_time(const void *a, const void *b)
{
    const int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

    return x < y ? -1 : x > y;
}

/* When 99 % had it, from then on. */
static void print_applied(struct fleet_run *f, const char *what, int64_t from_us)
{
    int64_t times[TERMINALS];

    for (unsigned i = 0; i < TERMINALS; i++)
        times[i] = f->members[i].applied_us;
    qsort(times, TERMINALS, sizeof(times[0]), by_time);
    printf("  %s: 99 %% of %d terminals have applied it after %lld ms\n", what, TERMINALS,
           (long long)((times[(TERMINALS * 99 + 99) / 100 - 1] - from_us) / 1000));
}

/* --- the tests, in order: each begins where the last one ended --- */

/* An emergency has no steps; what `rollout status` shows is what terminals have reported. */
static void test_emergency(void **state)
{
    struct fleet_run *f = *state;
    struct expected e = {f, 1, TERMINALS};
    int64_t from;

    add_policy(f, 1);
    from = clock_wall_us();
    hub(f, "emergency --policy 1", 0);
    await_having(f, 1, TERMINALS);
    print_applied(f, "emergency, from the administrator's command", from);
    assert_true(broker_await(shows_applied, &e, PATIENCE_S));
}

static void test_all_good(void **state)
{
    struct fleet_run *f = *state;
    struct expected e = {f, 2, TERMINALS};
    unsigned bundles = 0;

    add_policy(f, 2);
    for (unsigned i = 0; i < TERMINALS; i++)
        bundles += f->members[i].bundles;
    rollout(f, "--policy 2 --canary 2 --percent 50 --wait 2s --halt-silent 100");
    await_having(f, 2, 2);
    assert_int_equal(having(f, 1), TERMINALS - 2);
    await_having(f, 2, TERMINALS / 2);
    assert_int_equal(having(f, 1), TERMINALS / 2);
    await_having(f, 2, TERMINALS);
    assert_true(broker_await(is_published, f, PATIENCE_S));
    assert_true(broker_await(shows_applied, &e, PATIENCE_S));
    for (unsigned i = 0; i < TERMINALS; i++)
        bundles -= f->members[i].bundles;
    assert_int_equal(-bundles, TERMINALS + TERMINALS / 2); /* the group's for all, and one more for those before */
}

/* The canary refuses: nobody else ever hears of it. */
static void test_canary_fails(void **state)
{
    struct fleet_run *f = *state;
    unsigned before[TERMINALS], heard = 0;
    json_t *j;

    add_policy(f, 3);
    (void)pthread_mutex_lock(&f->lock);
    for (unsigned i = 0; i < TERMINALS; i++) {
        f->members[i].terminal.broken = true;
        before[i] = f->members[i].bundles;
    }
    (void)pthread_mutex_unlock(&f->lock);
    rollout(f, "--policy 3 --canary 1 --percent 50 --wait 1s --halt-silent 100");
    assert_true(broker_await(is_halted, f, PATIENCE_S));
    (void)broker_await(is_published, f, 4); /* four of its waits: it stays halted */
    assert_true(is_state(f, "halted"));
    for (unsigned i = 0; i < TERMINALS; i++)
        heard += f->members[i].bundles != before[i];
    assert_int_equal(heard, 1);
    assert_int_equal(having(f, 2), TERMINALS);
    j = answer(f, "rollout status --group kazei");
    assert_string_equal(json_string_value(json_object_get(json_array_get(j, 0), "reason")), "failed");
    assert_int_equal(json_array_size(json_object_get(json_array_get(j, 0), "failures")), 1);
    json_decref(j);
    hub(f, "alarms", 1);
    printf("  the canary failed: halted, 1 of %d had heard of it\n", TERMINALS);
}

/* Mended and resumed; and the hub is killed while the canaries are watched. */
static void test_killed(void **state)
{
    struct fleet_run *f = *state;

    (void)pthread_mutex_lock(&f->lock);
    for (unsigned i = 0; i < TERMINALS; i++)
        f->members[i].terminal.broken = false;
    (void)pthread_mutex_unlock(&f->lock);
    hub(f, "rollout resume --group kazei", 0);
    await_having(f, 3, 1);
    (void)kill(f->hub, SIGKILL);
    (void)waitpid(f->hub, NULL, 0);
    start_hub(f);
    await_having(f, 3, TERMINALS);
    assert_true(broker_await(is_published, f, PATIENCE_S));
}

/* Off while the next one comes, and back: it has it by asking once. */
static void test_comes_back(void **state)
{
    struct fleet_run *f = *state;
    struct member *m = &f->members[5];

    disconnect_member(m);
    add_policy(f, 4);
    rollout(f, "--policy 4 --canary 2 --wait 1s --halt-silent 100"); /* it may be one of them: the other is not off */
    await_having(f, 4, TERMINALS - 1);
    assert_int_equal(fake_terminal_version(&m->terminal), 3);
    connect_member(m);
    ask_for_last(m);
    assert_int_equal(fake_terminal_version(&m->terminal), 4);
}

/* To another group, whose policy came before: by its own subject alone, since its connection may not hear the group's yet. */
static void test_moves(void **state)
{
    struct fleet_run *f = *state;
    struct member *m = &f->members[7];
    char arguments[128];
    struct expected e = {f, 5, 1};

    add_policy(f, 5);
    hub(f, "rollout start --group juki --policy 5", 0);
    (void)snprintf(arguments, sizeof(arguments), "terminals move %s --group juki", m->terminal.id);
    hub(f, arguments, 0);
    assert_true(broker_await(have_it, &e, PATIENCE_S));
    (void)pthread_mutex_lock(&f->lock);
    assert_int_equal(fake_terminal_version(&m->terminal), 5);
    assert_string_equal(m->terminal.groups[0], "juki");
    (void)pthread_mutex_unlock(&f->lock);
    assert_int_equal(having(f, 4), TERMINALS - 1);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_emergency), cmocka_unit_test(test_all_good),   cmocka_unit_test(test_canary_fails),
        cmocka_unit_test(test_killed),    cmocka_unit_test(test_comes_back), cmocka_unit_test(test_moves),
    };

    if (system("nats-server --version > /dev/null 2>&1") != 0) {
        puts("SKIP: nats-server is not installed");
        return TEST_EXIT_SKIP;
    }
    return cmocka_run_group_tests(tests, begin, end);
}
