#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "policy/policy.h"

/*
 * What changes between two policies, for people, devices and stores: not what was written otherwise. Devices and media are made up
 * from all that the rules of both policies name, alone and two rules at a time, and decided by both (decide/), for everybody and at
 * every hour: what differs are the permissions and their conditions. Pure: no I/O, no clock, no name service.
 */

enum diff_effect {
    DIFF_WIDER = 0, /* more is permitted, or less protected: what a person who approves must look at */
    DIFF_OTHER,     /* neither more nor less, or both */
    DIFF_NARROWER,
    DIFF_NONE, /* nothing is decided otherwise */
    DIFF_EFFECT_COUNT_,
};
const char *diff_effect_name(enum diff_effect effect); /* "wider" "other" "narrower" "none" */

enum diff_area {
    DIFF_DOCUMENT = 0,
    DIFF_USB,
    DIFF_MEDIA,
    DIFF_MOUNTS,
    DIFF_STORES,
    DIFF_EXPORT,
    DIFF_MFA,
    DIFF_AUDIT,
    DIFF_AREA_COUNT_,
};
const char *diff_area_name(
    enum diff_area area); /* as the section: "document" "usb" "media" "mounts" "stores" "export" "mfa" "audit" */

enum diff_kind {
    DIFF_CHANGED = 0, /* keys have other values: details */
    DIFF_PERMITTED,   /* devices or media that were refused; details: under which conditions */
    DIFF_REFUSED,     /* devices or media that were permitted; details: how they were */
    DIFF_CONDITIONS,  /* permitted before and after, otherwise */
    DIFF_ADDED,       /* a store; a rule without effect */
    DIFF_REMOVED,
    DIFF_RENAMED,   /* another id: records will name it so */
    DIFF_MOVED,     /* a rule stands at another place; effect NONE: no decision changes by that */
    DIFF_REWRITTEN, /* a rule says otherwise and nothing is decided otherwise */
    DIFF_KIND_COUNT_,
};
const char *diff_kind_name(enum diff_kind kind);

struct diff_detail {
    const char *key;      /* as in the policy: "who" "when" "luks-only" "programs" */
    char *before, *after; /* in the words of policy/show.h; NULL: not there */
    enum diff_effect effect;
};

struct diff_list {
    char **items;
    size_t n;
};

struct diff_change {
    enum diff_effect effect;
    enum diff_area area;
    enum diff_kind kind;
    char *subject; /* id of a rule, path of a store, "" */
    struct diff_detail *details;
    size_t n_details;
    struct diff_list rules_before, rules_after; /* what decides: ids, "default", "media.optical", "usb": the device's */
    /* Of USB and media: "0781:5583; serial 4C530001", "" for all that no rule names. Each stands for all devices that show
     * this and nothing else that a rule names. Of export: "/srv/juki → kazei-stick", from where and by which rule's media. */
    struct diff_list devices;
};

struct diff {
    struct diff_change *items; /* by effect, then area */
    size_t n, n_effect[DIFF_EFFECT_COUNT_];
    bool incomplete; /* there were more devices to make up than cases_max: some differences may be missing */
};

struct diff_options {
    size_t cases_max; /* devices and media to make up; 0: DIFF_CASES_MAX */
};
enum {
    DIFF_CASES_MAX = 1000000
};

/* 0 and the changes from a to b (ret->n is 0: nothing that the loader keeps differs), or -ENOMEM. options may be NULL. */
int diff_policies(const struct policy *a, const struct policy *b, const struct diff_options *options,
                  struct diff **ret);
struct diff *diff_free(struct diff *d);
