#pragma once

#include "cli/cli.h"

struct policy;
struct policy_findings;
struct usb_device;
struct verdict;

/* Warns of each USB device of this machine that the policy would not let work, what the machine runs from and keyboards first, at the rule
 * that refuses it. Rules with
 * people or hours are judged as for nobody at this moment, and what only they refuse is not told. On failure it has told why. */
enum cli_exit check_present(struct cli *c, struct policy *policy, struct policy_findings *findings);

/* Does the policy keep a device that the machine runs from (present_carries_system())? With nobody there, and always. */
enum check_system {
    CHECK_SYSTEM_LOST = 0,
    CHECK_SYSTEM_AT_TIMES, /* at the moment; it hangs on people, hours, an end date or another device */
    CHECK_SYSTEM_KEPT,
};
/* ret: the decision, as for nobody at this moment. */
enum check_system check_system(const struct policy *policy, const struct usb_device *d, struct verdict *ret);
