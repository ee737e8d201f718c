#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/digest.h"
#include "policy/policy.h"

/*
 * Pure decisions: (policy snapshot, facts) -> verdict. No I/O, no clock, no allocation, thread-safe. A zeroed verdict denies.
 */

enum verdict_kind {
    VERDICT_DENY = 0,
    VERDICT_ALLOW
};

enum verdict_reason {   /* why; each has a message for people in both languages (cli/why) and a stable journal name */
    REASON_DEFAULT = 0, /* no rule matched */
    REASON_RULE,        /* the rule says so */
    REASON_WHO,         /* not this person */
    REASON_WHEN,        /* not at this hour or day */
    REASON_EXPIRED,     /* the rule's end date has passed */
    REASON_DUPLICATE,   /* another device claims the same identity */
    REASON_INTERFACES,  /* an interface the rule does not cover */
    REASON_FILESYSTEM,  /* the medium is not of a permitted filesystem */
    REASON_ENCRYPTION,  /* LUKS demanded */
    REASON_CAPACITY,    /* medium too large */
    REASON_WRITE,       /* media may not be written */
    REASON_EXECUTE,     /* nothing is executed from media */
    REASON_PROGRAM,     /* program not listed for the store */
    REASON_HASH,        /* listed program, other content */
    REASON_UNKNOWN,     /* facts could not be gathered */
    REASON_OVERLOAD,    /* queue full, the gate could not ask */
    REASON_JOURNAL,     /* journal full and policy refuses */
    REASON_TAKEOVER,    /* the daemon died before it answered */
    REASON_LOCKED,      /* permitted once it has been unlocked: no grant is in force */
    REASON_SOURCE,      /* taking out: not files from there */
    REASON_TARGET,      /* taking out: not to there */
    REASON_SIZE,        /* taking out: the file is too large */
    REASON_LIMIT,       /* taking out: the day's files or bytes are used up */
    REASON_CONTENT,     /* taking out: what is in the file forbids it, or was not looked at */
    REASON_APPROVAL,    /* fewer other people approved than the rule wants */
    REASON_FACTOR,      /* a factor that the rule wants was not shown */
    REASON_COUNT_,
};

enum {
    DECIDE_HOLDERS_MAX = 2 /* of a medium's own grant and of its USB device's */
};

struct verdict {
    enum verdict_kind kind;  /* what to do now (after monitor mode is applied) */
    enum verdict_kind ruled; /* what enforce would have done */
    enum policy_allow allow; /* for devices and media: what is granted */
    enum verdict_reason reason;
    /* Rule or store id in the policy snapshot, "default", or for a class default its key ("media.optical"; ids have no
     * dot). Lives as long as the snapshot; NULL only when zeroed. */
    const char *rule;
    /* Media of USB devices: id of the media rule that permitted it as well, "" when none did. Its people and hours are asked
     * again at each open, like those of `rule`. Held here, because a verdict may outlive the snapshot. When a media rule with
     * `monitor` would have refused (ruled DENY, kind ALLOW, not monitor): `rule` is that one, this the device's, in force. */
    char medium_rule[POLICY_ID_MAX + 1];
    bool cacheable; /* does not depend on who asks, when, or with what; says nothing of other kinds of open */
    bool monitor;   /* mode: monitor or the rule's monitor: nothing is to be restricted */
    bool exec;      /* media: execution from it is permitted */
    /* Unlocked media: whose grants those are. For everybody else it is locked: asked again at each open. */
    uid_t holders[DECIDE_HOLDERS_MAX];
    uint8_t n_holders;
};

/* A medium that others unlocked is locked for uid. */
bool verdict_is_for(const struct verdict *v, uid_t uid);
const char *verdict_kind_name(enum verdict_kind kind); /* "deny" "allow" */
/* Stable, for journal and JSON: "default" "rule" "who" … */
const char *verdict_reason_name(enum verdict_reason reason);

/* Who asks. groups holds every gid including the primary one. */
struct decide_person {
    uid_t uid;
    uid_t login_uid; /* (uid_t)-1 when unset */
    const gid_t *gids;
    size_t n_gids;
    bool groups_unknown; /* there may be more: a rule that refuses a group means them as well */
};

