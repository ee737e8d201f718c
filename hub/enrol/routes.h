#pragma once

#include "hub/api/api.h"
#include "hub/enrol/enrol.h"

enum {
    ENROL_ROUTES = 1
};
/* The routes of enrolment; e is borrowed. */
void enrol_routes(struct hub_enrol *e, struct hub_api_route ret[static ENROL_ROUTES]);
