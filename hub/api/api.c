/*
 * Owns: the server and its thread: how many may be connected, and for how long.
 * Must not: know what is asked; that is its routes'.
 *
 * The server's own threads end no connection that goes on a byte at a time, so its loop is run here and looks at each connection's age.
 */
#include "hub/api/api.h"

#include <arpa/inet.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "hub/api/internal.h"

enum {
    HEADERS_MAX = 32 * 1024, /* bytes a connection has for them */
    TICK_MS = 1000,
};

static const char priorities[] = "NORMAL:-VERS-ALL:+VERS-TLS1.3:+VERS-TLS1.2:%SERVER_PRECEDENCE";

/* --- connections --- */

static void on_connection(void *context, struct MHD_Connection *c, void **state,
                          enum MHD_ConnectionNotificationCode why)
{
    struct hub_api *a = context;
    struct connection *k = *state;
    const union MHD_ConnectionInfo *info;

    if (why == MHD_CONNECTION_NOTIFY_CLOSED) {
        if (k) {
            *k->link = k->next;
            if (k->next)
                k->next->link = k->link;
        }
        free(k);
        *state = NULL;
        return;
    }
    info = MHD_get_connection_info(c, MHD_CONNECTION_INFO_CONNECTION_FD);
    k = info ? calloc(1, sizeof(*k)) : NULL;
    if (!k)
        return; /* its idle time still ends it */
    *k = (struct connection){
        .fd = info->connect_fd, .since_us = clock_boottime_us(), .next = a->connections, .link = &a->connections};
    if (k->next)
        k->next->link = &k->next;
    a->connections = k;
    *state = k;
}

/* The server closes what was shut down. */
static void end_old_ones(struct hub_api *a)
{
    uint64_t now = clock_boottime_us();

    for (struct connection *k = a->connections; k; k = k->next)
        if (now - k->since_us > HUB_API_CONNECTION_S * UINT64_C(1000000))
            (void)shutdown(k->fd, SHUT_RDWR);
}

/* --- the thread --- */

static int wait_ms(const struct hub_api *a)
{
    MHD_UNSIGNED_LONG_LONG ms = TICK_MS;

    return MHD_get_timeout(a->server, &ms) == MHD_YES && ms < TICK_MS ? (int)ms : TICK_MS;
}

static void *serve(void *context)
{
    struct hub_api *a = context;
    struct pollfd fds[] = {{.fd = a->stop, .events = POLLIN}, {.fd = a->poll, .events = POLLIN}};

    for (;;) {
        int r = poll(fds, ELEMENTS(fds), wait_ms(a));

        if (r < 0 && errno != EINTR)
            log_error("api.poll", "error=%s", strerrordesc_np(errno));
        if (r > 0 && fds[0].revents)
            return NULL;
        (void)MHD_run(a->server);
        end_old_ones(a);
    }
}

/* Signals are the main thread's. */
static int start_thread(struct hub_api *a)
{
    sigset_t all, old;
    int r;

    (void)sigfillset(&all);
    r = pthread_sigmask(SIG_SETMASK, &all, &old);
    if (r == 0) {
        r = pthread_create(&a->thread, NULL, serve, a);
        (void)pthread_sigmask(SIG_SETMASK, &old, NULL);
    }
    return -r;
}

/* --- listening --- */

static int parse_address(const struct hub_api_settings *s, struct sockaddr_storage *ret, unsigned *ret_flags)
{
    struct sockaddr_in *four = (struct sockaddr_in *)(void *)ret;
    struct sockaddr_in6 *six = (struct sockaddr_in6 *)(void *)ret;

    *ret = (struct sockaddr_storage){0};
    *ret_flags = 0;
    if (inet_pton(AF_INET, s->address, &four->sin_addr) == 1) {
        four->sin_family = AF_INET;
        four->sin_port = htons(s->port);
        return (int)sizeof(*four);
    }
    if (inet_pton(AF_INET6, s->address, &six->sin6_addr) != 1)
        return -EINVAL;
    six->sin6_family = AF_INET6;
    six->sin6_port = htons(s->port);
    *ret_flags = IN6_IS_ADDR_UNSPECIFIED(&six->sin6_addr) ? MHD_USE_DUAL_STACK : MHD_USE_IPv6;
    return (int)sizeof(*six);
}

