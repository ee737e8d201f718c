#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"

struct json_t;

/*
 * HTTPS of the centre, by libmicrohttpd: a thread of its own that listens, takes requests within limits and hands each to the handler of its
 * route. JSON in and out; every answer ends its connection. Handlers run in that thread, one at a time.
 */

struct hub_api;

enum {
    HUB_API_BODY_MAX = 64 * 1024,  /* bytes */
    HUB_API_CONNECTIONS_MAX = 256, /* at a time */
    HUB_API_PER_ADDRESS_MAX = 32,
    HUB_API_IDLE_S = 10,       /* a connection on which nothing comes */
    HUB_API_CONNECTION_S = 30, /* any connection, however slowly it goes on */
    HUB_API_ABOUT_SIZE = 48,
};

struct hub_api_request {
    const uint8_t *body;
    size_t size;
    const char *address; /* of the client, text */
    int64_t now_us;
};

struct hub_api_reply {
    unsigned status;
    struct json_t *body;            /* taken */
    const char *error;              /* static, for the log; NULL: none */
    char about[HUB_API_ABOUT_SIZE]; /* whom it was about, for the log: no secret */
};

/* 0, or -errno: "internal" is answered, and the error is logged. */
typedef int hub_api_handler(void *context, const struct hub_api_request *request, struct hub_api_reply *ret);

struct hub_api_route {
    const char *method; /* "GET", "POST" */
    const char *path;   /* exactly */
    hub_api_handler *run;
    void *context;
};

struct hub_api_settings {
    const char *address; /* IPv4 or IPv6, as inet_pton(3) takes it */
    uint16_t port;
    const char *certificate, *key; /* PEM; certificate: with those above it, up to the authority that terminals pin */
    const struct hub_api_route *routes;
    size_t n_routes; /* borrowed, with their contexts, as long as it runs */
};

/* 0; -EADDRINUSE, -EADDRNOTAVAIL, -EACCES: it cannot listen there; -EINVAL: no such address; -EBADMSG: the server takes neither key nor
 * certificate; -ENOMEM, -EIO. */
int hub_api_start(const struct hub_api_settings *settings, struct hub_api **ret);
/* When it returns, no handler runs any more. NULL. */
struct hub_api *hub_api_stop(struct hub_api *a);

DEFINE_CLEANUP(struct hub_api *, hub_api_stop);
