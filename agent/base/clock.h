#pragma once

#include <stdbool.h>
#include <stdint.h>

/* Time comes in as a parameter; only programs' mains and loops read it here. */
uint64_t clock_boottime_us(void);
int64_t clock_wall_us(void); /* microseconds since 1970 UTC */

/* Asks until the answer is true or the budget is used up, at least once, then every few milliseconds; the last answer. What was
 * used is taken off the budget, never below 0. Blocks: only for what the kernel is about to finish. */
bool clock_wait_until(int64_t *budget_us, bool (*condition)(void *context), void *context);

enum {
    CLOCK_RFC3339_SIZE = 96
};
/* UTC with microseconds, "2026-11-23T01:02:03.000004Z". The size is what the compiler can prove, not what is used. */
void clock_format_rfc3339(int64_t wall_us, char ret[static CLOCK_RFC3339_SIZE]);
/* RFC 3339 date-time with offset, or a bare date (00:00:00 local time). 0 or -EINVAL. */
int clock_parse_rfc3339(const char *text, int64_t *ret_wall_us);
