#pragma once

#include "policy/policy.h"

/* Does all that `later` matches match `first` as well? Sure answers only: false when it cannot be told from the tables. */
bool covers_usb(const struct policy_usb_match *first, const struct policy_usb_match *later);
bool covers_medium(const struct policy_medium_match *first, const struct policy_medium_match *later);
/* Two plain lists: does every interface that fits one of `later` fit one of `first`? */
bool covers_interface_list(const struct policy_interfaces *first, const struct policy_interfaces *later);
/* The key of an attribute no device can satisfy, or NULL. */
const char *covers_contradiction(const struct policy_usb_match *m);

struct covers_conditions {
    const struct policy_who *who;
    const struct policy_when *when;
    int64_t until_us;
};
/* Do the conditions of `first` hold whenever those of `later` do? By the names as they are written. */
bool covers_conditions(const struct covers_conditions *first, const struct covers_conditions *later);
