/*
 * Owns: from devices that are present to a policy document that keeps them. Device strings are foreign: libyaml's emitter writes
 * them, nothing here escapes anything.
 * Must not: look for devices, or permit more of one than it shows now.
 */
#include "policy/generate.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "policy/emit.h"
#include "policy/findings.h"

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
    KIND_SYSTEM, /* storage that the machine runs from */
    KIND_STORAGE,
    KIND_COUNT_
};
static const char *const kind_names[KIND_COUNT_] = {"keyboard", "input", "hub", "device", "system", "storage"};

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
        return d->carries_system ? KIND_SYSTEM : KIND_STORAGE;
    if (has_boot_keyboard(d))
        return KIND_KEYBOARD;
    if (has_class(d, CLASS_INPUT))
        return KIND_INPUT;
    return has_class(d, CLASS_HUB) ? KIND_HUB : KIND_DEVICE;
}

/* {equals: [all that it shows]}, repeated ones too: a device that grows a keyboard is another device. */
static void put_interfaces(struct emit *b, int match, const struct policy_generate_device *d)
{
    int set = emit_mapping(b, YAML_FLOW_MAPPING_STYLE), list = emit_sequence(b, YAML_FLOW_SEQUENCE_STYLE);

    for (size_t i = 0; i < d->n_interfaces; i++) {
        char text[16];

        (void)snprintf(text, sizeof(text), "%02x:%02x:%02x", d->interfaces[i].class_, d->interfaces[i].subclass,
                       d->interfaces[i].protocol);
        emit_append(b, list, emit_text(b, text));
    }
    emit_put(b, set, "equals", list);
    emit_put(b, match, "interfaces", set);
}

static int make_rule(struct emit *b, const struct policy_generate_device *d, enum kind kind, size_t number)
{
    int rule = emit_mapping(b, YAML_BLOCK_MAPPING_STYLE), match = emit_mapping(b, YAML_BLOCK_MAPPING_STYLE);
    char text[64];

    (void)snprintf(text, sizeof(text), "%s-%zu", kind_names[kind], number);
    emit_put_plain(b, rule, "id", text);
    if (emit_is_usable(d->name, 256))
        emit_put_text(b, rule, "name", d->name);
    (void)snprintf(text, sizeof(text), "%04x:%04x", d->vendor, d->product);
    emit_put_text(b, match, "device", text);
    if (emit_is_usable(d->serial, 1024))
        emit_put_text(b, match, "serial", d->serial);
    emit_put_text(b, match, "hash", d->hash);
    if (d->n_interfaces > 0)
        put_interfaces(b, match, d);
    /* A built-in keyboard stays where it is; whatever claims its identity from outside is another one. */
    if (text_equal(d->connect_type, "hardwired"))
        emit_put_plain(b, match, "connect-type", "hardwired");
    emit_put(b, rule, "match", match);
    emit_put_plain(b, rule, "allow", kind >= KIND_SYSTEM ? "read" : "use");
    /* Else a twin that is listed first, at a restart, would cost the machine its disk. */
    if (d->carries_system && emit_is_usable(d->serial, 1024))
        emit_put_plain(b, rule, "unique", "ignore");
    return rule;
}

/* What the interfaces are for, in the order they are told. */
static const struct use {
    uint8_t class_, protocol;
    bool boot; /* of a boot interface, by its protocol */
    const char *words;
} uses[] = {
    {.class_ = 0x03, .boot = true, .protocol = 1, .words = N_("keyboard")},
    {.class_ = 0x03, .boot = true, .protocol = 2, .words = N_("mouse")},
    {.class_ = 0x03, .words = N_("input device")},
    {.class_ = 0x08, .words = N_("storage")},
    {.class_ = 0x09, .words = N_("hub")},
    {.class_ = 0x0e, .words = N_("video")},
    {.class_ = 0x01, .words = N_("audio")},
    {.class_ = 0x06, .words = N_("camera or phone")},
    {.class_ = 0x07, .words = N_("printer")},
    {.class_ = 0x0b, .words = N_("smart card reader")},
    {.class_ = 0x02, .words = N_("modem or network")},
    {.class_ = 0xe0, .words = N_("wireless")},
};

static const struct use *use_of(const struct policy_interface *i)
{
    for (size_t k = 0; k < ELEMENTS(uses); k++)
        if (uses[k].class_ == i->class_ && (!uses[k].boot || (i->subclass == 1 && i->protocol == uses[k].protocol)))
            return &uses[k];
    return NULL;
}

static bool has_use(const struct policy_generate_device *d, const struct use *use)
{
    for (size_t i = 0; i < d->n_interfaces; i++)
        if (use_of(&d->interfaces[i]) == use)
            return true;
    return false;
}

static const char *say(const struct policy_generate_options *o, const char *message)
{
    return o->translate ? o->translate(message) : message;
}

