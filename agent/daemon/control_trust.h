#pragma once

#include "ctl/server.h"

/* The verbs of what is signed, for the table in control.c. The context is struct daemon. */
ctl_handler control_on_apply, control_on_trust_install, control_on_trust_remove;

struct daemon;
/* The first root was installed, or the rulebook applied a bundle: recorded, and told, and ruled by. */
void control_trust_installed(struct daemon *d, const struct ctl_call *call);
void control_trust_applied(struct daemon *d, const struct ctl_call *call);
