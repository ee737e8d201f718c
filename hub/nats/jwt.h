#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/fleet/wire_key.h"

/*
 * What NATS calls JWTs (version 2, "ed25519-nkey"): who may connect to the broker and speak on which subjects. The operator signs the
 * accounts; an account names keys that sign users, and what users of such a key may do (a scope), so that a new terminal needs no
 * change at the broker. Nothing here is trusted by a terminal.
 * https://github.com/nats-io/jwt, v2. Times are seconds since 1970. 0, -ENOMEM, -EIO (OpenSSL), -EINVAL. ret: the caller's to free().
 */

struct jwt_scope {
    const char *key;  /* public, an account's: who signs such users */
    const char *role; /* a name for people */
    const char *const *publish,
        *const *subscribe; /* subjects, ended by NULL; "{{name()}}" and "{{tag(group)}}" are filled in by the broker */
    long payload_max;      /* bytes of a message */
    long subscriptions_max;
};

struct jwt_revocation {
    const char *user; /* public key */
    int64_t before;   /* JWTs of it issued until then are void */
};

struct jwt_account {
    const char *name, *public;
    bool jetstream;
    const struct jwt_scope *scopes;
    size_t n_scopes;
    const struct jwt_revocation *revocations;
    size_t n_revocations;
};

struct jwt_user {
    const char *name, *public;
    const char *account;     /* public key; the signer is a key that its JWT names */
    const char *const *tags; /* "group:kazei", ended by NULL; lower case, as NATS compares them */
    int64_t expires;         /* 0: never */
};

int jwt_operator(const struct wire_key *operator, const char * name, const char *system_account, int64_t now,
                 char **ret);
int jwt_account(const struct wire_key *operator, const struct jwt_account * account, int64_t now, char **ret);
/* signer: a key with a scope (then the user may do what the scope says), or the account's own (then everything in the account). */
int jwt_user(const struct wire_key *signer, const struct jwt_user *user, int64_t now, char **ret);
