#pragma once

#include <openssl/types.h>
#include <stdint.h>

#include "base/digest.h"
#include "cli/cli.h"
#include "policy/trust/write.h"

/* Somebody's public key as `policy keygen` writes it: a line "Name: …" and the PEM block below it. */
struct public_key {
    char *name;
    uint8_t bytes[TRUST_PUBLIC_SIZE];
    struct digest id;
};

void public_key_done(struct public_key *k);
/* On failure it has told why. */
enum cli_exit public_key_read(struct cli *c, const char *path, struct public_key *ret);
/* The text of such a file. NULL on ENOMEM. Caller frees. */
char *public_key_text(const char *name, const char *pem);
/* A person's name as it may stand in a root document: printable, not empty, at most TRUST_NAME_MAX bytes. */
bool public_key_name_is_good(const char *name);

/* A private key by path or URI, and its id; the passphrase is asked on the terminal (three attempts) or read from passphrase_file
 * unless that is NULL. On failure it has told why. EVP_PKEY_free() is the caller's. */
enum cli_exit private_key_load(struct cli *c, const char *uri, const char *passphrase_file, EVP_PKEY **ret,
                               struct digest *ret_id);
