/* Owns: which call of HTTP is which of enrolment's. Must not: judge. */
#include "hub/enrol/routes.h"

#include <stdio.h>

static int on_enrol(void *context, const struct hub_api_request *request, struct hub_api_reply *ret)
{
    const struct hub_enrol_call call = {
        .body = request->body, .size = request->size, .address = request->address, .now_us = request->now_us};
    struct hub_enrol_answer answer = {0};
    int r = hub_enrol_call(context, &call, &answer);

    if (r < 0)
        return r;
    ret->status = answer.status;
    ret->body = answer.body;
    ret->error = answer.error;
    (void)snprintf(ret->about, sizeof(ret->about), "%s", answer.terminal);
    return 0;
}

void enrol_routes(struct hub_enrol *e, struct hub_api_route ret[static ENROL_ROUTES])
{
    ret[0] = (struct hub_api_route){.method = "POST", .path = "/v1/enrol", .run = on_enrol, .context = e};
}
