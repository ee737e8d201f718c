#pragma once

#include <stddef.h>
#include <stdint.h>

#include "policy/trust/trust.h"

/* What a terminal sends to the centre: a signed statement, and beside it what only the sender and the centre know. */

enum {
    ENROL_BODY_MAX = 64 * 1024, /* bytes */
    ENROL_TOKEN_MAX = 128,
};

struct enrol_request {
    char token[ENROL_TOKEN_MAX + 1]; /* as it was typed; a secret */
    uint8_t *envelope;
    size_t size;
};

/* {"token": text, "enrolment": envelope} and nothing else. enum trust_result, -ENOMEM. enrol_request_done() wipes. */
int enrol_request_parse(const uint8_t *body, size_t size, struct enrol_request *ret, struct trust_complaint *complaint);
void enrol_request_done(struct enrol_request *q);
