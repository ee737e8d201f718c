/*
 * Owns: what a new centre consists of.
 * Must not: leave a part of one, or take a certificate that no terminal would take.
 */
#include <errno.h>
#include <fcntl.h>
#include <openssl/crypto.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/buf.h"
#include "base/files.h"
#include "hub/centre/centre.h"
#include "hub/centre/staging.h"
#include "hub/keys/keys.h"
#include "hub/nats/broker.h"
#include "hub/store/journal.h"

enum {
    CONF_MAX = 1024 * 1024,
    NAMES_SIZE = HUB_CA_NAMES_MAX * (HUB_CA_NAME_MAX + 2),
};

struct creation {
    const struct centre_settings *settings;
    const struct hub_actor *actor;
    struct staging staging;
    struct centre_made made;
    struct hub_keys wire;
};

void centre_made_done(struct centre_made *m)
{
    free(m->directory);
    free(m->head_public);
    *m = (struct centre_made){0};
}

static int64_t now_s(const struct creation *c)
{
    return c->actor->now_us / 1000000;
}

/* A folder of the new centre; the fd is the caller's. */
static int make_folder(const struct creation *c, const char *name)
{
    int fd;

    if (mkdirat(c->staging.directory, name, 0700) < 0)
        return -errno;
    fd = openat(c->staging.directory, name, O_RDONLY | O_DIRECTORY | O_CLOEXEC | O_NOFOLLOW);
    return fd < 0 ? -errno : fd;
}

static int write_text(int directory, const char *name, const char *text, mode_t mode)
{
    return files_write_atomic_at(directory, name, text, strlen(text), mode);
}

/* --- keys and certificates --- */

static int make_keys(struct creation *c, int keys)
{
    char name[512];
    int r = hub_keys_create(keys, &c->wire);

    (void)snprintf(name, sizeof(name), "%.*s (kuraban-hub)", 200, c->settings->organization);
    if (r >= 0)
        r = hub_head_create(keys, name, &c->made.head_public, &c->made.head_id);
    return r < 0 ? r : write_text(c->staging.directory, "head.pub", c->made.head_public, 0644);
}

static int write_certificates(int tls, const char *certificate, const char *key, const char *ca)
{
    int r = write_text(tls, "ca.pem", ca, 0644);

    if (r >= 0)
        r = write_text(tls, "server.pem", certificate, 0644);
    return r < 0 ? r : write_text(tls, "server.key", key, 0600);
}

static int make_certificates(const struct creation *c, int keys, int tls)
{
    _cleanup_(hub_ca_freep) struct hub_ca *ca = NULL;
    _cleanup_(hub_ca_secret_freep) char *ca_key = NULL;
    _cleanup_(hub_ca_secret_freep) char *key = NULL;
    _cleanup_free_ char *authority = NULL, *certificate = NULL;
    int r = hub_ca_new(c->settings->organization, c->settings->names, now_s(c), &ca);

    if (r >= 0)
        r = hub_ca_key(ca, &ca_key);
    if (r >= 0)
        r = write_text(keys, "ca.key", ca_key, 0600);
    if (r >= 0)
        r = hub_ca_certificate(ca, &authority);
    if (r >= 0)
        r = hub_ca_issue(ca, c->settings->names, now_s(c), &certificate, &key);
    return r < 0 ? r : write_certificates(tls, certificate, key, authority);
}

static int set_up_tls(struct creation *c, int keys)
{
    _cleanup_close_ int tls = make_folder(c, "tls");
    _cleanup_free_ char *ca = NULL;
    const struct centre_settings *s = c->settings;
    int r;

    if (tls < 0)
        return tls;
    r = s->certificate ? write_certificates(tls, s->certificate, s->key, s->ca) : make_certificates(c, keys, tls);
    if (r >= 0)
        r = files_read_text_at(tls, "ca.pem", HUB_CA_PEM_MAX, &ca);
    return r < 0 ? r : hub_ca_pin(ca, c->made.pin);
}

/* --- the broker --- */

