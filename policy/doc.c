/*
 * Owns: walking a document along the tables: which keys there are, of which type, how often, and what is said when one differs.
 * Must not: know a single key of the policy or the configuration.
 */
#include "policy/doc.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "policy/doc_internal.h"
#include "policy/doc_values.h"

const yaml_node_t *doc_root(struct doc *d)
{
    return yaml_document_get_root_node(&d->yaml);
}

enum doc_kind doc_kind(const yaml_node_t *node)
{
    switch (node->type) {
    case YAML_SEQUENCE_NODE:
        return DOC_IS_LIST;
    case YAML_MAPPING_NODE:
        return DOC_IS_MAP;
    case YAML_SCALAR_NODE:
    case YAML_NO_NODE:
        break;
    }
    return DOC_IS_SCALAR;
}

const char *doc_text(const yaml_node_t *node)
{
    return node->type == YAML_SCALAR_NODE ? (const char *)node->data.scalar.value : NULL;
}

struct policy_position doc_position(const yaml_node_t *node)
{
    return (struct policy_position){(unsigned)node->start_mark.line + 1, (unsigned)node->start_mark.column + 1};
}

size_t doc_count(const yaml_node_t *node)
{
    if (node->type == YAML_SEQUENCE_NODE)
        return (size_t)(node->data.sequence.items.top - node->data.sequence.items.start);
    if (node->type == YAML_MAPPING_NODE)
        return (size_t)(node->data.mapping.pairs.top - node->data.mapping.pairs.start);
    return 0;
}

const yaml_node_t *doc_item(struct doc *d, const yaml_node_t *node, size_t i)
{
    return yaml_document_get_node(&d->yaml, node->data.sequence.items.start[i]);
}

const yaml_node_t *doc_key(struct doc *d, const yaml_node_t *node, size_t i)
{
    return yaml_document_get_node(&d->yaml, node->data.mapping.pairs.start[i].key);
}

const yaml_node_t *doc_value(struct doc *d, const yaml_node_t *node, size_t i)
{
    return yaml_document_get_node(&d->yaml, node->data.mapping.pairs.start[i].value);
}

const yaml_node_t *doc_find(struct doc *d, const yaml_node_t *node, const char *key)
{
    if (doc_kind(node) != DOC_IS_MAP)
        return NULL;
    for (size_t i = 0; i < doc_count(node); i++)
        if (text_equal(doc_text(doc_key(d, node, i)), key))
            return doc_value(d, node, i);
    return NULL;
}

bool doc_stops(struct doc *d)
{
    d->stopped = d->stopped || policy_findings_hopeless(d->findings);
    return d->stopped;
}

struct policy_findings *doc_findings(struct doc *d)
{
    return d->findings;
}

void doc_error(struct doc *d, const yaml_node_t *node, const char *message, ...)
{
    va_list arguments;

    va_start(arguments, message);
    policy_findings_add_v(d->findings, POLICY_ERROR, doc_position(node), message, arguments);
    va_end(arguments);
}

void doc_warning(struct doc *d, const yaml_node_t *node, const char *message, ...)
{
    va_list arguments;

    va_start(arguments, message);
    policy_findings_add_v(d->findings, POLICY_WARNING, doc_position(node), message, arguments);
    va_end(arguments);
}

void doc_hint(struct doc *d, const char *hint, ...)
{
    _cleanup_free_ char *text = NULL;
    va_list arguments;
    int r;

    va_start(arguments, hint);
    r = vasprintf(&text, policy_findings_translate(d->findings, hint), arguments);
    va_end(arguments);
    if (r < 0) {
        text = NULL;
        d->findings->incomplete = true;
        return;
    }
    policy_findings_hint(d->findings, "%s", text);
}

/* A third of the word may be wrong, at least one letter, never all of them. */
static bool is_nearer(const char *written, const char *known, size_t *best)
{
    size_t length = strlen(written), cap = length / 3 + 2, distance;

    if (*best > 0 && length > 0 && strcasecmp(written, known) == 0) {
        *best = 0;
        return true;
    }
    if (cap > length)
        cap = length;
    if (cap > *best)
        cap = *best;
    distance = text_distance(written, known, cap);
    if (distance >= cap)
        return false;
    *best = distance;
    return true;
}

