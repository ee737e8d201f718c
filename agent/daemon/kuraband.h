#pragma once

struct config;

/* Runs the daemon until it is told to stop. 0, or -errno of the part that could not start (logged). */
int kuraband_run(struct config *config);
