/*
 * Owns: the policy document as a whole: its sections, what the zone sets before they are read, and what spans sections.
 * Must not: decide anything, read a clock or a file, or accept what this version does not enforce.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "policy/index.h"
#include "policy/load.h"
#include "policy/warn.h"

static const struct doc_choice zones[] = {
    {"mynumber", POLICY_ZONE_MYNUMBER}, {"lgwan", POLICY_ZONE_LGWAN}, {"internet", POLICY_ZONE_INTERNET}, {NULL, 0}};
static const struct doc_choice modes[] = {{"enforce", POLICY_ENFORCE}, {"monitor", POLICY_MONITOR}, {NULL, 0}};
static const struct doc_choice when_full_choices[] = {{"refuse-export", POLICY_FULL_REFUSE_EXPORT},
                                                      {"refuse-all", POLICY_FULL_REFUSE_ALL},
                                                      {"drop-oldest", POLICY_FULL_DROP_OLDEST},
                                                      {NULL, 0}};

/* "3y", "18m", "8w", "400d" in days; a year is 365.25 days, rounded up, so that no record is let go too early. */
static int load_days_of(struct doc *d, const struct yaml_node_s *node, const struct doc_field *f, void *target)
{
    const char *text = doc_text(node);
    uint64_t n = 0;
    char number[8] = "";
    size_t length = text ? strlen(text) : 0;

    if (length >= 2 && length < sizeof(number)) {
        memcpy(number, text, length - 1);
        if (text_to_u64(number, 100000, &n) == 0 && n > 0) {
            switch (text[length - 1]) {
            case 'd':
                *(int64_t *)target = (int64_t)n;
                return 0;
            case 'w':
                *(int64_t *)target = (int64_t)n * 7;
                return 0;
            case 'm':
                *(int64_t *)target = (int64_t)n * 31;
                return 0;
            case 'y':
                *(int64_t *)target = ((int64_t)n * 36525 + 99) / 100;
                return 0;
            default:
                break;
            }
        }
    }
    doc_error(d, node, N_("'%s' must be a period"), f->key);
    doc_hint(d, N_("a number of days, weeks, months or years: 90d, 8w, 18m, 3y"));
    return 0;
}

static const struct doc_field scope_fields[] = {
    {.key = "groups",
     .type = DOC_STRINGS,
     DOC_AT(struct policy, scope_groups.items),
     DOC_COUNT_AT(struct policy, scope_groups.n),
     .text = N_("groups of terminals")},
    {.key = "terminals",
     .type = DOC_STRINGS,
     DOC_AT(struct policy, scope_terminals.items),
     DOC_COUNT_AT(struct policy, scope_terminals.n),
     .text = N_("single terminals")},
};
static const struct doc_schema scope_schema = {
    .what = N_("scope"), .fields = scope_fields, .n = ELEMENTS(scope_fields)};

static const struct doc_field valid_fields[] = {
    {.key = "from", .type = DOC_TIME, DOC_AT(struct policy, valid_from_us), .text = N_("first moment or day")},
    {.key = "until", .type = DOC_TIME_END, DOC_AT(struct policy, valid_until_us), .text = N_("last moment or day")},
};
static const struct doc_schema valid_schema = {
    .what = N_("valid"), .fields = valid_fields, .n = ELEMENTS(valid_fields)};

static const struct doc_field audit_fields[] = {
    {.key = "keep",
     .type = DOC_CUSTOM,
     DOC_AT(struct policy_audit, keep_days),
     .load = load_days_of,
     .shape = DOC_SHAPE_TEXT,
     .constant = "^0*([1-9][0-9]{0,4}|100000)[dwmy]$",
     .text = N_("how long records stay: 3y")},
    {.key = "segment-size",
     .type = DOC_SIZE,
     DOC_AT(struct policy_audit, segment_size),
     .minimum = 64 * 1024,
     .maximum = 1024 * 1024 * 1024,
     .text = N_("a journal file is closed past that size")},
    {.key = "total-size",
     .type = DOC_SIZE,
     DOC_AT(struct policy_audit, total_size),
     .minimum = 1024 * 1024,
     .text = N_("of all journal files")},
    {.key = "when-full",
     .type = DOC_ENUM,
     DOC_AT(struct policy_audit, when_full),
     .choices = when_full_choices,
     .text = N_("refuse-export, refuse-all or drop-oldest")},
};
static const struct doc_schema audit_schema = {
    .what = N_("audit"), .fields = audit_fields, .n = ELEMENTS(audit_fields)};

