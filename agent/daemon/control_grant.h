#pragma once

#include "ctl/server.h"

/* The verbs of grants, for the table in control.c. The context is struct daemon. */
ctl_handler control_on_unlock, control_on_grants, control_on_unlock_end;
