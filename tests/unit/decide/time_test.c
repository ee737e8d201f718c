/*
 * The calendar of the rules: local days and minutes in the terminal's time zone, through midnight, leap days, the turn of the fiscal
 * year and, elsewhere, the hours that clocks skip and repeat.
 */
#include "test.h"

#include <stdlib.h>
#include <time.h>

#include "base/clock.h"
#include "unit/decide/fixture.h"

static void set_zone(const char *name)
{
    assert_int_equal(setenv("TZ", name, 1), 0);
    tzset();
}

static struct decide_time at(const char *text)
{
    struct decide_time t;
    int64_t us = 0;

    assert_int_equal(clock_parse_rfc3339(text, &us), 0);
    decide_time_local(us, &t);
    return t;
}

static void test_local_time(void **state)
{
    static const struct {
        const char *zone, *text;
        unsigned weekday;
        int minute;
    } cases[] = {
        {"Asia/Tokyo", "2026-11-23T00:00:00+09:00", 0, 0},
        {"Asia/Tokyo", "2026-11-22T23:59:59.999999+09:00", 6, 1439},
        {"Asia/Tokyo", "2026-11-22T15:00:00Z", 0, 0}, /* the terminal's midnight, not Greenwich's */
        {"UTC", "2026-11-22T15:00:00Z", 6, 900},
        {"Asia/Tokyo", "2028-02-29T12:30:00+09:00", 1, 750},
        {"Asia/Tokyo", "2028-02-28T15:00:00Z", 1, 0},        /* the leap day begins */
        {"Asia/Tokyo", "2028-02-29T15:00:00Z", 2, 0},        /* and has ended: the first of March */
        {"Asia/Tokyo", "2027-02-28T15:00:00Z", 0, 0},        /* no leap year: the first of March */
        {"Asia/Tokyo", "2027-03-28T02:30:00+09:00", 6, 150}, /* clocks are not changed there */
        {"Europe/Berlin", "2027-03-28T01:59:00+01:00", 6, 119},
        {"Europe/Berlin", "2027-03-28T02:00:00+01:00", 6, 180}, /* two o'clock is three */
        {"Europe/Berlin", "2027-10-31T02:30:00+02:00", 6, 150},
        {"Europe/Berlin", "2027-10-31T02:30:00+01:00", 6, 150}, /* the same minute twice */
        {"Asia/Kolkata", "2026-11-23T00:00:00Z", 0, 330},
    };

    (void)state;
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        struct decide_time t;

        set_zone(cases[i].zone);
        t = at(cases[i].text);
        if (t.weekday != cases[i].weekday || t.minute != cases[i].minute)
            fail_msg("%s in %s: day %u, minute %d", cases[i].text, cases[i].zone, t.weekday, t.minute);
    }
    set_zone("UTC");
}

/* One rule with conditions and one moment: does it permit? */
static void test_not_before(void **state)
{
    struct decide_time t;

    (void)state;
    decide_time_local(INT64_C(1795395600000000), &t);
    decide_time_not_before(&t, 0);
    decide_time_not_before(&t, INT64_C(1795395600000000) - 1);
    assert_int_equal(t.wall_us, INT64_C(1795395600000000));
    decide_time_not_before(&t, INT64_C(1795395600000000) + INT64_C(90000000000));
    assert_int_equal(t.wall_us, INT64_C(1795395600000000) + INT64_C(90000000000));
    assert_int_equal(t.weekday, 0);
}

