/*
 * Owns: the form of what terminals send.
 * Must not: judge it; nothing is verified here.
 */
#include "hub/enrol/request.h"

#include <errno.h>
#include <openssl/crypto.h>
#include <stdlib.h>
#include <string.h>

#include "policy/trust/json.h"

/* jansson frees its copy of a secret as it is. */
static void wipe(const json_t *text)
{
    if (text)
        OPENSSL_cleanse((char *)json_string_value(text), json_string_length(text));
}

static int take_token(const json_t *text, struct enrol_request *ret, struct trust_complaint *complaint)
{
    size_t length = json_string_length(text);

    if (length == 0 || length > ENROL_TOKEN_MAX || strlen(json_string_value(text)) != length)
        return trust_refuse(complaint, TRUST_E_MALFORMED, N_("%s: not what it must be"), "token");
    memcpy(ret->token, json_string_value(text), length + 1);
    return TRUST_OK;
}

int enrol_request_parse(const uint8_t *body, size_t size, struct enrol_request *ret, struct trust_complaint *complaint)
{
    _cleanup_json_ json_t *j = NULL;
    const json_t *token = NULL, *enrolment = NULL;
    const struct trust_json_field fields[] = {
        {.key = "token", .type = JSON_STRING, .target = &token},
        {.key = "enrolment", .type = JSON_OBJECT, .target = &enrolment},
    };
    struct enrol_request q = {0};
    int r = trust_json_load(body, size, ENROL_BODY_MAX, "request", &j, complaint);

    if (r == TRUST_OK)
        r = trust_json_fields(j, "request", fields, ELEMENTS(fields), complaint);
    if (r == TRUST_OK)
        r = take_token(token, &q, complaint);
    if (r == TRUST_OK)
        r = trust_json_write(enrolment, &q.envelope, &q.size);
    if (r == TRUST_OK)
        *ret = q;
    else
        enrol_request_done(&q);
    wipe(json_is_string(json_object_get(j, "token")) ? json_object_get(j, "token") : NULL);
    return r;
}

void enrol_request_done(struct enrol_request *q)
{
    OPENSSL_cleanse(q->token, sizeof(q->token));
    free(q->envelope);
    *q = (struct enrol_request){0};
}
