#include "test.h"

#include <errno.h>
#include <string.h>

#include "audit/fold.h"

enum {
    S = 1000000
};

struct sink {
    unsigned int events;
    uint64_t counted;
    struct audit_event last;
    int result;
};

static int take(void *context, const struct audit_event *e)
{
    struct sink *s = context;

    if (s->result < 0)
        return s->result;
    s->events++;
    s->counted += e->count;
    s->last = *e;
    return 0;
}

static struct audit_event event(const char *path)
{
    struct audit_event e;

    memset(&e, 0, sizeof(e));
    e.action = AUDIT_FILE_OPEN;
    e.has_verdict = true;
    audit_set(e.path, sizeof(e.path), path);
    return e;
}

static struct fold *fold_of(const struct fold_limits *limits, struct sink *sink)
{
    struct fold *f = NULL;

    assert_int_equal(fold_new(limits, take, sink, &f), 0);
    return f;
}

static void test_burst_then_count(void **state)
{
    struct sink sink = {0};
    struct fold *f = NULL;
    struct audit_event e = event("/a");
    unsigned int passed = 0;

    (void)state;
    assert_int_equal(fold_new(NULL, take, &sink, &f), 0);
    assert_true(fold_next_us(f) == UINT64_MAX);
    for (unsigned int i = 0; i < 100; i++) {
        e.wall_us = 5000 + i;
        e.pid = (pid_t)i + 1; /* started again for every try */
        passed += fold_offer(f, &e, 100 * S + i) == FOLD_PASS;
    }
    assert_int_equal(passed, 10);
    assert_true(fold_next_us(f) == 110 * S);
    assert_int_equal(fold_expire(f, 110 * S - 1), 0);
    assert_int_equal(sink.events, 0);
    assert_int_equal(fold_expire(f, 110 * S), 0);
    assert_int_equal(sink.events, 1);
    assert_int_equal(sink.counted, 90);
    assert_int_equal(sink.last.first_wall_us, 5010);
    assert_int_equal(sink.last.wall_us, 5099);
    assert_int_equal(fold_offer(f, &e, 111 * S), FOLD_PASS); /* a new window */
    fold_free(f);
}

static void test_what_differs_is_not_folded(void **state)
{
    struct sink sink = {0};
    struct fold_limits limits = {.burst = 1};
    struct fold *f = fold_of(&limits, &sink);
    struct audit_event base = event("/a"), e;

    (void)state;
    assert_int_equal(fold_offer(f, &base, S), FOLD_PASS);
    assert_int_equal(fold_offer(f, &base, S), FOLD_HELD);
#define DIFFERENT(change)                                                                                              \
    do {                                                                                                               \
        e = base;                                                                                                      \
        change;                                                                                                        \
        assert_int_equal(fold_offer(f, &e, S), FOLD_PASS);                                                             \
        assert_int_equal(fold_offer(f, &e, S), FOLD_HELD);                                                             \
    } while (0)
    DIFFERENT(e.action = AUDIT_DEVICE_DECIDED);
    DIFFERENT(e.allowed = true);
    DIFFERENT(e.would_refuse = true);
    DIFFERENT(e.alarm = true);
    DIFFERENT(e.has_uid = true);
    DIFFERENT((e.has_uid = true, e.uid = 7));
    DIFFERENT(e.write = true);
    DIFFERENT(strcpy(e.rule, "r"));
    DIFFERENT(strcpy(e.reason, "who"));
    DIFFERENT(strcpy(e.program, "/bin/cp"));
    DIFFERENT(strcpy(e.path, "/b"));
    DIFFERENT(strcpy(e.device_id, "d"));
    DIFFERENT(strcpy(e.message, "m"));
    DIFFERENT(strcpy(e.device_serial, "s"));
    assert_int_equal(fold_flush(f), 0);
    assert_int_equal(sink.events, 15);
    assert_int_equal(sink.counted, 15);
    fold_free(f);
}

static void test_full_table_loses_nothing(void **state)
{
    struct sink sink = {0};
    struct fold_limits limits = {.burst = 2, .entries = 4};
    struct fold *f = fold_of(&limits, &sink);
    unsigned int passed = 0, offered = 0;

    (void)state;
    for (unsigned int round = 0; round < 50; round++)
        for (unsigned int i = 0; i < 9; i++) {
            char path[16];
            struct audit_event e;

            (void)snprintf(path, sizeof(path), "/%u", i);
            e = event(path);
            for (unsigned int again = 0; again < 5; again++, offered++)
                passed += fold_offer(f, &e, S + offered) == FOLD_PASS;
        }
    assert_int_equal(fold_flush(f), 0);
    assert_int_equal(passed + sink.counted, offered);
    assert_int_equal(fold_flush(f), 0);
    assert_int_equal(passed + sink.counted, offered);
    fold_free(f);
}

