/*
 * Owns: the document of expectations (kuraban-policy-cases/1): its tables, and what a case must say to mean something.
 * Must not: decide a case, read a clock or a file, or know the policy it is about.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/clock.h"
#include "base/text.h"
#include "policy/cases.h"
#include "policy/load.h"

#define TEXT(type_, key_, member, text_)                                                                               \
    {                                                                                                                  \
        .key = key_, .type = DOC_STRING, DOC_AT(type_, member), .text = text_                                          \
    }
#define FLAG(type_, key_, member, text_)                                                                               \
    {                                                                                                                  \
        .key = key_, .type = DOC_BOOL, DOC_AT(type_, member), .text = text_                                            \
    }
#define STRINGS(type_, key_, member, text_)                                                                            \
    {                                                                                                                  \
        .key = key_, .type = DOC_STRINGS, DOC_AT(type_, member.items), DOC_COUNT_AT(type_, member.n), .text = text_    \
    }

/* "2026-11-24T10:00:00+09:00": a bare date or local time would mean another moment on another machine. */
static int load_moment(struct doc *d, const struct yaml_node_s *node, const struct doc_field *f, void *target)
{
    const char *text = doc_text(node);
    int64_t at = 0;

    if (text && strpbrk(text, "Tt ") && clock_parse_rfc3339(text, &at) == 0 && at > 0) {
        *(int64_t *)target = at;
        return 0;
    }
    doc_error(d, node, N_("'%s' must be a moment with its offset"), f->key);
    doc_hint(d, N_("for instance 2026-11-24T10:00:00+09:00"));
    return 0;
}

/* --- a USB device --- */

#define USB struct policy_case_usb

static const struct doc_field usb_fields[] = {
    {.key = "device",
     .type = DOC_CUSTOM,
     .required = true,
     DOC_AT(USB, device),
     .load = load_usb_ids,
     .clear = load_clear_usb_ids,
     .text = N_("vendor:product")},
    TEXT(USB, "serial", serial, N_("serial number as the device claims it")),
    TEXT(USB, "name", name, N_("product name as the device claims it")),
    TEXT(USB, "hash", hash, N_("identity hash")),
    TEXT(USB, "parent-hash", parent_hash, N_("identity hash of the hub it is plugged into")),
    TEXT(USB, "usbguard-hash", usbguard_hash, N_("hash of the device as USBGuard computes it")),
    TEXT(USB, "usbguard-parent-hash", usbguard_parent_hash, N_("hash of the hub as USBGuard computes it")),
    TEXT(USB, "port", port, N_("port path: 1-2.4")),
    TEXT(USB, "connect-type", connect_type, N_("kind of the port: hardwired, hotplug")),
    {.key = "interfaces",
     .type = DOC_CUSTOM,
     .required = true,
     DOC_AT(USB, interfaces),
     .load = load_interfaces,
     .clear = load_clear_interfaces,
     .text = N_("all interface types the device shows: class:subclass:protocol")},
    FLAG(USB, "duplicate", duplicate, N_("another device that is plugged in claims the same serial number")),
};

static int end_usb(struct doc *d, const struct yaml_node_s *node, void *object)
{
    struct policy_case_usb *usb = object;
    const struct yaml_node_s *device = doc_find(d, node, "device"), *list = doc_find(d, node, "interfaces");

    usb->given = true;
    if (device && (doc_kind(device) != DOC_IS_SCALAR ||
                   (usb->device.n == 1 && (usb->device.items[0].any_vendor || usb->device.items[0].any_product))))
        doc_error(d, device, N_("a case is about one device: vendor:product without *"));
    if (list && doc_kind(list) == DOC_IS_MAP)
        doc_error(d, list, N_("a plain list of interfaces expected: those the device has"));
    for (size_t i = 0; i < usb->interfaces.n; i++)
        if (list && (usb->interfaces.items[i].any_subclass || usb->interfaces.items[i].any_protocol)) {
            doc_error(d, list, N_("a device has interface types without *"));
            break;
        }
    return 0;
}
static const struct doc_schema usb_schema = {
    .what = N_("usb"), .fields = usb_fields, .n = ELEMENTS(usb_fields), .end = end_usb};

/* --- a medium --- */

#define MEDIUM struct policy_case_medium

static const struct doc_choice buses[] = {{"usb", 0},         {"mmc", 0},  {"optical", 0}, {"firewire", 0},
                                          {"thunderbolt", 0}, {"loop", 0}, {"other", 0},   {NULL, 0}};

