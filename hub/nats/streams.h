#pragma once

#include <stddef.h>
#include <stdint.h>

/*
 * The broker's streams: what is kept of each subject, for how long, and that a terminal may ask for the last one. Settings that are not named
 * here (replicas, placement, sizes) are the broker's administrators' to change. https://docs.nats.io/nats-concepts/jetstream/streams
 */

struct stream {
    const char *name;
    const char *settings; /* JSON: as they must be */
    const char *first;    /* JSON: with which it is made, besides; not looked at later */
};

enum {
    STREAM_COUNT = 5,
    STREAM_ANSWER_MAX = 1024 * 1024, /* bytes; nothing longer is read */
};
extern const struct stream streams[STREAM_COUNT];

enum stream_verdict {
    STREAM_GOOD = 0,
    STREAM_E_MISSING, /* *ret_request is for STREAM.CREATE */
    STREAM_E_OTHER,   /* it has other settings: *ret_request is for STREAM.UPDATE, what is not ours as it was */
    STREAM_E_REFUSED, /* the broker's error, or no answer of a broker */
};

/* What the broker's answer to STREAM.INFO, .CREATE or .UPDATE says of this stream. enum stream_verdict or -ENOMEM. ret_request: the caller's
 * to free(), NULL where there is none. */
int stream_judge(const struct stream *stream, const char *answer, size_t size, char **ret_request);
