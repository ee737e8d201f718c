#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "decide/decide.h"
#include "device/exit.h"
#include "device/exit_run.h"
#include "kern/block.h"

/*
 * The media: every block device that is an exit and holds something. Driven from one thread. Whatever a policy says, an
 * exit is read-only (H2); a policy only decides who may see and read it.
 */

enum {
    MEDIUM_RULE_SIZE = 128,
    MEDIUM_TEXT_SIZE = 128
};

/* An export to the medium: it is hidden and whatever mounts it is detached. OPENING: the exporter clears the flag and sets it again, which is no
 * alarm now; before and after it is. */
enum medium_export {
    MEDIUM_EXPORT_NONE = 0,
    MEDIUM_EXPORT_CLOSED,
    MEDIUM_EXPORT_OPENING,
};

struct medium {
    char id[EXIT_ID_SIZE];          /* "sdb1-12": kernel name and disk sequence number */
    char name[BLOCK_NAME_SIZE];     /* sdb1 */
    char node[BLOCK_NAME_SIZE + 8]; /* /dev/sdb1 */
    char disk[BLOCK_NAME_SIZE];     /* sdb; of a mapped device the disk below */
    dev_t device;
    enum exit_bus bus;
    bool partition;
    bool container; /* a disk with partitions and nothing of its own: listed, not reported */
    bool inside_luks;
    char usb[EXIT_PATH_SIZE]; /* "/devices/…" of the USB device, "" when none */
    char filesystem[32], label[MEDIUM_TEXT_SIZE], uuid[MEDIUM_TEXT_SIZE], serial[MEDIUM_TEXT_SIZE];
    char vendor[MEDIUM_TEXT_SIZE], model[MEDIUM_TEXT_SIZE];
    uint64_t capacity;      /* bytes */
    struct verdict verdict; /* rule points into this struct */
    char rule[MEDIUM_RULE_SIZE];
    bool read_only;               /* the kernel's flag as last seen */
    bool permitted;               /* udev may show it */
    enum medium_export exporting; /* block_manager_set_export() */
    /* private */
    char mounted_as[32];
    bool decided, told, asserted, failed, seen, helper_read_only, opening;
};

enum block_report {
    BLOCK_REPORT_DECIDED, /* AUDIT_MEDIUM_DECIDED: first seen, or the verdict changed; m->verdict.ruled in monitor mode */
    BLOCK_REPORT_REMOVED,    /* AUDIT_MEDIUM_REMOVED, once; a call that failed because of it is not told */
    BLOCK_REPORT_REASSERTED, /* AUDIT_MEDIUM_REASSERTED, alarm: somebody had cleared the read-only flag; it is set again */
    BLOCK_REPORT_FAILED,     /* AUDIT_DEVICE_FAILED, alarm: could not be made read-only; it is refused */
    BLOCK_REPORT_UNREAD,     /* AUDIT_DEVICE_FAILED, alarm, m NULL, once while it lasts: block_manager_blind() */
};

struct block_manager_config {
    enum exit_mode mode;  /* ON, LISTED or OFF; monitor mode comes with the policy */
    int sysfs, proc, run; /* directory fds, borrowed */
    int state;            /* directory for the list that survives a boot; -1: none */
    struct block_ops ops;
    const char *const *exits; /* config `exits:`, exit_list_add() format, copied */
    size_t n_exits;
    /* Rule id that authorized the USB device with this sysfs path ("/devices/…"), NULL when it is not authorized. */
    const char *(*usb_rule_of)(void *context, const char *syspath);
    /* Whose grant is in force for this medium, or (usb) for its USB device, under the rule of that id? False: nobody's. NULL: there are no
     * grants. When one begins or ends, call block_manager_tick(). */
    bool (*granted)(void *context, const struct medium *m, bool usb, const char *rule, uid_t *ret_holder);
    /* Asked when a medium is first seen: is it to be as block_manager_set_export() CLOSED makes it, from that moment on? NULL: none is. */
    bool (*held)(void *context, const struct medium *m);
    /* How long one call may wait in all for the kernel to finish taking a device away, when its flag could not be set: only one that
     * stays is an alarm. 0: one look. */
    int64_t patience_us;
    void (*report)(void *context, enum block_report what, const struct medium *m, const char *message);
    void *context;
};

struct block_manager;

/* Writes media.mode and exits.list into the run directory, then takes in what is present. policy may be NULL: everything is
 * refused. wall_us is the time now, for rules with hours and end dates. What cannot be read or written makes it blind, not absent. */
int block_manager_new(const struct block_manager_config *config, struct policy *policy, int64_t wall_us,
                      struct block_manager **ret);
/* Forgets; leaves read-only flags and hidden media as they are (H1). */
struct block_manager *block_manager_free(struct block_manager *b);
/* For purge and demonstrations: makes what is known writable again and forgets it, removes the files in the run directory. */
int block_manager_release(struct block_manager *b);

/* 0, or the error for which it cannot be said which media there are (no list of block devices or mounts, too many of them, no memory,
 * exits.list not written). Until it can again, which each tick tries, all media are refused but in monitor mode: those that are known,
 * mounted, permitted before, or come meanwhile. */
int block_manager_blind(const struct block_manager *b);

/* A uevent of subsystem "block", after udevd or straight from the kernel. */
int block_manager_event(struct block_manager *b, const char *action, const char *sysname, int64_t wall_us);
/* Takes a reference; re-decides everything. */
int block_manager_set_policy(struct block_manager *b, struct policy *policy, int64_t wall_us);
/* People of the active sessions, copied; re-decides everything. -ENOMEM: nobody is there, which refuses more. */
int block_manager_set_persons(struct block_manager *b, const struct decide_person *persons, size_t n, int64_t wall_us);
/* Every few seconds, after lost events and after the USB manager changed a verdict: rescans, re-decides, and checks every
 * read-only flag. */
int block_manager_tick(struct block_manager *b, int64_t wall_us);

/* A filesystem of this type was seen mounted from the device: the one fact that needs no udev. Decides again when that is
 * news. NULL when the device is no exit. */
const struct medium *block_manager_learn(struct block_manager *b, dev_t device, const char *type, int64_t wall_us);

/* For who runs the export. Leaving OPENING asserts the flag at once. 0; -ENODEV: no such medium. */
int block_manager_set_export(struct block_manager *b, dev_t device, enum medium_export state, int64_t wall_us);
/* Has udev taken it away from everybody? True as well where no udev knows the device. */
bool block_manager_is_hidden(const struct block_manager *b, dev_t device);

/* What decide/ asks of it; who is there, the time and the rule of its USB device are the caller's. Borrows from m. */
void medium_facts(const struct medium *m, struct decide_medium_facts *ret);

size_t block_manager_count(const struct block_manager *b);
const struct medium *block_manager_at(const struct block_manager *b, size_t i);
const struct medium *block_manager_find(const struct block_manager *b, dev_t device);
enum exit_mode block_manager_mode(const struct block_manager *b); /* MONITOR while the policy says so */
/* Are network and FUSE mounts judged as well? Only in mode on: listed must never touch anything else. */
bool block_manager_filesystems(const struct block_manager *b);
const struct policy *block_manager_policy(const struct block_manager *b);

/* One listener, called after media or verdicts changed (mount_manager_new takes it). */
void block_manager_listen(struct block_manager *b, void (*changed)(void *context, int64_t wall_us), void *context);
