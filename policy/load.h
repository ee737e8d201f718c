#pragma once

#include "policy/doc.h"
#include "policy/policy.h"

/* What the parts of the loader share; for policy/load*.c only. */

extern const struct doc_schema load_policy_schema, load_usb_rule_schema, load_media_schema, load_store_schema;
extern const struct doc_schema load_who_schema, load_when_schema;
extern const struct doc_choice load_operators[];

/* Handlers of fields that several sections have; targets are the struct in the name. */
int load_id(struct doc *d, const struct yaml_node_s *node, const struct doc_field *f, void *target); /* char * */
int load_set(struct doc *d, const struct yaml_node_s *node, const struct doc_field *f,
             void *target); /* policy_strings */
int load_interfaces(struct doc *d, const struct yaml_node_s *node, const struct doc_field *f, void *target);
int load_usb_ids(struct doc *d, const struct yaml_node_s *node, const struct doc_field *f, void *target);
int load_days(struct doc *d, const struct yaml_node_s *node, const struct doc_field *f, void *target);   /* uint8_t */
int load_minute(struct doc *d, const struct yaml_node_s *node, const struct doc_field *f, void *target); /* int16_t */
int load_digest(struct doc *d, const struct yaml_node_s *node, const struct doc_field *f,
                void *target); /* policy_program */
int load_path(struct doc *d, const struct yaml_node_s *node, const struct doc_field *f, void *target); /* char * */
int load_check_match(struct doc *d, const struct yaml_node_s *node, void *object); /* the end of a `match` */
void load_clear_string(void *target);
void load_clear_set(void *target);
void load_clear_interfaces(void *target);
void load_clear_usb_ids(void *target);

/* What the handlers take, for the generated schema. */
#define LOAD_PATTERN_DEVICE "^(\\*:\\*|[0-9a-fA-F]{4}:(\\*|[0-9a-fA-F]{4}))$"
#define LOAD_PATTERN_INTERFACE "^[0-9a-fA-F]{2}:(\\*:\\*|[0-9a-fA-F]{2}:(\\*|[0-9a-fA-F]{2}))$"

/* The keys every rule has. */
#define LOAD_RULE_FIELDS(type_)                                                                                        \
    {.key = "id",                                                                                                      \
     .type = DOC_CUSTOM,                                                                                               \
     .required = true,                                                                                                 \
     DOC_AT(type_, id),                                                                                                \
     .load = load_id,                                                                                                  \
     .shape = DOC_SHAPE_TEXT,                                                                                          \
     .constant = "^[A-Za-z0-9_][A-Za-z0-9_-]{0,63}$",                                                                  \
     .clear = load_clear_string,                                                                                       \
     .text = N_("unique name of the rule, written into every record")},                                                \
        {.key = "name", .type = DOC_STRING, DOC_AT(type_, name), .maximum = 256, .text = N_("shown to people")},       \
        {.key = "who",                                                                                                 \
         .type = DOC_MAP,                                                                                              \
         DOC_AT(type_, who),                                                                                           \
         .schema = &load_who_schema,                                                                                   \
         .text = N_("users and groups; nobody else")},                                                                 \
        {.key = "when",                                                                                                \
         .type = DOC_MAP,                                                                                              \
         DOC_AT(type_, when),                                                                                          \
         .schema = &load_when_schema,                                                                                  \
         .text = N_("days and hours; at no other time")},                                                              \
    {                                                                                                                  \
        .key = "monitor", .type = DOC_BOOL, DOC_AT(type_, monitor),                                                    \
        .text = N_("record what the rule would refuse, refuse nothing")                                                \
    }
#define LOAD_UNTIL_FIELD(type_)                                                                                        \
    {                                                                                                                  \
        .key = "until", .type = DOC_TIME_END, DOC_AT(type_, until_us), .text = N_("last day or moment it permits")     \
    }