void doc_hint_near(struct doc *d, const char *written, const struct doc_choice *choices)
{
    size_t best = SIZE_MAX;
    const char *near = NULL;

    for (; choices->name; choices++)
        if (choices->value != DOC_CHOICE_LATER && is_nearer(written, choices->name, &best))
            near = choices->name;
    if (near)
        doc_hint(d, N_("did you mean '%s'?"), near);
}

static const struct doc_field *find_field(const struct doc_schema *schema, const char *key)
{
    for (size_t i = 0; i < schema->n; i++)
        if (text_equal(schema->fields[i].key, key) ||
            (schema->fields[i].alias && text_equal(schema->fields[i].alias, key)))
            return &schema->fields[i];
    return NULL;
}

static void tell_unknown_key(struct doc *d, const yaml_node_t *key, const struct doc_schema *schema)
{
    const char *written = doc_text(key), *near = NULL;
    size_t best = SIZE_MAX;

    doc_error(d, key, N_("unknown key '%s' in %s"), written, doc_translate(d, schema->what));
    if (text_equal(written, "<<")) {
        doc_hint(d, N_("merging (<<) is not used here: write the keys out"));
        return;
    }
    if (strchr(written, ':')) {
        doc_hint(d, N_("between a key and its value stand a colon and a space"));
        return;
    }
    for (size_t i = 0; i < schema->n; i++) {
        const struct doc_field *f = &schema->fields[i];

        if (f->key[0] && is_nearer(written, f->key, &best))
            near = f->key;
        if (f->alias && is_nearer(written, f->alias, &best))
            near = f->alias;
    }
    if (near)
        doc_hint(d, N_("did you mean '%s'?"), near);
}

const char *doc_translate(const struct doc *d, const char *message)
{
    return policy_findings_translate(d->findings, message);
}

static int load_list(struct doc *d, const yaml_node_t *node, const struct doc_field *f, void *object)
{
    size_t n = doc_count(node), *count = (size_t *)(void *)((char *)object + f->count);
    char *items;

    if (doc_kind(node) != DOC_IS_LIST) {
        doc_error(d, node, N_("'%s' must be a list"), f->key);
        return 0;
    }
    if (f->maximum > 0 && n > f->maximum) {
        doc_error(d, node, N_("'%s' has %zu entries, at most %zu are read"), f->key, n, (size_t)f->maximum);
        return 0;
    }
    items = calloc(n > 0 ? n : 1, f->element);
    if (!items)
        return -ENOMEM;
    memcpy((char *)object + f->offset, &items, sizeof(items));
    *count = n;
    for (size_t i = 0; i < n && !doc_stops(d); i++) {
        int r = doc_load(d, doc_item(d, node, i), f->schema, items + i * f->element);

        if (r < 0)
            return r;
    }
    return 0;
}

static int load_field(struct doc *d, const yaml_node_t *node, const struct doc_field *f, void *object)
{
    void *target = (char *)object + f->offset;

    switch (f->type) {
    case DOC_MAP:
        return doc_load(d, node, f->schema, target);
    case DOC_LIST:
        return load_list(d, node, f, object);
    case DOC_CUSTOM:
        return f->load(d, node, f, target);
    case DOC_LATER: /* refused at its key */
        return 0;
    case DOC_STRINGS:
        return doc_load_strings(d, node, f, object);
    case DOC_STRING:
    case DOC_FORMAT:
    case DOC_BOOL:
    case DOC_U64:
    case DOC_UNSIGNED:
    case DOC_SIZE:
    case DOC_ENUM:
    case DOC_TIME:
    case DOC_TIME_END:
        return doc_load_scalar(d, node, f, target);
    }
    return -EINVAL;
}

