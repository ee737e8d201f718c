/* Owns: who signed which document of a bundle, and who is missing. Must not: say whether a terminal takes it. */
#include "cli/bundle_show.h"

#include <inttypes.h>
#include <jansson.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "cli/i18n.h"
#include "cli/trust_show.h"
#include "cli/value.h"
#include "json/whole.h"

static json_t *show(const char *kind, json_t *signatures, json_t *missing)
{
    return json_pack("{s:s, s:o, s:o}", "kind", kind, "signatures", signatures, "missing", missing);
}

static bool is_needed(const json_t *missing)
{
    return value_number(missing, "needed") > 0;
}

/* The threshold of the root before counts first; a root that is no newer has none before it here. */
static json_t *show_root(const struct trust_envelope *e, const struct trust_root *root, const struct trust_root *before)
{
    const struct trust_root *previous = before->version < root->version ? before : NULL;
    json_t *missing = trust_show_missing(e, TRUST_ROLE_ROOT, previous ? previous : root), *document;

    if (previous && !is_needed(missing)) {
        json_decref(missing);
        missing = trust_show_missing(e, TRUST_ROLE_ROOT, root);
    }
    document = show("root", trust_show_signatures(e, TRUST_ROLE_ROOT, root, previous), missing);
    whole_set(&document, "version", json_integer((json_int_t)root->version));
    return document;
}

json_t *bundle_show(const struct trust_bundle *b, const struct trust_root *own)
{
    struct trust_root *roots[TRUST_ROOTS_MAX] = {0};
    const struct trust_root *newest = own;
    json_t *array = json_array();

    for (size_t i = 0; i < b->n_roots; i++) {
        struct trust_complaint complaint = {.translate = i18n_translate};

        if (trust_root_parse(b->roots[i]->payload, b->roots[i]->size, &roots[i], &complaint) != 0)
            break;
        whole_add(&array, show_root(b->roots[i], roots[i], newest));
        newest = roots[i];
    }
    if (b->policy)
        whole_add(&array, show("policy", trust_show_signatures(b->policy, TRUST_ROLE_POLICY, newest, NULL),
                               trust_show_missing(b->policy, TRUST_ROLE_POLICY, newest)));
    if (b->head)
        whole_add(&array, show("head", trust_show_signatures(b->head, TRUST_ROLE_HEAD, newest, NULL),
                               trust_show_missing(b->head, TRUST_ROLE_HEAD, newest)));
    for (size_t i = 0; i < ELEMENTS(roots); i++)
        (void)trust_root_free(roots[i]);
    return array;
}

void bundle_text(struct cli *c, const json_t *documents)
{
    const json_t *d;
    size_t i;

    json_array_foreach(documents, i, d)
    {
        const char *kind = value_string(d, "kind");

        if (text_equal(kind, "root"))
            (void)fprintf(c->out, _("Root document, version %" PRIi64 ":"), value_number(d, "version"));
        else
            (void)fputs(text_equal(kind, "policy") ? _("Policy:") : _("Head:"), c->out);
        (void)fputc('\n', c->out);
        trust_text_signatures(c, json_object_get(d, "signatures"));
        trust_text_missing(c, json_object_get(d, "missing"), false);
    }
}
