/*
 * The broker as we configure it, a real nats-server: who has a JWT of the terminals' scope speaks as itself only and hears its own commands
 * and its groups' policy; nobody else is let in; a new terminal changes nothing at the broker.
 * Runs beside others.
 */
#include "component/broker_fixture.h"

#include <string.h>

#include "base/buf.h"
#include "hub/nats/jwt.h"
#include "hub/nats/server_conf.h"

static const char *const may_publish[] = {"evt.{{name()}}.>", "rep.{{name()}}", NULL};
static const char *const may_subscribe[] = {"cmd.{{name()}}.*", "ack.{{name()}}", "pol.{{tag(group)}}",
                                            "_INBOX.{{name()}}.>", NULL};

struct broker {
    pid_t pid;
    uint16_t port;
    char directory[64], url[64];
    struct wire_key *operator, * account, *system, *scope;
    char *operator_jwt, *account_jwt, *system_jwt;
};

static int64_t now(void)
{
    return time(NULL);
}

static void make_keys(struct broker *b)
{
    struct jwt_scope scope = {.role = "terminal",
                              .publish = may_publish,
                              .subscribe = may_subscribe,
                              .payload_max = 1 << 20,
                              .subscriptions_max = 64};
    struct jwt_account account = {.name = "KURABAN", .jetstream = true, .scopes = &scope, .n_scopes = 1},
                       system = {.name = "SYS"};

    assert_int_equal(wire_key_new(NKEY_OPERATOR, &b->operator), 0);
    assert_int_equal(wire_key_new(NKEY_ACCOUNT, &b->account), 0);
    assert_int_equal(wire_key_new(NKEY_ACCOUNT, &b->system), 0);
    assert_int_equal(wire_key_new(NKEY_ACCOUNT, &b->scope), 0);
    scope.key = wire_key_public(b->scope);
    account.public = wire_key_public(b->account);
    system.public = wire_key_public(b->system);
    assert_int_equal(jwt_operator(b->operator, "test.example", system.public, now(), &b->operator_jwt), 0);
    assert_int_equal(jwt_account(b->operator, & account, now(), &b->account_jwt), 0);
    assert_int_equal(jwt_account(b->operator, & system, now(), &b->system_jwt), 0);
}

static void write_conf(const struct broker *b, const char *path)
{
    struct server_conf_account accounts[] = {{wire_key_public(b->account), b->account_jwt},
                                             {wire_key_public(b->system), b->system_jwt}};
    struct server_conf c = {.name = "n1",
                            .address = "127.0.0.1",
                            .port = b->port,
                            .directory = b->directory,
                            .operator_jwt = b->operator_jwt,
                            .system_account = wire_key_public(b->system),
                            .accounts = accounts,
                            .n_accounts = 2,
                            .store_max = 64 << 20};
    struct buf text;
    FILE *f = fopen(path, "we");

    buf_init(&text, 1 << 20);
    assert_int_equal(server_conf_write(&c, &text), 0);
    assert_non_null(f);
    assert_int_equal(fwrite(text.data, 1, text.size, f), text.size);
    assert_int_equal(fclose(f), 0);
    buf_done(&text);
}

static void start(struct broker *b)
{
    char path[128], log[128];

    (void)snprintf(b->directory, sizeof(b->directory), "/tmp/kuraban-broker.XXXXXX");
    assert_non_null(mkdtemp(b->directory));
    b->port = broker_free_port();
    (void)snprintf(b->url, sizeof(b->url), "nats://127.0.0.1:%u", b->port);
    (void)snprintf(path, sizeof(path), "%s/nats.conf", b->directory);
    (void)snprintf(log, sizeof(log), "%s/log", b->directory);
    make_keys(b);
    write_conf(b, path);
    b->pid = broker_run(path, log);
}

static void stop(struct broker *b)
{
    char command[128];

    broker_kill(b->pid);
    (void)snprintf(command, sizeof(command), "rm -rf %s", b->directory);
    assert_int_equal(system(command), 0);
    free(b->operator_jwt);
    free(b->account_jwt);
    free(b->system_jwt);
    b->operator= wire_key_free(b->operator);
    b->account = wire_key_free(b->account);
    b->system = wire_key_free(b->system);
    b->scope = wire_key_free(b->scope);
}

/* --- clients --- */

struct client {
    struct wire_key *key;
    struct link *link;
    natsConnection *c;
};

static struct client connect_as(const struct broker *b, const struct wire_key *signer, const char *name,
                                const char *group, int64_t expires)
{
    const char *tag[] = {group, NULL}, *urls[] = {b->url, NULL};
    struct client c = {0};
    struct jwt_user user = {.name = name, .account = wire_key_public(b->account), .tags = tag, .expires = expires};
    struct link_settings s = {.urls = urls, .name = name, .pending_max = 65536};
    char *jwt = NULL;

    assert_int_equal(wire_key_new(NKEY_USER, &c.key), 0);
    user.public = wire_key_public(c.key);
    assert_int_equal(jwt_user(signer, &user, now(), &jwt), 0);
    s.jwt = jwt;
    s.key = c.key;
    assert_int_equal(link_open(&s, &c.link), 0);
    free(jwt);
    c.c = link_connection(c.link);
    return c;
}

