#pragma once

#include <stdint.h>

struct json_t;
struct sd_event;

/* A connection to kuraband whose answers go on (docs/PROTOCOL.control.md: WATCH, NOTICES, FLEET-WATCH), made again with pauses when it ends. */
struct feed;

struct feed_options {
    struct sd_event *loop;
    const char *run_directory; /* borrowed */
    uint16_t request;          /* without fields */
    void (*notice)(void *context, const struct json_t *notice);
    void (*lost)(void *context); /* it has ended; NULL: not told */
    void *context;
};

int feed_new(const struct feed_options *options,
             struct feed **ret); /* 0 or -errno; that nobody answers yet is no error */
struct feed *feed_free(struct feed *f);
