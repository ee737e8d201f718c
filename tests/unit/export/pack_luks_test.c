#include "export/pack.h"

#include "test.h"

#include <errno.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "container_check.h"
#include "pack_fixture.h"

static int pack(struct fixture *x)
{
    const struct pack_options o = options_of(x);

    return pack_luks(&o);
}

static void test_opens_with_the_password(void **state)
{
    struct fixture *x = *state;

    assert_int_equal(pack(x), 0);
    assert_true(x->told >= 3);
    check_image(x->out, PASSWORD, &x->members);
}

static void test_not_with_another(void **state)
{
    uint8_t key[SECTORS_KEY_SIZE];
    struct fixture *x = *state;

    assert_int_equal(pack(x), 0);
    assert_int_equal(key_of(x->out, "AAAAA-BBBBB-CCCCC-DDDDD-EEEEF", key), -EPERM);
    assert_int_equal(key_of(x->out, "", key), -EPERM);
}

/* Around the sizes of a sector and of what is packed at once. */
static void test_sizes(void **state)
{
    static const size_t sizes[] = {1, 511, 4095, 4096, 4097, 8192, 256 * 1024 - 1, 256 * 1024, 256 * 1024 + 1};
    struct fixture *x = *state;
    char name[32];

    for (size_t i = 0; i < sizeof(sizes) / sizeof(sizes[0]); i++) {
        (void)snprintf(name, sizeof(name), "%zu", sizes[i]);
        add(x, name, large, sizes[i]);
    }
    assert_int_equal(pack(x), 0);
    check_image(x->out, PASSWORD, &x->members);
}

static void test_many_of_the_longest_names(void **state)
{
    struct fixture *x = *state;
    char name[EXPORT_NAME_MAX + 1];

    for (unsigned i = (unsigned)x->members.n; i < EXPORT_FILES_MAX; i++) {
        size_t n = (size_t)snprintf(name, sizeof(name), "%03u", i);

        while (n + 3 <= EXPORT_NAME_MAX)
            n += (size_t)snprintf(name + n, sizeof(name) - n, "住");
        assert_int_equal(n, EXPORT_NAME_MAX);
        add(x, name, &i, sizeof(i));
    }
    assert_int_equal(pack(x), 0);
    check_image(x->out, PASSWORD, &x->members);
}

/* Past what one extent, and one group of the filesystem, hold (128 MiB). */
static void test_large(void **state)
{
    struct fixture *x = *state;
    struct export_member m = {.name = "大.bin", .offset = export_members_size(&x->members), .size = (130 << 20) + 1};
    _cleanup_free_ uint8_t *zeros = calloc(1, m.size);

    assert_int_equal(ftruncate(x->staged, (off_t)(m.offset + m.size)), 0);
    assert_int_equal(digest_bytes(zeros, m.size, &m.sha256), 0);
    assert_int_equal(export_members_add(&x->members, &m), 0);
    assert_int_equal(lseek(x->staged, 0, SEEK_END), m.offset + m.size);
    add(x, "behind", "it", 2);
    assert_int_equal(pack(x), 0);
    check_image(x->out, PASSWORD, &x->members);
    /* What comes along: the header, and next to nothing of a filesystem. */
    assert_in_range(lseek(x->out, 0, SEEK_END), m.offset + m.size, m.offset + m.size + LUKS_HEADER_SIZE + (512 << 10));
}

static void test_time(void **state)
{
    static const int64_t seconds[] = {1795450000, INT64_C(7000000000)};
    struct fixture *x = *state;
    struct pack_options o = options_of(x);

    for (size_t i = 0; i < sizeof(seconds) / sizeof(seconds[0]); i++) {
        struct ext2_inode_large inode;
        ext2_filsys fs;
        int clear;

        o.wall_us = seconds[i] * 1000000;
        assert_int_equal(pack_luks(&o), 0);
        clear = decrypt(x->out, PASSWORD);
        fs = open_image(clear);
        assert_int_equal(
            ext2fs_read_inode_full(fs, EXT2_GOOD_OLD_FIRST_INO, (struct ext2_inode *)&inode, sizeof(inode)), 0);
        /* As the kernel reads it. */
        assert_int_equal((int32_t)inode.i_mtime + ((int64_t)(inode.i_mtime_extra & 3) << 32), seconds[i]);
        ext2fs_close_free(&fs);
        close(clear);
    }
}

static bool holds(const uint8_t *all, size_t size, const char *text)
{
    return memmem(all, size, text, strlen(text)) != NULL;
}

static void test_nothing_in_the_clear(void **state)
{
    struct fixture *x = *state;
    size_t size;
    uint8_t *all;

    add(x, "見出し.txt", "a sentence that is not to be read", 33);
    assert_int_equal(pack(x), 0);
    size = (size_t)lseek(x->out, 0, SEEK_END);
    all = mmap(NULL, size, PROT_READ, MAP_SHARED, x->out, 0);
    assert_ptr_not_equal(all, MAP_FAILED);
    assert_true(holds(all, size, "argon2id")); /* it looks where it should */
    assert_false(holds(all, size, "a sentence"));
    assert_false(holds(all, size, "見出し"));
    assert_false(holds(all, size, "名簿"));
    assert_false(holds(all, size, "AAAAA"));
    assert_null(memmem(all, size, large, 32));
    /* Not even what is empty. */
    for (size_t at = LUKS_HEADER_SIZE; at < size; at += SECTORS_SIZE)
        assert_false(all[at] == 0 && memcmp(all + at, all + at + 1, SECTORS_SIZE - 1) == 0);
    munmap(all, size);
}

static void test_another_key_each_time(void **state)
{
    uint8_t a[SECTORS_KEY_SIZE], b[SECTORS_KEY_SIZE];
    struct fixture *x = *state;

    assert_int_equal(pack(x), 0);
    assert_int_equal(key_of(x->out, PASSWORD, a), SECTORS_KEY_SIZE);
    assert_int_equal(pack(x), 0);
    assert_int_equal(key_of(x->out, PASSWORD, b), SECTORS_KEY_SIZE);
    assert_memory_not_equal(a, b, 32);
    assert_memory_not_equal(a + 32, b + 32, 32);
}

static void test_no_room(void **state)
{
    const struct rlimit little = {900 << 10, RLIM_INFINITY};
    struct fixture *x = *state;
    struct rlimit before;

    (void)signal(SIGXFSZ, SIG_IGN);
    assert_int_equal(getrlimit(RLIMIT_FSIZE, &before), 0);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &little), 0);
    assert_int_equal(pack(x), PACK_E_FULL);
    assert_int_equal(setrlimit(RLIMIT_FSIZE, &before), 0);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_opens_with_the_password),
        TEST(test_not_with_another),
        TEST(test_sizes),
        TEST(test_many_of_the_longest_names),
        TEST(test_large),
        TEST(test_time),
        TEST(test_nothing_in_the_clear),
        TEST(test_another_key_each_time),
        TEST(test_no_room),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
