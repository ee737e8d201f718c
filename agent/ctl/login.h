#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "base/buf.h"

/* CTL_MFA_LOGIN as both sides write it (docs/PROTOCOL.control.md). */

enum ctl_login_step {
    CTL_LOGIN_ASK = 0,     /* is a code needed? */
    CTL_LOGIN_VERIFY = 1,  /* is this one right? */
    CTL_LOGIN_ENROL = 2,   /* may this person enrol now? */
    CTL_LOGIN_CONFIRM = 3, /* are these the codes of what ENROL offered? */
};

/* The same numbers as enum mfa_outcome of mfa/mfa.h, which is the verifier's and not to be seen from here. */
enum ctl_login_outcome {
    CTL_LOGIN_REFUSED = 0, /* zero means no */
    CTL_LOGIN_ACCEPTED,
    CTL_LOGIN_WRONG,
    CTL_LOGIN_USED,
    CTL_LOGIN_WAIT,
    CTL_LOGIN_LOCKED,
    CTL_LOGIN_ROLLBACK,
    CTL_LOGIN_NOT_ENROLLED,
    CTL_LOGIN_UNAVAILABLE,
    CTL_LOGIN_NEEDED,
    CTL_LOGIN_NOT_NEEDED,
    CTL_LOGIN_GRACE,
    CTL_LOGIN_SKEW,
    CTL_LOGIN_OUTCOMES_,
};

enum {
    CTL_LOGIN_ENROL_OPEN = 1 << 0, /* ENROL and CONFIRM may follow */
    CTL_LOGIN_EMERGENCY = 1 << 1, /* with GRACE: root at a console, booted with kuraban.emergency or without a policy */
};

enum {
    CTL_LOGIN_TEXT_MAX = 256, /* bytes of user, rhost, tty; a longer one is cut off */
    CTL_LOGIN_SERVICE_MAX = 64,
    CTL_LOGIN_CODE_MAX = 64,
    CTL_LOGIN_BASE32_MAX = 128,
    CTL_LOGIN_URI_MAX = 1024,
    CTL_LOGIN_RECOVERY_MAX = 16,
    CTL_LOGIN_RECOVERY_SIZE = 24,
};

/* NULL is empty everywhere. */
struct ctl_login {
    enum ctl_login_step step;
    uid_t uid;
    const char *user, *service, *rhost, *tty;
    const char *code; /* VERIFY; CONFIRM: the first and the next one with a space between */
};

/* Holds secrets after ENROL and CONFIRM: wipe with ctl_login_wipe(). */
struct ctl_login_answer {
    enum ctl_login_outcome outcome;
    uint32_t number; /* seconds, minutes or days, as the outcome says */
    unsigned flags;
    char base32[CTL_LOGIN_BASE32_MAX + 1], uri[CTL_LOGIN_URI_MAX + 1]; /* of ENROL, ACCEPTED */
    unsigned n_recovery;                                               /* of CONFIRM, ACCEPTED */
    char recovery[CTL_LOGIN_RECOVERY_MAX][CTL_LOGIN_RECOVERY_SIZE];
};
void ctl_login_wipe(struct ctl_login_answer *a);

/* Appends the fields of the request. request holds the codes then: buf_done() wipes them. 0 or -errno. */
int ctl_login_write(struct buf *request, const struct ctl_login *login);
/* The fields of an answer to step, all of them. An outcome that cannot answer this step is -EBADMSG: "accepted" to a question that brought
 * no code, "not needed" to one that did. */
int ctl_login_read(struct buf_reader fields, enum ctl_login_step step, struct ctl_login_answer *ret);
/* Asks kuraband: ctl_fields_ask() and both of the above. An answer with another code than CTL_CODE_OK is -EPROTO. */
int ctl_login_ask(const char *directory, const struct ctl_login *login, int *budget_ms, struct ctl_login_answer *ret);
