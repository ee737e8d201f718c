#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/queue.h>

#include "base/buf.h"
#include "base/log.h"
#include "ctl/leaving.h"
#include "ctl/server.h"

struct sd_event_source;

/* For connection.c and server.c only. */

enum {
    CTL_IDLE_LIMIT_US = 30 * 1000000
};

/* One peer and the request it has at work. */
struct connection {
    TAILQ_ENTRY(connection) link;
    struct ctl_server *server;
    struct ctl_peer peer;
    int fd;
    int passed;      /* the fd that came with the frame in `in`; -1 none */
    bool unwanted;   /* one came that is not taken; nothing is read after it */
    uint16_t stream; /* the request whose answers go on; 0 none */
    struct sd_event_source *io, *idle;
    struct buf in, out;
    size_t sent;     /* bytes of out that are gone already */
    int passing;     /* goes with the next byte of out; -1 none */
    uint64_t calls;  /* ticket of the newest call */
    uint64_t ticket; /* of the call whose answer comes later; 0 none */
};

struct listener {
    struct ctl_server *server;
    int fd;
    struct sd_event_source *accept, *again;
};

struct ctl_server {
    struct sd_event *loop;
    struct listener people, root;
    const struct ctl_verb *verbs;
    size_t n_verbs;
    void *context;
    uid_t courier; /* (uid_t)-1: nobody */
    TAILQ_HEAD(, connection) connections;
    struct leaving leaving;
    uint64_t calls; /* tickets given out */
    struct log_limit logged;
};

uint64_t ctl_server_now_us(const struct ctl_server *s);
/* One line in a while about peers that misbehave. */
void ctl_server_log_peer(struct ctl_server *s, const char *id, const struct ctl_peer *peer, const char *reason);

/* Closes an accepted socket of whom we owe nothing. */
void connection_close(struct ctl_server *s, int fd, const struct ctl_peer *peer);
/* Takes over fd and peer->pidfd, on errors as well. */
int connection_new(struct ctl_server *s, int fd, const struct ctl_peer *peer);
void connection_drop(struct connection *c);
/* Sends, or keeps what the socket does not take. Negative: the peer is gone, drop it. */
int connection_answer(struct connection *c, uint32_t code, struct json_t *answer);
