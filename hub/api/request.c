/*
 * Owns: one request: its limits, whose route it is, its answer and its line in the log.
 * Must not: log a body, a query or an unknown path: there may be a secret in it.
 */
#include <arpa/inet.h>
#include <errno.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "hub/api/internal.h"
#include "json/whole.h"

enum {
    DISCARDED_MAX =
        4 * HUB_API_BODY_MAX, /* read and thrown away of a body that is too long; then the connection ends */
    RETRY_S = 10,
};

/* --- answering --- */

static const char *const security_headers[][2] = {
    {MHD_HTTP_HEADER_CONNECTION, "close"},
    {MHD_HTTP_HEADER_CONTENT_TYPE, "application/json"},
    {MHD_HTTP_HEADER_CACHE_CONTROL, "no-store"},
    {"Strict-Transport-Security", "max-age=31536000"},
    {"X-Content-Type-Options", "nosniff"},
    {"X-Frame-Options", "DENY"},
    {"Referrer-Policy", "no-referrer"},
    {"Content-Security-Policy", "default-src 'none'; frame-ancestors 'none'"},
};

static int refuse(struct hub_api_reply *ret, unsigned status, const char *error, const char *message)
{
    ret->status = status;
    ret->error = error;
    ret->body = json_pack("{s:s, s:s}", "error", error, "message", message);
    return ret->body ? 0 : -ENOMEM;
}

static int failed(struct hub_api_reply *ret, int error)
{
    log_error("api.failed", "error=%s", strerrordesc_np(-error));
    json_decref(ret->body);
    return refuse(ret, MHD_HTTP_INTERNAL_SERVER_ERROR, "internal", "the centre could not do it; try again later");
}

static struct MHD_Response *build(const struct hub_api_reply *reply, const char *allow)
{
    char *text = NULL, retry[8];
    struct MHD_Response *response = whole_text(reply->body, JSON_COMPACT, &text) == 0
                                        ? MHD_create_response_from_buffer(strlen(text), text, MHD_RESPMEM_MUST_FREE)
                                        : NULL;
    bool good = response != NULL;

    if (!response)
        free(text);
    for (size_t i = 0; good && i < ELEMENTS(security_headers); i++)
        good = MHD_add_response_header(response, security_headers[i][0], security_headers[i][1]) == MHD_YES;
    if (good && allow)
        good = MHD_add_response_header(response, MHD_HTTP_HEADER_ALLOW, allow) == MHD_YES;
    (void)snprintf(retry, sizeof(retry), "%d", RETRY_S);
    if (good && (reply->status == MHD_HTTP_TOO_MANY_REQUESTS || reply->status == MHD_HTTP_ACCEPTED))
        good = MHD_add_response_header(response, MHD_HTTP_HEADER_RETRY_AFTER, retry) == MHD_YES;
    if (good)
        return response;
    if (response)
        MHD_destroy_response(response);
    return NULL;
}

static void address_text(const struct sockaddr *address, char ret[static INET6_ADDRSTRLEN])
{
    const struct sockaddr_in *four = (const struct sockaddr_in *)(const void *)address;
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)(const void *)address;

    (void)snprintf(ret, INET6_ADDRSTRLEN, "-");
    if (address->sa_family == AF_INET)
        (void)inet_ntop(AF_INET, &four->sin_addr, ret, INET6_ADDRSTRLEN);
    else if (address->sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&six->sin6_addr))
        (void)inet_ntop(AF_INET, six->sin6_addr.s6_addr + 12, ret, INET6_ADDRSTRLEN);
    else if (address->sa_family == AF_INET6)
        (void)inet_ntop(AF_INET6, &six->sin6_addr, ret, INET6_ADDRSTRLEN);
}

static const struct sockaddr *address_of(struct MHD_Connection *c)
{
    static const struct sockaddr unknown = {.sa_family = AF_UNSPEC};
    const union MHD_ConnectionInfo *info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CLIENT_ADDRESS);

    return info && info->client_addr ? info->client_addr : &unknown;
}

static enum MHD_Result answer(struct hub_api *a, struct MHD_Connection *c, const struct request *q,
                              struct hub_api_reply *reply, const char *allow)
{
    const struct sockaddr *address = address_of(c);
    struct MHD_Response *response = build(reply, allow);
    char text[INET6_ADDRSTRLEN];
    enum MHD_Result r = MHD_NO;

