#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

/*
 * One event on its way to the journal. Fixed size, no pointers that outlive the call, so that the gate can put it into a ring
 * after answering. Field names on disk (ECS) are in docs/FILEFORMAT.journal.md. Never holds file contents, codes or numbers of people.
 */

enum audit_action { /* event.action, with event.category/type in the table in record.c */
    AUDIT_NONE = 0,
    AUDIT_DAEMON_STARTED,
    AUDIT_DAEMON_STOPPED,
    AUDIT_DAEMON_TAKEOVER,
    AUDIT_POLICY_LOADED,
    AUDIT_POLICY_REJECTED,
    AUDIT_POLICY_EXPIRED,
    AUDIT_DEVICE_APPEARED,
    AUDIT_DEVICE_DECIDED,
    AUDIT_DEVICE_CHANGED,
    AUDIT_DEVICE_REMOVED,
    AUDIT_DEVICE_FAILED,
    AUDIT_MEDIUM_DECIDED,
    AUDIT_MEDIUM_REMOVED,
    AUDIT_MEDIUM_REASSERTED /* alarm: read-only was cleared by somebody */,
    AUDIT_MOUNT_DECIDED,
    AUDIT_FILE_OPEN,
    AUDIT_GATE_MARKED,
    AUDIT_GATE_UNMARKED,
    AUDIT_GATE_OVERFLOW /* alarm */,
    AUDIT_GATE_LOST_MARK /* alarm */,
    AUDIT_GATE_SELF_TEST,
    AUDIT_GATE_SWEPT /* waiting opens denied on takeover */,
    AUDIT_USB_EVENTS_LOST /* ENOBUFS: rescan */,
    AUDIT_JOURNAL_FULL,
    AUDIT_JOURNAL_RECOVERED,
    AUDIT_JOURNAL_RELEASED,
    AUDIT_JOURNAL_TORN,
    AUDIT_JOURNAL_CHECKPOINT,
    AUDIT_JOURNAL_TRUNCATED, /* alarm: records that were durable are gone */
    AUDIT_JOURNAL_KEY,       /* a signing key was created; alarm when there was a journal already */
    AUDIT_EMERGENCY /* started with the emergency boot parameter, or root used the emergency way */,
    AUDIT_COMMAND /* root changed something through the control socket */,
    AUDIT_CLOCK_JUMP,
    AUDIT_POLICY_APPLIED, /* a signed policy rules now */
    AUDIT_POLICY_REFUSED, /* a bundle was refused; nothing has changed */
    AUDIT_ROOT_INSTALLED,
    AUDIT_ROOT_REMOVED /* alarm; written before it is done */,
    AUDIT_TRUST_DAMAGED /* alarm: what was signed cannot be read, nothing is permitted */,
    AUDIT_GRANT_GIVEN, /* with "grant" beside it (docs/FILEFORMAT.journal.md), like ENDED */
    AUDIT_GRANT_REFUSED,
    AUDIT_GRANT_ENDED,
    AUDIT_EXPORT_STARTED, /* with "export" beside it, like the next three */
    AUDIT_EXPORT_FILE,    /* one file: refused, or about to leave */
    AUDIT_EXPORT_FINISHED,
    AUDIT_EXPORT_FAILED, /* alarm when it may be whole on the medium all the same */
    AUDIT_MFA_VERIFIED,  /* a code was right; or somebody got in without one, by grace */
    AUDIT_MFA_REFUSED,
    AUDIT_MFA_ENROLLED,
    AUDIT_MFA_CHANGED,      /* a second factor was changed or removed; alarm: their store cannot be used */
    AUDIT_FLEET_MEMBERSHIP, /* the centre's: groups and serial number of this terminal */
    AUDIT_FLEET_ORDER,      /* the centre's: what was carried out */
    AUDIT_FLEET_REFUSED,    /* alarm: something of the centre that is not taken */
    AUDIT_ACTION_COUNT_,
};

enum {
    AUDIT_ID_MAX = 128,
    AUDIT_TEXT_MAX = 256,
    AUDIT_PATH_MAX = 1024
};

struct audit_event {
    enum audit_action action;
    int64_t wall_us;
    uint64_t boottime_us;
    /* outcome */
    bool has_verdict, allowed, would_refuse /* monitor mode */, alarm;
    char reason[32]; /* verdict_reason_name() */
    char rule[AUDIT_ID_MAX];
    char policy_name[AUDIT_ID_MAX];
    uint64_t policy_version;
    /* subject */
    pid_t pid;           /* 0 none */
    uint64_t start_time; /* clock ticks since boot, /proc/PID/stat field 22 */
    bool has_uid, has_login_uid;
    uid_t uid, login_uid;
    uint32_t session;
    /* The asker can cause as many as they like: limited by them (flood.h), whoever uid is. Neither is recorded. */
    bool at_will;
    uid_t asker;
    char program[AUDIT_PATH_MAX];
    uint64_t program_device, program_inode;
    /* object */
    char device_id[AUDIT_ID_MAX], device_bus[16], device_vendor[8], device_product[8], device_serial[AUDIT_ID_MAX],
        device_name[AUDIT_ID_MAX], device_hash[72], device_node[64], device_port[64];
    char path[AUDIT_PATH_MAX]; /* file, mount point or store */
    char store[AUDIT_ID_MAX];
    char store_class[4]; /* confidentiality of what the store holds, as the policy says: 3A … 1 */
    bool write, execute;
    uint64_t count;               /* of folded repetitions; 0 or 1 = one */
    int64_t first_wall_us;        /* when the first of them happened; 0 = not folded. Set by fold.c only */
    char message[AUDIT_TEXT_MAX]; /* error text, English */
};

/* Stable names: event.action on disk ("file-open"). "none" for an unknown action; AUDIT_NONE for an unknown name. */
const char *audit_action_name(enum audit_action action);
enum audit_action audit_action_from_name(const char *name);

void audit_event_init(struct audit_event *e, enum audit_action action); /* zeroes, sets action and clocks */
/* Copies with a cut at a UTF-8 boundary; marks a cut with "…", in fields of 256 bytes and more with 16 digits of the value's SHA-256
 * behind it. */
void audit_set(char *field, size_t size, const char *value);

struct journal; /* journal.h; readers: verify.h, read.h; mirror: journald.h */