static void leave(struct client *c)
{
    c->link = link_free(c->link);
    c->key = wire_key_free(c->key);
}

/* Does what `from` publishes there reach `to`, who hears everything of the account? Behind it comes one that does. */
static bool reaches(struct client *from, const char *subject, natsSubscription *all)
{
    natsMsg *m = NULL;
    bool it = false, end = false;

    assert_int_equal(natsConnection_PublishString(from->c, subject, "?"), NATS_OK);
    assert_int_equal(natsConnection_PublishString(from->c, "rep.t1", "end"), NATS_OK);
    while (!end && natsSubscription_NextMsg(&m, all, 10000) == NATS_OK) {
        it = it || strcmp(natsMsg_GetSubject(m), subject) == 0;
        end = strcmp(natsMsg_GetSubject(m), "rep.t1") == 0;
        natsMsg_Destroy(m);
    }
    assert_true(end);
    return it;
}

static void test_scope(void **state)
{
    struct broker *b = *state;
    struct client hub = connect_as(b, b->account, "hub", NULL, 0), t1 = connect_as(b, b->scope, "t1", "group:kazei", 0);
    natsSubscription *all = NULL, *own = NULL, *policy = NULL, *others = NULL, *other_policy = NULL;
    natsMsg *m = NULL;

    assert_true(broker_await(broker_is_up, hub.link, 20));
    assert_true(broker_await(broker_is_up, t1.link, 20));
    assert_int_equal(natsConnection_SubscribeSync(&all, hub.c, ">"), NATS_OK);
    assert_int_equal(natsConnection_Flush(hub.c), NATS_OK);

    assert_true(reaches(&t1, "evt.t1.1", all));
    assert_false(reaches(&t1, "evt.t2.1", all));
    assert_false(reaches(&t1, "rep.t2", all));
    assert_false(reaches(&t1, "pol.kazei", all));
    assert_false(reaches(&t1, "cmd.t1.membership", all));
    assert_false(reaches(&t1, "$JS.API.STREAM.DELETE.EVT", all));

    assert_int_equal(natsConnection_SubscribeSync(&own, t1.c, "cmd.t1.*"), NATS_OK);
    assert_int_equal(natsConnection_SubscribeSync(&policy, t1.c, "pol.kazei"), NATS_OK);
    assert_int_equal(natsConnection_SubscribeSync(&others, t1.c, "cmd.t2.*"), NATS_OK);
    assert_int_equal(natsConnection_SubscribeSync(&other_policy, t1.c, "pol.juki"), NATS_OK);
    assert_int_equal(natsConnection_Flush(t1.c), NATS_OK);
    static const char *const subjects[] = {"cmd.t2.bundle", "pol.juki", "cmd.t1.bundle", "pol.kazei"};
    for (size_t i = 0; i < 4; i++)
        assert_int_equal(natsConnection_PublishString(hub.c, subjects[i], "x"), NATS_OK);
    assert_int_equal(natsSubscription_NextMsg(&m, policy, 10000), NATS_OK);
    natsMsg_Destroy(m);
    assert_int_equal(natsSubscription_NextMsg(&m, own, 10000), NATS_OK);
    natsMsg_Destroy(m);
    assert_int_equal(natsSubscription_NextMsg(&m, others, 1), NATS_TIMEOUT);
    assert_int_equal(natsSubscription_NextMsg(&m, other_policy, 1), NATS_TIMEOUT);

    natsSubscription_Destroy(all);
    natsSubscription_Destroy(own);
    natsSubscription_Destroy(policy);
    natsSubscription_Destroy(others);
    natsSubscription_Destroy(other_policy);
    leave(&t1);
    leave(&hub);
}

/* Signed by nobody whom the account names; over; or with another key than the JWT's. */
static void test_strangers(void **state)
{
    struct broker *b = *state;
    struct wire_key *stranger = NULL;
    struct client hub, bad;

    assert_int_equal(wire_key_new(NKEY_ACCOUNT, &stranger), 0);
    bad = connect_as(b, stranger, "t1", "group:kazei", 0);
    struct client over = connect_as(b, b->scope, "t3", "group:kazei", now() - 10);
    hub = connect_as(b, b->account, "hub", NULL, 0);
    assert_true(broker_await(broker_is_up, hub.link, 20));
    /* They have tried as long as it took the hub and more. */
    assert_false(broker_await(broker_is_up, bad.link, 3));
    assert_false(link_is_up(over.link));
    leave(&bad);
    leave(&over);
    leave(&hub);
    stranger = wire_key_free(stranger);
}

static int begin(void **state)
{
    static struct broker b;

    *state = &b;
    start(&b);
    return 0;
}

static int end(void **state)
{
    stop(*state);
    nats_Close();
    return 0;
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_scope),
        cmocka_unit_test(test_strangers),
    };

    if (system("nats-server --version > /dev/null 2>&1") != 0) {
        puts("SKIP: nats-server is not installed");
        return TEST_EXIT_SKIP;
    }
    return cmocka_run_group_tests(tests, begin, end);
}
