#pragma once

#include <openssl/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/trust/trust.h"

/*
 * The writing and the looking side of policy/trust: what people who sign need. The terminal needs none of it but reading.
 * Results are enum trust_result where they judge foreign bytes; −ENOMEM and −EIO (OpenSSL) are fatal. Buffers that are returned are
 * the caller's to free(); those of private keys to trust_secret_free().
 */

/* --- Keys: Ed25519 only --- */

enum trust_key_result {
    TRUST_KEY_OK = 0,
    TRUST_KEY_E_NONE = 1,   /* no key there: no such file, not a key, a public key where a private one is needed */
    TRUST_KEY_E_PASSPHRASE, /* the passphrase was asked for and does not open the key, or none was given */
    TRUST_KEY_E_KIND,       /* a key, not an Ed25519 one */
    TRUST_KEY_E_WEAK,       /* a public key of small order, for which everybody can sign, or one that is not reduced */
};
enum {
    TRUST_KEY_PEM_MAX = 16 * 1024, /* bytes of a key file */
    TRUST_PUBLIC_SIZE = 32,
    TRUST_SIGNATURE_SIZE = 64,
    TRUST_PASSPHRASE_MIN = 8, /* trust_key_write_private() refuses shorter ones */
    TRUST_PASSPHRASE_MAX = 512,
};

int trust_key_generate(EVP_PKEY **ret);
/* Encrypted PKCS#8 PEM: PBES2, scrypt N=2^14 r=8 p=8, AES-256-CBC. -EINVAL when the passphrase is too short or too long. */
int trust_key_write_private(const EVP_PKEY *key, const char *passphrase, char **ret_pem);
/* SubjectPublicKeyInfo PEM. */
int trust_key_write_public(const EVP_PKEY *key, char **ret_pem);
/*
 * Through OSSL_STORE: a path, file:… or pkcs11:… (where a provider for it is configured). passphrase is called when one is needed:
 * it writes at most size bytes (no NUL) and returns how many, or −1: none. NULL: none. enum trust_key_result.
 */
int trust_key_load_private(const char *uri, int (*passphrase)(void *context, char *buffer, size_t size), void *context,
                           EVP_PKEY **ret);
/* The 32 bytes of the public half, of any Ed25519 key. enum trust_key_result. */
int trust_key_public(const EVP_PKEY *key, uint8_t ret[static TRUST_PUBLIC_SIZE]);
/* A public key PEM file's bytes, nothing beside the one block. enum trust_key_result. */
int trust_key_read_public(const uint8_t *pem, size_t size, uint8_t ret[static TRUST_PUBLIC_SIZE]);
/* The PEM of 32 public bytes, as `openssl pkey -pubin` writes it. */
int trust_key_to_pem(const uint8_t public[static TRUST_PUBLIC_SIZE], char **ret);
/*
 * A point of small order, or one written in another way than RFC 8032 (5.1.2) does. OpenSSL takes both (3.0: ED25519_verify() looks at
 * S only), and for a point of small order everybody can make signatures: a document that names one has a signer who is nobody.
 */
bool trust_key_is_weak(const uint8_t public[static TRUST_PUBLIC_SIZE]);
/* SHA-256 of the DER SubjectPublicKeyInfo. */
int trust_key_id(const uint8_t public[static TRUST_PUBLIC_SIZE], struct digest *ret);
/* Wipes and frees a NUL-terminated string; returns NULL. */
char *trust_secret_free(char *secret);

/* --- Root and head: payload bytes --- */

/* A root with the organization, version and expiry, no keys, thresholds 0. */
int trust_root_new(const char *organization, uint64_t version, int64_t expires_us, struct trust_root **ret);
/* Index of the key; one that is there already keeps its name and its index. -ENOBUFS past TRUST_KEYS_MAX. */
int trust_root_add_key(struct trust_root *root, const char *name, const uint8_t public[static TRUST_PUBLIC_SIZE],
                       size_t *ret_index);
/* -EEXIST when the key has the role. The threshold is the caller's to set: root->roles[role].threshold. */
int trust_root_add_role(struct trust_root *root, enum trust_role role, size_t key);
/* The key with this id; NULL: none. */
const struct trust_key *trust_root_find_key(const struct trust_root *root, const struct digest *id);
/* JSON, pretty, ends with a newline; times are cut to the second. What trust_root_parse() would refuse is refused with its result. */
int trust_root_write(const struct trust_root *root, uint8_t **ret, size_t *ret_size, struct trust_complaint *complaint);
int trust_root_parse(const uint8_t *payload, size_t size, struct trust_root **ret, struct trust_complaint *complaint);
/* The same for a head. It may rule for TRUST_HEAD_DAYS_MAX days. */
int trust_head_write(const struct trust_head *head, uint8_t **ret, size_t *ret_size, struct trust_complaint *complaint);
int trust_head_parse(const uint8_t *payload, size_t size, struct trust_head **ret, struct trust_complaint *complaint);

