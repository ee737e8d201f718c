/*
 * The record's way, whole: a journal that the real writer wrote, sent by a terminal to a real nats-server over TLS, taken by `kuraban-hub serve`
 * and acknowledged with the centre's signature. Hub and broker are killed meanwhile: every line is there once, byte for byte.
 * Runs beside others.
 */
#include "component/centre_fixture.h"

#include <inttypes.h>

#include "audit/lines.h"
#include "audit/segment.h"
#include "base/clock.h"
#include "hub/centre/centre.h"
#include "hub/ingest/ingest.h"
#include "hub/store/alarms.h"
#include "hub/store/events.h"
#include "hub/store/groups.h"
#include "hub/store/terminals.h"
#include "policy/fleet/statement.h"
#include "unit/audit/journal_fixture.h"

enum {
    LINES_MAX = 20000,
    BATCH = 40, /* lines */
};

static struct {
    struct centre_run centre;
    char log[128];
    pid_t hub;
    struct fixture *journal;
    char id[FLEET_ID_SIZE];
    struct centre_client terminal;
    natsSubscription *answers, *acks;
    struct trust_root *root;
    struct buf lines; /* of the journal, as they stand on disk */
    size_t ends[LINES_MAX + 1];
    uint64_t last, acknowledged;
    struct digest hash; /* as acknowledged */
} t;

/* --- the terminal --- */

static void read_journal(void)
{
    struct segment_list list;
    const char *line;
    size_t size;

    buf_clear(&t.lines);
    t.last = 0;
    assert_int_equal(segment_list_read(t.journal->dir, &list), 0);
    for (size_t i = 0; i < list.n; i++) {
        int fd = segment_open(t.journal->dir, list.items[i].first);
        struct line_reader r;

        assert_int_equal(line_reader_init(&r, fd), 0);
        while (line_reader_next(&r, &line, &size) == LINE_WHOLE) {
            assert_int_equal(buf_add(&t.lines, line, size), 0);
            assert_int_equal(buf_add(&t.lines, "\n", 1), 0);
            assert_true(t.last < LINES_MAX);
            t.ends[++t.last] = t.lines.size;
        }
        line_reader_done(&r);
        close_fd(fd);
    }
    segment_list_done(&list);
}

static void write_journal(unsigned events)
{
    fixture_add(t.journal, events);
    read_journal();
}

/* Once it is answered, the broker has it. */
static bool publish(uint64_t first, uint64_t last)
{
    natsMsg *m = NULL, *answer = NULL;
    char subject[FLEET_SUBJECT_SIZE], id[FLEET_MESSAGE_SIZE], inbox[64];
    bool stored = false;

    assert_int_equal(fleet_subject_events(t.id, first, subject), 0);
    assert_int_equal(fleet_message_id(t.id, first, last, id), 0);
    (void)snprintf(inbox, sizeof(inbox), "_INBOX.%s.%" PRIu64, t.id, first);
    assert_int_equal(natsMsg_Create(&m, subject, inbox, (const char *)t.lines.data + t.ends[first - 1],
                                    (int)(t.ends[last] - t.ends[first - 1])),
                     NATS_OK);
    assert_int_equal(natsMsgHeader_Set(m, "Nats-Msg-Id", id), NATS_OK);
    (void)natsConnection_PublishMsg(link_connection(t.terminal.link), m);
    while (!stored && natsSubscription_NextMsg(&answer, t.answers, 3000) == NATS_OK) {
        stored = strcmp(natsMsg_GetSubject(answer), inbox) == 0 && strstr(natsMsg_GetData(answer), "\"seq\"");
        natsMsg_Destroy(answer);
    }
    natsMsg_Destroy(m);
    return stored;
}

static bool publish_next(void *context)
{
    const uint64_t *first = context;

    return publish(*first, *first + BATCH - 1 < t.last ? *first + BATCH - 1 : t.last);
}

/* Each until the broker has it: before the hub has made the stream, there is nobody to answer. */
static void send_from(uint64_t first)
{
    for (uint64_t at = first; at <= t.last; at += BATCH)
        assert_true(broker_await(publish_next, &at, 60));
}

/* Takes what is acknowledged meanwhile: signed by the centre's key, and never less than before. */
static bool is_acknowledged(void *context)
{
    natsMsg *m = NULL;

    (void)context;
    while (natsSubscription_NextMsg(&m, t.acks, 1) == NATS_OK) {
        struct fleet_statement *s = NULL;

        assert_int_equal(fleet_open_from_centre((const uint8_t *)natsMsg_GetData(m), (size_t)natsMsg_GetDataLength(m),
                                                FLEET_KIND(FLEET_ACK), t.root, clock_wall_us(), &s, NULL),
                         TRUST_OK);
        assert_string_equal(s->ack.terminal, t.id);
        assert_true(s->ack.sequence >= t.acknowledged);
        t.acknowledged = s->ack.sequence;
        t.hash = s->ack.hash;
        fleet_statement_free(s);
        natsMsg_Destroy(m);
    }
    return t.acknowledged == t.last;
}

