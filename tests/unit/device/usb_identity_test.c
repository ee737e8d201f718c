#include "test.h"

#include "device/usb_identity.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/files.h"

#define CORPUS KURABAN_TEST_DATA "/../fuzz/corpus/descriptors"

static struct usb_claims claims_from(const char *name, uint8_t **ret_bytes)
{
    _cleanup_close_ int dir = open(CORPUS, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    struct usb_claims c = {.manufacturer = "SanDisk", .product_name = "Ultra", .serial = "4C530001"};

    assert_true(dir >= 0);
    assert_int_equal(files_read_at(dir, name, 1 << 20, ret_bytes, &c.n_descriptors), 0);
    c.descriptors = *ret_bytes;
    return c;
}

static int same(const struct usb_claims *a, const struct usb_claims *b)
{
    struct digest x, y;

    assert_int_equal(usb_identity(a, &x), 0);
    assert_int_equal(usb_identity(b, &y), 0);
    return digest_equal(&x, &y);
}

static int same_exactly(const struct usb_claims *a, const struct usb_claims *b)
{
    struct digest x, y;

    assert_int_equal(usb_identity_exact(a, &x), 0);
    assert_int_equal(usb_identity_exact(b, &y), 0);
    return digest_equal(&x, &y);
}

static void speed_does_not_matter(void **state)
{
    _cleanup_free_ uint8_t *two = NULL, *three = NULL;
    struct usb_claims a = claims_from("stick-uas-usb2", &two), b = claims_from("stick-uas-usb3", &three);

    (void)state;
    assert_true(same(&a, &b));
    assert_false(same_exactly(&a, &b));
}

static void every_field_matters(void **state)
{
    static const size_t offsets[] = {4, 5, 6, 8, 9, 10, 12, 14, 15, 16, 18 + 5, 18 + 7, 18 + 9 + 5, 18 + 9 + 7};
    _cleanup_free_ uint8_t *bytes = NULL, *others = NULL;
    struct usb_claims a = claims_from("stick-bot-usb2", &bytes), b = claims_from("stick-bot-usb2", &others);

    (void)state;
    assert_true(same(&a, &b));
    for (size_t i = 0; i < ELEMENTS(offsets); i++) {
        others[offsets[i]] ^= 1;
        if (same(&a, &b))
            fail_msg("byte %zu does not count", offsets[i]);
        others[offsets[i]] ^= 1;
    }
    b.serial = "4C530002";
    assert_false(same(&a, &b));
    b.serial = NULL;
    assert_false(same(&a, &b));
    a.serial = "";
    assert_true(same(&a, &b));
}

/* USBGuard's hash joins its fields without separators; ours must tell these apart. */
static void fields_do_not_run_together(void **state)
{
    _cleanup_free_ uint8_t *bytes = NULL;
    struct usb_claims a = claims_from("stick-bot-usb2", &bytes), b = a;

    (void)state;
    a.product_name = "Ultra4";
    a.serial = "C530001";
    b.product_name = "Ultra";
    b.serial = "4C530001";
    assert_false(same(&a, &b));
    assert_false(same_exactly(&a, &b));
    a = b;
    a.manufacturer = "";
    a.product_name = "SanDiskUltra";
    assert_false(same(&a, &b));
    assert_false(same_exactly(&a, &b));
}

static void malformed_has_none(void **state)
{
    _cleanup_free_ uint8_t *bytes = NULL;
    struct usb_claims a = claims_from("bad-truncated", &bytes);
    struct digest d;

    (void)state;
    assert_int_equal(usb_identity(&a, &d), -EBADMSG);
    assert_int_equal(usb_identity_exact(&a, &d), 0);
}

static void root_hubs(void **state)
{
    struct digest a, b;

    (void)state;
    assert_int_equal(usb_identity_root_hub(2, "0000:00:14.0", &a), 0);
    assert_int_equal(usb_identity_root_hub(2, "0000:00:14.0", &b), 0);
    assert_true(digest_equal(&a, &b));
    assert_int_equal(usb_identity_root_hub(3, "0000:00:14.0", &b), 0);
    assert_false(digest_equal(&a, &b));
    assert_int_equal(usb_identity_root_hub(2, "0000:00:1a.0", &b), 0);
    assert_false(digest_equal(&a, &b));
}

/* Policies hold these hashes: a change of the format must be meant. */
static void golden(void **state)
{
    _cleanup_free_ uint8_t *bytes = NULL;
    struct usb_claims a = claims_from("stick-bot-usb2", &bytes);
    char hex[DIGEST_HEX_SIZE];
    struct digest d;

    (void)state;
    assert_int_equal(usb_identity(&a, &d), 0);
    digest_to_hex(&d, hex);
    assert_string_equal(hex, "d62428f52a56d22634f4b8cd3a1b9c43c07806982cd02982ef73f209ce6b2ba4");
}

/* The values are USBGuard's way of hashing, computed by other means. */
static void as_usbguard(void **state)
{
    _cleanup_free_ uint8_t *bytes = NULL;
    struct usb_claims a = claims_from("stick-bot-usb2", &bytes);
    char hash[USB_USBGUARD_HASH_SIZE];

    (void)state;
    assert_int_equal(usb_identity_usbguard(&a, 0x0781, 0x5583, hash), 0);
    assert_string_equal(hash, "l8o4xdlKmVJM8Q9wPLK2zdtSUg6RHA6wQ9+2SQ5f7mw=");
    a.manufacturer = "another";
    assert_int_equal(usb_identity_usbguard(&a, 0x0781, 0x5583, hash), 0);
    assert_string_equal(hash, "l8o4xdlKmVJM8Q9wPLK2zdtSUg6RHA6wQ9+2SQ5f7mw=");
    memcpy(bytes + 8, "\x6b\x1d\x02\0", 4); /* claims to be a root hub: bcdDevice does not count */
    for (uint8_t release = 0; release < 3; release++) {
        bytes[12] = release;
        assert_int_equal(usb_identity_usbguard(&a, 0x1d6b, 2, hash), 0);
        assert_string_equal(hash, "Qp0F52I2lq2Bz95Pv3uzUpMT9ysu/5CLDTvkxVvXq3U=");
    }
    a.n_descriptors = 17;
    assert_int_equal(usb_identity_usbguard(&a, 0x1d6b, 2, hash), -EBADMSG);
}

int main(void)
{
    const struct CMUnitTest tests[] = {
        cmocka_unit_test(speed_does_not_matter),
        cmocka_unit_test(every_field_matters),
        cmocka_unit_test(fields_do_not_run_together),
        cmocka_unit_test(malformed_has_none),
        cmocka_unit_test(root_hubs),
        cmocka_unit_test(golden),
        cmocka_unit_test(as_usbguard),
    };

    return cmocka_run_group_tests(tests, NULL, NULL);
}
