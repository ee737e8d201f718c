#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/cleanup.h"
#include "policy/fleet/names.h"

struct json_t;

/*
 * Who becomes a terminal. One of these is used by one thread; it has the store open for itself, and the keys it signs with.
 */
struct hub_enrol;

enum {
    HUB_ENROL_JWT_DAYS = 30, /* a terminal renews it at half of that */
};

/* enum centre_result or -errno. */
int hub_enrol_open(const char *directory, int64_t now_us, struct hub_enrol **ret);
struct hub_enrol *hub_enrol_free(struct hub_enrol *e);
DEFINE_CLEANUP(struct hub_enrol *, hub_enrol_free);

struct hub_enrol_call {
    const uint8_t *body;
    size_t size;
    const char *address; /* whose call it is, for the record */
    int64_t now_us;
};

struct hub_enrol_answer {
    unsigned status;              /* of HTTP: 200, 202; 4xx and 503 with an error */
    const char *error;            /* stable name, static; NULL: none */
    char terminal[FLEET_ID_SIZE]; /* "": the call does not say */
    struct json_t *body;          /* the caller's to release; NULL only after -errno */
};

/*
 * A request to become a terminal. What a request does not carry is a refusal in *ret and 0; -errno: nothing was changed. The same terminal
 * with the same token again has the same answer: the first one may have been lost.
 */
int hub_enrol_call(struct hub_enrol *e, const struct hub_enrol_call *call, struct hub_enrol_answer *ret);
