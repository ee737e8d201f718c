/*
 * Owns: filling in an event before it is handed to the journal.
 * Must not: allocate or block; the gate calls this on its way to its ring.
 */
#include "audit/audit.h"

#include <string.h>

#include "base/clock.h"

void audit_event_init(struct audit_event *e, enum audit_action action)
{
    memset(e, 0, sizeof(*e));
    e->action = action;
    e->wall_us = clock_wall_us();
    e->boottime_us = clock_boottime_us();
}

void audit_set(char *field, size_t size, const char *value)
{
    static const char cut[] = "…";
    size_t length = value ? strlen(value) : 0, keep;

    if (size == 0)
        return;
    if (length < size) {
        if (length > 0)
            memcpy(field, value, length);
        field[length] = 0;
        return;
    }
    if (size < sizeof(cut)) {
        field[0] = 0;
        return;
    }
    keep = size - sizeof(cut);
    while (keep > 0 && ((unsigned char)value[keep] & 0xc0) == 0x80)
        keep--; /* not between the bytes of one character */
    memcpy(field, value, keep);
    memcpy(field + keep, cut, sizeof(cut));
}
