/*
 * How many events a second terminals bring into the centre's database: kuraban-hub and nats-server as they are shipped, terminals in this
 * process, each with its own connection over TLS, its own key and its own journal, made before. An event counts when the centre has signed that it
 * is stored. Then the same bytes into the same stream with nobody behind it: what the broker alone does.
 * Usage: fleet [TERMINALS [EVENTS-OF-EACH [LINES-OF-A-BATCH]]]. KURABAN_BUILD: where bin/kuraban-hub is.
 */
#include "component/centre_fixture.h"

#include <inttypes.h>
#include <pthread.h>
#include <sys/epoll.h>
#include <sys/stat.h>

#include "base/clock.h"
#include "fake/chain.h"
#include "hub/centre/centre.h"
#include "hub/store/groups.h"
#include "hub/store/terminals.h"
#include "policy/fleet/statement.h"

enum {
    WINDOW = 4, /* batches of one terminal that the broker has not answered yet */
    EVENTS_MAX = 256,
    WAIT_MS = 20,
};

struct sim {
    struct chain chain;
    struct wire_key *key;
    char *jwt;
    natsOptions *options;
    natsConnection *connection;
    natsSubscription *inbox, *acks;
    int fd;
    bool reads, writes, ended;
    uint64_t next, answered,
        acknowledged; /* lines: the next to send, up to where the broker has them, the centre has them */
    unsigned out;     /* batches without an answer */
};

static struct {
    struct centre_run centre;
    struct sim *sims;
    unsigned n, lines, batch;
    int epoll;
    pid_t hub;
    char log[128];
    bool with_hub;
    pthread_mutex_t lock; /* of what each connection waits for: libnats' timers ping */
} b = {.lock = PTHREAD_MUTEX_INITIALIZER};

/* --- connections in one loop --- */

static natsStatus watch(struct sim *s)
{
    struct epoll_event e = {.events = (s->reads ? EPOLLIN : 0U) | (s->writes ? EPOLLOUT : 0U), .data.ptr = s};

    return epoll_ctl(b.epoll, EPOLL_CTL_MOD, s->fd, &e) == 0 ? NATS_OK : NATS_ERR;
}

static natsStatus on_attach(void **user, void *loop, natsConnection *connection, natsSock fd)
{
    struct sim *s = loop;
    struct epoll_event e = {.events = EPOLLIN, .data.ptr = s};

    s->connection = connection;
    s->fd = fd;
    s->reads = true;
    *user = s;
    return epoll_ctl(b.epoll, EPOLL_CTL_ADD, fd, &e) == 0 ? NATS_OK : NATS_ERR;
}

static natsStatus on_read(void *user, bool add)
{
    struct sim *s = user;
    natsStatus r;

    (void)pthread_mutex_lock(&b.lock);
    s->reads = add;
    r = watch(s);
    (void)pthread_mutex_unlock(&b.lock);
    return r;
}

static natsStatus on_write(void *user, bool add)
{
    struct sim *s = user;
    natsStatus r;

    (void)pthread_mutex_lock(&b.lock);
    s->writes = add;
    r = watch(s);
    (void)pthread_mutex_unlock(&b.lock);
    return r;
}

static natsStatus on_detach(void *user)
{
    struct sim *s = user;

    s->ended = true;
    return NATS_OK;
}

static natsStatus give_jwt(char **ret, char **error, void *closure)
{
    struct sim *s = closure;

    *error = NULL;
    *ret = strdup(s->jwt);
    return *ret ? NATS_OK : NATS_NO_MEMORY;
}

static natsStatus give_signature(char **error, unsigned char **ret, int *ret_size, const char *nonce, void *closure)
{
    struct sim *s = closure;

    *error = NULL;
    *ret = malloc(WIRE_SIGNATURE_SIZE);
    *ret_size = WIRE_SIGNATURE_SIZE;
    return *ret && wire_key_sign(s->key, nonce, strlen(nonce), *ret) == 0 ? NATS_OK : NATS_ERR;
}

