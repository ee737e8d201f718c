#include "test.h"

#include "device/usb_descriptor.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/files.h"

#define CORPUS KURABAN_TEST_DATA "/../fuzz/corpus/descriptors"

static int parse_file(const char *name, struct usb_descriptors *ret)
{
    _cleanup_close_ int dir = open(CORPUS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    _cleanup_free_ uint8_t *bytes = NULL;
    size_t size;

    assert_true(dir >= 0);
    assert_int_equal(files_read_at(dir, name, 1 << 20, &bytes, &size), 0);
    /* An exact heap block: reading past the end is seen by ASan. */
    _cleanup_free_ uint8_t *exact = malloc(size);
    assert_non_null(exact);
    memcpy(exact, bytes, size);
    return usb_descriptors_parse(exact, size, ret);
}

static void assert_interface(const struct usb_descriptors *d, size_t i, unsigned configuration, unsigned number,
                             unsigned alternate, unsigned triple)
{
    const struct usb_interface_descriptor *at = &d->interfaces[i];

    assert_true(i < d->n_interfaces);
    assert_int_equal(at->configuration, configuration);
    assert_int_equal(at->number, number);
    assert_int_equal(at->alternate, alternate);
    assert_int_equal((unsigned)at->class_ << 16 | (unsigned)at->subclass << 8 | at->protocol, triple);
}

static void real_devices(void **state)
{
    struct usb_descriptors d;

    (void)state;
    assert_int_equal(parse_file("keyboard", &d), 0);
    assert_int_equal(d.vendor, 0x046d);
    assert_int_equal(d.product, 0xc31c);
    assert_int_equal(d.release, 0x6400);
    assert_int_equal(d.n_interfaces, 2);
    assert_interface(&d, 0, 1, 0, 0, 0x030101);
    assert_interface(&d, 1, 1, 1, 0, 0x030000);

    assert_int_equal(parse_file("stick-uas-usb3", &d), 0);
    assert_int_equal(d.n_interfaces, 2);
    assert_interface(&d, 0, 1, 0, 0, 0x080650);
    assert_interface(&d, 1, 1, 0, 1, 0x080662);

    assert_int_equal(parse_file("composite-storage-hid", &d), 0);
    assert_interface(&d, 0, 1, 0, 0, 0x080650);
    assert_interface(&d, 1, 1, 1, 0, 0x030101);

    assert_int_equal(parse_file("phone-mtp", &d), 0);
    assert_int_equal(d.n_interfaces, 3);
    assert_interface(&d, 0, 1, 0, 0, 0x060101);

    assert_int_equal(parse_file("hub", &d), 0);
    assert_int_equal(d.class_, 9);
    assert_interface(&d, 1, 1, 0, 1, 0x090002);
}

static void every_configuration_counts(void **state)
{
    struct usb_descriptors d;

    (void)state;
    assert_int_equal(parse_file("modem-two-configurations", &d), 0);
    assert_int_equal(d.n_configurations, 2);
    assert_int_equal(d.n_interfaces, 3);
    assert_interface(&d, 0, 1, 0, 0, 0x080650);
    assert_interface(&d, 1, 2, 0, 0, 0xff0101);
    assert_interface(&d, 2, 2, 1, 0, 0x020d00);
}

static void unknown_types_are_skipped(void **state)
{
    struct usb_descriptors d;

    (void)state;
    assert_int_equal(parse_file("unknown-types", &d), 0);
    assert_int_equal(d.n_interfaces, 1);
    assert_interface(&d, 0, 1, 0, 0, 0x080650);
}

static void malformed_is_refused(void **state)
{
    static const char *const files[] = {
        "bad-length-zero",          "bad-truncated",     "bad-total-too-long",   "bad-total-too-short",
        "bad-total-below-header",   "bad-device-length", "bad-no-configuration", "bad-second-configuration-missing",
        "bad-trailing-bytes",       "bad-device-only",   "bad-short-interface",  "bad-short-endpoint",
        "bad-configuration-inside",
    };
    struct usb_descriptors d, untouched;

    (void)state;
    memset(&d, 0xa5, sizeof(d));
    untouched = d;
    for (size_t i = 0; i < ELEMENTS(files); i++) {
        if (parse_file(files[i], &d) != -EBADMSG)
            fail_msg("%s was accepted", files[i]);
        assert_memory_equal(&d, &untouched, sizeof(d));
    }
    assert_int_equal(usb_descriptors_parse((const uint8_t *)"", 0, &d), -EBADMSG);
}

static void limits(void **state)
{
    struct usb_descriptors d;

    (void)state;
    assert_int_equal(parse_file("most-32-interfaces", &d), 0);
    assert_int_equal(d.n_interfaces, 32);
    assert_int_equal(parse_file("most-256-alternates", &d), 0);
    assert_int_equal(d.n_interfaces, 256);
    assert_int_equal(parse_file("bad-33-interfaces", &d), -E2BIG);
    assert_int_equal(parse_file("bad-257-alternates", &d), -E2BIG);
    assert_int_equal(parse_file("bad-nine-configurations", &d), -E2BIG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(real_devices),
        cmocka_unit_test(every_configuration_counts),
        cmocka_unit_test(unknown_types_are_skipped),
        cmocka_unit_test(malformed_is_refused),
        cmocka_unit_test(limits),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
