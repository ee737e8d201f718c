/* policy generate, check --present and doctor on a machine that runs from a USB disk. */
#include "unit/cli/bus.h"

#include <locale.h>
#include <sys/stat.h>
#include <unistd.h>

#include "fake/sysfs_block.h"

static int teardown(void **state)
{
    cli_run_proc = "/proc";
    return bus_teardown(state);
}

/* The machine runs from the stick behind a hub: mounted at / there is an encrypted partition of it. */
static void run_from_usb(void)
{
    static const struct fake_device hub = {.name = "1-4",
                                           .vendor = 0x05e3,
                                           .product = 0x0608,
                                           .product_name = "USB2.0 Hub",
                                           .interfaces = {{0, 0, 9, 0, 1}},
                                           .n_interfaces = 1},
                                    disk = {.name = "1-4.1",
                                            .vendor = 0x04e8,
                                            .product = 0x61f5,
                                            .product_name = "Portable SSD",
                                            .serial = "S4",
                                            .interfaces = {{0, 0, 8, 6, 0x50}, {0, 1, 8, 6, 0x62}},
                                            .n_interfaces = 2};
    static char proc[80];
    struct fake_block block = {0};
    char path[256], link[80];

    fake_usb_plug(&bus, &hub);
    fake_usb_plug(&bus, &disk);
    (void)snprintf(block.path, sizeof(block.path), "%s", bus.root);
    (void)snprintf(link, sizeof(link), "%s/sys", bus.root); /* fake/sysfs_block writes below sys/ */
    assert_int_equal(symlink(".", link), 0);
    (void)snprintf(path, sizeof(path), "%s/class", bus.root);
    assert_int_equal(mkdir(path, 0755), 0);
    (void)snprintf(path, sizeof(path), "%s/class/block", bus.root);
    assert_int_equal(mkdir(path, 0755), 0);
    fake_usb_syspath("1-4.1", path, sizeof(path));
    (void)strcat(path, "/1-4.1:1.0/host0/target0:0:0/0:0:0:0/block/sda");
    fake_block_disk(&block, path + strlen("/sys"), "8:0", 1000, "0\n");
    fake_block_partition(&block, path + strlen("/sys"), "sda3", "8:3", 900);
    fake_block_disk(&block, "/devices/virtual/block/dm-0", "253:0", 800, "0\n");
    fake_block_slave(&block, "dm-0", "sda3");
    fake_block_proc(&block, "self/mountinfo", "1 0 253:0 / / rw - ext4 /dev/mapper/root rw\n");
    (void)snprintf(proc, sizeof(proc), "%s/proc", bus.root);
    cli_run_proc = proc;
}

/* What is generated keeps the disk and its hub also when it is enforced; another stick stays refused. */
static void test_generated_keeps_the_system(void **state)
{
    struct cli_run r;
    json_t *answer;

    (void)state;
    run_from_usb();
    r = RUN(config_path, bus.root, "policy", "generate");
    assert_int_equal(r.code, CLI_OK);
    assert_non_null(strstr(r.out, "This machine runs from it: refused, the system loses its disk.\n- id: system-1\n"));
    assert_non_null(strstr(r.out, "This machine runs from it: refused, the system loses its disk.\n- id: hub-1\n"));
    *strstr(r.out, "mode: monitor") = '#'; /* enforce is the default */
    cli_write_file(policy_path, r.out);
    cli_run_done(&r);
    answer = bus_explain("1-4.1");
    expect(answer, "rule", "system-1");
    expect(answer, "granted", "read");
    expect(answer, "verdict", "allow");
    json_decref(answer);
    answer = bus_explain("1-4");
    expect(answer, "granted", "use");
    json_decref(answer);
    answer = bus_explain("1-2");
    expect(answer, "verdict", "deny");
    json_decref(answer);
    r = RUN(config_path, bus.root, "policy", "check", "--present", policy_path);
    if (strstr(r.out, "runs from"))
        fail_msg("%s", r.out);
    assert_non_null(strstr(r.out, "no rule keeps a device that is present: 0781:5583"));
    cli_run_done(&r);
    r = RUN(config_path, bus.root, "doctor");
    assert_non_null(strstr(r.out, "the USB disk this machine runs from is permitted"));
    cli_run_done(&r);
}

/* USB rules, and what is said of the disk at 1-4.1 and of its hub. */
static const struct loss {
    const char *rules, *warning;
} losses[] = {
    {"  - {id: hubs, allow: use, match: {interfaces: {match-all: [\"09:*:*\"]}}}\n",
     ":1:1: warning: no rule keeps what this machine runs from: 04e8:61f5 'Portable SSD' at port 1-4.1\n"},
    {"  - {id: disks, allow: read}\n",
     ":6:5: warning: rule 'disks' takes away what this machine runs from: 05e3:0608 'USB2.0 Hub' at port 1-4\n"},
    {"  - {id: all, allow: use, who: {users: [root]}}\n",
     ":6:5: warning: rule 'all' takes away what this machine runs from: 04e8:61f5 'Portable SSD' at port 1-4.1\n"},
    /* Its second alternate, which a driver may choose. */
    {"  - {id: all, allow: {what: use, interfaces: [\"08:06:50\", \"09:*:*\"]}}\n",
     ":6:5: warning: rule 'all' takes away what this machine runs from: 04e8:61f5 'Portable SSD' at port 1-4.1\n"},
    {"  - {id: disk, allow: read, match: {serial: S4}}\n",
     ":6:5: warning: rule 'disk' does not always keep what this machine runs from: 04e8:61f5 'Portable SSD' at port "
     "1-4.1\n"},
    {"  - {id: all, allow: use, until: 2999-01-01}\n",
     ":6:5: warning: rule 'all' does not always keep what this machine runs from: 04e8:61f5 'Portable SSD' at port "
     "1-4.1\n"},
};

static void test_the_system_would_be_lost(void **state)
{
    char text[512];

    (void)state;
    run_from_usb();
    for (size_t i = 0; i < sizeof(losses) / sizeof(losses[0]); i++) {
        struct cli_run r;

        (void)snprintf(text, sizeof(text), "format: kuraban-policy/1\norganization: o\nname: n\nversion: 1\nusb:\n%s",
                       losses[i].rules);
        cli_write_file(policy_path, text);
        r = RUN(config_path, bus.root, "policy", "check", "--present", policy_path);
        assert_int_equal(r.code, CLI_OK);
        if (!strstr(r.out, losses[i].warning))
            fail_msg("no %s in\n%s", losses[i].warning, r.out);
        cli_run_done(&r);
        r = RUN(config_path, bus.root, "doctor");
        assert_non_null(strstr(r.out, "the system loses its disk"));
        assert_null(strstr(r.out, "the USB disk this machine runs from is permitted"));
        cli_run_done(&r);
    }
}

/* Where the mounts cannot be read nothing is claimed. */
static void test_no_mounts(void **state)
{
    static const char nowhere[] = "/nonexistent";
    struct cli_run r;

    (void)state;
    cli_run_proc = nowhere;
    r = RUN(config_path, bus.root, "policy", "generate");
    assert_int_equal(r.code, CLI_FAILED);
    assert_string_equal(r.out, "");
    cli_run_done(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_generated_keeps_the_system, bus_setup, teardown),
        cmocka_unit_test_setup_teardown(test_the_system_would_be_lost, bus_setup, teardown),
        cmocka_unit_test_setup_teardown(test_no_mounts, bus_setup, teardown),
    };

    if (!setlocale(LC_ALL, "C.UTF-8"))
        return 1;
    return cmocka_run_group_tests(tests, NULL, NULL);
}
