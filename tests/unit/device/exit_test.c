#include "device/exit.h"

#include "test.h"

#include <errno.h>
#include <string.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "base/files.h"
#include "device/exit_run.h"
#include "fake/sysfs_block.h"

#define USB "/devices/pci0000:00/0000:00:14.0/usb1/1-2"
#define STICK USB "/1-2:1.0/host2/target2:0:0/2:0:0:0/block/sdb"
#define ATA "/devices/pci0000:00/0000:00:17.0/ata1/host0/target0:0:0/0:0:0:0/block/sda"

static void expect(const struct exit_context *c, const char *name, bool is_exit, enum exit_bus bus)
{
    struct exit_info info;

    assert_int_equal(exit_classify(c, name, &info), 0);
    if (info.is_exit != is_exit || info.bus != bus)
        fail_msg("%s: exit %d bus %s", name, info.is_exit, exit_bus_name(info.bus));
}

static struct exit_context context(const struct fake_block *f)
{
    return (struct exit_context){.sysfs = f->sysfs};
}

static void add_usb(struct fake_block *f)
{
    fake_block_subsystem(f, "/devices/pci0000:00/0000:00:14.0", "pci");
    fake_block_subsystem(f, "/devices/pci0000:00/0000:00:14.0/usb1", "usb");
    fake_block_subsystem(f, USB, "usb");
    fake_block_subsystem(f, USB "/1-2:1.0", "usb");
    fake_block_set(f, USB "/1-2:1.0/bDeviceClass", NULL); /* an interface, not a device */
    fake_block_disk(f, STICK, "8:16", 1000, "0\n");       /* a USB disk that does not call itself removable */
    fake_block_partition(f, STICK, "sdb1", "8:17", 900);
}

static void test_usb_and_internal(void **state)
{
    struct exit_info info;
    struct fake_block f;

    (void)state;
    fake_block_init(&f);
    add_usb(&f);
    fake_block_disk(&f, ATA, "8:0", 1000, "0\n");
    fake_block_partition(&f, ATA, "sda1", "8:1", 900);
    const struct exit_context c = context(&f);

    expect(&c, "sdb", true, EXIT_BUS_USB);
    expect(&c, "sdb1", true, EXIT_BUS_USB);
    expect(&c, "sda", false, EXIT_BUS_OTHER);
    expect(&c, "sda1", false, EXIT_BUS_OTHER);
    assert_int_equal(exit_classify(&c, "sdb1", &info), 0);
    assert_string_equal(info.usb, USB);
    assert_string_equal(info.disk, "sdb");
    assert_int_equal(exit_classify(&c, "../x", &info), -EINVAL);
    fake_block_done(&f);
}

