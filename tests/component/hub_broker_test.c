/*
 * What `kuraban-hub init` made, with a real nats-server: the hub and a terminal come in over TLS by name and by address and speak as the
 * configuration says; with another authority, or by a name the certificate is not for, nobody does.
 * Runs beside others.
 */
#include "component/broker_fixture.h"

#include <string.h>

#include "hub/ca/ca.h"
#include "hub/keys/keys.h"
#include "hub/nats/broker.h"

struct centre_run {
    pid_t pid;
    uint16_t port;
    char directory[64], ca[128], other_ca[128];
    struct hub_keys keys;
    struct broker_keys signers;
};

static int64_t now(void)
{
    return time(NULL);
}

static void write_other_ca(const struct centre_run *b)
{
    static const char *const names[] = {"localhost", NULL};
    struct hub_ca *ca = NULL;
    char *text = NULL;
    FILE *f = fopen(b->other_ca, "we");

    assert_int_equal(hub_ca_new("other", names, now(), &ca), 0);
    assert_int_equal(hub_ca_certificate(ca, &text), 0);
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
    free(text);
    ca = hub_ca_free(ca);
}

static int begin(void **state)
{
    static struct centre_run b;
    char command[512], conf[128], log[128], keys[128];
    int fd;

    *state = &b;
    (void)snprintf(b.directory, sizeof(b.directory), "/tmp/kuraban-hub.XXXXXX");
    assert_non_null(mkdtemp(b.directory));
    b.port = broker_free_port();
    (void)snprintf(command, sizeof(command),
                   "%s/bin/kuraban-hub --directory %s/centre init --organization matsudo.example --address hub.example"
                   " --listen 0.0.0.0:%u > %s/out",
                   getenv("KURABAN_BUILD"), b.directory, b.port, b.directory);
    assert_int_equal(system(command), 0);
    (void)snprintf(b.ca, sizeof(b.ca), "%s/centre/tls/ca.pem", b.directory);
    (void)snprintf(b.other_ca, sizeof(b.other_ca), "%s/other.pem", b.directory);
    (void)snprintf(conf, sizeof(conf), "%s/centre/nats/nats.conf", b.directory);
    (void)snprintf(log, sizeof(log), "%s/log", b.directory);
    (void)snprintf(keys, sizeof(keys), "%s/centre/keys", b.directory);
    write_other_ca(&b);
    fd = open(keys, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(hub_keys_read(fd, &b.keys), 0);
    (void)close(fd);
    b.signers = (struct broker_keys){b.keys.operator, b.keys.account, b.keys.system, b.keys.terminals};
    b.pid = broker_run(conf, log);
    return 0;
}

static int end(void **state)
{
    struct centre_run *b = *state;
    char command[128];

    broker_kill(b->pid);
    hub_keys_done(&b->keys);
    (void)snprintf(command, sizeof(command), "rm -rf %s", b->directory);
    return system(command);
}

struct client {
    struct wire_key *key; /* NULL: the hub's */
    struct link *link;
};

static struct client connect_to(struct centre_run *b, const char *host, const char *ca, const char *terminal)
{
    static const char *const groups[] = {"kazei", NULL};
    char url[128], *jwt = NULL;
    const char *urls[] = {url, NULL};
    struct client c = {0};
    struct link_settings s = {.urls = urls, .name = "test", .ca = ca, .pending_max = 65536, .key = b->keys.hub};

    (void)snprintf(url, sizeof(url), "tls://%s:%u", host, b->port);
    if (terminal) {
        assert_int_equal(wire_key_new(NKEY_USER, &c.key), 0);
        s.key = c.key;
        assert_int_equal(broker_terminal_jwt(&b->signers, terminal, wire_key_public(c.key), groups, now(), 0, &jwt), 0);
    } else {
        assert_int_equal(broker_hub_jwt(&b->signers, wire_key_public(b->keys.hub), now(), 0, &jwt), 0);
    }
    s.jwt = jwt;
    assert_int_equal(link_open(&s, &c.link), 0);
    free(jwt);
    return c;
}

static void leave(struct client *c)
{
    c->link = link_free(c->link);
    c->key = wire_key_free(c->key);
}

static void publish(struct client *c, const char *subject)
{
    assert_int_equal(natsConnection_PublishString(link_connection(c->link), subject, "x"), NATS_OK);
}

static void test_over_tls(void **state)
{
    struct centre_run *b = *state;
    struct client hub = connect_to(b, "localhost", b->ca, NULL), terminal = connect_to(b, "127.0.0.1", b->ca, "t1");
    natsSubscription *all = NULL, *own = NULL;
    natsMsg *m = NULL;

    assert_true(broker_await(broker_is_up, hub.link, 30));
    assert_true(broker_await(broker_is_up, terminal.link, 30));
    assert_int_equal(natsConnection_SubscribeSync(&all, link_connection(hub.link), "evt.>"), NATS_OK);
    assert_int_equal(natsConnection_Flush(link_connection(hub.link)), NATS_OK);
    publish(&terminal, "evt.t2.1"); /* as another */
    publish(&terminal, "evt.t1.1");
    assert_int_equal(natsSubscription_NextMsg(&m, all, 10000), NATS_OK);
    assert_string_equal(natsMsg_GetSubject(m), "evt.t1.1");
    natsMsg_Destroy(m);
    assert_int_equal(natsConnection_SubscribeSync(&own, link_connection(terminal.link), "pol.kazei"), NATS_OK);
    assert_int_equal(natsConnection_Flush(link_connection(terminal.link)), NATS_OK);
    publish(&hub, "pol.kazei");
    assert_int_equal(natsSubscription_NextMsg(&m, own, 10000), NATS_OK);
    natsMsg_Destroy(m);
    natsSubscription_Destroy(all);
    natsSubscription_Destroy(own);
    leave(&terminal);
    leave(&hub);
}

/* The hub makes a stream; a terminal gets its group's last message out of it by one direct get, and no other group's. */
static void test_direct_get(void **state)
{
    static const char config[] =
        "{\"name\":\"POL\",\"subjects\":[\"pol.*\"],\"max_msgs_per_subject\":1,\"storage\":\"file\","
        "\"allow_direct\":true,\"num_replicas\":1,\"retention\":\"limits\",\"discard\":\"old\"}";
    struct centre_run *b = *state;
    struct client hub = connect_to(b, "localhost", b->ca, NULL), terminal = connect_to(b, "localhost", b->ca, "t1");
    natsConnection *h = link_connection(hub.link), *t = link_connection(terminal.link);
    natsSubscription *inbox = NULL;
    natsMsg *m = NULL;

    assert_true(broker_await(broker_is_up, hub.link, 30));
    assert_true(broker_await(broker_is_up, terminal.link, 30));
    assert_int_equal(natsConnection_RequestString(&m, h, "$JS.API.STREAM.CREATE.POL", config, 10000), NATS_OK);
    assert_null(strstr(natsMsg_GetData(m), "error"));
    natsMsg_Destroy(m);
    for (int i = 0; i < 2; i++) {
        assert_int_equal(natsConnection_RequestString(&m, h, i ? "pol.juki" : "pol.kazei", "bundle", 10000), NATS_OK);
        natsMsg_Destroy(m);
    }
    assert_int_equal(natsConnection_SubscribeSync(&inbox, t, "_INBOX.t1.1"), NATS_OK);
    assert_int_equal(natsConnection_PublishRequestString(t, "$JS.API.DIRECT.GET.POL.pol.juki", "_INBOX.t1.1", ""),
                     NATS_OK);
    assert_int_equal(natsConnection_PublishRequestString(t, "$JS.API.DIRECT.GET.POL.pol.kazei", "_INBOX.t1.1", ""),
                     NATS_OK);
    assert_int_equal(natsSubscription_NextMsg(&m, inbox, 10000), NATS_OK);
    assert_string_equal(natsMsg_GetData(m), "bundle");
    {
        const char *subject = NULL;

        assert_int_equal(natsMsgHeader_Get(m, "Nats-Subject", &subject), NATS_OK);
        assert_string_equal(subject, "pol.kazei");
    }
    natsMsg_Destroy(m);
    natsSubscription_Destroy(inbox);
    leave(&terminal);
    leave(&hub);
}

static void test_refused(void **state)
{
    struct centre_run *b = *state;
    struct client stranger = connect_to(b, "localhost", b->other_ca, "t1"),
                  /* resolved to this machine, and not among the certificate's names */
        misnamed = connect_to(b, "127.0.0.2", b->ca, "t1"), hub = connect_to(b, "localhost", b->ca, NULL);

    assert_true(broker_await(broker_is_up, hub.link, 30));
    assert_false(broker_await(broker_is_up, stranger.link, 4));
    assert_false(link_is_up(misnamed.link));
    leave(&stranger);
    leave(&misnamed);
    leave(&hub);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_over_tls),
        cmocka_unit_test(test_direct_get),
        cmocka_unit_test(test_refused),
    };

    if (system("nats-server --version > /dev/null 2>&1") != 0) {
        puts("SKIP: nats-server is not installed");
        return TEST_EXIT_SKIP;
    }
    return cmocka_run_group_tests(tests, begin, end);
}