static void test_failed_emit_keeps_the_count(void **state)
{
    struct sink sink = {.result = -ENOBUFS};
    struct fold_limits limits = {.burst = 1, .entries = 1};
    struct fold *f = fold_of(&limits, &sink);
    struct audit_event a = event("/a"), b = event("/b");

    (void)state;
    for (int i = 0; i < 5; i++)
        assert_true(fold_offer(f, &a, S) >= 0);
    assert_int_equal(fold_offer(f, &b, S), -ENOBUFS); /* no room for it, and nothing thrown out */
    assert_int_equal(fold_expire(f, 100 * S), -ENOBUFS);
    sink.result = 0;
    assert_int_equal(fold_expire(f, 100 * S), 0);
    assert_int_equal(sink.counted, 4);
    fold_free(f);
}

static void test_clock_going_back_ends_the_window(void **state)
{
    struct sink sink = {0};
    struct fold_limits limits = {.burst = 1};
    struct fold *f = fold_of(&limits, &sink);
    struct audit_event a = event("/a");

    (void)state;
    assert_int_equal(fold_offer(f, &a, 100 * S), FOLD_PASS);
    assert_int_equal(fold_offer(f, &a, 100 * S), FOLD_HELD);
    assert_int_equal(fold_expire(f, 50 * S), 0);
    assert_int_equal(sink.counted, 1);
    assert_null(fold_free(f));
    assert_null(fold_free(NULL));
}

/* Another path each time: past the limit one event with the count, and others' events are passed on as before. */
static void test_one_person_cannot_flood(void **state)
{
    struct sink sink = {0};
    struct fold_limits limits = {.refused = 20, .allowed = 40};
    struct fold *f = fold_of(&limits, &sink);
    unsigned int passed = 0;
    struct audit_event e;

    (void)state;
    for (unsigned int i = 0; i < 1000; i++) {
        char path[16];

        (void)snprintf(path, sizeof(path), "/%u", i);
        e = event(path);
        e.has_uid = e.has_login_uid = true;
        e.uid = i; /* of a namespace of their own */
        e.login_uid = 1000;
        audit_set(e.store, sizeof(e.store), "juki");
        passed += fold_offer(f, &e, S + i) == FOLD_PASS;
    }
    assert_int_equal(passed, 20);
    e.allowed = true; /* counted by itself */
    assert_int_equal(fold_offer(f, &e, S + 1000), FOLD_PASS);
    e.allowed = false;
    e.login_uid = e.uid = 2000;
    assert_int_equal(fold_offer(f, &e, S + 1000), FOLD_PASS);
    e = event("/alarm");
    e.has_uid = e.alarm = true;
    e.uid = 1000;
    assert_int_equal(fold_offer(f, &e, S + 1000), FOLD_PASS);
    assert_int_equal(fold_expire(f, 20 * S), 0);
    assert_int_equal(sink.counted, 980);
    assert_string_equal(sink.last.path, "");
    assert_string_equal(sink.last.store, "juki");
    assert_int_equal(sink.last.login_uid, 1000);
    e = event("/again"); /* a new window */
    e.has_uid = e.has_login_uid = true;
    e.uid = e.login_uid = 1000;
    assert_int_equal(fold_offer(f, &e, 20 * S), FOLD_PASS);
    fold_free(f);
}

/* More persons at once than are remembered: no window starts anew, the rest share one limit. */
static void test_many_persons_cannot_flood(void **state)
{
    struct sink sink = {0};
    struct fold_limits limits = {.refused = 2};
    struct fold *f = fold_of(&limits, &sink);
    unsigned int passed = 0;

    (void)state;
    for (unsigned int i = 0; i < 5000; i++) {
        char path[16];
        struct audit_event e;

        (void)snprintf(path, sizeof(path), "/%u", i);
        e = event(path);
        e.has_uid = true;
        e.uid = i % 1000;
        passed += fold_offer(f, &e, S + i) == FOLD_PASS;
    }
    assert_int_equal(fold_flush(f), 0);
    assert_int_equal(passed, 2 * (64 + 1));
    assert_int_equal(passed + sink.counted, 5000);
    fold_free(f);
}

