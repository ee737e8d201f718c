#include "export/put.h"

#include "scratch.h"
#include "test.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

struct fixture {
    char dir[64];
    int source;
    struct put_item items[3];
    struct put_options o;
    struct place place;
    unsigned stop_after, told;
    bool spoil; /* change what was written before it is read back */
};

static char content[3000000];

static int on_progress(void *context, bool check, uint64_t done, uint64_t total)
{
    struct fixture *x = context;

    assert_true(done <= total);
    x->told++;
    if (x->spoil && !check && done == total) {
        int part = openat(x->o.root, ".kuraban-test.part", O_RDONLY | O_DIRECTORY), fd = openat(part, "b", O_WRONLY);

        assert_int_equal(pwrite(fd, "!", 1, 0), 1);
        close(fd);
        close(part);
    }
    return x->stop_after != 0 && x->told > x->stop_after ? PUT_E_STOPPED : 0;
}

static int setup(void **state)
{
    static const char *const names[] = {"a", "b", "c"};
    struct fixture *x = calloc(1, sizeof(*x));
    uint64_t at = 0;

    for (size_t i = 0; i < sizeof(content); i++)
        content[i] = (char)(i ^ i >> 8 ^ i >> 16);
    (void)snprintf(x->dir, sizeof(x->dir), "/tmp/kuraban-put-XXXXXX");
    assert_non_null(mkdtemp(x->dir));
    x->source = memfd_create("source", MFD_CLOEXEC);
    assert_int_equal(write(x->source, content, sizeof(content)), sizeof(content));
    for (size_t i = 0; i < 3; i++) {
        uint64_t size = i == 0 ? 5 : i == 1 ? sizeof(content) - 5 : 0;

        x->items[i] = (struct put_item){.fd = x->source, .offset = at, .size = size, .name = names[i]};
        assert_int_equal(digest_bytes(content + at, size, &x->items[i].sha256), 0);
        at += size;
    }
    x->o = (struct put_options){.root = open(x->dir, O_RDONLY | O_DIRECTORY | O_CLOEXEC),
                                .id = "test",
                                .final = "export.d",
                                .items = x->items,
                                .n = 3,
                                .progress = on_progress,
                                .context = x};
    *state = x;
    return 0;
}

static int teardown(void **state)
{
    struct fixture *x = *state;

    place_done(&x->place);

    scratch_remove(x->dir);
    close(x->o.root);
    close(x->source);
    free(x);
    return 0;
}

static unsigned count(struct fixture *x)
{
    DIR *dir = opendir(x->dir);
    unsigned n = 0;

    while (readdir(dir))
        n++;
    closedir(dir);
    return n - 2;
}

static bool exists(struct fixture *x, const char *name)
{
    return faccessat(x->o.root, name, F_OK, AT_SYMLINK_NOFOLLOW) == 0;
}

static int write_it(struct fixture *x)
{
    int r;

    place_done(&x->place);
    r = put_check(&x->o, &x->place);
    return r != 0 ? r : put_write(&x->o);
}

static void is_whole(struct fixture *x, const char *path, size_t item)
{
    int fd = openat(x->o.root, path, O_RDONLY);
    struct digest d;

    assert_true(fd >= 0);
    assert_int_equal(digest_fd(fd, sizeof(content), &d), 0);
    assert_true(digest_equal(&d, &x->items[item].sha256));
    close(fd);
}

static void test_several_become_a_directory(void **state)
{
    struct fixture *x = *state;
    char name[256];

    assert_int_equal(write_it(x), 0);
    assert_int_equal(count(x), 1);
    assert_true(exists(x, ".kuraban-test.part"));
    assert_int_equal(put_commit(&x->o, &x->place, name), 0);
    assert_string_equal(name, "export.d");
    assert_int_equal(count(x), 1);
    is_whole(x, "export.d/a", 0);
    is_whole(x, "export.d/b", 1);
    is_whole(x, "export.d/c", 2);
}

