/*
 * Owns: what rules match by: sets with an operator, device ids, interfaces.
 * Must not: decide whether something matches: that is agent/decide.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "policy/index.h"
#include "policy/load.h"

const struct doc_choice load_operators[] = {
    {"all-of", POLICY_SET_ALL_OF},
    {"one-of", POLICY_SET_ONE_OF},
    {"none-of", POLICY_SET_NONE_OF},
    {"equals", POLICY_SET_EQUALS},
    {"equals-ordered", POLICY_SET_EQUALS_ORDERED},
    {"match-all", POLICY_SET_MATCH_ALL},
    {NULL, 0},
};

/* "a", [a, b] or {operator: [a, b]}: the node that holds the values, and the operator. 0 or DOC_E_INVALID. */
static int take_operator(struct doc *d, const struct yaml_node_s *node, enum policy_set_operator standard,
                         const struct yaml_node_s **ret_values, enum policy_set_operator *ret_op)
{
    const struct yaml_node_s *key;

    *ret_op = standard;
    *ret_values = node;
    if (doc_kind(node) != DOC_IS_MAP)
        return 0;
    if (doc_count(node) != 1) {
        doc_error(d, node, N_("exactly one set operator expected"));
        return DOC_E_INVALID;
    }
    key = doc_key(d, node, 0);
    for (const struct doc_choice *c = load_operators; c->name; c++)
        if (text_equal(c->name, doc_text(key))) {
            *ret_op = (enum policy_set_operator)c->value;
            *ret_values = doc_value(d, node, 0);
            return 0;
        }
    doc_error(d, key, N_("'%s' is no set operator"), doc_text(key));
    doc_hint_near(d, doc_text(key), load_operators);
    doc_hint(d, N_("one of all-of, one-of, none-of, equals, equals-ordered, match-all"));
    return DOC_E_INVALID;
}

/* --- Values that are text, and yet cannot be what a device says --- */

/* "usb1", "1-2.4": a root hub, or a bus and the ports that lead there. */
static bool is_port(const char *text)
{
    if (text_starts(text, "usb"))
        return text[3] && text[3 + strspn(text + 3, "0123456789")] == 0;
    for (size_t i = 0, length;; i++) {
        length = strspn(text, "0123456789");
        if (length == 0 || (text[length] == 0 && i > 0))
            return length > 0;
        if (text[length] != (i == 0 ? '-' : '.'))
            return false;
        text += length + 1;
    }
}

static bool is_hash(const char *text)
{
    return !*text || (strlen(text) == 64 && strspn(text, "0123456789abcdef") == 64); /* the host has none: "" */
}

/* What blkid(8) calls the filesystem that people call so, or NULL. */
static const char *filesystem_meant(const char *text)
{
    static const char *const names[] = {"vfat",  "exfat", "ntfs",    "ext2", "ext3",    "ext4",       "xfs",
                                        "btrfs", "f2fs",  "iso9660", "udf",  "hfsplus", "crypto_LUKS"};
    static const char *const others[][2] = {{"fat", "vfat"},    {"fat12", "vfat"},  {"fat16", "vfat"},
                                            {"fat32", "vfat"},  {"msdos", "vfat"},  {"luks", "crypto_LUKS"},
                                            {"iso", "iso9660"}, {"hfs+", "hfsplus"}};

    for (size_t i = 0; i < ELEMENTS(others); i++)
        if (strcasecmp(others[i][0], text) == 0)
            return others[i][1];
    for (size_t i = 0; i < ELEMENTS(names); i++)
        if (strcasecmp(names[i], text) == 0 && strcmp(names[i], text) != 0)
            return names[i];
    return NULL;
}

