/* Owns: enrolment as a part of the centre's process. Must not: share the main thread's store with the thread it starts. */
#include "hub/enrol/part.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "hub/centre/tls.h"
#include "hub/enrol/routes.h"

struct part {
    struct hub_enrol *enrol;
    struct hub_api *api;
    struct hub_api_route routes[ENROL_ROUTES];
};

static void stop(void *context)
{
    struct part *p = context;

    p->api = hub_api_stop(p->api);
    p->enrol = hub_enrol_free(p->enrol);
    free(p);
}

/* A centre of before these settings has none of them. */
static int where(struct hub_store *s, char **ret_address, uint16_t *ret_port)
{
    _cleanup_free_ char *address = NULL, *port = NULL;
    uint64_t number = CENTRE_HTTPS_PORT;
    int r = hub_setting_get(s, "https-listen", &address);

    if (r >= 0)
        r = hub_setting_get(s, "https-port", &port);
    if (r >= 0 && port && text_to_u64(port, UINT16_MAX, &number) < 0)
        r = -EUCLEAN;
    if (r >= 0 && !address) {
        address = strdup(CENTRE_HTTPS_ADDRESS);
        r = address ? 0 : -ENOMEM;
    }
    if (r < 0)
        return r;
    *ret_address = TAKE_PTR(address);
    *ret_port = (uint16_t)number;
    return 0;
}

static int start_api(struct part *p, const struct hub_serve *serve)
{
    struct hub_api_settings settings = {.routes = p->routes, .n_routes = ENROL_ROUTES};
    _cleanup_free_ char *address = NULL;
    struct centre_tls tls = {0};
    int r = where(serve->centre->store, &address, &settings.port);

    if (r >= 0)
        r = centre_tls_read(serve->centre->directory, &tls);
    if (r >= 0) {
        settings.address = address;
        settings.certificate = tls.chain;
        settings.key = tls.key;
        r = hub_api_start(&settings, &p->api);
    }
    if (r >= 0)
        log_notice("enrol.listening", "address=%s port=%u", address, settings.port);
    centre_tls_done(&tls);
    return r;
}

static int start(const struct hub_serve *serve, void **ret)
{
    struct part *p = calloc(1, sizeof(*p));
    char path[64];
    int r;

    if (!p)
        return -ENOMEM;
    (void)snprintf(path, sizeof(path), "/proc/self/fd/%d", serve->centre->directory);
    r = hub_enrol_open(path, clock_wall_us(), &p->enrol);
    if (r > 0)
        r = -EIO; /* it is open already: no other result can be */
    if (r >= 0) {
        enrol_routes(p->enrol, p->routes);
        r = start_api(p, serve);
    }
    if (r < 0)
        stop(p);
    else
        *ret = p;
    return r;
}

const struct hub_part enrol_part = {.name = "enrol", .start = start, .stop = stop};
