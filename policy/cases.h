#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/policy.h"

/*
 * kuraban-policy-cases/1: what a city expects of its own policy, as a table of cases. Format and meaning:
 * kuraban-policy-cases(5). Only the document: `kuraban policy test` decides the cases.
 */

struct policy_case_usb {
    bool given;
    struct policy_usb_ids device; /* one, without wildcards */
    char *serial, *name, *port, *connect_type, *hash, *parent_hash, *usbguard_hash, *usbguard_parent_hash;
    struct policy_interfaces interfaces; /* without wildcards, at least one */
    bool duplicate;
};

struct policy_case_medium {
    bool given;
    char *bus; /* NULL with usb */
    char *node, *filesystem, *label, *uuid, *serial;
    uint64_t capacity;
    bool inside_luks;
};

enum policy_case_mount_kind {
    POLICY_CASE_NETWORK = 0,
    POLICY_CASE_FUSE
};
struct policy_case_mount {
    bool given;
    enum policy_case_mount_kind kind;
    char *type, *source;
};

struct policy_case_open {
    bool given;
    char *path;                    /* NULL: any file of the medium */
    struct policy_program program; /* path NULL: not known which */
    bool write, execute;
};

struct policy_case_approver {
    char *user; /* NULL: known by groups alone */
    struct policy_strings groups;
};
struct policy_case_export {
    bool given;
    char *path;                              /* its store is found by it */
    uint64_t size, taken_files, taken_bytes; /* taken: by this rule today, before */
    uint8_t factors;
    struct policy_case_approver *approvers;
    size_t n_approvers;
};

enum policy_expected_verdict {
    POLICY_EXPECT_ANY = 0,
    POLICY_EXPECT_ALLOW,
    POLICY_EXPECT_DENY,
    POLICY_EXPECT_WOULD_REFUSE /* monitor mode lets pass what would be refused */
};
struct policy_expect {
    enum policy_expected_verdict verdict;
    char *granted, *rule, *reason; /* NULL: not asked */
    struct policy_position verdict_at, granted_at, rule_at, reason_at;
};

struct policy_case {
    struct policy_position at;
    char *name;
    int64_t wall_us;
    char *user; /* NULL: nobody is known */
    struct policy_strings groups;
    struct policy_case_usb usb;
    struct policy_case_medium medium;
    struct policy_case_mount mount;
    struct policy_case_open open;
    struct policy_case_export export;
    bool unlocked; /* the person has unlocked the device and the medium */
    struct policy_expect expect;
};

struct policy_cases {
    char *timezone; /* NULL: the machine's */
    struct policy_position timezone_at;
    int64_t wall_us; /* of cases without `at` and 0 */
    char *user;      /* of cases without user and groups */
    struct policy_strings groups;
    struct policy_case *items;
    size_t n;
};

enum {
    POLICY_CASES_SIZE_MAX = 1024 * 1024,
    POLICY_CASES_MAX = 8192,
    POLICY_CASE_APPROVERS_MAX = 8,
};

struct policy_findings;
/* 0 and the cases, each with its own moment and person filled in; POLICY_E_INVALID with findings; -ENOMEM. */
int policy_cases_load(const uint8_t *bytes, size_t size, struct policy_findings *findings, struct policy_cases **ret);
struct policy_cases *policy_cases_free(struct policy_cases *c);
const char *policy_expected_verdict_name(enum policy_expected_verdict v); /* "allow" "deny" "would-refuse" "" */
