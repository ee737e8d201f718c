#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "decide/decide.h"

struct json_t;

/*
 * A whole case from facts alone: the device is decided, then the medium in it, then the opening of a file on it, each by what
 * the one before got, as kuraband does; or a file that is taken out to it. What is refused has nothing behind it: there the case
 * ends. Also one store, one mount.
 */

enum evaluate_object {
    EVALUATE_USB = 1,
    EVALUATE_MEDIUM,
    EVALUATE_MOUNT,
    EVALUATE_FILE,
    EVALUATE_EXPORT
};
const char *evaluate_object_name(enum evaluate_object object); /* "usb" "medium" "mount" "file" "export" */

struct evaluate_facts {
    bool has_usb, has_medium, has_mount, has_open;
    bool has_export; /* instead of has_open: a file is taken out to the device or medium */
    struct decide_usb_facts usb;
    struct decide_medium_facts medium; /* usb_rule is filled in when has_usb */
    struct decide_mount_facts mount;
    struct decide_open_facts open;     /* kind and medium are filled in when has_medium */
    struct decide_export_facts export; /* target is filled in */
    const char *person;                /* for people: "tanaka (kazei)"; "" nobody */
    const char *program;               /* for people: the path; NULL when there is none */
};

enum {
    EVALUATE_STEPS_MAX = 3
};
struct evaluate_step {
    enum evaluate_object object;
    struct verdict verdict;
};
struct evaluate_steps {
    struct evaluate_step items[EVALUATE_STEPS_MAX];
    size_t n;
    struct decide_medium_facts medium; /* as they were decided */
    struct decide_export_facts export;
};
/* ret->n is 0 only when there is nothing to decide. Its verdicts refer to p. */
void evaluate(const struct policy *p, const struct evaluate_facts *facts, struct evaluate_steps *ret);

/* "allow", "deny", "would-refuse": as `kuraban audit show --verdict` calls them. */
const char *evaluate_verdict_name(const struct verdict *v);

/*
 * One step as JSON, keys as in kuraban(1): object, guarded, verdict, granted, rule, name, position {file, line, column} or
 * null, reason, would_refuse, key, wanted, found (null when the decision needs no such), rules: every rule of the section
 * with section, id, name, line, column, decides, mismatch, wanted, found. NULL on ENOMEM.
 */
struct json_t *evaluate_describe(const struct policy *p, const char *file, const struct evaluate_facts *facts,
                                 const struct evaluate_steps *steps, size_t i);
