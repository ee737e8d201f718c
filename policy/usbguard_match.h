#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/usbguard_rule.h"

/*
 * What one attribute of a USBGuard rule comes to as a match attribute of ours. Where USBGuard 1.1.2 does something else than it
 * documents, a rule that allows gets what both agree on, and a rule that blocks what either says.
 */

enum usbguard_term_kind {
    USBGUARD_TERM_NEVER = 0, /* no device has it: the rule never decides */
    USBGUARD_TERM_ANY,       /* every device has it */
    USBGUARD_TERM_SET,
};

struct usbguard_term {
    enum usbguard_term_kind kind;
    enum policy_set_operator op;
    const char **items; /* owned; the texts are the rule's */
    size_t n;
    uint32_t reasons; /* bits of policy_import_reason */
};

/* blocks: the rule refuses. Not for labels and conditions. 0 or -ENOMEM. */
int usbguard_match(const struct usbguard_rule *rule, enum usbguard_attribute attribute, bool blocks,
                   struct usbguard_term *ret);
void usbguard_term_done(struct usbguard_term *t);