static void connect_sim(struct sim *s)
{
    static const char *const groups[] = {"kazei", NULL};
    char url[64], subject[FLEET_SUBJECT_SIZE];
    natsConnection *connection = NULL;

    (void)snprintf(url, sizeof(url), "tls://localhost:%u", b.centre.port);
    assert_int_equal(broker_terminal_jwt(&b.centre.signers, s->chain.terminal, wire_key_public(s->key), groups,
                                         centre_now(), 0, &s->jwt),
                     0);
    assert_int_equal(natsOptions_Create(&s->options), NATS_OK);
    assert_int_equal(natsOptions_SetURL(s->options, url), NATS_OK);
    assert_int_equal(natsOptions_SetSecure(s->options, true), NATS_OK);
    assert_int_equal(natsOptions_LoadCATrustedCertificates(s->options, b.centre.ca), NATS_OK);
    assert_int_equal(natsOptions_SetUserCredentialsCallbacks(s->options, give_jwt, s, give_signature, s), NATS_OK);
    assert_int_equal(natsOptions_SetTimeout(s->options, 30000), NATS_OK);
    assert_int_equal(natsOptions_SetEventLoop(s->options, s, on_attach, on_read, on_write, on_detach), NATS_OK);
    assert_int_equal(natsConnection_Connect(&connection, s->options), NATS_OK);
    (void)snprintf(subject, sizeof(subject), "_INBOX.%s.>", s->chain.terminal);
    assert_int_equal(natsConnection_SubscribeSync(&s->inbox, connection, subject), NATS_OK);
    assert_int_equal(fleet_subject_terminal(FLEET_SUBJECT_ACKS, s->chain.terminal, subject), 0);
    assert_int_equal(natsConnection_SubscribeSync(&s->acks, connection, subject), NATS_OK);
}

/* --- what a terminal does --- */

static void send_batch(struct sim *s)
{
    uint64_t last = s->next + b.batch - 1 < b.lines ? s->next + b.batch - 1 : b.lines;
    char subject[FLEET_SUBJECT_SIZE], id[FLEET_MESSAGE_SIZE], inbox[64];
    natsMsg *m = NULL;
    size_t size = 0;
    const char *lines = chain_lines(&s->chain, s->next, last, &size);

    assert_int_equal(fleet_subject_events(s->chain.terminal, s->next, subject), 0);
    assert_int_equal(fleet_message_id(s->chain.terminal, s->next, last, id), 0);
    (void)snprintf(inbox, sizeof(inbox), "_INBOX.%s.%" PRIu64, s->chain.terminal, last);
    assert_int_equal(natsMsg_Create(&m, subject, inbox, lines, (int)size), NATS_OK);
    if (b.with_hub)
        assert_int_equal(natsMsgHeader_Set(m, "Nats-Msg-Id", id), NATS_OK);
    assert_int_equal(natsConnection_PublishMsg(s->connection, m), NATS_OK);
    natsMsg_Destroy(m);
    s->next = last + 1;
    s->out++;
}

static void hear_answers(struct sim *s)
{
    natsMsg *m = NULL;

    while (natsSubscription_NextMsg(&m, s->inbox, 0) == NATS_OK) {
        uint64_t last = strtoull(strrchr(natsMsg_GetSubject(m), '.') + 1, NULL, 10);

        if (!strstr(natsMsg_GetData(m), "\"seq\"")) {
            (void)fprintf(stderr, "fleet: the broker refuses: %s\n", natsMsg_GetData(m));
            exit(1);
        }
        s->answered = last > s->answered ? last : s->answered;
        s->out--;
        natsMsg_Destroy(m);
    }
}

static void hear_acks(struct sim *s)
{
    natsMsg *m = NULL;

    while (natsSubscription_NextMsg(&m, s->acks, 0) == NATS_OK) {
        struct trust_envelope *e = NULL;
        struct fleet_statement *ack = NULL;

        assert_int_equal(
            trust_envelope_parse((const uint8_t *)natsMsg_GetData(m), (size_t)natsMsg_GetDataLength(m), &e, NULL),
            TRUST_OK);
        assert_int_equal(fleet_statement_parse(FLEET_ACK, e->payload, e->size, &ack, NULL), TRUST_OK);
        s->acknowledged = ack->ack.sequence;
        fleet_statement_free(ack);
        trust_envelope_free(e);
        natsMsg_Destroy(m);
    }
}

static bool is_done(const struct sim *s)
{
    return (b.with_hub ? s->acknowledged : s->answered) >= b.lines;
}

static void work(struct sim *s)
{
    hear_answers(s);
    hear_acks(s);
    while (s->out < WINDOW && s->next <= b.lines)
        send_batch(s);
}

