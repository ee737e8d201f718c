/*
 * Owns: writing the tables of the policy document as a JSON Schema, so that an editor completes and marks what `policy check` would
 * find. Must not: know a single key: what it says comes from the tables, or the two would differ one day.
 *
 * Text without quotes that looks like a number is a number to an editor and text to us, so every text may be a number there.
 */
#include "policy/schema.h"

#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <regex.h>
#include <string.h>

#include "base/cleanup.h"
#include "json/whole.h"
#include "policy/load.h"

#define PATTERN_TIME "^[0-9]{4}-[0-9]{2}-[0-9]{2}([Tt ][0-9]{2}:[0-9]{2}:[0-9]{2}.*)?$"
#define PATTERN_SIZE "^[0-9]+[KMGT]?$"

struct writer {
    const char *(*translate)(const char *message);
    json_t *definitions;
};

static json_t *map_schema(const struct writer *w, const struct doc_schema *schema);

static json_t *type_of(const char *type)
{
    return json_pack("{s:s}", "type", type);
}

static json_t *text_type(void)
{
    return json_pack("{s:[s,s]}", "type", "string", "number");
}

static bool is_number(const char *text)
{
    return *text && text[strspn(text, "0123456789")] == 0;
}

static json_t *choices_of(const struct doc_choice *choices)
{
    json_t *names = json_array();

    for (; choices->name; choices++) {
        if (choices->value == DOC_CHOICE_LATER)
            continue;
        whole_add(&names, json_string(choices->name));
        if (is_number(choices->name))
            whole_add(&names, json_integer(choices->name[0] - '0'));
    }
    return json_pack("{s:o}", "enum", names);
}

/* Patterns say nothing of numbers to a validator, so numbers are taken only where they fit. */
static bool matches_number(const char *pattern)
{
    regex_t compiled;
    bool matches;

    if (regcomp(&compiled, pattern, REG_EXTENDED | REG_NOSUB) != 0)
        return false;
    matches = regexec(&compiled, "1", 0, NULL, 0) == 0 || regexec(&compiled, "0", 0, NULL, 0) == 0;
    regfree(&compiled);
    return matches;
}

/* One text of a field. */
static json_t *text_of(const struct doc_field *f)
{
    json_t *text;

    if (f->choices)
        return choices_of(f->choices);
    text = !f->constant || matches_number(f->constant) ? text_type() : type_of("string");
    if (f->constant)
        whole_set(&text, "pattern", json_string(f->constant));
    return text;
}

static json_t *list_of(json_t *item, size_t maximum)
{
    json_t *list = json_pack("{s:s, s:o, s:i}", "type", "array", "items", item, "minItems", 1);

    if (list && maximum > 0)
        whole_set(&list, "maxItems", json_integer((json_int_t)maximum));
    return list;
}

static json_t *texts_of(const struct doc_field *f)
{
    return json_pack("{s:[o,o]}", "anyOf", text_of(f), list_of(text_of(f), 0));
}

/* A set is long to write out; those of one kind are written once and referred to. */
static json_t *set_of(const struct writer *w, const struct doc_field *f)
{
    const char *kind = f->choices || f->constant ? f->key : "text";
    json_t *operators, *set;

    if (!json_object_get(w->definitions, kind)) {
        operators = json_object();
        for (const struct doc_choice *c = load_operators; c->name; c++)
            whole_set(&operators, c->name, texts_of(f));
        set = json_pack("{s:[o,o,{s:s, s:o, s:b, s:i, s:i}]}", "anyOf", text_of(f), list_of(text_of(f), 0), "type",
                        "object", "properties", operators, "additionalProperties", 0, "minProperties", 1,
                        "maxProperties", 1);
        if (json_object_set_new(w->definitions, kind, set) < 0)
            return NULL;
    }
    /* Not beside the description: draft 7 overlooks what stands next to a reference. */
    return json_pack("{s:[{s:s+}]}", "anyOf", "$ref", "#/definitions/", kind);
}

static json_t *custom_of(const struct writer *w, const struct doc_field *f)
{
    switch (f->shape) {
    case DOC_SHAPE_TEXT:
        return text_of(f);
    case DOC_SHAPE_TEXTS:
        return texts_of(f);
    case DOC_SHAPE_SET:
        return set_of(w, f);
    case DOC_SHAPE_TRUE:
        return json_pack("{s:b}", "const", 1);
    case DOC_SHAPE_CHOICE_OR_MAP:
        return json_pack("{s:[o,o]}", "anyOf", choices_of(f->choices), map_schema(w, f->schema));
    case DOC_SHAPE_MAP:
        return map_schema(w, f->schema);
    case DOC_SHAPE_NONE:
        break;
    }
    return NULL;
}