/* One of .choices, kept as text. */
static int load_word(struct doc *d, const struct yaml_node_s *node, const struct doc_field *f, void *target)
{
    int ignored = 0, r = doc_get_choice(d, node, f->choices, &ignored);

    if (r != 0)
        return r < 0 ? r : 0;
    load_clear_string(target);
    r = doc_get_string(d, node, 0, target);
    return r < 0 ? r : 0;
}

static const struct doc_field medium_fields[] = {
    {.key = "bus",
     .type = DOC_CUSTOM,
     DOC_AT(MEDIUM, bus),
     .load = load_word,
     .clear = load_clear_string,
     .choices = buses,
     .text = N_("usb, mmc, optical, firewire, thunderbolt, loop or other")},
    TEXT(MEDIUM, "node", node, N_("device node: /dev/sr0")),
    TEXT(MEDIUM, "filesystem", filesystem, N_("as blkid names it; without it: not recognised")),
    TEXT(MEDIUM, "label", label, N_("of the filesystem")),
    TEXT(MEDIUM, "uuid", uuid, N_("of the filesystem")),
    TEXT(MEDIUM, "serial", serial, N_("of the medium or drive")),
    {.key = "capacity", .type = DOC_SIZE, DOC_AT(MEDIUM, capacity), .text = N_("its size: 64G; without it: not known")},
    FLAG(MEDIUM, "inside-luks", inside_luks, N_("it lies inside a LUKS container")),
};

static int end_medium(struct doc *d, const struct yaml_node_s *node, void *object)
{
    (void)d;
    (void)node;
    ((struct policy_case_medium *)object)->given = true;
    return 0;
}
static const struct doc_schema medium_schema = {
    .what = N_("medium"), .fields = medium_fields, .n = ELEMENTS(medium_fields), .end = end_medium};

/* --- a mounted filesystem --- */

static const struct doc_choice mount_kinds[] = {
    {"network", POLICY_CASE_NETWORK}, {"fuse", POLICY_CASE_FUSE}, {NULL, 0}};

static const struct doc_field mount_fields[] = {
    {.key = "kind",
     .type = DOC_ENUM,
     .required = true,
     DOC_AT(struct policy_case_mount, kind),
     .choices = mount_kinds,
     .text = N_("network or fuse")},
    {.key = "type",
     .type = DOC_STRING,
     .required = true,
     DOC_AT(struct policy_case_mount, type),
     .text = N_("nfs4, cifs, fuse.sshfs")},
    TEXT(struct policy_case_mount, "source", source, N_("what is mounted: //server/share")),
};

static int end_mount(struct doc *d, const struct yaml_node_s *node, void *object)
{
    (void)d;
    (void)node;
    ((struct policy_case_mount *)object)->given = true;
    return 0;
}
static const struct doc_schema mount_schema = {
    .what = N_("mount"), .fields = mount_fields, .n = ELEMENTS(mount_fields), .end = end_mount};

/* --- opening a file --- */

#define OPEN struct policy_case_open

static const struct doc_field open_fields[] = {
    {.key = "path",
     .type = DOC_CUSTOM,
     DOC_AT(OPEN, path),
     .load = load_path,
     .clear = load_clear_string,
     .text = N_("the file; its store is found by this path")},
    {.key = "program",
     .type = DOC_CUSTOM,
     DOC_AT(OPEN, program.path),
     .load = load_path,
     .clear = load_clear_string,
     .text = N_("the program that opens it")},
    {.key = "sha256",
     .type = DOC_CUSTOM,
     DOC_AT(OPEN, program),
     .load = load_digest,
     .text = N_("of the program's file")},
    FLAG(OPEN, "write", write, N_("for writing")),
    FLAG(OPEN, "execute", execute, N_("for execution")),
};

static int end_open(struct doc *d, const struct yaml_node_s *node, void *object)
{
    (void)d;
    (void)node;
    ((struct policy_case_open *)object)->given = true;
    return 0;
}
static const struct doc_schema open_schema = {
    .what = N_("open"), .fields = open_fields, .n = ELEMENTS(open_fields), .end = end_open};

/* --- taking a file out --- */

#define EXPORT struct policy_case_export

static const struct doc_field approver_fields[] = {
    TEXT(struct policy_case_approver, "user", user, N_("the approver, by name")),
    STRINGS(struct policy_case_approver, "groups", groups, N_("the approver's groups, by name")),
};

