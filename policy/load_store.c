/*
 * Owns: the section `stores`: where resident data lives and which programs may open it.
 * Must not: look at the file system: a policy is checked on machines that have neither store nor program.
 */
#include <stdlib.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "policy/load.h"

static int begin_program(struct doc *d, const struct yaml_node_s *node, void *object)
{
    (void)d;
    ((struct policy_program *)object)->at = doc_position(node);
    return 0;
}

static const struct doc_field program_fields[] = {
    {.key = "path",
     .type = DOC_CUSTOM,
     .required = true,
     DOC_AT(struct policy_program, path),
     .load = load_path,
     .shape = DOC_SHAPE_TEXT,
     .constant = "^/",
     .clear = load_clear_string,
     .text = N_("the program's own file, not a script or a link")},
    {.key = "sha256",
     .type = DOC_CUSTOM,
     .load = load_digest,
     .shape = DOC_SHAPE_TEXT,
     .constant = "^[0-9a-fA-F]{64}$",
     .text = N_("of the program's file; with any other content it is refused")},
};
static const struct doc_schema program_schema = {
    .what = N_("a program"), .fields = program_fields, .n = ELEMENTS(program_fields), .begin = begin_program};

static int begin_store(struct doc *d, const struct yaml_node_s *node, void *object)
{
    (void)d;
    ((struct policy_store *)object)->at = doc_position(node);
    return 0;
}

/* 自治体機密性, the classes of the ministry's guideline. */
const struct doc_choice load_store_classes[] = {{"3A", 0}, {"3B", 0}, {"3C", 0}, {"2", 0}, {"1", 0}, {NULL, 0}};

static int load_class(struct doc *d, const struct yaml_node_s *node, const struct doc_field *f, void *target)
{
    int ignored, r = doc_get_choice(d, node, f->choices, &ignored);

    if (r != 0)
        return r < 0 ? r : 0;
    load_clear_string(target);
    r = doc_get_string(d, node, 8, target);
    return r < 0 ? r : 0;
}

static const struct doc_field store_fields[] = {
    LOAD_RULE_FIELDS(struct policy_store),
    {.key = "path",
     .type = DOC_CUSTOM,
     .required = true,
     DOC_AT(struct policy_store, path),
     .load = load_path,
     .shape = DOC_SHAPE_TEXT,
     .constant = "^/",
     .clear = load_clear_string,
     .text = N_("directory; everything below it is protected")},
    {.key = "class",
     .type = DOC_CUSTOM,
     DOC_AT(struct policy_store, class_),
     .load = load_class,
     .shape = DOC_SHAPE_TEXT,
     .clear = load_clear_string,
     .choices = load_store_classes,
     .text = N_("confidentiality: 3A, 3B, 3C, 2, 1")},
    {.key = "programs",
     .type = DOC_LIST,
     DOC_AT(struct policy_store, programs),
     DOC_COUNT_AT(struct policy_store, n_programs),
     .element = sizeof(struct policy_program),
     .maximum = 1024,
     .schema = &program_schema,
     .text = N_("the only ones that may open files of the store")},
};
const struct doc_schema load_store_schema = {
    .what = N_("a store"), .fields = store_fields, .n = ELEMENTS(store_fields), .begin = begin_store};
