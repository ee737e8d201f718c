/*
 * Owns: from devices that are present to a policy document that keeps them. Device strings are foreign: libyaml's emitter writes
 * them, nothing here escapes anything.
 * Must not: look for devices, or permit more of one than it shows now.
 */
#include "policy/generate.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <yaml.h>

#include "base/cleanup.h"
#include "base/text.h"

enum {
    CLASS_INPUT = 0x03,
    CLASS_STORAGE = 0x08,
    CLASS_HUB = 0x09,
};

enum kind {
    KIND_KEYBOARD,
    KIND_INPUT,
    KIND_HUB,
    KIND_DEVICE,
    KIND_STORAGE,
    KIND_COUNT_
};
static const char *const kind_names[KIND_COUNT_] = {"keyboard", "input", "hub", "device", "storage"};

/* The document being built. libyaml fails here for want of memory only; one flag remembers it. */
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

static int sequence(struct builder *b, yaml_sequence_style_t style)
{
    return checked(b, yaml_document_add_sequence(&b->document, NULL, style));
}

static void put(struct builder *b, int map, const char *key, int value)
{
    int name = scalar(b, key, YAML_PLAIN_SCALAR_STYLE);

    if (!b->failed)
        b->failed = !yaml_document_append_mapping_pair(&b->document, map, name, value);
}

static void append(struct builder *b, int list, int item)
{
    if (!b->failed)
        b->failed = !yaml_document_append_sequence_item(&b->document, list, item);
}

static void put_text(struct builder *b, int map, const char *key, const char *text)
{
    put(b, map, key, scalar(b, text, YAML_DOUBLE_QUOTED_SCALAR_STYLE));
}

static void put_plain(struct builder *b, int map, const char *key, const char *text)
{
    put(b, map, key, scalar(b, text, YAML_PLAIN_SCALAR_STYLE));
}

static bool has_class(const struct policy_generate_device *d, uint8_t class_)
{
    for (size_t i = 0; i < d->n_interfaces; i++)
        if (d->interfaces[i].class_ == class_)
            return true;
    return false;
}

static bool has_boot_keyboard(const struct policy_generate_device *d)
{
    for (size_t i = 0; i < d->n_interfaces; i++)
        if (d->interfaces[i].class_ == CLASS_INPUT && d->interfaces[i].subclass == 1 && d->interfaces[i].protocol == 1)
            return true;
    return false;
}

/* Storage wins: what also stores is not kept because it also types. */
static enum kind kind_of(const struct policy_generate_device *d)
{
    if (has_class(d, CLASS_STORAGE))
        return KIND_STORAGE;
    if (has_boot_keyboard(d))
        return KIND_KEYBOARD;
    if (has_class(d, CLASS_INPUT))
        return KIND_INPUT;
    return has_class(d, CLASS_HUB) ? KIND_HUB : KIND_DEVICE;
}

/* {equals: [all that it shows]}, repeated ones too: a device that grows a keyboard is another device. */
static void put_interfaces(struct builder *b, int match, const struct policy_generate_device *d)
{
    int set = mapping(b, YAML_FLOW_MAPPING_STYLE), list = sequence(b, YAML_FLOW_SEQUENCE_STYLE);

    for (size_t i = 0; i < d->n_interfaces; i++) {
        char text[16];

        (void)snprintf(text, sizeof(text), "%02x:%02x:%02x", d->interfaces[i].class_, d->interfaces[i].subclass,
                       d->interfaces[i].protocol);
        append(b, list, scalar(b, text, YAML_DOUBLE_QUOTED_SCALAR_STYLE));
    }
    put(b, set, "equals", list);
    put(b, match, "interfaces", set);
}

/* Strings that the loader would refuse are left out; the hash covers them. */
static bool is_usable(const char *text, size_t maximum)
{
    return text && *text && strlen(text) <= maximum && text_is_printable_utf8(text);
}

static int make_rule(struct builder *b, const struct policy_generate_device *d, enum kind kind, size_t number)
{
    int rule = mapping(b, YAML_BLOCK_MAPPING_STYLE), match = mapping(b, YAML_BLOCK_MAPPING_STYLE);
    char text[64];

    (void)snprintf(text, sizeof(text), "%s-%zu", kind_names[kind], number);
    put_plain(b, rule, "id", text);
    if (is_usable(d->name, 256))
        put_text(b, rule, "name", d->name);
    (void)snprintf(text, sizeof(text), "%04x:%04x", d->vendor, d->product);
    put_text(b, match, "device", text);
    if (is_usable(d->serial, 1024))
        put_text(b, match, "serial", d->serial);
    put_text(b, match, "hash", d->hash);
    if (d->n_interfaces > 0)
        put_interfaces(b, match, d);
    /* A built-in keyboard stays where it is; whatever claims its identity from outside is another one. */
    if (text_equal(d->connect_type, "hardwired"))
        put_plain(b, match, "connect-type", "hardwired");
    put(b, rule, "match", match);
    put_plain(b, rule, "allow", kind == KIND_STORAGE ? "read" : "use");
    return rule;
}

