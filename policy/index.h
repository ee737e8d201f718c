#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "policy/policy.h"

/*
 * Which rules of a policy may match at all, so that a decision does not ask each of five thousand. Built at load, read-only
 * afterwards. It only proposes: whoever asks compares every attribute itself, and gets the proposals in the order of the rules, so
 * that first match wins as without it.
 */

enum policy_key {      /* attributes a device or medium has one value of */
    POLICY_KEY_ID = 0, /* of the rule itself */
    POLICY_KEY_HASH,
    POLICY_KEY_USBGUARD_HASH,
    POLICY_KEY_SERIAL,
    POLICY_KEY_UUID,
    POLICY_KEY_NAME,
    POLICY_KEY_LABEL,
    POLICY_KEY_PORT,
    POLICY_KEY_PARENT_HASH,
    POLICY_KEY_USBGUARD_PARENT_HASH,
    POLICY_KEY_DEVICE, /* .device instead of a text */
    POLICY_KEY_COUNT_,
};

/* What is known of a device. NULL: not known, and rules that demand one of few values are not proposed for it. */
struct policy_values {
    const char *text[POLICY_KEY_COUNT_];
    bool has_device;
    uint16_t vendor, product;
};

struct policy_index_entry {
    uint32_t hash, rule;
};

struct policy_candidates {
    size_t n_rules, next; /* without an index: all, one after the other */
    bool all;
    struct {
        const struct policy_index_entry *at, *end;
        uint32_t hash;
    } cursors[POLICY_KEY_COUNT_];
    unsigned n;
    const uint32_t *others, *others_end;
};

struct policy_index;

/* 0 or -ENOMEM. */
int policy_index_usb(const struct policy_usb_rule *rules, size_t n, struct policy_index **ret);
int policy_index_media(const struct policy_medium_rule *rules, size_t n, struct policy_index **ret);
struct policy_index *policy_index_free(struct policy_index *x);

/* index NULL (a policy that was not loaded from a document): every one of the n rules is proposed. */
void policy_candidates_init(struct policy_candidates *c, const struct policy_index *index, size_t n_rules,
                            const struct policy_values *values);
/* The next position in rising order; false when there is none. */
bool policy_candidates_next(struct policy_candidates *c, size_t *ret);

/* Whoever matches the set has one of the listed values: one-of, match-all, or a single value under any operator but none-of. */
bool policy_is_choice(enum policy_set_operator op, size_t n);

/* --- Long lists --- */

/* Gives a set of different strings a table when it is long. 0 or -ENOMEM. */
int policy_strings_index(struct policy_strings *set);
bool policy_strings_has(const struct policy_strings *set, const char *text);