static int end_approver(struct doc *d, const struct yaml_node_s *node, void *object)
{
    const struct policy_case_approver *a = object;

    if (!a->user && a->groups.n == 0)
        doc_error(d, node, N_("an approver is somebody: give user or groups"));
    return 0;
}
static const struct doc_schema approver_schema = {
    .what = N_("an approver"), .fields = approver_fields, .n = ELEMENTS(approver_fields), .end = end_approver};

static const struct doc_field export_fields[] = {
    {.key = "path",
     .type = DOC_CUSTOM,
     .required = true,
     DOC_AT(EXPORT, path),
     .load = load_path,
     .clear = load_clear_string,
     .text = N_("the file; its store is found by this path")},
    {.key = "size", .type = DOC_SIZE, DOC_AT(EXPORT, size), .text = N_("of the file")},
    {.key = "taken-files",
     .type = DOC_U64,
     DOC_AT(EXPORT, taken_files),
     .text = N_("files the person took out by the rule today, before")},
    {.key = "taken-bytes", .type = DOC_SIZE, DOC_AT(EXPORT, taken_bytes), .text = N_("and how many bytes")},
    LOAD_FACTORS_FIELD(EXPORT, load_login_factor_choices, N_("what the person showed; without it nothing")),
    {.key = "approvers",
     .type = DOC_LIST,
     DOC_AT(EXPORT, approvers),
     DOC_COUNT_AT(EXPORT, n_approvers),
     .element = sizeof(struct policy_case_approver),
     .maximum = POLICY_CASE_APPROVERS_MAX,
     .schema = &approver_schema,
     .text = N_("other people who gave their codes")},
};

static int end_export(struct doc *d, const struct yaml_node_s *node, void *object)
{
    (void)d;
    (void)node;
    ((struct policy_case_export *)object)->given = true;
    return 0;
}
static const struct doc_schema export_schema = {
    .what = N_("export"), .fields = export_fields, .n = ELEMENTS(export_fields), .end = end_export};

/* --- what is expected --- */

static const struct doc_choice verdicts[] = {{"allow", POLICY_EXPECT_ALLOW},
                                             {"deny", POLICY_EXPECT_DENY},
                                             {"would-refuse", POLICY_EXPECT_WOULD_REFUSE},
                                             {NULL, 0}};
static const struct doc_choice grants[] = {{"refuse", 0}, {"read", 0}, {"use", 0}, {"export", 0}, {NULL, 0}};
/* As decide/ calls them; unit/cli/policy_test holds the two lists together. */
static const struct doc_choice reasons[] = {
    {"default", 0},    {"rule", 0},       {"who", 0},        {"when", 0},     {"expired", 0}, {"duplicate", 0},
    {"interfaces", 0}, {"filesystem", 0}, {"encryption", 0}, {"capacity", 0}, {"write", 0},   {"execute", 0},
    {"program", 0},    {"hash", 0},       {"unknown", 0},    {"overload", 0}, {"journal", 0}, {"takeover", 0},
    {"locked", 0},     {"source", 0},     {"target", 0},     {"size", 0},     {"limit", 0},   {"content", 0},
    {"approval", 0},   {"factor", 0},     {NULL, 0}};

#define WORD(key_, member, choices_, text_)                                                                            \
    {                                                                                                                  \
        .key = key_, .type = DOC_CUSTOM, DOC_AT(struct policy_expect, member), .load = load_word,                      \
        .clear = load_clear_string, .choices = choices_, .text = text_                                                 \
    }

static const struct doc_field expect_fields[] = {
    {.key = "verdict",
     .type = DOC_ENUM,
     DOC_AT(struct policy_expect, verdict),
     .choices = verdicts,
     .text = N_("allow, deny, or would-refuse: monitor mode lets it pass")},
    WORD("granted", granted, grants, N_("refuse, read, use or export")),
    TEXT(struct policy_expect, "rule", rule, N_("id of the rule that decides")),
    WORD("reason", reason, reasons, N_("why, as records name it")),
};

static void take_position(struct doc *d, const struct yaml_node_s *node, const char *key, struct policy_position *ret)
{
    const struct yaml_node_s *value = doc_find(d, node, key);

    if (value)
        *ret = doc_position(value);
}

static int end_expect(struct doc *d, const struct yaml_node_s *node, void *object)
{
    struct policy_expect *e = object;

    take_position(d, node, "verdict", &e->verdict_at);
    take_position(d, node, "granted", &e->granted_at);
    take_position(d, node, "rule", &e->rule_at);
    take_position(d, node, "reason", &e->reason_at);
    if (doc_kind(node) == DOC_IS_MAP && doc_count(node) == 0)
        doc_error(d, node, N_("nothing is expected: give verdict, granted, rule or reason"));
    return 0;
}
static const struct doc_schema expect_schema = {
    .what = N_("expect"), .fields = expect_fields, .n = ELEMENTS(expect_fields), .end = end_expect};

