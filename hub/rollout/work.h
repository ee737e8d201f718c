#pragma once

#include <openssl/types.h>

#include "hub/rollout/documents.h"
#include "hub/store/store.h"

/*
 * Carries on what the store says: signs what persons asked for, renews heads, lets rollouts take their next step, and says which message is
 * to stand on which subject. Everything is written down before it is said, so that it may end anywhere and begin again.
 */

/* Brings a subject to this message; said again and again, also when it stands there. digest: of the bytes, NULL: not taken yet (one bundle
 * goes to thousands). 0 or -errno: later, by the next pass. */
struct rollout_wire {
    int (*put)(void *context, const char *subject, const void *bytes, size_t size, const struct digest *digest);
    void *context;
};

enum rollout_work_result {
    ROLLOUT_WORK_OK = 0,
    ROLLOUT_WORK_E_NO_ROOT, /* nobody has said yet whose policies count */
    ROLLOUT_WORK_E_KEY,     /* the newest root document does not let the centre's key sign heads alone */
};

struct rollout_work {
    struct hub_store *store;
    EVP_PKEY *key; /* the online key */
    const struct rollout_wire *wire;
    int64_t listening_us; /* since when reports come in */
    /* Of one pass: */
    int64_t now_us;
    struct rollout_roots roots;
    unsigned refused; /* puts that failed */
};

/* enum rollout_work_result or -errno. */
int rollout_work_pass(struct rollout_work *w, int64_t now_us);
