#include "export/members.h"

#include "test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

static int file(void)
{
    return memfd_create("members", MFD_CLOEXEC);
}

static void add(struct export_members *m, const char *name, uint64_t size)
{
    struct export_member item = {.offset = export_members_size(m), .size = size};

    (void)snprintf(item.name, sizeof(item.name), "%s", name);
    memset(item.sha256.bytes, (int)m->n + 1, DIGEST_SIZE);
    assert_int_equal(export_members_add(m, &item), 0);
}

static void test_there_and_back(void **state)
{
    struct export_members m = {0}, got = {0};
    int fd = file();

    (void)state;
    add(&m, "名簿.csv", 10);
    add(&m, "empty", 0);
    add(&m, "b", 7);
    assert_int_equal(export_members_save(&m, fd), 0);
    assert_int_equal(export_members_load(fd, 16, &got), -EBADMSG);
    assert_int_equal(export_members_load(fd, 18, &got), -EBADMSG);
    assert_null(got.items);
    assert_int_equal(export_members_load(fd, 17, &got), 0);
    assert_int_equal(got.n, 3);
    assert_string_equal(got.items[0].name, "名簿.csv");
    assert_int_equal(got.items[2].offset, 10);
    assert_int_equal(got.items[2].size, 7);
    assert_int_equal(got.items[2].sha256.bytes[31], 3);
    export_members_done(&got);
    export_members_done(&m);
    close(fd);
}

/* Whoever wrote it had fewer rights than who reads it. */
static void test_not_believed(void **state)
{
    static const char *const names[] = {"../x", "a/b", "", "..", "a\n", "\xe2\x80\xae", "\xff", "con"};

    (void)state;
    for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
        struct export_members m = {0}, got = {0};
        int fd = file();

        add(&m, names[i], 1);
        assert_int_equal(export_members_save(&m, fd), 0);
        assert_int_equal(export_members_load(fd, 1, &got), -EBADMSG);
        export_members_done(&m);
        close(fd);
    }
}

static void test_sizes(void **state)
{
    struct export_members m = {0}, got = {0};
    int fd = file();

    (void)state;
    add(&m, "a", UINT64_MAX);
    add(&m, "b", 2);
    assert_int_equal(export_members_save(&m, fd), 0);
    assert_int_equal(export_members_load(fd, 1, &got), -EBADMSG);
    export_members_done(&m);
    close(fd);
}

/* Cut anywhere it is nothing, or the whole members before. */
static void test_cut(void **state)
{
    struct export_members m = {0};
    int fd = file();
    off_t size, whole;

    (void)state;
    add(&m, "abc", 1);
    assert_int_equal(export_members_save(&m, fd), 0);
    whole = lseek(fd, 0, SEEK_CUR);
    add(&m, "de", 1);
    assert_int_equal(ftruncate(fd, 0), 0);
    assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
    assert_int_equal(export_members_save(&m, fd), 0);
    for (size = lseek(fd, 0, SEEK_CUR) - 1; size >= 0; size--) {
        struct export_members got = {0};

        assert_int_equal(ftruncate(fd, size), 0);
        assert_int_equal(export_members_load(fd, 1, &got), size == whole ? 0 : -EBADMSG);
        export_members_done(&got);
    }
    export_members_done(&m);
    close(fd);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_there_and_back),
        cmocka_unit_test(test_not_believed),
        cmocka_unit_test(test_sizes),
        cmocka_unit_test(test_cut),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