/* Two devices of one model without serial numbers have one hash; a second rule would never decide. */
static bool is_known(const struct policy_generate_device *devices, size_t i)
{
    if (!is_usable(devices[i].hash, 128))
        return true;
    for (size_t k = 0; k < i; k++)
        if (text_equal(devices[k].hash, devices[i].hash))
            return true;
    return false;
}

static size_t put_rules(struct builder *b, int rules, const struct policy_generate_device *devices, size_t n,
                        enum kind kind)
{
    size_t made = 0;

    for (size_t i = 0; i < n && !b->failed; i++)
        if (kind_of(&devices[i]) == kind && !is_known(devices, i))
            append(b, rules, make_rule(b, &devices[i], kind, ++made));
    return made;
}

static int write_chunk(void *context, unsigned char *bytes, size_t size)
{
    return buf_add(context, bytes, size) == 0;
}

/* Takes the document in every case. */
static int emit(struct builder *b, struct buf *out)
{
    yaml_emitter_t emitter;
    int r = -ENOBUFS;

    if (b->failed || !yaml_emitter_initialize(&emitter)) {
        yaml_document_delete(&b->document);
        return -ENOMEM;
    }
    yaml_emitter_set_output(&emitter, write_chunk, out);
    yaml_emitter_set_unicode(&emitter, 1);
    yaml_emitter_set_width(&emitter, -1);
    if (yaml_emitter_open(&emitter))
        r = yaml_emitter_dump(&emitter, &b->document) && yaml_emitter_close(&emitter) ? 0 : -ENOBUFS;
    else
        yaml_document_delete(&b->document);
    yaml_emitter_delete(&emitter);
    return r;
}

static int begin(struct builder *b)
{
    *b = (struct builder){0};
    return yaml_document_initialize(&b->document, NULL, NULL, NULL, 1, 1) ? 0 : -ENOMEM;
}

static int emit_policy(const struct policy_generate_options *o, const struct policy_generate_device *devices, size_t n,
                       struct buf *out)
{
    static const char *const zones[] = {
        [POLICY_ZONE_MYNUMBER] = "mynumber", [POLICY_ZONE_LGWAN] = "lgwan", [POLICY_ZONE_INTERNET] = "internet"};
    struct builder b;
    size_t made = 0;
    int root, rules;

    if (begin(&b) < 0)
        return -ENOMEM;
    root = mapping(&b, YAML_BLOCK_MAPPING_STYLE);
    put_plain(&b, root, "format", "kuraban-policy/1");
    put_text(&b, root, "organization", o->organization);
    put_text(&b, root, "name", o->name);
    put_plain(&b, root, "version", "1");
    put_plain(&b, root, "zone", zones[o->zone]);
    put_plain(&b, root, "mode", o->mode == POLICY_MONITOR ? "monitor" : "enforce");
    rules = sequence(&b, YAML_BLOCK_SEQUENCE_STYLE);
    for (enum kind kind = KIND_KEYBOARD; kind < KIND_STORAGE; kind++)
        made += put_rules(&b, rules, devices, n, kind);
    if (made > 0)
        put(&b, root, "usb", rules);
    return emit(&b, out);
}

static int add_as_comment(struct buf *out, const struct buf *text)
{
    const char *line = (const char *)text->data, *end = line + text->size;
    int r = 0;

    while (line < end && r == 0) {
        const char *stop = memchr(line, '\n', (size_t)(end - line));

        stop = stop ? stop + 1 : end;
        r = buf_add(out, "#   ", 4);
        if (r == 0)
            r = buf_add(out, line, (size_t)(stop - line));
        line = stop;
    }
    return r;
}

static int emit_storage(const struct policy_generate_device *devices, size_t n, struct buf *out)
{
    static const char head[] =
        "#\n# Storage that is plugged in now. It is refused. Move a rule up into usb: to let it be read.\n";
    struct buf proposal;
    struct builder b;
    int r, rules;

    if (begin(&b) < 0)
        return -ENOMEM;
    buf_init(&proposal, POLICY_DOCUMENT_MAX);
    rules = sequence(&b, YAML_BLOCK_SEQUENCE_STYLE);
    if (put_rules(&b, rules, devices, n, KIND_STORAGE) == 0) {
        yaml_document_delete(&b.document);
        return b.failed ? -ENOMEM : 0;
    }
    r = emit(&b, &proposal);
    if (r == 0)
        r = buf_add(out, head, sizeof(head) - 1);
    if (r == 0)
        r = add_as_comment(out, &proposal);
    buf_done(&proposal);
    return r;
}

int policy_generate(const struct policy_generate_options *options, const struct policy_generate_device *devices,
                    size_t n, struct buf *ret)
{
    int r = emit_policy(options, devices, n, ret);

    return r == 0 ? emit_storage(devices, n, ret) : r;
}
