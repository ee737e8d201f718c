#pragma once

#include <jansson.h>

#include "base/cleanup.h"
#include "policy/findings.h"
#include "policy/trust/trust.h"

/*
 * Signed JSON, understood in one way only: every key once, no unknown key, exact types, one spelling of times, digests and base64. For the
 * .c files of policy/trust, of policy/fleet and of what keeps such documents. Results are enum trust_result; -ENOMEM is fatal. json_load.c, json.c.
 */

static inline void trust_json_decrefp(json_t **j)
{
    json_decref(*j);
}
#define _cleanup_json_ _cleanup_(trust_json_decrefp)

/* Writes the complaint (NULL: none wanted) and returns the result. */
int trust_refuse(struct trust_complaint *c, enum trust_result result, const char *message, ...)
    __attribute__((format(printf, 3, 4)));

/* One object of at most maximum bytes, duplicates refused. what: for the complaint. */
int trust_json_load(const uint8_t *bytes, size_t size, size_t maximum, const char *what, json_t **ret,
                    struct trust_complaint *complaint);
/* The keys an object may have; every other one is refused. */
struct trust_json_field {
    const char *key;
    json_type type;
    bool optional;
    const json_t **target; /* borrowed; NULL when it is not there */
};
int trust_json_fields(const json_t *object, const char *what, const struct trust_json_field *fields, size_t n,
                      struct trust_complaint *complaint);
/* kind "kuraban-root", version 1: "kuraban-root/1" is TRUST_OK, "kuraban-root/7" TRUST_E_FORMAT, anything else malformed. */
int trust_json_format(const json_t *text, const char *kind, struct trust_complaint *complaint);
/* Printable UTF-8, 1…TRUST_NAME_MAX bytes. */
int trust_json_name(const json_t *text, const char *what, char **ret, struct trust_complaint *complaint);
int trust_json_version(const json_t *number, const char *what, uint64_t *ret, struct trust_complaint *complaint);
/* "2027-03-31T15:00:00Z" and nothing else. */
int trust_json_time(const json_t *text, const char *what, int64_t *ret, struct trust_complaint *complaint);
/* 64 lower case hex digits. */
int trust_json_digest(const json_t *text, const char *what, struct digest *ret, struct trust_complaint *complaint);
json_t *trust_json_from_time(int64_t us);
json_t *trust_json_from_digest(const struct digest *d);
/* Sets a key to a new value, which it takes; -ENOMEM. A NULL value is a failed allocation. */
int trust_json_set(json_t *object, const char *key, json_t *value);
/* The text of a document, pretty, with a newline at its end; the buffer has a NUL past its size. Takes nothing. */
int trust_json_write(const json_t *j, uint8_t **ret, size_t *ret_size);
/* RFC 4648 with padding, canonical, no white space. TRUST_E_TOO_LONG past maximum bytes. */
int trust_base64_decode(const char *text, size_t length, size_t maximum, uint8_t **ret, size_t *ret_size,
                        struct trust_complaint *complaint);
json_t *trust_base64_encode(const uint8_t *bytes, size_t size);
