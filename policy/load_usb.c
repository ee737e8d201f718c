/*
 * Owns: the section `usb`: what a rule of USB devices matches, permits and demands.
 * Must not: warn of what is legal but odd: that is warn.c.
 */
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "policy/load.h"
#include "policy/load_medium.h"
#include "policy/show.h"

static const struct doc_choice connect_types[] = {{"hardwired", 0}, {"hotplug", 0}, {"not used", 0},
                                                  {"unknown", 0},   {"", 0},        {NULL, 0}};

#define SET(key_, alias_, member, choices_, text_)                                                                     \
    {                                                                                                                  \
        .key = key_, .alias = alias_, .type = DOC_CUSTOM, DOC_AT(struct policy_usb_match, member), .load = load_set,   \
        .shape = DOC_SHAPE_SET, .clear = load_clear_set, .choices = choices_, .text = text_                            \
    }

static const struct doc_field match_fields[] = {
    {.key = "device",
     .type = DOC_CUSTOM,
     DOC_AT(struct policy_usb_match, devices),
     .load = load_usb_ids,
     .shape = DOC_SHAPE_SET,
     .constant = LOAD_PATTERN_DEVICE,
     .clear = load_clear_usb_ids,
     .text = N_("vendor:product, with * as wildcard")},
    SET("serial", NULL, serials, NULL, N_("serial number as the device claims it")),
    SET("name", NULL, names, NULL, N_("product name as the device claims it")),
    SET("hash", NULL, hashes, NULL, N_("identity hash")),
    SET("parent-hash", NULL, parent_hashes, NULL, N_("identity hash of the hub it is plugged into")),
    SET("usbguard-hash", NULL, usbguard_hashes, NULL, N_("hash of the device as USBGuard computes it")),
    SET("usbguard-parent-hash", NULL, usbguard_parent_hashes, NULL,
        N_("USBGuard's hash of the hub it is plugged into")),
    SET("port", "via-port", ports, NULL, N_("port path: 1-2.4")),
    SET("connect-type", "connect", connect_types, connect_types, N_("kind of the port: hardwired, hotplug")),
    {.key = "interfaces",
     .alias = "with-interface",
     .type = DOC_CUSTOM,
     DOC_AT(struct policy_usb_match, interfaces),
     .load = load_interfaces,
     .shape = DOC_SHAPE_SET,
     .constant = LOAD_PATTERN_INTERFACE,
     .clear = load_clear_interfaces,
     .text = N_("interface types class:subclass:protocol")},
};
static const struct doc_schema match_schema = {
    .what = N_("match"), .fields = match_fields, .n = ELEMENTS(match_fields), .end = load_check_match};

static const struct doc_choice allow_choices[] = {
    {"refuse", POLICY_REFUSE}, {"read", POLICY_READ}, {"use", POLICY_USE}, {"export", POLICY_EXPORT}, {NULL, 0}};

static const struct doc_field allow_fields[] = {
    {.key = "what",
     .type = DOC_ENUM,
     .required = true,
     DOC_AT(struct policy_usb_rule, allow),
     .choices = allow_choices,
     .text = N_("use, read or export")},
    {.key = "interfaces",
     .type = DOC_CUSTOM,
     DOC_AT(struct policy_usb_rule, only),
     .load = load_interfaces,
     .shape = DOC_SHAPE_TEXTS,
     .constant = LOAD_PATTERN_INTERFACE,
     .clear = load_clear_interfaces,
     .text = N_("authorize only these interfaces of the device")},
};
static const struct doc_schema allow_schema = {
    .what = N_("allow"), .fields = allow_fields, .n = ELEMENTS(allow_fields)};

/* allow: use, or allow: {what: use, interfaces: [...]}. The target is the rule. */
/* Reading is what storage is for: another interface that is listed would look permitted and never be. */
static void check_only(struct doc *d, const struct yaml_node_s *interfaces, const struct policy_usb_rule *rule)
{
    if (doc_kind(interfaces) == DOC_IS_MAP) {
        doc_error(d, interfaces, N_("a plain list of interfaces expected: each is authorized or not"));
        return;
    }
    for (size_t i = 0; (rule->allow == POLICY_READ || rule->allow == POLICY_EXPORT) && i < rule->only.n; i++) {
        if (rule->only.items[i].class_ == 0x08)
            continue;
        doc_error(d, doc_kind(interfaces) == DOC_IS_LIST ? doc_item(d, interfaces, i) : interfaces,
                  N_("'%s' is for storage, and this is none"), policy_allow_name(rule->allow));
        doc_hint(d, N_("storage is class 08; to permit other functions write 'what: use'"));
    }
}

