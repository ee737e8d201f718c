#pragma once

#include <stdint.h>

#include "export/identity.h"
#include "export/members.h"

/*
 * The stager: a process with the caller's rights that takes the caller's descriptors and copies what they name into one file that
 * nobody else can change.
 */
struct stage_options {
    int client, control; /* sockets of docs/PROTOCOL.export.md */
    int staged;          /* empty, open for writing */
    uint64_t size_max;   /* of all files together */
    int client_ms;       /* in which the client has passed all of them: others wait for their turn */
    uint64_t
        *pulse; /* beats with every file opened or copied, and once for every STAGE_BEAT bytes; NULL: nobody listens */
};

enum {
    STAGE_BEAT = 64 * 1024 /* fewer in the time that the worker waits are as good as none */
};

enum {
    STAGE_E_REFUSED = 1, /* policy or the caller's own permissions refuse a file; the client has been told which */
    STAGE_E_CHANGED,     /* a file was not of the size any more that was decided about */
    STAGE_E_CLIENT,      /* the client went away or does not keep to the protocol */
    STAGE_E_STOPPED,     /* kuraband says no, or is gone */
    STAGE_E_FULL,        /* no room to stage them */
};

/* Asks kuraband for every file before one byte of any is copied. 0 and the list; STAGE_E_*; -errno. identity_take() was called before. */
int stage_run(const struct stage_options *o, struct export_members *ret);
