#pragma once

#include <stdbool.h>
#include <stdint.h>

/*
 * How often one address may ask: a bucket each, filled again over time. IPv6 counts by its first 64 bits, which one machine has for itself.
 * A fixed number of buckets: when all are taken, the one that was used longest ago is given away, so that memory never grows.
 */

struct sockaddr;
struct rate;

enum {
    RATE_BUCKETS = 1024,
    RATE_CAPACITY = 120, /* requests at once */
    RATE_PER_SECOND = 2, /* and from then on */
    RATE_REFUSED = 10,   /* what one costs that was refused: who guesses is slow soon */
};

int rate_new(struct rate **ret); /* 0 or -ENOMEM */
struct rate *rate_free(struct rate *r);
/* May it ask now? If so, one request is taken from what it has. now_us: any clock that does not go back. */
bool rate_take(struct rate *r, const struct sockaddr *address, uint64_t now_us);
/* Takes `cost` more, down to nothing. */
void rate_charge(struct rate *r, const struct sockaddr *address, unsigned cost, uint64_t now_us);
