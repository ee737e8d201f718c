/*
 * Owns: writing YAML through libyaml's emitter. Must not: know what a policy is.
 */
#include "policy/emit.h"

#include <errno.h>
#include <string.h>

#include "base/text.h"

static int checked(struct emit *e, int node)
{
    e->failed |= node == 0;
    return node;
}

static int scalar(struct emit *e, const char *text, yaml_scalar_style_t style)
{
    return checked(e,
                   yaml_document_add_scalar(&e->document, NULL, (const yaml_char_t *)text, (int)strlen(text), style));
}

int emit_begin(struct emit *e)
{
    *e = (struct emit){0};
    return yaml_document_initialize(&e->document, NULL, NULL, NULL, 1, 1) ? 0 : -ENOMEM;
}

int emit_mapping(struct emit *e, yaml_mapping_style_t style)
{
    return checked(e, yaml_document_add_mapping(&e->document, NULL, style));
}

int emit_sequence(struct emit *e, yaml_sequence_style_t style)
{
    return checked(e, yaml_document_add_sequence(&e->document, NULL, style));
}

int emit_text(struct emit *e, const char *text)
{
    return scalar(e, text, YAML_DOUBLE_QUOTED_SCALAR_STYLE);
}

void emit_append(struct emit *e, int list, int item)
{
    if (!e->failed)
        e->failed = !yaml_document_append_sequence_item(&e->document, list, item);
}

void emit_put(struct emit *e, int map, const char *key, int value)
{
    int name = scalar(e, key, YAML_PLAIN_SCALAR_STYLE);

    if (!e->failed)
        e->failed = !yaml_document_append_mapping_pair(&e->document, map, name, value);
}

void emit_put_text(struct emit *e, int map, const char *key, const char *text)
{
    emit_put(e, map, key, emit_text(e, text));
}

void emit_put_plain(struct emit *e, int map, const char *key, const char *text)
{
    emit_put(e, map, key, scalar(e, text, YAML_PLAIN_SCALAR_STYLE));
}

static int write_chunk(void *context, unsigned char *bytes, size_t size)
{
    return buf_add(context, bytes, size) == 0;
}

void emit_drop(struct emit *e)
{
    yaml_document_delete(&e->document);
}

int emit_finish(struct emit *e, struct buf *out)
{
    yaml_emitter_t emitter;
    int r = -ENOBUFS;

    if (e->failed || !yaml_emitter_initialize(&emitter)) {
        emit_drop(e);
        return -ENOMEM;
    }
    yaml_emitter_set_output(&emitter, write_chunk, out);
    yaml_emitter_set_unicode(&emitter, 1);
    yaml_emitter_set_width(&emitter, -1);
    if (yaml_emitter_open(&emitter))
        r = yaml_emitter_dump(&emitter, &e->document) && yaml_emitter_close(&emitter) ? 0 : -ENOBUFS;
    else
        emit_drop(e);
    yaml_emitter_delete(&emitter);
    return r;
}

bool emit_is_usable(const char *text, size_t maximum)
{
    return text && *text && strlen(text) <= maximum && text_is_printable_utf8(text);
}
