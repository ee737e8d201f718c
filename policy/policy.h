#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/digest.h"

/*
 * The policy document in memory: read-only after load, ref-counted, shared between threads. Meaning of each field:
 * kuraban-policy(5). Zeroed means refused everywhere.
 */

enum policy_allow {
    POLICY_REFUSE = 0,
    POLICY_READ,
    POLICY_USE,
    POLICY_EXPORT
};
enum policy_mode {
    POLICY_ENFORCE = 0,
    POLICY_MONITOR
};
enum policy_zone {
    POLICY_ZONE_MYNUMBER = 0,
    POLICY_ZONE_LGWAN,
    POLICY_ZONE_INTERNET
};
enum policy_set_operator { /* as usbguard-rules.conf(5) */
    POLICY_SET_ALL_OF = 0,
    POLICY_SET_ONE_OF,
    POLICY_SET_NONE_OF,
    POLICY_SET_EQUALS,
    POLICY_SET_EQUALS_ORDERED,
    POLICY_SET_MATCH_ALL,
};

struct policy_index;
struct policy_table;

struct policy_position {
    unsigned line, column; /* 1-based; 0 when not from a file */
};

struct policy_strings {
    char **items;
    size_t n;
    enum policy_set_operator op; /* for match attributes that take several values; default one-of */
    struct policy_table *table;  /* of a long list; policy/index.h */
};

/* "0781:5583", "0781:*", "*:*". */
struct policy_usb_id {
    uint16_t vendor, product;
    bool any_vendor, any_product;
};

struct policy_usb_ids {
    struct policy_usb_id *items;
    size_t n;
    enum policy_set_operator op;
};

/* "08:06:50", "08:*:*". Wildcards only from the right. */
struct policy_interface {
    uint8_t class_, subclass, protocol;
    bool any_subclass, any_protocol;
};

struct policy_interfaces {
    struct policy_interface *items;
    size_t n;
    enum policy_set_operator op;
};

/* Who may: empty lists mean everybody. A person matches when the uid or any gid is listed. Names are kept as written; ids are
 * resolved by policy_resolve() when a terminal takes the policy. A name that does not exist matches nobody. */
struct policy_who {
    struct policy_strings users, groups;
    uid_t *uids;
    size_t n_uids;
    gid_t *gids;
    size_t n_gids;
    bool restricted; /* users or groups given */
    bool unasked;    /* the name service did not answer for one of them: whom the rule means is not known */
};

struct policy_when {
    uint8_t days;     /* bit 0 Monday … bit 6 Sunday; 0 = every day */
    int16_t from, to; /* minutes of the local day, to exclusive; -1 -1 = all day; from > to spans midnight */
    bool restricted;
};

struct policy_usb_match {
    struct policy_usb_ids devices;
    struct policy_strings serials, names, hashes, parent_hashes, ports, connect_types;
    struct policy_strings usbguard_hashes, usbguard_parent_hashes; /* what USBGuard calls hash and parent-hash */
    struct policy_interfaces interfaces;
    bool has_interfaces; /* interfaces.n > 0 */
};

/* Buses, paths, serials, labels and uuids select the media a rule speaks of (for USB rules: what its media must be); the others
 * are conditions: a selected medium that fails one is refused. */
struct policy_medium_match {
    struct policy_strings buses;       /* usb mmc optical firewire thunderbolt loop other */
    struct policy_strings paths;       /* device node patterns, fnmatch(3) */
    struct policy_strings filesystems; /* as blkid names them: vfat exfat ntfs ext4 … crypto_LUKS */
    struct policy_strings serials, labels, uuids;
    bool luks_only;        /* refuse unless crypto_LUKS (its mapped content then follows the same rule) */
    uint64_t capacity_max; /* bytes; 0 = any */
};

/* What a person shows: bits of a set. A password is the caller's own business (PAM); here it only says that one is asked as well. */
enum policy_factor {
    POLICY_FACTOR_PASSWORD = 1 << 0,
    POLICY_FACTOR_TOTP = 1 << 1
};

/* A rule with `unlock` permits only while a grant is in force (agent/grant); without one it refuses. */
struct policy_unlock {
    bool needed;
    uint8_t factors;             /* POLICY_FACTOR_TOTP */
    unsigned approvals;          /* other people who give their own code */
    struct policy_who approvers; /* which other people; not restricted: any */
    int64_t for_us;              /* the longest grant */
};

struct policy_usb_rule {
    char *id, *name;
    struct policy_position at;
    struct policy_usb_match match;
    struct policy_medium_match medium; /* conditions on the block devices of this USB device */
    enum policy_allow allow;
    struct policy_interfaces only; /* authorize only these interfaces (allow.interfaces); empty = all */
    bool remove;                   /* refuse: also remove from the bus */
    bool unique_serial;            /* refuse a second device claiming the same serial */
    bool monitor;                  /* this rule only records */
    struct policy_unlock unlock;
    struct policy_who who;
    struct policy_when when;
    int64_t until_us; /* wall clock; 0 = no end. A bare date is valid through the end of that local day */
};

struct policy_medium_rule {
    char *id, *name;
    struct policy_position at;
    struct policy_medium_match match;
    enum policy_allow allow; /* REFUSE or READ or EXPORT */
    bool exec, has_exec;     /* without: as the section says */
    bool monitor;
    struct policy_unlock unlock;
    struct policy_who who;
    struct policy_when when;
    int64_t until_us;
};

