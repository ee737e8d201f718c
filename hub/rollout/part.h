#pragma once

#include "hub/serve/serve.h"

/* Policies, groups and orders to terminals, and their reports from them: hub/rollout as a part of `kuraban-hub serve`. */
extern const struct hub_part rollout_part;
