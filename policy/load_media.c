/*
 * Owns: the section `media`, and what the block devices of a USB device must be.
 * Must not: know the defaults of the zones: load.c sets them before.
 */
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "policy/load.h"
#include "policy/load_medium.h"
#include "policy/show.h"

static const struct doc_choice buses[] = {{"usb", 0},         {"mmc", 0},  {"optical", 0}, {"firewire", 0},
                                          {"thunderbolt", 0}, {"loop", 0}, {"other", 0},   {NULL, 0}};

#define SET(key_, member, choices_, text_)                                                                             \
    {                                                                                                                  \
        .key = key_, .type = DOC_CUSTOM, DOC_AT(struct policy_medium_match, member), .load = load_set,                 \
        .shape = DOC_SHAPE_SET, .clear = load_clear_set, .choices = choices_, .text = text_                            \
    }
#define CONDITIONS                                                                                                     \
    SET("filesystem", filesystems, NULL, N_("as blkid(8) names it: vfat, exfat, ext4, crypto_LUKS")),                  \
        {.key = "luks-only",                                                                                           \
         .type = DOC_BOOL,                                                                                             \
         DOC_AT(struct policy_medium_match, luks_only),                                                                \
         .text = N_("refused unless encrypted with LUKS")},                                                            \
    {                                                                                                                  \
        .key = "capacity-max", .type = DOC_SIZE, DOC_AT(struct policy_medium_match, capacity_max), .minimum = 1,       \
        .text = N_("refused when larger")                                                                              \
    }

static const struct doc_field usb_medium_fields[] = {
    CONDITIONS,
    SET("label", labels, NULL, N_("label of the filesystem")),
    SET("uuid", uuids, NULL, N_("UUID of the filesystem")),
};
const struct doc_schema load_usb_medium_schema = {
    .what = N_("medium"), .fields = usb_medium_fields, .n = ELEMENTS(usb_medium_fields)};

static const struct doc_field condition_fields[] = {CONDITIONS};
static const struct doc_schema condition_schema = {
    .what = N_("medium"), .fields = condition_fields, .n = ELEMENTS(condition_fields)};

static const struct doc_field match_fields[] = {
    SET("bus", buses, buses, N_("usb, mmc, optical, firewire, thunderbolt, loop, other")),
    SET("path", paths, NULL, N_("device node, with * and ?: /dev/sr*")),
    SET("serial", serials, NULL, N_("serial number of the medium")),
    SET("label", labels, NULL, N_("label of the filesystem")),
    SET("uuid", uuids, NULL, N_("UUID of the filesystem")),
};
static const struct doc_schema match_schema = {
    .what = N_("match"), .fields = match_fields, .n = ELEMENTS(match_fields), .end = load_check_match};

static const struct doc_choice medium_choices[] = {
    {"refuse", POLICY_REFUSE}, {"read", POLICY_READ}, {"export", POLICY_EXPORT}, {NULL, 0}};
/* A target of export rules needs an id, which a class has not. */
static const struct doc_choice class_choices[] = {{"refuse", POLICY_REFUSE}, {"read", POLICY_READ}, {NULL, 0}};
static const struct doc_choice mount_choices[] = {{"refuse", POLICY_REFUSE}, {"use", POLICY_USE}, {NULL, 0}};
static const struct doc_choice exec_choices[] = {{"refuse", 0}, {"allow", 1}, {NULL, 0}};

static int load_exec(struct doc *d, const struct yaml_node_s *node, const struct doc_field *f, void *target)
{
    int value = 0, r = doc_get_choice(d, node, f->choices, &value);

    if (r == 0)
        *(bool *)target = value != 0;
    return r < 0 ? r : 0;
}

static int begin_rule(struct doc *d, const struct yaml_node_s *node, void *object)
{
    (void)d;
    ((struct policy_medium_rule *)object)->at = doc_position(node);
    return 0;
}

static int end_rule(struct doc *d, const struct yaml_node_s *node, void *object)
{
    struct policy_medium_rule *rule = object;

    rule->has_exec = doc_find(d, node, "exec") != NULL;
    load_check_verdict(d, node, rule->id);
    if (rule->allow == POLICY_REFUSE) {
        load_check_refusal(d, node, "medium");
        load_check_refusal(d, node, "unlock");
    }
    if (rule->exec && rule->allow == POLICY_REFUSE)
        doc_error(d, doc_find(d, node, "exec"), N_("nothing can be executed from a refused medium"));
    return 0;
}

static const struct doc_field rule_fields[] = {
    LOAD_RULE_FIELDS(struct policy_medium_rule),
    LOAD_UNTIL_FIELD(struct policy_medium_rule),
    LOAD_UNLOCK_FIELD(struct policy_medium_rule),
    {.key = "match",
     .type = DOC_MAP,
     DOC_AT(struct policy_medium_rule, match),
     .schema = &match_schema,
     .text = N_("which media the rule speaks of; without it: all")},
    {.key = "medium",
     .type = DOC_MAP,
     DOC_AT(struct policy_medium_rule, match),
     .schema = &condition_schema,
     .text = N_("what they must be")},
    {.key = "allow",
     .type = DOC_ENUM,
     DOC_AT(struct policy_medium_rule, allow),
     .choices = medium_choices,
     .text = N_("read; export: read, and a target of export rules. Media are never written otherwise")},
    {.key = "refuse",
     .type = DOC_CUSTOM,
     .load = load_refuse,
     .shape = DOC_SHAPE_TRUE,
     .text = N_("true: nothing is permitted")},
    {.key = "exec",
     .type = DOC_CUSTOM,
     DOC_AT(struct policy_medium_rule, exec),
     .load = load_exec,
     .shape = DOC_SHAPE_TEXT,
     .choices = exec_choices,
     .text = N_("refuse or allow execution from it")},
};
static const struct doc_schema rule_schema = {.what = N_("a media rule"),
                                              .fields = rule_fields,
                                              .n = ELEMENTS(rule_fields),
                                              .begin = begin_rule,
                                              .end = end_rule,
                                              .one_of = load_verdict_keys};

