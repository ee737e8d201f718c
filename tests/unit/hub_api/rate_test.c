/* Who asks too often waits, each address for itself, and memory does not grow. */
#include "test.h"

#include <arpa/inet.h>

#include "hub/api/rate.h"

static const uint64_t second = 1000000, start = 1000 * second;

union any {
    struct sockaddr any;
    struct sockaddr_in four;
    struct sockaddr_in6 six;
};

static union any address(const char *text)
{
    union any a = {0};

    if (inet_pton(AF_INET, text, &a.four.sin_addr) == 1) {
        a.four.sin_family = AF_INET;
        return a;
    }
    assert_int_equal(inet_pton(AF_INET6, text, &a.six.sin6_addr), 1);
    a.six.sin6_family = AF_INET6;
    return a;
}

static bool take(struct rate *r, const char *text, uint64_t now)
{
    const union any a = address(text);

    return rate_take(r, &a.any, now);
}

static void drain(struct rate *r, const char *text, uint64_t now)
{
    for (int i = 0; i < RATE_CAPACITY; i++)
        assert_true(take(r, text, now));
    assert_false(take(r, text, now));
}

static int begin(void **state)
{
    return rate_new((struct rate **)state);
}

static int end(void **state)
{
    (void)rate_free(*state);
    return 0;
}

static void test_each_for_itself(void **state)
{
    struct rate *r = *state;

    drain(r, "192.0.2.1", start);
    drain(r, "192.0.2.2", start);
    assert_false(take(r, "::ffff:192.0.2.1", start)); /* the same, written otherwise */
    drain(r, "2001:db8::1", start);
    assert_false(take(r, "2001:db8::ffff:1", start)); /* the same network */
    assert_true(take(r, "2001:db8:0:1::1", start));
}

static void test_comes_back(void **state)
{
    struct rate *r = *state;

    drain(r, "192.0.2.1", start);
    assert_false(take(r, "192.0.2.1", start + second / RATE_PER_SECOND - 1000));
    assert_true(take(r, "192.0.2.1", start + second / RATE_PER_SECOND + 1000));
    assert_false(take(r, "192.0.2.1", start + second / RATE_PER_SECOND + 1000));
    drain(r, "192.0.2.1", start + 3600 * second); /* no more than there was */
}

static void test_refusals_cost(void **state)
{
    struct rate *r = *state;
    const union any a = address("192.0.2.1");
    int n = 0;

    for (; take(r, "192.0.2.1", start); n++)
        rate_charge(r, &a.any, RATE_REFUSED, start);
    assert_int_equal(n, (RATE_CAPACITY + RATE_REFUSED) / (RATE_REFUSED + 1));
}

static void test_many_addresses(void **state)
{
    struct rate *r = *state;

    drain(r, "192.0.2.1", start);
    for (uint32_t i = 0; i < 4 * RATE_BUCKETS; i++) {
        char text[32];

        (void)snprintf(text, sizeof(text), "10.0.%u.%u", i / 250, i % 250 + 1);
        assert_true(take(r, text, start + 1 + i));
        /* Who keeps asking is not forgotten for the others. */
        assert_false(take(r, "192.0.2.1", start + 1 + i));
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_each_for_itself, begin, end),
        cmocka_unit_test_setup_teardown(test_comes_back, begin, end),
        cmocka_unit_test_setup_teardown(test_refusals_cost, begin, end),
        cmocka_unit_test_setup_teardown(test_many_addresses, begin, end),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
