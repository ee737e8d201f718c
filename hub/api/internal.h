#pragma once

#include <netinet/in.h>
#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
/* needs the headers above */
#include <microhttpd.h>

#include "base/buf.h"
#include "hub/api/api.h"
#include "hub/api/rate.h"

/* For the files of hub/api only. All but start and stop runs in the thread. */

struct connection {
    int fd; /* the server's */
    uint64_t since_us;
    struct connection *next, **link;
};

struct hub_api {
    struct MHD_Daemon *server;
    const struct hub_api_route *routes;
    size_t n_routes;
    struct rate *rate;
    struct connection *connections;
    pthread_t thread;
    int stop; /* eventfd */
    int poll; /* the server's epoll fd */
};

/* One request, from its first header to its answer. */
struct request {
    const char *method, *path; /* of the table; NULL: of none */
    struct buf body;
    bool too_long;
    size_t discarded; /* bytes, since it is */
    uint64_t started_us;
};

/* Callbacks of the server, context: struct hub_api. */
enum MHD_Result api_on_request(void *context, struct MHD_Connection *c, const char *url, const char *method,
                               const char *version, const char *data, size_t *size, void **state);
void api_on_completed(void *context, struct MHD_Connection *c, void **state, enum MHD_RequestTerminationCode why);
