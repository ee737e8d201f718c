#pragma once

#include "policy/fleet/judge.h"
#include "policy/fleet/statement.h"

/*
 * A terminal as the centre sees it: it judges bundles and statements as kuraband does (policy/trust, policy/fleet) and signs real reports,
 * without devices, files or a connection. Whatever goes wrong here aborts.
 */

struct fake_terminal {
    char id[FLEET_ID_SIZE];
    uint8_t journal[TRUST_PUBLIC_SIZE];
    char wire[NKEY_PUBLIC_SIZE];
    EVP_PKEY *key;
    struct trust_state *state;
    char groups[FLEET_GROUPS_MAX][FLEET_TEXT_SIZE];
    size_t n_groups;
    uint64_t membership;
    uint64_t reports, records; /* its own counters */
    bool broken;               /* cannot apply anything new */
    bool has_outcome, failed;
    struct digest bundle;
    char reason[64];
};

/* Number i of them, which holds this root's envelope and is in this group. */
void fake_terminal_begin(struct fake_terminal *t, unsigned i, const uint8_t *root, size_t size, const char *group,
                         int64_t now_us);
void fake_terminal_end(struct fake_terminal *t);

/* A bundle came, by whichever subject. What is behind the head that it holds is passed over. enum trust_result. */
int fake_terminal_bundle(struct fake_terminal *t, const uint8_t *bytes, size_t size, int64_t now_us);
/* A membership or an order came. enum trust_result; ret: the order's kind, or FLEET_ORDER_NONE. */
int fake_terminal_statement(struct fake_terminal *t, const uint8_t *bytes, size_t size, int64_t now_us,
                            enum fleet_order_kind *ret);
/* What it says now; the caller frees. */
void fake_terminal_report(struct fake_terminal *t, int64_t now_us, uint8_t **ret, size_t *ret_size);
/* The version of the policy that rules there; 0: none. */
uint64_t fake_terminal_version(const struct fake_terminal *t);
