#pragma once

#include "policy/doc.h"
#include "policy/policy.h"

/* What the parts of the loader share; for policy/load*.c only. */

extern const struct doc_schema load_policy_schema, load_usb_rule_schema, load_media_schema, load_store_schema;
extern const struct doc_schema load_export_rule_schema, load_mfa_schema, load_unlock_schema;
extern const struct doc_schema load_who_schema, load_when_schema;
extern const struct doc_choice load_operators[], load_store_classes[];
extern const struct doc_choice load_factor_choices[], load_login_factor_choices[], load_export_factor_choices[];

/* In `from` of an export rule: files that are in no store. */
#define LOAD_ELSEWHERE "elsewhere"
enum {
    LOAD_STORES_MAX = 256
};
/* Warns of names that mean nothing, where they stand; once the policy is indexed. */
void load_check_references(struct doc *d, const struct policy *p); /* warn_export.c */
void load_check_services(struct doc *d, const struct policy *p);   /* warn_mfa.c */

/* What the zone sets of the section `mfa`. */
void load_mfa_defaults(enum policy_zone zone, struct policy_mfa *ret);

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
int load_path(struct doc *d, const struct yaml_node_s *node, const struct doc_field *f, void *target);    /* char * */
int load_factors(struct doc *d, const struct yaml_node_s *node, const struct doc_field *f, void *target); /* uint8_t */
/* int64_t microseconds; field->minimum and maximum are seconds, with minimum 0 the word "0" as well. */
int load_duration(struct doc *d, const struct yaml_node_s *node, const struct doc_field *f, void *target);
void load_check_approvers(struct doc *d, const struct yaml_node_s *node, unsigned approvals);
int load_check_match(struct doc *d, const struct yaml_node_s *node, void *object); /* the end of a `match` */
void load_clear_string(void *target);
void load_clear_set(void *target);
void load_clear_interfaces(void *target);
void load_clear_usb_ids(void *target);

/* What the handlers take, for the generated schema. */
#define LOAD_PATTERN_DEVICE "^(\\*:\\*|[0-9a-fA-F]{4}:(\\*|[0-9a-fA-F]{4}))$"
#define LOAD_PATTERN_INTERFACE "^[0-9a-fA-F]{2}:(\\*:\\*|[0-9a-fA-F]{2}:(\\*|[0-9a-fA-F]{2}))$"

#define LOAD_PATTERN_DURATION "^[1-9][0-9]{0,5}[smhd]$"
#define LOAD_PATTERN_DURATION_OR_0 "^(0|[1-9][0-9]{0,5}[smhd])$"

#define LOAD_FACTORS_FIELD(type_, choices_, text_)                                                                     \
    {                                                                                                                  \
        .key = "factors", .type = DOC_CUSTOM, DOC_AT(type_, factors), .load = load_factors, .shape = DOC_SHAPE_TEXTS,  \
        .choices = choices_, .text = text_                                                                             \
    }
#define LOAD_APPROVAL_FIELDS(type_)                                                                                    \
    {.key = "approvals",                                                                                               \
     .type = DOC_UNSIGNED,                                                                                             \
     DOC_AT(type_, approvals),                                                                                         \
     .minimum = 0,                                                                                                     \
     .maximum = 3,                                                                                                     \
     .text = N_("so many other people approve with their own codes")},                                                 \
    {                                                                                                                  \
        .key = "approvers", .type = DOC_MAP, DOC_AT(type_, approvers), .schema = &load_who_schema,                     \
        .text = N_("users and groups who may approve; without it: anybody else")                                       \
    }
#define LOAD_UNLOCK_FIELD(type_)                                                                                       \
    {                                                                                                                  \
        .key = "unlock", .type = DOC_MAP, DOC_AT(type_, unlock), .schema = &load_unlock_schema,                        \
        .text = N_("locked until somebody unlocks it with a code")                                                     \
    }

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
