/*
 * What `kuraban-hub init` made, with a real nats-server: the hub and a terminal come in over TLS by name and by address and speak as the
 * configuration says; with another authority, or by a name the certificate is not for, nobody does.
 * Runs beside others.
 */
#include "component/centre_fixture.h"

#include "hub/ca/ca.h"

struct run {
    struct centre_run centre;
    char other_ca[128];
};

static void write_other_ca(const struct run *b)
{
    static const char *const names[] = {"localhost", NULL};
    struct hub_ca *ca = NULL;
    char *text = NULL;
    FILE *f = fopen(b->other_ca, "we");

    assert_int_equal(hub_ca_new("other", names, centre_now(), &ca), 0);
    assert_int_equal(hub_ca_certificate(ca, &text), 0);
    assert_non_null(f);
    assert_true(fputs(text, f) >= 0);
    assert_int_equal(fclose(f), 0);
    free(text);
    ca = hub_ca_free(ca);
}

static int begin(void **state)
{
    static struct run b;

    *state = &b;
    centre_begin(&b.centre);
    (void)snprintf(b.other_ca, sizeof(b.other_ca), "%s/other.pem", b.centre.directory);
    write_other_ca(&b);
    return 0;
}

static int end(void **state)
{
    struct run *b = *state;

    return centre_end(&b->centre);
}

static void publish(struct centre_client *c, const char *subject)
{
    assert_int_equal(natsConnection_PublishString(link_connection(c->link), subject, "x"), NATS_OK);
}

static void test_over_tls(void **state)
{
    struct run *b = *state;
    struct centre_client hub = centre_connect(&b->centre, "localhost", b->centre.ca, NULL),
                         terminal = centre_connect(&b->centre, "127.0.0.1", b->centre.ca, "t1");
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
    centre_leave(&terminal);
    centre_leave(&hub);
}

/* The hub makes a stream; a terminal gets its group's last message out of it by one direct get, and no other group's. */
static void test_direct_get(void **state)
{
    static const char config[] =
        "{\"name\":\"POL\",\"subjects\":[\"pol.*\"],\"max_msgs_per_subject\":1,\"storage\":\"file\","
        "\"allow_direct\":true,\"num_replicas\":1,\"retention\":\"limits\",\"discard\":\"old\"}";
    struct run *b = *state;
    struct centre_client hub = centre_connect(&b->centre, "localhost", b->centre.ca, NULL),
                         terminal = centre_connect(&b->centre, "localhost", b->centre.ca, "t1");
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
    centre_leave(&terminal);
    centre_leave(&hub);
}

static void test_refused(void **state)
{
    struct run *b = *state;
    struct centre_client stranger = centre_connect(&b->centre, "localhost", b->other_ca, "t1"),
                         /* resolved to this machine, and not among the certificate's names */
        misnamed = centre_connect(&b->centre, "127.0.0.2", b->centre.ca, "t1"),
                         hub = centre_connect(&b->centre, "localhost", b->centre.ca, NULL);

    assert_true(broker_await(broker_is_up, hub.link, 30));
    assert_false(broker_await(broker_is_up, stranger.link, 4));
    assert_false(link_is_up(misnamed.link));
    centre_leave(&stranger);
    centre_leave(&misnamed);
    centre_leave(&hub);
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
