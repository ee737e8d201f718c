#pragma once

#include <stdbool.h>
#include <stdint.h>

struct daemon;
struct rulebook;

/* What ends: the policy, the head that selected it, the root that says who may sign. What is over is still enforced; it is told. */
enum expiry_kind {
    EXPIRY_POLICY = 0,
    EXPIRY_HEAD,
    EXPIRY_ROOT,
    EXPIRY_COUNT_,
};

struct expiry {
    int64_t until_us; /* wall clock; 0: without an end, or there is none of its kind */
    int64_t
        soon_us; /* from then on the end is near: 30 days before; for a head, whose life is short, a quarter of it */
};

void expiry_read(const struct rulebook *b, struct expiry ret[static EXPIRY_COUNT_]);
bool expiry_is_over(const struct expiry *e, int64_t now_us);
bool expiry_is_soon(const struct expiry *e, int64_t now_us);
/* Is the end new to who remembers the ends that were told? Then it is remembered. By the end itself: a clock that is set back and forth
 * does not make it happen again, another document's end is another. */
bool expiry_is_news(const struct expiry *e, int64_t now_us, int64_t *told_us);
/* One alarm for each end that has come since it was last looked: at start, with each tick, after a new policy. */
void expiry_watch(struct daemon *d);
