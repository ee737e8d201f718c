#pragma once

#include <sys/types.h>

#include "mfa/mfa.h"

struct ctl_peer;
struct daemon;

/* One attempt with a code, whatever it is for: by the policy's limits, in the journal as mfa-verified or mfa-refused (never the code).
 * Also for grants and exports: an approver's code is asked only after the one who asks has shown their own, so that nobody can use up
 * another person's tries without one. */
struct factor_attempt {
    const struct ctl_peer *peer; /* who sent it */
    uid_t uid;                   /* whose code it is */
    const char *purpose;         /* stable: "login" "check" "unlock" "export" "approve" */
    const char *about;           /* the service, device or grant; NULL: nothing to add. May be foreign text */
    const char *code;            /* the caller's, who wipes it */
};
/* ret->outcome is MFA_ACCEPTED or it is a no. */
void factor_verify(struct daemon *d, const struct factor_attempt *a, struct mfa_result *ret);
