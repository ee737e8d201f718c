#pragma once

#include <stdio.h>

#include "policy/policy.h"

/*
 * What a rule says, as one line in the words of the document: "4C530001, 4C530002", "none-of: 06:*:*", "mon-fri
 * 08:30-17:15". The same in every language; the strings in it are as they were written. `limit` items of a list are written
 * out, then how many there are; 0 writes all.
 */

void policy_show_strings(FILE *out, const struct policy_strings *s, size_t limit);
void policy_show_ids(FILE *out, const struct policy_usb_ids *ids, size_t limit);
void policy_show_interface(FILE *out, const struct policy_interface *i);
void policy_show_interfaces(FILE *out, const struct policy_interfaces *i, size_t limit);
void policy_show_who(FILE *out, const struct policy_who *who, size_t limit);
void policy_show_when(FILE *out, const struct policy_when *when);
/* Local time; "2027-03-31" for the last microsecond of a day, so that it reads as it is written. */
void policy_show_time(FILE *out, int64_t wall_us);
void policy_show_size(FILE *out, uint64_t bytes);
/* "device 0781:5583, serial 4C530001"; "" for a match of everything. */
void policy_show_usb_match(FILE *out, const struct policy_usb_match *m, size_t limit);
/* Selectors (bus, path, serial, label, uuid), and the conditions (filesystem, luks-only, capacity-max). */
void policy_show_medium_selectors(FILE *out, const struct policy_medium_match *m, size_t limit);
void policy_show_medium_conditions(FILE *out, const struct policy_medium_match *m, size_t limit);

/* "refuse" "read" "use" "export", "mynumber" "lgwan" "internet", "enforce" "monitor", "one-of" … */
const char *policy_allow_name(enum policy_allow allow);
const char *policy_zone_name(enum policy_zone zone);
const char *policy_mode_name(enum policy_mode mode);
const char *policy_operator_name(enum policy_set_operator op);
const char *policy_when_full_name(enum policy_when_full full);
/* "mon" … "sun", 0 is Monday. */
const char *policy_day_name(unsigned day);

/* show_factor.c: "zip-aes256" "luks" "plain", "root" "self" "first-login". */
const char *policy_container_name(enum policy_container container);
const char *policy_enrol_name(enum policy_enrol enrol);
void policy_show_factors(FILE *out, uint8_t factors); /* "password, totp", "none" */
void policy_show_duration(FILE *out, int64_t us);     /* "15m", "0" */
/* "2", "1 (groups kakaricho)" */
void policy_show_approvals(FILE *out, unsigned approvals, const struct policy_who *approvers, size_t limit);
/* "totp; approvals 1; for 15m" */
void policy_show_unlock(FILE *out, const struct policy_unlock *unlock, size_t limit);
/* From where: "from juki, elsewhere", "classes 3B, 2". */
void policy_show_sources(FILE *out, const struct policy_export_rule *r, size_t limit);
/* The limits of a day: "files 50, bytes 100M". */
void policy_show_day(FILE *out, const struct policy_export_rule *r);
/* What a person gives and gets: "totp; approvals 1 (groups kakaricho); zip-aes256". */
void policy_show_demands(FILE *out, const struct policy_export_rule *r, size_t limit);
/* "services login, sshd; who groups kazei; password, totp; grace 7d"; "" when no login asks. */
void policy_show_login(FILE *out, const struct policy_mfa *mfa, size_t limit);
/* "failures 10; delay exponential; lock 15m" */
void policy_show_throttle(FILE *out, const struct policy_mfa *mfa);
