#pragma once

#include <nats/nats.h>

#include "hub/rollout/work.h"

/*
 * Subjects and what stands on them in the broker's streams. What a subject is said to hold is published where it holds something else, once.
 * One of these is used by one thread.
 */

struct publisher;

/* js: borrowed. */
int publisher_new(natsConnection *connection, struct publisher **ret);
struct publisher *publisher_free(struct publisher *p);
/* As rollout_wire wants it; context: the publisher. 0, or -EIO: not now. */
int publisher_put(void *publisher, const char *subject, const void *bytes, size_t size, const struct digest *digest);
/* Waits until the broker has stored what was put. 0, or -EIO: what it has is not known any more, and is asked again. */
int publisher_finish(struct publisher *p);
/* The broker may be another one, or its streams were put back. */
void publisher_forget(struct publisher *p);

DEFINE_CLEANUP(struct publisher *, publisher_free);
