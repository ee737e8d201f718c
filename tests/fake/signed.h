#pragma once

#include <openssl/types.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/trust/write.h"

/*
 * Signed documents for tests. Keys come from fixed seeds and Ed25519 signatures are the same every time, so every run makes
 * the same bytes. Whatever goes wrong here aborts: a test that could not make its documents has not tested anything.
 */

/* 2027-01-15T08:00:00Z, the day of all tests here. */
#define SIGNED_NOW INT64_C(1800000000000000)
#define SIGNED_DAY (INT64_C(24) * 60 * 60 * 1000000)
#define SIGNED_ORGANIZATION "matsudo.example"

enum {
    SIGNED_KEYS = 16
};
/* Borrowed; the same key for the same i. */
EVP_PKEY *signed_key(unsigned i);
void signed_public(unsigned i, uint8_t ret[static TRUST_PUBLIC_SIZE]);

/* Which keys: bit i is signed_key(i). */
#define KEY(i) (1U << (i))

struct signed_root {
    const char *organization;
    uint64_t version;
    int64_t expires_us;
    unsigned keys[TRUST_ROLE_COUNT_];
    unsigned thresholds[TRUST_ROLE_COUNT_];
};
/* Keys 0 1 2 are root's, two needed; 3 4 5 policy's, two needed; 6 is head's. Expires in a year. */
extern const struct signed_root signed_root_default;

struct signed_policy {
    const char *organization;
    uint64_t version;
    const char *more; /* further lines of YAML; NULL: none */
};
struct signed_head {
    const char *organization, *group;
    uint64_t version, policy_version;
    int64_t issued_us, expires_us;
    const struct trust_envelope *policy; /* whose SHA-256 it names; NULL: none that exists */
};

/* The caller frees. signers: KEY(…) bits. */
struct trust_envelope *signed_envelope(const char *type, const void *payload, size_t size, unsigned signers);
struct trust_envelope *signed_text(const char *type, const char *payload, unsigned signers);
struct trust_envelope *signed_make_root(const struct signed_root *o, unsigned signers);
struct trust_envelope *signed_make_policy(const struct signed_policy *o, unsigned signers);
struct trust_envelope *signed_make_head(const struct signed_head *o, unsigned signers);
/* The YAML of such a policy. */
char *signed_policy_yaml(const struct signed_policy *o);

struct signed_bytes {
    uint8_t *data;
    size_t size;
};
/* As files; take and free what they are given (NULL: none). The caller frees data. */
struct signed_bytes signed_file(struct trust_envelope *e);
struct signed_bytes signed_bundle(struct trust_envelope *const *roots, size_t n_roots, struct trust_envelope *policy,
                                  struct trust_envelope *head);

/* --- The usual ones: what the tests differ from --- */

#define SIGNED_ROOT_SIGNERS (KEY(0) | KEY(1))
#define SIGNED_POLICY_SIGNERS (KEY(3) | KEY(4))

struct signed_root signed_root_version(uint64_t version);
struct trust_envelope *signed_usual_root(uint64_t version);
struct trust_envelope *signed_usual_policy(uint64_t version, const char *more);
struct trust_envelope *signed_policy_six(unsigned signers); /* version 6 */
/* For group kazei, issued yesterday, for two weeks. */
struct trust_envelope *signed_usual_head(uint64_t version, const struct trust_envelope *policy,
                                         uint64_t policy_version);
/* Terminal kz-042 of the groups kazei and zeimu, at SIGNED_NOW. */
extern const struct trust_terminal signed_terminal;
/* What it holds: root 3, policy 5, head 7. */
struct trust_state *signed_settled(void);

struct signed_bytes signed_text_bytes(const char *text);
/* The file, which is taken, with the first `from` in it replaced. */
struct signed_bytes signed_edited(struct signed_bytes b, const char *from, const char *to);
/* The payload alone, as a text; the envelope is freed. */
struct signed_bytes signed_payload(struct trust_envelope *e);
/* A payload edited, then properly signed all the same; e is taken. */
struct signed_bytes signed_payload_edited(struct trust_envelope *e, const char *from, const char *to, unsigned signers);
/* Prints and aborts when the condition does not hold. */
void signed_insist(int condition, const char *what);

/* A terminal that holds this root, which is taken, and nothing else. */
struct trust_state *signed_install(struct trust_envelope *root);