/* The zone sets the defaults of everything that is not written; kuraban-policy(5) has the same table. */
static int begin_policy(struct doc *d, const struct yaml_node_s *node, void *object)
{
    const struct yaml_node_s *zone = doc_find(d, node, "zone");
    const char *name = zone ? doc_text(zone) : NULL;
    struct policy *p = object;

    p->audit = (struct policy_audit){.keep_days = 1096, .segment_size = 16U << 20};
    p->media.network_allow.op = p->media.fuse_allow.op = POLICY_SET_ONE_OF;
    if (text_equal(name, "lgwan")) {
        p->media.optical = POLICY_READ;
        p->media.network = POLICY_USE;
    } else if (text_equal(name, "internet")) {
        p->media.optical = p->media.sdcard = POLICY_READ;
        p->media.network = p->media.fuse = POLICY_USE;
    }
    load_mfa_defaults(text_equal(name, "internet") ? POLICY_ZONE_INTERNET : POLICY_ZONE_MYNUMBER, &p->mfa);
    return 0;
}

struct named {
    const char *id;
    struct policy_position at;
};

static int compare_named(const void *a, const void *b)
{
    const struct named *x = a, *y = b;
    int r = strcmp(x->id, y->id);

    if (r != 0)
        return r;
    return x->at.line != y->at.line ? (x->at.line < y->at.line ? -1 : 1) : x->at.column < y->at.column ? -1 : 1;
}

/* Records name the rule by its id alone, so it is unique in the whole document. */
static int check_ids(struct doc *d, const struct policy *p)
{
    size_t n = 0, total = p->n_usb + p->media.n_rules + p->n_stores + p->n_export;
    _cleanup_free_ struct named *all = calloc(total > 0 ? total : 1, sizeof(*all));

    if (!all)
        return -ENOMEM;
    for (size_t i = 0; i < p->n_usb; i++)
        all[n++] = (struct named){p->usb[i].id, p->usb[i].at};
    for (size_t i = 0; i < p->media.n_rules; i++)
        all[n++] = (struct named){p->media.rules[i].id, p->media.rules[i].at};
    for (size_t i = 0; i < p->n_stores; i++)
        all[n++] = (struct named){p->stores[i].id, p->stores[i].at};
    for (size_t i = 0; i < p->n_export; i++)
        all[n++] = (struct named){p->export[i].id, p->export[i].at};
    qsort(all, n, sizeof(*all), compare_named);
    for (size_t i = 1; i < n; i++)
        if (strcmp(all[i - 1].id, all[i].id) == 0) {
            policy_findings_add(doc_findings(d), POLICY_ERROR, all[i].at, N_("rule id '%s' is used twice"), all[i].id);
            policy_findings_hint(doc_findings(d), N_("first used in line %u, column %u"), all[i - 1].at.line,
                                 all[i - 1].at.column);
        }
    return 0;
}

static int end_policy(struct doc *d, const struct yaml_node_s *node, void *object)
{
    const struct policy *p = object;
    const struct yaml_node_s *scope = doc_find(d, node, "scope");

    if (scope && p->scope_groups.n == 0 && p->scope_terminals.n == 0) {
        doc_error(d, scope, N_("'scope' names no terminal"));
        doc_hint(d, N_("give groups or terminals, or leave 'scope' out"));
    }
    if (p->valid_from_us != 0 && p->valid_until_us != 0 && p->valid_from_us > p->valid_until_us)
        doc_error(d, doc_find(d, node, "valid"), N_("'until' is before 'from'"));
    return check_ids(d, p);
}