static void test_conditions_at_their_edges(void **state)
{
    static const struct {
        const char *zone, *rule, *now;
        bool permits;
    } cases[] = {
        /* 年度: a permission of fiscal year 2026 ends with the last moment of the 31st of March, local time. */
        {"Asia/Tokyo", "until: 2027-03-31", "2027-03-31T23:59:59.999999+09:00", true},
        {"Asia/Tokyo", "until: 2027-03-31", "2027-04-01T00:00:00+09:00", false},
        {"UTC", "until: 2027-03-31", "2027-03-31T23:59:59+09:00", true},
        {"UTC", "until: 2027-03-31", "2027-04-01T08:59:59+09:00", true}, /* a terminal that is set to UTC */
        {"Asia/Tokyo", "until: 2027-03-31T23:59:59+09:00", "2027-03-31T23:59:59+09:00", true},
        {"Asia/Tokyo", "until: 2027-03-31T23:59:59+09:00", "2027-03-31T23:59:59.000001+09:00", false},
        {"UTC", "until: 2027-03-31T23:59:59+09:00", "2027-03-31T15:00:00Z", false},
        /* The leap day is the last of February in 2028 and no day in 2027. */
        {"Asia/Tokyo", "until: 2028-02-29", "2028-02-29T23:59:59+09:00", true},
        {"Asia/Tokyo", "until: 2028-02-29", "2028-03-01T00:00:00+09:00", false},
        {"Asia/Tokyo", "until: 2028-02-28", "2028-02-29T00:00:00+09:00", false},
        {"Asia/Tokyo", "when: {days: tue}", "2028-02-29T23:59:59+09:00", true},
        /* Office hours: the first minute counts, the last does not. */
        {"Asia/Tokyo", "when: {days: mon-fri, from: \"08:30\", to: \"17:15\"}", "2026-11-23T08:29:59.999+09:00", false},
        {"Asia/Tokyo", "when: {days: mon-fri, from: \"08:30\", to: \"17:15\"}", "2026-11-23T08:30:00+09:00", true},
        {"Asia/Tokyo", "when: {days: mon-fri, from: \"08:30\", to: \"17:15\"}", "2026-11-27T17:14:59.999+09:00", true},
        {"Asia/Tokyo", "when: {days: mon-fri, from: \"08:30\", to: \"17:15\"}", "2026-11-27T17:15:00+09:00", false},
        {"Asia/Tokyo", "when: {days: mon-fri, from: \"08:30\", to: \"17:15\"}", "2026-11-28T12:00:00+09:00", false},
        {"UTC", "when: {days: mon-fri, from: \"08:30\", to: \"17:15\"}", "2026-11-23T08:30:00+09:00", false},
        /* Over midnight: the night belongs to the day it begins on; to 24:00 is to the end of the day. */
        {"Asia/Tokyo", "when: {days: fri, from: \"22:00\", to: \"06:00\"}", "2026-11-27T21:59:59+09:00", false},
        {"Asia/Tokyo", "when: {days: fri, from: \"22:00\", to: \"06:00\"}", "2026-11-27T22:00:00+09:00", true},
        {"Asia/Tokyo", "when: {days: fri, from: \"22:00\", to: \"06:00\"}", "2026-11-28T00:00:00+09:00", true},
        {"Asia/Tokyo", "when: {days: fri, from: \"22:00\", to: \"06:00\"}", "2026-11-28T05:59:59+09:00", true},
        {"Asia/Tokyo", "when: {days: fri, from: \"22:00\", to: \"06:00\"}", "2026-11-28T06:00:00+09:00", false},
        {"Asia/Tokyo", "when: {days: fri, from: \"22:00\", to: \"06:00\"}", "2026-11-27T05:00:00+09:00", false},
        {"Asia/Tokyo", "when: {days: sun, from: \"22:00\", to: \"06:00\"}", "2026-11-30T00:00:00+09:00", true},
        {"Asia/Tokyo", "when: {from: \"22:00\", to: \"24:00\"}", "2026-11-23T23:59:59.999999+09:00", true},
        {"Asia/Tokyo", "when: {from: \"22:00\", to: \"24:00\"}", "2026-11-24T00:00:00+09:00", false},
        {"Asia/Tokyo", "when: {from: \"00:00\", to: \"24:00\"}", "2026-11-24T00:00:00+09:00", true},
        {"Asia/Tokyo", "when: {days: [sat, sun]}", "2026-11-29T23:59:59.999999+09:00", true},
        {"Asia/Tokyo", "when: {days: [sat, sun]}", "2026-11-30T00:00:00+09:00", false},
        /* Where clocks are changed: the skipped hour is in no day, the repeated one is permitted twice. */
        {"Europe/Berlin", "when: {from: \"02:00\", to: \"03:00\"}", "2027-03-28T02:00:00+01:00", false},
        {"Europe/Berlin", "when: {from: \"02:00\", to: \"03:00\"}", "2027-10-31T02:59:59+02:00", true},
        {"Europe/Berlin", "when: {from: \"02:00\", to: \"03:00\"}", "2027-10-31T02:59:59+01:00", true},
        {"Europe/Berlin", "until: 2027-10-31", "2027-10-31T23:59:59+01:00", true},
        {"Europe/Berlin", "until: 2027-10-31", "2027-11-01T00:00:00+01:00", false},
    };
    static const struct decide_interface storage = {.class_ = 8, .subclass = 6, .protocol = 0x50};

    (void)state;
    for (size_t i = 0; i < ELEMENTS(cases); i++) {
        struct decide_usb_facts facts = {.connect_type = "hotplug", .interfaces = &storage, .n_interfaces = 1};
        struct verdict v = {0};
        char text[256];
        struct policy *p;

        set_zone(cases[i].zone);
        (void)snprintf(text, sizeof(text), "usb: [{id: a, allow: read, %s}]\n", cases[i].rule);
        p = policy_of(text);
        facts.now = at(cases[i].now);
        decide_usb(p, &facts, &v);
        if ((v.kind == VERDICT_ALLOW) != cases[i].permits)
            fail_msg("%s at %s in %s: %s", cases[i].rule, cases[i].now, cases[i].zone, verdict_reason_name(v.reason));
        assert_false(v.cacheable);
        (void)policy_unref(p);
    }
    set_zone("UTC");
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_local_time),
        cmocka_unit_test(test_not_before),
        cmocka_unit_test(test_conditions_at_their_edges),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
