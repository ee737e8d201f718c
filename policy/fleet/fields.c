/*
 * Owns: statements as JSON by a table of their keys: read strictly, written, dropped.
 * Must not: know what a statement means.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "policy/fleet/internal.h"

static const json_type types[FLEET_FIELD_KIND_COUNT_] = {
    [FLEET_FIELD_FORMAT] = JSON_STRING,  [FLEET_FIELD_TEXT] = JSON_STRING,   [FLEET_FIELD_TERMINAL] = JSON_STRING,
    [FLEET_FIELD_WIRE] = JSON_STRING,    [FLEET_FIELD_KEY] = JSON_STRING,    [FLEET_FIELD_TIME] = JSON_STRING,
    [FLEET_FIELD_NUMBER] = JSON_INTEGER, [FLEET_FIELD_DIGEST] = JSON_STRING, [FLEET_FIELD_ID128] = JSON_STRING,
    [FLEET_FIELD_CHOICE] = JSON_STRING,  [FLEET_FIELD_GROUPS] = JSON_ARRAY,  [FLEET_FIELD_OBJECT] = JSON_OBJECT,
};

static void *place(void *base, size_t at)
{
    return (uint8_t *)base + at;
}

static const void *const_place(const void *base, size_t at)
{
    return (const uint8_t *)base + at;
}

/* --- Reading --- */

static int read_terminal(const json_t *v, const char *key, char ret[static FLEET_ID_SIZE],
                         struct trust_complaint *complaint)
{
    if (!fleet_is_terminal_id(json_string_value(v), json_string_length(v)))
        return trust_refuse(complaint, TRUST_E_MALFORMED, N_("%s: must be a terminal's id"), key);
    memcpy(ret, json_string_value(v), FLEET_ID_SIZE);
    return TRUST_OK;
}

static int read_wire(const json_t *v, const char *key, char ret[static NKEY_PUBLIC_SIZE],
                     struct trust_complaint *complaint)
{
    uint8_t raw[NKEY_RAW_SIZE];

    if (json_string_length(v) != NKEY_PUBLIC_SIZE - 1 ||
        nkey_public_read(json_string_value(v), json_string_length(v), NKEY_USER, raw) < 0 || trust_key_is_weak(raw))
        return trust_refuse(complaint, TRUST_E_MALFORMED, N_("%s: must be a public key of a NATS user"), key);
    memcpy(ret, json_string_value(v), NKEY_PUBLIC_SIZE);
    return TRUST_OK;
}

static int read_key(const json_t *v, const char *key, uint8_t ret[static TRUST_PUBLIC_SIZE],
                    struct trust_complaint *complaint)
{
    int r = trust_key_read_public((const uint8_t *)json_string_value(v), json_string_length(v), ret);

    return r > 0 ? trust_refuse(complaint, TRUST_E_MALFORMED, N_("%s: must be an Ed25519 public key in PEM"), key) : r;
}

int fleet_id128_read(const char *text, uint8_t ret[static FLEET_ID128_SIZE])
{
    static const char digits[] = "0123456789abcdef";
    uint8_t id[FLEET_ID128_SIZE];

    if (strlen(text) != 2 * sizeof(id) || strspn(text, digits) != 2 * sizeof(id))
        return -EBADMSG;
    for (size_t i = 0; i < sizeof(id); i++)
        id[i] = (uint8_t)((strchr(digits, text[2 * i]) - digits) << 4 | (strchr(digits, text[2 * i + 1]) - digits));
    memcpy(ret, id, sizeof(id));
    return 0;
}

static int read_id128(const json_t *v, const char *key, uint8_t ret[static FLEET_ID128_SIZE],
                      struct trust_complaint *complaint)
{
    if (fleet_id128_read(json_string_value(v), ret) < 0)
        return trust_refuse(complaint, TRUST_E_MALFORMED, N_("%s: must be 32 lower-case hexadecimal digits"), key);
    return TRUST_OK;
}

static int read_choice(const json_t *v, const char *key, const char *const *choices, unsigned *ret,
                       struct trust_complaint *complaint)
{
    for (unsigned i = 0; choices[i]; i++)
        if (text_equal(choices[i], json_string_value(v))) {
            *ret = i + 1;
            return TRUST_OK;
        }
    return trust_refuse(complaint, TRUST_E_MALFORMED, N_("%s: '%s' is none that this version knows"), key,
                        json_string_value(v));
}

