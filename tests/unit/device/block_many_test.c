/* Many block devices. */
#include "unit/device/block_fixture.h"

#include <stdio.h>
#include <time.h>

#define LOOP_FROM 100

static double processor_time(void)
{
    struct timespec t;

    assert_int_equal(clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &t), 0);
    return (double)t.tv_sec + (double)t.tv_nsec / 1e9;
}

/* In processor time, whatever else the machine does: eight times as many loop devices cost eight times as much, not sixty-four. */
static void test_loops_are_not_compared(void **state)
{
    struct fixture *x = *state;
    char path[128], number[32];
    double first = 0, last = 0;
    unsigned made = 0;

    fake_block_proc(&x->f, "self/mountinfo", "20 1 8:0 / / rw - ext4 /dev/sda rw\n");
    fixture_start(x, EXIT_MODE_ON, NULL, 0);
    for (unsigned n = 50; n <= 400; n *= 8) {
        for (; made < n; made++) {
            (void)snprintf(path, sizeof(path), "/devices/virtual/block/loop%u", LOOP_FROM + made);
            (void)snprintf(number, sizeof(number), "7:%u", LOOP_FROM + made);
            fake_block_disk(&x->f, path, number, 100, "0\n");
            (void)snprintf(path, sizeof(path), "class/block/loop%u/loop/backing_file", LOOP_FROM + made);
            fake_block_set(&x->f, path, "/home/u/image\n");
        }
        first = first > 0 ? first : last;
        last = processor_time();
        for (unsigned i = 0; i < 3; i++)
            assert_int_equal(block_manager_tick(x->b, 2), 0);
        last = processor_time() - last;
    }
    print_message("three ticks: %.4f s with 50 loop devices, %.4f s with 400\n", first, last);
    assert_true(first > 0 && last < first * 24);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_loops_are_not_compared, fixture_setup, fixture_teardown),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
