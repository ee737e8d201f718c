/*
 * Owns: the connection to the broker, who it is for the broker, and when it is tried again.
 * Must not: read or write messages.
 */
#include "link/link.h"

#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "base/log.h"

enum {
    PING_MS = 30 * 1000, /* a connection that was cut without a word is lost after three of them */
    PINGS_OUT = 2,
    TIMEOUT_MS = 30 * 1000, /* of one attempt: thousands may be before us in the queue for a handshake */
};

struct link {
    natsConnection *connection;
    natsOptions *options;
    const struct wire_key *key;
    unsigned wait_max_ms;
    void (*changed)(void *context, bool up);
    void *context;
    pthread_mutex_t lock; /* of what follows */
    pthread_cond_t closed_cond;
    char *jwt;
    bool closed;
};

static natsStatus give_jwt(char **ret, char **error, void *closure)
{
    struct link *l = closure;

    *error = NULL;
    (void)pthread_mutex_lock(&l->lock);
    *ret = strdup(l->jwt);
    (void)pthread_mutex_unlock(&l->lock);
    return *ret ? NATS_OK : NATS_NO_MEMORY;
}

static natsStatus give_signature(char **error, unsigned char **ret, int *ret_size, const char *nonce, void *closure)
{
    struct link *l = closure;
    unsigned char *signature = malloc(WIRE_SIGNATURE_SIZE);

    *error = NULL;
    if (!signature)
        return NATS_NO_MEMORY;
    if (wire_key_sign(l->key, nonce, strlen(nonce), signature) < 0) {
        free(signature);
        return NATS_ERR;
    }
    *ret = signature;
    *ret_size = WIRE_SIGNATURE_SIZE;
    return NATS_OK;
}

/* Between nothing and all of it, evenly ("full jitter"). libnats' own would be the same at every terminal: it never seeds rand(). */
static int64_t wait_before(natsConnection *connection, int attempts, void *closure)
{
    struct link *l = closure;
    const char *why = NULL;
    uint32_t random = 0;

    (void)natsConnection_GetLastError(connection, &why);
    log_debug("link.again", "attempts=%d why=%s", attempts, why ? why : "");
    if (getrandom(&random, sizeof(random), 0) != sizeof(random))
        random = UINT32_MAX / 2;
    return 1 + (int64_t)((uint64_t)random * l->wait_max_ms >> 32);
}

static void on_up(natsConnection *connection, void *closure)
{
    struct link *l = closure;

    (void)connection;
    if (l->changed)
        l->changed(l->context, true);
}

static void on_down(natsConnection *connection, void *closure)
{
    struct link *l = closure;
    const char *why = NULL;

    (void)natsConnection_GetLastError(connection, &why);
    log_info("link.down", "why=%s", why ? why : "");
    if (l->changed)
        l->changed(l->context, false);
}

static void on_closed(natsConnection *connection, void *closure)
{
    struct link *l = closure;

    (void)connection;
    (void)pthread_mutex_lock(&l->lock);
    l->closed = true;
    (void)pthread_cond_broadcast(&l->closed_cond);
    (void)pthread_mutex_unlock(&l->lock);
}

static void on_error(natsConnection *connection, natsSubscription *subscription, natsStatus status, void *closure)
{
    const char *why = NULL;

    (void)subscription, (void)closure;
    (void)natsConnection_GetLastError(connection, &why);
    log_info("link.error", "status=%s why=%s", natsStatus_GetText(status), why ? why : "");
}

static natsStatus set_servers(natsOptions *o, const char *const *urls)
{
    const char *list[16];
    int n = 0;

    for (; urls[n]; n++) {
        if (n == (int)(sizeof(list) / sizeof(*list)))
            return NATS_INVALID_ARG;
        list[n] = urls[n];
    }
    return natsOptions_SetServers(o, list, n);
}

/* Nothing but our CA, TLS 1.2 or later, the name of the server as in its address. */
static natsStatus set_tls(natsOptions *o, const struct link_settings *settings)
{
    natsStatus s = NATS_OK;

    if (!settings->ca && !settings->ca_pem)
        return s;
    s = natsOptions_SetSecure(o, true);
    if (s == NATS_OK)
        s = settings->ca ? natsOptions_LoadCATrustedCertificates(o, settings->ca)
                         : natsOptions_SetCATrustedCertificates(o, settings->ca_pem);
    return s;
}

