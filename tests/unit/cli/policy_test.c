/* policy generate, check and explain on a made-up bus: what generate writes permits what was there, and only that. */
#include "unit/cli/bus.h"

#include <locale.h>
#include <stdbool.h>
#include <time.h>

static const struct fake_device keyboard = {.name = "1-1",
                                            .vendor = 0x046d,
                                            .product = 0xc31c,
                                            .product_name = "USB: \"Keyboard\" # 1",
                                            .interfaces = {{0, 0, 3, 1, 1}, {1, 0, 3, 0, 0}},
                                            .n_interfaces = 2};
static const struct fake_device mouse = {.name = "1-3",
                                         .vendor = 0x046d,
                                         .product = 0xc077,
                                         .product_name = "Mouse",
                                         .interfaces = {{0, 0, 3, 1, 2}},
                                         .n_interfaces = 1};
/* The same stick by its claims, with a keyboard in it. */
static const struct fake_device bad_stick = {.name = "1-2",
                                             .vendor = 0x0781,
                                             .product = 0x5583,
                                             .product_name = "Ultra Fit",
                                             .serial = "4C530001",
                                             .interfaces = {{0, 0, 8, 6, 0x50}, {1, 0, 3, 1, 1}},
                                             .n_interfaces = 2};

static int setup(void **state)
{
    int r = bus_setup(state);

    fake_usb_plug(&bus, &keyboard);
    return r;
}

static void generate(void)
{
    struct cli_run r = RUN(config_path, bus.root, "policy", "generate");

    assert_int_equal(r.code, CLI_OK);
    cli_write_file(policy_path, r.out);
    cli_run_done(&r);
    r = RUN(config_path, bus.root, "policy", "check", policy_path);
    if (r.code != CLI_OK)
        fail_msg("%s", r.out);
    cli_run_done(&r);
}

static void test_input_that_was_there_is_permitted(void **state)
{
    json_t *answer;

    (void)state;
    generate();
    answer = bus_explain("1-1");
    expect(answer, "rule", "keyboard-1");
    expect(answer, "granted", "use");
    assert_true(json_is_false(json_object_get(answer, "would_refuse")));
    json_decref(answer);
    /* Storage is left out: somebody must want it. */
    answer = bus_explain("1-2");
    expect(answer, "rule", "default");
    assert_true(json_is_true(json_object_get(answer, "would_refuse"))); /* mode monitor */
    /* By the id as well. */
    {
        json_t *by_id = bus_explain(json_string_value(json_object_get(answer, "device")));

        assert_true(json_equal(answer, by_id));
        json_decref(by_id);
    }
    json_decref(answer);
}

/* What generate writes loses nothing that is present but storage, which somebody must want; not with enforce either. */
static void test_check_present_is_content(void **state)
{
    struct cli_run r;

    (void)state;
    fake_usb_plug(&bus, &mouse);
    generate();
    r = RUN(config_path, bus.root, "policy", "check", "--present", policy_path);
    assert_int_equal(r.code, CLI_OK);
    assert_non_null(strstr(r.out, "no rule keeps a device that is present: 0781:5583"));
    assert_ptr_equal(strstr(strstr(r.out, "warning") + 1, "warning"), NULL);
    cli_run_done(&r);
    fake_usb_unplug(&bus, "1-2");
    r = RUN(config_path, bus.root, "policy", "check", "--present", policy_path);
    assert_int_equal(r.code, CLI_OK);
    assert_null(strstr(r.out, "warning"));
    cli_run_done(&r);
    r = RUN(config_path, bus.root, "policy", "generate");
    assert_non_null(strstr(r.out, "\n# keyboard, input device (hotplug, port 1-1)\n- id: keyboard-1\n"));
    assert_non_null(strstr(r.out, "\n# mouse (hotplug, port 1-3)\n- id: input-1\n"));
    *strstr(r.out, "mode: monitor") = '#';
    cli_write_file(policy_path, r.out);
    cli_run_done(&r);
    r = RUN(config_path, bus.root, "policy", "check", "--present", policy_path);
    assert_int_equal(r.code, CLI_OK);
    assert_null(strstr(r.out, "present:")); /* enforced, it should also say until when */
    cli_run_done(&r);
}

