#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/buf.h"
#include "policy/policy.h"

/*
 * From a rule file of USBGuard to a policy document, with an account of every line. The document never permits what the rules did
 * not: a rule that allows and loses a condition is left out, a rule that blocks and loses one blocks more. Why that suffices although
 * the first match decides, and where this departs from what USBGuard 1.1.2 does instead of what it documents: docs/USBGUARD.md.
 */

enum policy_import_outcome {
    POLICY_IMPORT_INVALID = 0, /* USBGuard itself would not start with it: there is no document */
    POLICY_IMPORT_LOST,        /* something could not be carried over */
    POLICY_IMPORT_NOTED,       /* carried over; the reasons say what to know */
    POLICY_IMPORT_CARRIED,
};

enum policy_import_reason {
    /* INVALID */
    POLICY_IMPORT_SYNTAX = 0,
    POLICY_IMPORT_CONFIGURATION, /* usbguard-daemon.conf: a value that is not known */
    POLICY_IMPORT_INSERTED,      /* usbguard-daemon.conf: the rules do not decide about what is plugged in */
    /* LOST */
    POLICY_IMPORT_CONDITION,      /* allow: the condition is not known here; left out */
    POLICY_IMPORT_CONDITION_PART, /* allow: holds only where its condition holds for sure */
    POLICY_IMPORT_CONDITION_WIDE, /* block: refuses whether or not the condition holds */
    POLICY_IMPORT_PRESENT,        /* usbguard-daemon.conf: devices that are there at start are asked for as well */
    POLICY_IMPORT_FOLDER_ALLOW,   /* implicit allow, but a RuleFolder may block: left out */
    /* NOTED */
    POLICY_IMPORT_HOURS,         /* local time, where USBGuard 1.1.2 takes UTC */
    POLICY_IMPORT_HOURS_END,     /* outside its hours it refuses, and later rules are not asked */
    POLICY_IMPORT_HOURS_LONGEST, /* several stretches of hours: only the longest for allow, one around all for block */
    POLICY_IMPORT_EQUALS_STRICT, /* allow, interfaces equals: each listed one needs an interface of its own */
    POLICY_IMPORT_EQUALS_WIDE,   /* block, interfaces equals: refuses whatever has all of them */
    POLICY_IMPORT_MATCH_ALL,     /* USBGuard 1.1.2 does not compare texts and wildcards by match-all */
    POLICY_IMPORT_TOO_LONG,      /* a value longer than any device can have */
    POLICY_IMPORT_CASE,          /* device id in capitals: matches nothing in USBGuard */
    POLICY_IMPORT_NEVER,         /* matches no device in USBGuard either; left out */
    POLICY_IMPORT_ROOT_HUB,      /* host controllers are not asked for */
    POLICY_IMPORT_TARGET,        /* match, device: USBGuard fails with it and leaves the device blocked; refused here */
    POLICY_IMPORT_FOLDER,        /* usbguard-daemon.conf: RuleFolder; its files are not read */
    /* Of the whole file */
    POLICY_IMPORT_USE,             /* storage is read-only */
    POLICY_IMPORT_UNIQUE,          /* a second device with the same serial number is refused */
    POLICY_IMPORT_IMPLICIT_UNSAID, /* no rule matches: refused, as is USBGuard's default */
    POLICY_IMPORT_IMPLICIT_BLOCK,
    POLICY_IMPORT_IMPLICIT_REJECT,
    POLICY_IMPORT_IMPLICIT_ALLOW,
    POLICY_IMPORT_REASON_COUNT_,
};
const char *policy_import_outcome_name(enum policy_import_outcome o); /* stable: "carried" "noted" "lost" "invalid" */
const char *policy_import_reason_name(enum policy_import_reason r);   /* stable: "syntax" "hours" … */
const char *policy_import_reason_text(enum policy_import_reason r);   /* msgid, one sentence without full stop */

struct policy_import_line {
    bool configuration;    /* of usbguard-daemon.conf, not of the rules */
    unsigned line, column; /* from 1; line 0: the whole file; column 0: not said */
    enum policy_import_outcome outcome;
    uint32_t reasons;             /* bit of each policy_import_reason */
    char rule[POLICY_ID_MAX + 1]; /* its id in the document, "" when it has no rule there */
};

/* Starts as {0}. */
struct policy_import_account {
    struct policy_import_line *lines; /* rules in the order of the file; comments and empty lines have none */
    size_t n;
    size_t counts[POLICY_IMPORT_CARRIED + 1]; /* by outcome, of the lines with a line number */
};
void policy_import_account_done(struct policy_import_account *a);

enum {
    POLICY_IMPORT_E_INVALID = 1,     /* the account says which lines; ret is as before */
    POLICY_IMPORT_MAX = 1024 * 1024, /* bytes of rules; more is -EFBIG */
    POLICY_IMPORT_LINES_MAX = 10000, /* rules; more is -EFBIG */
};

struct policy_import_options {
    const char *organization, *name;
    const uint8_t *configuration; /* usbguard-daemon.conf; NULL: not given */
    size_t configuration_size;
    const char *(*translate)(const char *msgid); /* for the comments of the document; NULL: English */
};

/* Appends the document, which loads without errors. 0, POLICY_IMPORT_E_INVALID, -EFBIG (too much to read), -ENOBUFS (more than ret
 * or a policy holds) or -ENOMEM. The account is to be freed in every case. */
int policy_import_usbguard(const struct policy_import_options *options, const uint8_t *rules, size_t size,
                           struct policy_import_account *account, struct buf *ret);
