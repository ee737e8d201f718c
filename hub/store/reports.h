#pragma once

#include "base/digest.h"
#include "hub/store/store.h"
#include "policy/fleet/names.h"

/*
 * What each terminal last said of itself, and when it was heard last. Whoever keeps a report has verified it and found it newer; what is shown
 * of a terminal comes from here and never from what was sent to it.
 */

struct hub_report {
    char terminal[FLEET_ID_SIZE];
    int64_t received_us;
    bool has_policy;
    struct digest policy; /* that rules there */
    uint64_t policy_version;
    char policy_name[FLEET_TEXT_SIZE];
    bool has_bundle;
    struct digest bundle; /* that came last */
    bool failed;          /* it was refused */
    char reason[FLEET_TEXT_SIZE];
    char head_group[FLEET_TEXT_SIZE]; /* "": no head */
    uint64_t head_version;
    uint64_t journal_sequence;
    struct digest journal_hash;
    uint64_t membership; /* serial; 0: none */
    char agent[FLEET_TEXT_SIZE];
};

/* In the caller's transaction. */
int hub_report_set(struct hub_store *s, const struct hub_report *report, const void *envelope, size_t size);
/* 1, 0 there is none. The envelope, where it is wanted, is the caller's to free(). */
int hub_report_get(struct hub_store *s, const char *terminal, struct hub_report *ret, uint8_t **ret_envelope,
                   size_t *ret_size);
/* A report came. In the caller's transaction, or on its own. By the hub's clock. */
int hub_contact_set(struct hub_store *s, const char *terminal, int64_t now_us);
/* When it was heard last: a report, or records that went on where the centre has them. 1, 0 never. */
int hub_contact_get(struct hub_store *s, const char *terminal, int64_t *ret_us);
