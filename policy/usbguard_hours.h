#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "policy/usbguard_rule.h"

/*
 * The conditions behind `if` of a USBGuard rule, as hours of a day. What depends on chance or on what happened before
 * (random, rule-applied, rule-evaluated, allowed-matches) is not known here: so there are two answers, the minutes in which the
 * conditions hold for sure, and those in which they may hold.
 */

enum {
    USBGUARD_MINUTES = 24 * 60
};

struct usbguard_hours {
    bool sure[USBGUARD_MINUTES], maybe[USBGUARD_MINUTES];
    bool has_hours;   /* localtime() is among them */
    bool has_unknown; /* something that is not known here is among them, whether or not it matters */
};

/* Is "!name(parameter)" a condition that USBGuard takes? */
bool usbguard_condition_is_valid(const char *text);

/* All conditions of the list under its operator; every minute when there is none. */
void usbguard_hours(const struct usbguard_list *conditions, struct usbguard_hours *ret);

/* The longest stretch of minutes that are `value`, over midnight too: its length, start and end (1…1440, exclusive; before or at
 * start when over midnight). 0 when there is none. */
unsigned usbguard_hours_longest(const bool minutes[USBGUARD_MINUTES], bool value, unsigned *ret_from, unsigned *ret_to);
unsigned usbguard_hours_count(const bool minutes[USBGUARD_MINUTES]);
