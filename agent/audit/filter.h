#pragma once

#include <jansson.h>

#include "audit/audit.h"

/* Which records a reader asks for. */

enum journal_read_verdict {
    JOURNAL_READ_ANY = 0,
    JOURNAL_READ_ALLOW,
    JOURNAL_READ_DENY,
    JOURNAL_READ_WOULD_REFUSE
};

struct journal_filter {        /* zeroed: everything */
    int64_t from_us, until_us; /* wall clock, until exclusive; 0 = open */
    bool has_uid;
    uid_t uid;          /* user.id, or the login uid */
    const char *device; /* device.id, or its serial number */
    const char *rule;
    enum audit_action action; /* AUDIT_NONE = any */
    enum journal_read_verdict verdict;
    bool alarms_only;
    uint64_t from_seq; /* 0 = the first */
    uint64_t tail;     /* only the last N that match; 0 = all */
};

bool journal_filter_matches(const struct journal_filter *filter, json_t *record);
