#pragma once

#include "decide/decide.h"

/* Pieces that the decisions share. For the files of decide/, and for policy/diff, which must mean the same. */

/* Does value satisfy the listed strings under their operator? An attribute with one value only: all-of and equals hold when
 * every listed string equals it, one-of (the default) when one does, none-of when none does. n = 0 always matches. */
bool match_strings(const struct policy_strings *wanted, const char *value);
/* The same with fnmatch(3) patterns; '*' does not cross '/'. */
bool match_patterns(const struct policy_strings *wanted, const char *value);
/* usbguard-rules.conf(5), with-interface, as usbguard 1.1 does it: equals also compares how many there are, so {08:*:*} is one
 * storage interface. Stricter in one place: with equals every interface of the device must be listed too, so that the device
 * [08:06:50, 03:01:01] does not equal [08:*:*, 08:06:50]. No interfaces at all match nothing. */
bool match_interfaces(const struct policy_interfaces *wanted, const struct decide_interface *have, size_t n);
bool match_interface(const struct policy_interface *wanted, const struct decide_interface *have);
bool match_usb_id(const struct policy_usb_match *m, uint16_t vendor, uint16_t product);

bool match_person(const struct policy_who *who, const struct decide_person *person);
/* One of the persons; false when nobody is there and the rule is restricted. */
bool match_persons(const struct policy_who *who, const struct decide_person *persons, size_t n);
bool match_when(const struct policy_when *when, const struct decide_time *now);

/* Permits only after an unlocking: does one that holds find no grant in force? */
enum verdict_reason match_unlock(const struct policy_unlock *unlock, bool granted);

/* Does the outcome of a rule change with who asks or when? One that asks for a grant says so by `unlock.needed` itself. */
bool match_depends(const struct policy_who *who, const struct policy_when *when, int64_t until_us);

/* The conditions every rule has. REASON_RULE when all hold, else the one that does not. */
enum verdict_reason match_conditions(const struct policy_who *who, const struct policy_when *when, int64_t until_us,
                                     const struct decide_person *persons, size_t n, const struct decide_time *now);

/* The same for a refusing rule, which speaks only of those its conditions name. */
enum decide_mismatch match_refusal(const struct policy_who *who, const struct policy_when *when, int64_t until_us,
                                   const struct decide_person *persons, size_t n, const struct decide_time *now);

/* Fills ret; allow REFUSE denies whatever reason says. monitor lets pass and keeps what was ruled. */
void verdict_set(struct verdict *ret, const struct policy *p, bool rule_monitor, const char *rule,
                 enum policy_allow allow, enum verdict_reason reason);
