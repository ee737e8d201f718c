#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"
#include "decide/decide.h"
#include "grant/grant.h"
#include "mfa/mfa.h"

struct ctl_peer;
struct daemon;
struct json_t;

/* The codes of one request (UNLOCK, EXPORT): that of who asks, and those of who approves. */
struct codes {
    uint8_t n;
    uid_t approvers[GRANT_APPROVERS_MAX];
    char *items[1 + GRANT_APPROVERS_MAX]; /* the first is that of who asks; "": none */
};

/* The end of a request: string code, u8 n, n times u32 uid and string code. 0, -EBADMSG, -ENOMEM. */
int codes_get(struct buf_reader *in, struct codes *ret);
void codes_done(struct codes *c); /* wipes them */
/* Nobody twice, and not who asks. */
bool codes_are_of_others(const struct codes *c, uid_t uid);
/* Nor whoever is logged in where it is asked and has become another person (su, sudo). Also false when approvers are
 * named and that is not known: the process that connected has gone, or is part of no login. */
bool codes_are_of_other_logins(const struct codes *c, const struct daemon *d, const struct ctl_peer *peer);

/* The approvers as rules know them. */
struct codes_people {
    struct decide_person items[GRANT_APPROVERS_MAX];
    gid_t *gids[GRANT_APPROVERS_MAX];
};
/* Groups that cannot be asked for are none: then a rule that names groups has no approval. 0 or -errno. */
int codes_find_people(const struct codes *c, struct codes_people *ret);
void codes_people_done(struct codes_people *p);

struct codes_use {
    struct daemon *daemon;
    const struct ctl_peer *peer;
    const char *purpose;         /* of who asks; "approve" of the others */
    const char *about, *details; /* as in factor.h */
    const bool *asked;           /* by approver: whose approval is wanted; NULL: everybody's */
};
/* Is one there of everybody who is asked? */
bool codes_are_there(const struct codes *c, const bool *asked);
/* All or nothing; but what was given is used up, and what was wrong counts. Who gives no right code of their own learns nothing of the others; none of
 * theirs is looked at before it is known that all would be. 0, or -EPERM: whose, and why. */
int codes_verify(const struct codes *c, const struct codes_use *use, uid_t *ret_whose, struct mfa_result *ret);
/* For the answer. */
void codes_describe(struct json_t **answer, uid_t whose, const struct mfa_result *result);
