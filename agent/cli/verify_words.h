#pragma once

#include "policy/trust/trust.h"

/* What the person who prepares a bundle can do about a refusal; msgid, or NULL. */
const char *verify_hint(enum trust_result result);
