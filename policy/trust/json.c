/*
 * Owns: reading JSON so that there is one way to understand it: every key once, no unknown key, exact types, canonical base64.
 * Must not: know what a document means.
 */
#include <errno.h>
#include <inttypes.h>
#include <openssl/evp.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/text.h"
#include "json/whole.h"
#include "policy/trust/internal.h"

static bool field_known(const struct trust_json_field *fields, size_t n, const char *key)
{
    for (size_t i = 0; i < n; i++)
        if (strcmp(fields[i].key, key) == 0)
            return true;
    return false;
}

int trust_json_fields(const json_t *object, const char *what, const struct trust_json_field *fields, size_t n,
                      struct trust_complaint *complaint)
{
    const char *key;
    json_t *value;

    if (!json_is_object(object))
        return trust_refuse(complaint, TRUST_E_MALFORMED, N_("%s: not a JSON object"), what);
    json_object_foreach((json_t *)(uintptr_t)object, key, value)
    {
        if (!field_known(fields, n, key))
            return trust_refuse(complaint, TRUST_E_MALFORMED, N_("%s: unknown key '%s'"), what, key);
    }
    for (size_t i = 0; i < n; i++) {
        const json_t *v = json_object_get(object, fields[i].key);

        if (!v && !fields[i].optional)
            return trust_refuse(complaint, TRUST_E_MALFORMED, N_("%s: '%s' is missing"), what, fields[i].key);
        if (v && json_typeof(v) != fields[i].type)
            return trust_refuse(complaint, TRUST_E_MALFORMED, N_("%s: '%s' has the wrong type"), what, fields[i].key);
        *fields[i].target = v;
    }
    return TRUST_OK;
}

int trust_json_format(const json_t *text, const char *kind, struct trust_complaint *complaint)
{
    const char *format = json_string_value(text);
    size_t length = strlen(kind);
    uint64_t version;

    if (format && text_starts(format, kind) && format[length] == '/' && format[length + 1] != '0' &&
        text_to_u64(format + length + 1, UINT32_MAX, &version) == 0)
        return version == 1 ? TRUST_OK
                            : trust_refuse(complaint, TRUST_E_FORMAT, N_("%s; this version reads %s/1"), format, kind);
    return trust_refuse(complaint, TRUST_E_MALFORMED, N_("'format' must be %s/1"), kind);
}

int trust_json_name(const json_t *text, const char *what, char **ret, struct trust_complaint *complaint)
{
    const char *s = json_string_value(text);
    char *copy;

    if (!s || !*s || strlen(s) > TRUST_NAME_MAX || !text_is_printable_utf8(s))
        return trust_refuse(complaint, TRUST_E_MALFORMED, N_("%s: must be 1 to %d bytes of printable text"), what,
                            TRUST_NAME_MAX);
    copy = strdup(s);
    if (!copy)
        return -ENOMEM;
    *ret = copy;
    return TRUST_OK;
}

int trust_json_version(const json_t *number, const char *what, uint64_t *ret, struct trust_complaint *complaint)
{
    json_int_t v = json_integer_value(number);

    if (!json_is_integer(number) || v < 1 || (uint64_t)v > TRUST_VERSION_MAX)
        return trust_refuse(complaint, TRUST_E_MALFORMED, N_("%s: must be a number from 1 to %" PRIu64), what,
                            TRUST_VERSION_MAX);
    *ret = (uint64_t)v;
    return TRUST_OK;
}

int trust_json_time(const json_t *text, const char *what, int64_t *ret, struct trust_complaint *complaint)
{
    const char *s = json_string_value(text);
    char again[CLOCK_RFC3339_SIZE];
    int64_t us;

    /* One spelling only (so no second 60), and none that depends on where the reader lives. */
    if (s && strlen(s) == strlen("2027-03-31T15:00:00Z") && s[19] == 'Z' && clock_parse_rfc3339(s, &us) == 0) {
        clock_format_rfc3339(us, again);
        if (strncmp(again, s, 19) == 0) {
            *ret = us;
            return TRUST_OK;
        }
    }
    return trust_refuse(complaint, TRUST_E_MALFORMED, N_("%s: must be a time like 2027-03-31T15:00:00Z"), what);
}