static void test_other_buses(void **state)
{
    static const char sd[] = "/devices/pci0/mmc_host/mmc0/mmc0:0001/block/mmcblk0";
    static const char emmc[] = "/devices/pci0/mmc_host/mmc1/mmc1:0001/block/mmcblk1";
    static const char odd[] = "/devices/pci0/mmc_host/mmc2/mmc2:0001/block/mmcblk2";
    struct fake_block f;

    (void)state;
    fake_block_init(&f);
    fake_block_subsystem(&f, "/devices/pci0/mmc_host/mmc0/mmc0:0001", "mmc");
    fake_block_set(&f, "/devices/pci0/mmc_host/mmc0/mmc0:0001/type", "SD\n");
    fake_block_disk(&f, sd, "179:0", 10, "0\n");
    fake_block_subsystem(&f, "/devices/pci0/mmc_host/mmc1/mmc1:0001", "mmc");
    fake_block_set(&f, "/devices/pci0/mmc_host/mmc1/mmc1:0001/type", "MMC\n");
    fake_block_disk(&f, emmc, "179:8", 10, "0\n");
    fake_block_subsystem(&f, "/devices/pci0/mmc_host/mmc2/mmc2:0001", "mmc");
    fake_block_disk(&f, odd, "179:16", 10, "0\n"); /* says nothing about itself */
    fake_block_disk(&f, "/devices/pci0/ata2/host1/block/sr0", "11:0", 10, "1\n");
    fake_block_subsystem(&f, "/devices/pci1/fw1/fw1.0", "firewire");
    fake_block_disk(&f, "/devices/pci1/fw1/fw1.0/host3/block/sdf", "8:80", 10, "0\n");
    fake_block_subsystem(&f, "/devices/pci2/0000:05:00.0", "pci");
    fake_block_set(&f, "/devices/pci2/0000:05:00.0/removable", "removable\n");
    fake_block_disk(&f, "/devices/pci2/0000:05:00.0/nvme/nvme1/nvme1n1", "259:1", 10, "0\n");
    fake_block_subsystem(&f, "/devices/pci3/0000:06:00.0", "pci");
    fake_block_set(&f, "/devices/pci3/0000:06:00.0/removable", "fixed\n");
    fake_block_disk(&f, "/devices/pci3/0000:06:00.0/nvme/nvme2/nvme2n1", "259:2", 10, "0\n");
    fake_block_disk(&f, "/devices/pci4/ata9/host9/block/sdg", "8:96", 10, "1\n"); /* eSATA */
    fake_block_disk(&f, "/devices/pci4/ata9/host9/block/sdh", "8:112", 10, NULL); /* says nothing */
    fake_block_disk(&f, "/devices/virtual/block/zram0", "252:0", 10, "0\n");
    fake_block_disk(&f, "/devices/virtual/block/nbd0", "43:0", 10, "0\n");
    const struct exit_context c = context(&f);

    expect(&c, "mmcblk0", true, EXIT_BUS_MMC);
    expect(&c, "mmcblk1", false, EXIT_BUS_OTHER);
    expect(&c, "mmcblk2", true, EXIT_BUS_MMC);
    expect(&c, "sr0", true, EXIT_BUS_OPTICAL);
    expect(&c, "sdf", true, EXIT_BUS_FIREWIRE);
    expect(&c, "nvme1n1", true, EXIT_BUS_THUNDERBOLT);
    expect(&c, "nvme2n1", false, EXIT_BUS_OTHER);
    expect(&c, "sdg", true, EXIT_BUS_OTHER);
    expect(&c, "sdh", true, EXIT_BUS_OTHER);
    expect(&c, "zram0", false, EXIT_BUS_OTHER);
    expect(&c, "nbd0", true, EXIT_BUS_OTHER);
    expect(&c, "absent", true, EXIT_BUS_OTHER);
    fake_block_done(&f);
}

/* With native multipath the disk's own path says nothing about the bus. */
static void test_nvme_subsystem(void **state)
{
    char link[512];
    struct fake_block f;

    (void)state;
    fake_block_init(&f);
    fake_block_subsystem(&f, "/devices/pci2/0000:05:00.0", "pci");
    fake_block_set(&f, "/devices/pci2/0000:05:00.0/removable", "removable\n");
    fake_block_set(&f, "/devices/pci2/0000:05:00.0/nvme/nvme0/state", "live\n");
    fake_block_subsystem(&f, "/devices/virtual/nvme-subsystem/nvme-subsys0", "nvme-subsystem");
    fake_block_disk(&f, "/devices/virtual/nvme-subsystem/nvme-subsys0/nvme0n1", "259:0", 10, "0\n");
    (void)snprintf(link, sizeof(link), "%s/sys/devices/virtual/nvme-subsystem/nvme-subsys0/nvme0", f.path);
    assert_int_equal(symlink("../../../pci2/0000:05:00.0/nvme/nvme0", link), 0);
    const struct exit_context c = context(&f);

    expect(&c, "nvme0n1", true, EXIT_BUS_THUNDERBOLT);
    fake_block_set(&f, "/devices/pci2/0000:05:00.0/removable", "fixed\n");
    expect(&c, "nvme0n1", false, EXIT_BUS_OTHER);
    fake_block_done(&f);
}