static void warn_of_value(struct doc *d, const struct yaml_node_s *node, const char *key, const char *text)
{
    const char *meant;

    if (text_equal(key, "port") && !is_port(text)) {
        doc_warning(d, node, N_("'%s' is no port: no device is ever there"), text);
        doc_hint(d, N_("as 'kuraban devices' shows it: bus, '-', then the ports that lead there: 1-2.4"));
    } else if ((text_equal(key, "hash") || text_equal(key, "parent-hash")) && !is_hash(text)) {
        doc_warning(d, node, N_("'%s' is no identity hash: no device ever has it"), text);
        doc_hint(
            d, N_("64 hex digits in small letters, as 'kuraban devices' shows them; USBGuard's go into 'usbguard-%s'"),
            key);
    } else if (text_equal(key, "filesystem") && (meant = filesystem_meant(text))) {
        doc_warning(d, node, N_("no medium ever has the filesystem '%s'"), text);
        doc_hint(d, N_("did you mean '%s'?"), meant);
    }
}

static const struct yaml_node_s *value_at(struct doc *d, const struct yaml_node_s *values, size_t i)
{
    return doc_kind(values) == DOC_IS_LIST ? doc_item(d, values, i) : values;
}

static void check_choice(struct doc *d, const struct yaml_node_s *node, const struct doc_field *f, const char *text)
{
    for (const struct doc_choice *c = f->choices; c->name; c++)
        if (text_equal(c->name, text))
            return;
    doc_error(d, node, N_("'%s' is not a %s"), text, f->key);
    doc_hint_near(d, text, f->choices);
}

int load_set(struct doc *d, const struct yaml_node_s *node, const struct doc_field *f, void *target)
{
    struct policy_strings *set = target;
    const struct yaml_node_s *values;
    enum policy_set_operator op;
    int r;

    r = take_operator(d, node, POLICY_SET_ONE_OF, &values, &op);
    if (r != 0)
        return 0;
    load_clear_set(set);
    r = doc_get_strings(d, values, (size_t)f->maximum, &set->items, &set->n);
    if (r != 0)
        return r < 0 ? r : 0;
    set->op = op;
    r = policy_strings_index(set);
    if (r < 0)
        return r;
    for (size_t i = 0; i < set->n && !doc_stops(d); i++) {
        if (f->choices)
            check_choice(d, value_at(d, values, i), f, set->items[i]);
        else
            warn_of_value(d, value_at(d, values, i), f->key, set->items[i]);
    }
    return 0;
}

/* Splits "aa:bb:cc" into fields; false when the number or a length is wrong. Each is `digits` hex digits or "*". */
static bool split_hex(const char *text, size_t n, size_t digits, unsigned values[], bool any[])
{
    for (size_t i = 0; i < n; i++) {
        size_t length = strcspn(text, ":");
        char field[8];
        uint64_t value = 0;

        any[i] = length == 1 && *text == '*';
        if (!any[i]) {
            if (length != digits)
                return false;
            memcpy(field, text, length);
            field[length] = 0;
            if (text_hex_to_u64(field, UINT16_MAX, &value) < 0)
                return false;
        }
        values[i] = (unsigned)value;
        text += length;
        if (i + 1 < n && *text++ != ':')
            return false;
    }
    return *text == 0;
}

static int parse_usb_id(struct doc *d, const struct yaml_node_s *node, const char *text, struct policy_usb_id *ret)
{
    unsigned values[2];
    bool any[2];

    if (!split_hex(text, 2, 4, values, any) || (any[0] && !any[1])) {
        doc_error(d, node, N_("'%s' is no device id"), text);
        doc_hint(d, N_("vendor:product in four hex digits each, as lsusb(8) shows them: 0781:5583, 0781:*, *:*"));
        return DOC_E_INVALID;
    }
    *ret = (struct policy_usb_id){
        .vendor = (uint16_t)values[0], .product = (uint16_t)values[1], .any_vendor = any[0], .any_product = any[1]};
    return 0;
}

static int parse_interface(struct doc *d, const struct yaml_node_s *node, const char *text,
                           struct policy_interface *ret)
{
    unsigned values[3];
    bool any[3];

