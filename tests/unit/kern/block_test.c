#include "kern/block.h"

#include "test.h"

#include <errno.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "fake/sysfs_block.h"

static void test_names(void **state)
{
    char node[BLOCK_NAME_SIZE], longest[BLOCK_NAME_SIZE + 1];

    (void)state;
    assert_true(block_name_valid("sdb1"));
    assert_false(block_name_valid(""));
    assert_false(block_name_valid("../sda"));
    assert_false(block_name_valid("a/b"));
    assert_false(block_name_valid(".."));
    memset(longest, 'a', BLOCK_NAME_SIZE);
    longest[BLOCK_NAME_SIZE] = '\0';
    assert_false(block_name_valid(longest));
    block_node("cciss!c0d0", node);
    assert_string_equal(node, "cciss/c0d0");
}

static void test_reading(void **state)
{
    char path[256], disk[BLOCK_NAME_SIZE];
    struct fake_block f;
    uint64_t n;
    dev_t d;

    (void)state;
    fake_block_init(&f);
    fake_block_disk(&f, "/devices/pci0/usb1/1-1/block/sdb", "8:16", 2048, "1\n");
    fake_block_partition(&f, "/devices/pci0/usb1/1-1/block/sdb", "sdb1", "8:17", 1024);
    assert_int_equal(block_sysfs_path(f.sysfs, "sdb1", path, sizeof(path)), 0);
    assert_string_equal(path, "/devices/pci0/usb1/1-1/block/sdb/sdb1");
    assert_int_equal(block_sysfs_path(f.sysfs, "sdb1", path, 10), -ENAMETOOLONG);
    assert_int_equal(block_sysfs_path(f.sysfs, "nope", path, sizeof(path)), -ENOENT);
    assert_int_equal(block_disk(f.sysfs, "sdb1", disk), 0);
    assert_string_equal(disk, "sdb");
    assert_int_equal(block_disk(f.sysfs, "sdb", disk), 0);
    assert_string_equal(disk, "sdb");
    assert_true(block_is_partition(f.sysfs, "sdb1"));
    assert_false(block_is_partition(f.sysfs, "sdb"));
    assert_int_equal(block_count_partitions(f.sysfs, "sdb"), 1);
    assert_int_equal(block_read_device(f.sysfs, "sdb1", &d), 0);
    assert_int_equal(d, makedev(8, 17));
    assert_int_equal(block_diskseq(f.sysfs, "sdb1", &n), 0);
    assert_int_equal(n, 1);
    assert_int_equal(block_read_only(f.sysfs, "sdb"), 0);
    fake_block_set(&f, "class/block/sdb/ro", "1\n");
    assert_int_equal(block_read_only(f.sysfs, "sdb"), 1);
    fake_block_set(&f, "class/block/sdb/ro", "maybe\n");
    assert_int_equal(block_read_only(f.sysfs, "sdb"), -EINVAL);
    assert_int_equal(block_read_only(f.sysfs, "../../x"), -EINVAL);
    fake_block_set(&f, "class/block/sdb/dev", "8\n");
    assert_int_equal(block_read_device(f.sysfs, "sdb", &d), -EBADMSG);
    fake_block_done(&f);
}

/* The node must be the very block device that was meant: anything else is refused before the ioctl. */
static void test_set_read_only_checks_the_node(void **state)
{
    struct fake_block f;

    (void)state;
    fake_block_init(&f);
    fake_block_set(&f, "sdb", "a regular file\n");
    assert_int_equal(block_set_read_only(f.sysfs, "sdb", makedev(8, 16), true), -ENODEV);
    assert_int_equal(block_set_read_only(f.sysfs, "absent", makedev(8, 16), true), -ENOENT);
    assert_int_equal(block_set_read_only(f.sysfs, "../sdb", makedev(8, 16), true), -EINVAL);
    fake_block_done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_names),
        cmocka_unit_test(test_reading),
        cmocka_unit_test(test_set_read_only_checks_the_node),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