static int read_groups(const json_t *array, const char *key, struct fleet_groups *g, struct trust_complaint *complaint)
{
    size_t n = json_array_size(array);
    int r = TRUST_OK;

    if (n < 1 || n > FLEET_GROUPS_MAX)
        return trust_refuse(complaint, TRUST_E_MALFORMED, N_("%s: must be 1 to %d names"), key, FLEET_GROUPS_MAX);
    while (g->n < n && r == TRUST_OK) {
        r = trust_json_name(json_array_get(array, g->n), key, &g->names[g->n], complaint);
        if (r != TRUST_OK)
            return r;
        for (size_t i = 0; i < g->n && r == TRUST_OK; i++)
            if (strcmp(g->names[i], g->names[g->n]) == 0)
                r = trust_refuse(complaint, TRUST_E_MALFORMED, N_("%s: '%s' is there twice"), key, g->names[i]);
        g->n++;
    }
    return r;
}

static int read_object(const json_t *v, const struct fleet_field *f, void *base, struct trust_complaint *complaint)
{
    if (f->nullable)
        *(bool *)place(base, f->present) = true;
    return fleet_fields_read(v, f->key, f->fields, f->n, base, complaint);
}

static int read_value(const json_t *v, const struct fleet_field *f, void *base, struct trust_complaint *complaint)
{
    void *at = place(base, f->at);

    switch (f->kind) {
    case FLEET_FIELD_FORMAT:
        return trust_json_format(v, f->format, complaint);
    case FLEET_FIELD_TEXT:
        return trust_json_name(v, f->key, at, complaint);
    case FLEET_FIELD_TERMINAL:
        return read_terminal(v, f->key, at, complaint);
    case FLEET_FIELD_WIRE:
        return read_wire(v, f->key, at, complaint);
    case FLEET_FIELD_KEY:
        return read_key(v, f->key, at, complaint);
    case FLEET_FIELD_TIME:
        return trust_json_time(v, f->key, at, complaint);
    case FLEET_FIELD_NUMBER:
        return trust_json_version(v, f->key, at, complaint);
    case FLEET_FIELD_DIGEST:
        return trust_json_digest(v, f->key, at, complaint);
    case FLEET_FIELD_ID128:
        return read_id128(v, f->key, at, complaint);
    case FLEET_FIELD_CHOICE:
        return read_choice(v, f->key, f->choices, at, complaint);
    case FLEET_FIELD_GROUPS:
        return read_groups(v, f->key, at, complaint);
    case FLEET_FIELD_OBJECT:
        return read_object(v, f, base, complaint);
    case FLEET_FIELD_KIND_COUNT_:
    default:
        return TRUST_E_MALFORMED;
    }
}

int fleet_fields_read(const json_t *object, const char *what, const struct fleet_field *fields, size_t n, void *base,
                      struct trust_complaint *complaint)
{
    struct trust_json_field known[FLEET_FIELDS_MAX] = {0};
    const json_t *values[FLEET_FIELDS_MAX] = {0};
    int r;

    if (n > FLEET_FIELDS_MAX)
        return -EINVAL;
    for (size_t i = 0; i < n; i++) {
        bool null = fields[i].nullable && json_is_null(json_object_get(object, fields[i].key));

        known[i] =
            (struct trust_json_field){fields[i].key, null ? JSON_NULL : types[fields[i].kind], false, &values[i]};
    }
    r = trust_json_fields(object, what, known, n, complaint);
    for (size_t i = 0; i < n && r == TRUST_OK; i++)
        if (!json_is_null(values[i]))
            r = read_value(values[i], &fields[i], base, complaint);
    return r;
}

/* --- Writing --- */

static json_t *from_key(const uint8_t public[static TRUST_PUBLIC_SIZE])
{
    _cleanup_free_ char *pem = NULL;

    return trust_key_to_pem(public, &pem) == 0 ? json_string(pem) : NULL;
}

void fleet_id128_write(const uint8_t id[static FLEET_ID128_SIZE], char ret[static FLEET_ID128_HEX_SIZE])
{
    for (size_t i = 0; i < FLEET_ID128_SIZE; i++)
        (void)snprintf(ret + 2 * i, 3, "%02x", id[i]);
}

static json_t *from_id128(const uint8_t id[static FLEET_ID128_SIZE])
{
    char text[FLEET_ID128_HEX_SIZE];

    fleet_id128_write(id, text);
    return json_string(text);
}

static json_t *from_choice(const char *const *choices, unsigned chosen)
{
    for (unsigned i = 0; choices[i]; i++)
        if (chosen == i + 1)
            return json_string(choices[i]);
    return json_string(""); /* refused when it is read */
}

static json_t *from_format(const char *format)
{
    return json_sprintf("%s/1", format);
}

/* What JSON cannot hold is refused here; all else when what was written is read. */
static int fits(const char *text, const char *key, struct trust_complaint *complaint)
{
    return text && text_is_printable_utf8(text)
               ? TRUST_OK
               : trust_refuse(complaint, TRUST_E_MALFORMED, N_("%s: must be 1 to %d bytes of printable text"), key,
                              TRUST_NAME_MAX);
}

