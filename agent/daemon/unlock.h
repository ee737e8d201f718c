#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "grant/grant.h"

struct audit_event;
struct daemon;
struct decide_person;
struct json_t;
struct medium;
struct usb_device;
struct verdict;

/* Grants in the daemon: what begins or ends one, and what that does to the device. Whose request is granted is control_grant.c's. */

struct grant_time unlock_now(void);

int unlock_start(struct daemon *d);
/* Every grant ends; devices are decided again unless everything is let go (purge). */
void unlock_stop(struct daemon *d);
/* Ends what is over and tells whose end is near: by the timer, and with each tick for a clock that was set. */
void unlock_tick(struct daemon *d);
/* What a new policy, other people or another hour do not permit any more ends. decided: devices and media were decided by it already. */
void unlock_revalidate(struct daemon *d, bool decided);
/* A device left, or became another. Only the table and the journal: safe inside the managers' callbacks. */
void unlock_device_left(struct daemon *d, const char *device_id);

enum {
    UNLOCK_E_JOURNAL = GRANT_E_COUNT_ /* it could not be recorded, so it was not given */
};
/* Gives it, records it durably, then decides the device again. 0, GRANT_E_…, UNLOCK_E_JOURNAL. */
int unlock_give(struct daemon *d, const struct grant_request *r, pid_t pid, struct grant *ret);
/* Ends it, whose id it is; by: who asked for that. False when there is none. */
bool unlock_end(struct daemon *d, uint64_t id, uid_t by);

/* Ends all of them, by order of the centre. How many. */
size_t unlock_end_all(struct daemon *d);

/* For the managers' questions. NULL: no grant is in force. */
const struct grant *unlock_of_usb(const struct daemon *d, const struct usb_device *u, const char *rule);
const struct grant *unlock_of_medium(const struct daemon *d, const struct medium *m, const char *rule);
/* The one by which it is open now: of a medium its own, else its USB device's. */
const struct grant *unlock_in_force(const struct daemon *d, const struct usb_device *u, const struct medium *m);

/* --- unlock_target.c --- */

/* What somebody means by a name. */
struct unlock_target {
    struct grant_device device;
    char rule[POLICY_ID_MAX + 1];
    const struct usb_device *usb; /* one of both; valid until devices change */
    const struct medium *medium;
    const struct verdict *verdict;
};
enum {
    UNLOCK_TARGET_NONE = 1,  /* nothing of that name is there */
    UNLOCK_TARGET_MANY,      /* more than one is locked */
    UNLOCK_TARGET_NOT_LOCKED /* ret->verdict says what it is instead; without a name: nothing is locked */
};
/* name: an id, port, kernel name, node or serial number; "": the only one that is locked. What uid has unlocked counts as well: it may be
 * unlocked anew. 0 or UNLOCK_TARGET_…. */
int unlock_find_target(const struct daemon *d, const char *name, uid_t uid, struct unlock_target *ret);
void unlock_set_usb(const struct usb_device *u, struct grant_device *ret);
/* Puts what is known of the device into an event. */
void unlock_fill_event(const struct daemon *d, const struct grant_device *device, struct audit_event *e);

/* --- answer_grants.c --- */

/* One grant as JSON (docs/PROTOCOL.control.md, GRANTS); reason and approvers only when all is set. NULL on ENOMEM. */
struct json_t *answer_grant(const struct grant *g, const struct grant_time *now, bool all);
/* Those that uid may see, root all. */
struct json_t *answer_grants(const struct daemon *d, uid_t uid);
/* "grant" of an element of DEVICES: null, or whose it is and until when. */
struct json_t *answer_device_grant(const struct grant *g, const struct grant_time *now);
/* "kuraban"."grant" of a record (docs/FILEFORMAT.journal.md). */
struct json_t *answer_grant_record(const struct grant *g, enum grant_end why, bool has_by, uid_t by);