static void await_acknowledged(void)
{
    struct digest d;

    if (!broker_await(is_acknowledged, NULL, 60)) {
        char command[512];

        (void)snprintf(command, sizeof(command), "tail -n 40 %s", t.log);
        (void)system(command);
        fail_msg("acknowledged up to %" PRIu64 " of %" PRIu64, t.acknowledged, t.last);
    }
    assert_int_equal(digest_bytes(t.lines.data + t.ends[t.last - 1], t.ends[t.last] - t.ends[t.last - 1] - 1, &d), 0);
    assert_true(digest_equal(&d, &t.hash));
}

/* --- the centre --- */

static void start_hub(void)
{
    static const char *const serve[] = {"serve", NULL};

    t.hub = centre_run_hub(&t.centre, t.log, serve);
}

static void kill_hub(int sig)
{
    int status = 0;

    assert_true(t.hub > 0); /* 0 and -1 are more than one process */
    assert_int_equal(kill(t.hub, sig), 0);
    assert_int_equal(waitpid(t.hub, &status, 0), t.hub);
    if (sig == SIGTERM)
        assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

static int collect(void *context, const struct hub_batch *b)
{
    return buf_add(context, b->lines, b->size);
}

static int see_alarm(void *context, const struct hub_alarm *a)
{
    (void)context;
    fail_msg("alarm %s %s", a->kind, a->details);
    return 0;
}

static void assert_stored(void)
{
    const struct hub_event_query query = {.terminal = t.id};
    struct pack *p = pack_new();
    struct centre centre;
    struct buf all;

    buf_init(&all, 64 * 1024 * 1024);
    assert_int_equal(centre_open(t.centre.place, clock_wall_us(), &centre), CENTRE_OK);
    assert_int_equal(hub_batch_each(centre.store, p, &query, collect, &all), 0);
    assert_int_equal(all.size, t.lines.size);
    assert_memory_equal(all.data, t.lines.data, all.size);
    assert_int_equal(hub_alarm_each(centre.store, true, see_alarm, NULL), 0);
    centre_close(&centre);
    buf_done(&all);
    p = pack_free(p);
}

static void enrol(const uint8_t public[static TRUST_PUBLIC_SIZE])
{
    const struct hub_actor actor = {.name = "local:test", .now_us = clock_wall_us()};
    struct hub_terminal terminal = {.name = "kazei-07", .enrolled_us = 1, .approved_us = 1};
    struct centre centre;

    (void)snprintf(terminal.id, sizeof(terminal.id), "%s", t.id);
    assert_int_equal(centre_open(t.centre.place, actor.now_us, &centre), CENTRE_OK);
    assert_int_equal(hub_group_create(centre.store, &actor, "kazei"), HUB_GROUP_OK);
    assert_int_equal(hub_store_begin(centre.store), 0);
    assert_int_equal(hub_terminal_add(centre.store, &actor, &terminal, public, "U", "kazei"), HUB_TERMINAL_OK);
    assert_int_equal(hub_store_commit(centre.store), 0);
    centre_close(&centre);
}

/* As people would write it: this key has the role `head`. */
static void make_root(void)
{
    uint8_t *text = NULL, public[TRUST_PUBLIC_SIZE];
    size_t size = 0, index = 0;
    const char *pem;
    char path[128];

    (void)snprintf(path, sizeof(path), "%s/head.pub", t.centre.place);
    assert_int_equal(files_read_at(AT_FDCWD, path, TRUST_KEY_PEM_MAX, &text, &size), 0);
    pem = strstr((const char *)text, "-----BEGIN");
    assert_non_null(pem);
    assert_int_equal(trust_key_read_public((const uint8_t *)pem, strlen(pem), public), TRUST_KEY_OK);
    assert_int_equal(trust_root_new("matsudo.example", 1, clock_wall_us() + INT64_C(3600000000), &t.root), TRUST_OK);
    assert_int_equal(trust_root_add_key(t.root, "hub", public, &index), 0);
    assert_int_equal(trust_root_add_role(t.root, TRUST_ROLE_HEAD, index), 0);
    t.root->roles[TRUST_ROLE_HEAD].threshold = 1;
    free(text);
}

static int begin(void **state)
{
    uint8_t *pem = NULL, public[TRUST_PUBLIC_SIZE];
    char inbox[64], acks[FLEET_SUBJECT_SIZE];
    void *journal = NULL;
    size_t size = 0;

    (void)state;
    centre_begin(&t.centre);
    (void)snprintf(t.log, sizeof(t.log), "%s/serve", t.centre.directory);
    buf_init(&t.lines, 64 * 1024 * 1024);
    assert_int_equal(fixture_setup(&journal), 0);
    t.journal = journal;
    fixture_open(t.journal);
    assert_int_equal(files_read_at(t.journal->state, "key/" JOURNAL_KEY_PUBLIC, 4096, &pem, &size), 0);
    assert_int_equal(trust_key_read_public(pem, size, public), TRUST_KEY_OK);
    free(pem);
    assert_int_equal(fleet_terminal_id(public, t.id), 0);
    enrol(public);
    make_root();
    t.terminal = centre_connect(&t.centre, "localhost", t.centre.ca, t.id);
    assert_true(broker_await(broker_is_up, t.terminal.link, 30));
    (void)snprintf(inbox, sizeof(inbox), "_INBOX.%s.>", t.id);
    assert_int_equal(natsConnection_SubscribeSync(&t.answers, link_connection(t.terminal.link), inbox), NATS_OK);
    assert_int_equal(fleet_subject_terminal(FLEET_SUBJECT_ACKS, t.id, acks), 0);
    assert_int_equal(natsConnection_SubscribeSync(&t.acks, link_connection(t.terminal.link), acks), NATS_OK);
    start_hub();
    return 0;
}

static int end(void **state)
{
    void *journal = t.journal;

    (void)state;
    kill_hub(SIGTERM);
    natsSubscription_Destroy(t.answers);
    natsSubscription_Destroy(t.acks);
    centre_leave(&t.terminal);
    trust_root_free(t.root);
    buf_done(&t.lines);
    assert_int_equal(fixture_teardown(&journal), 0);
    return centre_end(&t.centre);
}

/* --- tests --- */

static void test_stored_and_acknowledged(void **state)
{
    (void)state;
    write_journal(1500);
    send_from(1);
    await_acknowledged();
    assert_stored();
}

/* Sent again from the beginning, in the same pieces and in others. */
static void test_sent_again(void **state)
{
    (void)state;
    send_from(1);
    send_from(18);
    write_journal(10);
    send_from(t.acknowledged + 1);
    await_acknowledged();
    assert_stored();
}

/* Killed again and again while it works. */
static void test_hub_killed(void **state)
{
    (void)state;
    for (int i = 0; i < 8; i++) {
        uint64_t from = t.last + 1;

        write_journal(400);
        send_from(from);
        (void)is_acknowledged(NULL);
        kill_hub(SIGKILL);
        start_hub();
    }
    await_acknowledged();
    assert_stored();
}

/* In the child: takes what is in the stream, commits it, and is killed before anybody is told. */
static int commit_and_die(void)
{
    struct ingest_settings s = {.organization = "matsudo.example"};
    struct centre_client hub = centre_connect(&t.centre, "localhost", t.centre.ca, NULL);
    natsSubscription *pull = NULL;
    natsMsgList list = {0};
    struct ingest *ingest = NULL;
    struct centre centre;
    jsSubOptions o;
    jsCtx *js = NULL;

    (void)jsSubOptions_Init(&o);
    o.Stream = "EVT";
    o.Consumer = "hub";
    if (!broker_await(broker_is_up, hub.link, 30) || natsConnection_JetStream(&js, link_connection(hub.link), NULL) ||
        js_PullSubscribe(&pull, js, "evt.*.*", "hub", NULL, &o, NULL) ||
        natsSubscription_Fetch(&list, pull, 5, 5000, NULL) || list.Count == 0 ||
        centre_open(t.centre.place, clock_wall_us(), &centre) != CENTRE_OK)
        return 1;
    s.store = centre.store;
    if (ingest_new(&s, &ingest) < 0 || ingest_begin(ingest, clock_wall_us()) < 0)
        return 2;
    for (int i = 0; i < list.Count; i++)
        if (ingest_take(ingest, natsMsg_GetSubject(list.Msgs[i]), natsMsg_GetData(list.Msgs[i]),
                        (size_t)natsMsg_GetDataLength(list.Msgs[i])) != INGEST_STORED)
            return 3;
    if (ingest_commit(ingest) < 0)
        return 4;
    return kill(getpid(), SIGKILL);
}

/* libnats' threads do not come along with a fork(): the child is this program anew. */
static void run_child(void)
{
    int status = 0;
    pid_t pid = fork();

    if (pid == 0) {
        (void)setenv("HUB_INGEST_CHILD", t.centre.directory, 1);
        (void)execl("/proc/self/exe", "hub_ingest_test", (char *)NULL);
        _exit(127);
    }
    assert_int_equal(waitpid(pid, &status, 0), pid);
    if (!WIFSIGNALED(status))
        fail_msg("the child ended with %d", WEXITSTATUS(status));
    assert_int_equal(WTERMSIG(status), SIGKILL);
}

static int child(const char *directory)
{
    char keys[128];
    FILE *f;
    int fd;

    (void)snprintf(t.centre.place, sizeof(t.centre.place), "%s/centre", directory);
    (void)snprintf(t.centre.ca, sizeof(t.centre.ca), "%s/tls/ca.pem", t.centre.place);
    (void)snprintf(keys, sizeof(keys), "%s/keys", t.centre.place);
    fd = open(keys, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    if (fd < 0 || hub_keys_read(fd, &t.centre.keys) < 0)
        return 10;
    t.centre.signers = (struct broker_keys){t.centre.keys.operator, t.centre.keys.account, t.centre.keys.system,
                                            t.centre.keys.terminals};
    (void)snprintf(keys, sizeof(keys), "%s/port", directory);
    f = fopen(keys, "re");
    if (!f || fscanf(f, "%hu", &t.centre.port) != 1)
        return 11;
    (void)fclose(f);
    return commit_and_die();
}

static void test_killed_between_commit_and_acknowledgement(void **state)
{
    uint64_t from = t.last + 1, before;
    char path[128];
    FILE *f;

    (void)state;
    kill_hub(SIGTERM);
    (void)snprintf(path, sizeof(path), "%s/port", t.centre.directory);
    f = fopen(path, "we");
    assert_non_null(f);
    assert_true(fprintf(f, "%hu", t.centre.port) > 0);
    assert_int_equal(fclose(f), 0);
    write_journal(200);
    send_from(from);
    run_child();
    (void)is_acknowledged(NULL);
    before = t.acknowledged;
    assert_true(before < from); /* nobody was told */
    start_hub();
    await_acknowledged();
    assert_stored();
}

/* The broker has answered before what it was given is on its disk: what it forgets, a terminal has still and sends again. */
static void test_broker_killed(void **state)
{
    (void)state;
    for (int i = 0; i < 3; i++) {
        uint64_t from = t.last + 1;

        write_journal(200);
        send_from(from);
        broker_kill(t.centre.broker);
        centre_start_broker(&t.centre);
        assert_true(broker_await(broker_is_up, t.terminal.link, 60));
        (void)is_acknowledged(NULL);
        send_from(t.acknowledged + 1);
    }
    await_acknowledged();
    assert_stored();
}

static void run_verb(const char *words, struct buf *out)
{
    char command[512], piece[4096];
    size_t n;
    FILE *f;

    (void)snprintf(command, sizeof(command), "%s/bin/kuraban-hub --directory %s %s", getenv("KURABAN_BUILD"),
                   t.centre.place, words);
    buf_init(out, 64 * 1024 * 1024);
    f = popen(command, "re");
    assert_non_null(f);
    while ((n = fread(piece, 1, sizeof(piece), f)) > 0)
        assert_int_equal(buf_add(out, piece, n), 0);
    assert_int_equal(pclose(f), 0);
    assert_int_equal(buf_add_u8(out, 0), 0);
}

static void test_shown(void **state)
{
    struct buf out;
    char path[32];

    (void)state;
    run_verb("events --terminal kazei-07 --lines", &out);
    assert_int_equal(out.size, t.lines.size + 1);
    assert_memory_equal(out.data, t.lines.data, t.lines.size);
    buf_done(&out);
    run_verb("--json events --verdict deny --rule juki --user 1000 --tail 1", &out);
    assert_non_null(strstr((const char *)out.data, t.id));
    assert_non_null(strstr((const char *)out.data, "{\"host\":{\"id\":\"t"));
    assert_non_null(strstr((const char *)out.data, "\"name\":\"kazei-07\"},\"@timestamp\":"));
    (void)snprintf(path, sizeof(path), "/srv/juki/%06" PRIu64, t.journal->added);
    assert_non_null(strstr((const char *)out.data, path));
    assert_ptr_equal(strchr((const char *)out.data, '\n'), out.data + out.size - 2); /* one line */
    buf_done(&out);
    run_verb("events --verdict allow", &out);
    assert_int_equal(out.size, 1);
    buf_done(&out);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_stored_and_acknowledged),
        cmocka_unit_test(test_sent_again),
        cmocka_unit_test(test_hub_killed),
        cmocka_unit_test(test_killed_between_commit_and_acknowledgement),
        cmocka_unit_test(test_broker_killed),
        cmocka_unit_test(test_shown),
    };

    if (getenv("HUB_INGEST_CHILD"))
        return child(getenv("HUB_INGEST_CHILD"));
    if (system("nats-server --version > /dev/null 2>&1") != 0) {
        puts("SKIP: nats-server is not installed");
        return TEST_EXIT_SKIP;
    }
    return cmocka_run_group_tests(tests, begin, end);
}