/* --- a case --- */

#define CASE struct policy_case

static const struct doc_field case_fields[] = {
    {.key = "name",
     .type = DOC_STRING,
     .required = true,
     DOC_AT(CASE, name),
     .maximum = 256,
     .text = N_("what is expected, in a sentence for people")},
    {.key = "at",
     .type = DOC_CUSTOM,
     DOC_AT(CASE, wall_us),
     .load = load_moment,
     .text = N_("the moment, with its offset")},
    TEXT(CASE, "user", user, N_("the person at the terminal, by name")),
    STRINGS(CASE, "groups", groups, N_("the person's groups, by name")),
    {.key = "usb", .type = DOC_MAP, DOC_AT(CASE, usb), .schema = &usb_schema, .text = N_("a USB device is plugged in")},
    {.key = "medium",
     .type = DOC_MAP,
     DOC_AT(CASE, medium),
     .schema = &medium_schema,
     .text = N_("a medium comes; with usb: the one in that device")},
    {.key = "mount",
     .type = DOC_MAP,
     DOC_AT(CASE, mount),
     .schema = &mount_schema,
     .text = N_("a network or FUSE filesystem is mounted")},
    {.key = "open",
     .type = DOC_MAP,
     DOC_AT(CASE, open),
     .schema = &open_schema,
     .text = N_("a file is opened; with medium: one on it, else one of a store")},
    {.key = "export",
     .type = DOC_MAP,
     DOC_AT(CASE, export),
     .schema = &export_schema,
     .text = N_("a file is taken out to the device or medium")},
    FLAG(CASE, "unlocked", unlocked, N_("the person has unlocked the device and its medium")),
    {.key = "expect",
     .type = DOC_MAP,
     .required = true,
     DOC_AT(CASE, expect),
     .schema = &expect_schema,
     .text = N_("what is decided in the end")},
};

static int begin_case(struct doc *d, const struct yaml_node_s *node, void *object)
{
    (void)d;
    ((struct policy_case *)object)->at = doc_position(node);
    return 0;
}

static void check_medium(struct doc *d, const struct yaml_node_s *node, const struct policy_case *c)
{
    const struct yaml_node_s *medium = doc_find(d, node, "medium");
    bool is_usb = text_equal(c->medium.bus, "usb");

    if (c->usb.given && c->medium.bus && !is_usb)
        doc_error(d, medium, N_("the medium of a USB device is on the bus usb"));
    else if (!c->usb.given && is_usb)
        doc_error(d, medium, N_("a USB medium belongs to a device: give 'usb' as well"));
    else if (!c->usb.given && !c->medium.bus)
        doc_error(d, medium, N_("'bus' is missing"));
}

static void check_export(struct doc *d, const struct yaml_node_s *node, const struct policy_case *c)
{
    const struct yaml_node_s *export = doc_find(d, node, "export");

    if (!c->usb.given && !c->medium.given)
        doc_error(d, export, N_("a file is taken out to something: give usb or medium as well"));
    if (c->open.given)
        doc_error(d, export, N_("a case is about opening a file or taking it out, not both"));
}

static int end_case(struct doc *d, const struct yaml_node_s *node, void *object)
{
    const struct policy_case *c = object;
    const struct yaml_node_s *open = doc_find(d, node, "open");
    bool others = c->usb.given || c->medium.given || c->open.given || c->export.given;

    if (!others && !c->mount.given)
        doc_error(d, node, N_("the case is about nothing: give usb, medium, mount or open"));
    if (others && c->mount.given)
        doc_error(d, doc_find(d, node, "mount"), N_("'mount' stands alone in a case"));
    if (c->export.given)
        check_export(d, node, c);
    if (c->medium.given)
        check_medium(d, node, c);
    else if (c->open.given && c->usb.given)
        doc_error(d, open, N_("a file lies on a medium: give 'medium' as well"));
    else if (c->open.given && !c->open.path)
        doc_error(d, open, N_("'path' is missing"));
    return 0;
}
static const struct doc_schema case_schema = {
    .what = N_("a case"), .fields = case_fields, .n = ELEMENTS(case_fields), .begin = begin_case, .end = end_case};

/* --- the document --- */

#define CASES struct policy_cases

