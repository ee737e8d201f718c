#pragma once

#include "ctl/server.h"

/* The requests of PROTOCOL.control.md, answered with the files of tests/data/cli/answers. */
extern const struct ctl_verb ctl_answers[];
extern const size_t n_ctl_answers;

/* From the next fake_ctl_start() on, answers are <request>-<situation>.json; NULL: <request>.json. */
void ctl_answers_in(const char *situation);