static void test_stacked(void **state)
{
    struct exit_info info;
    struct fake_block f;

    (void)state;
    fake_block_init(&f);
    add_usb(&f);
    fake_block_disk(&f, ATA, "8:0", 1000, "0\n");
    fake_block_disk(&f, "/devices/virtual/block/dm-0", "253:0", 10, "0\n");
    fake_block_set(&f, "class/block/dm-0/dm/uuid", "CRYPT-LUKS2-0123-luks\n");
    fake_block_slave(&f, "dm-0", "sdb1");
    fake_block_disk(&f, "/devices/virtual/block/dm-1", "253:1", 10, "0\n");
    fake_block_set(&f, "class/block/dm-1/dm/uuid", "LVM-abc\n");
    fake_block_slave(&f, "dm-1", "dm-0");
    fake_block_disk(&f, "/devices/virtual/block/dm-2", "253:2", 10, "0\n");
    fake_block_slave(&f, "dm-2", "sda");
    fake_block_disk(&f, "/devices/virtual/block/md0", "9:0", 10, "0\n"); /* one leg internal, one on the stick */
    fake_block_slave(&f, "md0", "sda");
    fake_block_slave(&f, "md0", "sdb");
    fake_block_disk(&f, "/devices/virtual/block/dm-9", "253:9", 10, "0\n"); /* a circle must end, as an exit */
    fake_block_slave(&f, "dm-9", "dm-9");
    const struct exit_context c = context(&f);

    expect(&c, "dm-0", true, EXIT_BUS_USB);
    expect(&c, "dm-1", true, EXIT_BUS_USB);
    expect(&c, "dm-2", false, EXIT_BUS_OTHER);
    expect(&c, "md0", true, EXIT_BUS_USB);
    expect(&c, "dm-9", true, EXIT_BUS_OTHER);
    assert_int_equal(exit_classify(&c, "dm-1", &info), 0);
    assert_true(info.inside_luks);
    assert_string_equal(info.usb, USB);
    assert_string_equal(info.disk, "sdb");
    fake_block_done(&f);
}

static void test_lists(void **state)
{
    struct exit_list l = {0};
    struct fake_block f;

    (void)state;
    fake_block_init(&f);
    add_usb(&f);
    fake_block_disk(&f, ATA, "8:0", 1000, "0\n");
    fake_block_disk(&f, "/devices/pci4/ata9/host9/block/sdg", "8:96", 10, "1\n");
    fake_block_disk(&f, "/devices/virtual/block/loop7", "7:7", 10, "0\n");
    struct exit_context c = context(&f);

    expect(&c, "loop7", false, EXIT_BUS_LOOP);
    assert_int_equal(exit_list_add(&l, "# comment\n  /dev/loop7  \n8:0\n!/devices/pci4/ata9\n!" USB "\n\n"), 0);
    assert_int_equal(l.n, 4);
    c.list = &l;
    expect(&c, "loop7", true, EXIT_BUS_LOOP);
    expect(&c, "sda", true, EXIT_BUS_OTHER);
    expect(&c, "sdg", false, EXIT_BUS_OTHER); /* an internal bay, excused */
    expect(&c, "sdb", true, EXIT_BUS_USB);    /* USB cannot be excused */
    /* Nothing but the list: the stick is not touched, nor is what cannot be read. */
    c.listed_only = true;
    expect(&c, "loop7", true, EXIT_BUS_LOOP);
    expect(&c, "sda", true, EXIT_BUS_OTHER);
    assert_int_equal(exit_list_matches(&l, "sdb", makedev(8, 16)), 0);
    struct exit_info info;
    assert_int_equal(exit_classify(&c, "sdb", &info), 0);
    assert_false(info.is_exit);
    assert_int_equal(exit_classify(&c, "absent", &info), 0);
    assert_false(info.is_exit);
    exit_list_done(&l);
    fake_block_done(&f);
}

