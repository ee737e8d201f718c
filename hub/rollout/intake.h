#pragma once

#include "hub/store/store.h"
#include "policy/trust/trust.h"

/* Reports as they come off the wire, which may bring anything by anybody. */

enum rollout_intake_result {
    ROLLOUT_INTAKE_OK = 0,
    ROLLOUT_INTAKE_KNOWN,    /* the one that is held, once more, or one before it: nothing changes */
    ROLLOUT_INTAKE_E_NOBODY, /* no such terminal, or it was revoked */
    ROLLOUT_INTAKE_E_BAD,    /* not signed by this terminal's journal's key, or no report: an alarm */
    ROLLOUT_INTAKE_E_FORK,   /* its journal has another record under the same number: an alarm. What is held stays */
};

/* terminal: by the subject. In the caller's transaction. enum rollout_intake_result or -errno. */
int rollout_intake(struct hub_store *s, const char *terminal, const uint8_t *envelope, size_t size, int64_t now_us,
                   struct trust_complaint *complaint);