/* --- Envelopes (DSSE) --- */

struct trust_signature {
    struct digest key; /* the id it claims */
    uint8_t bytes[TRUST_SIGNATURE_SIZE];
};
struct trust_envelope {
    char *type; /* one of TRUST_TYPE_… */
    uint8_t *payload;
    size_t size;
    struct trust_signature signatures[TRUST_SIGNATURES_MAX]; /* different keys */
    size_t n_signatures;
};

/* Without signatures yet. TRUST_E_TOO_LONG for a payload past the limit of its type, TRUST_E_PAYLOAD_TYPE for an unknown type. */
int trust_envelope_new(const char *type, const uint8_t *payload, size_t size, struct trust_envelope **ret);
struct trust_envelope *trust_envelope_free(struct trust_envelope *e);
/* Form alone is judged: an envelope without or with bad signatures is parsed. */
int trust_envelope_parse(const uint8_t *bytes, size_t size, struct trust_envelope **ret,
                         struct trust_complaint *complaint);
/* JSON, pretty, ends with a newline. */
int trust_envelope_write(const struct trust_envelope *e, uint8_t **ret, size_t *ret_size);
/* Adds a signature. TRUST_E_REPEATED_KEY: that key has signed; TRUST_E_TOO_LONG: TRUST_SIGNATURES_MAX are there; -EINVAL: the key
 * is no private Ed25519 key. */
int trust_envelope_sign(struct trust_envelope *e, EVP_PKEY *key);

enum trust_vote_kind {
    TRUST_VOTE_NONE = 0, /* key unknown to the root, or without the role: ignored */
    TRUST_VOTE_GOOD,
    TRUST_VOTE_BAD, /* the key has the role, the signature does not fit */
};
/* What each signature of an envelope is worth under a root. */
struct trust_votes {
    struct {
        enum trust_vote_kind kind;
        const struct trust_key *key; /* the root's; NULL: unknown to it */
    } of[TRUST_SIGNATURES_MAX];      /* as the envelope's signatures */
    size_t n, n_good, n_bad;
    unsigned threshold;
};
/* TRUST_OK only with a full threshold of good ones and no bad one; else TRUST_E_THRESHOLD or TRUST_E_BAD_SIGNATURE. An envelope whose
 * type is not this role's is TRUST_E_PAYLOAD_TYPE before any signature is looked at; the type within the role is the caller's to ask. The
 * votes are filled either way (an exception to the rule about outputs: people want to see who is missing); untouched on a fatal error. */
int trust_envelope_verify(const struct trust_envelope *e, const struct trust_root *root, enum trust_role role,
                          struct trust_votes *ret_votes, struct trust_complaint *complaint);
/* Is signature i of e one by this public key? TRUST_OK or TRUST_E_BAD_SIGNATURE. For looking at envelopes without a root. */
int trust_envelope_check(const struct trust_envelope *e, size_t i, const uint8_t public[static TRUST_PUBLIC_SIZE]);
/*
 * An envelope of a type that no role signs. TRUST_OK only when it is of this type and has one signature, which claims to be by this key
 * and is. TRUST_E_PAYLOAD_TYPE also when a role signs such a type: one key never stands for a role.
 */
int trust_envelope_verify_key(const struct trust_envelope *e, const char *type,
                              const uint8_t public[static TRUST_PUBLIC_SIZE], struct trust_complaint *complaint);
/* The role whose threshold an envelope of this type needs; TRUST_ROLE_NONE when one key signs it, and for an unknown type. */
enum trust_role trust_type_role(const char *type);
/* May `next` follow `current`? next: its envelope, new_root: its payload parsed. What trust_apply() asks of each step of a rotation:
 * TRUST_OK, _ROLLBACK, _SAME_VERSION, _ORGANIZATION, _ROOT_CHAIN, _BAD_SIGNATURE. */
int trust_root_follows(const struct trust_root *current, const struct trust_envelope *next,
                       const struct trust_root *new_root, struct trust_complaint *complaint);

/* --- Bundles --- */

struct trust_bundle {
    struct trust_envelope *roots[TRUST_ROOTS_MAX];
    size_t n_roots;
    struct trust_envelope *policy, *head; /* NULL: none */
};
void trust_bundle_done(struct trust_bundle *b);
/* A bundle, or a bare envelope of what may be in one as a bundle of one. ret: to be released by trust_bundle_done(). */
int trust_bundle_parse(const uint8_t *bytes, size_t size, struct trust_bundle *ret, struct trust_complaint *complaint);
/* TRUST_E_TOO_LONG when it would be longer than TRUST_BUNDLE_MAX; -EINVAL when it is empty. */
int trust_bundle_write(const struct trust_bundle *b, uint8_t **ret, size_t *ret_size);
