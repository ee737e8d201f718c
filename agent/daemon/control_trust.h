#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ctl/server.h"

struct daemon;
struct trust_complaint;

/* The verbs of what is signed, for the table in control.c. The context is struct daemon. */
ctl_handler control_on_apply, control_on_trust_install, control_on_trust_remove;

/* A bundle, whoever brings it: verified, stored, recorded when it changes anything, ruling. 0; enum trust_result and nothing has changed; -errno. */
int control_trust_apply(struct daemon *d, const struct ctl_call *call, const uint8_t *bytes, size_t size,
                        bool *ret_changed, struct trust_complaint *complaint);
/* What it is refused by, as APPLY answers it; and recorded, with that answer. */
const char *control_trust_reason(const struct daemon *d, int result);
enum ctl_code control_trust_refuse(struct daemon *d, const struct ctl_call *call, int result,
                                   const struct trust_complaint *complaint, struct json_t **ret);
/* The first root was installed, or the rulebook applied a bundle: recorded, and told, and ruled by. */
void control_trust_installed(struct daemon *d, const struct ctl_call *call);
void control_trust_applied(struct daemon *d, const struct ctl_call *call);
