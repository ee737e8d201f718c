#pragma once

#include <stdbool.h>
#include <sys/types.h>

#include "mfa/mfa.h"

struct ctl_peer;
struct daemon;
struct json_t;

/* The verifier in the daemon: policy's limits, and the journal. */

/* One attempt with a code, whatever it is for: in the journal as mfa-verified or mfa-refused (never the code). Also for grants and exports:
 * an approver's code is asked only after the one who asks has shown their own, and what people send of others is looked at as long as those
 * have few failures: locked else, so that nobody locks a colleague out of their login. */
struct factor_attempt {
    const struct ctl_peer *peer; /* who sent it */
    uid_t uid;                   /* whose code it is */
    const char *purpose;         /* stable: "login" "check" "reissue" "unlock" "export" "approve" */
    const char *about;           /* the service, device or grant; NULL: nothing to add. May be foreign text */
    const char *details;         /* recorded behind it of a right code only: refusals would differ by it; NULL: none */
    const char *code;            /* the caller's, who wipes it */
};
/* Would the code be looked at? false: ret says why not. Nothing is recorded, and no code is needed. */
bool factor_is_looked_at(struct daemon *d, const struct factor_attempt *a, struct mfa_result *ret);
/* ret->outcome is MFA_ACCEPTED or it is a no. */
void factor_verify(struct daemon *d, const struct factor_attempt *a, struct mfa_result *ret);

/* For the files of daemon/ that speak of the verifier. */
int factor_start(struct daemon *d);
void factor_stop(struct daemon *d);
void factor_apply_policy(struct daemon *d);
/* Tells the journal when the store has become damaged, or whole again. */
void factor_tick(struct daemon *d);
struct mfa_now factor_now(void);
/* What somebody was told without an attempt: a login that needs no code for some days, one that is refused before a code is asked. */
void factor_record(struct daemon *d, const struct factor_attempt *a, const struct mfa_result *result);
/* Somebody's second factor was made, changed or taken away (by root, or themselves). */
void factor_record_change(struct daemon *d, const struct ctl_peer *peer, uid_t uid, bool enrolled, const char *what,
                          const char *details);

/* factor_turn.c */
/* How far the store has come, for "kuraban"."mfa" of a record; NULL when it cannot be told. */
struct json_t *factor_turn(const struct daemon *d);
/* How far it had come when the journal said so last; ret is untouched when it does not. */
void factor_known_turn(const struct daemon *d, struct mfa_turn *ret);
/* Is it another store than the one that was known? The journal tells, once. */
void factor_compare(struct daemon *d, const struct mfa_turn *known);
/* Where an administrator says so, an older copy is used. */
void factor_take_up(struct daemon *d);
