#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "policy/policy.h"

/*
 * One line of a USBGuard rule file, as usbguard-rules.conf(5) of 1.1.2 documents it and its daemon reads it: a line that is refused
 * here keeps usbguard-daemon from starting. Only the form; what it means is usbguard_match.h and usbguard_hours.h.
 */

enum usbguard_target {
    USBGUARD_NOTHING = 0, /* an empty line or a comment */
    USBGUARD_ALLOW,
    USBGUARD_BLOCK,
    USBGUARD_REJECT,
    USBGUARD_MATCH, /* these two describe a device; as a rule that matches they make the daemon fail */
    USBGUARD_DEVICE,
};

enum usbguard_attribute {
    USBGUARD_ID = 0,
    USBGUARD_NAME,
    USBGUARD_HASH,
    USBGUARD_PARENT_HASH,
    USBGUARD_SERIAL,
    USBGUARD_VIA_PORT,
    USBGUARD_WITH_INTERFACE,
    USBGUARD_WITH_CONNECT_TYPE,
    USBGUARD_LABEL,
    USBGUARD_IF,
    USBGUARD_ATTRIBUTE_COUNT_,
};

enum {
    USBGUARD_E_SYNTAX = 1,
    USBGUARD_LINE_MAX = 16 * 1024, /* bytes; longer is USBGUARD_E_SYNTAX */
};

/* The values as written: ids and interfaces as they stand, conditions with '!' and parameter, texts unescaped and then made
 * printable (text_make_printable), because that is how the facts of a device spell them. */
struct usbguard_list {
    enum policy_set_operator op; /* equals without one, also for a single value */
    char **items;
    size_t n; /* 0: the attribute is not there */
};

struct usbguard_rule {
    enum usbguard_target target;
    struct usbguard_list lists[USBGUARD_ATTRIBUTE_COUNT_];
};

/* 0; USBGUARD_E_SYNTAX and the byte, from 1, at which it went wrong; or -ENOMEM. Nothing is left allocated on failure. */
int usbguard_rule_parse(const char *line, size_t size, struct usbguard_rule *ret, unsigned *ret_column);
void usbguard_rule_done(struct usbguard_rule *r);
