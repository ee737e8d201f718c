#include "test.h"

#include "kern/usb.h"

#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/files.h"
#include "fake/sysfs_usb.h"

static const struct fake_device DEVICE = {
    .name = "1-2",
    .vendor = 0x0781,
    .product = 0x5583,
    .serial = "S1",
    .connect_type = "hardwired",
    .interfaces = {{0, 0, 8, 6, 0x50}, {1, 0, 3, 1, 1}},
    .n_interfaces = 2,
};

static int setup(void **state)
{
    struct fake_usb *f = malloc(sizeof(*f));

    assert_non_null(f);
    fake_usb_init(f, true);
    fake_usb_add_root_hub(f, "usb1", "0000:00:14.0");
    *state = f;
    return 0;
}

static int teardown(void **state)
{
    fake_usb_done(*state);
    free(*state);
    return 0;
}

/* The real ops, below the fake's. */
static const struct usb_ops *ops(void **state)
{
    return usb_sysfs_ops(((struct fake_usb *)*state)->sysfs);
}

static void names(void **state)
{
    static const char *const devices[] = {"1-1", "10-12.3.4", "usb1", "usb10"};
    static const char *const others[] = {"",     "1",   "1-",    "-1",      "1-a",    "1-1.",
                                         "1-.1", "usb", "usb1x", "1-1:1.0", "../1-1", "1-1/x"};

    (void)state;
    for (size_t i = 0; i < ELEMENTS(devices); i++)
        assert_true(usb_name_is_device(devices[i]));
    for (size_t i = 0; i < ELEMENTS(others); i++)
        assert_false(usb_name_is_device(others[i]));
    assert_true(usb_name_is_root_hub("usb12"));
    assert_false(usb_name_is_root_hub("1-1"));
    assert_true(usb_name_is_interface("1-1.2:1.0"));
    assert_true(usb_name_is_interface("1-0:1.0"));
    assert_false(usb_name_is_interface("1-1.2:1"));
    assert_false(usb_name_is_interface("1-1.2:1.0/x"));
    assert_false(usb_name_is_interface("usb1:1.0"));
}

static void list_puts_parents_first(void **state)
{
    static const char *const plugged[] = {"1-5", "1-5.10", "1-5.2", "1-10", "1-2"};
    static const char *const expected[] = {"usb1", "usb2", "1-2", "1-5", "1-5.2", "1-5.10", "1-10"};
    _cleanup_(usb_names_done) struct usb_names found = {0};
    struct fake_device d = DEVICE;

    fake_usb_add_root_hub(*state, "usb2", "0000:00:14.0");
    for (size_t i = 0; i < ELEMENTS(plugged); i++) {
        d.name = plugged[i];
        fake_usb_plug(*state, &d);
    }
    assert_int_equal(ops(state)->list(ops(state)->context, &found), 0);
    assert_int_equal(found.n, ELEMENTS(expected));
    for (size_t i = 0; i < ELEMENTS(expected); i++)
        assert_string_equal(found.items[i], expected[i]);
}

static void attributes(void **state)
{
    const struct usb_ops *o = ops(state);
    _cleanup_(usb_names_done) struct usb_names interfaces = {0};
    _cleanup_(usb_node_done) struct usb_node n;
    _cleanup_free_ char *serial = NULL, *type = NULL, *authorized = NULL, *absent = NULL;
    _cleanup_free_ uint8_t *descriptors = NULL;
    size_t size;

    fake_usb_plug(*state, &DEVICE);
    usb_node_init(&n);
    assert_int_equal(o->open(o->context, "1-2", &n), 0);
    assert_string_equal(n.path, "devices/pci0000:00/0000:00:14.0/usb1/1-2");
    assert_int_equal(o->read(o->context, &n, NULL, "serial", &serial), 0);
    assert_string_equal(serial, "S1");
    assert_int_equal(o->read(o->context, &n, NULL, "product", &absent), USB_E_ABSENT);
    assert_int_equal(o->read_port(o->context, &n, "connect_type", &type), 0);
    assert_string_equal(type, "hardwired");
    assert_int_equal(o->read_descriptors(o->context, &n, &descriptors, &size), 0);
    assert_int_equal(size, 18 + 9 + 18);
    assert_int_equal(o->list_interfaces(o->context, &n, &interfaces), 0);
    assert_int_equal(interfaces.n, 2);
    assert_string_equal(interfaces.items[1], "1-2:1.1");
    assert_int_equal(o->write(o->context, &n, "1-2:1.1", "authorized", "0"), 0);
    assert_int_equal(o->read(o->context, &n, "1-2:1.1", "authorized", &authorized), 0);
    assert_string_equal(authorized, "0");
    assert_int_equal(o->write(o->context, &n, NULL, "nothing", "0"), USB_E_ABSENT);
    assert_int_equal(o->write(o->context, &n, "1-3:1.0", "authorized", "1"), -EINVAL); /* not an interface of it */
    assert_int_equal(o->probe(o->context, "1-2:1.0"), 0);
    assert_int_equal(o->probe(o->context, "../x"), -EINVAL);
}

