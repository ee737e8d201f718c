#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "policy/fleet/statement.h"

/*
 * What a terminal holds of its centre: its membership, the newest acknowledgement and the orders that were carried out (docs/FILEFORMAT.fleet.md,
 * "fleet.json"). In fleet.json of kuraband's state directory, with a marker (base/marked.h). One thread; no clock, no network.
 */
struct member;

enum member_condition {
    MEMBER_DAMAGED = 0, /* it was enrolled, and what it held is missing or changed: nothing of the centre is taken */
    MEMBER_GOOD,
    MEMBER_NONE, /* never enrolled */
};

/*
 * state_directory is borrowed. journal: this terminal's key. root: NULL when none is installed or it cannot be read. 0 or -ENOMEM; what cannot be
 * read, or is not this terminal's, is MEMBER_DAMAGED.
 */
int member_open(int state_directory, const uint8_t journal[static TRUST_PUBLIC_SIZE], const struct trust_root *root,
                struct member **ret);
struct member *member_free(struct member *m);

enum member_condition member_condition(const struct member *m);
const char *member_complaint(const struct member *m); /* why it is damaged, "" otherwise */
const char *member_terminal(const struct member *m);  /* the id of the journal's key, in every condition */
/* Borrowed, as long as nothing is kept; NULL: none. */
const struct fleet_membership *member_membership(const struct member *m);
const struct fleet_ack *member_ack(const struct member *m);

/* What is judged, and beside what. */
struct member_view {
    const struct trust_root *root; /* NULL: none is installed, nothing is taken */
    int64_t now_us;                /* the wall clock, not before the newest head */
    /* The hash of this terminal's own record of that number. 0, 1: it has none, -errno. */
    int (*own_hash)(void *context, uint64_t sequence, struct digest *ret);
    void *context;
};

enum {
    MEMBER_E_REFUSED = 1, /* the refusal says why */
    MEMBER_E_KNOWN = 2,   /* what is held, once more, or an order that was carried out: nothing to do */
};
struct member_refusal {
    const char *reason,
        *text; /* stable name and msgid: of enum trust_result or enum fleet_result, or "no-root", "not-enrolled", "damaged", "too-many" */
    struct trust_complaint complaint;
};

/* An envelope of the centre: a membership, an ack or an order. 0: it is good and to be acted on; *ret is the caller's. MEMBER_E_*, -errno. */
int member_judge(const struct member *m, const struct member_view *view, const uint8_t *envelope, size_t size,
                 struct fleet_statement **ret, struct member_refusal *ret_refusal);
/* Keeps what member_judge() found good, durably: the membership or ack instead of the one before, of an order its id. 0, -errno: as before. */
int member_keep(struct member *m, const struct fleet_statement *s, const uint8_t *envelope, size_t size,
                int64_t now_us);

/* The first membership, or a new one after an enrolment: for this journal's key and this wire key. Ends MEMBER_DAMAGED. 0, MEMBER_E_REFUSED, -errno. */
int member_join(struct member *m, const struct member_view *view, const char wire[static NKEY_PUBLIC_SIZE],
                const uint8_t *envelope, size_t size, struct member_refusal *ret_refusal);
/* Back to none. */
int member_leave(struct member *m);

enum {
    MEMBER_ORDERS_MAX = 256 /* ids that are remembered; an order beyond is refused until others are over */
};

DEFINE_CLEANUP(struct member *, member_free);
