#pragma once

#include "cli/cli.h"

/* Number, time, what, verdict, and what else there is; with its newline. Forgets what cli_safe() made. */
void record_line_show(struct cli *c, struct json_t *record);