static json_t *number_of(const struct doc_field *f)
{
    json_t *number = json_pack("{s:s, s:I}", "type", "integer", "minimum", (json_int_t)f->minimum);

    if (number)
        whole_set(&number, "maximum",
                  json_integer(f->maximum > 0            ? (json_int_t)f->maximum
                               : f->type == DOC_UNSIGNED ? UINT_MAX
                                                         : INT64_MAX));
    return number;
}

static json_t *string_of(const struct doc_field *f)
{
    json_t *text = text_type();

    whole_set(&text, "minLength", json_integer(1));
    if (f->maximum > 0)
        whole_set(&text, "maxLength", json_integer((json_int_t)f->maximum)); /* bytes to us */
    return text;
}

static json_t *value_of(const struct writer *w, const struct doc_field *f)
{
    switch (f->type) {
    case DOC_STRING:
        return string_of(f);
    case DOC_FORMAT:
        return json_pack("{s:s}", "const", f->constant);
    case DOC_BOOL:
        return type_of("boolean");
    case DOC_U64:
    case DOC_UNSIGNED:
        return number_of(f);
    case DOC_SIZE:
        return json_pack("{s:[s,s], s:i, s:s}", "type", "string", "integer", "minimum", 0, "pattern", PATTERN_SIZE);
    case DOC_ENUM:
        return choices_of(f->choices);
    case DOC_TIME:
    case DOC_TIME_END:
        return json_pack("{s:s, s:s}", "type", "string", "pattern", PATTERN_TIME);
    case DOC_STRINGS:
        return json_pack("{s:[o,o]}", "anyOf", text_type(), list_of(text_type(), (size_t)f->maximum));
    case DOC_MAP:
        return map_schema(w, f->schema);
    case DOC_LIST:
        return json_pack("{s:s, s:o, s:I}", "type", "array", "items", map_schema(w, f->schema), "maxItems",
                         (json_int_t)f->maximum);
    case DOC_CUSTOM:
        return custom_of(w, f);
    case DOC_LATER:
        return json_pack("{s:{}}", "not"); /* nothing is valid: it is refused */
    }
    return NULL;
}

static json_t *field_of(const struct writer *w, const struct doc_field *f)
{
    json_t *value = f->text ? value_of(w, f) : NULL;

    if (value)
        whole_set(&value, "description", json_string(w->translate(f->text)));
    return value;
}

static json_t *one_of(const char *const *keys)
{
    json_t *all = json_array();

    for (; *keys; keys++)
        whole_add(&all, json_pack("{s:[s]}", "required", *keys));
    return all;
}

/* NULL when memory ran out or a table is not complete; jansson hands both on through every pack. */
static json_t *map_schema(const struct writer *w, const struct doc_schema *schema)
{
    json_t *properties = json_object(), *required = json_array(), *map;

    for (size_t i = 0; i < schema->n; i++) {
        const struct doc_field *f = &schema->fields[i];

        if (json_object_set_new(properties, f->key, field_of(w, f)) < 0 ||
            (f->alias && json_object_set_new(properties, f->alias, field_of(w, f)) < 0) ||
            (f->required && json_array_append_new(required, json_string(f->key)) < 0)) {
            json_decref(properties);
            json_decref(required);
            return NULL;
        }
    }
    map = json_pack("{s:s, s:o, s:b}", "type", "object", "properties", properties, "additionalProperties", 0);
    if (map && json_array_size(required) > 0)
        whole_set(&map, "required", json_incref(required));
    json_decref(required);
    if (map && schema->one_of)
        whole_set(&map, "oneOf", one_of(schema->one_of));
    return map;
}

static const char *untranslated(const char *message)
{
    return message;
}

int policy_schema(const char *(*translate)(const char *message), json_t **ret)
{
    const struct writer w = {.translate = translate ? translate : untranslated, .definitions = json_object()};
    json_t *schema = map_schema(&w, &load_policy_schema);

    if (schema && json_object_set(schema, "definitions", w.definitions) == 0 &&
        json_object_set_new(schema, "$schema", json_string("http://json-schema.org/draft-07/schema#")) == 0 &&
        json_object_set_new(schema, "title", json_string("kuraban-policy/1")) == 0) {
        json_decref(w.definitions);
        *ret = schema;
        return 0;
    }
    json_decref(schema);
    json_decref(w.definitions);
    return -EINVAL;
}
