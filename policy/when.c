/*
 * Owns: what days and hours mean, for decisions and for comparing rules alike. Must not: read a clock or know a time zone.
 */
#include "policy/when.h"

#include "policy/policy.h"

bool when_holds(const struct policy_when *when, unsigned day, int minute)
{
    if (!when->restricted)
        return true;
    if (when->from >= 0 && when->to >= 0) {
        if (when->from <= when->to) {
            if (minute < when->from || minute >= when->to)
                return false;
        } else if (minute < when->to) {
            day = (day + 6) % 7; /* past midnight: the night that began the day before */
        } else if (minute < when->from) {
            return false;
        }
    }
    return when->days == 0 || (when->days & (1U << day)) != 0;
}

/* Between these minutes nothing changes, so that it suffices to look at them. */
bool when_covers(const struct policy_when *first, const struct policy_when *later)
{
    const int minutes[] = {0, first->from, first->to, later->from, later->to};

    for (unsigned day = 0; day < 7; day++)
        for (unsigned i = 0; i < sizeof(minutes) / sizeof(minutes[0]); i++)
            if (minutes[i] >= 0 && minutes[i] < 24 * 60 && when_holds(later, day, minutes[i]) &&
                !when_holds(first, day, minutes[i]))
                return false;
    return true;
}
