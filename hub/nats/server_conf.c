/*
 * Owns: the words of nats-server's configuration.
 * Must not: hold a secret: the file names keys and JWTs, which are public, and files.
 */
#include "hub/nats/server_conf.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"

/* In quotes; nats-server's escapes are not needed where these are refused. */
static int add_quoted(struct buf *b, const char *key, const char *value)
{
    if (!value || !text_is_printable_utf8(value) || strpbrk(value, "\"\\"))
        return -EINVAL;
    return buf_printf(b, "%s: \"%s\"\n", key, value);
}

static int add_tls(struct buf *b, const struct server_conf *c)
{
    int r;

    if (!c->certificate)
        return 0;
    r = buf_printf(b, "tls {\n");
    if (r >= 0)
        r = add_quoted(b, "cert_file", c->certificate);
    if (r >= 0)
        r = add_quoted(b, "key_file", c->key);
    if (r >= 0 && c->ca)
        r = add_quoted(b, "ca_file", c->ca);
    /* Thousands come at once after a power cut, and two processors take a while for their handshakes. TLS 1.2 is its least without
     * being told, and 2.9 cannot be told. */
    return r < 0 ? r : buf_printf(b, "timeout: 30\n}\n");
}

static int add_accounts(struct buf *b, const struct server_conf *c)
{
    char store[4096];
    int r = add_quoted(b, "operator", c->operator_jwt);

    if (strlen(c->directory) > sizeof(store) - 16)
        return -EINVAL;
    (void)snprintf(store, sizeof(store), "%s/accounts", c->directory);
    if (r >= 0)
        r = add_quoted(b, "system_account", c->system_account);
    /* What the hub changes later (revocations) it sends over the system account, and the server keeps it there. */
    if (r >= 0)
        r = buf_printf(b, "resolver {\ntype: full\nallow_delete: false\n");
    if (r >= 0)
        r = add_quoted(b, "dir", store);
    if (r >= 0)
        r = buf_printf(b, "}\nresolver_preload {\n");
    for (unsigned i = 0; r >= 0 && i < c->n_accounts; i++)
        r = add_quoted(b, c->accounts[i].public, c->accounts[i].jwt);
    return r < 0 ? r : buf_printf(b, "}\n");
}

static int add_streams(struct buf *b, const struct server_conf *c)
{
    int r =
        buf_printf(b, "jetstream {\nmax_memory_store: 64MB\nmax_file_store: %llu\n", (unsigned long long)c->store_max);

    if (r >= 0)
        r = add_quoted(b, "store_dir", c->directory);
    return r < 0 ? r : buf_printf(b, "}\n");
}

static int add_cluster(struct buf *b, const struct server_conf *c)
{
    int r;

    if (!c->cluster.name)
        return 0;
    r = buf_printf(b, "cluster {\n");
    if (r >= 0)
        r = add_quoted(b, "name", c->cluster.name);
    if (r >= 0)
        r = add_quoted(b, "host", c->cluster.address);
    if (r >= 0)
        r = buf_printf(b, "port: %u\nroutes: [\n", c->cluster.port);
    for (const char *const *route = c->cluster.routes; r >= 0 && route && *route; route++) {
        if (!text_is_printable_utf8(*route) || strpbrk(*route, "\"\\"))
            return -EINVAL;
        r = buf_printf(b, "\"%s\"\n", *route);
    }
    if (r >= 0)
        r = buf_printf(b, "]\n");
    if (r >= 0)
        r = add_tls(b, c);
    return r < 0 ? r : buf_printf(b, "}\n");
}

int server_conf_write(const struct server_conf *c, struct buf *b)
{
    int r = add_quoted(b, "server_name", c->name);

    if (r >= 0)
        r = add_quoted(b, "host", c->address);
    if (r >= 0)
        r = buf_printf(b, "port: %u\nmax_payload: %d\nmax_connections: 200000\nwrite_deadline: \"20s\"\n", c->port,
                       SERVER_CONF_PAYLOAD_MAX);
    if (r >= 0)
        r = add_tls(b, c);
    if (r >= 0)
        r = add_accounts(b, c);
    if (r >= 0)
        r = add_streams(b, c);
    return r < 0 ? r : add_cluster(b, c);
}