/* A wrong format makes every other message noise. */
static int check_format(struct doc *d, const yaml_node_t *node, const struct doc_schema *schema)
{
    for (size_t i = 0; i < schema->n; i++) {
        const struct doc_field *f = &schema->fields[i];
        const yaml_node_t *value;

        if (f->type != DOC_FORMAT)
            continue;
        value = doc_find(d, node, f->key);
        if (value && text_equal(doc_text(value), f->constant))
            return 0;
        doc_error(d, value ? value : node, N_("this is not a document of format '%s'"), f->constant);
        doc_hint(d, N_("the first line must be 'format: %s'"), f->constant);
        return DOC_E_INVALID;
    }
    return 0;
}

static int check_required(struct doc *d, const yaml_node_t *node, const struct doc_schema *schema)
{
    for (size_t i = 0; i < schema->n; i++) {
        const struct doc_field *f = &schema->fields[i];

        if (f->required && !doc_find(d, node, f->key) && !(f->alias && doc_find(d, node, f->alias)))
            doc_error(d, node, N_("%s needs the key '%s'"), doc_translate(d, schema->what), f->key);
    }
    return 0;
}

void doc_tell_later(struct doc *d, const yaml_node_t *node, const char *word)
{
    doc_error(d, node, N_("'%s' is not yet enforced by this version"), word);
    doc_hint(d, N_("remove it: what is not enforced must not look as if it were"));
}

static int load_pairs(struct doc *d, const yaml_node_t *node, const struct doc_schema *schema, void *object)
{
    for (size_t i = 0; i < doc_count(node) && !doc_stops(d); i++) {
        const yaml_node_t *key = doc_key(d, node, i);
        const struct doc_field *f = find_field(schema, doc_text(key));
        int r;

        if (!f) {
            tell_unknown_key(d, key, schema);
            continue;
        }
        /* The pair itself twice is found by doc_parse(); here key and alias name the same. */
        if (f->alias && text_equal(doc_text(key), f->alias) && doc_find(d, node, f->key)) {
            doc_error(d, key, N_("'%s' and '%s' are the same key"), f->alias, f->key);
            continue;
        }
        if (f->type == DOC_LATER) {
            doc_tell_later(d, key, f->key);
        }
        r = load_field(d, doc_value(d, node, i), f, object);
        if (r < 0)
            return r;
    }
    return 0;
}

int doc_load(struct doc *d, const yaml_node_t *node, const struct doc_schema *schema, void *object)
{
    size_t errors = d->findings->n_errors;
    int r;

    if (doc_kind(node) != DOC_IS_MAP) {
        doc_error(d, node, N_("%s must be written as 'key: value' pairs"), doc_translate(d, schema->what));
        return DOC_E_INVALID;
    }
    r = check_format(d, node, schema);
    if (r == 0 && schema->begin)
        r = schema->begin(d, node, object);
    if (r == 0)
        r = load_pairs(d, node, schema, object);
    if (r == 0)
        r = check_required(d, node, schema);
    /* What spans keys is judged only when each is in order. */
    if (r == 0 && schema->end && d->findings->n_errors == errors)
        r = schema->end(d, node, object);
    if (r == 0 && d->findings->incomplete)
        r = -ENOMEM;
    return r != 0 ? r : d->stopped || d->findings->n_errors > errors ? DOC_E_INVALID : 0;
}

static void clear_list(const struct doc_field *f, void *object)
{
    size_t *count = (size_t *)(void *)((char *)object + f->count);
    char *items;

    memcpy(&items, (char *)object + f->offset, sizeof(items));
    for (size_t i = 0; items && i < *count; i++)
        doc_clear(f->schema, items + i * f->element);
    free(items);
    items = NULL;
    memcpy((char *)object + f->offset, &items, sizeof(items));
    *count = 0;
}

void doc_clear(const struct doc_schema *schema, void *object)
{
    for (size_t i = 0; i < schema->n; i++) {
        const struct doc_field *f = &schema->fields[i];
        void *target = (char *)object + f->offset;

        if (f->type == DOC_STRING)
            doc_clear_string(target);
        else if (f->type == DOC_STRINGS)
            doc_clear_strings(f, object);
        else if (f->type == DOC_MAP)
            doc_clear(f->schema, target);
        else if (f->type == DOC_LIST)
            clear_list(f, object);
        else if (f->type == DOC_CUSTOM && f->clear)
            f->clear(target);
    }
    if (schema->clear)
        schema->clear(object);
}