/* Bound here: the server tells no reason when it cannot. */
static int listen_at(const struct hub_api_settings *s, unsigned *ret_flags)
{
    struct sockaddr_storage address;
    int size = parse_address(s, &address, ret_flags), on = 1, off = 0;
    _cleanup_close_ int fd = -1;

    if (size < 0)
        return size;
    fd = socket(address.ss_family, SOCK_STREAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    if (fd < 0 || setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, &on, sizeof(on)) < 0)
        return -errno;
    if (*ret_flags == MHD_USE_DUAL_STACK && setsockopt(fd, IPPROTO_IPV6, IPV6_V6ONLY, &off, sizeof(off)) < 0)
        return -errno;
    if (bind(fd, (const struct sockaddr *)&address, (socklen_t)size) < 0 || listen(fd, SOMAXCONN) < 0)
        return -errno;
    return TAKE_FD(fd);
}

static void on_log(void *context, const char *fmt, va_list args) __attribute__((format(printf, 2, 0)));
static void on_log(void *context, const char *fmt, va_list args)
{
    _cleanup_free_ char *text = text_vformat(fmt, args);

    (void)context;
    log_debug("api.server", "message=%s", text ? text : "-");
}

static int start_server(struct hub_api *a, const struct hub_api_settings *s)
{
    unsigned flags = 0;
    int fd = listen_at(s, &flags);
    const union MHD_DaemonInfo *info;

    if (fd < 0)
        return fd;
    a->server = MHD_start_daemon(
        MHD_USE_EPOLL | MHD_USE_TLS | MHD_USE_ERROR_LOG | flags, s->port, NULL, NULL, api_on_request, a,
        MHD_OPTION_EXTERNAL_LOGGER, on_log, NULL, MHD_OPTION_LISTEN_SOCKET, fd, MHD_OPTION_HTTPS_MEM_KEY, s->key,
        MHD_OPTION_HTTPS_MEM_CERT, s->certificate, MHD_OPTION_HTTPS_PRIORITIES, priorities, MHD_OPTION_CONNECTION_LIMIT,
        (unsigned)HUB_API_CONNECTIONS_MAX, MHD_OPTION_PER_IP_CONNECTION_LIMIT, (unsigned)HUB_API_PER_ADDRESS_MAX,
        MHD_OPTION_CONNECTION_TIMEOUT, (unsigned)HUB_API_IDLE_S, MHD_OPTION_CONNECTION_MEMORY_LIMIT,
        (size_t)HEADERS_MAX, MHD_OPTION_STRICT_FOR_CLIENT, 1, MHD_OPTION_NOTIFY_CONNECTION, on_connection, a,
        MHD_OPTION_NOTIFY_COMPLETED, api_on_completed, a, MHD_OPTION_END);
    if (!a->server) {
        (void)close(fd);
        return -EBADMSG;
    }
    info = MHD_get_daemon_info(a->server, MHD_DAEMON_INFO_EPOLL_FD);
    a->poll = info ? info->epoll_fd : -1;
    return a->poll < 0 ? -EIO : 0;
}

static struct hub_api *clear(struct hub_api *a)
{
    if (a->server)
        MHD_stop_daemon(a->server);
    (void)close_fd(a->stop);
    (void)rate_free(a->rate);
    free(a);
    return NULL;
}

int hub_api_start(const struct hub_api_settings *settings, struct hub_api **ret)
{
    struct hub_api *a = calloc(1, sizeof(*a));
    int r;

    if (!a)
        return -ENOMEM;
    a->poll = -1;
    a->routes = settings->routes;
    a->n_routes = settings->n_routes;
    a->stop = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    r = a->stop < 0 ? -errno : rate_new(&a->rate);
    if (r >= 0)
        r = start_server(a, settings);
    if (r >= 0)
        r = start_thread(a);
    if (r < 0) {
        (void)clear(a);
        return r;
    }
    *ret = a;
    return 0;
}

struct hub_api *hub_api_stop(struct hub_api *a)
{
    const uint64_t one = 1;

    if (!a)
        return NULL;
    (void)!write(a->stop, &one, sizeof(one));
    (void)pthread_join(a->thread, NULL);
    return clear(a);
}