static void test_list_is_bounded(void **state)
{
    struct exit_list l = {0};

    (void)state;
    for (int i = 0; i < EXIT_LIST_MAX; i++)
        assert_int_equal(exit_list_add(&l, "sdz\n"), 0);
    assert_int_equal(exit_list_add(&l, "one-more"), -E2BIG);
    assert_int_equal(l.n, EXIT_LIST_MAX);
    exit_list_done(&l);
}

/* H9: a terminal that runs from a disk the kernel calls removable, through LUKS. */
static void test_system_devices_are_never_exits(void **state)
{
    struct exit_system system;
    struct mount_table mounts;
    static const char table[] = "1 0 253:0 / / rw - ext4 /dev/dm-0 rw\n2 1 8:1 / /boot rw - ext4 /dev/sda1 rw\n"
                                "3 1 8:17 / /media/u/x rw - vfat /dev/sdb1 rw\n";
    struct exit_info info;
    struct fake_block f;

    (void)state;
    fake_block_init(&f);
    add_usb(&f);
    fake_block_disk(&f, ATA, "8:0", 1000, "1\n");
    fake_block_partition(&f, ATA, "sda1", "8:1", 100);
    fake_block_partition(&f, ATA, "sda2", "8:2", 800);
    fake_block_disk(&f, "/devices/virtual/block/dm-0", "253:0", 10, "0\n");
    fake_block_slave(&f, "dm-0", "sda2");
    struct exit_context c = context(&f);

    expect(&c, "dm-0", true, EXIT_BUS_OTHER); /* without the exception it would be one */
    assert_int_equal(mount_table_parse(table, sizeof(table) - 1, &mounts), 0);
    assert_int_equal(exit_system_find(f.sysfs, &mounts, NULL, &system), 0);
    c.system = &system;
    expect(&c, "dm-0", false, EXIT_BUS_OTHER);
    expect(&c, "sda", false, EXIT_BUS_OTHER);
    expect(&c, "sda2", false, EXIT_BUS_OTHER);
    expect(&c, "sdb1", true, EXIT_BUS_USB);
    assert_int_equal(exit_classify(&c, "sda1", &info), 0);
    assert_true(info.is_system);
    exit_system_done(&system);
    mount_table_done(&mounts);
    fake_block_done(&f);
}

/* What the system's disk hangs on: each hub on the way, no neighbour, and what is mapped on it. */
static void test_system_below(void **state)
{
    static const char table[] = "1 0 253:0 / / rw - ext4 /dev/dm-0 rw\n";
    struct exit_system system;
    struct mount_table mounts;
    struct fake_block f;

    (void)state;
    fake_block_init(&f);
    add_usb(&f);
    fake_block_disk(&f, USB "3/1-23.1/1-23.1:1.0/host3/target3:0:0/3:0:0:0/block/sdc", "8:32", 1000, "1\n");
    fake_block_partition(&f, STICK, "sdb2", "8:18", 100);
    fake_block_disk(&f, "/devices/virtual/block/dm-0", "253:0", 10, "0\n");
    fake_block_slave(&f, "dm-0", "sdb2");
    assert_int_equal(mount_table_parse(table, sizeof(table) - 1, &mounts), 0);
    assert_int_equal(exit_system_find(f.sysfs, &mounts, NULL, &system), 0);
    assert_true(exit_system_below(f.sysfs, &system, &USB[1]));
    assert_true(exit_system_below(f.sysfs, &system, "devices/pci0000:00/0000:00:14.0/usb1"));
    assert_true(exit_system_below(f.sysfs, &system, "devices/virtual/block/dm-0"));
    assert_false(exit_system_below(f.sysfs, &system, &USB "3"[1]));
    assert_false(exit_system_below(f.sysfs, &system, &USB "3/1-23.1"[1]));
    assert_false(exit_system_below(f.sysfs, &system, "devices/pci0000:00/0000:00:14.0/usb1/1-"));
    assert_false(exit_system_below(f.sysfs, &system, ""));
    exit_system_done(&system);
    mount_table_done(&mounts);
    fake_block_done(&f);
}

