#pragma once

#include <stdbool.h>

struct policy_when;

/* Is this minute (of the local day; 0…1439) of this day (0 Monday … 6 Sunday) within the days and hours? */
bool when_holds(const struct policy_when *when, unsigned day, int minute);
/* Is every moment of `later` one of `first`? */
bool when_covers(const struct policy_when *first, const struct policy_when *later);
