#pragma once

#include "ctl/server.h"

ctl_handler control_on_fleet_enrol, control_on_fleet_join;
