#pragma once

#include <stdbool.h>
#include <stddef.h>

#include <nats/nats.h>

#include "base/cleanup.h"
#include "policy/fleet/wire_key.h"

/*
 * A connection to the broker, as the courier and the hub hold one: it is tried until it succeeds and again whenever it is lost, after a
 * wait of random length (a whole city is switched on at eight). TLS is verified against one CA and no other. The broker is trusted
 * with nothing: it can only be of no use.
 * libnats has threads of its own; what is called back is called from them. nats_Close() is not called in a process that has spoken TLS: 3.4
 * frees there what OpenSSL frees again at exit (nats.c #904).
 */

struct link;

struct link_settings {
    const char *const *urls; /* "tls://hub.example:4222", ended by NULL; "nats://" only where ca is NULL */
    const char *name;        /* of this client, for the broker's operators */
    const char *jwt;         /* copied */
    const struct wire_key
        *key;       /* borrowed as long as the link lives; signs what the broker sends at random, and nothing else */
    const char *ca; /* file; NULL: ca_pem */
    const char *ca_pem;  /* the same as a text; both NULL: no TLS, on one machine only */
    unsigned wait_max_s; /* before each attempt a wait of up to this, 0: of up to a second */
    size_t pending_max;  /* bytes kept while it is down; what is beyond is refused to whoever publishes */
    void (*changed)(void *context, bool up); /* may be NULL */
    void *context;
};

/* 0: under way; whether it is up says changed(). -EINVAL: what the broker's library refuses of the settings; -ENOMEM. */
int link_open(const struct link_settings *settings, struct link **ret);
/* From the next attempt on. 0 or -ENOMEM. */
int link_set_jwt(struct link *l, const char *jwt);
natsConnection *link_connection(struct link *l); /* borrowed */
bool link_is_up(struct link *l);
/* Closes and waits until nothing is called back any more. */
struct link *link_free(struct link *l);

DEFINE_CLEANUP(struct link *, link_free);
