#pragma once

#include "ctl/server.h"

/* CTL_EXPORT, for the table in control.c. The context is struct daemon. */
ctl_handler control_on_export;