static void test_one_is_a_file_and_overwrites_none(void **state)
{
    struct fixture *x = *state;
    char name[256];

    x->o.n = 1;
    x->o.final = "list.csv";
    assert_int_equal(mknodat(x->o.root, "list.csv", S_IFREG | 0600, 0), 0);
    assert_int_equal(symlinkat("/etc/passwd", x->o.root, "list (2).csv"), 0);
    assert_int_equal(write_it(x), 0);
    assert_int_equal(put_commit(&x->o, &x->place, name), 0);
    assert_string_equal(name, "list (3).csv");
    is_whole(x, "list (3).csv", 0);
    assert_int_equal(count(x), 3);
}

/* vfat of Linux has them side by side; who opens one of them in Windows gets the other. */
static void test_one_that_is_the_same_to_others(void **state)
{
    struct fixture *x = *state;
    char name[256];

    x->o.n = 1;
    x->o.final = "\u00e9.csv";
    assert_int_equal(mknodat(x->o.root, "\u00c9.CSV", S_IFREG | 0600, 0), 0);
    assert_int_equal(mknodat(x->o.root, "E\u0301 (2).csv", S_IFREG | 0600, 0), 0);
    assert_int_equal(mknodat(x->o.root, "\x96\xbc" /* Shift_JIS */, S_IFREG | 0600, 0), 0);
    assert_int_equal(write_it(x), 0);
    assert_int_equal(put_commit(&x->o, &x->place, name), 0);
    assert_string_equal(name, "\u00e9 (3).csv");
    is_whole(x, name, 0);
    assert_int_equal(count(x), 4);
}

static void make(struct fixture *x, const char *front, unsigned from, unsigned to, const char *end)
{
    for (unsigned i = from; i <= to; i++) {
        char name[64];

        (void)snprintf(name, sizeof(name), "%s%u%s", front, i, end);
        assert_int_equal(mknodat(x->o.root, name, S_IFREG | 0600, 0), 0);
    }
}

/* Whoever made the medium ready for it to take for ever: its names are read once, and nothing is written where none is free. */
static void test_no_name_is_free(void **state)
{
    struct fixture *x = *state;
    unsigned told;
    char name[256];

    x->o.n = 1;
    x->o.final = "list.csv";
    assert_int_equal(mknodat(x->o.root, "list.csv", S_IFREG | 0600, 0), 0);
    make(x, "LIST (", 2, PLACE_NAMES - 1, ").csv");
    assert_int_equal(write_it(x), 0);
    assert_int_equal(put_commit(&x->o, &x->place, name), 0);
    assert_string_equal(name, "list (1000).csv");
    told = x->told;
    assert_int_equal(write_it(x), PUT_E_TAKEN);
    assert_int_equal(x->told, told);
}

static void test_too_many_names(void **state)
{
    struct fixture *x = *state;

    x->o.n = 1;
    x->o.final = "list.csv";
    make(x, "n", 1, PLACE_ENTRIES_MAX + 1, "");
    x->stop_after = 3;
    assert_int_equal(write_it(x), PUT_E_STOPPED); /* while the names are read */
    assert_int_equal(x->told, 4);
    x->stop_after = 0;
    assert_int_equal(write_it(x), PUT_E_TAKEN);
    assert_int_equal(faccessat(x->o.root, ".kuraban-test.part", F_OK, 0), -1);
}

/* As with a long name on vfat, whose short one is another file's. */
static void test_two_of_one_name(void **state)
{
    struct fixture *x = *state;

    x->items[2].name = x->items[0].name;
    assert_int_equal(write_it(x), PUT_E_TAKEN);
    assert_int_equal(count(x), 0);
}

static void test_stopped_anywhere_leaves_nothing(void **state)
{
    struct fixture *x = *state;

    for (x->stop_after = 1; x->stop_after <= 7; x->stop_after++) {
        x->told = 0;
        assert_int_equal(write_it(x), PUT_E_STOPPED);
        assert_int_equal(count(x), 0);
    }
}

