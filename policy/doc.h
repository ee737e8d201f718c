#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/findings.h"

/*
 * Reads a YAML document into a C struct by tables, and says where and how it differs from them. What YAML offers beyond
 * plain maps, lists and scalars is refused: several documents, anchors, aliases, tags, directives, duplicate keys. Used for
 * the policy and for kuraband's configuration.
 *
 *     static const struct doc_field fields[] = {
 *         {.key = "name", .type = DOC_STRING, .required = true, DOC_AT(struct thing, name), .text = N_("shown to people")},
 *         {.key = "exits", .type = DOC_STRINGS, DOC_AT(struct thing, exits), DOC_COUNT_AT(struct thing, n_exits)},
 *     };
 *     static const struct doc_schema schema = {.what = N_("a thing"), .fields = fields, .n = ELEMENTS(fields)};
 *
 *     r = doc_parse(bytes, size, &limits, findings, &doc);         0, DOC_E_INVALID or -errno
 *     r = doc_load(doc, doc_root(doc), &schema, &thing);           the same; thing holds its defaults before
 *     doc_clear(&schema, &thing);                                  frees all the tables know of
 */

enum {
    DOC_E_INVALID = 1, /* findings tell where */
    DOC_DEPTH_MAX = 16,
    DOC_NODES_MAX = 65536,
    DOC_CHOICE_LATER = -1, /* value of a choice that is known, but refused: not yet enforced by this version */
};

struct doc;
struct yaml_node_s;

struct doc_limits {
    size_t size;  /* bytes */
    size_t depth; /* nested maps and lists; 0 = DOC_DEPTH_MAX */
    size_t nodes; /* 0 = DOC_NODES_MAX */
};

/* findings must outlive the doc. */
int doc_parse(const uint8_t *bytes, size_t size, const struct doc_limits *limits, struct policy_findings *findings,
              struct doc **ret);
struct doc *doc_free(struct doc *d);
const struct yaml_node_s *doc_root(struct doc *d);

/* --- Tables --- */

enum doc_type {
    DOC_STRING = 1, /* char *: 1…maximum bytes (0: 1024), printable UTF-8 */
    DOC_FORMAT,     /* must be exactly .constant; looked at first, and nothing else when it is wrong; no target */
    DOC_BOOL,       /* bool: true or false */
    DOC_U64,        /* uint64_t: minimum…maximum (0: no limit) */
    DOC_UNSIGNED,   /* unsigned: the same */
    DOC_SIZE,       /* uint64_t bytes: "512", "100M", "64G" */
    DOC_ENUM,       /* any C enum: one of .choices */
    DOC_TIME,       /* int64_t wall clock in microseconds: RFC 3339, or a bare local date */
    DOC_TIME_END,   /* the same, but a bare date means the last microsecond of that local day */
    DOC_STRINGS,    /* char ** and size_t at .count: one string or a list of different ones */
    DOC_MAP,        /* a struct by .schema, embedded at .offset */
    DOC_LIST,       /* array of structs by .schema, pointer at .offset, size_t at .count, each of .element bytes */
    DOC_CUSTOM,     /* .load reads the node */
    DOC_LATER,      /* known, but refused: not yet enforced by this version */
};

/* What a value that .load reads looks like, for the generated JSON Schema. */
enum doc_shape {
    DOC_SHAPE_NONE = 0,
    DOC_SHAPE_TEXT,          /* text; one of .choices, or as the regular expression .constant demands */
    DOC_SHAPE_TEXTS,         /* one such text, or a list of them */
    DOC_SHAPE_SET,           /* the same, or a list under a set operator */
    DOC_SHAPE_TRUE,          /* true and nothing else */
    DOC_SHAPE_CHOICE_OR_MAP, /* one of .choices, or a map by .schema */
    DOC_SHAPE_MAP,           /* a map by .schema */
};

struct doc_choice {
    const char *name; /* NULL ends the table */
    int value;
};