static void attribute_is_bounded(void **state)
{
    const struct usb_ops *o = ops(state);
    _cleanup_(usb_node_done) struct usb_node n;
    char big[USB_ATTRIBUTE_MAX + 1], *text = NULL;

    fake_usb_plug(*state, &DEVICE);
    usb_node_init(&n);
    assert_int_equal(o->open(o->context, "1-2", &n), 0);
    memset(big, 'a', sizeof(big));
    fake_usb_set_bytes(*state, "1-2", "serial", big, sizeof(big));
    assert_int_equal(o->read(o->context, &n, NULL, "serial", &text), -EFBIG);
    fake_usb_set_bytes(*state, "1-2", "serial", "a\0b\n", 4);
    assert_int_equal(o->read(o->context, &n, NULL, "serial", &text), -EBADMSG);
    assert_null(text);
}

/* The held directory never becomes another device's. */
static void node_outlives_its_name(void **state)
{
    const struct usb_ops *o = ops(state);
    _cleanup_(usb_node_done) struct usb_node old, new;
    _cleanup_free_ char *text = NULL;

    usb_node_init(&old);
    usb_node_init(&new);
    fake_usb_plug(*state, &DEVICE);
    assert_int_equal(o->open(o->context, "1-2", &old), 0);
    assert_int_equal(o->same(o->context, &old, &old), 0);
    fake_usb_unplug(*state, "1-2");
    assert_int_equal(o->open(o->context, "1-2", &new), USB_E_ABSENT);
    fake_usb_plug(*state, &DEVICE);
    assert_int_equal(o->open(o->context, "1-2", &new), 0);
    assert_int_equal(o->same(o->context, &old, &new), USB_E_ABSENT);
    assert_int_equal(o->read(o->context, &old, NULL, "serial", &text), USB_E_ABSENT);
    assert_int_equal(o->write(o->context, &old, NULL, "authorized", "1"), USB_E_ABSENT);
    assert_int_equal(o->read(o->context, &new, NULL, "serial", &text), 0);
}

static void links_do_not_lead_out(void **state)
{
    static const char *const targets[] = {"/etc", "../../../../etc", "../../../devices/evil",
                                          "../../../devices/../../x"};
    const struct usb_ops *o = ops(state);
    struct fake_usb *f = *state;
    _cleanup_(usb_node_done) struct usb_node n;
    char *text = NULL;

    usb_node_init(&n);
    assert_int_equal(symlinkat("/etc", f->root_fd, "devices/evil"), 0);
    for (size_t i = 0; i < ELEMENTS(targets); i++) {
        int r;

        assert_int_equal(symlinkat(targets[i], f->root_fd, "bus/usb/devices/1-9"), 0);
        r = o->open(o->context, "1-9", &n);
        if (r >= 0)
            fail_msg("%s was followed: %d", targets[i], r);
        assert_int_equal(unlinkat(f->root_fd, "bus/usb/devices/1-9", 0), 0);
    }
    assert_int_equal(o->open(o->context, "../../devices", &n), -EINVAL);
    /* An attribute that is a link. */
    fake_usb_plug(f, &DEVICE);
    assert_int_equal(o->open(o->context, "1-2", &n), 0);
    assert_int_equal(symlinkat("/etc/hostname", n.fd, "manufacturer"), 0);
    assert_int_equal(o->read(o->context, &n, NULL, "manufacturer", &text), -ELOOP);
    assert_int_equal(o->write(o->context, &n, NULL, "manufacturer", "x"), -ELOOP);
}

