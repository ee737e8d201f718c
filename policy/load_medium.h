#pragma once

#include "policy/load.h"

/* What a medium must be; for policy/load*.c only. */
extern const struct doc_schema load_usb_medium_schema;

extern const char *const load_verdict_keys[];
int load_refuse(struct doc *d, const struct yaml_node_s *node, const struct doc_field *f, void *target);
/* A refusing rule must not have this key. */
void load_check_refusal(struct doc *d, const struct yaml_node_s *node, const char *key);
/* Exactly one of allow and refuse. */
void load_check_verdict(struct doc *d, const struct yaml_node_s *node, const char *id);