int trust_json_digest(const json_t *text, const char *what, struct digest *ret, struct trust_complaint *complaint)
{
    const char *s = json_string_value(text);
    char again[DIGEST_HEX_SIZE];
    struct digest d;

    if (s && digest_from_hex(s, &d) == 0) {
        digest_to_hex(&d, again);
        if (strcmp(again, s) == 0) {
            *ret = d;
            return TRUST_OK;
        }
    }
    return trust_refuse(complaint, TRUST_E_MALFORMED, N_("%s: must be 64 lower-case hexadecimal digits"), what);
}

json_t *trust_json_from_time(int64_t us)
{
    char text[CLOCK_RFC3339_SIZE], *dot;

    clock_format_rfc3339(us, text);
    dot = strchr(text, '.');
    if (!dot)
        return NULL;
    memcpy(dot, "Z", 2);
    return json_string(text);
}

json_t *trust_json_from_digest(const struct digest *d)
{
    char hex[DIGEST_HEX_SIZE];

    digest_to_hex(d, hex);
    return json_string(hex);
}

int trust_json_set(json_t *object, const char *key, json_t *value)
{
    return json_object_set_new(object, key, value) < 0 ? -ENOMEM : 0;
}

int trust_json_write(const json_t *j, uint8_t **ret, size_t *ret_size)
{
    _cleanup_free_ char *text = NULL;
    uint8_t *line;
    size_t size;

    if (whole_text(j, JSON_INDENT(2), &text) < 0)
        return -ENOMEM;
    size = strlen(text);
    line = malloc(size + 2);
    if (!line)
        return -ENOMEM;
    memcpy(line, text, size);
    memcpy(line + size, "\n", 2);
    *ret = line;
    *ret_size = size + 1;
    return 0;
}

/* The base64 of bytes, NUL-terminated; NULL on ENOMEM. */
static char *encode(const uint8_t *bytes, size_t size)
{
    char *text = malloc((size + 2) / 3 * 4 + 1);

    if (text) {
        text[0] = '\0'; /* nothing is written for no bytes */
        (void)EVP_EncodeBlock((unsigned char *)text, bytes, (int)size);
    }
    return text;
}

json_t *trust_base64_encode(const uint8_t *bytes, size_t size)
{
    _cleanup_free_ char *text = encode(bytes, size);

    return text ? json_string(text) : NULL;
}

int trust_base64_decode(const char *text, size_t length, size_t maximum, uint8_t **ret, size_t *ret_size,
                        struct trust_complaint *complaint)
{
    _cleanup_free_ uint8_t *bytes = NULL;
    _cleanup_free_ char *again = NULL;
    size_t size, padding = 0;
    int n;

    if (length > (maximum + 2) / 3 * 4)
        return trust_refuse(complaint, TRUST_E_TOO_LONG, N_("more than %zu bytes in base64"), maximum);
    if (length % 4 != 0)
        return trust_refuse(complaint, TRUST_E_MALFORMED, N_("not base64"));
    bytes = malloc(length / 4 * 3 + 1);
    if (!bytes)
        return -ENOMEM;
    n = length == 0 ? 0 : EVP_DecodeBlock(bytes, (const unsigned char *)text, (int)length);
    while (padding < 2 && padding < length && text[length - 1 - padding] == '=')
        padding++;
    if (n < 0 || (size_t)n < padding)
        return trust_refuse(complaint, TRUST_E_MALFORMED, N_("not base64"));
    size = (size_t)n - padding;
    /* EVP_DecodeBlock() is lenient about white space and unused bits; two texts for the same bytes are one too many. */
    again = encode(bytes, size);
    if (!again)
        return -ENOMEM;
    if (strlen(again) != length || memcmp(again, text, length) != 0)
        return trust_refuse(complaint, TRUST_E_MALFORMED, N_("not base64 in its one canonical form"));
    if (size > maximum)
        return trust_refuse(complaint, TRUST_E_TOO_LONG, N_("more than %zu bytes in base64"), maximum);
    *ret = TAKE_PTR(bytes);
    *ret_size = size;
    return TRUST_OK;
}
