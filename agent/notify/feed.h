#pragma once

struct json_t;
struct sd_event;

/* The connection to kuraband: NOTICES of docs/PROTOCOL.control.md, made again with pauses when it ends. */
struct feed;

struct feed_options {
    struct sd_event *loop;
    const char *run_directory; /* borrowed */
    void (*notice)(void *context, const struct json_t *notice);
    void *context;
};

int feed_new(const struct feed_options *options,
             struct feed **ret); /* 0 or -errno; that nobody answers yet is no error */
struct feed *feed_free(struct feed *f);
