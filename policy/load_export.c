/*
 * Owns: the section `export`: what may be taken out, whereto, and under which conditions.
 * Must not: warn of what is legal but odd (warn_export.c), or look into files.
 */
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "policy/load.h"

static const struct doc_choice containers[] = {{"zip-aes256", POLICY_CONTAINER_ZIP_AES256},
                                               {"luks", POLICY_CONTAINER_LUKS},
                                               {"plain", POLICY_CONTAINER_PLAIN},
                                               {NULL, 0}};

/* Ids of stores; one of them may be the word for files that are in none. The target is the rule. */
static int load_from(struct doc *d, const struct yaml_node_s *node, const struct doc_field *f, void *target)
{
    struct policy_export_rule *rule = target;
    char **items = NULL;
    size_t n = 0, kept = 0;
    int r = doc_get_strings(d, node, POLICY_ID_MAX, &items, &n);

    if (r != 0)
        return r < 0 ? r : 0;
    for (size_t i = 0; i < n; i++) {
        if (!text_equal(items[i], LOAD_ELSEWHERE)) {
            items[kept++] = items[i];
            continue;
        }
        rule->elsewhere = true;
        free(items[i]);
    }
    if (n > f->maximum)
        doc_error(d, node, N_("'%s' has %zu entries, at most %zu are read"), f->key, n, (size_t)f->maximum);
    load_clear_set(&rule->from);
    rule->from = (struct policy_strings){.items = items, .n = kept, .op = POLICY_SET_ONE_OF};
    return 0;
}

static void clear_from(void *target)
{
    load_clear_set(&((struct policy_export_rule *)target)->from);
}

static int load_classes(struct doc *d, const struct yaml_node_s *node, const struct doc_field *f, void *target)
{
    struct policy_strings set = {.op = POLICY_SET_ONE_OF};
    int ignored, r = doc_get_strings(d, node, 16, &set.items, &set.n);

    for (size_t i = 0; r == 0 && i < set.n; i++)
        if (doc_get_choice(d, doc_kind(node) == DOC_IS_LIST ? doc_item(d, node, i) : node, f->choices, &ignored) < 0)
            r = -1;
    load_clear_set(target);
    *(struct policy_strings *)target = set;
    return 0;
}

/* --- what a look into the files is to find; the inspector will read these again --- */

struct content {
    bool demanded;
    uint64_t distinct_max;
    unsigned uninspectable;
};

static const struct doc_choice uninspectable[] = {{"refuse", 0}, {NULL, 0}};

static const struct doc_field my_number_fields[] = {
    {.key = "distinct-max",
     .type = DOC_U64,
     .required = true,
     DOC_AT(struct content, distinct_max),
     .maximum = 1000000,
     .text = N_("so many different Individual Numbers may be in one file")},
};
static const struct doc_schema my_number_schema = {
    .what = N_("my-number"), .fields = my_number_fields, .n = ELEMENTS(my_number_fields)};

static const struct doc_field content_fields[] = {
    {.key = "my-number",
     .type = DOC_MAP,
     .schema = &my_number_schema,
     .text = N_("Individual Numbers (12 digits with a check digit)")},
    {.key = "uninspectable",
     .type = DOC_ENUM,
     DOC_AT(struct content, uninspectable),
     .choices = uninspectable,
     .text = N_("refuse: files that cannot be looked into stay here")},
};
static const struct doc_schema content_schema = {
    .what = N_("content"), .fields = content_fields, .n = ELEMENTS(content_fields)};

static int load_content(struct doc *d, const struct yaml_node_s *node, const struct doc_field *f, void *target)
{
    struct content content = {0};
    int r = doc_load(d, node, &content_schema, &content);

    (void)f;
    if (r == 0 && doc_count(node) == 0)
        doc_error(d, node, N_("'content' is empty: say what is looked for, or leave it out"));
    *(bool *)target = true;
    return r < 0 ? r : 0;
}

/* --- limits --- */

static const struct doc_field day_fields[] = {
    {.key = "files",
     .type = DOC_U64,
     DOC_AT(struct policy_export_rule, day_files),
     .minimum = 1,
     .text = N_("so many files")},
    {.key = "bytes",
     .type = DOC_SIZE,
     DOC_AT(struct policy_export_rule, day_bytes),
     .minimum = 1,
     .text = N_("so many bytes in all: 100M")},
};