static int load_allow(struct doc *d, const struct yaml_node_s *node, const struct doc_field *f, void *target)
{
    struct policy_usb_rule *rule = target;
    int value = 0, r;

    (void)f;
    if (doc_kind(node) == DOC_IS_MAP) {
        const struct yaml_node_s *interfaces = doc_find(d, node, "interfaces");

        r = doc_load(d, node, &allow_schema, rule);
        if (r == 0 && interfaces)
            check_only(d, interfaces, rule);
        return r < 0 ? r : 0;
    }
    r = doc_get_choice(d, node, allow_choices, &value);
    if (r == 0)
        rule->allow = (enum policy_allow)value;
    return r < 0 ? r : 0;
}

static void clear_allow(void *target)
{
    doc_clear(&allow_schema, target);
}

static const struct doc_choice unique_choices[] = {{"ignore", 0}, {"refuse", 1}, {"port", 2}, {NULL, 0}};

static int load_unique(struct doc *d, const struct yaml_node_s *node, const struct doc_field *f, void *target)
{
    int value = 0, r = doc_get_choice(d, node, unique_choices, &value);

    (void)f;
    if (r == 0)
        *(bool *)target = value == 1;
    return r < 0 ? r : 0;
}

/* refuse: true only; refuse: false would read as a permission that it is not. */
int load_refuse(struct doc *d, const struct yaml_node_s *node, const struct doc_field *f, void *target)
{
    (void)f;
    (void)target; /* refusing is what a zeroed rule does */
    if (!text_equal(doc_text(node), "true")) {
        doc_error(d, node, N_("'refuse' can only be true"));
        doc_hint(d, N_("to permit, write allow: read or use"));
    }
    return 0;
}

const char *const load_verdict_keys[] = {"allow", "refuse", NULL};

void load_check_verdict(struct doc *d, const struct yaml_node_s *node, const char *id)
{
    bool allow = doc_find(d, node, "allow"), refuse = doc_find(d, node, "refuse");

    if (!allow && !refuse)
        doc_error(d, node, N_("rule '%s' says neither allow nor refuse"), id);
    else if (allow && refuse)
        doc_error(d, doc_find(d, node, "refuse"), N_("rule '%s' says both allow and refuse"), id);
}

/* Conditions of a permission: a refusal would look as if it asked for them. */
void load_check_refusal(struct doc *d, const struct yaml_node_s *node, const char *key)
{
    const struct yaml_node_s *value = doc_find(d, node, key);

    if (!value)
        return;
    doc_error(d, value, N_("'%s' goes with 'allow' only"), key);
    doc_hint(d, N_("a refusal takes all that 'match' speaks of: allow what may come in an earlier rule"));
}

static int begin_rule(struct doc *d, const struct yaml_node_s *node, void *object)
{
    (void)d;
    ((struct policy_usb_rule *)object)->at = doc_position(node);
    return 0;
}

/* `interfaces` and `connect-type` may stand at the rule or in its match, not in both. */
static void check_twice(struct doc *d, const struct yaml_node_s *node)
{
    static const char *const keys[] = {"interfaces", "connect-type", "connect"};
    const struct yaml_node_s *match = doc_find(d, node, "match");

    for (size_t i = 0; match && i < ELEMENTS(keys); i++) {
        const struct yaml_node_s *outer = doc_find(d, node, keys[i]);

        if (outer && (doc_find(d, match, keys[i]) || (i > 0 && doc_find(d, match, keys[i == 1 ? 2 : 1]))))
            doc_error(d, outer, N_("'%s' is given here and in 'match'"), keys[i]);
    }
}

