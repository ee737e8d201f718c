#pragma once

#include <stdbool.h>

#include "audit/audit.h"

/*
 * How many different opens of one person are recorded each. Who varies the path or the program with every try escapes folding,
 * and would fill the disk, push others' records out of the gate's ring and, with when-full: drop-oldest, what was recorded
 * before. Past the limit of a window the opens are counted in one event without path and program. So are files that are refused to exports, and
 * refused requests for grants and for exports that did not begin, which hold a text that the person chose, and codes that were not looked at. Pure,
 * no allocation.
 */
enum {
    FLOOD_PERSONS = 64 /* of more at the same time, the rest share one limit */
};

enum flood_kind {
    FLOOD_ALLOWED = 0, /* opens */
    FLOOD_REFUSED,     /* with files of exports */
    FLOOD_REQUESTS,
    FLOOD_KINDS
};

struct flood_person {
    bool used;
    enum flood_kind kind;
    uid_t uid;
    uint64_t window_start_us;
    uint32_t passed;
};

struct flood {
    uint32_t limits[FLOOD_KINDS]; /* per window and person */
    uint64_t window_us;
    struct flood_person persons[FLOOD_PERSONS + 1]; /* the last one is shared */
};

/* May e be recorded by itself? Counts nothing. */
bool flood_is_below(struct flood *f, const struct audit_event *e, uint64_t now_us);
/* e is recorded by itself. */
void flood_count(struct flood *f, const struct audit_event *e, uint64_t now_us);
/* What is counted instead of e: the same but for what the person may choose. */
void flood_summarize(const struct audit_event *e, struct audit_event *ret);