/* Sections that are known and come later are refused: accepted and ignored they would look like protection. */
static const struct doc_field policy_fields[] = {
    {.key = "format",
     .type = DOC_FORMAT,
     .required = true,
     .constant = "kuraban-policy/1",
     .text = N_("kind and version of the document")},
    {.key = "organization",
     .type = DOC_STRING,
     .required = true,
     DOC_AT(struct policy, organization),
     .maximum = 255,
     .text = N_("whose policy it is")},
    {.key = "name",
     .type = DOC_STRING,
     .required = true,
     DOC_AT(struct policy, name),
     .maximum = 120,
     .text = N_("shown to people")},
    {.key = "version",
     .type = DOC_U64,
     .required = true,
     DOC_AT(struct policy, version),
     .minimum = 1,
     .text = N_("rises with every change")},
    {.key = "scope", .type = DOC_MAP, .schema = &scope_schema, .text = N_("the terminals it is for")},
    {.key = "valid", .type = DOC_MAP, .schema = &valid_schema, .text = N_("when it is meant to rule")},
    {.key = "zone",
     .type = DOC_ENUM,
     DOC_AT(struct policy, zone),
     .choices = zones,
     .text = N_("mynumber, lgwan or internet: sets the defaults")},
    {.key = "mode",
     .type = DOC_ENUM,
     DOC_AT(struct policy, mode),
     .choices = modes,
     .text = N_("enforce, or monitor: record and refuse nothing")},
    {.key = "usb",
     .type = DOC_LIST,
     DOC_AT(struct policy, usb),
     DOC_COUNT_AT(struct policy, n_usb),
     .element = sizeof(struct policy_usb_rule),
     .maximum = 8192,
     .schema = &load_usb_rule_schema,
     .text = N_("USB devices: first match wins, no match refuses")},
    {.key = "media",
     .type = DOC_MAP,
     DOC_AT(struct policy, media),
     .schema = &load_media_schema,
     .text = N_("block devices and filesystems that leave the terminal")},
    {.key = "stores",
     .type = DOC_LIST,
     DOC_AT(struct policy, stores),
     DOC_COUNT_AT(struct policy, n_stores),
     .element = sizeof(struct policy_store),
     .maximum = LOAD_STORES_MAX,
     .schema = &load_store_schema,
     .text = N_("where resident data lives")},
    {.key = "export",
     .type = DOC_LIST,
     DOC_AT(struct policy, export),
     DOC_COUNT_AT(struct policy, n_export),
     .element = sizeof(struct policy_export_rule),
     .maximum = 256,
     .schema = &load_export_rule_schema,
     .text = N_("what may be taken out: first match wins, no match refuses")},
    {.key = "mfa",
     .type = DOC_MAP,
     DOC_AT(struct policy, mfa),
     .schema = &load_mfa_schema,
     .text = N_("the second factor: logins, enrolment, wrong codes")},
    {.key = "patterns", .type = DOC_LATER, .text = N_("not yet enforced")},
    {.key = "network", .type = DOC_LATER, .text = N_("not yet enforced")},
    {.key = "audit", .type = DOC_MAP, DOC_AT(struct policy, audit), .schema = &audit_schema, .text = N_("the journal")},
};
const struct doc_schema load_policy_schema = {.what = N_("the policy"),
                                              .fields = policy_fields,
                                              .n = ELEMENTS(policy_fields),
                                              .begin = begin_policy,
                                              .end = end_policy};

static int load_into(const uint8_t *bytes, size_t size, struct policy_findings *findings, struct policy *p)
{
    static const struct doc_limits limits = {.size = POLICY_DOCUMENT_MAX};
    struct doc *d = NULL;
    int r;

    r = doc_parse(bytes, size, &limits, findings, &d);
    if (r != 0)
        return r;
    r = doc_load(d, doc_root(d), &load_policy_schema, p);
    if (r == 0)
        r = policy_index_usb(p->usb, p->n_usb, &p->usb_index);
    if (r == 0)
        r = policy_index_media(p->media.rules, p->media.n_rules, &p->media_index);
    if (r == 0) {
        load_check_references(d, p);
        load_check_services(d, p);
    }
    doc_free(d);
    return r != 0 ? r : digest_bytes(bytes, size, &p->sha256);
}

int policy_load(const char *file_name, const uint8_t *bytes, size_t size, struct policy_findings *findings,
                struct policy **ret)
{
    struct policy_findings own = {0}, *f = findings ? findings : &own;
    struct policy *p = calloc(1, sizeof(*p));
    int r;

    (void)file_name; /* messages carry positions; who shows them knows the file */
    if (!p)
        return -ENOMEM;
    p->refs = 1;
    r = load_into(bytes, size, f, p);
    if (r == 0)
        policy_warn(p, f);
    policy_findings_sort(f);
    policy_findings_done(&own);
    if (r == 0) {
        *ret = p;
        return 0;
    }
    (void)policy_unref(p);
    return r < 0 ? r : POLICY_E_INVALID;
}

struct policy *policy_ref(struct policy *p)
{
    if (p)
        (void)__atomic_fetch_add(&p->refs, 1, __ATOMIC_RELAXED);
    return p;
}

struct policy *policy_unref(struct policy *p)
{
    if (p && __atomic_sub_fetch(&p->refs, 1, __ATOMIC_ACQ_REL) == 0) {
        doc_clear(&load_policy_schema, p);
        (void)policy_index_free(p->usb_index);
        (void)policy_index_free(p->media_index);
        free(p);
    }
    return NULL;
}