static void test_aborted_before_its_name(void **state)
{
    struct fixture *x = *state;

    assert_int_equal(write_it(x), 0);
    put_abort(&x->o);
    assert_int_equal(count(x), 0);
}

static void test_what_is_read_back_differs(void **state)
{
    struct fixture *x = *state;

    x->spoil = true;
    assert_int_equal(write_it(x), PUT_E_DIFFERS);
    assert_int_equal(count(x), 0);
}

static void test_what_was_staged_differs(void **state)
{
    struct fixture *x = *state;

    assert_int_equal(ftruncate(x->source, 1000), 0);
    assert_int_equal(write_it(x), PUT_E_DIFFERS);
    assert_int_equal(count(x), 0);
}

static void test_no_room(void **state)
{
    struct fixture *x = *state;

    x->items[1].size = UINT64_C(1) << 60;
    assert_int_equal(write_it(x), PUT_E_FULL);
    assert_int_equal(x->told, 0);
    assert_int_equal(count(x), 0);
}

static void test_too_large(void **state)
{
    (void)state;
    assert_false(put_is_too_large(MSDOS_SUPER_MAGIC, UINT32_MAX));
    assert_true(put_is_too_large(MSDOS_SUPER_MAGIC, (uint64_t)UINT32_MAX + 1));
    assert_false(put_is_too_large(EXFAT_SUPER_MAGIC, UINT64_MAX));
    assert_false(put_is_too_large(EXT4_SUPER_MAGIC, UINT64_MAX));
}

static void test_cleans_up_after_its_own(void **state)
{
    static const char *const ids[] = {"0011", "0012", "0013", "0014", "0015"};
    struct fixture *x = *state;
    char name[256];

    assert_int_equal(mkdirat(x->o.root, ".kuraban-0011.part", 0755), 0);
    assert_int_equal(mknodat(x->o.root, ".kuraban-0011.part/a", S_IFREG | 0600, 0), 0);
    /* Ours are directories of files, whatever else has such a name. */
    assert_int_equal(mknodat(x->o.root, ".kuraban-0012.part", S_IFREG | 0600, 0), 0);
    assert_int_equal(mkdirat(x->o.root, "keep", 0755), 0);
    assert_int_equal(mknodat(x->o.root, "keep/a", S_IFREG | 0600, 0), 0);
    assert_int_equal(symlinkat("keep", x->o.root, ".kuraban-0013.part"), 0);
    assert_int_equal(mkdirat(x->o.root, ".kuraban-0014.part", 0755), 0);
    assert_int_equal(mkdirat(x->o.root, ".kuraban-0014.part/b", 0755), 0);
    /* Of another terminal, or nobody knows whose. */
    assert_int_equal(mkdirat(x->o.root, ".kuraban-0016.part", 0755), 0);
    assert_int_equal(mknodat(x->o.root, ".kuraban-x.part", S_IFREG | 0600, 0), 0);
    assert_int_equal(put_clean(x->o.root, ids, 5), 1);
    assert_int_equal(count(x), 6);
    assert_true(exists(x, "keep/a"));
    assert_true(exists(x, ".kuraban-0014.part/b"));
    /* And none of it is in the way. */
    assert_int_equal(write_it(x), 0);
    assert_int_equal(put_commit(&x->o, &x->place, name), 0);
    assert_int_equal(count(x), 7);
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, setup, teardown)

int main(void)
{
    const struct CMUnitTest tests[] = {
        TEST(test_several_become_a_directory),
        TEST(test_one_is_a_file_and_overwrites_none),
        TEST(test_one_that_is_the_same_to_others),
        TEST(test_no_name_is_free),
        TEST(test_too_many_names),
        TEST(test_two_of_one_name),
        TEST(test_stopped_anywhere_leaves_nothing),
        TEST(test_aborted_before_its_name),
        TEST(test_what_is_read_back_differs),
        TEST(test_what_was_staged_differs),
        TEST(test_no_room),
        cmocka_unit_test(test_too_large),
        TEST(test_cleans_up_after_its_own),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
