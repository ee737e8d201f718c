#pragma once

#include "ctl/server.h"

ctl_handler control_on_fleet_hello, control_on_fleet_bundle, control_on_fleet_statement, control_on_fleet_record,
    control_on_fleet_report, control_on_fleet_watch;
