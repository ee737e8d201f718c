/* What calls itself storage and is taken by another driver: the kernel goes by vendor, product and device class as well. */
#include "test.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <unistd.h>

#include "device/usb.h"

#include "unit/device/usb_fixture.h"

/* As a driver that takes an interface; with its uevent where it was loaded later. */
static void bind_driver(struct fake_usb *f, const char *interface, const char *driver)
{
    char name[USB_NAME_SIZE], device[PATH_MAX / 2], path[PATH_MAX], target[128];

    (void)snprintf(name, sizeof(name), "%.*s", (int)strcspn(interface, ":"), interface);
    fake_usb_syspath(name, device, sizeof(device));
    (void)snprintf(path, sizeof(path), "%s%s/%s/driver", f->root, device + strlen("/sys"), interface);
    (void)snprintf(target, sizeof(target), "../../../../../../bus/usb/drivers/%s", driver);
    assert_true(unlink(path) == 0 || errno == ENOENT);
    assert_int_equal(symlink(target, path), 0);
}

static void bind_at_probe(struct fake_usb *f, const char *name, const char *interface, const char *attribute,
                          const char *value)
{
    (void)name;
    (void)value;
    if (strcmp(attribute, "drivers_probe") == 0)
        bind_driver(f, interface, f->hook);
}

static char asix[] = "asix", usbfs[] = "usbfs", storage[] = "usb-storage", uas[] = "uas", reader[] = "ums-realtek";

static void no_other_driver_under_read(void **state)
{
    static char *const drivers[] = {asix, usbfs};

    (void)state;
    for (size_t i = 0; i < ELEMENTS(drivers); i++) {
        struct fixture_policy p;
        _fixture_ x = fixture_started(fixture_policy(&p));

        x->bus.written = bind_at_probe;
        x->bus.hook = drivers[i];
        fixture_plug(x, &STICK);
        assert_false(fixture_authorized(x, "1-2"));
        assert_int_equal(fixture_count(x, AUDIT_DEVICE_FAILED, "1-2"), 1);
        fixture_event(x, "1-2");
        fixture_event(x, "1-2:1.0");
        assert_false(fixture_authorized(x, "1-2"));
        assert_int_equal(fixture_count(x, AUDIT_DEVICE_FAILED, "1-2"), 1);
    }
}

/* udev loads a module when it hears of the interface, and that takes whatever is free. */
static void nor_one_that_comes_later(void **state)
{
    struct fixture_policy p;
    _fixture_ x = fixture_started(fixture_policy(&p));

    (void)state;
    fixture_plug(x, &STICK);
    assert_true(fixture_authorized(x, "1-2"));
    bind_driver(&x->bus, "1-2:1.0", asix);
    fixture_event(x, "1-2:1.0");
    assert_false(fixture_authorized(x, "1-2"));
    assert_int_equal(fixture_count(x, AUDIT_DEVICE_FAILED, "1-2"), 1);
}

static void drivers_of_storage(void **state)
{
    static char *const drivers[] = {storage, uas, reader};

    (void)state;
    for (size_t i = 0; i < ELEMENTS(drivers); i++) {
        struct fixture_policy p;
        _fixture_ x = fixture_started(fixture_policy(&p));

        x->bus.written = bind_at_probe;
        x->bus.hook = drivers[i];
        fixture_plug(x, &STICK);
        fixture_event(x, "1-2:1.0");
        assert_true(fixture_authorized(x, "1-2"));
        assert_int_equal(fixture_count(x, AUDIT_DEVICE_FAILED, NULL), 0);
    }
}

/* A rule that permits use says so of all that the device can be; one that only records refuses nothing. */
static void elsewhere_any_driver(void **state)
{
    (void)state;
    for (size_t i = 0; i < 3; i++) {
        struct fixture_policy p;
        struct policy *policy = fixture_policy(&p);
        struct fixture *x;

        if (i == 0)
            p.rules[RULE_STICK].allow = POLICY_USE;
        else if (i == 1)
            p.rules[RULE_STICK].monitor = true;
        else
            policy->mode = POLICY_MONITOR;
        x = fixture_started(policy);
        x->bus.written = bind_at_probe;
        x->bus.hook = asix;
        fixture_plug(x, &STICK);
        fixture_event(x, "1-2:1.0");
        assert_true(fixture_authorized(x, "1-2"));
        fixture_free(x);
    }
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(no_other_driver_under_read),
        cmocka_unit_test(nor_one_that_comes_later),
        cmocka_unit_test(drivers_of_storage),
        cmocka_unit_test(elsewhere_any_driver),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
