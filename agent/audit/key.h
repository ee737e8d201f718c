#pragma once

#include <openssl/types.h>
#include <stddef.h>
#include <stdint.h>

#include "base/digest.h"

/* The terminal's Ed25519 key (RFC 8032), and the byte strings it signs for the journal. */

struct journal_key;

enum {
    JOURNAL_SIGNATURE_SIZE = 64,
    JOURNAL_SIGNATURE_TEXT = 89, /* base64 with NUL */
    JOURNAL_PUBLIC_SIZE = 32,
};

#define JOURNAL_KEY_PRIVATE "journal.pem"    /* PKCS#8, 0600 */
#define JOURNAL_KEY_PUBLIC "journal.pub.pem" /* SubjectPublicKeyInfo */

/* What a signature is for. */
#define JOURNAL_DOMAIN_CHECKPOINT "kuraban-journal-checkpoint/1"
#define JOURNAL_DOMAIN_HEAD "kuraban-journal-head/1"

/* Reads the private key from the directory, or creates one. Returns 0 or JOURNAL_KEY_CREATED; an unreadable key is moved to
 * journal.pem.broken and replaced. -errno, -EIO when OpenSSL fails. */
enum {
    JOURNAL_KEY_CREATED = 1
};
int journal_key_open(int key_dirfd, struct journal_key **ret);
/* A public key in PEM. -EBADMSG when it is no Ed25519 key; -errno of files_read_at. */
int journal_key_read_public(int dirfd, const char *name, struct journal_key **ret);
/* Of the 32 raw bytes of a public key. -EBADMSG when they are none. */
int journal_key_from_public(const uint8_t raw[static 32], struct journal_key **ret);
struct journal_key *journal_key_free(struct journal_key *k);

/* SHA-256 of the 32 raw bytes of the public key: names the key in records. */
void journal_key_id(const struct journal_key *k, char ret[static DIGEST_HEX_SIZE]);

/* The 32 bytes of the public half. 0 or -EIO. */
int journal_key_public(const struct journal_key *k, uint8_t ret[static JOURNAL_PUBLIC_SIZE]);
/* Borrowed, for what the terminal says of itself (policy/fleet): what is signed there begins with "DSSEv1", here with "kuraban-journal-". Never to
 * be written anywhere. */
EVP_PKEY *journal_key_signer(const struct journal_key *k);

/* Signs domain LF seq LF hash LF timestamp LF. ret is base64. 0, -EPERM (public key only), -EIO. */
int journal_key_sign(const struct journal_key *k, const char *domain, uint64_t seq, const char *hash,
                     const char *timestamp, char ret[static JOURNAL_SIGNATURE_TEXT]);
/* 0 only when the signature is good; -EKEYREJECTED, -EBADMSG (not base64 of 64 bytes), -EIO. */
int journal_key_check(const struct journal_key *k, const char *domain, uint64_t seq, const char *hash,
                      const char *timestamp, const char *signature);
