#include "test.h"

#include "gate/inodes.h"

#include <errno.h>

static void test_add_find_grow(void **state)
{
    struct inodes *t;
    uint32_t store = 99;

    (void)state;
    assert_int_equal(inodes_new(1000, &t), 0);
    assert_int_equal(inodes_find(t, 1, 1, &store), 0);
    assert_int_equal(store, 99);
    for (ino_t i = 1; i <= 500; i++) {
        assert_int_equal(inodes_add(t, 7, i, i + 100, (uint32_t)(i % 3)), 1);
        assert_int_equal(inodes_add(t, 8, i, 0, 5), 1); /* the same inode of another filesystem */
    }
    assert_int_equal(inodes_count(t), 1000);
    for (ino_t i = 1; i <= 500; i++) {
        assert_int_equal(inodes_find(t, 7, i, &store), 1);
        assert_int_equal(store, i % 3);
        assert_int_equal(inodes_find(t, 8, i, &store), 1);
        assert_int_equal(store, 5);
    }
    assert_int_equal(inodes_find(t, 9, 1, &store), 0);
    assert_int_equal(inodes_add(t, 7, 501, 0, 0), -ENOBUFS);
    assert_int_equal(inodes_add(t, 7, 500, 77, 2), 0); /* known ones may still change */
    assert_int_equal(inodes_find(t, 7, 500, &store), 1);
    assert_int_equal(inodes_find_life(t, 7, 500, 600, &store), 0); /* the file that had the number before */
    assert_int_equal(inodes_find_life(t, 7, 500, 77, &store), 1);
    assert_int_equal(store, 2);
    assert_int_equal(inodes_add(t, 7, 0, 0, 0), -EINVAL);
    assert_null(inodes_free(t));
}

int main(void)
{
    const struct CMUnitTest tests[] = {cmocka_unit_test(test_add_find_grow)};

    return cmocka_run_group_tests(tests, NULL, NULL);
}