static natsStatus set_waits(natsOptions *o, struct link *l)
{
    natsStatus s = natsOptions_SetAllowReconnect(o, true);

    if (s == NATS_OK)
        s = natsOptions_SetMaxReconnect(o, -1);
    if (s == NATS_OK)
        s = natsOptions_SetCustomReconnectDelay(o, wait_before, l);
    if (s == NATS_OK)
        s = natsOptions_SetRetryOnFailedConnect(o, true, on_up, l);
    if (s == NATS_OK)
        s = natsOptions_SetReconnectedCB(o, on_up, l);
    if (s == NATS_OK)
        s = natsOptions_SetDisconnectedCB(o, on_down, l);
    if (s == NATS_OK)
        s = natsOptions_SetClosedCB(o, on_closed, l);
    if (s == NATS_OK)
        s = natsOptions_SetErrorHandler(o, on_error, l);
    if (s == NATS_OK)
        s = natsOptions_SetTimeout(o, TIMEOUT_MS);
    if (s == NATS_OK)
        s = natsOptions_SetPingInterval(o, PING_MS);
    return s == NATS_OK ? natsOptions_SetMaxPingsOut(o, PINGS_OUT) : s;
}

static natsStatus set_options(struct link *l, const struct link_settings *settings)
{
    natsStatus s = natsOptions_Create(&l->options);
    natsOptions *o = l->options;

    if (s == NATS_OK)
        s = set_servers(o, settings->urls);
    if (s == NATS_OK)
        s = natsOptions_SetName(o, settings->name);
    if (s == NATS_OK)
        s = set_tls(o, settings);
    if (s == NATS_OK)
        s = natsOptions_SetUserCredentialsCallbacks(o, give_jwt, l, give_signature, l);
    if (s == NATS_OK)
        s = set_waits(o, l);
    /* Addresses come from our settings, not from the broker. */
    if (s == NATS_OK)
        s = natsOptions_SetIgnoreDiscoveredServers(o, true);
    return s == NATS_OK ? natsOptions_SetReconnectBufSize(o, (int)settings->pending_max) : s;
}

int link_open(const struct link_settings *settings, struct link **ret)
{
    _cleanup_(link_freep) struct link *l = calloc(1, sizeof(*l));
    natsStatus s;

    if (!l)
        return -ENOMEM;
    l->closed = true;
    if (pthread_mutex_init(&l->lock, NULL) != 0 || pthread_cond_init(&l->closed_cond, NULL) != 0)
        return -ENOMEM;
    l->key = settings->key;
    l->wait_max_ms = settings->wait_max_s ? settings->wait_max_s * 1000 : 1000;
    l->changed = settings->changed;
    l->context = settings->context;
    l->jwt = strdup(settings->jwt);
    if (!l->jwt)
        return -ENOMEM;
    s = set_options(l, settings);
    if (s == NATS_OK) {
        l->closed = false;
        s = natsConnection_Connect(&l->connection, l->options);
    }
    if (s == NATS_OK)
        on_up(l->connection, l);
    else if (s != NATS_NOT_YET_CONNECTED)
        l->closed = true;
    if (s != NATS_OK && s != NATS_NOT_YET_CONNECTED) {
        log_warning("link.settings", "status=%s", natsStatus_GetText(s));
        return s == NATS_NO_MEMORY ? -ENOMEM : -EINVAL;
    }
    *ret = TAKE_PTR(l);
    return 0;
}

int link_set_jwt(struct link *l, const char *jwt)
{
    char *copy = strdup(jwt), *old;

    if (!copy)
        return -ENOMEM;
    (void)pthread_mutex_lock(&l->lock);
    old = l->jwt;
    l->jwt = copy;
    (void)pthread_mutex_unlock(&l->lock);
    free(old);
    return 0;
}

natsConnection *link_connection(struct link *l)
{
    return l->connection;
}

bool link_is_up(struct link *l)
{
    return natsConnection_Status(l->connection) == NATS_CONN_STATUS_CONNECTED;
}

struct link *link_free(struct link *l)
{
    if (!l)
        return NULL;
    if (l->connection) {
        natsConnection_Close(l->connection);
        (void)pthread_mutex_lock(&l->lock);
        while (!l->closed)
            (void)pthread_cond_wait(&l->closed_cond, &l->lock);
        (void)pthread_mutex_unlock(&l->lock);
    }
    natsConnection_Destroy(l->connection);
    natsOptions_Destroy(l->options);
    (void)pthread_cond_destroy(&l->closed_cond);
    (void)pthread_mutex_destroy(&l->lock);
    free(l->jwt);
    free(l);
    return NULL;
}
