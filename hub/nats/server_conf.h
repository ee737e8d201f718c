#pragma once

#include <stdint.h>

#include "base/buf.h"

/*
 * The configuration of nats-server: operator mode, so that who may connect stands in signed JWTs and a new terminal changes nothing
 * here; JetStream; TLS. https://docs.nats.io/running-a-nats-service/configuration; written for 2.9 and later.
 */

struct server_conf_account {
    const char *public, *jwt;
};

struct server_conf {
    const char *name;    /* of this server, unique in a cluster */
    const char *address; /* to listen at */
    uint16_t port;
    const char *directory; /* absolute; its own, for streams and accounts */
    const char *operator_jwt;
    const char *system_account; /* public key; among the accounts */
    const struct server_conf_account *accounts;
    unsigned n_accounts;
    const char *certificate, *key, *ca; /* files; NULL: no TLS, for tests on one machine */
    uint64_t store_max;                 /* bytes on disk for streams */
    struct {
        const char *name, *address;
        uint16_t port;
        const char *const *routes; /* "nats://host:port", ended by NULL */
    } cluster;                     /* name NULL: none */
};

enum {
    SERVER_CONF_PAYLOAD_MAX = 2 * 1024 * 1024, /* bytes: a bundle of 1 MiB, and what JetStream adds */
};

/* Appends the file's text. 0; -EINVAL: a text that cannot be quoted; -ENOBUFS, -ENOMEM. */
int server_conf_write(const struct server_conf *c, struct buf *b);