/* network: refuse, or network: {default: refuse, allow: ["//server/share"]}. */
struct mounts {
    enum policy_allow standard;
    struct policy_strings allow;
};

static const struct doc_field mounts_fields[] = {
    {.key = "default",
     .type = DOC_ENUM,
     DOC_AT(struct mounts, standard),
     .choices = mount_choices,
     .text = N_("refuse or use")},
    {.key = "allow",
     .type = DOC_STRINGS,
     DOC_AT(struct mounts, allow.items),
     DOC_COUNT_AT(struct mounts, allow.n),
     .text = N_("sources or types that may be used, with * and ?")},
};
static const struct doc_schema mounts_schema = {
    .what = N_("the default of mounts"), .fields = mounts_fields, .n = ELEMENTS(mounts_fields)};

static int load_mounts(struct doc *d, const struct yaml_node_s *node, enum policy_allow *standard,
                       struct policy_strings *allow)
{
    struct mounts mounts = {.standard = *standard, .allow = {.op = POLICY_SET_ONE_OF}};
    int r, value = 0;

    if (doc_kind(node) != DOC_IS_MAP) {
        r = doc_get_choice(d, node, mount_choices, &value);
        if (r == 0)
            *standard = (enum policy_allow)value;
        return r < 0 ? r : 0;
    }
    r = doc_load(d, node, &mounts_schema, &mounts);
    load_clear_set(allow);
    *allow = mounts.allow;
    *standard = mounts.standard;
    return r < 0 ? r : 0;
}

/* The target of both is the whole of media. */
static int load_network(struct doc *d, const struct yaml_node_s *node, const struct doc_field *f, void *target)
{
    struct policy_media *media = target;

    (void)f;
    return load_mounts(d, node, &media->network, &media->network_allow);
}

static int load_fuse(struct doc *d, const struct yaml_node_s *node, const struct doc_field *f, void *target)
{
    struct policy_media *media = target;

    (void)f;
    return load_mounts(d, node, &media->fuse, &media->fuse_allow);
}

static void clear_network(void *target)
{
    load_clear_set(&((struct policy_media *)target)->network_allow);
}

static void clear_fuse(void *target)
{
    load_clear_set(&((struct policy_media *)target)->fuse_allow);
}

static int load_class(struct doc *d, const struct yaml_node_s *node, const struct doc_field *f, void *target)
{
    int value = 0, r = doc_get_choice(d, node, f->choices, &value);

    if (r == 0)
        *(enum policy_allow *)target = (enum policy_allow)value;
    else if (r > 0 && text_equal(doc_text(node), policy_allow_name(POLICY_EXPORT)))
        doc_hint(d, N_("export rules name a rule, not a class: write one in 'media.rules' with 'allow: export'"));
    return r < 0 ? r : 0;
}

#define CLASS(key_, member, text_)                                                                                     \
    {                                                                                                                  \
        .key = key_, .type = DOC_CUSTOM, DOC_AT(struct policy_media, member), .load = load_class,                      \
        .shape = DOC_SHAPE_TEXT, .choices = class_choices, .text = text_                                               \
    }

static const struct doc_field media_fields[] = {
    {.key = "rules",
     .type = DOC_LIST,
     DOC_AT(struct policy_media, rules),
     DOC_COUNT_AT(struct policy_media, n_rules),
     .element = sizeof(struct policy_medium_rule),
     .maximum = 4096,
     .schema = &rule_schema,
     .text = N_("first match wins; before the classes below")},
    CLASS("optical", optical, N_("CD, DVD, BD")),
    CLASS("sdcard", sdcard, N_("SD and MMC cards in a reader that is not on USB")),
    CLASS("firewire", firewire, N_("disks on FireWire")),
    CLASS("thunderbolt", thunderbolt, N_("disks on Thunderbolt")),
    CLASS("other", other, N_("every other removable or hot-plugged disk")),
    {.key = "network",
     .type = DOC_CUSTOM,
     .load = load_network,
     .shape = DOC_SHAPE_CHOICE_OR_MAP,
     .choices = mount_choices,
     .schema = &mounts_schema,
     .clear = clear_network,
     .text = N_("network filesystems: refuse, use, or {default, allow}")},
    {.key = "fuse",
     .type = DOC_CUSTOM,
     .load = load_fuse,
     .shape = DOC_SHAPE_CHOICE_OR_MAP,
     .choices = mount_choices,
     .schema = &mounts_schema,
     .clear = clear_fuse,
     .text = N_("FUSE filesystems: refuse, use, or {default, allow}")},
    {.key = "exec",
     .type = DOC_CUSTOM,
     DOC_AT(struct policy_media, exec),
     .load = load_exec,
     .shape = DOC_SHAPE_TEXT,
     .choices = exec_choices,
     .text = N_("refuse or allow execution from media")},
};
const struct doc_schema load_media_schema = {.what = N_("media"), .fields = media_fields, .n = ELEMENTS(media_fields)};
