#pragma once

#include "ctl/server.h"

/* The verbs of the second factor, for the table in control.c (docs/PROTOCOL.control.md). The context is struct daemon. */
ctl_handler control_on_mfa_verify, control_on_mfa_enrol, control_on_mfa_confirm, control_on_mfa_list,
    control_on_mfa_remove, control_on_mfa_lift, control_on_mfa_reissue, control_on_mfa_import, control_on_mfa_status,
    control_on_mfa_rotate;
ctl_handler control_on_mfa_login; /* control_login.c */

enum {
    CONTROL_MFA_SELF = 0xffffffff, /* the peer's own uid */
    CONTROL_MFA_REASON_MAX = 256,
};

struct daemon;
struct mfa_recovery;
/* Text that may be a code or a secret: wiped before it is freed. For _cleanup_(). */
void control_wipe_text(char **text);
/* u8 count and the codes. */
int control_add_recovery(struct buf *reply, const struct mfa_recovery *r);
/* May this peer make a second factor for themselves? */
bool control_may_enrol(const struct daemon *d);
/* What an authenticator shows above the code. */
const char *control_issuer(const struct daemon *d);