static const struct doc_field fields[] = {
    {.key = "format",
     .type = DOC_FORMAT,
     .required = true,
     .constant = "kuraban-policy-cases/1",
     .text = N_("kind and version of the document")},
    TEXT(CASES, "timezone", timezone, N_("where the terminals are: Asia/Tokyo; without it: as this machine")),
    {.key = "at",
     .type = DOC_CUSTOM,
     DOC_AT(CASES, wall_us),
     .load = load_moment,
     .text = N_("the moment of cases that give none")},
    TEXT(CASES, "user", user, N_("the person of cases that give none")),
    STRINGS(CASES, "groups", groups, N_("and that person's groups")),
    {.key = "cases",
     .type = DOC_LIST,
     .required = true,
     DOC_AT(CASES, items),
     DOC_COUNT_AT(CASES, n),
     .element = sizeof(struct policy_case),
     .maximum = POLICY_CASES_MAX,
     .schema = &case_schema,
     .text = N_("what is expected of the policy")},
};

/* The moment and the person that stand above all cases. Strings are copied, so that each case owns its own. */
static int inherit(struct doc *d, const struct policy_cases *all, struct policy_case *c)
{
    bool has_person = c->user || c->groups.n > 0;

    if (c->wall_us == 0)
        c->wall_us = all->wall_us;
    if (c->wall_us == 0)
        policy_findings_add(doc_findings(d), POLICY_ERROR, c->at,
                            N_("case '%s' has no moment: give 'at' here or above all cases"), c->name ? c->name : "");
    if (has_person)
        return 0;
    if (all->user && !(c->user = strdup(all->user)))
        return -ENOMEM;
    if (all->groups.n > 0 && !(c->groups.items = calloc(all->groups.n, sizeof(*c->groups.items))))
        return -ENOMEM;
    for (size_t i = 0; i < all->groups.n; i++) {
        c->groups.items[i] = strdup(all->groups.items[i]);
        if (!c->groups.items[i])
            return -ENOMEM;
        c->groups.n = i + 1;
    }
    return 0;
}

/* A name below the time zone database, not a path out of it, nor a rule that nobody can read. */
static bool is_timezone(const char *name)
{
    return strspn(name, "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_+-/") == strlen(name) &&
           *name != '/' && *name != '-' && !strstr(name, "//");
}

static int end_cases(struct doc *d, const struct yaml_node_s *node, void *object)
{
    struct policy_cases *all = object;
    const struct yaml_node_s *timezone = doc_find(d, node, "timezone"), *list = doc_find(d, node, "cases");
    int r = 0;

    if (timezone)
        all->timezone_at = doc_position(timezone);
    if (all->timezone && !is_timezone(all->timezone))
        doc_error(d, timezone, N_("'%s' is no time zone: write Asia/Tokyo"), all->timezone);
    if (list && all->n == 0)
        doc_error(d, list, N_("there are no cases"));
    for (size_t i = 0; r == 0 && i < all->n; i++)
        r = inherit(d, all, &all->items[i]);
    return r;
}
static const struct doc_schema schema = {
    .what = N_("the cases"), .fields = fields, .n = ELEMENTS(fields), .end = end_cases};

DEFINE_CLEANUP(struct policy_cases *, policy_cases_free);

int policy_cases_load(const uint8_t *bytes, size_t size, struct policy_findings *findings, struct policy_cases **ret)
{
    static const struct doc_limits limits = {.size = POLICY_CASES_SIZE_MAX, .nodes = 4 * DOC_NODES_MAX};
    _cleanup_(policy_cases_freep) struct policy_cases *c = calloc(1, sizeof(*c));
    struct policy_findings own = {0}, *f = findings ? findings : &own;
    struct doc *d = NULL;
    int r = c ? doc_parse(bytes, size, &limits, f, &d) : -ENOMEM;

    if (r == 0)
        r = doc_load(d, doc_root(d), &schema, c);
    if (r == 0 && f->n_errors > 0)
        r = DOC_E_INVALID;
    (void)doc_free(d);
    policy_findings_sort(f);
    policy_findings_done(&own);
    if (r == 0)
        *ret = TAKE_PTR(c);
    return r > 0 ? POLICY_E_INVALID : r;
}

struct policy_cases *policy_cases_free(struct policy_cases *c)
{
    if (c)
        doc_clear(&schema, c);
    free(c);
    return NULL;
}

const char *policy_expected_verdict_name(enum policy_expected_verdict v)
{
    for (const struct doc_choice *c = verdicts; c->name; c++)
        if (c->value == (int)v)
            return c->name;
    return "";
}