/* Local calendar of "now", computed by the caller (localtime is not pure). */
struct decide_time {
    int64_t wall_us;
    uint8_t weekday; /* 0 Monday … 6 Sunday */
    int16_t minute;  /* of the local day */
};
void decide_time_local(int64_t wall_us, struct decide_time *ret); /* the one impure helper: localtime_r */
/* Ends (`until`) are asked of the later of both; days and hours stay the clock's. */
void decide_time_not_before(struct decide_time *t, int64_t floor_us);

/* --- USB devices --- */

struct decide_interface {
    uint8_t number, alternate;
    uint8_t class_, subclass, protocol;
};

struct decide_usb_facts {
    uint16_t vendor, product;
    const char *serial, *name, *manufacturer, *port,
        *connect_type; /* "" when absent; connect_type as sysfs port: hardwired hotplug "not used" unknown */
    const char *hash, *parent_hash;                   /* hex of the identity */
    const char *usbguard_hash, *usbguard_parent_hash; /* as USBGuard computes them, base64 */
    const struct decide_interface *interfaces;
    size_t n_interfaces;
    bool duplicate; /* another present device has the same vendor:product:serial */
    bool granted;   /* a grant for this device and the rule that decides is in force (agent/grant) */
    bool emergency; /* the administrator's way back in is open: input devices and hubs are permitted (kuraban(7)) */
    const struct decide_person *persons; /* people of the active local sessions; a rule with `who` needs one of them */
    size_t n_persons;
    struct decide_time now;
};

/* The first rule whose match holds decides. Its who, when and until are conditions: an allowing rule whose conditions do not
 * hold refuses (REASON_WHO …), a refusing one is passed over. Facts without any interface are REASON_UNKNOWN. */
void decide_usb(const struct policy *p, const struct decide_usb_facts *facts, struct verdict *ret);
/* May this interface of an allowed device be authorized under the verdict's rule? Under `read` only those of storage. */
bool decide_usb_interface(const struct policy *p, const struct verdict *v, const struct decide_interface *i);

/* The rule id that decides when only the emergency does. */
#define DECIDE_RULE_EMERGENCY "emergency"

/* Why rule index i does not decide, for policy explain: 0 it decides, else the first attribute that does not match. */
enum decide_mismatch {
    MISMATCH_NONE = 0,
    MISMATCH_DEVICE,
    MISMATCH_SERIAL,
    MISMATCH_NAME,
    MISMATCH_HASH,
    MISMATCH_PARENT_HASH,
    MISMATCH_USBGUARD_HASH,
    MISMATCH_USBGUARD_PARENT_HASH,
    MISMATCH_PORT,
    MISMATCH_CONNECT_TYPE,
    MISMATCH_INTERFACES,
    MISMATCH_BUS,
    MISMATCH_PATH,
    MISMATCH_FILESYSTEM,
    MISMATCH_LABEL,
    MISMATCH_UUID,
    MISMATCH_CAPACITY,
    MISMATCH_WHO, /* refusing rules only: their conditions select; an allowing rule whose conditions fail refuses */
    MISMATCH_WHEN,
    MISMATCH_EXPIRED,
    MISMATCH_TO, /* export rules */
    MISMATCH_FROM,
    MISMATCH_CLASSES,
    MISMATCH_COUNT_,
};
enum decide_mismatch decide_usb_mismatch(const struct policy *p, size_t i, const struct decide_usb_facts *facts);
/* The rules that may speak of the device, in their order: policy_candidates_next(), for who compares policies (policy/diff). */
struct policy_candidates;
void decide_usb_candidates(const struct policy *p, const struct decide_usb_facts *facts, struct policy_candidates *ret);
const char *decide_mismatch_name(enum decide_mismatch m); /* the key in the policy: "device" "serial" "parent-hash" … */

/* --- Media: block devices that are exits --- */

struct decide_medium_facts {
    const char *bus;        /* usb mmc optical firewire thunderbolt loop other */
    const char *node;       /* /dev/sdb1 */
    const char *filesystem; /* blkid type, "" when none recognised */
    const char *label, *uuid, *serial;
    uint64_t capacity;    /* bytes */
    bool inside_luks;     /* mapped from a crypto_LUKS container on an exit */
    bool granted;         /* a grant for this medium and the media rule that decides is in force */
    uid_t granted_to;     /* whose */
    const char *usb_rule; /* rule id that authorized the USB parent; NULL when not USB */
    bool usb_granted;     /* a grant for the USB parent and usb_rule is in force */
    uid_t usb_granted_to;
    const struct decide_person *persons;
    size_t n_persons;
    struct decide_time now;
};
/* A USB medium is ruled by its device's rule plus that rule's medium conditions, then media.rules may only refine by refusing.
 * Every other one by media.rules, then by its class. Never grants POLICY_USE by a rule. What is
 * not known (no bus; no capacity where one is demanded; a USB medium without usb_rule that no media rule permits) is refused. */
