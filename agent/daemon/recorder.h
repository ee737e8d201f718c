#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "audit/audit.h"
#include "audit/journal.h"

struct digest;
struct journal_key;
struct journal_ops;
struct json_t;
struct policy;
struct refusals;
struct sd_event;

/* The way of every event to the journal, to the people's "why" and to journald. Main thread only. */
struct recorder;

struct recorder_options {
    struct sd_event *loop;
    int state_directory; /* borrowed */
    bool journald;
    struct refusals *refusals;     /* borrowed */
    const struct journal_ops *ops; /* NULL: the kernel */
    /* The journal takes nothing but refusals any more (full, or it cannot be written), or everything again. */
    void (*on_full)(void *context, bool full);
    /* Each event that comes this way; NULL: nobody asks. */
    void (*on_event)(void *context, const struct audit_event *e);
    void *context;
};

/* Opens the journal. Errors as journal_open(). */
int recorder_new(const struct recorder_options *options, struct recorder **ret);
/* Writes everything out and closes. Returns NULL. */
struct recorder *recorder_free(struct recorder *r);

/* The policy whose name and version stand in the records from now on; its audit limits act. */
void recorder_set_policy(struct recorder *r, struct policy *p);
/* Records from this number on are not yet at the centre (journal_limits.hold_from_seq); 0: there is no centre. */
void recorder_hold(struct recorder *r, uint64_t from);
/* Takes the event. It is durable after the next turn of the loop, or recorder_sync(). */
void recorder_add(struct recorder *r, struct audit_event *e);
/* The same with "kuraban"."trust" beside it; takes the reference. json_null(): there is none; NULL: memory ran out for it, and the record becomes
 * an alarm that says so. */
void recorder_add_trust(struct recorder *r, struct audit_event *e, struct json_t *trust);
/* The same with another member beside it, an object: "grant" … */
void recorder_add_with(struct recorder *r, struct audit_event *e, const char *name, struct json_t *value);
/* Everything added since the last time is on disk, and all of it, when this returns 0. -ENOSPC, other -errno. */
int recorder_sync(struct recorder *r);

/* The terminal's key (audit/key.h), borrowed. */
const struct journal_key *recorder_signer(const struct recorder *r);

uint64_t recorder_sequence(const struct recorder *r); /* last durable record */
/* The same and its hash. */
uint64_t recorder_durable(const struct recorder *r, struct digest *ret);
uint64_t recorder_pending(const struct recorder *r); /* records not durable yet */
bool recorder_is_low(const struct recorder *r);      /* only refusals are taken, for want of space */
bool recorder_is_failing(const struct recorder *r);  /* the last commit failed for another reason; it is tried again */
bool recorder_is_full(const struct recorder *r);     /* either: what on_full() was told last */
const char *recorder_state_name(const struct recorder *r); /* "normal" "low" "failing" */
uint64_t recorder_unrecorded(const struct recorder *r);
