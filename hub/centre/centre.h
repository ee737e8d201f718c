#pragma once

#include "base/cleanup.h"
#include "base/digest.h"
#include "hub/ca/ca.h"
#include "hub/store/store.h"

/*
 * A centre on disk: one directory of its user's alone.
 *   hub.db            what it knows (hub/store)
 *   head.pub          the public file of the online key, for the root document
 *   keys/             seeds and the online key (hub/keys), and ca.key where the authority is its own
 *   tls/              ca.pem, server.pem, server.key
 *   nats/nats.conf    of the broker, whose own files are in nats/data
 */

#define CENTRE_HTTPS_ADDRESS "0.0.0.0"
enum {
    CENTRE_HTTPS_PORT = 8443
};

struct centre_settings {
    const char *directory;    /* to be made, or empty */
    const char *organization; /* printable, at most HUB_CA_ORGANIZATION_MAX characters where the authority is its own */
    const char *const *names; /* by which terminals reach it, ended by NULL */
    const char *listen;       /* the broker's address */
    uint16_t port;            /* and port */
    const char *https;        /* the address at which terminals are let in; NULL: CENTRE_HTTPS_ADDRESS */
    uint16_t https_port;      /* and port; 0: CENTRE_HTTPS_PORT */
    /* PEM; certificate NULL: an authority of its own is made. */
    const char *certificate, *key, *ca;
};

enum centre_result {
    CENTRE_OK = 0,
    CENTRE_E_NOT_EMPTY,    /* something is there already */
    CENTRE_E_BUSY,         /* it is being made at this moment */
    CENTRE_E_CERTIFICATES, /* hub_ca_check() of what was given: see the complaint */
    CENTRE_E_NONE,         /* of opening: there is no centre */
    CENTRE_E_OWNER,        /* of opening: it is another user's, or others may write to it */
};

struct centre_made {
    char *directory; /* absolute */
    char *head_public;
    struct digest head_id;
    char pin[HUB_CA_PIN_SIZE];
};

struct centre_complaint {
    enum hub_ca_verdict verdict;
    const char *detail; /* static, or one of names */
};

void centre_made_done(struct centre_made *m);
/*
 * Makes it whole beside its place and renames it there: when anything fails, or the power, nothing that looks like a centre is left. Signals
 * should be blocked by the caller. enum centre_result; -errno (-ENOSPC, -EACCES, …).
 */
int centre_create(const struct centre_settings *settings, const struct hub_actor *actor, struct centre_made *ret,
                  struct centre_complaint *complaint);

struct centre {
    int directory;
    struct hub_store *store;
};

/* CENTRE_OK, _E_NONE, _E_OWNER, or what hub_store_open() says. */
int centre_open(const char *directory, int64_t now_us, struct centre *ret);
void centre_close(struct centre *c);
