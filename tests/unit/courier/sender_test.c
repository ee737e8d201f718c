/* Which records go next: none is passed over before the centre has it, whatever the stream says; and what the courier understands of answers. */
#include "courier/sender.h"

#include <jansson.h>
#include <string.h>

#include "base/cleanup.h"
#include "courier/guard.h"
#include "courier/wire.h"
#include "test.h"

static uint64_t send_next(struct sender *s, uint64_t n, uint64_t now_us)
{
    uint64_t from = 0;

    assert_true(sender_wants(s, now_us, &from));
    return sender_sent(s, from, from + n - 1, now_us);
}

static void test_window(void **state)
{
    struct sender s = {0};
    uint64_t from = 0, tickets[SENDER_WINDOW];

    (void)state;
    assert_false(sender_wants(&s, 1, &from)); /* nothing is known yet */
    sender_know(&s, 100, 0);
    for (unsigned i = 0; i < SENDER_WINDOW; i++)
        tickets[i] = send_next(&s, 5, 1);
    assert_false(sender_wants(&s, 1, &from));
    sender_answered(&s, tickets[3], true, 1, 1);
    assert_true(sender_wants(&s, 1, &from));
    assert_true(from == 5 * SENDER_WINDOW + 1);
    sender_answered(&s, tickets[3], true, 1, 1); /* twice is once */
    assert_int_equal(s.n, SENDER_WINDOW - 1);
    sender_know(&s, 100, 100);
    assert_false(sender_wants(&s, 1, &from)); /* the centre has all of it */
}

/* What was not stored goes again from there, and not at once. */
static void test_refused(void **state)
{
    struct sender s = {0};
    uint64_t from = 0, first, second;

    (void)state;
    sender_know(&s, 100, 10);
    first = send_next(&s, 5, 1);
    second = send_next(&s, 5, 1);
    sender_answered(&s, first, true, 1, 1);
    sender_answered(&s, second, false, 1000, 500);
    assert_false(sender_wants(&s, 1499, &from));
    assert_true(sender_wants(&s, 1500, &from));
    assert_true(from == 16);
    /* An answer to what is forgotten changes nothing. */
    sender_answered(&s, second, false, 9000, 500);
    assert_true(sender_wants(&s, 1500, &from));
}

/* A new connection begins behind what the centre has, not behind what the stream had. */
static void test_restart(void **state)
{
    struct sender s = {0};
    uint64_t from = 0, ticket;

    (void)state;
    sender_know(&s, 100, 10);
    ticket = send_next(&s, 50, 1);
    sender_answered(&s, ticket, true, 1, 1);
    sender_restart(&s);
    assert_true(sender_wants(&s, 1, &from));
    assert_true(from == 11);
    sender_know(&s, 100, 40);
    assert_true(sender_wants(&s, 1, &from));
    assert_true(from == 41);
    (void)send_next(&s, 1, 1000);
    assert_false(sender_is_late(&s, 1499, 500));
    assert_true(sender_is_late(&s, 1500, 500));
}

static void test_stored(void **state)
{
    static const char *const no[] = {"",
                                     "{}",
                                     "[]",
                                     "+OK",
                                     "{\"stream\":\"EVT\"}",
                                     "{\"stream\":\"EVT\",\"seq\":0}",
                                     "{\"stream\":\"EVT\",\"seq\":\"1\"}",
                                     "{\"seq\":1}",
                                     "{\"error\":{\"code\":503},\"stream\":\"EVT\",\"seq\":1}",
                                     "{\"stream\":\"EVT\",\"seq\":1,\"seq\":2}",
                                     "{\"stream\":\"EVT\",\"seq\":1}x"};
    static const char yes[] = "{\"stream\":\"EVT\",\"seq\":7,\"duplicate\":true}";

    (void)state;
    assert_true(wire_is_stored(yes, strlen(yes)));
    for (size_t i = 0; i < ELEMENTS(no); i++)
        if (wire_is_stored(no[i], strlen(no[i])))
            fail_msg("%s", no[i]);
    assert_false(wire_is_stored(NULL, 0));
}

static void test_hello(void **state)
{
    static const char good[] = "{\"terminal\":\"tmzuhvlpymk6xo3epygfy\",\"state\":\"good\",\"groups\":[\"kazei\"],"
                               "\"sequence\":9,\"acknowledged\":3,\"report\":1}";
    static const char *const parts[][2] = {{"tmzuh", "xmzuh"},
                                           {"[\"kazei\"]", "[7]"},
                                           {"\"sequence\":9", "\"sequence\":-9"},
                                           {"\"report\":1", "\"report\":null"},
                                           {"\"state\":\"good\",", ""}};
    struct guard_hello h;
    json_t *j = json_loads(good, 0, NULL);

    (void)state;
    assert_int_equal(guard_hello_read(j, &h), 0);
    assert_true(h.enrolled && h.n_groups == 1 && h.sequence == 9 && h.acknowledged == 3);
    json_decref(j);
    for (size_t i = 0; i < ELEMENTS(parts); i++) {
        char text[512];
        const char *at = strstr(good, parts[i][0]);

        (void)snprintf(text, sizeof(text), "%.*s%s%s", (int)(at - good), good, parts[i][1], at + strlen(parts[i][0]));
        j = json_loads(text, 0, NULL);
        assert_non_null(j);
        if (guard_hello_read(j, &h) != -EBADMSG)
            fail_msg("%s", text);
        json_decref(j);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_window), cmocka_unit_test(test_refused), cmocka_unit_test(test_restart),
        cmocka_unit_test(test_stored), cmocka_unit_test(test_hello),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
