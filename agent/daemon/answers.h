#pragma once

#include "audit/audit.h"

struct json_t;
struct daemon;

/* JSON of the control socket's answers (docs/PROTOCOL.control.md). NULL on ENOMEM. */

struct json_t *answer_refusal(const struct audit_event *e);
struct json_t *answer_status(struct daemon *d);
struct json_t *answer_policy_brief(struct daemon *d);
struct json_t *answer_devices(struct daemon *d);
struct json_t *answer_doctor(struct daemon *d);
