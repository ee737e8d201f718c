#pragma once

#include <jansson.h>
#include <openssl/types.h>

#include "hub/centre/centre.h"
#include "hub/enrol/enrol.h"
#include "hub/keys/keys.h"
#include "hub/nats/broker.h"
#include "hub/store/terminals.h"
#include "policy/fleet/judge.h"

/* For the files of hub/enrol only. */

struct hub_enrol {
    struct centre centre;
    struct hub_keys wire;
    EVP_PKEY *head;
    char *organization;
    struct digest ca;
    json_t *urls; /* of the broker */
};

/* The answer is a refusal; 0 or -ENOMEM. */
int enrol_refuse(struct hub_enrol_answer *ret, unsigned status, const char *error, const char *message, ...)
    __attribute__((format(printf, 4, 5)));
/* What a terminal that is in gets: {"membership", "roots", "jwt", "urls"}, or that it waits. 0 or -errno. */
int enrol_hand_out(struct hub_enrol *e, const char *terminal, int64_t now_us, struct hub_enrol_answer *ret);
/* Only the JWT and where to: for one that is in. */
int enrol_jwt(struct hub_enrol *e, const struct hub_terminal *t, const char *const *groups, int64_t now_us, char **ret);
