#pragma once

#include "policy/doc.h"

/* What is known and comes later. */
void doc_tell_later(struct doc *d, const struct yaml_node_s *node, const char *word);

/* Scalars and lists of strings, for doc.c only. */
int doc_load_scalar(struct doc *d, const struct yaml_node_s *node, const struct doc_field *f, void *target);
int doc_load_strings(struct doc *d, const struct yaml_node_s *node, const struct doc_field *f, void *object);
void doc_clear_string(void *target);
void doc_clear_strings(const struct doc_field *f, void *object);
