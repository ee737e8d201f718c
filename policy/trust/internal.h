#pragma once

#include <jansson.h>

#include "base/buf.h"
#include "base/cleanup.h"
#include "policy/findings.h"
#include "policy/trust/trust.h"
#include "policy/trust/write.h"

/* What the parts of policy/trust share; for its own .c files only. */

DEFINE_CLEANUP(struct trust_envelope *, trust_envelope_free);
DEFINE_CLEANUP(struct trust_root *, trust_root_free);
DEFINE_CLEANUP(struct trust_head *, trust_head_free);
DEFINE_CLEANUP(struct trust_state *, trust_state_free);

static inline void trust_json_decrefp(json_t **j)
{
    json_decref(*j);
}
#define _cleanup_json_ _cleanup_(trust_json_decrefp)

/* Writes the complaint (NULL: none wanted) and returns the result. */
int trust_refuse(struct trust_complaint *c, enum trust_result result, const char *message, ...)
    __attribute__((format(printf, 3, 4)));

/* --- JSON, strictly: json_load.c, json.c --- */

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

/* --- Keys: key.c --- */

/* 1 good, 0 bad, −ENOMEM, −EIO. */
int trust_key_verify(const uint8_t public[static TRUST_PUBLIC_SIZE],
                     const uint8_t signature[static TRUST_SIGNATURE_SIZE], const uint8_t *message, size_t size);
/* The PEM of 32 public bytes, as `openssl pkey -pubin` writes it. */
int trust_key_to_pem(const uint8_t public[static TRUST_PUBLIC_SIZE], char **ret);

/* --- Envelopes: envelope.c --- */

int trust_envelope_from_json(const json_t *object, struct trust_envelope **ret, struct trust_complaint *complaint);
int trust_envelope_to_json(const struct trust_envelope *e, json_t **ret);
int trust_envelope_copy(const struct trust_envelope *e, struct trust_envelope **ret);
bool trust_envelope_same_payload(const struct trust_envelope *a, const struct trust_envelope *b);
/* The bytes that are signed: "DSSEv1 29 application/… 5 hello". */
int trust_envelope_pae(const struct trust_envelope *e, struct buf *b);

/* --- The root's rules: root.c --- */

int trust_root_check(const struct trust_root *root, struct trust_complaint *complaint);
int trust_head_check(const struct trust_head *head, struct trust_complaint *complaint);
/* Has the key (an index) the role? */
bool trust_root_has(const struct trust_root *root, enum trust_role role, size_t key);

/* --- The state: state.c --- */

struct trust_state {
    struct trust_envelope *root_envelope, *policy_envelope, *head_envelope;
    struct trust_envelope *policy_root_envelope; /* where the policy was accepted under another root than the current */
    /* What trust_state_judge() made of them: */
    struct trust_root *root, *policy_root;
    struct trust_head *head;
    uint64_t policy_version;
    struct digest policy_sha256;
    struct trust_votes policy_votes;
};
/* Reads and verifies everything in the envelopes of a state that has nothing else yet. policy: the loaded document, or NULL: load it. */
int trust_state_judge(struct trust_state *s, const struct policy *policy, struct trust_complaint *complaint);
/* A state with copies of the envelopes alone, not judged. */
int trust_state_copy(const struct trust_state *s, struct trust_state **ret);
