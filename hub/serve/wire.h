#pragma once

#include "hub/serve/serve.h"

/* The hub's own connection to the broker, and the streams there. */

struct wire;

struct wire_settings {
    sd_event *event;
    const struct centre *centre;
    const struct hub_keys *keys;
    const char *const *brokers; /* as in hub_serve_settings */
    /* In the main thread. true each time it is connected anew and the streams are as they must be. */
    void (*changed)(void *context, bool up);
    void *context;
};

/* 0: under way. */
int wire_open(const struct wire_settings *settings, struct wire **ret);
struct link *wire_link(struct wire *w);
struct wire *wire_free(struct wire *w);

DEFINE_CLEANUP(struct wire *, wire_free);
