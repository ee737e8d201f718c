#pragma once

#include "ctl/server.h"

/* The verbs of what is signed, for the table in control.c. The context is struct daemon. */
ctl_handler control_on_apply, control_on_trust_install, control_on_trust_remove;