static unsigned count_done(void)
{
    unsigned done = 0;

    for (unsigned i = 0; i < b.n; i++)
        done += is_done(&b.sims[i]);
    return done;
}

/* Until all have done; seconds. */
static double run(bool with_hub)
{
    struct epoll_event events[EVENTS_MAX];
    uint64_t begin = clock_boottime_us();

    b.with_hub = with_hub;
    for (unsigned i = 0; i < b.n; i++) {
        b.sims[i].next = 1;
        b.sims[i].answered = b.sims[i].acknowledged = 0;
        work(&b.sims[i]);
    }
    while (count_done() < b.n) {
        int n = epoll_wait(b.epoll, events, EVENTS_MAX, WAIT_MS);

        for (int i = 0; i < n; i++) {
            struct sim *s = events[i].data.ptr;

            if (events[i].events & EPOLLOUT)
                natsConnection_ProcessWriteEvent(s->connection);
            if (events[i].events & ~(uint32_t)EPOLLOUT)
                natsConnection_ProcessReadEvent(s->connection);
            if (s->ended) {
                (void)fprintf(stderr, "fleet: a connection has ended\n");
                exit(1);
            }
            work(s);
        }
    }
    return (double)(clock_boottime_us() - begin) / 1e6;
}

/* --- the centre --- */

static void start_hub(void)
{
    static const char *const serve[] = {"serve", NULL};

    b.hub = centre_run_hub(&b.centre, b.log, serve);
}

static bool hub_is_up(void *context)
{
    char command[256];

    (void)context;
    (void)snprintf(command, sizeof(command), "grep -q wire.up %s", b.log);
    return system(command) == 0;
}

static void stop_hub(void)
{
    (void)kill(b.hub, SIGTERM);
    (void)waitpid(b.hub, NULL, 0);
}

static bool stream_is_there(void *connection)
{
    natsMsg *m = NULL;
    bool there = natsConnection_RequestString(&m, connection, "$JS.API.STREAM.INFO.EVT", "", 1000) == NATS_OK &&
                 !strstr(natsMsg_GetData(m), "\"error\"");

    natsMsg_Destroy(m);
    return there;
}

static void purge(void)
{
    struct centre_client hub = centre_connect(&b.centre, "localhost", b.centre.ca, NULL);
    natsMsg *m = NULL;

    assert_true(broker_await(broker_is_up, hub.link, 30));
    assert_true(broker_await(stream_is_there, link_connection(hub.link), 30));
    assert_int_equal(natsConnection_RequestString(&m, link_connection(hub.link), "$JS.API.STREAM.PURGE.EVT", "", 30000),
                     NATS_OK);
    natsMsg_Destroy(m);
    centre_leave(&hub);
}

static void enrol_all(void)
{
    const struct hub_actor actor = {.name = "local:bench", .now_us = clock_wall_us()};
    struct centre centre;

    assert_int_equal(centre_open(b.centre.place, actor.now_us, &centre), CENTRE_OK);
    assert_int_equal(hub_group_create(centre.store, &actor, "kazei"), HUB_GROUP_OK);
    assert_int_equal(hub_store_begin(centre.store), 0);
    for (unsigned i = 0; i < b.n; i++) {
        struct hub_terminal t = {.enrolled_us = 1, .approved_us = 1};

        (void)snprintf(t.id, sizeof(t.id), "%s", b.sims[i].chain.terminal);
        (void)snprintf(t.name, sizeof(t.name), "bench-%u", i);
        assert_int_equal(wire_key_new(NKEY_USER, &b.sims[i].key), 0);
        assert_int_equal(
            hub_terminal_add(centre.store, &actor, &t, b.sims[i].chain.public, wire_key_public(b.sims[i].key), "kazei"),
            HUB_TERMINAL_OK);
    }
    assert_int_equal(hub_store_commit(centre.store), 0);
    centre_close(&centre);
}

/* --- what it took --- */

