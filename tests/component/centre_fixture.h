#pragma once

#include "component/broker_fixture.h"

#include <string.h>

#include "hub/keys/keys.h"
#include "hub/nats/broker.h"

/* A centre as `kuraban-hub init` makes it, its broker, and who connects to it over TLS. */

struct centre_run {
    pid_t broker;
    uint16_t port, https;
    char directory[64], place[80], ca[128], conf[128], log[128];
    struct hub_keys keys;
    struct broker_keys signers;
};

static inline int64_t centre_now(void)
{
    return time(NULL);
}

static inline void centre_start_broker(struct centre_run *b)
{
    b->broker = broker_run(b->conf, b->log);
}

static inline void centre_begin(struct centre_run *b)
{
    char command[512], keys[128];
    int fd;

    *b = (struct centre_run){0};
    (void)snprintf(b->directory, sizeof(b->directory), "/tmp/kuraban-hub.XXXXXX");
    assert_non_null(mkdtemp(b->directory));
    b->port = broker_free_port();
    b->https = broker_free_port();
    (void)snprintf(b->place, sizeof(b->place), "%s/centre", b->directory);
    (void)snprintf(command, sizeof(command),
                   "%s/bin/kuraban-hub --directory %s init --organization matsudo.example --address hub.example"
                   " --listen 0.0.0.0:%u --https 127.0.0.1:%u > %s/out",
                   getenv("KURABAN_BUILD"), b->place, b->port, b->https, b->directory);
    assert_int_equal(system(command), 0);
    (void)snprintf(b->ca, sizeof(b->ca), "%s/tls/ca.pem", b->place);
    (void)snprintf(b->conf, sizeof(b->conf), "%s/nats/nats.conf", b->place);
    (void)snprintf(b->log, sizeof(b->log), "%s/log", b->directory);
    (void)snprintf(keys, sizeof(keys), "%s/keys", b->place);
    fd = open(keys, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
    assert_int_equal(hub_keys_read(fd, &b->keys), 0);
    (void)close(fd);
    b->signers = (struct broker_keys){b->keys.operator, b->keys.account, b->keys.system, b->keys.terminals};
    centre_start_broker(b);
}

static inline int centre_end(struct centre_run *b)
{
    char command[128];

    broker_kill(b->broker);
    hub_keys_done(&b->keys);
    (void)snprintf(command, sizeof(command), "rm -rf %s", b->directory);
    return system(command);
}

struct centre_client {
    struct wire_key *key; /* NULL: the hub's */
    struct link *link;
};

/* terminal NULL: as the hub. */
static inline struct centre_client centre_connect(struct centre_run *b, const char *host, const char *ca,
                                                  const char *terminal)
{
    static const char *const groups[] = {"kazei", NULL};
    char url[128], *jwt = NULL;
    const char *urls[] = {url, NULL};
    struct centre_client c = {0};
    struct link_settings s = {.urls = urls, .name = "test", .ca = ca, .pending_max = 65536, .key = b->keys.hub};

    (void)snprintf(url, sizeof(url), "tls://%s:%u", host, b->port);
    if (terminal) {
        assert_int_equal(wire_key_new(NKEY_USER, &c.key), 0);
        s.key = c.key;
        assert_int_equal(
            broker_terminal_jwt(&b->signers, terminal, wire_key_public(c.key), groups, centre_now(), 0, &jwt), 0);
    } else {
        assert_int_equal(broker_hub_jwt(&b->signers, wire_key_public(b->keys.hub), centre_now(), 0, &jwt), 0);
    }
    s.jwt = jwt;
    assert_int_equal(link_open(&s, &c.link), 0);
    free(jwt);
    return c;
}

static inline void centre_leave(struct centre_client *c)
{
    c->link = link_free(c->link);
    c->key = wire_key_free(c->key);
}

/* A process of kuraban-hub of this centre, what it says in `log`; arguments behind the directory, ended by NULL. */
static inline pid_t centre_run_hub(struct centre_run *b, const char *log, const char *const *arguments)
{
    char program[512];
    const char *argv[16] = {program, "--directory", b->place};
    pid_t pid;

    (void)snprintf(program, sizeof(program), "%s/bin/kuraban-hub", getenv("KURABAN_BUILD"));
    for (int i = 0; arguments[i]; i++)
        argv[3 + i] = arguments[i];
    pid = fork();
    if (pid == 0) {
        int fd = open(log, O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0600);

        (void)dup2(fd, 2);
        (void)execv(program, (char *const *)argv);
        _exit(127);
    }
    return pid;
}
