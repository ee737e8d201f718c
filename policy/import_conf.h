#pragma once

#include <stddef.h>
#include <stdint.h>

#include "policy/usbguard_rule.h"

/* The settings of usbguard-daemon.conf(5) that say what the rules are asked for. */

enum {
    IMPORT_CONF_PROBLEMS_MAX = 16
};

struct import_conf {
    enum usbguard_target implicit; /* NOTHING: not said; never ALLOW with a RuleFolder, whose rules may block */
    unsigned folder;               /* the line of the RuleFolder, 0: there is none */
    struct {
        unsigned line;
        uint32_t reasons; /* bits of policy_import_reason */
    } problems[IMPORT_CONF_PROBLEMS_MAX];
    size_t n;
};

void import_conf_read(const char *text, size_t size, struct import_conf *ret);