/* "# keyboard, input device (hardwired, port 1-1)". Words of ours and of the kernel: what the device calls itself is in its name. */
static int add_comment(const struct policy_generate_options *o, const struct policy_generate_device *d, struct buf *out)
{
    bool first = true, known = emit_is_usable(d->connect_type, 32), plugged = emit_is_usable(d->port, 64);
    int r = buf_printf(out, "# ");

    for (size_t i = 0; r == 0 && i < ELEMENTS(uses); i++)
        if (has_use(d, &uses[i])) {
            r = buf_printf(out, "%s%s", first ? "" : ", ", say(o, uses[i].words));
            first = false;
        }
    if (r == 0 && first)
        r = buf_printf(out, "%s", say(o, N_("other device")));
    if (r == 0 && (known || plugged))
        r = buf_printf(out, " (%s%s%s%s)", known ? d->connect_type : "", known && plugged ? ", " : "",
                       plugged ? "port " : "", plugged ? d->port : "");
    if (r == 0 && d->carries_system)
        r = buf_printf(out, "\n# %s", say(o, N_("This machine runs from it: refused, the system loses its disk.")));
    return r == 0 ? buf_printf(out, "\n") : r;
}

/* Two devices of one model without serial numbers have one hash; a second rule would never decide. The rule is that of the one the machine
 * runs from, else of the first. */
static bool is_known(const struct policy_generate_device *devices, size_t n, size_t i)
{
    if (!emit_is_usable(devices[i].hash, 128))
        return true;
    for (size_t k = 0; k < n; k++)
        if (text_equal(devices[k].hash, devices[i].hash) &&
            (devices[k].carries_system == devices[i].carries_system ? k < i : devices[k].carries_system))
            return true;
    return false;
}

static int add_rule(const struct policy_generate_options *o, const struct policy_generate_device *d, enum kind kind,
                    size_t number, struct buf *out)
{
    struct emit b;
    int r = add_comment(o, d, out), rules;

    if (r < 0)
        return r;
    if (emit_begin(&b) < 0)
        return -ENOMEM;
    rules = emit_sequence(&b, YAML_BLOCK_SEQUENCE_STYLE);
    emit_append(&b, rules, make_rule(&b, d, kind, number));
    return emit_finish(&b, out);
}

/* Comments stand between rules, and libyaml writes none: each rule is a document of its own, and all follow `usb:`. Appends nothing when
 * there is no device of that kind. */
static int add_rules(const struct policy_generate_options *o, const struct policy_generate_device *devices, size_t n,
                     enum kind kind, struct buf *out)
{
    size_t made = 0;
    int r = 0;

    for (size_t i = 0; i < n && r == 0; i++)
        if (kind_of(&devices[i]) == kind && !is_known(devices, n, i))
            r = add_rule(o, &devices[i], kind, ++made, out);
    return r;
}

static int emit_head(const struct policy_generate_options *o, struct buf *out)
{
    static const char *const zones[] = {
        [POLICY_ZONE_MYNUMBER] = "mynumber", [POLICY_ZONE_LGWAN] = "lgwan", [POLICY_ZONE_INTERNET] = "internet"};
    struct emit b;
    int root;

    if (emit_begin(&b) < 0)
        return -ENOMEM;
    root = emit_mapping(&b, YAML_BLOCK_MAPPING_STYLE);
    emit_put_plain(&b, root, "format", "kuraban-policy/1");
    emit_put_text(&b, root, "organization", o->organization);
    emit_put_text(&b, root, "name", o->name);
    emit_put_plain(&b, root, "version", "1");
    emit_put_plain(&b, root, "zone", zones[o->zone]);
    emit_put_plain(&b, root, "mode", o->mode == POLICY_MONITOR ? "monitor" : "enforce");
    return emit_finish(&b, out);
}

static int emit_policy(const struct policy_generate_options *o, const struct policy_generate_device *devices, size_t n,
                       struct buf *out)
{
    struct buf rules;
    int r = emit_head(o, out);

    buf_init(&rules, POLICY_DOCUMENT_MAX);
    for (enum kind kind = KIND_KEYBOARD; r == 0 && kind < KIND_STORAGE; kind++)
        r = add_rules(o, devices, n, kind, &rules);
    if (r == 0 && rules.size > 0)
        r = buf_printf(out, "usb:\n");
    if (r == 0)
        r = buf_add(out, rules.data, rules.size);
    buf_done(&rules);
    return r;
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

static int emit_storage(const struct policy_generate_options *o, const struct policy_generate_device *devices, size_t n,
                        struct buf *out)
{
    struct buf proposal;
    int r;

    buf_init(&proposal, POLICY_DOCUMENT_MAX);
    r = add_rules(o, devices, n, KIND_STORAGE, &proposal);
    if (r == 0 && proposal.size > 0)
        r = buf_printf(out, "#\n# %s\n",
                       say(o, N_("Storage that is plugged in now. It is refused. Move a rule up into usb: to let it be "
                                 "read.")));
    if (r == 0)
        r = add_as_comment(out, &proposal);
    buf_done(&proposal);
    return r;
}

int policy_generate(const struct policy_generate_options *options, const struct policy_generate_device *devices,
                    size_t n, struct buf *ret)
{
    /* For editors: what they complete and mark then is what `policy check` finds. */
    static const char schema[] = "# yaml-language-server: $schema=" KURABAN_DATA_DIR "/kuraban-policy.schema.json\n";
    int r = buf_add(ret, schema, sizeof(schema) - 1);

    if (r == 0)
        r = emit_policy(options, devices, n, ret);
    return r == 0 ? emit_storage(options, devices, n, ret) : r;
}
