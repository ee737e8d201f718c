/*
 * Owns: from devices to a policy document. Device strings are foreign: they go through the emitter, which quotes what needs it,
 * and were made printable when they were read. Must not: permit more of a device than it shows now.
 */
#include "cli/generate.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

enum {
    CLASS_STORAGE = 8,
    CLASS_HUB = 9,
};

/* The document being built. libyaml only fails for want of memory here; one flag tells. */
struct builder {
    yaml_document_t document;
    bool failed;
};

static int checked(struct builder *b, int node)
{
    b->failed |= node == 0;
    return node;
}

static int scalar(struct builder *b, const char *text, yaml_scalar_style_t style)
{
    return checked(b,
                   yaml_document_add_scalar(&b->document, NULL, (const yaml_char_t *)text, (int)strlen(text), style));
}

static int mapping(struct builder *b, yaml_mapping_style_t style)
{
    return checked(b, yaml_document_add_mapping(&b->document, NULL, style));
}

static void put(struct builder *b, int map, const char *key, int value)
{
    int name = scalar(b, key, YAML_PLAIN_SCALAR_STYLE);

    if (!b->failed)
        b->failed = !yaml_document_append_mapping_pair(&b->document, map, name, value);
}

static void put_text(struct builder *b, int map, const char *key, const char *text)
{
    put(b, map, key, scalar(b, text, YAML_DOUBLE_QUOTED_SCALAR_STYLE));
}

static void put_plain(struct builder *b, int map, const char *key, const char *text)
{
    put(b, map, key, scalar(b, text, YAML_PLAIN_SCALAR_STYLE));
}

static bool seen_before(const struct decide_interface *interfaces, size_t i)
{
    for (size_t j = 0; j < i; j++)
        if (interfaces[j].class_ == interfaces[i].class_ && interfaces[j].subclass == interfaces[i].subclass &&
            interfaces[j].protocol == interfaces[i].protocol)
            return true;
    return false;
}

/* {equals: [all that it shows]}: a device that grows a keyboard is another device. */
static void put_interfaces(struct builder *b, int match, const struct usb_device *d)
{
    size_t n = 0;
    const struct decide_interface *interfaces = usb_device_interfaces(d, &n);
    int set = mapping(b, YAML_FLOW_MAPPING_STYLE);
    int list = checked(b, yaml_document_add_sequence(&b->document, NULL, YAML_FLOW_SEQUENCE_STYLE));

    for (size_t i = 0; i < n; i++) {
        char text[16];
        int item;

        if (seen_before(interfaces, i))
            continue;
        (void)snprintf(text, sizeof(text), "%02x:%02x:%02x", interfaces[i].class_, interfaces[i].subclass,
                       interfaces[i].protocol);
        item = scalar(b, text, YAML_DOUBLE_QUOTED_SCALAR_STYLE);
        if (!b->failed)
            b->failed = !yaml_document_append_sequence_item(&b->document, list, item);
    }
    put(b, set, "equals", list);
    put(b, match, "interfaces", set);
}

static const char *kind_of(const struct usb_device *d)
{
    if (present_has_class(d, CLASS_HUB))
        return "hub";
    if (present_is_keyboard(d))
        return "keyboard";
    if (present_has_class(d, 3))
        return "input";
    return present_has_class(d, CLASS_STORAGE) ? "storage" : "device";
}

/* Two devices of one model without serial numbers need one rule; the second would never match. */
static bool same_rule(const struct usb_device *a, const struct usb_device *b)
{
    return strcmp(usb_device_hash(a), usb_device_hash(b)) == 0;
}

static void put_rule(struct builder *b, int rules, const struct usb_device *d, size_t number)
{
    int rule = mapping(b, YAML_BLOCK_MAPPING_STYLE), match = mapping(b, YAML_BLOCK_MAPPING_STYLE);
    char text[64];

    (void)snprintf(text, sizeof(text), "%s-%zu", kind_of(d), number);
    put_plain(b, rule, "id", text);
    if (*usb_device_name(d))
        put_text(b, rule, "name", usb_device_name(d));
    (void)snprintf(text, sizeof(text), "%04x:%04x", usb_device_vendor(d), usb_device_product(d));
    put_text(b, match, "device", text);
    if (*usb_device_serial(d))
        put_text(b, match, "serial", usb_device_serial(d));
    put_interfaces(b, match, d);
    put_text(b, match, "hash", usb_device_hash(d));
    put(b, rule, "match", match);
    put_plain(b, rule, "allow", present_has_class(d, CLASS_STORAGE) ? "read" : "use");
    if (!b->failed)
        b->failed = !yaml_document_append_sequence_item(&b->document, rules, rule);
}

static void put_rules(struct builder *b, int rules, const struct present *present)
{
    for (size_t i = 0; i < present_count(present) && !b->failed; i++) {
        const struct usb_device *d = present_at(present, i);
        bool again = !*usb_device_hash(d); /* its claims could not be read: nothing to keep */

        for (size_t j = 0; j < i && !again; j++)
            again = same_rule(present_at(present, j), d);
        if (!again)
            put_rule(b, rules, d, i + 1);
    }
}

static int write_chunk(void *context, unsigned char *bytes, size_t size)
{
    return buf_add(context, bytes, size) == 0;
}

/* Takes the document. */
static int emit(struct builder *b, struct buf *out)
{
    yaml_emitter_t emitter;
    int r;

    if (!yaml_emitter_initialize(&emitter)) {
        yaml_document_delete(&b->document);
        return -ENOMEM;
    }
    yaml_emitter_set_output(&emitter, write_chunk, out);
    yaml_emitter_set_unicode(&emitter, 1);
    yaml_emitter_set_width(&emitter, -1);
    r = yaml_emitter_open(&emitter) && yaml_emitter_dump(&emitter, &b->document) && yaml_emitter_close(&emitter)
            ? 0
            : -ENOBUFS;
    yaml_emitter_delete(&emitter);
    return r;
}

int generate_policy(const struct present *present, struct buf *ret_yaml)
{
    struct builder b = {0};
    int root, rules;

    if (!yaml_document_initialize(&b.document, NULL, NULL, NULL, 1, 1))
        return -ENOMEM;
    root = mapping(&b, YAML_BLOCK_MAPPING_STYLE);
    put_plain(&b, root, "format", "kuraban-policy/1");
    put_plain(&b, root, "organization", "example");
    put_plain(&b, root, "name", "generated");
    put_plain(&b, root, "version", "1");
    put_plain(&b, root, "zone", "mynumber");
    put_plain(&b, root, "mode", "monitor");
    if (present_count(present) > 0) {
        rules = checked(&b, yaml_document_add_sequence(&b.document, NULL, YAML_BLOCK_SEQUENCE_STYLE));
        put_rules(&b, rules, present);
        put(&b, root, "usb", rules);
    }
    if (b.failed) {
        yaml_document_delete(&b.document);
        return -ENOMEM;
    }
    return emit(&b, ret_yaml);
}
