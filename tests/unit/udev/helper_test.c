#include "udev/helper.h"

#include "test.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "device/exit_run.h"
#include "fake/sysfs_block.h"

#define STICK "/devices/pci0/usb1/1-2/host2/block/sdb"

static void prepare(struct fake_block *f, struct helper_roots *roots)
{
    fake_block_init(f);
    fake_block_subsystem(f, "/devices/pci0/usb1/1-2", "usb");
    fake_block_disk(f, STICK, "8:16", 100, "1\n");
    fake_block_disk(f, "/devices/pci0/ata1/block/sda", "8:0", 100, "0\n");
    *roots =
        (struct helper_roots){.sysfs = f->sysfs, .proc = f->proc, .run = f->run, .state = f->state, .ops = &f->ops};
}

/* Caller frees. */
static char *run(const struct helper_roots *roots, const char *name, int expected)
{
    char *text = NULL;
    size_t size = 0;
    FILE *out = open_memstream(&text, &size);

    assert_non_null(out);
    assert_int_equal(helper_run(roots, name, out), expected);
    assert_int_equal(fclose(out), 0);
    return text;
}

static void expect(const struct helper_roots *roots, const char *name, const char *wanted)
{
    char *text = run(roots, name, 0);

    assert_string_equal(text, wanted);
    free(text);
}

#define EXIT "KURABAN_EXIT=1\nKURABAN_BUS=usb\nKURABAN_DISK=sdb\n"
#define HIDDEN "KURABAN_HIDDEN=1\nUDISKS_IGNORE=1\nUDISKS_AUTO=0\n"

static void test_refused_until_permitted(void **state)
{
    struct helper_roots roots;
    struct fake_block f;

    (void)state;
    prepare(&f, &roots);
    expect(&roots, "sda", "");
    assert_int_equal(f.sets, 0);
    expect(&roots, "sdb", EXIT "KURABAN_READ_ONLY=1\n" HIDDEN);
    assert_int_equal(block_read_only(f.sysfs, "sdb"), 1);
    assert_int_equal(exit_run_permit(f.run, "sdb-1", true), 1);
    expect(&roots, "sdb", EXIT "KURABAN_READ_ONLY=1\n");
    fake_block_set(&f, STICK "/diskseq", "2\n"); /* another medium */
    expect(&roots, "sdb", EXIT "KURABAN_READ_ONLY=1\n" HIDDEN);
    fake_block_done(&f);
}

static void test_without_the_daemons_directories(void **state)
{
    struct helper_roots roots;
    struct fake_block f;

    (void)state;
    prepare(&f, &roots);
    roots.run = roots.state = -1;
    expect(&roots, "sdb", EXIT "KURABAN_READ_ONLY=1\n" HIDDEN);
    fake_block_done(&f);
}

/* Permission or not, what stays writable stays hidden. */
static void test_hidden_when_not_read_only(void **state)
{
    struct helper_roots roots;
    struct fake_block f;

    (void)state;
    prepare(&f, &roots);
    assert_int_equal(exit_run_permit(f.run, "sdb-1", true), 1);
    f.set_error = -EACCES;
    expect(&roots, "sdb", EXIT "KURABAN_ERROR=13\n" HIDDEN);
    fake_block_done(&f);
}

static void test_modes(void **state)
{
    struct helper_roots roots;
    struct fake_block f;

    (void)state;
    prepare(&f, &roots);
    assert_int_equal(exit_run_set_mode(f.run, EXIT_MODE_MONITOR), 0);
    expect(&roots, "sdb", EXIT "KURABAN_MONITOR=1\n");
    assert_int_equal(exit_run_set_mode(f.run, EXIT_MODE_OFF), 0);
    expect(&roots, "sdb", "");
    assert_int_equal(exit_run_set_mode(f.run, EXIT_MODE_LISTED), 0);
    expect(&roots, "sdb", "");
    assert_int_equal(f.sets, 0);
    fake_block_done(&f);
}

static void test_the_list_survives_a_boot(void **state)
{
    struct exit_list l = {0};
    struct helper_roots roots;
    struct fake_block f;

    (void)state;
    prepare(&f, &roots);
    assert_int_equal(exit_list_add(&l, "/dev/sda"), 0);
    assert_int_equal(exit_run_set_list(f.state, &l), 0);
    roots.run = -1;
    expect(&roots, "sda", "KURABAN_EXIT=1\nKURABAN_BUS=other\nKURABAN_DISK=sda\nKURABAN_READ_ONLY=1\n" HIDDEN);
    exit_list_done(&l);
    fake_block_done(&f);
}

/* Not knowing what the system runs from it refuses to answer, and the rule takes over. */
static void test_fails_without_the_mounts(void **state)
{
    struct helper_roots roots;
    struct fake_block f;

    (void)state;
    prepare(&f, &roots);
    roots.proc = f.state;
    free(run(&roots, "sdb", -ENOENT));
    free(run(&roots, "../sdb", -ENOENT));
    roots.proc = f.proc;
    free(run(&roots, "../sdb", -EINVAL));
    fake_block_done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(test_refused_until_permitted),   cmocka_unit_test(test_without_the_daemons_directories),
        cmocka_unit_test(test_hidden_when_not_read_only), cmocka_unit_test(test_modes),
        cmocka_unit_test(test_the_list_survives_a_boot),  cmocka_unit_test(test_fails_without_the_mounts),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