/* Defaults by class of medium, after the rules. */
struct policy_media {
    struct policy_medium_rule *rules;
    size_t n_rules;
    enum policy_allow optical, sdcard, firewire, thunderbolt, other;
    enum policy_allow network, fuse;                 /* filesystems: REFUSE or USE */
    struct policy_strings network_allow, fuse_allow; /* mount sources (fnmatch) that stay allowed */
    bool exec;                                       /* execution from media; default refuse */
};

struct policy_program {
    char *path;
    struct policy_position at;
    bool has_sha256;
    struct digest sha256;
};

struct policy_store {
    char *id, *name, *path, *class_; /* class_: 3A 3B 3C 2 1 */
    struct policy_position at;
    struct policy_program *programs;
    size_t n_programs;
    struct policy_who who;
    struct policy_when when;
    bool monitor;
};

enum policy_container {
    POLICY_CONTAINER_ZIP_AES256 = 0,
    POLICY_CONTAINER_LUKS, /* a LUKS2 image, with a password as well */
    POLICY_CONTAINER_PLAIN
};

/* What may be taken out, whereto and by whom. First match wins, as everywhere; matching is source and target, the rest are conditions. */
struct policy_export_rule {
    char *id, *name;
    struct policy_position at;
    struct policy_strings to;      /* ids of USB or media rules with allow: export */
    struct policy_strings from;    /* ids of stores */
    struct policy_strings classes; /* of stores: 3A 3B 3C 2 1 */
    bool elsewhere;                /* files that are in no store */
    struct policy_who who;
    struct policy_when when;
    int64_t until_us;
    uint8_t factors;
    unsigned approvals;
    struct policy_who approvers; /* as in policy_unlock */
    enum policy_container container;
    bool content;                  /* demands a look at the contents: refused until there is an inspector */
    uint64_t file_max;             /* bytes of one file; 0 = any */
    uint64_t day_files, day_bytes; /* of one person in one local day; 0 = any */
    bool monitor;
};

enum policy_enrol { /* who may make somebody's second factor */
    POLICY_ENROL_ROOT = 0,
    POLICY_ENROL_SELF,       /* a person for themselves, while they have none */
    POLICY_ENROL_FIRST_LOGIN /* as SELF, and the first login asks for it */
};

struct policy_mfa {
    struct policy_position at;
    bool login;                     /* the section says when a login needs a code; without it none does */
    struct policy_strings services; /* of PAM; none = every one */
    struct policy_who who;
    uint8_t factors;
    int64_t grace_us; /* from a person's first login under this policy: so long they get in without being enrolled */
    enum policy_enrol enrol;
    unsigned failures; /* in a row, then locked; default 10, at most 100 (NIST SP 800-63B) */
    bool delay;        /* exponential waits between failures; default true */
    int64_t lock_us;   /* 0 = until root lifts it */
    unsigned window;   /* steps accepted either side; default 1, at most 2 */
};

enum policy_when_full {
    POLICY_FULL_REFUSE_EXPORT = 0,
    POLICY_FULL_REFUSE_ALL,
    POLICY_FULL_DROP_OLDEST
};

struct policy_audit {
    int64_t keep_days;     /* default 3 years = 1096 */
    uint64_t segment_size; /* bytes; default 16 MiB */
    uint64_t total_size;   /* bytes; 0 = no limit but the disk */
    enum policy_when_full when_full;
};

struct policy {
    unsigned refs; /* atomic; policy_ref/unref only */
    char *organization, *name;
    uint64_t version;
    struct policy_strings scope_groups, scope_terminals;
    int64_t valid_from_us, valid_until_us; /* 0 = open */
    int64_t
        not_before_us; /* not of the document: so late it is at least, whatever the clock says; ends are asked of the later */
    enum policy_zone zone;
    enum policy_mode mode;
    struct policy_usb_rule *usb;
    size_t n_usb;
    struct policy_media media;
    struct policy_store *stores;
    size_t n_stores;
    struct policy_export_rule *export;
    size_t n_export;
    struct policy_mfa mfa;
    struct policy_audit audit;
    struct digest sha256;                         /* of the exact bytes */
    struct policy_index *usb_index, *media_index; /* policy/index.h; NULL: not from a document */
};

enum {
    POLICY_DOCUMENT_MAX = 256 * 1024, /* length limit before parsing */
    POLICY_ID_MAX = 64,               /* bytes of a rule or store id */
};

struct policy_findings; /* policy/findings.h */

/* Parses and checks size bytes. Returns 0 and a policy with one reference, POLICY_E_INVALID with at least one error among the
 * findings, or -ENOMEM. Findings may hold warnings on success as well. file_name is only for messages. */
enum {
    POLICY_E_INVALID = 1
};
int policy_load(const char *file_name, const uint8_t *bytes, size_t size, struct policy_findings *findings,
                struct policy **ret);

struct policy *policy_ref(struct policy *p);
struct policy *policy_unref(struct policy *p); /* returns NULL */
/* The rule of that id, or NULL. */
const struct policy_usb_rule *policy_find_usb_rule(const struct policy *p, const char *id);
const struct policy_medium_rule *policy_find_medium_rule(const struct policy *p, const char *id);

/* Resolves user and group names to ids through the given functions: 0 and an id, -ENOENT: nobody of that name, or another negative:
 * could not be asked; then a rule that refuses them refuses everybody. Once, before sharing. */
struct policy_names {
    int (*user)(void *context, const char *name, uid_t *ret);
    int (*group)(void *context, const char *name, gid_t *ret);
    void *context;
};
int policy_resolve(struct policy *p, const struct policy_names *names, struct policy_findings *findings);
/* Do two policies from the same document hold the same resolved ids? */
bool policy_same_names(const struct policy *a, const struct policy *b);