/* Requests that are refused hold a text of the person's: another one each time, with or without more beside the event. */
static void test_requests_cannot_flood(void **state)
{
    struct sink sink = {0};
    struct fold_limits limits = {.requests = 20};
    struct fold *f = fold_of(&limits, &sink);
    unsigned int passed = 0;
    struct audit_event e;

    (void)state;
    for (unsigned int i = 0; i < 1000; i++) {
        audit_event_init(&e, i % 2 ? AUDIT_GRANT_REFUSED : AUDIT_EXPORT_FAILED);
        e.has_uid = e.has_verdict = true;
        e.uid = 1000;
        audit_set(e.reason, sizeof(e.reason), "approval");
        (void)snprintf(e.message, sizeof(e.message), "reason: %u", i);
        passed += (i % 2 ? fold_offer(f, &e, S + i) : fold_offer_whole(f, &e, S + i)) == FOLD_PASS;
    }
    assert_int_equal(passed, 20);
    /* Nothing of others, of what is no refusal, or of opens is held back by it. */
    e.uid = 1001;
    assert_int_equal(fold_offer_whole(f, &e, S + 1000), FOLD_PASS);
    e = event("/a");
    e.has_uid = true;
    e.uid = 1000;
    assert_int_equal(fold_offer(f, &e, S + 1000), FOLD_PASS);
    audit_event_init(&e, AUDIT_GRANT_GIVEN);
    e.has_uid = true;
    e.uid = 1000;
    assert_int_equal(fold_offer_whole(f, &e, S + 1000), FOLD_PASS);
    audit_event_init(&e, AUDIT_EXPORT_FAILED);
    e.has_uid = e.alarm = true;
    e.uid = 1000;
    assert_int_equal(fold_offer_whole(f, &e, S + 1000), FOLD_PASS);
    /* Nor is the end of an export that had begun: it is no refusal. */
    e.alarm = false;
    for (unsigned int i = 0; i < 100; i++)
        assert_int_equal(fold_offer_whole(f, &e, S + 1000), FOLD_PASS);
    assert_int_equal(fold_flush(f), 0);
    assert_int_equal(sink.counted, 980);
    assert_string_equal(sink.last.message, "more requests than are recorded one by one");
    fold_free(f);
}

/* Codes that are not looked at are sent at will, whatever is said of them and whosever they are; what counts is who sends them. */
static void test_codes_cannot_flood(void **state)
{
    struct sink sink = {0};
    struct fold_limits limits = {.requests = 20};
    struct fold *f = fold_of(&limits, &sink);
    unsigned int passed = 0;
    struct audit_event e;

    (void)state;
    for (unsigned int i = 0; i < 1000; i++) {
        audit_event_init(&e, AUDIT_MFA_REFUSED);
        e.has_uid = e.at_will = true;
        e.uid = 1000 + i % 7;
        e.asker = 1000;
        e.alarm = i % 2;
        audit_set(e.reason, sizeof(e.reason), i % 2 ? "unavailable" : "locked");
        (void)snprintf(e.message, sizeof(e.message), "export: %u", i);
        passed += fold_offer(f, &e, S + i) == FOLD_PASS;
    }
    assert_int_equal(passed, 20);
    e.asker = 1001; /* the same people's codes, sent by others */
    assert_int_equal(fold_offer(f, &e, S + 1000), FOLD_PASS);
    e.at_will = false; /* a wrong one, which counts */
    e.asker = 0;
    for (unsigned int i = 0; i < 100; i++) {
        (void)snprintf(e.message, sizeof(e.message), "wrong: %u", i);
        assert_int_equal(fold_offer(f, &e, S + 1001), FOLD_PASS);
    }
    assert_int_equal(fold_flush(f), 0);
    assert_int_equal(sink.counted, 980);
    assert_string_equal(sink.last.message, "more requests than are recorded one by one");
    fold_free(f);
}

/* The names of what an export asks for are the person's as well. What leaves is never folded. */
static void test_refused_files_cannot_flood(void **state)
{
    struct sink sink = {0};
    struct fold_limits limits = {.refused = 20};
    struct fold *f = fold_of(&limits, &sink);
    unsigned int passed = 0;
    struct audit_event e;

    (void)state;
    for (unsigned int i = 0; i < 2000; i++) {
        audit_event_init(&e, AUDIT_EXPORT_FILE);
        e.has_uid = e.has_verdict = true;
        e.allowed = i % 2;
        e.uid = 1000;
        (void)snprintf(e.path, sizeof(e.path), "%u.csv", i);
        passed += fold_offer_whole(f, &e, S + i) == FOLD_PASS;
    }
    assert_int_equal(passed, 1000 + 20);
    assert_int_equal(fold_flush(f), 0);
    assert_int_equal(sink.counted, 980);
    assert_string_equal(sink.last.path, "");
    assert_string_equal(sink.last.message, "more refused files than are recorded one by one");
    fold_free(f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_burst_then_count),           cmocka_unit_test(test_what_differs_is_not_folded),
        cmocka_unit_test(test_full_table_loses_nothing),   cmocka_unit_test(test_failed_emit_keeps_the_count),
        cmocka_unit_test(test_one_person_cannot_flood),    cmocka_unit_test(test_many_persons_cannot_flood),
        cmocka_unit_test(test_refused_files_cannot_flood), cmocka_unit_test(test_requests_cannot_flood),
        cmocka_unit_test(test_codes_cannot_flood),         cmocka_unit_test(test_clock_going_back_ends_the_window),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