static void test_badusb_is_not(void **state)
{
    json_t *answer, *rules;

    (void)state;
    cli_write_file(
        policy_path,
        "format: kuraban-policy/1\norganization: a.example\nname: n\nversion: 1\nzone: mynumber\nmode: enforce\n"
        "usb:\n  - id: keyboard\n    allow: use\n    match: {device: \"046d:c31c\"}\n"
        "  - id: stick\n    allow: read\n    match: {device: \"0781:5583\", serial: \"4C530001\", "
        "interfaces: {equals: [\"08:06:50\"]}}\n");
    answer = bus_explain("1-2");
    expect(answer, "rule", "stick");
    expect(answer, "granted", "read");
    json_decref(answer);
    fake_usb_unplug(&bus, "1-2");
    fake_usb_plug(&bus, &bad_stick);
    answer = bus_explain("1-2");
    rules = json_object_get(answer, "rules");
    expect(answer, "verdict", "deny");
    expect(answer, "rule", "default");
    expect(json_array_get(rules, 0), "mismatch", "device");
    expect(json_array_get(rules, 1), "mismatch", "interfaces");
    assert_int_equal(json_integer_value(json_object_get(json_array_get(rules, 1), "line")), 11);
    assert_true(json_is_false(json_object_get(json_array_get(rules, 1), "decides")));
    json_decref(answer);
}

/* Looking changes nothing, even as root. */
static void test_nothing_is_written(void **state)
{
    (void)state;
    fake_usb_set(&bus, "usb1", NULL, "authorized_default", "1");
    fake_usb_set(&bus, "1-2", NULL, "authorized", "1");
    generate();
    json_decref(bus_explain("1-2"));
    assert_string_equal(fake_usb_get(&bus, "usb1", NULL, "authorized_default"), "1");
    assert_string_equal(fake_usb_get(&bus, "1-2", NULL, "authorized"), "1");
}

static void test_check_warns_of_expiry(void **state)
{
    struct cli_run r;

    (void)state;
    cli_write_file(
        policy_path,
        "format: kuraban-policy/1\norganization: o\nname: n\nversion: 1\nmode: monitor\nvalid: {until: 2001-01-01}\n"
        "usb:\n  - {id: old, allow: read, until: 2001-01-01}\n");
    r = RUN(config_path, bus.root, "policy", "check", policy_path);
    assert_int_equal(r.code, CLI_OK);
    assert_non_null(strstr(r.out, "the policy has expired"));
    assert_non_null(strstr(r.out, "rule 'old' has expired"));
    cli_run_done(&r);
}

static void test_check_warns_of_what_is_present(void **state)
{
    struct cli_run r;
    char *typed_on, *other;

    (void)state;
    cli_write_file(policy_path,
                   "format: kuraban-policy/1\norganization: o\nname: n\nversion: 1\nusb:\n"
                   "  - {id: pads, allow: use, match: {interfaces: {one-of: [\"03:01:01\"]}, port: 9-9}}\n"
                   "  - {id: no-sandisk, refuse: true, match: {device: \"0781:*\"}}\n"
                   "  - {id: hers, allow: use, match: {device: \"046d:*\"}, who: {users: [no-such-user]}}\n");
    r = RUN(config_path, bus.root, "policy", "check", policy_path);
    assert_int_equal(r.code, CLI_OK);
    assert_null(strstr(r.out, "present"));
    cli_run_done(&r);
    r = RUN(config_path, bus.root, "policy", "check", "--present", policy_path);
    assert_int_equal(r.code, CLI_OK); /* warnings refuse nothing */
    other =
        strstr(r.out, ":7:5: warning: rule 'no-sandisk' takes away a device that is present: 0781:5583 'Ultra Fit' at "
                      "port 1-2\n");
    assert_non_null(other);
    assert_non_null(strstr(r.out, ":8:5: warning: there is no user 'no-such-user' on this terminal"));
    assert_null(strstr(r.out, "046d:c31c")); /* the right person may use it */
    cli_run_done(&r);

    cli_write_file(policy_path,
                   "format: kuraban-policy/1\norganization: o\nname: n\nversion: 1\nusb:\n"
                   "  - {id: pads, allow: use, match: {interfaces: {one-of: [\"03:01:01\"]}, port: 9-9}}\n");
    r = RUN(config_path, bus.root, "policy", "check", "--present", policy_path);
    typed_on = strstr(r.out, ":1:1: warning: no rule keeps a keyboard that is present: 046d:c31c");
    other = strstr(r.out, ":1:1: warning: no rule keeps a device that is present: 0781:5583");
    assert_true(typed_on && other && typed_on < other);
    assert_non_null(strstr(typed_on, "locked out"));
    cli_run_done(&r);

    /* Permitted, but not to type. */
    cli_write_file(policy_path, "format: kuraban-policy/1\norganization: o\nname: n\nversion: 1\nusb:\n"
                                "  - {id: all, allow: {what: use, interfaces: [\"08:*:*\", \"03:00:00\"]}}\n");
    r = RUN(config_path, bus.root, "policy", "check", "--present", policy_path);
    assert_non_null(strstr(r.out, ":6:5: warning: rule 'all' takes away a keyboard that is present: 046d:c31c"));
    assert_null(strstr(r.out, "0781:5583"));
    cli_run_done(&r);
}

