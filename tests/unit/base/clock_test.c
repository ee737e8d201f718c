#include "test.h"

#include <errno.h>
#include <stdlib.h>
#include <time.h>

#include "base/clock.h"

static void check_format(int64_t us, const char *expected)
{
    char text[CLOCK_RFC3339_SIZE];

    clock_format_rfc3339(us, text);
    assert_string_equal(text, expected);
}

static void test_format(void **state)
{
    (void)state;
    check_format(0, "1970-01-01T00:00:00.000000Z");
    check_format(-1, "1969-12-31T23:59:59.999999Z");
    check_format(1795395723000004, "2026-11-23T01:02:03.000004Z");
    check_format(INT64_MAX, "294247-01-10T04:00:54.775807Z");
}

static void test_parse(void **state)
{
    static const struct {
        const char *text;
        int64_t us;
    } good[] = {
        {"1970-01-01T00:00:00Z", 0},
        {"2026-11-23T01:02:03.000004Z", 1795395723000004},
        {"2026-11-23t10:02:03.0000049+09:00", 1795395723000004},
        {"2026-11-22 20:02:03.5-05:00", 1795395723500000},
        {"2024-02-29T00:00:00Z", 1709164800000000},
        {"1969-12-31T23:59:59.5Z", -500000},
    };
    static const char *const bad[] = {
        "",
        "2026",
        "2026-1-1",
        "2026-13-01",
        "2026-02-29",
        "2100-02-29T00:00:00Z",
        "2026-01-00",
        "2026-01-01T",
        "2026-01-01T00:00:00",
        "2026-01-01T24:00:00Z",
        "2026-01-01T00:60:00Z",
        "2026-01-01T00:00:61Z",
        "2026-01-01T00:00:00.Z",
        "2026-01-01T00:00:00+0900",
        "2026-01-01T00:00:00+24:00",
        "2026-01-01T00:00:00Zx",
        "2026-01-01x",
        " 2026-01-01",
        "-026-01-01",
    };
    int64_t us;

    (void)state;
    for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
        us = 42;
        assert_int_equal(clock_parse_rfc3339(good[i].text, &us), 0);
        assert_true(us == good[i].us);
    }
    for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
        us = 42;
        assert_int_equal(clock_parse_rfc3339(bad[i], &us), -EINVAL);
        assert_true(us == 42);
    }
}

static void test_bare_date_is_a_local_day(void **state)
{
    int64_t us = 0;

    (void)state;
    assert_int_equal(setenv("TZ", "JST-9", 1), 0);
    tzset();
    assert_int_equal(clock_parse_rfc3339("1970-01-01", &us), 0);
    assert_true(us == -9LL * 3600 * 1000000);
    assert_int_equal(clock_parse_rfc3339("2026-11-23", &us), 0);
    assert_true(us == (1795392000LL - 9 * 3600) * 1000000);
}

static void test_clocks_run(void **state)
{
    uint64_t before = clock_boottime_us();

    (void)state;
    assert_true(before > 0);
    assert_true(clock_boottime_us() >= before);
    assert_true(clock_wall_us() > 1600000000LL * 1000000);
}

struct looks {
    unsigned n, enough;
};

static bool enough_looks(void *context)
{
    struct looks *l = context;

    return ++l->n >= l->enough;
}

static void test_waiting_ends(void **state)
{
    struct looks once = {.enough = 1}, third = {.enough = 3}, never = {.enough = 1000000};
    struct looks no_time = {.enough = 2};

    int64_t none = 0, minute = INT64_C(60) * 1000000, moment = 10 * 1000;

    (void)state;
    assert_true(clock_wait_until(&none, enough_looks, &once));
    assert_false(clock_wait_until(&none, enough_looks, &no_time));
    assert_int_equal(no_time.n, 1);
    assert_true(clock_wait_until(&minute, enough_looks, &third));
    assert_int_equal(third.n, 3);
    assert_true(minute > 0 && minute < INT64_C(60) * 1000000);
    assert_false(clock_wait_until(&moment, enough_looks, &never));
    assert_true(never.n >= 2);
    assert_int_equal(moment, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_format),
        cmocka_unit_test(test_parse),
        cmocka_unit_test(test_bare_date_is_a_local_day),
        cmocka_unit_test(test_clocks_run),
        cmocka_unit_test(test_waiting_ends),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