struct kernel {
    struct fake_usb *f;
    pid_t who; /* that writes */
    bool was_waited_for;
};

static bool is_waiting(void *context)
{
    const struct kernel *k = context;
    _cleanup_free_ char *call = NULL;
    char path[64];

    (void)snprintf(path, sizeof(path), "/proc/self/task/%d/syscall", (int)k->who);
    return files_read_text_at(AT_FDCWD, path, 256, &call) == 0 && strtol(call, NULL, 10) == SYS_clock_nanosleep;
}

/* usb_new_device(): who hears of the device by its uevent is sometimes quicker than the probe that follows. */
static void *probe_late(void *argument)
{
    struct kernel *k = argument;
    int64_t patience_us = 10 * 1000 * 1000;

    k->was_waited_for = clock_wait_until(&patience_us, is_waiting, k);
    k->was_waited_for = k->was_waited_for && strcmp(fake_usb_get(k->f, "1-2", NULL, "authorized"), "0") == 0;
    fake_usb_settle(k->f, "1-2");
    return NULL;
}

static void authorizes_what_the_kernel_has_settled(void **state)
{
    struct kernel k = {.f = *state, .who = gettid()};
    _cleanup_(usb_node_done) struct usb_node n;
    const struct usb_ops *o = ops(state);
    pthread_t thread;

    fake_usb_set(*state, "usb1", NULL, "authorized_default", "0");
    fake_usb_plug(*state, &DEVICE);
    fake_usb_remove(*state, "1-2", "driver");
    usb_node_init(&n);
    assert_int_equal(o->open(o->context, "1-2", &n), 0);
    assert_int_equal(pthread_create(&thread, NULL, probe_late, &k), 0);
    assert_int_equal(o->write(o->context, &n, NULL, "authorized", "1"), 0);
    /* What is authorized too early is given a second configuration by that probe, whose interfaces are new and closed. */
    assert_true(faccessat(n.fd, "driver", F_OK, AT_SYMLINK_NOFOLLOW) == 0);
    assert_int_equal(pthread_join(thread, NULL), 0);
    assert_true(k.was_waited_for);
    assert_string_equal(fake_usb_get(*state, "1-2", NULL, "authorized"), "1");
    /* One that no driver will have, because somebody took it off: not for ever. To refuse, it never waits. */
    fake_usb_remove(*state, "1-2", "driver");
    assert_int_equal(o->write(o->context, &n, NULL, "authorized", "0"), 0);
    assert_int_equal(o->write(o->context, &n, NULL, "authorized", "1"), 0);
    assert_string_equal(fake_usb_get(*state, "1-2", NULL, "authorized"), "1");
}

static void no_bus(void **state)
{
    struct usb_names found = {0};
    struct usb_node n;
    struct fake_usb f;

    (void)state;
    fake_usb_init(&f, false);
    assert_int_equal(usb_sysfs_ops(f.sysfs)->list(usb_sysfs_ops(f.sysfs)->context, &found), USB_E_ABSENT);
    assert_int_equal(usb_sysfs_ops(f.sysfs)->open(usb_sysfs_ops(f.sysfs)->context, "1-1", &n), USB_E_ABSENT);
    assert_int_equal(usb_sysfs_ops(f.sysfs)->probe(usb_sysfs_ops(f.sysfs)->context, "1-1:1.0"), USB_E_ABSENT);
    fake_usb_done(&f);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(names),
        cmocka_unit_test_setup_teardown(list_puts_parents_first, setup, teardown),
        cmocka_unit_test_setup_teardown(attributes, setup, teardown),
        cmocka_unit_test_setup_teardown(attribute_is_bounded, setup, teardown),
        cmocka_unit_test_setup_teardown(node_outlives_its_name, setup, teardown),
        cmocka_unit_test_setup_teardown(links_do_not_lead_out, setup, teardown),
        cmocka_unit_test_setup_teardown(authorizes_what_the_kernel_has_settled, setup, teardown),
        cmocka_unit_test(no_bus),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