    address_text(address, text);
    log_info("api.request", "address=%s method=%s path=%s status=%u error=%s about=%s ms=%llu", text,
             q->method ? q->method : "-", q->path ? q->path : "-", reply->status, reply->error ? reply->error : "-",
             *reply->about ? reply->about : "-", (unsigned long long)((clock_boottime_us() - q->started_us) / 1000));
    if (reply->status >= 400 && reply->status < 500)
        rate_charge(a->rate, address, RATE_REFUSED, clock_boottime_us());
    if (response) {
        r = MHD_queue_response(c, reply->status, response);
        MHD_destroy_response(response);
    }
    json_decref(reply->body);
    return r;
}

/* --- which route --- */

static const struct hub_api_route *find(const struct hub_api *a, const char *path, const char *method)
{
    for (size_t i = 0; i < a->n_routes; i++)
        if (text_equal(a->routes[i].path, path) && (!method || text_equal(a->routes[i].method, method)))
            return &a->routes[i];
    return NULL;
}

static int run(const struct hub_api_route *route, struct MHD_Connection *c, const struct request *q,
               struct hub_api_reply *ret)
{
    char address[INET6_ADDRSTRLEN];
    const struct hub_api_request request = {
        .body = q->body.data, .size = q->body.size, .address = address, .now_us = clock_wall_us()};

    address_text(address_of(c), address);
    return route->run(route->context, &request, ret);
}

/* application/json, with parameters or without: what a form of a browser cannot send. */
static bool is_json(struct MHD_Connection *c)
{
    const char *type = MHD_lookup_connection_value(c, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_TYPE);

    return type && strncasecmp(type, "application/json", 16) == 0 &&
           (type[16] == '\0' || type[16] == ';' || type[16] == ' ');
}

static enum MHD_Result dispatch(struct hub_api *a, struct MHD_Connection *c, struct request *q, const char *url,
                                const char *method)
{
    const struct hub_api_route *route = find(a, url, method), *other = find(a, url, NULL);
    struct hub_api_reply reply = {0};
    const char *allow = NULL;
    int r;

    if (other)
        q->path = other->path;
    if (route)
        q->method = route->method;
    if (!rate_take(a->rate, address_of(c), clock_boottime_us())) {
        r = refuse(&reply, MHD_HTTP_TOO_MANY_REQUESTS, "too-many", "too many requests from this address");
    } else if (!other) {
        r = refuse(&reply, MHD_HTTP_NOT_FOUND, "not-found", "there is nothing here");
    } else if (!route) {
        allow = other->method;
        r = refuse(&reply, MHD_HTTP_METHOD_NOT_ALLOWED, "method", "not by this method");
    } else if (q->too_long) {
        r = refuse(&reply, MHD_HTTP_CONTENT_TOO_LARGE, "too-long", "the body is too long");
    } else if (text_equal(method, MHD_HTTP_METHOD_POST) && !is_json(c)) {
        r = refuse(&reply, MHD_HTTP_UNSUPPORTED_MEDIA_TYPE, "content-type", "the body must be application/json");
    } else {
        r = run(route, c, q, &reply);
    }
    if (r < 0)
        (void)failed(&reply, r);
    return answer(a, c, q, &reply, allow);
}

/* --- the server's callbacks --- */

static enum MHD_Result begin(struct MHD_Connection *c, void **state)
{
    const char *length = MHD_lookup_connection_value(c, MHD_HEADER_KIND, MHD_HTTP_HEADER_CONTENT_LENGTH);
    struct request *q = calloc(1, sizeof(*q));
    uint64_t size = 0;

    if (!q)
        return MHD_NO;
    buf_init(&q->body, HUB_API_BODY_MAX);
    q->started_us = clock_boottime_us();
    q->too_long = length && text_to_u64(length, HUB_API_BODY_MAX, &size) < 0;
    *state = q;
    return MHD_YES;
}

enum MHD_Result api_on_request(void *context, struct MHD_Connection *c, const char *url, const char *method,
                               const char *version, const char *data, size_t *size, void **state)
{
    struct hub_api *a = context;
    struct request *q = *state;
    enum MHD_Result r;

    (void)version;
    if (!q) {
        r = begin(c, state);
        q = *state;
        /* What says that it is too long is not waited for. */
        return r == MHD_YES && q->too_long ? dispatch(a, c, q, url, method) : r;
    }
    if (*size == 0)
        return dispatch(a, c, q, url, method);
    if (!q->too_long && buf_add(&q->body, data, *size) < 0)
        q->too_long = true;
    if (q->too_long && (q->discarded += *size) > DISCARDED_MAX)
        return MHD_NO;
    *size = 0;
    return MHD_YES;
}

void api_on_completed(void *context, struct MHD_Connection *c, void **state, enum MHD_RequestTerminationCode why)
{
    struct request *q = *state;

    (void)context, (void)c, (void)why;
    if (q)
        buf_done(&q->body);
    free(q);
    *state = NULL;
}
