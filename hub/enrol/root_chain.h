#pragma once

#include "base/digest.h"
#include "hub/store/store.h"
#include "policy/trust/write.h"

struct json_t;

/* The root documents that terminals are handed: the hub takes what a terminal would take. */

struct root_chain_added {
    uint64_t version; /* the newest */
    size_t n;         /* how many were new */
    int64_t expires_us;
    struct digest fingerprint; /* SHA-256 of the newest document: what a person compares */
};

enum root_chain_result {
    ROOT_CHAIN_OK = 0,
    ROOT_CHAIN_E_REFUSED,      /* as a terminal would: see the refusal */
    ROOT_CHAIN_E_ORGANIZATION, /* of another organization than this centre */
    ROOT_CHAIN_E_HEAD, /* its role `head` is not this centre's key alone: what the centre signs would count for nothing */
    ROOT_CHAIN_E_KNOWN, /* nothing in it is new */
};

struct root_chain_refusal {
    enum trust_result result;
    struct trust_complaint complaint;
};

/*
 * A root's envelope, or the roots of a bundle: the first one by its own threshold, each later one as the one before it says. head: the id of
 * the centre's online key. One transaction. enum root_chain_result or -errno.
 */
int root_chain_add(struct hub_store *s, const struct hub_actor *actor, const struct digest *head, const uint8_t *bytes,
                   size_t size, struct root_chain_added *ret, struct root_chain_refusal *refusal);

/* The newest that are handed out, the oldest of them first, as an array of envelopes; and what the newest says. 1, 0 there is none. */
int root_chain_read(struct hub_store *s, struct json_t **ret_envelopes, struct trust_root **ret_newest);
