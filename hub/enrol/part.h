#pragma once

#include "hub/serve/serve.h"

/* The part of `kuraban-hub serve` that lets terminals in: HTTPS, in a thread of its own with a store of its own. */
extern const struct hub_part enrol_part;
