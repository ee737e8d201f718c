#pragma once

#include <stdbool.h>
#include <yaml.h>

#include "base/buf.h"

/*
 * A YAML document being built from strings of foreign making: libyaml's emitter writes them, nothing here escapes anything. libyaml
 * fails here for want of memory only; one flag remembers it, and emit_finish() tells. Nodes are numbers, 0 after a failure.
 */
struct emit {
    yaml_document_t document;
    bool failed;
};

int emit_begin(struct emit *e); /* 0 or -ENOMEM */
int emit_mapping(struct emit *e, yaml_mapping_style_t style);
int emit_sequence(struct emit *e, yaml_sequence_style_t style);
int emit_text(struct emit *e, const char *text); /* always quoted */
void emit_append(struct emit *e, int list, int item);
void emit_put(struct emit *e, int map, const char *key, int value);
void emit_put_text(struct emit *e, int map, const char *key, const char *text);
void emit_put_plain(struct emit *e, int map, const char *key, const char *text); /* text must be no YAML syntax */
/* Appends the document and takes it in every case. 0, -ENOBUFS or -ENOMEM. */
int emit_finish(struct emit *e, struct buf *out);
void emit_drop(struct emit *e);

/* May the loader read it back as text of at most maximum bytes? */
bool emit_is_usable(const char *text, size_t maximum);