static int write_text(const char *text, const char *key, json_t *object, struct trust_complaint *complaint)
{
    int r = fits(text, key, complaint);

    return r == TRUST_OK ? trust_json_set(object, key, json_string(text)) : r;
}

static int write_groups(const struct fleet_groups *g, const char *key, json_t *object,
                        struct trust_complaint *complaint)
{
    _cleanup_json_ json_t *array = json_array();
    int r = array ? TRUST_OK : -ENOMEM;

    for (size_t i = 0; i < g->n && i < FLEET_GROUPS_MAX && r == TRUST_OK; i++) {
        r = fits(g->names[i], key, complaint);
        if (r == TRUST_OK && json_array_append_new(array, json_string(g->names[i])) < 0)
            r = -ENOMEM;
    }
    if (r == TRUST_OK && json_object_set(object, key, array) < 0)
        r = -ENOMEM;
    return r;
}

static int write_object(const struct fleet_field *f, const void *base, json_t *object,
                        struct trust_complaint *complaint)
{
    _cleanup_json_ json_t *inner = json_object();
    int r = inner ? fleet_fields_write(f->fields, f->n, base, inner, complaint) : -ENOMEM;

    if (r == TRUST_OK && json_object_set(object, f->key, inner) < 0)
        r = -ENOMEM;
    return r;
}

/* Is there nothing, where there may be nothing? */
static bool is_null(const struct fleet_field *f, const void *base)
{
    const void *at = const_place(base, f->at);

    if (!f->nullable)
        return false;
    switch (f->kind) {
    case FLEET_FIELD_TEXT:
        return !*(char *const *)at;
    case FLEET_FIELD_NUMBER:
        return *(const uint64_t *)at == 0;
    case FLEET_FIELD_OBJECT:
        return !*(const bool *)const_place(base, f->present);
    default:
        return false;
    }
}

static int write_value(const struct fleet_field *f, const void *base, json_t *object, struct trust_complaint *complaint)
{
    const void *at = const_place(base, f->at);

    if (is_null(f, base))
        return trust_json_set(object, f->key, json_null());
    switch (f->kind) {
    case FLEET_FIELD_FORMAT:
        return trust_json_set(object, f->key, from_format(f->format));
    case FLEET_FIELD_TEXT:
        return write_text(*(char *const *)at, f->key, object, complaint);
    case FLEET_FIELD_TERMINAL:
    case FLEET_FIELD_WIRE:
        return write_text(at, f->key, object, complaint);
    case FLEET_FIELD_KEY:
        return trust_json_set(object, f->key, from_key(at));
    case FLEET_FIELD_TIME:
        return trust_json_set(object, f->key, trust_json_from_time(*(const int64_t *)at));
    case FLEET_FIELD_NUMBER:
        return trust_json_set(object, f->key, json_integer((json_int_t) * (const uint64_t *)at));
    case FLEET_FIELD_DIGEST:
        return trust_json_set(object, f->key, trust_json_from_digest(at));
    case FLEET_FIELD_ID128:
        return trust_json_set(object, f->key, from_id128(at));
    case FLEET_FIELD_CHOICE:
        return trust_json_set(object, f->key, from_choice(f->choices, *(const unsigned *)at));
    case FLEET_FIELD_GROUPS:
        return write_groups(at, f->key, object, complaint);
    case FLEET_FIELD_OBJECT:
        return write_object(f, base, object, complaint);
    case FLEET_FIELD_KIND_COUNT_:
    default:
        return -EINVAL;
    }
}

int fleet_fields_write(const struct fleet_field *fields, size_t n, const void *base, json_t *object,
                       struct trust_complaint *complaint)
{
    int r = TRUST_OK;

    for (size_t i = 0; i < n && r == TRUST_OK; i++)
        r = write_value(&fields[i], base, object, complaint);
    return r;
}

void fleet_fields_drop(const struct fleet_field *fields, size_t n, void *base)
{
    for (size_t i = 0; i < n; i++) {
        if (fields[i].kind == FLEET_FIELD_TEXT) {
            char **text = place(base, fields[i].at);

            free(*text);
        } else if (fields[i].kind == FLEET_FIELD_GROUPS) {
            struct fleet_groups *g = place(base, fields[i].at);

            for (size_t j = 0; j < g->n; j++)
                free(g->names[j]);
        } else if (fields[i].kind == FLEET_FIELD_OBJECT) {
            fleet_fields_drop(fields[i].fields, fields[i].n, base);
        }
    }
}
