/*
 * Identity hashes of USB devices. Owns the list of fields (documented in the header; changing it changes every hash in every
 * policy, so it takes a new format string). Must not read sysfs.
 */
#include "device/usb_identity.h"

#include <errno.h>
#include <openssl/evp.h>
#include <stdbool.h>
#include <string.h>

#include "base/buf.h"
#include "base/cleanup.h"

DEFINE_CLEANUP(struct digest_fields *, digest_fields_free);

static int add_text(struct digest_fields *f, const char *text)
{
    return digest_fields_add(f, text ? text : "", text ? strlen(text) : 0);
}

static int add_u16(struct digest_fields *f, uint16_t v)
{
    uint8_t bytes[2] = {(uint8_t)(v & 0xff), (uint8_t)(v >> 8)};

    return digest_fields_add(f, bytes, sizeof(bytes));
}

static int add_strings(struct digest_fields *f, const struct usb_claims *c)
{
    int r = add_text(f, c->manufacturer);

    if (r == 0)
        r = add_text(f, c->product_name);
    return r == 0 ? add_text(f, c->serial) : r;
}

static int begin(const char *format, struct digest_fields **ret)
{
    _cleanup_(digest_fields_freep) struct digest_fields *f = NULL;
    int r = digest_fields_new(&f);

    if (r == 0)
        r = add_text(f, format);
    if (r < 0)
        return r;
    *ret = TAKE_PTR(f);
    return 0;
}

int usb_identity(const struct usb_claims *claims, struct digest *ret)
{
    _cleanup_(digest_fields_freep) struct digest_fields *f = NULL;
    _cleanup_(buf_done) struct buf stable;
    struct usb_descriptors d;
    int r;

    buf_init(&stable, claims->n_descriptors);
    r = usb_descriptors_parse(claims->descriptors, claims->n_descriptors, &d);
    if (r == 0)
        r = usb_descriptors_stable(claims->descriptors, claims->n_descriptors, &stable);
    if (r == 0)
        r = begin("kuraban-usb-identity/1", &f);
    if (r == 0)
        r = add_u16(f, d.vendor);
    if (r == 0)
        r = add_u16(f, d.product);
    if (r == 0)
        r = add_u16(f, d.release);
    if (r == 0)
        r = add_strings(f, claims);
    if (r == 0)
        r = digest_fields_add(f, stable.data, stable.size);
    return r < 0 ? r : digest_fields_finish(f, ret);
}

int usb_identity_root_hub(uint16_t product, const char *serial, struct digest *ret)
{
    _cleanup_(digest_fields_freep) struct digest_fields *f = NULL;
    int r = begin("kuraban-usb-root-hub/1", &f);

    if (r == 0)
        r = add_u16(f, product);
    if (r == 0)
        r = add_text(f, serial);
    return r < 0 ? r : digest_fields_finish(f, ret);
}

int usb_identity_exact(const struct usb_claims *claims, struct digest *ret)
{
    _cleanup_(digest_fields_freep) struct digest_fields *f = NULL;
    int r = begin("kuraban-usb-exact/1", &f);

    if (r == 0)
        r = add_strings(f, claims);
    if (r == 0)
        r = digest_fields_add(f, claims->descriptors, claims->n_descriptors);
    return r < 0 ? r : digest_fields_finish(f, ret);
}

enum {
    DEVICE_DESCRIPTOR_SIZE = 18,
    RELEASE_OFFSET = 12, /* bcdDevice */
    LINUX_FOUNDATION = 0x1d6b,
    ROOT_HUB_LAST = 3, /* products 1, 2, 3: root hubs of USB 1.1, 2 and 3 */
    USBGUARD_INPUT_MAX = 128 * 1024,
};

/* By the claim alone, as USBGuard does it: a device that claims to be a root hub is hashed like one. */
static bool claims_root_hub(uint16_t vendor, uint16_t product)
{
    return vendor == LINUX_FOUNDATION && product >= 1 && product <= ROOT_HUB_LAST;
}

static int add_descriptors(struct buf *b, const struct usb_claims *c, bool root_hub)
{
    static const uint8_t no_release[2] = {0};
    int r;

    if (c->n_descriptors < DEVICE_DESCRIPTOR_SIZE)
        return -EBADMSG;
    r = buf_add(b, c->descriptors, RELEASE_OFFSET);
    if (r == 0)
        r = buf_add(b, root_hub ? no_release : c->descriptors + RELEASE_OFFSET, sizeof(no_release));
    if (r == 0)
        r = buf_add(b, c->descriptors + RELEASE_OFFSET + sizeof(no_release),
                    c->n_descriptors - RELEASE_OFFSET - sizeof(no_release));
    return r;
}

int usb_identity_usbguard(const struct usb_claims *claims, uint16_t vendor, uint16_t product,
                          char ret[static USB_USBGUARD_HASH_SIZE])
{
    _cleanup_(buf_done) struct buf b;
    struct digest digest;
    int r;

    buf_init(&b, USBGUARD_INPUT_MAX);
    r = buf_printf(&b, "%s%04x%04x%s", claims->product_name ? claims->product_name : "", vendor, product,
                   claims->serial ? claims->serial : "");
    if (r == 0)
        r = add_descriptors(&b, claims, claims_root_hub(vendor, product));
    if (r == 0)
        r = digest_bytes(b.data, b.size, &digest);
    if (r < 0)
        return r;
    if (EVP_EncodeBlock((unsigned char *)ret, digest.bytes, DIGEST_SIZE) != USB_USBGUARD_HASH_SIZE - 1)
        return -EIO;
    return 0;
}