    if (!split_hex(text, 3, 2, values, any) || any[0] || (any[1] && !any[2])) {
        doc_error(d, node, N_("'%s' is no interface type"), text);
        doc_hint(
            d, N_("class:subclass:protocol in two hex digits each, * from the right only: 08:06:50, 08:06:*, 08:*:*"));
        return DOC_E_INVALID;
    }
    *ret = (struct policy_interface){.class_ = (uint8_t)values[0],
                                     .subclass = (uint8_t)values[1],
                                     .protocol = (uint8_t)values[2],
                                     .any_subclass = any[1],
                                     .any_protocol = any[2]};
    return 0;
}

/* The strings of a set; unlike doc_get_strings() a value may stand in it twice: a device may have an interface type twice. */
static size_t count_values(struct doc *d, const struct yaml_node_s *values)
{
    size_t n = doc_kind(values) == DOC_IS_LIST ? doc_count(values) : 1;

    if (doc_kind(values) == DOC_IS_MAP || n == 0) {
        doc_error(d, values, N_("a list of values expected"));
        return 0;
    }
    return n;
}

static const char *value_text(struct doc *d, const struct yaml_node_s *values, size_t i,
                              const struct yaml_node_s **ret_node)
{
    *ret_node = value_at(d, values, i);
    if (!doc_text(*ret_node))
        doc_error(d, *ret_node, N_("text expected"));
    return doc_text(*ret_node);
}

int load_usb_ids(struct doc *d, const struct yaml_node_s *node, const struct doc_field *f, void *target)
{
    struct policy_usb_ids *ids = target;
    const struct yaml_node_s *values, *item;
    size_t n;

    (void)f;
    if (take_operator(d, node, POLICY_SET_ONE_OF, &values, &ids->op) != 0)
        return 0;
    n = count_values(d, values);
    load_clear_usb_ids(ids);
    ids->items = calloc(n > 0 ? n : 1, sizeof(*ids->items));
    if (!ids->items)
        return -ENOMEM;
    for (size_t i = 0; i < n && !doc_stops(d); i++) {
        const char *text = value_text(d, values, i, &item);

        if (text && parse_usb_id(d, item, text, &ids->items[ids->n]) == 0)
            ids->n++;
    }
    return 0;
}

int load_interfaces(struct doc *d, const struct yaml_node_s *node, const struct doc_field *f, void *target)
{
    struct policy_interfaces *set = target;
    const struct yaml_node_s *values, *item;
    size_t n;

    (void)f;
    /* As in usbguard-rules.conf(5): without an operator the device has these and no others. */
    if (take_operator(d, node, POLICY_SET_EQUALS, &values, &set->op) != 0)
        return 0;
    n = count_values(d, values);
    free(set->items);
    set->n = 0;
    set->items = calloc(n > 0 ? n : 1, sizeof(*set->items));
    if (!set->items)
        return -ENOMEM;
    for (size_t i = 0; i < n && !doc_stops(d); i++) {
        const char *text = value_text(d, values, i, &item);

        if (text && parse_interface(d, item, text, &set->items[set->n]) == 0)
            set->n++;
    }
    return 0;
}

void load_clear_string(void *target)
{
    char **text = target;

    free(*text);
    *text = NULL;
}

void load_clear_set(void *target)
{
    struct policy_strings *set = target;

    for (size_t i = 0; i < set->n; i++)
        free(set->items[i]);
    free(set->items);
    free(set->table);
    *set = (struct policy_strings){0};
}

void load_clear_interfaces(void *target)
{
    struct policy_interfaces *set = target;

    free(set->items);
    *set = (struct policy_interfaces){0};
}

void load_clear_usb_ids(void *target)
{
    struct policy_usb_ids *ids = target;
    enum policy_set_operator op = ids->op;

    free(ids->items);
    *ids = (struct policy_usb_ids){.op = op};
}
