#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "ctl/client.h"
#include "policy/fleet/names.h"

struct json_t;

/* kuraband, as the courier asks it: requests 31 to 36 of docs/PROTOCOL.control.md. One question at a time; it answers at once or is gone. */
struct guard {
    const char *run_directory; /* borrowed */
    struct ctl_client client;  /* of the requests; -1: not connected */
};

/* What it says of this terminal. */
struct guard_hello {
    char terminal[FLEET_ID_SIZE];
    bool enrolled;
    char groups[16][FLEET_TEXT_SIZE];
    size_t n_groups;
    uint64_t sequence, acknowledged, report;
};
/* -EBADMSG: not such an object. */
int guard_hello_read(const struct json_t *j, struct guard_hello *ret);

int guard_hello(struct guard *g, bool up, struct guard_hello *ret);

/* ret: the caller's to free(); *ret_size 0 and NULL: there is no such record yet. */
int guard_record(struct guard *g, uint64_t from, uint8_t **ret, size_t *ret_size, uint64_t *ret_first,
                 uint64_t *ret_last);
int guard_report(struct guard *g, char **ret, uint64_t *ret_wanted);

enum {
    GUARD_E_REFUSED = 1 /* it has judged, and recorded that */
};
/* Judged there: 0 or GUARD_E_REFUSED; -errno: it could not be asked, or could not store it. */
int guard_statement(struct guard *g, const uint8_t *envelope, size_t size);
int guard_bundle(struct guard *g, const uint8_t *bundle, size_t size);

void guard_close(struct guard *g);
