/* Children that end, are left, do their work slowly, or do nothing. */
#include "export/child.h"

#include "test.h"

#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"

enum {
    PULSE_MS = 400
};

struct fixture {
    int pair[2];
    bool left;
    uint64_t *pulse;
    int start_ms; /* 0: as long as it shows that it works */
};

static int setup(void **state)
{
    struct fixture *x = calloc(1, sizeof(*x));

    assert_int_equal(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, x->pair), 0);
    x->pulse = child_pulse_new();
    assert_non_null(x->pulse);
    *state = x;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *x = *state;

    assert_int_equal(waitpid(-1, NULL, WNOHANG), -1); /* nobody is left */
    child_pulse_free(x->pulse);
    close(x->pair[0]);
    if (x->pair[1] >= 0)
        close(x->pair[1]);
    free(x);
    return 0;
}

static bool is_left(const void *context)
{
    const struct fixture *x = context;

    return x->left;
}

static void rest(unsigned ms)
{
    const struct timespec t = {0, (long)ms * 1000000};

    (void)nanosleep(&t, NULL);
}

static int wait_for(struct fixture *x, pid_t pid, bool pulse)
{
    const struct child c = {pid, x->pair, 1, is_left, x, pulse ? x->pulse : NULL, PULSE_MS, x->start_ms, PULSE_MS / 16};

    return child_wait(&c);
}

static void test_ends(void **state)
{
    pid_t pid = fork();

    if (pid == 0)
        _exit(7);
    assert_int_equal(wait_for(*state, pid, true), 7);
}

static void test_is_killed(void **state)
{
    pid_t pid = fork();

    if (pid == 0) {
        (void)raise(SIGKILL);
        _exit(0);
    }
    assert_int_equal(wait_for(*state, pid, false), -ECHILD);
}

static _Noreturn void work(struct fixture *x, int beats, uint64_t at_once)
{
    for (int i = 0; i < beats; i++) {
        rest(PULSE_MS / 8);
        child_pulse_beat(x->pulse, at_once);
    }
    _exit(3);
}

/* Twice as long as one that does nothing may take. */
static void test_works_slowly(void **state)
{
    struct fixture *x = *state;
    pid_t pid = fork();

    if (pid == 0)
        work(x, 16, 1);
    assert_int_equal(wait_for(x, pid, true), 3);
    assert_int_equal(*x->pulse, 16);
}

/* It beats in time, but each beat earns half of the time that it takes. */
static void test_trickles(void **state)
{
    struct fixture *x = *state;
    pid_t pid = fork();

    x->start_ms = PULSE_MS;
    if (pid == 0)
        work(x, 100, 1);
    assert_int_equal(wait_for(x, pid, true), -ETIMEDOUT);
    assert_in_range(*x->pulse, 4, 99);
}

/* The same time, twice as much done in it. */
static void test_works_on(void **state)
{
    struct fixture *x = *state;
    pid_t pid = fork();

    x->start_ms = PULSE_MS;
    if (pid == 0)
        work(x, 30, 4);
    assert_int_equal(wait_for(x, pid, true), 3);
    assert_int_equal(*x->pulse, 120);
}

static _Noreturn void do_nothing(struct fixture *x)
{
    close(x->pair[1]);
    child_pulse_beat(x->pulse, 1);
    for (;;)
        (void)pause();
}

static void test_does_nothing_more(void **state)
{
    struct fixture *x = *state;
    uint64_t begun_us = clock_boottime_us();
    pid_t pid = fork();

    if (pid == 0)
        do_nothing(x);
    assert_int_equal(wait_for(x, pid, true), -ETIMEDOUT);
    assert_true(clock_boottime_us() - begun_us >= PULSE_MS * 1000);
}

static void test_somebody_leaves(void **state)
{
    struct fixture *x = *state;
    pid_t pid = fork();

    if (pid == 0)
        do_nothing(x);
    x->left = true;
    close(x->pair[1]); /* that is when it looks */
    x->pair[1] = -1;
    assert_int_equal(wait_for(x, pid, false), -ECHILD);
}

/* Who waits was stopped meanwhile, as when the machine sleeps: that is nobody's hanging. */
static _Noreturn void stop_who_waits(struct fixture *x, pid_t pid)
{
    assert_int_equal(kill(pid, SIGSTOP), 0);
    for (unsigned i = 0; i < 30; i++)
        rest(100);
    assert_int_equal(kill(pid, SIGCONT), 0);
    child_pulse_beat(x->pulse, 1);
    _exit(3);
}

static void test_time_asleep_does_not_count(void **state)
{
    struct fixture *x = *state;
    pid_t waits = fork();
    int status = 0;

    if (waits == 0) {
        struct child c = {.is_left = is_left, .context = x, .pulse = x->pulse, .pulse_ms = 2000};

        c.pid = fork();
        if (c.pid == 0)
            stop_who_waits(x, getppid());
        _exit(child_wait(&c) == 3 ? 0 : 1);
    }
    assert_int_equal(waitpid(waits, &status, 0), waits);
    assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_ends),
        TEST(test_is_killed),
        TEST(test_works_slowly),
        TEST(test_trickles),
        TEST(test_works_on),
        TEST(test_does_nothing_more),
        TEST(test_somebody_leaves),
        TEST(test_time_asleep_does_not_count),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