static void check_unique(struct doc *d, const struct yaml_node_s *node, struct policy_usb_rule *rule)
{
    const struct yaml_node_s *unique = doc_find(d, node, "unique"), *zone = doc_find(d, doc_root(d), "zone");

    if (!unique) {
        /* A serial that is claimed twice identifies nothing: where resident data is near, that must be said to be fine. */
        rule->unique_serial = rule->match.serials.n > 0 && !(zone && text_equal(doc_text(zone), "internet"));
        return;
    }
    if (text_equal(doc_text(unique), "port") && rule->match.ports.n == 0) {
        doc_error(d, unique, N_("'unique: port' needs the permitted ports in 'match'"));
        doc_hint(d, N_("for instance match: {serial: ..., port: [\"1-2\"]}"));
    }
}

static int end_rule(struct doc *d, const struct yaml_node_s *node, void *object)
{
    struct policy_usb_rule *rule = object;

    rule->match.has_interfaces = rule->match.interfaces.n > 0;
    load_check_verdict(d, node, rule->id);
    check_twice(d, node);
    check_unique(d, node, rule);
    if (rule->allow == POLICY_REFUSE) {
        load_check_refusal(d, node, "medium");
        load_check_refusal(d, node, "unique");
        load_check_refusal(d, node, "unlock");
    }
    if (rule->remove && rule->allow != POLICY_REFUSE)
        doc_error(d, doc_find(d, node, "remove"), N_("'remove' goes with 'refuse' only"));
    if (rule->only.n > 0 && rule->allow == POLICY_REFUSE)
        doc_error(d, doc_find(d, node, "allow"), N_("a refused device has no interfaces to authorize"));
    return 0;
}

static const struct doc_field rule_fields[] = {
    LOAD_RULE_FIELDS(struct policy_usb_rule),
    LOAD_UNTIL_FIELD(struct policy_usb_rule),
    LOAD_UNLOCK_FIELD(struct policy_usb_rule),
    {.key = "match",
     .type = DOC_MAP,
     DOC_AT(struct policy_usb_rule, match),
     .schema = &match_schema,
     .text = N_("which devices the rule speaks of; without it: all")},
    {.key = "interfaces",
     .type = DOC_CUSTOM,
     DOC_AT(struct policy_usb_rule, match.interfaces),
     .load = load_interfaces,
     .shape = DOC_SHAPE_SET,
     .constant = LOAD_PATTERN_INTERFACE,
     .clear = load_clear_interfaces,
     .text = N_("short for match.interfaces")},
    {.key = "connect-type",
     .alias = "connect",
     .type = DOC_CUSTOM,
     DOC_AT(struct policy_usb_rule, match.connect_types),
     .load = load_set,
     .shape = DOC_SHAPE_SET,
     .clear = load_clear_set,
     .choices = connect_types,
     .text = N_("short for match.connect-type")},
    {.key = "medium",
     .type = DOC_MAP,
     DOC_AT(struct policy_usb_rule, medium),
     .schema = &load_usb_medium_schema,
     .text = N_("what its block devices must be")},
    {.key = "allow",
     .type = DOC_CUSTOM,
     .load = load_allow,
     .shape = DOC_SHAPE_CHOICE_OR_MAP,
     .choices = allow_choices,
     .schema = &allow_schema,
     .clear = clear_allow,
     .text =
         N_("use: all it can do; read: its storage alone; export: read, and a target of export rules. Storage is never "
            "written otherwise")},
    {.key = "refuse",
     .type = DOC_CUSTOM,
     .load = load_refuse,
     .shape = DOC_SHAPE_TRUE,
     .text = N_("true: nothing is permitted")},
    {.key = "remove",
     .type = DOC_BOOL,
     DOC_AT(struct policy_usb_rule, remove),
     .text = N_("refused devices are taken off the bus as well")},
    {.key = "unique",
     .type = DOC_CUSTOM,
     DOC_AT(struct policy_usb_rule, unique_serial),
     .load = load_unique,
     .shape = DOC_SHAPE_TEXT,
     .choices = unique_choices,
     .text = N_("when two devices claim one serial: refuse the second, rely on port, ignore")},
};
const struct doc_schema load_usb_rule_schema = {.what = N_("a USB rule"),
                                                .fields = rule_fields,
                                                .n = ELEMENTS(rule_fields),
                                                .begin = begin_rule,
                                                .end = end_rule,
                                                .one_of = load_verdict_keys};
