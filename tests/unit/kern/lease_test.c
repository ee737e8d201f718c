#include "test.h"

#include "kern/lease.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

static void test_probe(void **state)
{
    char path[] = "/tmp/kuraban-lease-XXXXXX";
    int writer = mkstemp(path), reader, pipes[2];

    (void)state;
    assert_true(writer >= 0);
    reader = open(path, O_RDONLY | O_CLOEXEC);
    assert_true(reader >= 0);
    assert_int_equal(lease_probe_write(reader), LEASE_WRITE);
    close(writer);
    assert_int_equal(lease_probe_write(reader), LEASE_READ);
    assert_int_equal(fcntl(reader, F_GETLEASE), F_UNLCK); /* nothing is kept */
    assert_int_equal(lease_probe_write(reader), LEASE_READ);
    writer = open(path, O_RDWR | O_CLOEXEC);
    assert_int_equal(lease_probe_write(reader), LEASE_WRITE);
    close(writer);
    close(reader);
    assert_int_equal(unlink(path), 0);
    assert_int_equal(lease_probe_write(-1), LEASE_WRITE); /* unknown is write */
    assert_int_equal(pipe(pipes), 0);
    assert_int_equal(lease_probe_write(pipes[0]), LEASE_NOT_APPLICABLE);
    close(pipes[0]);
    close(pipes[1]);
}

static void test_signal_is_ignored(void **state)
{
    (void)state;
    assert_int_equal(lease_ignore_signal(), 0);
    assert_int_equal(raise(SIGIO), 0); /* would have killed us */
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_probe), cmocka_unit_test(test_signal_is_ignored)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
