/*
 * Owns: kuraban-centre/1, from bytes and back. Must not: open a file, or believe an address that is not the broker's over TLS.
 */
#include "courier/centre.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "policy/trust/json.h"

#define FORMAT "kuraban-centre"
#define JWT_LETTERS "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_."
#define PEM_BEGIN "-----BEGIN CERTIFICATE-----\n"
#define PEM_END "-----END CERTIFICATE-----\n"

void centre_done(struct centre *c)
{
    for (size_t i = 0; i < c->n_urls; i++)
        free(c->urls[i]);
    free(c->jwt);
    free(c->ca);
    free(c->hub);
    *c = (struct centre){0};
}

static int take(const json_t *text, char **ret)
{
    *ret = strdup(json_string_value(text));
    return *ret ? TRUST_OK : -ENOMEM;
}

/* "tls://NAME:PORT" or "https://NAME:PORT": nothing behind it, no user in it. */
static int take_url(const json_t *text, const char *scheme, char **ret, struct trust_complaint *complaint)
{
    const char *url = json_string_value(text), *rest, *port;
    uint64_t number;

    if (!url || strlen(url) > CENTRE_URL_MAX || !text_starts(url, scheme))
        return trust_refuse(complaint, TRUST_E_MALFORMED, N_("an address must begin with '%s'"), scheme);
    rest = url + strlen(scheme);
    port = strrchr(rest, ':');
    if (!port || port == rest || strspn(rest, JWT_LETTERS "[]:") != strlen(rest) ||
        text_to_u64(port + 1, UINT16_MAX, &number) < 0 || number == 0)
        return trust_refuse(complaint, TRUST_E_MALFORMED, N_("'%s…' must be followed by a name and a port"), scheme);
    return take(text, ret);
}

static int take_urls(const json_t *array, struct centre *c, struct trust_complaint *complaint)
{
    size_t n = json_array_size(array);
    int r = TRUST_OK;

    if (n < 1 || n > CENTRE_URLS_MAX)
        return trust_refuse(complaint, TRUST_E_MALFORMED, N_("%s: must be 1 to %d addresses"), "urls",
                            (int)CENTRE_URLS_MAX);
    for (size_t i = 0; r == TRUST_OK && i < n; i++) {
        r = take_url(json_array_get(array, i), "tls://", &c->urls[i], complaint);
        c->n_urls += r == TRUST_OK;
    }
    return r;
}

static int take_jwt(const json_t *text, struct centre *c, struct trust_complaint *complaint)
{
    const char *jwt = json_string_value(text);
    size_t n = strlen(jwt);

    if (n == 0 || n > CENTRE_JWT_MAX || strspn(jwt, JWT_LETTERS) != n)
        return trust_refuse(complaint, TRUST_E_MALFORMED, N_("%s: is no JWT"), "jwt");
    return take(text, &c->jwt);
}

/* The frame alone: what is inside, OpenSSL reads when it connects. */
static int take_ca(const json_t *text, struct centre *c, struct trust_complaint *complaint)
{
    const char *pem = json_string_value(text);
    size_t n = strlen(pem), end = strlen(PEM_END);

    if (!text_starts(pem, PEM_BEGIN) || n < strlen(PEM_BEGIN) + end || strcmp(pem + n - end, PEM_END) != 0)
        return trust_refuse(complaint, TRUST_E_MALFORMED, N_("%s: must be a certificate in PEM"), "ca");
    return take(text, &c->ca);
}

static int take_all(const json_t *j, struct centre *c, struct trust_complaint *complaint)
{
    const json_t *format, *urls, *jwt, *ca, *hub, *pin;
    const struct trust_json_field fields[] = {
        {"format", JSON_STRING, false, &format}, {"urls", JSON_ARRAY, false, &urls}, {"jwt", JSON_STRING, false, &jwt},
        {"ca", JSON_STRING, false, &ca},         {"hub", JSON_STRING, false, &hub},  {"pin", JSON_STRING, false, &pin}};
    int r = trust_json_format(json_object_get(j, "format"), FORMAT, complaint);

    if (r == TRUST_OK)
        r = trust_json_fields(j, "centre", fields, ELEMENTS(fields), complaint);
    if (r == TRUST_OK)
        r = take_urls(urls, c, complaint);
    if (r == TRUST_OK)
        r = take_jwt(jwt, c, complaint);
    if (r == TRUST_OK)
        r = take_ca(ca, c, complaint);
    if (r == TRUST_OK)
        r = take_url(hub, "https://", &c->hub, complaint);
    return r == TRUST_OK ? trust_json_digest(pin, "pin", &c->pin, complaint) : r;
}

int centre_parse(const uint8_t *bytes, size_t size, struct centre *ret, struct trust_complaint *complaint)
{
    _cleanup_(centre_done) struct centre c = {0};
    _cleanup_json_ json_t *j = NULL;
    int r = trust_json_load(bytes, size, CENTRE_FILE_MAX, "centre", &j, complaint);

    if (r == TRUST_OK)
        r = take_all(j, &c, complaint);
    if (r != TRUST_OK)
        return r;
    *ret = c;
    c = (struct centre){0};
    return TRUST_OK;
}

static json_t *from_urls(const struct centre *c)
{
    json_t *array = json_array();

    for (size_t i = 0; array && i < c->n_urls; i++)
        if (json_array_append_new(array, json_string(c->urls[i])) < 0) {
            json_decref(array);
            return NULL;
        }
    return array;
}

int centre_format(const struct centre *c, uint8_t **ret, size_t *ret_size, struct trust_complaint *complaint)
{
    _cleanup_(centre_done) struct centre again = {0};
    _cleanup_json_ json_t *j = json_object();
    _cleanup_free_ uint8_t *bytes = NULL;
    size_t size = 0;
    int r;

    if (!j || trust_json_set(j, "format", json_string(FORMAT "/1")) < 0 ||
        trust_json_set(j, "urls", from_urls(c)) < 0 || trust_json_set(j, "jwt", json_string(c->jwt)) < 0 ||
        trust_json_set(j, "ca", json_string(c->ca)) < 0 || trust_json_set(j, "hub", json_string(c->hub)) < 0 ||
        trust_json_set(j, "pin", trust_json_from_digest(&c->pin)) < 0)
        return -ENOMEM;
    r = trust_json_write(j, &bytes, &size);
    if (r == 0)
        r = centre_parse(bytes, size, &again, complaint);
    if (r != TRUST_OK)
        return r;
    *ret = TAKE_PTR(bytes);
    *ret_size = size;
    return TRUST_OK;
}
