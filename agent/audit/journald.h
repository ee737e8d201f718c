#pragma once

#include <sys/uio.h>

#include "audit/audit.h"

/* The mirror in the system's journal, for people who look there first. It is a copy: the truth is journal.h's. */

enum {
    JOURNALD_FIELDS_MAX = 24
};

/* MESSAGE_ID values, for journalctl MESSAGE_ID=… */
#define JOURNALD_ID_REFUSED "58e761ad0d704ae4afc8960306576174"
#define JOURNALD_ID_ALARM "1eebc9d8ec4a4bc78c9331420c9080df"
#define JOURNALD_ID_RECORDED "6d012a348c0b4849b6566217fdcb05e0"

struct journald_entry {
    struct iovec fields[JOURNALD_FIELDS_MAX]; /* "NAME=value" each, owned */
    size_t n;
};

/* 0 or -ENOMEM (the entry is then empty). */
int journald_format(const struct audit_event *e, uint64_t seq, struct journald_entry *ret);
void journald_entry_done(struct journald_entry *entry);

/* Formats and sends. Fits journal_options.recorded (context unused). From the daemon's main thread only, never from the gate.
 * A system without journald, or one that is busy, is not an error: nothing depends on the mirror. */
void journald_send(void *context, const struct audit_event *e, uint64_t seq);