static void test_doctor_warns_of_the_keyboard(void **state)
{
    struct cli_run r;

    (void)state;
    cli_write_file(policy_path,
                   "format: kuraban-policy/1\norganization: a.example\nname: n\nversion: 1\nzone: mynumber\n"
                   "mode: enforce\nusb:\n  - {id: other, allow: use, match: {device: \"1111:2222\"}}\n");
    r = RUN(config_path, bus.root, "doctor");
    assert_int_equal(r.code, CLI_NO); /* nobody answers */
    assert_non_null(strstr(r.out, "1-1 046d:c31c"));
    cli_run_done(&r);
    generate();
    r = RUN(config_path, bus.root, "doctor", "--json");
    assert_null(strstr(r.out, "046d:c31c"));
    assert_non_null(strstr(r.out, "policy.input"));
    cli_run_done(&r);
}

static void test_no_such_device(void **state)
{
    struct cli_run r;

    (void)state;
    generate();
    r = RUN(config_path, bus.root, "policy", "explain", "--device", "1-9");
    assert_int_equal(r.code, CLI_FAILED);
    assert_non_null(strstr(r.err, "1-9"));
    cli_run_done(&r);
}

static void test_no_usb_at_all(void **state)
{
    struct cli_run r;

    (void)state;
    fake_usb_done(&bus);
    fake_usb_init(&bus, false);
    r = RUN(config_path, bus.root, "policy", "generate");
    assert_int_equal(r.code, CLI_OK);
    assert_null(strstr(r.out, "usb:"));
    cli_run_done(&r);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test_setup_teardown(test_input_that_was_there_is_permitted, setup, bus_teardown),
        cmocka_unit_test_setup_teardown(test_check_present_is_content, setup, bus_teardown),
        cmocka_unit_test_setup_teardown(test_badusb_is_not, setup, bus_teardown),
        cmocka_unit_test_setup_teardown(test_nothing_is_written, setup, bus_teardown),
        cmocka_unit_test_setup_teardown(test_check_warns_of_expiry, setup, bus_teardown),
        cmocka_unit_test_setup_teardown(test_check_warns_of_what_is_present, setup, bus_teardown),
        cmocka_unit_test_setup_teardown(test_doctor_warns_of_the_keyboard, setup, bus_teardown),
        cmocka_unit_test_setup_teardown(test_no_such_device, setup, bus_teardown),
        cmocka_unit_test_setup_teardown(test_no_usb_at_all, setup, bus_teardown),
    };

    if (!setlocale(LC_ALL, "C.UTF-8") || setenv("TZ", "Asia/Tokyo", 1) < 0)
        return 1;
    tzset();
    return cmocka_run_group_tests(tests, NULL, NULL);
}