static void test_loop_on_an_exit(void **state)
{
    static const char table[] = "1 0 254:0 / / rw - ext4 /dev/vda rw\n3 1 8:17 / /media/u/x rw - vfat /dev/sdb1 rw\n";
    struct mount_table mounts;
    struct fake_block f;

    (void)state;
    fake_block_init(&f);
    add_usb(&f);
    fake_block_disk(&f, "/devices/virtual/block/loop0", "7:0", 10, "0\n");
    fake_block_set(&f, "class/block/loop0/loop/backing_file", "/media/u/x/image\n");
    fake_block_disk(&f, "/devices/virtual/block/loop1", "7:1", 10, "0\n");
    fake_block_set(&f, "class/block/loop1/loop/backing_file", "/home/u/image\n");
    assert_int_equal(mount_table_parse(table, sizeof(table) - 1, &mounts), 0);
    struct exit_context c = context(&f);

    c.mounts = &mounts;
    expect(&c, "loop0", true, EXIT_BUS_LOOP);
    expect(&c, "loop1", false, EXIT_BUS_LOOP);
    mount_table_done(&mounts);
    fake_block_done(&f);
}

static void test_run_files(void **state)
{
    struct exit_list l = {0}, back = {0};
    struct fake_block f;

    (void)state;
    fake_block_init(&f);
    assert_int_equal(exit_run_mode(f.run), EXIT_MODE_ON); /* missing */
    assert_int_equal(exit_run_mode(-1), EXIT_MODE_ON);
    assert_int_equal(exit_run_set_mode(f.run, EXIT_MODE_MONITOR), 0);
    assert_int_equal(exit_run_mode(f.run), EXIT_MODE_MONITOR);
    assert_int_equal(files_write_atomic_at(f.run, "media.mode", "offf", 4, 0644), 0);
    assert_int_equal(exit_run_mode(f.run), EXIT_MODE_ON); /* unknown word */
    assert_false(exit_run_permitted(f.run, "sdb1-1"));
    assert_int_equal(exit_run_permit(f.run, "sdb1-1", true), 1);
    assert_int_equal(exit_run_permit(f.run, "sdb1-1", true), 0);
    assert_true(exit_run_permitted(f.run, "sdb1-1"));
    assert_false(exit_run_permitted(f.run, "sdb1-2")); /* another medium in the same place */
    assert_int_equal(exit_run_permit(f.run, "sdb1-1", false), 1);
    assert_false(exit_run_permitted(f.run, "sdb1-1"));
    assert_int_equal(exit_run_permit(f.run, "../x", true), -EINVAL);
    assert_int_equal(exit_list_add(&l, "/dev/loop7\n8:16"), 0);
    assert_int_equal(exit_run_set_list(f.run, &l), 0);
    assert_int_equal(exit_run_list(f.run, &back), 0);
    assert_int_equal(back.n, 2);
    assert_string_equal(back.items[1], "8:16");
    exit_list_done(&l);
    exit_list_done(&back);
    fake_block_done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_usb_and_internal),
        cmocka_unit_test(test_other_buses),
        cmocka_unit_test(test_nvme_subsystem),
        cmocka_unit_test(test_stacked),
        cmocka_unit_test(test_lists),
        cmocka_unit_test(test_list_is_bounded),
        cmocka_unit_test(test_system_devices_are_never_exits),
        cmocka_unit_test(test_system_below),
        cmocka_unit_test(test_loop_on_an_exit),
        cmocka_unit_test(test_run_files),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
