#pragma once

#include <openssl/types.h>

#include "base/cleanup.h"
#include "base/digest.h"
#include "policy/fleet/wire_key.h"

/*
 * The centre's own keys: those of the wire (who may connect to the broker), and the online key of the role `head`. Each is a file of its
 * owner's alone in the folder keys/. None of them can give a terminal anything that two people did not sign.
 */

struct hub_keys {
    struct wire_key *operator;  /* signs the accounts */
    struct wire_key *account;   /* all of kuraban's traffic; signs the hub */
    struct wire_key *system;    /* the broker's own account */
    struct wire_key *terminals; /* signs terminals, which may do what the account's JWT says of this key */
    struct wire_key *hub;       /* the hub as a client */
};

/* New ones into a folder that is held open. 0 or -errno. */
int hub_keys_create(int directory, struct hub_keys *ret);
/* -EBADMSG: not such a key; -EPERM: others can read it; -ENOENT, … */
int hub_keys_read(int directory, struct hub_keys *ret);
void hub_keys_done(struct hub_keys *k);

enum {
    HUB_HEAD_PASSPHRASE_SIZE = 53, /* 256 bits in base32, with NUL */
};
/*
 * The online key: head.key as `kuraban policy keygen` writes one, head.passphrase beside it, so that a service manager can keep the one
 * apart from the other. ret_public: the text of its public file, "Name: NAME" and PEM, the caller's to free().
 */
int hub_head_create(int directory, const char *name, char **ret_public, struct digest *ret_id);
int hub_head_read(int directory, EVP_PKEY **ret);
