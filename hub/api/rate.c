/* Owns: how much each address has left. Must not: read a clock, or grow. */
#include "hub/api/rate.h"

#include <errno.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

static const uint64_t SECOND_US = 1000000;

struct bucket {
    uint8_t key[9]; /* family's size, and the address; 0: free */
    uint64_t at_us;
    double left;
};

struct rate {
    struct bucket buckets[RATE_BUCKETS];
};

int rate_new(struct rate **ret)
{
    struct rate *r = calloc(1, sizeof(*r));

    if (!r)
        return -ENOMEM;
    *ret = r;
    return 0;
}

struct rate *rate_free(struct rate *r)
{
    free(r);
    return NULL;
}

static void key_of(const struct sockaddr *address, uint8_t ret[static 9])
{
    const struct sockaddr_in *four = (const struct sockaddr_in *)(const void *)address;
    const struct sockaddr_in6 *six = (const struct sockaddr_in6 *)(const void *)address;

    memset(ret, 0, 9);
    ret[0] = 4;
    if (address->sa_family == AF_INET) {
        memcpy(ret + 1, &four->sin_addr, 4);
    } else if (address->sa_family == AF_INET6 && IN6_IS_ADDR_V4MAPPED(&six->sin6_addr)) {
        memcpy(ret + 1, six->sin6_addr.s6_addr + 12, 4);
    } else if (address->sa_family == AF_INET6) {
        ret[0] = 8;
        memcpy(ret + 1, six->sin6_addr.s6_addr, 8);
    } else {
        ret[0] = 1; /* all others together */
    }
}

static struct bucket *find(struct rate *r, const struct sockaddr *address, uint64_t now_us)
{
    struct bucket *oldest = &r->buckets[0];
    uint8_t key[9];

    key_of(address, key);
    for (size_t i = 0; i < RATE_BUCKETS; i++) {
        struct bucket *b = &r->buckets[i];

        if (memcmp(b->key, key, sizeof(key)) == 0)
            return b;
        if (b->at_us < oldest->at_us)
            oldest = b;
    }
    memcpy(oldest->key, key, sizeof(key));
    oldest->at_us = now_us;
    oldest->left = RATE_CAPACITY;
    return oldest;
}

static struct bucket *refill(struct rate *r, const struct sockaddr *address, uint64_t now_us)
{
    struct bucket *b = find(r, address, now_us);

    if (now_us > b->at_us) {
        b->left += (double)(now_us - b->at_us) * RATE_PER_SECOND / (double)SECOND_US;
        if (b->left > RATE_CAPACITY)
            b->left = RATE_CAPACITY;
        b->at_us = now_us;
    }
    return b;
}

bool rate_take(struct rate *r, const struct sockaddr *address, uint64_t now_us)
{
    struct bucket *b = refill(r, address, now_us);

    if (b->left < 1)
        return false;
    b->left -= 1;
    return true;
}

void rate_charge(struct rate *r, const struct sockaddr *address, unsigned cost, uint64_t now_us)
{
    struct bucket *b = refill(r, address, now_us);

    b->left = b->left > cost ? b->left - cost : 0;
}
