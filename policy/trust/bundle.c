/*
 * Owns: the bundle: roots, a policy and a head in one file; and what a file that may be one is taken for.
 * Must not: verify a signature.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "policy/trust/internal.h"

void trust_bundle_done(struct trust_bundle *b)
{
    for (size_t i = 0; i < b->n_roots; i++)
        trust_envelope_free(b->roots[i]);
    trust_envelope_free(b->policy);
    trust_envelope_free(b->head);
    *b = (struct trust_bundle){0};
}

static int read_part(const json_t *object, const char *type, struct trust_envelope **ret,
                     struct trust_complaint *complaint)
{
    _cleanup_(trust_envelope_freep) struct trust_envelope *e = NULL;
    int r = trust_envelope_from_json(object, &e, complaint);

    if (r != TRUST_OK)
        return r;
    if (strcmp(e->type, type) != 0)
        return trust_refuse(complaint, TRUST_E_PAYLOAD_TYPE, N_("%s where %s must be"), e->type, type);
    *ret = TAKE_PTR(e);
    return TRUST_OK;
}

static int read_bundle(const json_t *j, struct trust_bundle *b, struct trust_complaint *complaint)
{
    const json_t *format, *roots, *policy, *head;
    const struct trust_json_field fields[] = {{"format", JSON_STRING, false, &format},
                                              {"roots", JSON_ARRAY, true, &roots},
                                              {"policy", JSON_OBJECT, true, &policy},
                                              {"head", JSON_OBJECT, true, &head}};
    int r = trust_json_format(json_object_get(j, "format"), "kuraban-bundle", complaint);

    if (r == TRUST_OK)
        r = trust_json_fields(j, "bundle", fields, ELEMENTS(fields), complaint);
    if (r != TRUST_OK)
        return r;
    if (json_array_size(roots) > TRUST_ROOTS_MAX)
        return trust_refuse(complaint, TRUST_E_TOO_LONG, N_("more than %d root documents"), TRUST_ROOTS_MAX);
    if (json_array_size(roots) == 0 && !policy && !head)
        return trust_refuse(complaint, TRUST_E_MALFORMED, N_("the bundle is empty"));
    for (size_t i = 0; i < json_array_size(roots) && r == TRUST_OK; i++) {
        r = read_part(json_array_get(roots, i), TRUST_TYPE_ROOT, &b->roots[i], complaint);
        b->n_roots += r == TRUST_OK;
    }
    if (r == TRUST_OK && policy)
        r = read_part(policy, TRUST_TYPE_POLICY, &b->policy, complaint);
    if (r == TRUST_OK && head)
        r = read_part(head, TRUST_TYPE_HEAD, &b->head, complaint);
    return r;
}

static int read_bare(const json_t *j, struct trust_bundle *b, struct trust_complaint *complaint)
{
    _cleanup_(trust_envelope_freep) struct trust_envelope *e = NULL;
    int r = trust_envelope_from_json(j, &e, complaint);

    if (r != TRUST_OK)
        return r;
    /* By type, not by role: the role `head` signs more than heads. */
    if (strcmp(e->type, TRUST_TYPE_POLICY) == 0)
        b->policy = TAKE_PTR(e);
    else if (strcmp(e->type, TRUST_TYPE_HEAD) == 0)
        b->head = TAKE_PTR(e);
    else if (strcmp(e->type, TRUST_TYPE_ROOT) == 0)
        b->roots[b->n_roots++] = TAKE_PTR(e);
    else
        return trust_refuse(complaint, TRUST_E_PAYLOAD_TYPE, N_("%s: not what a terminal is ruled by"), e->type);
    return TRUST_OK;
}

/* Not an envelope and not a bundle, but a document that would have to be in one? YAML does not begin like our JSON does. */
static bool is_unsigned(const uint8_t *bytes, size_t size)
{
    size_t i = 0;

    while (i < size && isspace(bytes[i]))
        i++;
    return i < size && bytes[i] != '{' && bytes[i] != '[' && memmem(bytes, size, "kuraban-policy/", 15) != NULL;
}

/* The same documents in JSON, which is YAML as well. */
static bool is_unsigned_json(const json_t *j)
{
    static const char *const kinds[] = {"kuraban-policy/", "kuraban-root/", "kuraban-head/"};
    const char *format = json_string_value(json_object_get(j, "format"));

    for (size_t i = 0; format && i < ELEMENTS(kinds); i++)
        if (text_starts(format, kinds[i]))
            return true;
    return false;
}

int trust_bundle_parse(const uint8_t *bytes, size_t size, struct trust_bundle *ret, struct trust_complaint *complaint)
{
    _cleanup_(trust_bundle_done) struct trust_bundle b = {0};
    _cleanup_json_ json_t *j = NULL;
    int r;

    if (size <= TRUST_BUNDLE_MAX && is_unsigned(bytes, size))
        return trust_refuse(complaint, TRUST_E_UNSIGNED, "%s", "");
    r = trust_json_load(bytes, size, TRUST_BUNDLE_MAX, "bundle", &j, complaint);
    if (r != TRUST_OK)
        return r;
    if (is_unsigned_json(j))
        return trust_refuse(complaint, TRUST_E_UNSIGNED, "%s", "");
    if (json_object_get(j, "payloadType") && size > TRUST_ENVELOPE_MAX)
        return trust_refuse(complaint, TRUST_E_TOO_LONG, N_("%s: %zu bytes; at most %zu are read"), "envelope", size,
                            (size_t)TRUST_ENVELOPE_MAX);
    r = json_object_get(j, "payloadType") ? read_bare(j, &b, complaint) : read_bundle(j, &b, complaint);
    if (r != TRUST_OK)
        return r;
    *ret = b;
    b = (struct trust_bundle){0};
    return TRUST_OK;
}

static int add_part(json_t *j, const char *key, const struct trust_envelope *e)
{
    json_t *part = NULL;
    int r;

    if (!e)
        return 0;
    r = trust_envelope_to_json(e, &part);
    return r < 0 ? r : trust_json_set(j, key, part);
}

int trust_bundle_write(const struct trust_bundle *b, uint8_t **ret, size_t *ret_size)
{
    _cleanup_json_ json_t *j = json_object(), *roots = json_array();
    _cleanup_free_ uint8_t *bytes = NULL;
    size_t size;
    int r = 0;

    if (b->n_roots == 0 && !b->policy && !b->head)
        return -EINVAL;
    if (!j || !roots || trust_json_set(j, "format", json_string("kuraban-bundle/1")) < 0)
        return -ENOMEM;
    for (size_t i = 0; i < b->n_roots && r == 0; i++) {
        json_t *part = NULL;

        r = trust_envelope_to_json(b->roots[i], &part);
        if (r == 0 && json_array_append_new(roots, part) < 0)
            r = -ENOMEM;
    }
    if (r == 0 && b->n_roots > 0 && json_object_set(j, "roots", roots) < 0)
        r = -ENOMEM;
    if (r == 0)
        r = add_part(j, "policy", b->policy);
    if (r == 0)
        r = add_part(j, "head", b->head);
    if (r == 0)
        r = trust_json_write(j, &bytes, &size);
    if (r < 0)
        return r;
    if (size > TRUST_BUNDLE_MAX)
        return TRUST_E_TOO_LONG;
    *ret = TAKE_PTR(bytes);
    *ret_size = size;
    return TRUST_OK;
}
