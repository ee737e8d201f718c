/*
 * Owns: filling in an event before it is handed to the journal.
 * Must not: block, nor allocate but for the digest of a value that is cut.
 */
#include "audit/audit.h"

#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/digest.h"

enum {
    CUT_DIGEST_FROM = 256, /* bytes of a field */
    CUT_DIGITS = 16,
    CUT_SIZE = 32,
};

void audit_event_init(struct audit_event *e, enum audit_action action)
{
    memset(e, 0, sizeof(*e));
    e->action = action;
    e->wall_us = clock_wall_us();
    e->boottime_us = clock_boottime_us();
}

/* What stands where a value was cut. Long fields (paths) also get the start of the value's digest: whoever chooses names must not be
 * able to make two of them one. */
static size_t format_cut(char *cut, size_t size, const char *value, size_t length)
{
    char hex[DIGEST_HEX_SIZE] = "";
    struct digest d;

    if (size >= CUT_DIGEST_FROM && digest_bytes(value, length, &d) >= 0)
        digest_to_hex(&d, hex);
    return (size_t)snprintf(cut, CUT_SIZE, "…%.*s", CUT_DIGITS, hex);
}

void audit_set(char *field, size_t size, const char *value)
{
    char cut[CUT_SIZE];
    size_t length = value ? strlen(value) : 0, keep, cut_length;

    if (size == 0)
        return;
    if (length < size) {
        if (length > 0)
            memcpy(field, value, length);
        field[length] = 0;
        return;
    }
    cut_length = format_cut(cut, size, value, length);
    if (size <= cut_length) {
        field[0] = 0;
        return;
    }
    keep = size - cut_length - 1;
    while (keep > 0 && ((unsigned char)value[keep] & 0xc0) == 0x80)
        keep--; /* not between the bytes of one character */
    memcpy(field, value, keep);
    memcpy(field + keep, cut, cut_length + 1);
}