static int end_day(struct doc *d, const struct yaml_node_s *node, void *object)
{
    (void)object;
    if (doc_count(node) == 0)
        doc_error(d, node, N_("'per-day' is empty: give files or bytes"));
    return 0;
}
static const struct doc_schema day_schema = {
    .what = N_("per-day"), .fields = day_fields, .n = ELEMENTS(day_fields), .end = end_day};

/* --- a rule --- */

static int begin_rule(struct doc *d, const struct yaml_node_s *node, void *object)
{
    const struct yaml_node_s *zone = doc_find(d, doc_root(d), "zone");
    const char *name = zone ? doc_text(zone) : NULL;
    struct policy_export_rule *rule = object;

    rule->at = doc_position(node);
    rule->to.op = rule->from.op = rule->classes.op = POLICY_SET_ONE_OF;
    /* What the zone sets; kuraban-policy(5) has the same table. */
    rule->factors = POLICY_FACTOR_TOTP; /* nothing leaves without a code unless the rule says so */
    rule->approvals = text_equal(name, "internet") || text_equal(name, "lgwan") ? 0 : 1;
    return 0;
}

static int end_rule(struct doc *d, const struct yaml_node_s *node, void *object)
{
    const struct policy_export_rule *rule = object;
    const struct yaml_node_s *classes = doc_find(d, node, "classes");

    if (rule->from.n == 0 && rule->classes.n == 0 && !rule->elsewhere) {
        doc_error(d, node, N_("rule '%s' does not say which files: give 'from' or 'classes'"), rule->id);
        doc_hint(d, N_("'from: [elsewhere]' are the files that are in no store"));
    }
    /* Some would read it as both, some as either. */
    if (rule->from.n > 0 && classes) {
        doc_error(d, classes, N_("'classes' beside stores in 'from'"));
        doc_hint(d, N_("name the stores or their classes; for both write two rules"));
    }
    load_check_approvers(d, node, rule->approvals);
    return 0;
}

static const struct doc_field rule_fields[] = {
    LOAD_RULE_FIELDS(struct policy_export_rule),
    LOAD_UNTIL_FIELD(struct policy_export_rule),
    {.key = "to",
     .type = DOC_STRINGS,
     .required = true,
     DOC_AT(struct policy_export_rule, to.items),
     DOC_COUNT_AT(struct policy_export_rule, to.n),
     .maximum = 256,
     .text = N_("ids of USB or media rules with 'allow: export'")},
    {.key = "from",
     .type = DOC_CUSTOM,
     .load = load_from,
     .clear = clear_from,
     .shape = DOC_SHAPE_TEXTS,
     .maximum = 256,
     .text = N_("ids of stores; elsewhere: files that are in none")},
    {.key = "classes",
     .type = DOC_CUSTOM,
     DOC_AT(struct policy_export_rule, classes),
     .load = load_classes,
     .clear = load_clear_set,
     .shape = DOC_SHAPE_TEXTS,
     .choices = load_store_classes,
     .text = N_("instead of stores: all stores of these classes")},
    LOAD_FACTORS_FIELD(struct policy_export_rule, load_export_factor_choices,
                       N_("what the person shows: totp, the code of a phone; none")),
    LOAD_APPROVAL_FIELDS(struct policy_export_rule),
    {.key = "container",
     .type = DOC_ENUM,
     DOC_AT(struct policy_export_rule, container),
     .choices = containers,
     .text = N_("how files leave: zip-aes256 and luks (for Linux) in one file with a password; plain: as they are")},
    {.key = "content",
     .type = DOC_CUSTOM,
     DOC_AT(struct policy_export_rule, content),
     .load = load_content,
     .shape = DOC_SHAPE_MAP,
     .schema = &content_schema,
     .text = N_("what is looked for in files; until this version can, everything is refused")},
    {.key = "file-max",
     .type = DOC_SIZE,
     DOC_AT(struct policy_export_rule, file_max),
     .minimum = 1,
     .text = N_("the largest single file: 100M")},
    {.key = "per-day",
     .type = DOC_MAP,
     .schema = &day_schema,
     .text = N_("the most that one person takes out by this rule in one day")},
};
const struct doc_schema load_export_rule_schema = {.what = N_("an export rule"),
                                                   .fields = rule_fields,
                                                   .n = ELEMENTS(rule_fields),
                                                   .begin = begin_rule,
                                                   .end = end_rule};