void decide_medium(const struct policy *p, const struct decide_medium_facts *facts, struct verdict *ret);
enum decide_mismatch decide_medium_mismatch(const struct policy *p, size_t i, const struct decide_medium_facts *facts);
void decide_medium_candidates(const struct policy *p, const struct decide_medium_facts *facts,
                              struct policy_candidates *ret); /* as decide_usb_candidates() */

/* --- Filesystem mounts that leave the machine --- */

enum decide_mount_kind {
    DECIDE_MOUNT_NETWORK = 0,
    DECIDE_MOUNT_FUSE
};
struct decide_mount_facts {
    enum decide_mount_kind kind;
    const char *type; /* nfs4, cifs, fuse.sshfs … */
    const char *source;
};
void decide_mount(const struct policy *p, const struct decide_mount_facts *facts, struct verdict *ret);

/* --- Opens --- */

enum decide_object_kind {
    DECIDE_OBJECT_UNKNOWN = 0,
    DECIDE_OBJECT_MEDIUM,
    DECIDE_OBJECT_STORE
};

/* A program as identified by the gate. */
enum decide_hash_state {
    DECIDE_HASH_UNKNOWN = 0,
    DECIDE_HASH_KNOWN
};
struct decide_subject {
    struct decide_person person;
    dev_t exe_device;
    ino_t exe_inode;
    bool exe_known;
    /* index i of the store's programs that is this very file (device and inode of the path, resolved by the gate), or -1 */
    int program;
    enum decide_hash_state hash_state; /* only looked at when that program pins a sha256 */
    struct digest sha256;
};

struct decide_open_facts {
    enum decide_object_kind kind;
    const struct verdict *medium; /* MEDIUM: the verdict the medium got when it came */
    const char *medium_bus;
    size_t store; /* STORE: index */
    struct decide_subject subject;
    bool write; /* write intent, or not known */
    bool execute;
    struct decide_time now;
    bool journal_full; /* the journal cannot take more than refusals */
};
void decide_open(const struct policy *p, const struct decide_open_facts *facts, struct verdict *ret);
/* Where both have to allow: true, and *all becomes *one, when that refuses in force and *all does not, or refuses for the record and *all
 * allows. What is left of two that allow is cacheable when both are. */
bool decide_both(struct verdict *all, const struct verdict *one);

/* --- Taking files out --- */

struct decide_export_facts {
    struct decide_person person; /* who asks */
    const char
        *target;   /* rule id by which the medium (or its USB device) is here with POLICY_EXPORT; NULL: it is not */
    int store;     /* index of the store the file is in, -1: in none */
    uint64_t size; /* bytes of the file */
    uint64_t day_files,
        day_bytes; /* what this person took out under the rule today, this file not counted (asked per rule) */
    const struct decide_person *approvers; /* other people whose codes were right */
    size_t n_approvers;
    uint8_t factors; /* POLICY_FACTOR_… that were shown */
    struct decide_time now;
    bool journal_full;
};
/* One file. The verdict's rule is an export rule's id or "default". */
void decide_export(const struct policy *p, const struct decide_export_facts *facts, struct verdict *ret);
/* The rule that would speak of this source and target, whatever its conditions say; NULL: none does. */
const struct policy_export_rule *decide_export_rule(const struct policy *p, const char *target, int store);
enum decide_mismatch decide_export_mismatch(const struct policy *p, size_t i, const char *target, int store);

/* --- Unlocking --- */

/* What is asked when a grant is wanted: REASON_RULE when nothing is missing, else REASON_FACTOR or REASON_APPROVAL. Only different
 * people count who are not the one who asks and whom the rule lets approve. */
struct decide_unlock_facts {
    struct decide_person person;           /* who asks */
    uint8_t factors;                       /* POLICY_FACTOR_… that were shown */
    const struct decide_person *approvers; /* whose codes were right */
    size_t n_approvers;
};
enum verdict_reason decide_unlock(const struct policy_unlock *unlock, const struct decide_unlock_facts *facts);
/* May this person approve? The same question before a code is asked. */
bool decide_may_approve(const struct policy_who *approvers, const struct decide_person *person);