static int write_conf(const struct creation *c, int nats, struct buf *text)
{
    char paths[4][4096];
    static const char *const names[] = {"nats/data", "tls/server.pem", "tls/server.key", "tls/ca.pem"};
    const struct broker_keys keys = {c->wire.operator, c->wire.account, c->wire.system, c->wire.terminals};
    int r;

    for (size_t i = 0; i < ELEMENTS(names); i++) {
        int n = snprintf(paths[i], sizeof(paths[i]), "%s/%s", c->staging.path, names[i]);

        if (n < 0 || (size_t)n >= sizeof(paths[i]))
            return -ENAMETOOLONG;
    }
    r = broker_write(&keys,
                     &(struct broker_settings){.organization = c->settings->organization,
                                               .address = c->settings->listen,
                                               .port = c->settings->port,
                                               .directory = paths[0],
                                               .certificate = paths[1],
                                               .key = paths[2],
                                               .ca = paths[3],
                                               .store_max = BROKER_STORE_MAX},
                     now_s(c), text);
    return r < 0 ? r : files_write_atomic_at(nats, "nats.conf", text->data, text->size, 0600);
}

static int set_up_broker(const struct creation *c)
{
    _cleanup_close_ int nats = make_folder(c, "nats");
    struct buf text;
    int r;

    if (nats < 0)
        return nats;
    if (mkdirat(nats, "data", 0700) < 0)
        return -errno;
    buf_init(&text, CONF_MAX);
    r = write_conf(c, nats, &text);
    buf_done(&text);
    return r;
}

/* --- what it knows --- */

static int join_names(const char *const *names, char *ret, size_t size)
{
    size_t n = 0;

    *ret = '\0';
    for (; *names && n < size; names++)
        n += (size_t)snprintf(ret + n, size - n, "%s%s", n > 0 ? " " : "", *names);
    return n < size ? 0 : -EINVAL;
}

static int write_settings(const struct creation *c, struct hub_store *store)
{
    char names[NAMES_SIZE], port[8], https_port[8];
    const char *const values[][2] = {
        {"organization", c->settings->organization},
        {"addresses", names},
        {"listen", c->settings->listen},
        {"port", port},
        {"https-listen", c->settings->https ? c->settings->https : CENTRE_HTTPS_ADDRESS},
        {"https-port", https_port},
        {"ca-pin", c->made.pin},
    };
    int r = join_names(c->settings->names, names, sizeof(names));

    (void)snprintf(port, sizeof(port), "%u", c->settings->port);
    (void)snprintf(https_port, sizeof(https_port), "%u",
                   c->settings->https_port ? c->settings->https_port : CENTRE_HTTPS_PORT);
    for (size_t i = 0; r >= 0 && i < ELEMENTS(values); i++)
        r = hub_setting_set(store, values[i][0], values[i][1]);
    return r < 0 ? r : hub_journal_add(store, c->actor, "init", c->settings->organization, NULL);
}

static int make_store(const struct creation *c)
{
    _cleanup_(hub_store_freep) struct hub_store *store = NULL;
    int r = hub_store_create(c->staging.directory, c->actor->now_us, &store);

    if (r >= 0)
        r = hub_store_begin(store);
    if (r >= 0)
        r = write_settings(c, store);
    if (r >= 0)
        r = hub_store_commit(store);
    return r;
}

/* --- all of it --- */

static int fill(struct creation *c)
{
    _cleanup_close_ int keys = make_folder(c, "keys");
    int r = keys < 0 ? keys : make_keys(c, keys);

    if (r >= 0)
        r = set_up_tls(c, keys);
    if (r >= 0)
        r = set_up_broker(c);
    return r < 0 ? r : make_store(c);
}

static int result_of(int staging)
{
    return staging == STAGING_E_TAKEN ? CENTRE_E_NOT_EMPTY : staging == STAGING_E_BUSY ? CENTRE_E_BUSY : staging;
}

static int create(struct creation *c)
{
    int r = staging_begin(c->settings->directory, &c->staging);

    if (r != 0)
        return result_of(r);
    c->made.directory = strdup(c->staging.path);
    r = c->made.directory ? fill(c) : -ENOMEM;
    if (r >= 0)
        r = result_of(staging_commit(&c->staging));
    staging_end(&c->staging);
    hub_keys_done(&c->wire);
    return r;
}

int centre_create(const struct centre_settings *settings, const struct hub_actor *actor, struct centre_made *ret,
                  struct centre_complaint *complaint)
{
    struct creation c = {.settings = settings, .actor = actor};
    int r = HUB_CA_GOOD;

    if (settings->certificate)
        r = hub_ca_check(settings->certificate, settings->key, settings->ca, settings->names, now_s(&c),
                         &complaint->detail);
    if (r != HUB_CA_GOOD) {
        complaint->verdict = r < 0 ? HUB_CA_GOOD : (enum hub_ca_verdict)r;
        return r < 0 ? r : CENTRE_E_CERTIFICATES;
    }
    r = create(&c);
    if (r == CENTRE_OK)
        *ret = c.made;
    else
        centre_made_done(&c.made);
    return r;
}
