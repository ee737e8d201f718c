#include "export/sectors.h"

#include "test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

/* That dm-crypt reads the same is for component/daemon_export, where cryptsetup decrypts, and for vm, where the kernel does. */

enum {
    N = 150,
    OFFSET = 12345, /* nothing asks for a round one */
    SIZE = N * SECTORS_SIZE,
};

struct fixture {
    int fd;
    struct sectors *sectors;
    uint8_t plain[SIZE], got[SIZE];
};

static int setup(void **state)
{
    struct fixture *x = calloc(1, sizeof(*x));
    uint8_t key[SECTORS_KEY_SIZE];

    for (size_t i = 0; i < sizeof(key); i++)
        key[i] = (uint8_t)i;
    x->fd = memfd_create("sectors", MFD_CLOEXEC);
    assert_int_equal(sectors_new(x->fd, OFFSET, N, key, &x->sectors), 0);
    *state = x;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *x = *state;

    assert_null(sectors_free(x->sectors));
    close(x->fd);
    free(x);
    return 0;
}

static void write_both(struct fixture *x, uint64_t at, size_t size, uint8_t first)
{
    for (size_t i = 0; i < size; i++)
        x->plain[at + i] = (uint8_t)(first + i % 251);
    assert_int_equal(sectors_write(x->sectors, at, x->plain + at, size), 0);
}

/* In pieces of any size, at any place, over each other. */
static void test_reads_what_was_written(void **state)
{
    static const struct {
        uint64_t at;
        size_t size;
    } writes[] = {{0, 1},
                  {1024, 1024},
                  {4095, 2},
                  {8192, 4096},
                  {3 * 4096, 70 * 4096},
                  {5 * 4096, 4096},
                  {100 * 4096 + 7, 20000},
                  {SIZE - 5000, 5000},
                  {90 * 4096 + 4000, 100},
                  {10000, 0}};
    struct fixture *x = *state;

    for (size_t i = 0; i < sizeof(writes) / sizeof(writes[0]); i++)
        write_both(x, writes[i].at, writes[i].size, (uint8_t)(i * 17));
    memset(x->got, 0xff, SIZE);
    assert_int_equal(sectors_read(x->sectors, 0, x->got, SIZE), 0);
    assert_memory_equal(x->got, x->plain, SIZE);
    assert_int_equal(sectors_read(x->sectors, 4090, x->got, 20), 0);
    assert_memory_equal(x->got, x->plain + 4090, 20);
}

static void test_not_past_the_end(void **state)
{
    struct fixture *x = *state;

    assert_int_equal(sectors_write(x->sectors, SIZE, x->plain, 1), -ERANGE);
    assert_int_equal(sectors_write(x->sectors, SIZE - 1, x->plain, 2), -ERANGE);
    assert_int_equal(sectors_write(x->sectors, UINT64_MAX, x->plain, 2), -ERANGE);
    assert_int_equal(sectors_read(x->sectors, SIZE - 1, x->got, 2), -ERANGE);
    assert_int_equal(lseek(x->fd, 0, SEEK_END), 0);
}

/* Every sector is there in the end, none as it is, none like another of the same content. */
static void test_nothing_in_the_clear(void **state)
{
    struct fixture *x = *state;

    for (uint64_t i = 0; i < 10; i++)
        assert_int_equal(sectors_write(x->sectors, i * 7 * SECTORS_SIZE, x->plain, SECTORS_SIZE), 0); /* zeros */
    assert_int_equal(sectors_fill(x->sectors), 0);
    assert_int_equal(lseek(x->fd, 0, SEEK_END), OFFSET + SIZE);
    assert_int_equal(pread(x->fd, x->got, SIZE, OFFSET), SIZE);
    for (size_t i = 0; i < N; i++) {
        assert_memory_not_equal(x->got + i * SECTORS_SIZE, x->plain, 16);
        for (size_t k = 0; k < i; k++)
            assert_memory_not_equal(x->got + i * SECTORS_SIZE, x->got + k * SECTORS_SIZE, 16);
    }
    assert_int_equal(sectors_read(x->sectors, 0, x->got, SIZE), 0);
    assert_memory_equal(x->got, x->plain, SIZE);
}

static void test_refuses_equal_halves(void **state)
{
    static const uint8_t zeros[SECTORS_KEY_SIZE];
    struct sectors *s = NULL;

    (void)state;
    assert_int_equal(sectors_new(1, 0, 1, zeros, &s), -EIO);
    assert_null(s);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_reads_what_was_written),
        TEST(test_not_past_the_end),
        TEST(test_nothing_in_the_clear),
        cmocka_unit_test(test_refuses_equal_halves),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
