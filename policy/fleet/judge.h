#pragma once

#include <stdint.h>

#include "policy/fleet/statement.h"

/*
 * What a verified statement is worth beside what one holds already. Pure: all it needs comes in. 0 is good, everything else leaves what one
 * holds as it is; each has a message for people and a stable name for journal and JSON.
 */

enum fleet_result {
    FLEET_OK = 0,
    FLEET_E_KIND = 1,     /* not the kind of statement that is judged so: a programmer's error, refused all the same */
    FLEET_E_ORGANIZATION, /* for another organization */
    FLEET_E_TERMINAL,     /* for, or of, another terminal */
    FLEET_E_KEYS,         /* names other keys than the terminal's */
    FLEET_E_KNOWN,        /* what one holds, once more: nothing to do */
    FLEET_E_ROLLBACK,     /* older than what one holds */
    FLEET_E_FORK,         /* the same number with other content: two histories */
    FLEET_E_AHEAD,        /* speaks of records that do not exist */
    FLEET_E_EXPIRED,      /* its time is over */
    FLEET_E_NOT_YET,      /* issued in what is the future here */
    FLEET_E_TOKEN,        /* made for another token */
    FLEET_E_CENTRE,       /* made for another centre */
    FLEET_RESULT_COUNT_,
};
const char *fleet_result_name(enum fleet_result r); /* "rollback" … */
const char *fleet_result_text(enum fleet_result r); /* msgid */

/* What a terminal knows of itself. */
struct fleet_self {
    const char *organization; /* of its root */
    uint8_t journal[TRUST_PUBLIC_SIZE];
    char wire[NKEY_PUBLIC_SIZE];
};

/* --- At a terminal --- */

/* Is it this terminal's? Asked of every membership; the first one needs nothing else. */
enum fleet_result fleet_membership_is_for(const struct fleet_statement *m, const struct fleet_self *self);
/* May next follow current? The same terminal with the same keys, and a higher serial. */
enum fleet_result fleet_membership_follows(const struct fleet_statement *current, const struct fleet_statement *next);
/* terminal: its own id. Whether an order was carried out already, its caller knows: ids until they expire, and TRUST_CLOCK_SLACK_S longer. */
enum fleet_result fleet_order_judge(const struct fleet_statement *order, const char *organization, const char *terminal,
                                    int64_t now_us);
/* released: up to where the journal was acknowledged before, 0: never. own: the hash of the terminal's own record of the ack's sequence
 * number, NULL: it has none. FLEET_OK: all up to that record may be released. */
enum fleet_result fleet_ack_judge(const struct fleet_statement *ack, const char *organization, const char *terminal,
                                  uint64_t released, const struct digest *own);

/* --- At the centre --- */

/* Is next newer than the report held? By the journal's sequence number, then by the report's own: no broker can bring back an old one,
 * and no terminal needs to keep a counter. The first report of a terminal follows anything that may be. */
enum fleet_result fleet_report_follows(const struct fleet_statement *current, const struct fleet_statement *next);
/* token: as it came beside the request. ca: the digest terminals pin of this centre. enum fleet_result or -EIO. */
int fleet_enrolment_judge(const struct fleet_statement *enrolment, const void *token, size_t size,
                          const struct digest *ca, int64_t now_us);