static double cpu_seconds(pid_t pid)
{
    unsigned long user = 0, kernel = 0;
    char path[64];
    FILE *f;

    (void)snprintf(path, sizeof(path), "/proc/%d/stat", pid);
    f = fopen(path, "re");
    if (!f || fscanf(f, "%*d (%*[^)]) %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &kernel) != 2)
        user = kernel = 0;
    if (f)
        (void)fclose(f);
    return (double)(user + kernel) / (double)sysconf(_SC_CLK_TCK);
}

static unsigned long peak_mib(pid_t pid)
{
    unsigned long kib = 0;
    char path[64], line[256];
    FILE *f;

    (void)snprintf(path, sizeof(path), "/proc/%d/status", pid);
    f = fopen(path, "re");
    while (f && fgets(line, sizeof(line), f))
        (void)sscanf(line, "VmHWM: %lu", &kib);
    if (f)
        (void)fclose(f);
    return kib / 1024;
}

static void report(const char *what, double seconds, const double before[3])
{
    const pid_t pids[] = {b.hub, b.centre.broker, getpid()};
    static const char *const names[] = {"kuraban-hub", "nats-server", "terminals"};
    double events = (double)b.n * b.lines;

    printf("%-28s %9.0f events/s  %7.2f s\n", what, events / seconds, seconds);
    for (int i = b.with_hub ? 0 : 1; i < 3; i++)
        printf("  %-12s %6.2f s processor, %4.0f us/event, %lu MiB\n", names[i], cpu_seconds(pids[i]) - before[i],
               (cpu_seconds(pids[i]) - before[i]) / events * 1e6, peak_mib(pids[i]));
}

static void measure(const char *what, bool with_hub, double *ret_seconds)
{
    double before[3] = {with_hub ? cpu_seconds(b.hub) : 0, cpu_seconds(b.centre.broker), cpu_seconds(getpid())};

    *ret_seconds = run(with_hub);
    report(what, *ret_seconds, before);
}

static void make_journals(void)
{
    uint64_t bytes = 0;

    b.sims = calloc(b.n, sizeof(*b.sims));
    assert_non_null(b.sims);
    for (unsigned i = 0; i < b.n; i++) {
        struct chain *c = &b.sims[i].chain;

        chain_init(c);
        while (c->seq < b.lines)
            if (c->seq % 1024 == 1023 || c->seq == b.lines - 1)
                chain_checkpoint(c, NULL);
            else
                chain_fill(c, 1);
        bytes += c->lines.size;
    }
    printf("%u terminals, %u events each, %" PRIu64 " bytes an event, batches of %u\n", b.n, b.lines,
           bytes / ((uint64_t)b.n * b.lines), b.batch);
}

/* As a test of cmocka's: what fails says where. */
static void measure_both(void **state)
{
    double bare = 0, whole = 0;
    char path[128];
    struct stat st;

    (void)state;
    make_journals();
    centre_begin(&b.centre);
    (void)snprintf(b.log, sizeof(b.log), "%s/serve", b.centre.directory);
    enrol_all();
    start_hub();
    purge(); /* the streams are there */
    stop_hub();
    (void)unlink(b.log);
    for (unsigned i = 0; i < b.n; i++)
        connect_sim(&b.sims[i]);
    measure("into the stream alone", false, &bare);
    purge();
    start_hub();
    assert_true(broker_await(hub_is_up, NULL, 30));
    measure("into the database, signed", true, &whole);
    printf("of what the broker alone takes: %.2f\n", bare / whole);
    stop_hub(); /* whoever closes it last takes the log into the file */
    (void)snprintf(path, sizeof(path), "%s/hub.db", b.centre.place);
    if (stat(path, &st) == 0)
        printf("hub.db: %.0f bytes an event\n", (double)st.st_size / ((double)b.n * b.lines));
}

static int end(void **state)
{
    (void)state;
    return b.centre.broker > 0 ? centre_end(&b.centre) : 0;
}

int main(int argc, char **argv)
{
    const struct CMUnitTest all[] = {cmocka_unit_test_teardown(measure_both, end)};

    b.n = argc > 1 ? (unsigned)atoi(argv[1]) : 100;
    b.lines = argc > 2 ? (unsigned)atoi(argv[2]) : 2000;
    b.batch = argc > 3 ? (unsigned)atoi(argv[3]) : 100;
    if (b.n == 0 || b.lines == 0 || b.lines > CHAIN_LINES_MAX || b.batch == 0 || !getenv("KURABAN_BUILD")) {
        (void)fprintf(stderr, "usage: KURABAN_BUILD=DIR fleet [TERMINALS [EVENTS-OF-EACH [LINES-OF-A-BATCH]]]\n");
        return 2;
    }
    b.epoll = epoll_create1(EPOLL_CLOEXEC);
    return cmocka_run_group_tests(all, NULL, NULL);
}
