#pragma once

#include "bypass/bypass.h"

/* A finding for people, translated */
const char *lint_means(enum bypass_kind kind); /* has at most one %s, for the subject */
const char *lint_todo(enum bypass_kind kind);
const char *lint_reason(enum bypass_reason reason);
