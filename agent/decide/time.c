/*
 * Turns a moment into the local day and minute that rules speak of. The only part of decide/ that is not pure.
 */
#include <time.h>

#include "decide/decide.h"

void decide_time_not_before(struct decide_time *t, int64_t floor_us)
{
    if (t->wall_us < floor_us)
        t->wall_us = floor_us;
}

void decide_time_local(int64_t wall_us, struct decide_time *ret)
{
    time_t seconds = (time_t)(wall_us / 1000000);
    struct tm tm = {0};

    (void)localtime_r(&seconds, &tm);
    *ret = (struct decide_time){
        .wall_us = wall_us,
        .weekday = (uint8_t)((tm.tm_wday + 6) % 7), /* tm_wday counts from Sunday */
        .minute = (int16_t)(tm.tm_hour * 60 + tm.tm_min),
    };
}
