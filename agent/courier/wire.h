#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "policy/fleet/names.h"
#include "policy/fleet/wire_key.h"

struct sd_event;

/*
 * The broker, for a loop that never waits for it: a thread of its own connects, subscribes and publishes, and what libnats calls back from its
 * threads is handed over through a bounded queue. What does not fit is dropped: everything that the wire carries is asked for again.
 */
struct wire;

struct wire_options {
    struct sd_event *loop;
    const char *terminal;       /* its id */
    const char *const *groups;  /* names */
    size_t n_groups;            /* at most WIRE_GROUPS_MAX */
    const char *const *urls;    /* ended by NULL */
    const char *jwt, *ca;       /* ca: PEM */
    const struct wire_key *key; /* borrowed as long as the wire lives */
    unsigned wait_max_s;        /* between attempts, and before the first: up to this, at random */
    void (*changed)(void *context, bool up);
    /* A policy, a command or an ack. bytes: NUL-terminated past size, as long as the call. */
    void (*message)(void *context, const struct fleet_place *place, const uint8_t *bytes, size_t size);
    /* What became of wire_publish(): the stream has it, or not. A lost answer is never told. */
    void (*stored)(void *context, uint64_t ticket, bool stored);
    void *context;
};

enum {
    WIRE_GROUPS_MAX = 16,
    WIRE_QUEUE_BYTES = 8 * 1024 * 1024, /* of messages that wait for the loop, and as many that wait for the broker */
    WIRE_QUEUE_MESSAGES = 256,
};

/* What is given is copied, but for the key. 0 or -errno: under way. */
int wire_new(const struct wire_options *options, struct wire **ret);
/* Waits until nothing is called back any more. */
struct wire *wire_free(struct wire *w);

/* id: Nats-Msg-Id, NULL none. 0; -ENOBUFS: too much waits already; -ENOMEM. */
int wire_publish(struct wire *w, const char *subject, const char *id, const void *bytes, size_t size, uint64_t ticket);
/* Asks for the last message of each subject that is this terminal's or its groups'. */
int wire_ask(struct wire *w);

/* wire_ack.c: does JetStream's answer say that it is stored? Anything that is not understood does not. */
bool wire_is_stored(const char *bytes, size_t size);

DEFINE_CLEANUP(struct wire *, wire_free);
