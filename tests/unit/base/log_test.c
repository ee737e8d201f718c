#include "test.h"

#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

/* What one call puts on stderr, through a pipe. */
static size_t capture(char *ret, size_t size, enum log_level level, const char *text)
{
    int fds[2], saved = dup(STDERR_FILENO);
    ssize_t n;

    assert_true(saved >= 0);
    assert_int_equal(pipe(fds), 0);
    assert_true(dup2(fds[1], STDERR_FILENO) >= 0);
    log_line(level, "test.id", "%s", text);
    assert_true(dup2(saved, STDERR_FILENO) >= 0);
    close(saved);
    close(fds[1]);
    n = read(fds[0], ret, size - 1);
    close(fds[0]);
    assert_true(n >= 0);
    ret[n] = 0;
    return (size_t)n;
}

static void test_line(void **state)
{
    char line[4096], big[3000];

    (void)state;
    capture(line, sizeof(line), LOG_LEVEL_NOTICE, "a=1 b=\"x\ny\033[31m\"");
    assert_string_equal(line, "test.id a=1 b=\"x?y?[31m\"\n"); /* no forged second line, no terminal codes */
    capture(line, sizeof(line), LOG_LEVEL_NOTICE, "");
    assert_string_equal(line, "test.id\n");
    memset(big, 'x', sizeof(big) - 1);
    big[sizeof(big) - 1] = 0;
    assert_int_equal(capture(line, sizeof(line), LOG_LEVEL_NOTICE, big), 1024);
    assert_int_equal(line[1023], '\n');
}

static void test_level(void **state)
{
    char line[4096];

    (void)state;
    assert_int_equal(capture(line, sizeof(line), LOG_LEVEL_DEBUG, "a=1"), 0);
    log_set_level(LOG_LEVEL_DEBUG);
    assert_int_not_equal(capture(line, sizeof(line), LOG_LEVEL_DEBUG, "a=1"), 0);
    log_set_level(LOG_LEVEL_INFO);
}

/* However often it is said: a line a second, and how many were left out. */
static void test_limit(void **state)
{
    struct log_limit l = {0};
    uint64_t unlogged = 99;

    (void)state;
    assert_true(log_limit_is_due(&l, 5000000, &unlogged));
    assert_int_equal(unlogged, 0);
    for (uint64_t i = 0; i < 1000; i++)
        assert_false(log_limit_is_due(&l, 5000000 + i * 999, &unlogged));
    assert_true(log_limit_is_due(&l, 6000000, &unlogged));
    assert_int_equal(unlogged, 1000);
    assert_true(log_limit_is_due(&l, 7000000, &unlogged));
    assert_int_equal(unlogged, 0);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_line),
        cmocka_unit_test(test_level),
        cmocka_unit_test(test_limit),
    };

    unsetenv("JOURNAL_STREAM"); /* the prefix is only for systemd */
    return cmocka_run_group_tests(tests, NULL, NULL);
}
