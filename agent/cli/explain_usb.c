/* Owns: reading a described USB device ("0781:5583", "08:06:50,03:01:01") into facts. Must not: guess what was not said. */
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "base/text.h"
#include "cli/explain.h"

/* "aa:bb" in fields of `digits` hex digits each, up to a comma or the end; what follows, or NULL. */
static const char *read_hex(const char *text, size_t n, size_t digits, uint64_t values[])
{
    for (size_t i = 0; i < n; i++) {
        size_t length = strcspn(text, ":,");
        char field[8] = "";

        if (length != digits)
            return NULL;
        memcpy(field, text, length);
        if (text_hex_to_u64(field, UINT16_MAX, &values[i]) < 0)
            return NULL;
        text += length;
        if (i + 1 < n && *text++ != ':')
            return NULL;
    }
    return *text == 0 || *text == ',' ? text : NULL;
}

bool explain_is_device_id(const char *text)
{
    uint64_t values[2];
    const char *end = read_hex(text, 2, 4, values);

    return end && *end == 0;
}

static int read_interfaces(const char *text, struct decide_interface *interfaces, size_t *ret_n)
{
    size_t n = 0;

    while (*text) {
        uint64_t values[3];
        const char *end = n < EXPLAIN_INTERFACES_MAX ? read_hex(text, 3, 2, values) : NULL;

        if (!end || (*end == ',' && end[1] == 0))
            return EXPLAIN_E_INTERFACES;
        interfaces[n] = (struct decide_interface){.number = (uint8_t)n,
                                                  .class_ = (uint8_t)values[0],
                                                  .subclass = (uint8_t)values[1],
                                                  .protocol = (uint8_t)values[2]};
        n++;
        text = *end ? end + 1 : end;
    }
    *ret_n = n;
    return n > 0 ? 0 : EXPLAIN_E_INTERFACES;
}

static const char *or_empty(const char *text)
{
    return text ? text : "";
}

static bool is_hash(const char *text)
{
    struct digest ignored;

    return !text || !*text || digest_from_hex(text, &ignored) == 0;
}

int explain_usb_facts(const struct explain_usb *u, struct decide_interface interfaces[static EXPLAIN_INTERFACES_MAX],
                      struct decide_usb_facts *ret)
{
    uint64_t id[2] = {0};
    const char *end = read_hex(u->device, 2, 4, id);
    size_t n = 0;
    int r;

    if (!end || *end)
        return EXPLAIN_E_DEVICE;
    if (!is_hash(u->hash) || !is_hash(u->parent_hash))
        return EXPLAIN_E_HASH;
    r = read_interfaces(or_empty(u->interfaces), interfaces, &n);
    if (r != 0)
        return r;
    *ret = (struct decide_usb_facts){.vendor = (uint16_t)id[0],
                                     .product = (uint16_t)id[1],
                                     .serial = or_empty(u->serial),
                                     .name = or_empty(u->name),
                                     .manufacturer = "",
                                     .port = or_empty(u->port),
                                     .connect_type = or_empty(u->connect_type),
                                     .hash = or_empty(u->hash),
                                     .parent_hash = or_empty(u->parent_hash),
                                     .interfaces = interfaces,
                                     .n_interfaces = n};
    return 0;
}