struct doc_field {
    const char *key, *alias; /* alias: also accepted, not written by us */
    enum doc_type type;
    bool required;
    size_t offset, count, element;
    uint64_t minimum, maximum; /* numbers: the values; strings: bytes; lists: items */
    const char *constant;      /* DOC_FORMAT; DOC_CUSTOM: see .shape */
    enum doc_shape shape;      /* DOC_CUSTOM */
    const struct doc_choice *choices;
    const struct doc_schema *schema;
    /* target is object + offset. 0, or -errno for fatal ones; what is wrong with the node goes to doc_error(). */
    int (*load)(struct doc *d, const struct yaml_node_s *node, const struct doc_field *field, void *target);
    void (*clear)(void *target); /* frees what load made and zeroes */
    const char *text;            /* one line for the generated schema; N_() */
};

struct doc_schema {
    const char *what; /* "a USB rule"; N_() */
    const char *const
        *one_of; /* exactly one of these keys, NULL-terminated; .end sees to it, the generated schema says it */
    const struct doc_field *fields;
    size_t n;
    /* Before and after the fields of one object, each optional: defaults; what spans several keys. */
    int (*begin)(struct doc *d, const struct yaml_node_s *node, void *object);
    int (*end)(struct doc *d, const struct yaml_node_s *node, void *object);
    void (*clear)(void *object); /* optional: frees what others than the fields put into the object */
};

#define DOC_AT(type_, member) .offset = offsetof(type_, member)
#define DOC_COUNT_AT(type_, member) .count = offsetof(type_, member)

/* Reads a map into object. Errors do not stop it, so that all are told at once. */
int doc_load(struct doc *d, const struct yaml_node_s *node, const struct doc_schema *schema, void *object);
void doc_clear(const struct doc_schema *schema, void *object);

/* --- Access for handlers --- */

enum doc_kind {
    DOC_IS_SCALAR = 1,
    DOC_IS_LIST,
    DOC_IS_MAP
};

enum doc_kind doc_kind(const struct yaml_node_s *node);
/* Scalars: NUL-terminated; NULL for lists and maps. */
const char *doc_text(const struct yaml_node_s *node);
struct policy_position doc_position(const struct yaml_node_s *node);
/* Items of a list, pairs of a map; 0 for a scalar. */
size_t doc_count(const struct yaml_node_s *node);
const struct yaml_node_s *doc_item(struct doc *d, const struct yaml_node_s *node, size_t i);
const struct yaml_node_s *doc_key(struct doc *d, const struct yaml_node_s *node, size_t i);
const struct yaml_node_s *doc_value(struct doc *d, const struct yaml_node_s *node, size_t i);
/* The value of a key of a map, or NULL. */
const struct yaml_node_s *doc_find(struct doc *d, const struct yaml_node_s *node, const char *key);

/* Value readers, as the tables use them: 0 and the value, DOC_E_INVALID after telling, -ENOMEM. */
int doc_get_string(struct doc *d, const struct yaml_node_s *node, size_t maximum, char **ret);
int doc_get_choice(struct doc *d, const struct yaml_node_s *node, const struct doc_choice *choices, int *ret);
int doc_get_strings(struct doc *d, const struct yaml_node_s *node, size_t maximum, char ***ret, size_t *ret_n);

struct policy_findings *doc_findings(struct doc *d);
/* For loops over what the document holds: true when they may end early, and the document will not pass whatever was read of it. */
bool doc_stops(struct doc *d);
const char *doc_translate(const struct doc *d, const char *message) __attribute__((format_arg(2)));
void doc_error(struct doc *d, const struct yaml_node_s *node, const char *message, ...)
    __attribute__((format(printf, 3, 4)));
void doc_warning(struct doc *d, const struct yaml_node_s *node, const char *message, ...)
    __attribute__((format(printf, 3, 4)));
/* To the finding made last. */
void doc_hint(struct doc *d, const char *hint, ...) __attribute__((format(printf, 2, 3)));
/* "did you mean": to the finding made last, when one of the choices is near. */
void doc_hint_near(struct doc *d, const char *written, const struct doc_choice *choices);
